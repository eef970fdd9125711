//go:build duckdb_arrow

package rest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/sql/engine"
)

// readers may read all and alter nothing.
type readers struct{ guard.Open }

func (readers) Decide(_ guard.Principal, a guard.Action, _ guard.Resource) guard.Decision {
	return guard.Decision{Allow: a == guard.Read}
}

// ask runs a statement as somebody and returns its rows as lines.
func (h *house) ask(user, statement string) ([]string, error) {
	r, err := h.gate.Run(h.t.Context(), engine.Request{Text: statement, Principal: guard.Principal{User: user, Door: "test"}})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var lines []string
	for r.Reader.Next() {
		b := r.Reader.RecordBatch()
		for i := range int(b.NumRows()) {
			var cells []string
			for _, c := range b.Columns() {
				cells = append(cells, c.ValueStr(i))
			}
			lines = append(lines, strings.Clone(strings.Join(cells, ","))) // the batch goes
		}
	}
	return lines, r.Reader.Err()
}

// until polls a statement as ann until it has a row.
func (h *house) until(statement string) []string {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if lines, err := h.ask("ann", statement); err != nil || len(lines) > 0 {
			if err != nil {
				h.t.Fatal(err)
			}
			return lines
		}
	}
	h.t.Fatalf("%s: no row", statement)
	return nil
}

