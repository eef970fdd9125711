//go:build duckdb_arrow

package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
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

// add counts one more of a user.
func (u *tempUse) add(user string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
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

	mu     sync.Mutex
	closed bool
	tables map[string]tempTable // by name, lower case
}

// tempTable is one of them.
type tempTable struct {
	stored         string // its name in DuckDB, which nobody can guess
	columns, types []string
	user           string
	bytes          int64 // of its values
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

// own answers a statement about temporary tables; false for any other.
func (ts *Session) own(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	verbs := sqltext.Verbs(stmt, 1)
	if ts == nil || len(verbs) == 0 || verbs[0] != "CREATE" && verbs[0] != "DROP" && !slices.Contains(changes, verbs[0]) {
		return nil, false, nil
	}
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, true, err
	}
	if slices.Contains(changes, verbs[0]) {
		err := ts.changed(in, stmt)
		return nil, err != nil, err
	}
	if in.Take("DROP", "TABLE") {
		in.Take("IF", "EXISTS")
		t, err := in.Table()
		if err != nil || in.Done() != nil {
			return nil, false, nil //nolint:nilerr // the other DROP TABLE tells
		}
		return ts.drop(t)
	}
	in.Take("CREATE")
	replace := in.Take("OR", "REPLACE")
	if !in.Take("TEMP", "TABLE") && !in.Take("TEMPORARY", "TABLE") {
		return nil, false, nil
	}
	quiet := in.Take("IF", "NOT", "EXISTS")
	t, err := in.Table()
	if err == nil && !in.Take("AS") {
		err = in.Fault("AS and a query")
	}
	if err == nil && !tempName(t) {
		err = sqltext.At(fault.New(fault.Invalid, "a temporary table is in no schema", "leave the schema out"), stmt, t.Offset)
	}
	if err == nil && !replace {
		if _, there := ts.table(t); there && quiet {
			return Status("CREATE TABLE"), true, nil
		} else if there {
			err = sqltext.At(fault.Newf(fault.Exists, "write CREATE OR REPLACE TEMP TABLE, or another name", "there is a temporary table %s", t.Name), stmt, t.Offset)
		}
	}
	if err != nil {
		return nil, true, err
	}
	result, err := ts.create(ctx, r, stmt, t, in.Offset())
	return result, true, err
}

// changes are what a temporary table is not taken by.
var changes = []string{"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "ALTER"}

// changed refuses to change a temporary table: the lake's of that name, which would be meant otherwise, is another.
func (ts *Session) changed(in *sqltext.Reader, stmt string) error {
	verb := strings.ToUpper(in.Next().Text)
	for slices.ContainsFunc([]string{"OR", "REPLACE", "IGNORE", "INTO", "FROM", "TABLE", "IF", "EXISTS", "ONLY"}, func(w string) bool { return in.Take(w) }) {
	}
	t, err := in.Table()
	if err != nil {
		return nil //nolint:nilerr // who answers the statement tells
	}
	if err := ts.unchanged(verb, t); err != nil {
		return sqltext.At(err, stmt, t.Offset)
	}
	return nil
}

// unchanged refuses a table for what a temporary one is not taken by.
func (ts *Session) unchanged(verb string, t sqltext.Table) *fault.Error {
	if _, there := ts.table(t); !there {
		return nil
	}
	hint := "make it anew: CREATE OR REPLACE TEMP TABLE " + t.Name + " AS SELECT …, which may read what it was"
	return fault.Newf(fault.Invalid, hint, "%s cannot change %s, which is a temporary table", verb, t.Name)
}

// create makes a table of what a query answers, which passes the Gate as any does.
func (ts *Session) create(ctx context.Context, r Request, stmt string, t sqltext.Table, from int) (_ *Result, err error) {
	g := ts.gate
	leave, err := g.enter(ctx, g.queries, r.Principal.User)
	if err != nil {
		return nil, err
	}
	defer leave()
	r.turn = true
	made := tempTable{user: r.Principal.User}
	if err := g.temps.add(made.user); err != nil {
		return nil, err
	}
	s, err := g.open(ctx, r.Principal, blanked(stmt, from))
	if err != nil {
		g.temps.gone(made)
		return nil, err
	}
	defer s.close()
	s.speak(r)
	made.stored = s.name("x")
	defer func() {
		if err != nil {
			err = s.translate(err)
			g.forget(made)
		}
	}()
	out, err := s.rewrite(ctx, s.source, r.RowsMax+1)
	if err != nil {
		return nil, err
	}
	err = s.conn.Exec(ctx, "CREATE TABLE "+made.place()+" AS SELECT * FROM ("+out.Text+") LIMIT "+strconv.FormatInt(r.RowsMax+1, 10))
	if err != nil {
		return nil, err
	}
	columns, err := s.describe(ctx, "SELECT * FROM "+made.place())
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		if err := sqltext.Answerable(c.typ); err != nil {
			return nil, err
		}
		made.columns, made.types = append(made.columns, c.name), append(made.types, c.typ)
	}
	rows, bytes, err := s.size(ctx, made)
	if err != nil {
		return nil, err
	}
	if rows > r.RowsMax {
		return nil, fault.Newf(fault.TooLarge, "add a LIMIT, aggregate, or raise sql.result_rows_max", "the table has more than %d rows", r.RowsMax)
	}
	if err := g.temps.grow(bytes, g.memory()/allTempShare); err != nil {
		return nil, err
	}
	made.bytes = bytes
	return Status("CREATE TABLE"), ts.keep(t, made)
}

// size reads a temporary table for its rows and the bytes of its values.
func (s *session) size(ctx context.Context, t tempTable) (rows, bytes int64, _ error) {
	in, err := s.conn.Arrow(ctx, "SELECT * FROM "+t.place())
	if err != nil {
		return 0, 0, err
	}
	defer in.Release()
	for in.Next() {
		b := in.RecordBatch()
		rows, bytes = rows+b.NumRows(), bytes+duck.Bytes(b)
	}
	return rows, bytes, in.Err()
}

// memory is what the Gate's statements may have, in bytes.
func (g *Gate) memory() int64 { return cmp.Or(g.o.MemoryBytes, defaultMemoryBytes) }

// defaultMemoryBytes counts for a Gate that was told no bound.
const defaultMemoryBytes = 1 << 30

// keep puts a table under its name, in place of another.
func (ts *Session) keep(t sqltext.Table, made tempTable) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	name := strings.ToLower(t.Name)
	before, there := ts.tables[name]
	bytes, most := made.bytes-before.bytes, ts.gate.memory()/tempShare
	for _, t := range ts.tables {
		bytes += t.bytes
	}
	switch {
	case ts.closed:
		return fault.New(fault.Canceled, "the session has ended", "")
	case !there && len(ts.tables) >= tempTablesMax:
		return fault.Newf(fault.TooLarge, "drop some", "there are %d temporary tables in this session already", tempTablesMax)
	case bytes > most:
		return fault.Newf(fault.TooLarge, "drop some, or take fewer rows and columns", "the temporary tables of this session have more than %d MiB", most>>20)
	}
	ts.tables[name] = made
	if there {
		ts.gate.forget(before)
	}
	return nil
}

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
	return sqltext.Relation{Text: "SELECT " + duck.List(made.columns) + " FROM " + made.place(), Name: "temp." + t.Name, Columns: made.columns, Types: made.types}, true, nil
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
		e := Entry{Ident: table.Ident{Name: name}, ID: t.stored}
		for i, c := range t.columns {
			e.Columns = append(e.Columns, EntryColumn{Name: c, Type: t.types[i], ID: i + 1, Nullable: true})
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
