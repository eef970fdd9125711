//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
)

// changes are the statements that a table is written to by.
var changes = []string{"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "ALTER"}

// meant finds the temporary table that a statement writes to.
func (ts *Session) meant(stmt string) (t sqltext.Table, made tempTable, ok bool) {
	verbs := sqltext.Verbs(stmt, 1)
	if ts == nil || len(verbs) == 0 || !slices.Contains(changes, verbs[0]) {
		return t, made, false
	}
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return t, made, false
	}
	in.Next()
	for slices.ContainsFunc([]string{"INTO", "FROM", "TABLE", "IF", "EXISTS", "ONLY"}, func(w string) bool { return in.Take(w) }) {
	}
	if t, err = in.Table(); err != nil {
		return t, made, false
	}
	made, ok = ts.table(t)
	return t, made, ok
}

// Writes tells whether a statement writes to a temporary table of the session.
func (ts *Session) Writes(stmt string) bool {
	_, _, ok := ts.meant(stmt)
	return ok
}

// ident is what errors call it.
func (t tempTable) ident(as sqltext.Table) table.Ident {
	return table.Ident{Namespace: "temp", Name: strings.ToLower(as.Name)}
}

// listed are its columns, without types: those are DuckDB's.
func (t tempTable) listed() []table.Column {
	out := make([]table.Column, len(t.columns))
	for i, name := range t.columns {
		out[i] = table.Column{Name: name}
		if t.declared != "" {
			out[i].Required, out[i].Key = t.required[i], t.keys[i]
		}
	}
	return out
}

// write answers what writes to one.
func (ts *Session) write(ctx context.Context, r Request, stmt, verb string, t sqltext.Table) (*Result, error) {
	switch verb {
	case "ALTER":
		hint := "make it anew: CREATE OR REPLACE TEMP TABLE " + t.Name + " AS SELECT …, which may read what it was"
		return nil, sqltext.At(fault.Newf(fault.Invalid, hint, "ALTER cannot change %s, which is a temporary table", t.Name), stmt, t.Offset)
	case "INSERT":
		in, err := sqltext.ParseInsert(stmt)
		switch {
		case err != nil:
			return nil, err
		case in.Conflict == nil:
			return ts.insert(ctx, r, in, stmt)
		}
		return ts.change(ctx, r, stmt, t, func(ctx context.Context, s *session, made tempTable) (*changing, error) {
			x := s.changingTemp(made, sqltext.Change{Table: t})
			return x, x.conflict(ctx, r, in, stmt)
		})
	}
	c, err := sqltext.ParseChange(stmt)
	if err != nil {
		return nil, err
	}
	result, err := ts.change(ctx, r, stmt, t, func(_ context.Context, s *session, made tempTable) (*changing, error) {
		return s.changingTemp(made, c), nil
	})
	if err == nil && c.Verb == "TRUNCATE" {
		return Status("TRUNCATE TABLE"), nil
	}
	return result, err
}

// within runs what writes to a table, one at a time in a session.
func (ts *Session) within(ctx context.Context, r Request, stmt string, from int, t sqltext.Table, run func(context.Context, *session, tempTable) error) error {
	return ts.gate.statement(ctx, r, stmt, from, func(ctx context.Context, s *session) error {
		return ts.alone(ctx, s, t, func(made tempTable) error { return run(ctx, s, made) })
	})
}

// alone runs what writes to a table while nothing else in the session does.
func (ts *Session) alone(ctx context.Context, s *session, t sqltext.Table, run func(tempTable) error) error {
	ts.writing.Lock()
	defer ts.writing.Unlock()
	made, ok := ts.table(t)
	if !ok {
		return s.notFound(ctx, t)
	}
	return constraint(run(made), t)
}

// insert is INSERT INTO x [(columns)] VALUES … or SELECT ….
func (ts *Session) insert(ctx context.Context, r Request, in sqltext.Insert, stmt string) (result *Result, err error) {
	err = ts.within(ctx, r, in.Text, in.Offset, in.Table, func(ctx context.Context, s *session, made tempTable) error {
		all, id := made.listed(), made.ident(in.Table)
		places, err := s.named(id, all, in.Columns, stmt)
		if err != nil {
			return err
		}
		query, err := s.answering(ctx, all, made.types, places, fewer(r, in))
		if err != nil {
			return err
		}
		from, err := s.hold(ctx, query, "", ts.gate.o.RowsMax)
		if err != nil {
			return err
		}
		if in.Returning != "" {
			if result, err = returningOf(in, stmt, id, all, made.types).answer(ctx, s, r, "SELECT * FROM "+from); err != nil {
				return err
			}
		}
		rows, err := ts.pour(ctx, s, in.Table, made, from)
		if err == nil {
			result = result.with("INSERT", rows)
		}
		return err
	})
	return result.unless(err), err
}