// TestQueries: what runs and has run is in system.queries, to its asker.
func TestQueries(t *testing.T) {
	h := harbour(t, readers{})
	_, _ = h.ask("ann", "SELECT id FROM calls WHERE id < 4")
	_, _ = h.ask("ann", "SELECT nothing FROM calls")
	_, _ = h.ask("ann", "SELECT 1 WHERE 'a' = 'topsecret' AND 'password' = 'topsecret' OR 'x' = 'postgres://u:topsecret@h/d'")
	_, _ = h.ask("ann", `CREATE CONNECTOR x WITH ("database.password" = 'topsecret', 'y' = 'topsecret')`)
	_, _ = h.ask("ann", `SELECT password => 4711, 'token' = 4711, secret = "topsecret" /* token topsecret */ -- topsecret`)
	_, _ = h.ask("ann", `SELECT "https://u:topsecret@h/d"`)
	_, _ = h.ask("ann", "SELECT 'https://u:topsecret"+strings.Repeat("x", 5000)+"@h/d'")
	_, _ = h.ask("ann", "SELECT 'https://u:"+strings.Repeat("x", 3000)+"@h/d', 1"+strings.Repeat(" + 1", 1000)+", 'https://u:topsecret@h/d'")
	_, _ = h.ask("bob", "SELECT 2")
	got, err := h.ask("ann", "SELECT statement, state, outcome, rows, bytes > 0, snapshots, door, ms >= queued_ms FROM system.queries ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"SELECT id FROM calls WHERE id < 4,ended,ok,3,true,silver.calls=7,test,true",
		"SELECT nothing FROM calls,ended,not_found,0,false,,test,true",
	}
	for i, line := range want {
		if i >= len(got) || got[i] != line {
			t.Errorf("line %d of\n%s\nwant\n%s", i, strings.Join(got, "\n"), line)
		}
	}
	all := strings.Join(got, "\n")
	if strings.Contains(all[strings.Index(all, "CREATE CONNECTOR"):], "topsecret") || strings.Contains(all, "SELECT 2") || strings.Contains(all, "u:topsecret") || strings.Contains(all, "4711") {
		t.Errorf("told\n%s", all)
	}
	if last := got[len(got)-1]; !strings.HasSuffix(last, ",running,(null),0,false,,test,true") {
		t.Errorf("the statement itself is %s", last)
	}
	for range 1100 {
		if _, err := h.ask("ann", "SHOW SCHEMAS"); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := h.ask("ann", "SELECT count(*) FROM system.queries"); err != nil || n[0] != "1001" {
		t.Errorf("%v rows are kept, %v", n, err)
	}
}

// TestCancelQuery: a statement of any door is ended by its number, by who may.
func TestCancelQuery(t *testing.T) {
	h := harbour(t, readers{})
	ended := make(chan error)
	go func() {
		_, err := h.ask("ann", "SELECT count(*) FROM range(10000000) a, range(10000000) b")
		ended <- err
	}()
	id := h.until("SELECT id FROM system.queries WHERE state = 'running' AND statement LIKE '%range(%' AND statement NOT LIKE '%system%'")[0]
	if _, err := h.ask("bob", "CANCEL QUERY "+id); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("bob: %v", err)
	}
	if _, err := h.ask("ann", "CANCEL QUERY "+id); err != nil {
		t.Error(err)
	}
	if err := <-ended; fault.CodeOf(err) != fault.Canceled {
		t.Errorf("it ended with %v", err)
	}
	if got, _ := h.ask("ann", "SELECT outcome FROM system.queries WHERE id = "+id); len(got) != 1 || got[0] != "canceled" {
		t.Errorf("its outcome is %v", got)
	}
	for _, wrong := range []string{"CANCEL QUERY", "CANCEL QUERY x", "CANCEL QUERY 1 2"} {
		if _, err := h.ask("ann", wrong); fault.CodeOf(err) != fault.Syntax {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	// One that has answered in part, and is not read.
	r, err := h.gate.Run(t.Context(), engine.Request{Text: "SELECT repeat('x', 1000), i FROM range(9000) t(i)", Principal: guard.Principal{User: "ann"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Reader.Next()
	id = h.until("SELECT id FROM system.queries WHERE state = 'running' AND rows > 0")[0]
	if _, err := h.ask("ann", "CANCEL QUERY "+id); err != nil {
		t.Error(err)
	}
	for r.Reader.Next() {
	}
	if err := r.Reader.Err(); fault.CodeOf(err) != fault.Canceled {
		t.Errorf("reading on ended with %v", err)
	}
}

// TestFairTurns: one who asks many statements at once is not before another who asks one.
func TestFairTurns(t *testing.T) {
	h := harbour(t, guard.Open{})
	hold := func(user string) *engine.Result {
		r, err := h.gate.Run(t.Context(), engine.Request{Text: "SELECT id FROM calls", Principal: guard.Principal{User: user}})
		if err != nil {
			t.Error(err)
			return nil
		}
		return r
	}
	var held []*engine.Result
	for range 8 {
		held = append(held, hold("many"))
	}
	done := make(chan string, 100)
	gone, stop := context.WithCancel(t.Context())
	for i := range 40 {
		go func() {
			r, err := h.gate.Run(gone, engine.Request{Text: "SELECT " + fmt.Sprint(i), Principal: guard.Principal{User: "many"}})
			if err == nil {
				done <- "many"
				<-gone.Done() // keeps its turn
				r.Close()
			}
		}()
	}
	waits := func(n int) { // SHOW needs no turn
		h.t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if h.gate.Waiting() == n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d wait, want %d", h.gate.Waiting(), n)
			}
		}
	}
	waits(40)
	go func() {
		if r := hold("one"); r != nil {
			done <- "one"
			r.Close()
		}
	}()
	waits(41)
	held[0].Close()
	held[1].Close()
	if a, b := <-done, <-done; a != "one" && b != "one" {
		t.Errorf("%s and %s came before the one", a, b)
	}
	stop()
	for _, r := range held {
		r.Close()
	}
	waits(0)
}

// TestEstimates: the planner knows how many rows a table of one file has.
func TestEstimates(t *testing.T) {
	h := harbour(t, guard.Open{})
	id := table.Ident{Namespace: "silver", Name: "calls"}
	h.shelf.mu.Lock()
	scan := h.shelf.tables[id]
	scan.Files = slices.Clone(scan.Files)
	for i := range scan.Files {
		scan.Files[i].Rows = 4321
	}
	h.shelf.tables[id] = scan
	h.shelf.mu.Unlock()
	want := fmt.Sprint("estimated cardinality ", 4321*len(scan.Files))
	if _, body := h.post("EXPLAIN SELECT berth FROM calls", "text/csv"); !strings.Contains(body, want) {
		t.Errorf("no %q in\n%s", want, body)
	}
}

// TestExplainAnalyze: it shows what ran, and neither a file nor what a filter hides.
func TestExplainAnalyze(t *testing.T) {
	h := harbour(t, guard.Open{})
	_, body := h.post("EXPLAIN ANALYZE SELECT berth, count(*) FROM calls WHERE id > 2 GROUP BY berth", "text/csv")
	for _, part := range []string{"took ", "HASH_GROUP_BY · 4 rows · ", "reads silver.calls at snapshot 7"} {
		if !strings.Contains(body, part) {
			t.Errorf("no %q in\n%s", part, body)
		}
	}
	if strings.Contains(body, h.dir) || strings.Contains(body, "getvariable") {
		t.Errorf("it tells\n%s", body)
	}
	h.refused("EXPLAIN ANALYZE DROP VIEW x", "denied")
	h.refused("EXPLAIN ANALYZE SELECT nothing FROM calls", "not_found")
	o := office(t)
	o.refused("EXPLAIN ANALYZE SELECT count(*) FROM sales", "denied")
}

// TestAllThatRunsAQueryHasATurn: what finds the values of a PIVOT, makes a temporary table or runs what it explains waits for a
// turn, and system.queries tells so.
func TestAllThatRunsAQueryHasATurn(t *testing.T) {
	h := harbour(t, guard.Open{})
	for range 7 { // of eight turns; the last is of who looks
		r, err := h.gate.Run(t.Context(), engine.Request{Text: "SELECT 1", Principal: guard.Principal{User: "busy"}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
	}
	looks, look := make(chan bool), make(chan bool)
	h.gate.RegisterSystem(engine.SystemTable{Name: "hold", Columns: []engine.SystemColumn{{Name: "n", Type: record.Long}}, Rows: func(context.Context) ([][]any, error) {
		looks <- true
		<-look
		return [][]any{{int64(1)}}, nil
	}})
	pivot := "PIVOT silver.calls ON berth USING count(*)"
	for _, statement := range []string{"EXPLAIN " + pivot, "CREATE VIEW gold.p AS " + pivot, "DESCRIBE gold.p", "EXPLAIN ANALYZE SELECT 1", "CREATE TEMP TABLE x AS SELECT 1"} {
		seen := make(chan []string, 1)
		go func() {
			lines, err := h.ask("ann", "SELECT state FROM system.hold, system.queries WHERE statement = '"+statement+"'")
			if err != nil {
				t.Error(err)
			}
			seen <- lines
		}()
		<-looks
		in, ended := h.gate.Session(), make(chan error, 1)
		go func() {
			_, err := h.says(in, statement)
			ended <- err
		}()
		for end := time.Now().Add(time.Minute); h.gate.Waiting() == 0 && len(ended) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		look <- true
		if lines := <-seen; !slices.Equal(lines, []string{"queued"}) {
			t.Errorf("%s is %v", statement, lines)
		}
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", statement, err)
		}
		in.Close()
	}
	if lines, err := h.ask("ann", "SELECT DISTINCT state FROM system.queries WHERE statement LIKE 'CREATE TEMP TABLE%'"); err != nil || !slices.Equal(lines, []string{"ended"}) {
		t.Errorf("at its end it is %v, %v", lines, err)
	}
}
