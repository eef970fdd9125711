//go:build duckdb_arrow

package sql_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/grpc/status"

	"tarn/embedded/guard"
	"tarn/sql/engine"
)

// nameOf is what a door calls an error; "" for none.
func nameOf(err error) string {
	if t, ok := errors.AsType[told](err); ok {
		return t.name
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.Code
	}
	if err == nil {
		return ""
	}
	return status.Code(err).String()
}

// What is asked, with a name by which it is found in system.queries: of endless no row ever comes, of rowful some do at once and the last never does.
const (
	endless = "SELECT sum(a.i * b.i % 7) AS "
	rowful  = "SELECT rpad('x', 1000, 'x') AS s, i AS "
	hungry  = "SELECT len(list(rpad(CAST(i AS VARCHAR), 1000, 'x'))) AS "
)

var sources = map[string]string{endless: " FROM range(10000000) a(i), range(10000000) b(i)", rowful: " FROM range(1000000000000) t(i)", hungry: " FROM range(4000000) t(i)"}

// ending is a way in which a statement ends before its answer does.
type ending struct {
	name, text string
	says       [4]string // what its client is told: by REST, PostgreSQL, Flight SQL, Trino
	outcomes   []string  // in system.queries: one of them
	// midst is called once the statement runs, or where it has rows when the first are there. False has its client go.
	midst func(t *testing.T, h *house, id int64) bool
	rows  bool
}

const limitedRows = 200_000

// endings are those that no time decides.
var endings = []ending{
	{name: "canceled", text: endless, says: [4]string{"408 canceled", "57014", "Canceled", "USER_CANCELED"}, outcomes: []string{"canceled"}, midst: canceled},
	{name: "canceled_midst", text: rowful, says: [4]string{"canceled", "57014", "Canceled", "USER_CANCELED"}, outcomes: []string{"canceled"}, midst: canceled, rows: true},
	{name: "rows", text: rowful, says: [4]string{"too_large", "54000", "ResourceExhausted", "EXCEEDED_SCAN_LIMIT"}, outcomes: []string{"too_large"}, rows: true},
	{name: "memory", text: hungry, says: [4]string{"413 too_large", "53200", "ResourceExhausted", "EXCEEDED_LOCAL_MEMORY_LIMIT"}, outcomes: []string{"too_large"}},
	{name: "gone", text: rowful, outcomes: []string{"canceled", "closed"}, midst: func(*testing.T, *house, int64) bool { return false }, rows: true},
}

// lateEndings are those of a Gate whose statements may take lateAfter.
var lateEndings = []ending{
	{name: "late", text: endless, says: [4]string{"408 timeout", "57014", "DeadlineExceeded", "EXCEEDED_TIME_LIMIT"}, outcomes: []string{"timeout"}},
	{name: "slow", text: rowful, says: [4]string{"timeout", "57014", "DeadlineExceeded", "EXCEEDED_TIME_LIMIT"}, outcomes: []string{"timeout"}, midst: slow, rows: true},
}

const lateAfter = 10 * time.Second

// canceled ends a statement by its number, as any client of any door may.
func canceled(t *testing.T, h *house, id int64) bool {
	w := h.wires[int(id)%len(h.wires)]
	if _, err := w.ask(t.Context(), w.addr, fmt.Sprintf("CANCEL QUERY %d", id), 0); err != nil {
		t.Errorf("CANCEL QUERY at %s: %v", w.name, err)
	}
	return true
}

// slow reads nothing until the statement's time is over.
func slow(t *testing.T, h *house, id int64) bool {
	h.until(t, fmt.Sprintf("id = %d AND (state = 'ended' OR ms > %d)", id, lateAfter.Milliseconds()))
	return true
}

// until waits for a statement in system.queries, and answers its number.
func (h *house) until(t *testing.T, condition string) int64 {
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		rows, _, err := h.gate.Whole(t.Context(), guard.Principal{User: "counter"}, `SELECT id FROM system.queries WHERE "user" <> 'counter' AND `+condition)
		if err == nil && len(rows) > 0 {
			return rows[0][0].(int64)
		}
	}
	t.Errorf("no statement has %s", condition)
	return 0
}

// TestEndings: a statement that ends before its answer does ends at each door as that door's clients know it, and is in system.queries as what it was;
// meanwhile others are answered, and nothing stays.
func TestEndings(t *testing.T) {
	for name, all := range map[string]struct {
		options engine.Options
		away    time.Duration
		endings []ending
	}{
		"at once": {engine.Options{Guard: guard.Open{}, RowsMax: limitedRows, MemoryBytes: 64 << 20}, 20 * time.Second, endings},
		"late":    {engine.Options{Guard: guard.Open{}, RowsMax: math.MaxInt64, Timeout: lateAfter}, time.Minute, lateEndings},
	} {
		t.Run(name, func(t *testing.T) {
			h := openAs(t, all.options, all.away)
			for _, e := range all.endings {
				h.harmless(t, func() {
					var work sync.WaitGroup
					for i, w := range h.wires {
						work.Go(func() { e.at(t, h, w, e.says[i]) })
					}
					h.answers(t)
					work.Wait()
				})
			}
		})
	}
}

// at has a statement end so at a door.
func (e ending) at(t *testing.T, h *house, w wire, want string) {
	mark := strings.ToLower("m_" + e.name + "_" + strings.ReplaceAll(w.name, " ", "_"))
	is := fmt.Sprintf("contains(statement, '%s')", mark)
	var work sync.WaitGroup
	if e.midst != nil && !e.rows {
		work.Go(func() { e.midst(t, h, h.until(t, is+" AND state = 'running'")) })
	}
	first := true
	_, err := w.over(t.Context(), w.addr, e.text+mark+sources[e.text], func(int) bool {
		stay := !first || e.midst == nil || !e.rows || e.midst(t, h, h.until(t, is))
		first = false
		return stay
	})
	work.Wait()
	if got := nameOf(err); got != want {
		t.Errorf("%s, %s: the client is told %q, want %q: %v", e.name, w.name, got, want, err)
	}
	h.until(t, is+" AND state = 'ended'")
	rows, _, err := h.gate.Whole(t.Context(), guard.Principal{User: "counter"}, `SELECT "user", door, outcome, rows, bytes, ms, error, snapshots FROM system.queries WHERE "user" <> 'counter' AND `+is)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%s, %s: %v, %v", e.name, w.name, rows, err)
	}
	row := rows[0]
	if !slices.Contains(e.outcomes, row[2].(string)) {
		t.Errorf("%s, %s: the outcome is %v, want one of %v", e.name, w.name, row[2], e.outcomes)
	}
	if row[0] == "" || row[1] == "" || row[5].(float64) <= 0 || (row[3].(int64) > 0) != e.rows || (row[4].(int64) > row[3].(int64)) != e.rows {
		t.Errorf("%s, %s: system.queries has %v", e.name, w.name, row)
	}
}
