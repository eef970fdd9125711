//go:build duckdb_arrow

package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
)

// The bounds of temporary tables. The rows of each are bounded as those of an answer are; they lie in the Gate's DuckDB, in its
// memory or where it spills.
const (
	tempTablesMax = 32  // of one session
	userTempMax   = 128 // of one user
	allTempMax    = 512 // of all
	// The shares of the Gate's memory that they may have, of whose values the bytes count: 1/n.
	tempShare    = 8 // of one session
	allTempShare = 2 // of all
)

// tempUse counts the temporary tables of all sessions.
type tempUse struct {
	mu     sync.Mutex
	tables map[string]int // by user
	all    int
	bytes  int64
}

// add counts one more of a user, within the bounds unless it comes in place of another.
func (u *tempUse) add(user string, instead bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case instead:
	case u.all >= allTempMax:
		return fault.Newf(fault.TooLarge, "drop some, or close connections", "there are %d temporary tables already", allTempMax)
	case u.tables[user] >= userTempMax:
		return fault.Newf(fault.TooLarge, "drop some, or close connections", "%s has %d temporary tables already", user, userTempMax)
	}
	u.tables[user]++
	u.all++
	return nil
}

// grow counts bytes of one, most of all at most.
func (u *tempUse) grow(bytes, most int64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes+bytes > most {
		return fault.Newf(fault.TooLarge, "drop some, or close connections", "the temporary tables of all have more than %d MiB", most>>20)
	}
	u.bytes += bytes
	return nil
}

// gone counts one less.
func (u *tempUse) gone(t tempTable) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tables[t.user]--; u.tables[t.user] == 0 {
		delete(u.tables, t.user)
	}
	u.all--
	u.bytes -= t.bytes
}

// Session is what a door's connection has of its own: temporary tables. It is for one principal's requests; close it.
type Session struct {
	gate *Gate

	writing sync.Mutex // held by what writes to one of them; taken before mu

	mu     sync.Mutex
	closed bool
	tables map[string]tempTable // by name, lower case
}

// tempTable is one of them.
type tempTable struct {
	id             string // that stays, whatever is written to it
	stored         string // its name in DuckDB, which nobody can guess
	columns, types []string
	kinds          []string // types as the dialect tells of them, which has some of its own
	required, keys []bool   // of the columns; nil where a query made the table
	declared       string   // the columns as DuckDB is told of them; "" where a query made the table
	onCommit       string   // as of sqltext.Making
	user           string
	rows, bytes    int64 // of its values
}

// Session opens one.
func (g *Gate) Session() *Session { return &Session{gate: g, tables: map[string]tempTable{}} }

// Close drops all its tables.
func (ts *Session) Close() {
	ts.mu.Lock()
	all := ts.tables
	ts.closed, ts.tables = true, nil
	ts.mu.Unlock()
	for _, t := range all {
		ts.gate.forget(t)
	}
}

// forget drops what a temporary table holds.
func (g *Gate) forget(t tempTable) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
	defer cancel()
	conn, err := g.instance.Conn(ctx)
	if err == nil {
		err = conn.Exec(ctx, "DROP TABLE IF EXISTS "+t.place())
		_ = conn.Close()
	}
	if err != nil {
		g.o.Log.Warn("temporary table not dropped", "error", err)
	}
	g.temps.gone(t)
}

func (t tempTable) place() string { return "memory.main." + duck.Ident(t.stored) }

// memory is what the Gate's statements may have, in bytes.
func (g *Gate) memory() int64 { return cmp.Or(g.o.MemoryBytes, defaultMemoryBytes) }

// defaultMemoryBytes counts for a Gate that was told no bound.
const defaultMemoryBytes = 1 << 30

func (ts *Session) drop(t sqltext.Table) (*Result, bool, error) {
	if _, there := ts.table(t); !there {
		return nil, false, nil
	}
	ts.mu.Lock()
	name := strings.ToLower(t.Name)
	gone, there := ts.tables[name]
	delete(ts.tables, name)
	ts.mu.Unlock()
	if there {
		ts.gate.forget(gone)
	}
	return Status("DROP TABLE"), true, nil
}

func tempName(t sqltext.Table) bool {
	return t.Catalog == "" && (t.Schema == "" || strings.EqualFold(t.Schema, "temp") || strings.EqualFold(t.Schema, "pg_temp"))
}

// table finds one; false also for a nil Session.
func (ts *Session) table(t sqltext.Table) (tempTable, bool) {
	if ts == nil || !tempName(t) {
		return tempTable{}, false
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	made, ok := ts.tables[strings.ToLower(t.Name)]
	return made, ok
}

// anyOf tells whether a column of one of the tables is of such a type.
func (ts *Session) anyOf(is func(typ string) bool) bool {
	if ts == nil {
		return false
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.tables {
		if slices.ContainsFunc(t.types, is) {
			return true
		}
	}
	return false
}

// temporary is a reference to one, which comes before the lake's tables of that name. The text of a view means the same to all.
func (s *session) temporary(t sqltext.Table) (sqltext.Relation, bool, error) {
	made, ok := s.temps.table(t)
	if !ok || len(s.views) > 0 {
		return sqltext.Relation{}, false, nil
	}
	if t.At != (sqltext.Moment{}) {
		return sqltext.Relation{}, true, fault.Newf(fault.Invalid, "name a table of the lake", "AT cannot be used on %s, which is a temporary table", t.Name)
	}
	return sqltext.Relation{Text: "SELECT " + duck.List(made.columns) + " FROM " + made.place(), Name: "temp." + t.Name, Columns: made.columns, Types: made.kinds}, true, nil
}

// Temporary are the temporary tables of the session that asks, in order of name. They are in no schema.
func (l *Listing) Temporary() (out []Entry) {
	ts := l.s.temps
	if ts == nil {
		return nil
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(ts.tables)) {
		t := ts.tables[name]
		e := Entry{Ident: table.Ident{Name: name}, ID: t.id}
		for i, c := range t.listed() {
			e.Columns = append(e.Columns, EntryColumn{Name: c.Name, Type: t.kinds[i], ID: i + 1, Nullable: !c.Required, Key: c.Key})
		}
		out = append(out, e)
	}
	return out
}

// TemporaryTables is how many there are, of all sessions.
func (g *Gate) TemporaryTables() int {
	g.temps.mu.Lock()
	defer g.temps.mu.Unlock()
	return g.temps.all
}