// pour puts held rows behind those of a table.
func (ts *Session) pour(ctx context.Context, s *session, t sqltext.Table, made tempTable, from string) (int64, error) {
	rows, bytes, err := s.size(ctx, from)
	if err != nil || rows == 0 {
		return 0, err
	}
	if err := bounded(made.rows+rows, ts.gate.o.RowsMax); err != nil {
		return 0, err
	}
	if err := ts.grow(t, rows, bytes); err != nil {
		return 0, err
	}
	if err := s.conn.Exec(ctx, "INSERT INTO "+made.place()+" SELECT * FROM "+from); err != nil {
		_ = ts.grow(t, -rows, -bytes) // which is less, and no error
		return 0, err
	}
	return rows, nil
}

// grow counts what a table gets.
func (ts *Session) grow(t sqltext.Table, rows, bytes int64) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	name := strings.ToLower(t.Name)
	made, there := ts.tables[name]
	if !there { // the session has ended meanwhile
		return fault.New(fault.Canceled, "the session has ended", "")
	}
	if err := ts.fits(bytes); err != nil {
		return err
	}
	if err := ts.gate.temps.grow(bytes, ts.gate.memory()/allTempShare); err != nil {
		return err
	}
	made.rows, made.bytes = made.rows+rows, made.bytes+bytes
	ts.tables[name] = made
	return nil
}

// changingTemp is a change of rows of a temporary table.
func (s *session) changingTemp(made tempTable, c sqltext.Change) *changing {
	return &changing{
		s: s, id: made.ident(c.Table), temp: &made, c: c, columns: made.listed(), words: made.types, types: map[int]string{},
		name: s.name("t"), path: s.name("f"), pos: s.name("r"),
	}
}

// places is the table with the places of its rows.
func (t *tempTable) places(x *changing) sqltext.Relation {
	return sqltext.Relation{
		Text: "SELECT " + duck.List(t.columns) + ", '' AS " + ident(x.path) + ", rowid AS " + ident(x.pos) + " FROM " + t.place(),
		Name: x.id.String(), Columns: append(slices.Clone(t.columns), x.path, x.pos),
	}
}

// change is UPDATE, DELETE, MERGE, TRUNCATE and INSERT … ON CONFLICT: what the table is then is made beside it, and put in its place.
func (ts *Session) change(ctx context.Context, r Request, stmt string, t sqltext.Table, work func(context.Context, *session, tempTable) (*changing, error)) (result *Result, err error) {
	err = ts.within(ctx, r, stmt, 0, t, func(ctx context.Context, s *session, made tempTable) error {
		if slices.ContainsFunc(made.columns, func(c string) bool { return strings.EqualFold(c, "rowid") }) { // before the places of rows, which DuckDB calls so
			return fault.Newf(fault.Invalid, "make it anew with another name for that column", "rows of %s, which has a column rowid, cannot be changed", t.Name)
		}
		x, err := work(ctx, s, made)
		if err != nil {
			return err
		}
		text, err := x.answer(ctx, stmt)
		if err != nil {
			return err
		}
		held, err := s.hold(ctx, text, x.heldNames(), ts.gate.o.RowsMax)
		if err != nil {
			return elsewhere(s.translate(err))
		}
		rows, err := x.counted(ctx, held)
		if err != nil {
			return err
		}
		if x.c.Returning != "" {
			if result, err = x.returning(stmt).answer(ctx, s, r, x.returnable(held)); err != nil {
				return err
			}
		}
		result = result.with(x.verb(), rows)
		if rows == 0 {
			return nil
		}
		return ts.remake(ctx, s, t, made, "SELECT t.* FROM "+made.place()+" t ANTI JOIN (SELECT n FROM "+held+" WHERE a & 1 <> 0) g ON t.rowid = g.n"+
			" UNION ALL SELECT * EXCLUDE (p, n, a) FROM "+held+" WHERE a & 2 <> 0")
	})
	return result.unless(err), err
}

// counted is how many rows a change is of.
func (x *changing) counted(ctx context.Context, held string) (rows int64, err error) {
	var went, places, again int64
	err = x.s.conn.QueryRowContext(ctx, "SELECT count(*), count(n) FILTER (a & 1 <> 0), count(DISTINCT n) FILTER (a & 1 <> 0), count(*) FILTER (a & 4 <> 0) FROM "+held).Scan(&rows, &went, &places, &again)
	switch {
	case err != nil:
		return 0, err
	case again > 0:
		return 0, errAgain()
	case rows > x.s.gate.o.RowsMax:
		return 0, bounded(rows, x.s.gate.o.RowsMax)
	case went > places && x.c.Verb != "DELETE":
		return 0, errTwice(x.id)
	}
	return rows - (went - places), nil
}

