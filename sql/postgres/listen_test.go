//go:build duckdb_arrow

package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/guard"
	"tarn/lake/table"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/postgres"
)

// heard is a connection whose notifications a test reads.
type heard struct {
	*pgx.Conn

	t    testing.TB
	came []*pgconn.Notification // also in the midst of other calls
}

// openHeard starts a door to which a test tells commits, and returns what connects to it.
func openHeard(t testing.TB, of guard.Guard) (door *postgres.Door, connect func() *heard) {
	t.Helper()
	_, addr := enginetest.ServeWith(t, of, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		door = postgres.New(postgres.Options{Listener: l, Gate: gate, Guard: of})
		return door
	})
	return door, func() *heard {
		h := &heard{t: t}
		h.Conn = connectWith(t, addr, func(config *pgx.ConnConfig) {
			config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { h.came = append(h.came, n) }
		})
		return h
	}
}

func (h *heard) do(texts ...string) {
	h.t.Helper()
	for _, text := range texts {
		if _, err := h.Exec(h.t.Context(), text); err != nil {
			h.t.Fatalf("%s: %v", text, err)
		}
	}
}

// next is the next notification that there is, or that comes.
func (h *heard) next() *pgconn.Notification {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	for len(h.came) == 0 {
		if err := h.PgConn().WaitForNotification(ctx); err != nil {
			h.t.Fatal(err)
		}
	}
	n := h.came[0]
	h.came = h.came[1:]
	return n
}

// hears fails the test unless the next notifications are these, as channel:payload. What is behind them is found by the next call.
func (h *heard) hears(want ...string) {
	h.t.Helper()
	for _, w := range want {
		n := h.next()
		if got := n.Channel + ":" + n.Payload; got != w {
			h.t.Fatalf("heard %q, want %q", got, w)
		}
	}
}

func TestNotify(t *testing.T) {
	_, dial := openHeard(t, guard.Open{})
	ear, mouth := dial(), dial()
	ear.do("LISTEN Quay", `LISTEN "Quay 2"`)
	mouth.do("NOTIFY quay", "NOTIFY QUAY, 'it''s here'", `NOTIFY quay, E'a\\b\'''\x41\u00e9\n'`, "NOTIFY quay, $tag$it's$tag$", `NOTIFY "Quay 2", 'b'`, "NOTIFY other, 'x'")
	if n := ear.next(); n.Channel != "quay" || n.Payload != "" || n.PID != mouth.PgConn().PID() {
		t.Errorf("%+v", n)
	}
	ear.hears("quay:it's here", "quay:a\\b''Aé\n", "quay:it's", "Quay 2:b")

	// By the function: in both protocols, with parameters, and of the rows of a query.
	mouth.do("SELECT pg_notify('quay', 'c')")
	if got := one[string](t, mouth.Conn, "SELECT pg_catalog.pg_notify($1, $2 || '!') AS said", "quay", "d"); got != "" {
		t.Error(got)
	}
	mouth.do("SELECT name, pg_notify('quay', name) FROM system.ports ORDER BY name")
	ear.hears("quay:c", "quay:d!", "quay:Rotterdam", "quay:Tanger Med")

	// Its own come before its answer ends.
	ear.do("NOTIFY quay, 'me'")
	if len(ear.came) != 1 {
		t.Errorf("%d notifications came with the answer", len(ear.came))
	}
	ear.hears("quay:me")
}

// TestNotifyInTransaction: what is sent goes at COMMIT, once; what a transaction or a savepoint takes back does not.
func TestNotifyInTransaction(t *testing.T) {
	_, dial := openHeard(t, guard.Open{})
	ear, mouth := dial(), dial()
	ear.do("LISTEN q")
	mouth.do("BEGIN", "NOTIFY q, 'rolled back'", "ROLLBACK")
	mouth.do("BEGIN", "NOTIFY q, '1'", "SAVEPOINT a", "NOTIFY q, 'gone'", "SAVEPOINT b", "NOTIFY q, 'gone too'", "ROLLBACK TO SAVEPOINT a", "NOTIFY q, '2'", "NOTIFY q, '1'", "COMMIT")
	mouth.do("BEGIN", "NOTIFY q, 'failed'")
	if _, err := mouth.Exec(t.Context(), "SELECT nothing"); err == nil {
		t.Error("no error")
	}
	mouth.do("COMMIT")
	if _, err := mouth.PgConn().Exec(t.Context(), "NOTIFY q, 'with an error'; SELECT nothing").ReadAll(); err == nil {
		t.Error("no error")
	}
	mouth.do("NOTIFY q, '3'")
	ear.hears("q:1", "q:2", "q:3")

	// LISTEN takes effect at COMMIT, and hears what its own transaction sends.
	late := dial()
	late.do("BEGIN", "LISTEN q", "ROLLBACK", "BEGIN", "LISTEN q", "NOTIFY q, 'own'", "COMMIT")
	late.hears("q:own")
	ear.hears("q:own")

	// Within a transaction nothing is told; all of it at its end.
	ear.do("BEGIN")
	mouth.do("NOTIFY q, '4'")
	ear.do("SELECT 1", "SELECT 2")
	if len(ear.came) > 0 {
		t.Errorf("heard %+v within a transaction", ear.came[0])
	}
	ear.do("COMMIT")
	if len(ear.came) != 1 {
		t.Errorf("%d came with COMMIT", len(ear.came))
	}
	ear.hears("q:4")
}

