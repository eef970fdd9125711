package ingest_test

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/ingest"
	"tarn/ingest/source"
)

// patience bounds every wait, on a machine that is slow and busy: not a claim of speed, but the end of a hang.
const patience = 2 * time.Minute

// house is a bus, a project folder and the room.
type house struct {
	t      *testing.T
	dir    string
	bus    *bus.Bus
	meta   *meta.Store
	clock  *clock
	room   *ingest.Ingest
	cancel context.CancelFunc
	done   chan error
}

// clock is the machine's, ahead by so many nanoseconds.
type clock struct{ by atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.by.Load())) }

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), clock: &clock{}}
	if err := os.MkdirAll(h.path("project/connectors"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *house) open() {
	h.t.Helper()
	log := slog.New(slog.DiscardHandler)
	m, err := meta.Open(h.t.Context(), filepath.Join(h.dir, "meta.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.bus, err = bus.Open(h.t.Context(), bus.Options{
		Dir: filepath.Join(h.dir, "bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 1 << 20,
		Meta: m, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.meta = m
	h.room = ingest.New(ingest.Options{
		Bus: h.bus, Meta: m, Schemas: schemas.New(m), Log: log, Clock: h.clock,
		Dir: h.path("project/connectors"), Version: "test",
	})
	h.room.LookEvery(20 * time.Millisecond)
}

func (h *house) close() {
	h.stop()
	_ = h.bus.Close(context.Background())
	_ = h.meta.Close()
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(file, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.path("project/connectors/"+file), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) database(name string, statements ...string) {
	h.t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+h.path(name)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			h.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (h *house) start() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.done = cancel, make(chan error, 1)
	ready := make(chan struct{})
	go func() { h.done <- h.room.Run(ctx, func() { close(ready) }) }()
	<-ready
}

func (h *house) stop() {
	if h.cancel != nil {
		h.cancel()
		if err := <-h.done; err != nil {
			h.t.Error(err)
		}
		h.cancel = nil
	}
}

func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	h.t.Fatalf("not in time: %s: %+v", what, h.room.Statuses())
}

// ops are the operations of a topic's records in order, 't' for a tombstone.
func (h *house) ops(topic string) string {
	h.t.Helper()
	t, err := h.bus.Topic(topic)
	if err != nil {
		return ""
	}
	p := t.Partitions()[0]
	r := p.Reader(0)
	defer r.Close()
	var out strings.Builder
	for at := int64(0); at < p.Next(); {
		f, err := r.Next(h.t.Context(), 1<<20)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, b := range f.Batches {
			if b.Control() {
				continue
			}
			records, err := b.Records()
			if err != nil {
				h.t.Fatal(err)
			}
			for i := range records {
				if records[i].Value == nil {
					out.WriteByte('t')
					continue
				}
				e, err := envelope.Split(records[i].Value)
				if err != nil {
					h.t.Fatal(err)
				}
				out.WriteByte(e.Op)
			}
		}
		at = f.Next
	}
	return out.String()
}

func (h *house) status(name string) source.Status {
	for _, s := range h.room.Statuses() {
		if s.Name == name {
			return s
		}
	}
	return source.Status{}
}

func connector(name, path string) string {
	return `{"name":"` + name + `","config":{"connector.class":"io.tarn.sqlite.SqliteConnector","database.path":"` + path +
		`","topic.prefix":"` + name + `","poll.interval.ms":5}}`
}

func TestAFolderOfConnectors(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.write("port.json", connector("port", "../port.db"))
	h.write("bad.json", `{"name": "bad", "config": {`)
	h.write("class.json", `{"name":"class","config":{"connector.class":"io.tarn.sqlite.SqlConnector"}}`)
	h.write("twin.json", connector("port", "../other.db"))
	h.write("missing.json", connector("missing", "../nothing.db"))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
	h.database("port.db", "INSERT INTO calls VALUES (2, 'b')", "UPDATE calls SET id = 3 WHERE id = 2", "DELETE FROM calls WHERE id = 1")
	h.until("the changes", func() bool { return h.ops("port.main.calls") == "rcdtcdt" })
	h.until("streaming", func() bool { return h.status("port").State == source.Streaming })
	h.until("the count", func() bool { return h.status("port").Rows == 5 }) // which follows the append

	for name, want := range map[string]string{"bad": "bad.json", "class": "SqlConnector", "missing": "nothing.db"} {
		h.until(name, func() bool { return strings.Contains(h.status(name).Error, want) && h.status(name).Hint != "" })
	}
	if s := h.status("port"); s.Rows != 5 || len(s.Topics) != 1 || s.Position == "" {
		t.Fatalf("got %+v", s)
	}
	if s := h.status("twin"); !strings.Contains(s.Error, "is that of port.json") {
		t.Fatalf("the second file of a name is not told: %+v", h.room.Statuses())
	}

	h.database("nothing.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	h.until("the database that came later", func() bool { return h.ops("missing.main.t") == "r" })

	// A restart repeats nothing.
	h.stop()
	h.database("port.db", "INSERT INTO calls VALUES (9, 'z')")
	h.start()
	h.until("the change made meanwhile", func() bool { return h.ops("port.main.calls") == "rcdtcdtc" })

	// A file that names another database leaves nothing in the first one.
	const ours = `SELECT count(*) FROM sqlite_schema WHERE name LIKE '\_tarn\_%' ESCAPE '\'`
	h.database("next.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'n')")
	h.write("port.json", connector("port", "../next.db"))
	h.until("the other database", func() bool { return h.ops("port.main.calls") == "rcdtcdtcr" })
	h.until("nothing of Tarn in the first database", func() bool { return h.count("port.db", ours) == 0 })

	// A file that goes takes Tarn's triggers with it, unless it may be the one that is not understood.
	if err := os.Remove(h.path("project/connectors/twin.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(h.path("project/connectors/port.json")); err != nil {
		t.Fatal(err)
	}
	h.until("the stop of port", func() bool { return h.status("port").Name == "" })
	h.looks(40)
	if h.count("next.db", ours) == 0 {
		t.Fatal("port ended, although bad.json may be its own")
	}
	if err := os.Remove(h.path("project/connectors/bad.json")); err != nil {
		t.Fatal(err)
	}
	h.until("the end of port", func() bool { return h.count("next.db", ours) == 0 })
}

// TestAFileThatGoesWhileTarnIsDown: its connector ends at the next start, also when the
// database is locked by then, and not when the file is only being written anew.
func TestAFileThatGoesWhileTarnIsDown(t *testing.T) {
	const ours = `SELECT count(*) FROM sqlite_schema WHERE name LIKE '\_tarn\_%' ESCAPE '\'`
	h := newHouse(t)
	for _, name := range []string{"stays", "goes"} {
		h.database(name+".db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
		h.write(name+".json", connector(name, "../"+name+".db"))
	}
	h.start()
	h.until("the snapshots", func() bool { return h.ops("stays.main.calls") == "r" && h.ops("goes.main.calls") == "r" })
	h.stop()
	lock, err := dbsql.Open("sqlite", "file:"+h.path("goes.db")+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	tx, err := lock.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(h.path("project/connectors/goes.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.path("project/connectors/stays.json"), h.path("project/connectors/renamed.json")); err != nil {
		t.Fatal(err)
	}
	h.start()
	h.database("stays.db", "INSERT INTO calls VALUES (2, 'b')")
	h.until("the change of the file with another name", func() bool { return h.ops("stays.main.calls") == "rc" })
	h.until("the end of the other", func() bool {
		known, err := source.Known(t.Context(), h.meta)
		_, there := known["goes"]
		return err == nil && !there
	})
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	h.clock.by.Store(int64(time.Hour))
	h.until("nothing of Tarn in the database", func() bool { return h.count("goes.db", ours) == 0 })
	if h.count("stays.db", ours) == 0 {
		t.Fatal("the connector whose file was renamed ended")
	}
}

// looks waits for so many looks at the folder: each takes over what is written before it.
func (h *house) looks(n int) {
	for i := range n {
		name := fmt.Sprint("look", i)
		h.write("look.json", `{"name":"`+name+`","config":{"connector.class":"x"}}`)
		h.until(name, func() bool { return h.status(name).Error != "" })
	}
	_ = os.Remove(h.path("project/connectors/look.json"))
}

func (h *house) count(name, query string) (n int) {
	h.t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+h.path(name)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// TestAConnectorThatIsSaidAnew: by another file, or with another path of the same database,
// it goes on where it was.
func TestAConnectorThatIsSaidAnew(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
	h.write("copy.json", connector("port", "../port.db"))
	h.until("the conflict", func() bool { return h.status("copy").Error != "" })
	if err := os.Remove(h.path("project/connectors/port.json")); err != nil {
		t.Fatal(err)
	}
	h.until("one connector", func() bool { return len(h.room.Statuses()) == 1 && h.status("port").Error == "" })
	if err := os.Symlink(h.path("port.db"), h.path("link.db")); err != nil {
		t.Fatal(err)
	}
	h.write("copy.json", connector("port", h.path("link.db")))
	h.looks(40)
	h.database("port.db", "INSERT INTO calls VALUES (2, 'b')")
	h.until("the change", func() bool { return h.ops("port.main.calls") == "rc" })
}

func TestUnknownKeysNameTheNearest(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY)")
	h.write("port.json", `{"name":"port","config":{"connector.class":"io.tarn.sqlite.SqliteConnector","database.path":"../port.db","topic.prefix":"p","tabel.include.list":"calls"}}`)
	found := ingest.Check(t.Context(), h.path("project/connectors"))
	if len(found) == 0 || !strings.Contains(found[0].Message, "tabel.include.list") || !strings.Contains(found[0].Hint, "table.include.list") {
		t.Fatalf("got %+v", found)
	}
}

func TestAFolderThatIsGoneForAWhileEndsNothing(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY)", "INSERT INTO calls VALUES (1)")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
	if err := os.Rename(h.path("project"), h.path("away")); err != nil {
		t.Fatal(err)
	}
	h.writeAway("new.json")
	h.database("port.db", "INSERT INTO calls VALUES (2)")
	h.until("the change", func() bool { return h.ops("port.main.calls") == "rc" })
	if err := os.Rename(h.path("away"), h.path("project")); err != nil {
		t.Fatal(err)
	}
	h.until("the file that came with it", func() bool { return h.status("new").Error != "" })
	if got := h.status("port"); got.State != source.Streaming {
		t.Fatalf("got %+v", got)
	}
}

// writeAway writes a broken connector into the folder while it is away, so that a look at the
// folder after its return shows.
func (h *house) writeAway(file string) {
	h.t.Helper()
	if err := os.WriteFile(h.path("away/connectors/"+file), []byte("{"), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func TestATopicIsToldOfAKeyThatComesAndGoes(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.write("port.json", connector("port", "../port.db"))
	h.start()
	keyed := func() bool {
		topic, err := h.bus.Topic("port.main.calls")
		return err == nil && topic.Config().Keyed
	}
	h.until("the snapshot", func() bool { return h.ops("port.main.calls") == "r" })
	if keyed() {
		t.Fatal("keyed without a key")
	}
	h.database("port.db", "DROP TABLE calls", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.until("a keyed topic", keyed)
	h.database("port.db", "DROP TABLE calls", "CREATE TABLE calls (id INTEGER, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.until("a keyless topic", func() bool { return !keyed() })
}

// TestALostMetaCostsNoTopic: the connector finds in the log which source it is, and goes on.
func TestALostMetaCostsNoTopic(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO a VALUES (1, 'x')")
	h.write("port.json", connector("port", h.path("port.db")))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("port.main.a") == "r" })
	h.database("port.db", "UPDATE a SET v = 'y'")
	h.until("the change", func() bool { return h.ops("port.main.a") == "ru" })
	top, err := h.bus.Topic("port.main.a")
	if err != nil {
		t.Fatal(err)
	}
	id := top.Config().Source
	h.close()
	files, err := filepath.Glob(h.path("meta.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	h.open()
	h.start()
	h.until("a new snapshot", func() bool { return h.ops("port.main.a") == "rur" })
	h.database("port.db", "INSERT INTO a VALUES (2, 'z')")
	h.until("the next change", func() bool { return h.ops("port.main.a") == "rurc" })
	if top, err = h.bus.Topic("port.main.a"); err != nil || top.Config().Source != id {
		t.Fatalf("the topic is of %v, %v", top, err)
	}
	if s := h.status("port"); s.Error != "" {
		t.Fatalf("status is %+v", s)
	}
}
