package ingest_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"tarn/embedded/fault"
	"tarn/ingest"
	"tarn/ingest/source"
)

// TestOneThatCouldNotStartIsTriedAgain: by itself after a while, and at once where somebody says RESUME.
func TestOneThatCouldNotStartIsTriedAgain(t *testing.T) {
	for _, by := range []string{"itself", "RESUME CONNECTOR port"} {
		t.Run(by, func(t *testing.T) {
			h := newHouse(t)
			if err := os.Mkdir(h.path("port.db"), 0o700); err != nil { // as one whose rights are wrong
				t.Fatal(err)
			}
			h.write("port.json", connector("port", "../port.db"))
			h.start()
			failed := func() bool {
				s := h.status("port")
				return s.State == source.Failed && strings.Contains(s.Error, "it is a folder")
			}
			h.until("the failure", failed)
			since := h.status("port").Since
			if by != "itself" {
				if err := h.say(by); err != nil {
					t.Fatal(err)
				}
			} else {
				h.clock.by.Store(int64(3 * time.Second))
				h.looks(2)
			}
			if !failed() || !h.status("port").Since.Equal(since) {
				t.Errorf("tried in vain: %+v, failed since %s", h.status("port"), since)
			}
			if err := os.Remove(h.path("port.db")); err != nil {
				t.Fatal(err)
			}
			h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
			if by == "itself" {
				h.clock.by.Store(int64(time.Minute))
			} else if err := h.say(by); err != nil {
				t.Fatal(err)
			}
			h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
		})
	}
}