func TestListeningChannels(t *testing.T) {
	_, dial := openHeard(t, guard.Open{})
	c := dial()
	channels := func() string {
		t.Helper()
		var both []string
		for _, query := range []string{"SELECT pg_listening_channels()", "SELECT x FROM (SELECT * FROM pg_catalog.pg_listening_channels()) t(x)"} {
			rows, err := c.Query(t.Context(), query, pgx.QueryExecModeExec)
			if err != nil {
				t.Fatal(err)
			}
			names, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			both = append(both, strings.Join(names, " "))
		}
		if both[0] != both[1] {
			t.Errorf("%q", both)
		}
		return both[0]
	}
	for _, of := range []struct{ text, want string }{
		{"UNLISTEN *", ""},
		{"LISTEN b", "b"},
		{`LISTEN "silver.orders"`, "b silver.orders"},
		{"LISTEN b", "b silver.orders"},
		{"UNLISTEN nothing", "b silver.orders"},
		{"UNLISTEN b", "silver.orders"},
		{"LISTEN tarn_commits", "silver.orders tarn_commits"},
		{"UNLISTEN *", ""},
		{"LISTEN c", "c"},
		{"DISCARD ALL", ""},
	} {
		c.do(of.text)
		if got := channels(); got != of.want {
			t.Errorf("%s: %q, want %q", of.text, got, of.want)
		}
	}
	if got := one[string](t, c.Conn, "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE proname IN ('pg_notify', 'pg_listening_channels')"); got != "pg_listening_channels pg_notify" {
		t.Errorf("the catalog knows %q", got)
	}
}

// TestRefusedNotifications: names and texts that cannot be, and what is Tarn's own to say.
func TestRefusedNotifications(t *testing.T) {
	_, dial := openHeard(t, guard.Open{})
	c := dial()
	for text, code := range map[string]string{
		"LISTEN silver.orders": "42601", "LISTEN": "42601", "NOTIFY q, 'a', 'b'": "42601", "NOTIFY q, 1": "42601", "UNLISTEN": "42601",
		`NOTIFY "silver.orders", '{}'`: "42501", "NOTIFY tarn_commits": "42501", "SELECT pg_notify('silver.orders', 'x')": "42501",
		"SELECT pg_notify(NULL, 'x')": "22023", "SELECT pg_notify('', 'x')": "22023", "SELECT pg_notify('q', repeat('x', 8000))": "22023", "SELECT pg_notify(repeat('q', 256), '')": "22023",
		"SELECT pg_notify('q')": "42000", "SELECT upper(pg_notify('q', ''))": "42000", "SELECT 1 WHERE pg_notify('q', '') IS NULL": "42000",
	} {
		if _, err := c.Exec(t.Context(), text); codeOf(err) != code {
			t.Errorf("%s: %v, want %s", text, err, code)
		}
	}
	// A column that only has the name by which the door knows its calls again is what it says.
	c.do(`SELECT {'a': 1} AS "tarn notifies: a"`, `SELECT {'channel': 'q', 'payload': 1} AS "tarn notifies: a"`, `SELECT 1 AS "tarn notifies: a"`)
	c.do("NOTIFY q, '" + strings.Repeat("x", 7999) + "'")
	for i := range 256 {
		c.do(fmt.Sprintf("LISTEN c%d", i))
	}
	if _, err := c.Exec(t.Context(), "LISTEN one_more"); codeOf(err) != "54000" {
		t.Error(err)
	}
	c.do("LISTEN c1", "UNLISTEN *", "LISTEN one_more")
}

