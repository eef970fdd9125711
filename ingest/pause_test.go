package ingest_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/meta"
	"tarn/ingest/source"
)

// say runs a statement of the room.
func (h *house) say(statement string) error {
	for _, c := range h.room.Commands() {
		for _, verb := range c.Verbs {
			if strings.HasPrefix(statement, verb) {
				_, err := c.Run(h.t.Context(), guard.Principal{User: "tarn"}, statement)
				return err
			}
		}
	}
	return errors.New("nobody runs " + statement)
}

// TestPause: a paused connector reads nothing, also after a restart of Tarn, and goes on where it stood with each change once.
func TestPause(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.write("port.json", connector("my-port", "../port.db"))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("my-port.main.calls") == "r" })
	const topic = "my-port.main.calls"
	if err := h.say(`PAUSE CONNECTOR "my-port"`); err != nil {
		t.Fatal(err)
	}
	if s := h.status("my-port"); s.State != source.Paused || s.Error != "" {
		t.Fatalf("%+v", s)
	}
	h.database("port.db", "INSERT INTO calls VALUES (2, 'b')", "UPDATE calls SET v = 'c' WHERE id = 2")
	h.stop()
	h.start()
	if s := h.status("my-port"); s.State != source.Paused || h.ops(topic) != "r" {
		t.Fatalf("after a restart: %+v, %s", s, h.ops(topic))
	}
	h.write("port.json", connector("my-port", "../port.db")+"\n") // a file that changes does not start it
	h.looks(2)
	if err := h.say(`PAUSE CONNECTOR "my-port"`); err != nil || h.ops(topic) != "r" {
		t.Fatalf("paused twice: %v, %s", err, h.ops(topic))
	}
	// Resumed while its database is away, as in a restore, it waits for it; said again, RESUME changes nothing.
	if err := errors.Join(os.Rename(h.path("port.db"), h.path("aside.db")), os.Mkdir(h.path("port.db"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := h.say(`RESUME CONNECTOR "my-port"`); err != nil {
		t.Fatal(err)
	}
	h.until("a folder told of", func() bool { return strings.Contains(h.status("my-port").Error, "it is a folder") })
	if err := errors.Join(os.Remove(h.path("port.db")), os.Rename(h.path("aside.db"), h.path("port.db"))); err != nil {
		t.Fatal(err)
	}
	if err := h.say(`RESUME CONNECTOR "my-port"`); err != nil {
		t.Fatal(err)
	}
	h.until("what came meanwhile", func() bool { return h.ops(topic) == "rcu" })
	h.until("streaming", func() bool { return h.status("my-port").State == source.Streaming })
	for statement, column := range map[string]int{"PAUSE CONNECTOR port": 17, "RESUME CONNECTOR": 17, "PAUSE CONNECTOR port now": 22} {
		var f *fault.Error
		if err := h.say(statement); !errors.As(err, &f) || f.Column != column {
			t.Errorf("%s: %v at %+v", statement, err, f)
		}
	}
}

// TestAPauseEndsWithItsConnector: another of its name, after its file was gone for good, starts.
func TestAPauseEndsWithItsConnector(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
	if err := h.say("PAUSE CONNECTOR port"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(h.path("project/connectors/port.json")); err != nil {
		t.Fatal(err)
	}
	h.until("its end", func() bool {
		return len(h.room.Statuses()) == 0 && h.count("port.db", `SELECT count(*) FROM sqlite_schema WHERE name LIKE '\_tarn\_%' ESCAPE '\'`) == 0
	})
	h.write("port.json", connector("port", "../port.db"))
	h.until("the snapshot of the next", func() bool { return h.ops("port.main.calls") == "rr" })
}

// TestAPauseEndsBeforeItsConnector: what keeps the pause from being forgotten keeps the connector from ending, so that no
// pause is left for another of its name.
func TestAPauseEndsBeforeItsConnector(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("streaming", func() bool { return h.status("port").State == source.Streaming })
	if err := h.say("PAUSE CONNECTOR port"); err != nil {
		t.Fatal(err)
	}
	h.database("meta.db", "CREATE TRIGGER broken BEFORE DELETE ON kv WHEN old.bucket = 'paused' BEGIN SELECT RAISE(ABORT, 'broken'); END")
	if err := os.Remove(h.path("project/connectors/port.json")); err != nil {
		t.Fatal(err)
	}
	h.looks(40) // more than a connector is waited for
	h.database("meta.db", "DROP TRIGGER broken")
	h.until("its end", func() bool {
		list, err := h.meta.List(t.Context(), meta.Paused)
		return err == nil && len(list) == 0
	})
}

// TestPauseAndResumeAtOnce: said together, they leave a connector as meta notes it, and so as it is after a restart.
func TestPauseAndResumeAtOnce(t *testing.T) {
	h := newHouse(t)
	h.write("port.json", connector("port", "../away.db"))
	h.start()
	var over atomic.Bool
	var readers sync.WaitGroup
	defer readers.Wait()
	defer over.Store(true)
	for range 2 { // who looks on delays who writes
		readers.Go(func() {
			for !over.Load() {
				h.room.Statuses()
			}
		})
	}
	for i := range 20 {
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				if err := h.say([]string{"PAUSE CONNECTOR port", "RESUME CONNECTOR port"}[n%2]); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		_, err := h.meta.Get(t.Context(), meta.Paused, "port")
		if noted, state := err == nil, h.status("port").State; noted != (state == source.Paused) {
			t.Fatalf("try %d: paused in meta is %v, and the state is %s", i, noted, state)
		}
	}
}

// TestASlowCheckHoldsUpNobody: a connector whose database does not answer is told of, and starts when it does; the others run meanwhile.
func TestASlowCheckHoldsUpNobody(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.database("slow.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	answers := make(chan struct{})
	h.room.Checking(func(ctx context.Context, name string) {
		if name == "a-slow" {
			select {
			case <-answers:
			case <-ctx.Done():
			}
		}
	})
	h.write("a-slow.json", connector("a-slow", "../slow.db"))
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("it told of", func() bool { return strings.Contains(h.status("a-slow").Error, "takes long") })
	h.until("the other", func() bool { return h.ops("port.main.calls") == "r" })
	h.database("port.db", "INSERT INTO calls VALUES (2, 'b')")
	h.until("what came", func() bool { return h.ops("port.main.calls") == "rc" })
	if err := errors.Join(h.say(`RESUME CONNECTOR "a-slow"`), h.say("PAUSE CONNECTOR port")); err != nil {
		t.Fatal(err)
	}
	close(answers)
	h.until("its snapshot", func() bool { return h.ops("a-slow.main.calls") == "r" })
}