// remake puts what a query answers in the place of a table, with what was declared of it.
func (ts *Session) remake(ctx context.Context, s *session, t sqltext.Table, made tempTable, query string) (err error) {
	made.stored = s.name("x")
	_ = ts.gate.temps.add(made.user, true) // which is in place of one, and no error
	made.bytes = 0
	defer func() {
		if err != nil {
			ts.gate.forget(made)
		}
	}()
	if made.declared == "" {
		err = s.conn.Exec(ctx, "CREATE TABLE "+made.place()+" AS "+query)
	} else if err = s.conn.Exec(ctx, "CREATE TABLE "+made.place()+" ("+made.declared+")"); err == nil {
		err = s.conn.Exec(ctx, "INSERT INTO "+made.place()+" "+query)
	}
	if err != nil {
		return err
	}
	return ts.put(ctx, s, t, &made, ts.gate.o.RowsMax)
}

// tempTarget is where an Appender's rows go.
type tempTarget struct {
	session *Session
	table   sqltext.Table
}

// append holds rows as they come, and then puts them behind those of the table at once.
func (to *tempTarget) append(ctx context.Context, s *session, a *Appender, rows iter.Seq2[arrow.RecordBatch, error]) (n int64, err error) {
	held := ""
	for b, err := range rows {
		if err != nil {
			return 0, err
		}
		if n += b.NumRows(); n > a.gate.o.RowsMax {
			return 0, bounded(n, a.gate.o.RowsMax)
		}
		given, err := s.loadRows(ctx, b.Schema(), b)
		if err != nil {
			return 0, err
		}
		query := "SELECT " + a.items() + " FROM " + given
		if held == "" {
			held, err = s.hold(ctx, query, "", a.gate.o.RowsMax)
		} else {
			err = s.conn.Exec(ctx, "INSERT INTO "+held+" "+query)
		}
		if err != nil {
			return 0, s.translate(err)
		}
	}
	if held == "" {
		return 0, nil
	}
	return n, to.session.alone(ctx, s, to.table, func(made tempTable) error {
		_, err := to.session.pour(ctx, s, to.table, made, held)
		return err
	})
}

// Commit ends a transaction of the door: what ON COMMIT says of a table is done.
func (ts *Session) Commit() {
	ts.writing.Lock()
	defer ts.writing.Unlock()
	ts.mu.Lock()
	of := map[string]tempTable{}
	for name, t := range ts.tables {
		if t.onCommit == "DROP" || t.onCommit != "" && t.rows > 0 {
			of[name] = t
		}
	}
	ts.mu.Unlock()
	for name, t := range of {
		if t.onCommit == "DROP" {
			_, _, _ = ts.drop(sqltext.Table{Name: name}) // which is there
			continue
		}
		if err := ts.empty(name, t); err != nil {
			ts.gate.o.Log.Warn("temporary table not emptied", "error", err)
		}
	}
}

// empty takes all rows out of a table.
func (ts *Session) empty(name string, t tempTable) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
	defer cancel()
	conn, err := ts.gate.instance.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	of := "AS SELECT * FROM " + t.place() + " LIMIT 0"
	if t.declared != "" {
		of = "(" + t.declared + ")"
	}
	if err := conn.Exec(ctx, "CREATE OR REPLACE TABLE "+t.place()+" "+of); err != nil {
		return err
	}
	return ts.grow(sqltext.Table{Name: name}, -t.rows, -t.bytes)
}

var (
	nullRefused = regexp.MustCompile(`NOT NULL constraint failed: [^.]+\.(.+)`)
	keyRefused  = regexp.MustCompile(`[Dd]uplicate key "(.*?)"`)
)

// constraint says in the words of the lake what DuckDB says of a row that a table cannot have, where it names what nobody is to know.
func constraint(err error, t sqltext.Table) error {
	if _, told := errors.AsType[*fault.Error](err); told || err == nil || !strings.Contains(err.Error(), "Constraint Error") {
		return err
	}
	if m := nullRefused.FindStringSubmatch(err.Error()); m != nil {
		return fault.Newf(fault.Invalid, "give every row a value of that column", "null in column %q of temp.%s, which is required", m[1], strings.ToLower(t.Name))
	}
	if m := keyRefused.FindStringSubmatch(err.Error()); m != nil {
		return fault.Newf(fault.Invalid, "take another key, or INSERT … ON CONFLICT", "the key (%s) is in temp.%s already", m[1], strings.ToLower(t.Name))
	}
	return err
}