// TestNotificationsTakeNoMemory: what stands beside a pg_notify is freed as it is sent.
func TestNotificationsTakeNoMemory(t *testing.T) {
	resident := func() int64 {
		status, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Skip("it is looked at on Linux alone:", err)
		}
		pages, err := strconv.ParseInt(strings.Fields(string(status))[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return pages * int64(os.Getpagesize())
	}
	_, dial := openHeard(t, guard.Open{})
	c := dial()
	const text = "SELECT pg_notify('q', ''), repeat('x', 100000) FROM range(1000)" // 100 MB
	c.do(text)
	before := resident()
	for range 3 {
		c.do(text)
	}
	debug.FreeOSMemory()
	if more := resident() - before; more > 150<<20 {
		t.Errorf("%d MiB stay", more>>20)
	}
}

func committed(name string, snapshot, rows int64) table.Committed {
	schema, name, _ := strings.Cut(name, ".")
	return table.Committed{Table: table.Ident{Namespace: schema, Name: name}, ID: "u", SnapshotID: snapshot, Operation: "append", AddedRows: rows}
}

// told is what a notification of a commit says.
type told struct {
	Table       string `json:"table"`
	SnapshotID  int64  `json:"snapshot_id,string"`
	AddedRows   int64  `json:"added_rows"`
	DeletedRows int64  `json:"deleted_rows"`
	Commits     int    `json:"commits"`
}

func (h *heard) commit() (channel string, of told) {
	h.t.Helper()
	n := h.next()
	if err := json.Unmarshal([]byte(n.Payload), &of); err != nil {
		h.t.Fatalf("%s: %v", n.Payload, err)
	}
	return n.Channel, of
}

// TestCommitsAreTold: in the channel of the table and in that of all, but neither what changes no rows nor what is Tarn's own.
func TestCommitsAreTold(t *testing.T) {
	door, dial := openHeard(t, guard.Open{})
	all, orders := dial(), dial()
	all.do("LISTEN tarn_commits")
	orders.do(`LISTEN "silver.orders"`)
	none := committed("silver.orders", 0, 0)
	replaced := committed("silver.orders", 5, 9)
	replaced.Operation = "replace"
	for _, one := range []table.Committed{none, replaced, committed("system.commits", 6, 1), committed("silver.orders", 7261234567890123456, 3)} {
		door.Committed(one)
	}
	want := told{Table: "silver.orders", SnapshotID: 7261234567890123456, AddedRows: 3, Commits: 1}
	for h, channel := range map[*heard]string{all: "tarn_commits", orders: "silver.orders"} {
		if on, got := h.commit(); got != want || on != channel {
			t.Errorf("%s: %+v", on, got)
		}
	}
	door.Committed(committed("gold.calls", 8, 1))
	door.Committed(committed("silver.orders", 9, 1))
	if _, got := orders.commit(); got.SnapshotID != 9 {
		t.Errorf("%+v", got)
	}
}

// TestSlowListener: who is told nothing for long, as it is in a transaction, hears once of each table, of its last snapshot, and
// at most so many tables; what clients send is refused rather than lost.
func TestSlowListener(t *testing.T) {
	door, dial := openHeard(t, guard.Open{})
	slow, mouth := dial(), dial()
	slow.do("LISTEN tarn_commits", `LISTEN "silver.t1"`, "LISTEN q", "BEGIN")
	const tables, rounds = 2000, 3
	for round := range int64(rounds) {
		for i := range tables {
			door.Committed(committed(fmt.Sprintf("silver.t%d", i), 10*round+1, 2))
		}
	}
	if _, err := mouth.Exec(t.Context(), "NOTIFY q, 'no room'"); codeOf(err) != "54000" {
		t.Error(err)
	}
	slow.do("COMMIT")
	commits := 0
	for len(slow.came) > 0 {
		channel, got := slow.commit()
		if channel == "silver.t1" {
			continue
		}
		commits += got.Commits
		if got.Table != "" && got != (told{Table: got.Table, SnapshotID: 10*(rounds-1) + 1, AddedRows: 2 * rounds, Commits: rounds}) {
			t.Errorf("%+v", got)
		}
	}
	if commits != tables*rounds {
		t.Errorf("heard of %d commits", commits)
	}
	mouth.do("NOTIFY q, 'room again'")
	slow.hears("q:room again")
}

// unseen is a guard in which nobody reads the tables of gold.
type unseen struct{ guard.Open }

func (unseen) Decide(_ guard.Principal, _ guard.Action, r guard.Resource) guard.Decision {
	return guard.Decision{Allow: r.Kind != guard.Table || r.Path[0] != "gold"}
}

// TestUnreadableCommits: of a table that a client may not read it hears nothing.
func TestUnreadableCommits(t *testing.T) {
	door, dial := openHeard(t, unseen{})
	c := dial()
	c.do("LISTEN tarn_commits", `LISTEN "gold.secret"`)
	door.Committed(committed("gold.secret", 1, 1))
	door.Committed(committed("silver.open", 2, 1))
	if _, got := c.commit(); got.Table != "silver.open" {
		t.Errorf("%+v", got)
	}
}

// TestNotifiedWhileItWorks: notifications come between answers, never in the midst of one, whatever comes at the same time.
func TestNotifiedWhileItWorks(t *testing.T) {
	door, dial := openHeard(t, guard.Open{})
	c := dial()
	c.do("LISTEN tarn_commits")
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := int64(1); ; i++ {
			select {
			case <-stop:
				return
			default:
				door.Committed(committed("silver.t", i, 1))
			}
		}
	}()
	for i := range 50 {
		if got := one[int](t, c.Conn, "SELECT $1::int + count(*)::int - 2 FROM system.ports", i); got != i {
			t.Errorf("%d, want %d", got, i)
		}
		batch := &pgx.Batch{}
		batch.Queue("SELECT 1")
		batch.Queue("SELECT $1::int", i)
		if err := c.SendBatch(t.Context(), batch).Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, first := c.commit() // there is one, or comes
	close(stop)
	<-ended
	for last := first.SnapshotID; len(c.came) > 0; {
		_, got := c.commit()
		if got.SnapshotID <= last {
			t.Errorf("snapshot %d after %d", got.SnapshotID, last)
		}
		last = got.SnapshotID
	}
}
