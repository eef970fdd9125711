package bus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// TestACompactedLogOutlivesItsDescription: the server passes over a stream whose description is damaged, as a crash
// between two of its renames leaves it.
func TestACompactedLogOutlivesItsDescription(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", compacted(t))
	for i := range 20 {
		h.append(p, record.Encode([]record.Record{pair("a", strconv.Itoa(i)), pair("b"+strconv.Itoa(i%3), strconv.Itoa(i))}))
	}
	for round := range int64(3) {
		if err := p.Compact(t.Context(), 1000); err != nil || p.Generation() != round+1 {
			t.Fatalf("generation %d, %v", p.Generation(), err)
		}
		want := readAll(t, p)
		stream, _ := p.Stream()
		h.close()
		streams := filepath.Join(h.dir, "bus/jetstream/TARN/streams")
		if err := os.WriteFile(filepath.Join(streams, stream, "meta.sum"), []byte("00"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(streams, "t@0", "msgs"), 0o700); err != nil { // what is left of the old one
			t.Fatal(err)
		}
		h.open()
		p = h.partition("t", bus.TopicConfig{})
		if got := readAll(t, p); p.Generation() != round+1 || !reflect.DeepEqual(got, want) {
			t.Fatalf("generation %d holds %v, held %v", p.Generation(), newestOf(got), newestOf(want))
		}
		h.append(p, record.Encode([]record.Record{pair("a", "y")}))
	}
	stream, _ := p.Stream()
	h.restart()
	if left, err := filepath.Glob(filepath.Join(h.dir, "bus/jetstream/TARN/streams/t@0*")); err != nil || len(left) != 1 || filepath.Base(left[0]) != stream {
		t.Fatalf("streams are %v, %v", left, err)
	}
}

// TestALogWhoseNewGenerationLostItsEndGoesOnWithTheOldOne: power went before the disk had what was appended last, and
// the old stream was there yet.
func TestALogWhoseNewGenerationLostItsEndGoesOnWithTheOldOne(t *testing.T) {
	h := open(t, func(o *bus.Options) { o.Fsync, o.SyncInterval = bus.FsyncInterval, 200*time.Millisecond })
	p := h.partition("t", compacted(t))
	for i := range 10 {
		h.append(p, record.Encode([]record.Record{pair("a", strconv.Itoa(i))}))
	}
	want := readAll(t, p)
	old, _ := p.Stream()
	h.close()
	streams := filepath.Join(h.dir, "bus/jetstream/TARN/streams")
	aside := t.TempDir()
	if err := os.CopyFS(aside, os.DirFS(filepath.Join(streams, old))); err != nil {
		t.Fatal(err)
	}
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if err := p.Compact(t.Context(), 1000); err != nil || p.Generation() != 1 {
		t.Fatalf("generation %d, %v", p.Generation(), err)
	}
	stream, _ := p.Stream()
	h.close()
	messages := filepath.Join(streams, stream, "msgs", "1.blk")
	file, err := os.Stat(messages)
	if err == nil {
		err = os.Truncate(messages, file.Size()-1)
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(streams, old), os.DirFS(aside))
	}
	if err != nil {
		t.Fatal(err)
	}
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if got := readAll(t, p); p.Generation() != 0 || !reflect.DeepEqual(got, want) {
		t.Fatalf("generation %d holds %v, held %v", p.Generation(), got, want)
	}
	h.append(p, record.Encode([]record.Record{pair("a", "last")}))
	if err := p.Compact(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, p); p.Generation() != 1 || len(got) != 2 {
		t.Fatalf("generation %d holds %v", p.Generation(), got)
	}
}

// TestNothingGoesBesideAGenerationThatCannotBeRead: it is in force, and the partition is set aside.
func TestNothingGoesBesideAGenerationThatCannotBeRead(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", compacted(t))
	for i := range 10 {
		h.append(p, record.Encode([]record.Record{pair("a", strconv.Itoa(i))}))
	}
	h.close()
	streams := filepath.Join(h.dir, "bus/jetstream/TARN/streams")
	aside := t.TempDir()
	if err := os.CopyFS(aside, os.DirFS(filepath.Join(streams, "t@0"))); err != nil {
		t.Fatal(err)
	}
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if err := p.Compact(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	want := readAll(t, p)
	stream, _ := p.Stream()
	h.close()
	file := filepath.Join(streams, stream, "msgs/1.blk")
	if err := errors.Join(os.CopyFS(filepath.Join(streams, "t@0"), os.DirFS(aside)), os.Rename(file, file+".was"), os.Mkdir(file, 0o700)); err != nil {
		t.Fatal(err)
	}
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if _, err := p.Append(t.Context(), record.Encode([]record.Record{pair("a", "y")})); fault.CodeOf(err) != fault.Damaged || p.Generation() != 1 {
		t.Fatalf("generation %d, %v", p.Generation(), err)
	}
	h.close()
	if left, err := filepath.Glob(filepath.Join(streams, "t@0*")); err != nil || len(left) != 2 {
		t.Fatalf("streams are %v, %v", left, err)
	}
	if err := errors.Join(os.Remove(file), os.Rename(file+".was", file)); err != nil {
		t.Fatal(err)
	}
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if got := readAll(t, p); p.Generation() != 1 || !reflect.DeepEqual(got, want) {
		t.Fatalf("generation %d holds %v, held %v", p.Generation(), got, want)
	}
}

// TestATopicThatIsMadeAgainWhileItIsCompactedKeepsItsLog: its first stream has the name of the one that compaction removes.
func TestATopicThatIsMadeAgainWhileItIsCompactedKeepsItsLog(t *testing.T) {
	h := open(t, func(o *bus.Options) { o.Fsync, o.SyncInterval = bus.FsyncInterval, 200*time.Millisecond })
	p := h.partition("t", compacted(t))
	for range 10 {
		h.append(p, record.Encode([]record.Record{pair("a", "x")}))
	}
	done := make(chan error)
	go func() { done <- p.Compact(context.Background(), 1000) }()
	waitFor(t, "the next generation", func() bool { return p.Generation() == 1 }) // and the old one waits for the disk
	if err := h.bus.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	p = h.partition("t", compacted(t))
	h.append(p, record.Encode([]record.Record{pair("a", "y")}))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	h.append(p, record.Encode([]record.Record{pair("b", "z")}))
	if got := newestOf(readAll(t, p)); len(got) != 2 || got["a"].value != "y" {
		t.Fatalf("the log holds %v", got)
	}
}
