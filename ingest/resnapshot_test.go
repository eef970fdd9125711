package ingest_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/ingest"
	"tarn/ingest/source"
)

// rows are those that a statement of the room answers.
func (h *house) rows(statement string) [][]any {
	h.t.Helper()
	for _, c := range h.room.Commands() {
		if strings.HasPrefix(statement, c.Verbs[0]) {
			answer, err := c.Run(h.t.Context(), guard.Principal{User: "tarn"}, statement)
			if err != nil {
				h.t.Fatalf("%s: %v", statement, err)
			}
			_, _, rows := answer.Result()
			return rows
		}
	}
	h.t.Fatalf("nobody runs %s", statement)
	return nil
}

// TestResnapshot: one table of a connector is snapshotted again, by any name that tells which, while it runs and
// while it is paused, and where snapshot.mode makes no snapshots.
func TestResnapshot(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "CREATE TABLE berths (id INTEGER PRIMARY KEY)", "INSERT INTO calls VALUES (1, 'a')", "INSERT INTO berths VALUES (1)")
	h.write("port.json", strings.Replace(connector("port", "../port.db"), `"topic.prefix"`, `"snapshot.mode": "no_data", "topic.prefix"`, 1))
	h.start()
	h.until("two tables", func() bool { return len(h.status("port").Tables) == 2 })
	h.database("port.db", "INSERT INTO calls VALUES (2, 'b')")
	h.until("a change", func() bool { return h.ops("port.main.calls") == "c" })
	if got := fmt.Sprint(h.rows("RESNAPSHOT CONNECTOR port TABLE Calls")); got != "[[calls]]" {
		t.Fatalf("answered %s", got)
	}
	h.until("a snapshot", func() bool { return h.ops("port.main.calls") == "crr" })
	if got := h.ops("port.main.berths"); got != "" {
		t.Fatalf("the other table has %q", got)
	}
	h.stop()
	h.start()
	h.database("port.db", "INSERT INTO calls VALUES (3, 'c')")
	h.until("it goes on after a restart, without another snapshot", func() bool { return h.ops("port.main.calls") == "crrc" })

	h.rows("PAUSE CONNECTOR port")
	if got := fmt.Sprint(h.rows("RESNAPSHOT CONNECTOR port")); got != "[[berths] [calls]]" {
		t.Fatalf("answered %s", got)
	}
	h.looks(2)
	if got := h.ops("port.main.calls"); got != "crrc" {
		t.Fatalf("paused, it has %q", got)
	}
	if err := h.say("RESUME CONNECTOR port"); err != nil {
		t.Fatal(err)
	}
	h.until("both are snapshotted", func() bool { return h.ops("port.main.calls") == "crrcrrr" && h.ops("port.main.berths") == "r" })

	for statement, want := range map[string]string{
		"RESNAPSHOT CONNECTOR prot":                   "did you mean port?",
		"RESNAPSHOT CONNECTOR port TABLE call":        "did you mean calls?",
		"RESNAPSHOT CONNECTOR port TABLE calls berth": "leave it out",
	} {
		var f *fault.Error
		if err := h.say(statement); !errors.As(err, &f) || f.Hint != want || f.Column == 0 {
			t.Errorf("%s: %v, %+v", statement, err, f)
		}
	}
}

// TestRelease: a migration that SQLite refuses on a captured table is made while the connector is paused.
func TestRelease(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v, w)", "INSERT INTO calls VALUES (1, 'a', 2)")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
	h.rows("PAUSE CONNECTOR port RELEASE TABLES")
	h.database("port.db", "ALTER TABLE calls DROP COLUMN w")
	if err := h.say("RESUME CONNECTOR port RELEASE TABLES"); fault.HintOf(err) != "leave it out" {
		t.Errorf("resumed with a release: %v", err)
	}
	if err := h.say("RESUME CONNECTOR port"); err != nil {
		t.Fatal(err)
	}
	h.until("a second snapshot", func() bool { return h.ops("port.main.calls") == "rr" })
	h.database("port.db", "UPDATE calls SET v = 'b'")
	h.until("a change", func() bool { return h.ops("port.main.calls") == "rru" })
}

// TestDrop: a connector ends with its file and what it made in its database; its topic stays.
func TestDrop(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
	h.rows("DROP CONNECTOR port")
	if err := h.say("PAUSE CONNECTOR port"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("it is still there: %v", err)
	}
	if list, err := os.ReadDir(h.path("project/connectors")); err != nil || len(list) != 0 {
		t.Errorf("files %v, %v", list, err)
	}
	h.database("port.db", "ALTER TABLE calls DROP COLUMN v")
	if got := h.ops("port.main.calls"); got != "r" {
		t.Errorf("its topic has %q", got)
	}
	if err := h.say("DROP CONNECTOR port"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("dropped twice: %v", err)
	}
}

func TestExamine(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "CREATE TABLE notes (v)")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("it runs", func() bool { return h.status("port").State == source.Streaming })
	text := func(rows [][]any) (out string) {
		for _, r := range rows {
			out += fmt.Sprintln(r...)
		}
		return out
	}
	if got := text(h.rows("CHECK CONNECTOR port")); !strings.Contains(got, "warning notes <nil> table notes has no primary key") {
		t.Errorf("of one that is there:\n%s", got)
	}
	with := "CHECK CONNECTOR another WITH ('connector.class' = 'io.tarn.sqlite.SqliteConnector', 'database.path' = '../port.db', "
	if got := text(h.rows(with + "'topic.prefx' = 'p')")); !strings.Contains(got, "error <nil> topic.prefix topic.prefix is missing") || !strings.Contains(got, "unknown key topic.prefx") {
		t.Errorf("of one with a slip:\n%s", got)
	}
	if got := text(h.rows(with + "'topic.prefix' = 'p')")); !strings.Contains(got, "notes") || strings.Contains(got, "error") {
		t.Errorf("of one that might be:\n%s", got)
	}
	h.write("slip.json", strings.Replace(connector("slip", "../port.db"), "topic.prefix", "topic.prefx", 1))
	found := ingest.CheckFile(t.Context(), h.path("project/connectors/slip.json"), h.path("project"))
	if len(found) < 2 || !found[0].Fatal || found[0].Key != "topic.prefix" || found[0].File != "slip.json" {
		t.Errorf("of a file: %+v", found)
	}
	if err := h.say("CHECK CONNECTOR prot"); fault.HintOf(err) != "did you mean port?" {
		t.Errorf("of none: %v", err)
	}
}

// TestADroppedConnectorTellsWhatItLeaves in its database.
func TestADroppedConnectorTellsWhatItLeaves(t *testing.T) {
	h := newHouse(t)
	h.write("shop.json", `{"name": "shop", "config": {"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "database.hostname": "127.0.0.1", "database.port": "1",
		"database.dbname": "shop", "database.user": "tarn", "database.password": "x", "topic.prefix": "shop", "slot.name": "tarn_shop"}}`)
	h.start()
	h.until("it is there", func() bool { return h.status("shop").State == source.Retrying })
	got := fmt.Sprint(h.rows("DROP CONNECTOR shop"))
	for _, want := range []string{"pg_drop_replication_slot", "'tarn_shop'", `DROP PUBLICATION IF EXISTS "dbz_publication"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s does not say %s", got, want)
		}
	}
}