// TestOneThatCouldNotStartIsPaused, and is tried when it is resumed.
func TestOneThatCouldNotStartIsPaused(t *testing.T) {
	h := newHouse(t)
	if err := os.Mkdir(h.path("port.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("the failure", func() bool { return h.status("port").State == source.Failed })
	if err := h.say("PAUSE CONNECTOR port"); err != nil {
		t.Fatal(err)
	}
	if s := h.status("port"); s.State != source.Paused || s.Error != "" {
		t.Fatalf("%+v", s)
	}
	if err := os.Remove(h.path("port.db")); err != nil {
		t.Fatal(err)
	}
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	if err := h.say("RESUME CONNECTOR port"); err != nil {
		t.Fatal(err)
	}
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
}

// TestAConnectorIsMadeByAStatement: its file is there, whole, and runs; what is wrong is told at its place, and writes nothing.
func TestAConnectorIsMadeByAStatement(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'it''s')")
	const head = "CREATE CONNECTOR \"the port's\" WITH (\n  'connector.class' = 'io.tarn.sqlite.SqliteConnector',\n  'database.path' = '../port.db',\n  "
	refused := func(statement, message, hint string, line int) {
		t.Helper()
		var f *fault.Error
		if err := h.say(statement); !errors.As(err, &f) || !strings.Contains(f.Error(), message) || !strings.Contains(f.Hint, hint) || f.Line != line {
			t.Errorf("%s: %v at %+v; want %q, %q, line %d", statement, err, f, message, hint, line)
		}
	}
	refused(head+"'topic.prefix' = 'a b')", `topic.prefix is "a b"`, "use letters", 4)
	refused(head+"'topic.prefx' = 'p')", "unknown key topic.prefx", "did you mean topic.prefix?", 4)
	refused(head+"'poll.interval.ms' = 50)", "topic.prefix is missing", "'topic.prefix' = '…'", 1)
	refused(head+"'topic.prefix' = 'p', 'topic.prefix' = 'q')", "twice", "leave one out", 4)
	refused(strings.Replace(head, "sqlite.Sqlite", "sqlite.Squlite", 1)+"'topic.prefix' = 'p')", "which Tarn does not have", "io.tarn.sqlite.SqliteConnector", 2)
	refused(strings.Replace(head, "../port.db", "connectors", 1)+"'topic.prefix' = 'p')", "it is a folder", "database.path", 3)
	refused(strings.Replace(head, "the port's", "../up", 1)+"'topic.prefix' = 'p')", "the name is", "without a slash", 1)
	refused("CREATE CONNECTOR port", "the end follows", "WITH", 1)
	refused("CREATE CONNECTOR port WITH ('a' 'b')", "", "= and a value", 1)
	if list, err := os.ReadDir(h.path("project/connectors")); err != nil || len(list) != 0 {
		t.Fatalf("files %v, %v", list, err)
	}
	if err := h.say(head + "'topic.prefix' = 'p',\n  'poll.interval.ms' = 5\n)"); err != nil {
		t.Fatal(err)
	}
	if s := h.status("the port's"); s.State == "" || s.State == source.Failed {
		t.Errorf("at once: %+v", s)
	}
	h.until("the snapshot", func() bool { return h.ops("p.main.calls") == "r" })
	text, err := os.ReadFile(h.path("project/connectors/the_port_s.json"))
	want := "{\n  \"name\": \"the port's\",\n  \"config\": {\n    \"connector.class\": \"io.tarn.sqlite.SqliteConnector\",\n    \"database.path\": \"../port.db\",\n    \"poll.interval.ms\": \"5\",\n    \"topic.prefix\": \"p\"\n  }\n}\n"
	if err != nil || string(text) != want {
		t.Errorf("the file: %v\n%s", err, text)
	}
	refused(head+"'topic.prefix' = 'q')", "there is a connector the port's already", "another name", 1)
	refused(strings.Replace(head, "the port's", "the port_s", 1)+"'topic.prefix' = 'q')", "there is a file the_port_s.json in the folder connectors already", "another name", 1)
	if list, err := os.ReadDir(h.path("project/connectors")); err != nil || len(list) != 1 {
		t.Fatalf("files %v, %v", list, err)
	}
}

// TestAFileOfSignalsIsOneConnectorsOwn: a second one that names it is refused, and so is a file that brings it, until the first is gone.
func TestAFileOfSignalsIsOneConnectorsOwn(t *testing.T) {
	h := newHouse(t)
	h.start()
	statement := func(name, file string) string {
		return "CREATE CONNECTOR " + name + " WITH ('connector.class' = 'io.debezium.connector.postgresql.PostgresConnector', 'database.hostname' = '127.0.0.1',\n" +
			"'database.port' = '1', 'database.user' = 'u', 'database.dbname' = 'd', 'topic.prefix' = '" + name + "', 'signal.enabled.channels' = 'file',\n'signal.file' = '" + file + "')"
	}
	const said, hint = "which is that of connector one", "a file of its own"
	if err := h.say(statement("one", "signals.txt")); err != nil {
		t.Fatal(err)
	}
	var f *fault.Error
	if err := h.say(statement("two", "connectors/../signals.txt")); !errors.As(err, &f) || !strings.Contains(f.Error(), "signal.file is") || !strings.Contains(f.Error(), said) || !strings.Contains(f.Hint, hint) || f.Line != 3 {
		t.Errorf("%v at %+v", err, f)
	}
	if err := h.say(statement("three", "others.txt")); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(h.path("project/connectors/one.json"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("two.json", strings.NewReplacer(`"name": "one"`, `"name": "two"`, `"topic.prefix": "one"`, `"topic.prefix": "two"`).Replace(string(text)))
	h.until("two is refused", func() bool {
		s := h.status("two")
		return s.State == source.Failed && strings.Contains(s.Error, said) && strings.Contains(s.Hint, hint)
	})
	var found []string
	for _, f := range ingest.Check(t.Context(), h.path("project/connectors")) {
		if f.Fatal {
			found = append(found, f.File+" "+f.Key+" "+f.Message)
		}
	}
	if len(found) != 1 || !strings.HasPrefix(found[0], "two.json signal.file ") || !strings.Contains(found[0], said) {
		t.Errorf("tarn check says %q", found)
	}
	if err := h.say("PAUSE CONNECTOR one"); err != nil {
		t.Fatal(err)
	}
	h.clock.by.Store(int64(time.Minute))
	h.until("two starts", func() bool { return h.status("two").State != source.Failed })
	if err := h.say("RESUME CONNECTOR one"); err != nil {
		t.Fatal(err)
	}
	h.until("one is refused", func() bool {
		s := h.status("one")
		return s.State == source.Failed && strings.Contains(s.Error, "which is that of connector two") && strings.Contains(s.Hint, hint)
	})
	if err := h.say("DROP CONNECTOR two"); err != nil {
		t.Fatal(err)
	}
	h.clock.by.Store(int64(time.Hour))
	h.until("one starts", func() bool { return h.status("one").State != source.Failed })
}
