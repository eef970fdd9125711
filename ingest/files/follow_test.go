package files_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/meta"
	"tarn/ingest/source"
)

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestOnlyWholeFilesOfTheDirectoryAreRead: links, folders, and names of files that are being written are none.
func TestOnlyWholeFilesOfTheDirectoryAreRead(t *testing.T) {
	r := newRig(t)
	outside := t.TempDir() + "/secret"
	write(t, outside, "{\"secret\":1}\n")
	if err := os.Symlink(outside, r.path("link.jsonl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".hidden", "a.tmp", "a.jsonl.part", "a~"} {
		write(t, r.path(name), "{\"half\":1}\n")
	}
	write(t, r.path("a.jsonl"), "{\"a\":1}\n")
	r.until(`a.jsonl:1={"a":1}`)
	rename(t, r.path("a.tmp"), r.path("b.jsonl"))
	r.until(`a.jsonl:1={"a":1}`, `b.jsonl:1={"half":1}`)
}

// TestALineThatIsBeingWrittenIsNotReadHalf: not before its end, or long silence.
func TestALineThatIsBeingWrittenIsNotReadHalf(t *testing.T) {
	r := newRig(t, "tail", "true", "quiet.ms", "3000000")
	write(t, r.path("a.jsonl"), "{\"a\":1}\n{\"a\"")
	r.until(`a.jsonl:1={"a":1}`)
	write(t, r.path("b.jsonl"), "{\"b\":1}\n")
	r.until(`a.jsonl:1={"a":1}`, `b.jsonl:1={"b":1}`)
	write(t, r.path("a.jsonl"), ":2}\n")
	r.until(`a.jsonl:1={"a":1}`, `b.jsonl:1={"b":1}`, `a.jsonl:2={"a":2}`)

	r = newRig(t)
	write(t, r.path("a.jsonl"), "{\"a\":1}\n{\"a\":2}") // its writer never writes the end
	r.until(`a.jsonl:1={"a":1}`, `a.jsonl:2={"a":2}`)
}

func TestALogIsFollowedThroughRotation(t *testing.T) {
	r := newRig(t, "tail", "true", "files.include", "gate.log")
	write(t, r.path("gate.log"), "{\"n\":1}\n{\"n\":2}\n")
	want := []string{`gate.log:1={"n":1}`, `gate.log:2={"n":2}`}
	r.until(want...)

	// Renamed, after a last line that nobody has seen, and made anew.
	r.stop()
	write(t, r.path("gate.log"), "{\"n\":3}\n")
	rename(t, r.path("gate.log"), r.path("gate.log.1"))
	write(t, r.path("gate.log"), "{\"n\":4}\n")
	r.start()
	want = append(want, `gate.log.1:3={"n":3}`, `gate.log:1={"n":4}`)
	r.until(want...)

	// Copied and truncated, after a last line that nobody has seen.
	r.stop()
	write(t, r.path("gate.log"), "{\"n\":5}\n")
	text, err := os.ReadFile(r.path("gate.log"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, r.path("gate.log-copy"), string(text))
	if err := os.Truncate(r.path("gate.log"), 0); err != nil {
		t.Fatal(err)
	}
	r.start()
	write(t, r.path("gate.log"), "{\"n\":6, \"longer\": \"than what was there\"}\n")
	want = append(want, `gate.log-copy:2={"n":5}`, `gate.log:1={"n":6, "longer": "than what was there"}`)
	r.await(func() bool { return len(r.values()) == len(want) }, func() any { return r.values() })
	r.finds("gate.log was truncated")
	got := map[string]bool{}
	for _, v := range r.values() {
		got[v] = true
	}
	for _, v := range want {
		if !got[v] {
			t.Fatalf("no %s in %q", v, r.values())
		}
	}

	// Moved away and back, and touched: the same file.
	r.stop()
	rename(t, r.path("gate.log"), r.path("elsewhere"))
	r.start()
	write(t, r.path("gate.log"), "{\"n\":7}\n")
	r.await(func() bool { return len(r.values()) == len(want)+1 }, func() any { return r.values() })
	if err := os.Remove(r.path("gate.log")); err != nil {
		t.Fatal(err)
	}
	rename(t, r.path("elsewhere"), r.path("gate.log"))
	write(t, r.path("gate.log"), "{\"n\":8}\n")
	r.await(func() bool {
		got := r.values()
		return strings.HasSuffix(got[len(got)-1], `:2={"n":8}`)
	}, func() any { return r.values() })
	if len(r.values()) != len(want)+2 {
		t.Fatalf("got %q", r.values())
	}
}

// What is left of a log when it is rotated is read before what its successor has, also while Tarn runs.
func TestARotatedLogIsReadBeforeItsSuccessor(t *testing.T) {
	r := newRig(t, "tail", "true", "files.include", "gate.log*")
	n := 0
	line := func() {
		n++
		write(t, r.path("gate.log"), fmt.Sprintf("{\"n\":%d}\n", n))
	}
	line()
	for round := range 12 {
		r.await(func() bool { return len(r.values()) == n }, func() any { return r.values() })
		line()
		rename(t, r.path("gate.log"), r.path(fmt.Sprintf("gate.log.%d", 12-round)))
		line()
	}
	r.await(func() bool { return len(r.values()) == n }, func() any { return r.values() })
	for i, v := range r.values() {
		if !strings.HasSuffix(v, fmt.Sprintf(`={"n":%d}`, i+1)) {
			t.Fatalf("record %d is %s", i+1, v)
		}
	}
}

// TestAFileWithTwoNamesIsRead once, also what it grows by.
func TestAFileWithTwoNamesIsRead(t *testing.T) {
	r := newRig(t, "tail", "true", "files.include", "gate.log*")
	write(t, r.path("a.part"), "{\"n\":1}\n")
	for _, name := range []string{"gate.log", "gate.log-too"} {
		if err := os.Link(r.path("a.part"), r.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	r.until(`gate.log:1={"n":1}`)
	write(t, r.path("gate.log-too"), "{\"n\":2}\n")
	r.until(`gate.log:1={"n":1}`, `gate.log:2={"n":2}`)
}

// TestAnInodeThatIsUsedAgainIsAnotherFile: with the same bytes too.
func TestAnInodeThatIsUsedAgainIsAnotherFile(t *testing.T) {
	r := newRig(t)
	write(t, r.path("a.jsonl"), "{\"alarm\":1}\n")
	r.until(`a.jsonl:1={"alarm":1}`)
	info, err := os.Stat(r.path("a.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	// What a removed file and a new one with its inode look like.
	rename(t, r.path("a.jsonl"), r.path("b.jsonl"))
	if err := os.Chtimes(r.path("b.jsonl"), info.ModTime(), info.ModTime().Add(1e6)); err != nil {
		t.Fatal(err)
	}
	r.until(`a.jsonl:1={"alarm":1}`, `b.jsonl:1={"alarm":1}`)
}

func TestARenamedFileIsNotReadAgain(t *testing.T) {
	r := newRig(t)
	write(t, r.path("a.jsonl"), "{\"a\":1}\n")
	write(t, r.path("b.jsonl"), "{\"b\":1}\n")
	r.await(func() bool { return len(r.values()) == 2 }, func() any { return r.values() })
	r.stop()
	rename(t, r.path("a.jsonl"), r.path("done-a.jsonl"))
	r.start()
	write(t, r.path("c.jsonl"), "{\"c\":1}\n")
	r.await(func() bool { return len(r.values()) == 3 }, func() any { return r.values() })
	if got := r.values()[2]; got != `c.jsonl:1={"c":1}` {
		t.Fatalf("got %q", r.values())
	}
}

// TestALostPositionIsNoReasonToReadTwice: the log knows of records, and nobody of files.
func TestALostPositionIsNoReasonToReadTwice(t *testing.T) {
	r := newRig(t)
	write(t, r.path("a.jsonl"), "{\"a\":1}\n")
	r.until(`a.jsonl:1={"a":1}`)
	r.stop()
	list, err := r.meta.List(t.Context(), meta.Positions)
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	for _, e := range list {
		if err := r.meta.Put(t.Context(), meta.Entry{Bucket: meta.Positions, Key: e.Key}); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.await(func() bool { return strings.Contains(r.runner.Status().Error, "list of read files") }, func() any { return r.values() })
	r.until(`a.jsonl:1={"a":1}`)
}

// TestWhatIsNoRecordIsADeadLetter: a line that is no object, one that is too long, and what follows them.
func TestWhatIsNoRecordIsADeadLetter(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("x", 9<<20)
	write(t, r.path("a.jsonl"), "{\"a\":1}\n[1]\n\n{\"a\":\n"+long+"\n{\"a\":2}\n")
	r.until(`a.jsonl:1={"a":1}`, `a.jsonl:6={"a":2}`)
	got := r.letters()
	if len(got) != 3 || got[0] != "a.jsonl:2=[1]: no JSON object" || !strings.HasPrefix(got[1], `a.jsonl:4={"a":: want a value`) || !strings.HasPrefix(got[2], "a.jsonl:5=xxx") || !strings.Contains(got[2], "more than 4194304 bytes") {
		t.Fatalf("got %.300q", got)
	}
}

// TestWhoWaitsForFilesIsNotStarting: also where there is nothing new, and then it tells which topic it fills.
func TestWhoWaitsForFilesIsNotStarting(t *testing.T) {
	r := newRig(t, "tail", "true")
	status := func() any { return r.runner.Status() }
	r.await(func() bool { s := r.runner.Status(); return s.State == source.Streaming && len(s.Topics) == 0 }, status)
	write(t, r.path("gate.log"), "{\"n\":1}\n")
	r.until(`gate.log:1={"n":1}`)
	r.stop()
	r.start()
	r.await(func() bool {
		s := r.runner.Status()
		return s.State == source.Streaming && slices.Equal(s.Topics, []string{"gate"})
	}, status)
	r.until(`gate.log:1={"n":1}`)
}

// TestASourceThatToleratesNoErrorStopsThere: before the batch of what is no record, of which it tells; then it goes on as it is told to.
func TestASourceThatToleratesNoErrorStopsThere(t *testing.T) {
	r := newRig(t, source.ToleranceKey, source.ToleranceNone)
	write(t, r.path("a.jsonl"), "{\"a\":1}\n[1]\n{\"a\":2}\n")
	r.await(func() bool {
		s := r.runner.Status()
		return s.State == source.Retrying && strings.Contains(s.Error, "a.jsonl:2: no JSON object") && strings.Contains(s.Hint, "errors.tolerance")
	}, func() any { return r.values() })
	if got := r.values(); len(got) != 0 {
		t.Fatalf("the topic holds %q", got)
	}
	r.stop()
	r.config.Keys[source.ToleranceKey] = source.ToleranceAll
	r.start()
	r.until(`a.jsonl:1={"a":1}`, `a.jsonl:3={"a":2}`)
	if got := r.letters(); len(got) != 1 {
		t.Fatalf("letters %q", got)
	}
}
