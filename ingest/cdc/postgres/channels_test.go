package postgres_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// TestSignalsByFileAndTopic: lines of a file and records of a topic are signals too, each once, and take effect while snapshots wait.
func TestSignalsByFileAndTopic(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b'), (2, 'c', 'd')")
	file := filepath.Join(t.TempDir(), "signals")
	r := newRig(t, d, "signal.enabled.channels", "file,kafka", "signal.file", file, "signal.poll.interval.ms", "10", "snapshot.mode", "no_data")
	topic, err := r.log.Open(t.Context(), "p-signal", bus.TopicConfig{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	send := func(key, value string) {
		t.Helper()
		sent++
		pos := record.Pos{Source: "somebody", Incarnation: "i", Place: strconv.Itoa(sent)}.String() // the log of the tests asks for one
		if _, err := topic.Append(t.Context(), record.Encode([]record.Record{{Key: []byte(key), Value: []byte(value), Headers: []record.Header{{Key: record.HeaderPos, Value: []byte(pos)}}}})); err != nil {
			t.Fatal(err)
		}
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(path string) bool { _, err := os.Stat(path); return errors.Is(err, fs.ErrNotExist) }
	taken := func() bool { return gone(file) && gone(file+".taken") }
	const one, two = `{"id":1} r {"id":1,"berth":"a","teu":"b"}`, `{"id":2} r {"id":2,"berth":"c","teu":"d"}`
	of := func(id string) string {
		return `{"id": "x", "type": "execute-snapshot", "data": {"data-collections": ["public.calls"], "additional-conditions": [{"data-collection": "public.calls", "filter": "id = ` + id + `"}]}}`
	}
	send("p", of("1")) // before the connector's time
	r.start()
	r.until("streaming", r.streams)
	write(of("2"))
	r.wants("calls", two)
	r.until("the file is taken", taken)
	send("another", of("2"))
	send("p", of("1"))
	r.wants("calls", two, one)

	write(`{"type": "pause-snapshot"}` + "\n" + of("2") + "\n")
	r.until("the file is taken", taken)
	r.stop()
	r.start()
	d.Exec("UPDATE calls SET teu = 'e' WHERE id = 1")
	r.wants("calls", two, one, `{"id":1} u {"id":1,"berth":"a","teu":"e"}`)
	send("p", `{"type": "resume-snapshot"}`)
	r.wants("calls", two, one, `{"id":1} u {"id":1,"berth":"a","teu":"e"}`, two)

	write(`{"type": "pause-snapshot"}` + "\n" + of("1") + "\n" + `{"type": "stop-snapshot", "data": {"data-collections": ["public.calls"]}}` + "\n" + `{"type": "resume-snapshot"}`)
	r.until("the file is taken", taken)
	d.Exec("DELETE FROM calls WHERE id = 2")
	r.wants("calls", two, one, `{"id":1} u {"id":1,"berth":"a","teu":"e"}`, two, `{"id":2} d null`, `{"id":2} null`)

	said := func(what string) func() bool {
		return func() bool {
			return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool { return strings.Contains(f.Message, what) })
		}
	}
	write(strings.Repeat(" ", 1<<20) + "\n")
	r.until("a large one is set aside", said("set aside"))
	write(`{"type": "log", "data": {"message": "first"}}`)
	r.until("the first", said("first"))
	r.until("the file is taken", taken)
	write(`{"type": "log", "data": {"message": "other"}}`) // of the same length
	r.until("the other", said("other"))
	r.until("the file is taken", taken)
	r.stop()
	write(`{"type": "log", "data": {"message": "second"}}`)
	if err := os.Rename(file, file+".taken"); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	write(`{"type": "log", "data": {"message": "third"}}`)
	r.start()
	r.until("the third", said("third"))
	r.until("the file is taken", taken)
}

// TestChangedColumnsAreReadAgain: with tarn.changed.columns=reread old rows have what the database gave them, which its log does not say.
func TestChangedColumnsAreReadAgain(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls SELECT i, 'b', 't' FROM generate_series(1, 100) i")
	r := newRig(t, d, "tarn.changed.columns", "reread")
	r.start()
	r.equal("calls", "id", "berth", "teu")
	d.Exec("ALTER TABLE calls ADD COLUMN more text DEFAULT 'x'", "INSERT INTO calls VALUES (101, 'b', 't')")
	r.equal("calls", "id", "berth", "teu", "more")
	d.Exec("ALTER TABLE calls RENAME COLUMN more TO other", "DELETE FROM calls WHERE id = 7")
	r.equal("calls", "id", "berth", "teu", "other")
	r.stop()
	d.Exec("ALTER TABLE calls ADD COLUMN late text DEFAULT 'y'")
	r.start()
	r.equal("calls", "id", "berth", "teu", "other", "late")
	if n := r.marks("calls"); n != 1 {
		t.Errorf("%d whole snapshots", n)
	}
}

// TestChangedColumnsThatLookTheSame are read again too: of another precision, and new without the default that they came with.
func TestChangedColumnsThatLookTheSame(t *testing.T) {
	d := pgtest.Start(t).Database("d", "CREATE TABLE dues (id bigint PRIMARY KEY, n numeric(10,2))", "INSERT INTO dues VALUES (1, 1.25), (2, 2.35)",
		"CREATE TABLE signals (id text PRIMARY KEY, type text, data text)")
	r := newRig(t, d, "tarn.changed.columns", "reread", "decimal.handling.mode", "string", "signal.data.collection", "public.signals")
	r.start()
	r.equal("dues", "id", "n")
	d.Exec("ALTER TABLE dues ALTER COLUMN n TYPE numeric(10,1)", "INSERT INTO dues VALUES (3, 3.5)")
	r.equal("dues", "id", "n")
	d.Exec("ALTER TABLE dues ADD COLUMN more text DEFAULT 'x'", "ALTER TABLE dues ALTER COLUMN more DROP DEFAULT", "INSERT INTO dues VALUES (4, 4.5, 'z')")
	r.equal("dues", "id", "n", "more")
	// Signals hold what signals ask for.
	d.Exec("INSERT INTO signals VALUES ('s1', 'pause-snapshot', '{}')", "ALTER TABLE dues ADD COLUMN late text DEFAULT 'y'", "INSERT INTO dues VALUES (5, 5.5, 'z', 'z')",
		"INSERT INTO signals VALUES ('s2', 'stop-snapshot', '{}')")
	r.equal("dues", "id", "n", "more", "late")
}

// TestChangedColumnsBehindASnapshotThatIsNotSaved: what a crash left unsaved is taken as done before the rows are read again.
func TestChangedColumnsBehindASnapshotThatIsNotSaved(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b'), (2, 'c', 'd')")
	r := newRig(t, d, "tarn.changed.columns", "reread")
	r.log.Refuse = func(string) (bool, error) {
		r.cancel()
		return true, context.Canceled
	}
	r.start()
	r.until("the snapshot is in the topic", func() bool { return r.marks("calls") == 1 })
	r.stop()
	r.log.Refuse = nil
	d.Exec("ALTER TABLE calls ADD COLUMN late text DEFAULT 'y'")
	r.start()
	d.Exec("INSERT INTO calls VALUES (3, 'e', 'f')")
	r.equal("calls", "id", "berth", "teu", "late")
}

// TestChangedColumnsWithASnapshotAtEachStart: it is taken although rows are to be read again.
func TestChangedColumnsWithASnapshotAtEachStart(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b')")
	r := newRig(t, d, "tarn.changed.columns", "reread", "snapshot.mode", "always")
	r.start()
	r.until("a snapshot", func() bool { return r.marks("calls") == 1 })
	r.stop()
	d.Exec("ALTER TABLE calls ADD COLUMN late text DEFAULT 'y'")
	r.start()
	r.until("another", func() bool { return r.marks("calls") == 2 })
	r.equal("calls", "id", "berth", "teu", "late")
}

// TestSignalsWhereOnlySnapshotsAreTaken are obeyed when these are done; those of a table are not seen, which is told.
func TestSignalsWhereOnlySnapshotsAreTaken(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b')")
	file := filepath.Join(t.TempDir(), "signals")
	r := newRig(t, d, "snapshot.mode", "initial_only", "signal.enabled.channels", "source,file", "signal.data.collection", "public.signals", "signal.file", file, "signal.poll.interval.ms", "10")
	r.start()
	r.until("the snapshot", func() bool { return r.marks("calls") == 1 && r.streams() })
	r.until("what is not seen is told", func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
			return strings.Contains(f.Message, "public.signals are not seen") && f.Hint != ""
		})
	})
	for n := 2; n < 4; n++ {
		d.Exec("UPDATE calls SET teu = teu || '!'")
		if err := os.WriteFile(file, []byte(`{"id": "1", "type": "execute-snapshot", "data": {"data-collections": ["public.calls"]}}`+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.until("another snapshot", func() bool { return r.marks("calls") == n })
		r.equal("calls", "id", "berth", "teu")
		r.until("the file is taken", func() bool { _, err := os.Stat(file + ".taken"); return errors.Is(err, fs.ErrNotExist) })
	}
}
