//go:build duckdb_arrow

package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// own answers a statement about temporary tables; false for any other.
func (ts *Session) own(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	verbs := sqltext.Verbs(stmt, 4)
	if ts == nil || len(verbs) == 0 {
		return nil, false, nil
	}
	if t, _, ok := ts.meant(stmt); ok {
		result, err := ts.write(ctx, r, stmt, verbs[0], t)
		return result, true, err
	}
	switch {
	case verbs[0] == "DROP" && slices.Contains(verbs, "TABLE"):
		in, err := sqltext.NewReader(stmt)
		if err != nil {
			return nil, true, err
		}
		in.Take("DROP", "TABLE")
		in.Take("IF", "EXISTS")
		t, err := in.Table()
		if !in.Take("CASCADE") {
			in.Take("RESTRICT")
		}
		if err != nil || in.Done() != nil {
			return nil, false, nil //nolint:nilerr // the other DROP TABLE tells
		}
		return ts.drop(t)
	case verbs[0] == "CREATE" && slices.ContainsFunc(verbs, func(v string) bool { return v == "TEMP" || v == "TEMPORARY" }) && !slices.Contains(verbs, "VIEW"):
		result, err := ts.make(ctx, r, stmt)
		return result, true, err
	}
	return nil, false, nil
}

// make is CREATE TEMP TABLE.
func (ts *Session) make(ctx context.Context, r Request, stmt string) (*Result, error) {
	m, err := sqltext.ParseMaking(stmt, r.Dialect != nil)
	if err != nil {
		return nil, err
	}
	t := m.Table
	if !tempName(t) {
		return nil, sqltext.At(fault.New(fault.Invalid, "a temporary table is in no schema", "leave the schema out"), stmt, t.Offset)
	}
	if _, there := ts.table(t); there && !m.Replace {
		if m.IfNotExists {
			return Status("CREATE TABLE"), nil
		}
		return nil, sqltext.At(fault.Newf(fault.Exists, "write CREATE OR REPLACE TEMP TABLE, or another name", "there is a temporary table %s", t.Name), stmt, t.Offset)
	}
	var made tempTable
	err = ts.gate.statement(ctx, r, stmt, m.Offset, func(ctx context.Context, s *session) error {
		ts.writing.Lock()
		defer ts.writing.Unlock()
		made, err = ts.create(ctx, s, r, m)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case m.Body == "" || m.Like:
		return Status("CREATE TABLE"), nil
	}
	return Changed("CREATE TABLE", made.rows), nil
}

// create makes a table of what is declared, or of what a query answers, which passes the Gate as any does.
func (ts *Session) create(ctx context.Context, s *session, r Request, m sqltext.Making) (made tempTable, err error) {
	g := ts.gate
	made = tempTable{stored: s.name("x"), user: r.Principal.User, onCommit: m.OnCommit}
	made.id = made.stored
	if err := g.temps.add(made.user, false); err != nil {
		return made, err
	}
	defer func() {
		if err != nil {
			g.forget(made)
		}
	}()
	if m.Body == "" {
		made.declare(m.Columns)
		for i, c := range m.Columns {
			made.kinds = append(made.kinds, s.owned(made.types[i], c.Said))
		}
		err = s.conn.Exec(ctx, "CREATE TABLE "+made.place()+" ("+made.declared+")")
	} else {
		var query string
		var kinds []string
		if query, kinds, err = s.madeOf(ctx, m); err == nil {
			err = s.conn.Exec(ctx, "CREATE TABLE "+made.place()+" AS "+query+" LIMIT "+strconv.FormatInt(r.RowsMax+1, 10))
		}
		if err == nil {
			err = s.columnsOfMade(ctx, &made, kinds)
		}
	}
	if err == nil {
		err = ts.put(ctx, s, m.Table, &made, r.RowsMax)
	}
	return made, err
}

// madeOf is the query that a table is made of, and which of its columns are of types of the dialect.
func (s *session) madeOf(ctx context.Context, m sqltext.Making) (query string, kinds []string, _ error) {
	s.source = s.source[:m.Offset+len(m.Body)]
	if m.Like {
		const all = "SELECT * FROM "
		s.source = s.source[:m.Offset-len(all)] + all + s.source[m.Offset:] // behind CREATE TEMP TABLE there is room
	}
	out, err := s.rewrite(ctx, s.source, 0)
	if err != nil {
		return "", nil, err
	}
	query = "SELECT * FROM (" + out.Text + ")"
	if len(m.Columns) > 0 {
		columns, err := s.describe(ctx, out.Text)
		if err != nil {
			return "", nil, err
		}
		if len(m.Columns) > len(columns) {
			return "", nil, fault.Newf(fault.Invalid, "name as many", "there are %d names for %d columns", len(m.Columns), len(columns))
		}
		names := make([]string, len(columns))
		for i, c := range columns {
			if names[i] = c.name; i < len(m.Columns) {
				names[i] = m.Columns[i].Name
			}
		}
		query += " q(" + duck.List(names) + ")"
	}
	if m.Empty {
		query = "SELECT * FROM (" + query + " LIMIT 0)"
	}
	return query, out.Kinds, nil
}

// declare takes the columns of a CREATE TABLE.
func (t *tempTable) declare(columns []sqltext.MadeColumn) {
	var items, keys []string
	for _, c := range columns {
		t.columns, t.types = append(t.columns, c.Name), append(t.types, c.Type)
		t.required, t.keys = append(t.required, c.Required), append(t.keys, c.Key)
		item := ident(c.Name) + " " + c.Type
		if c.Required {
			item += " NOT NULL"
		}
		if items = append(items, item); c.Key {
			keys = append(keys, c.Name)
		}
	}
	if len(keys) > 0 {
		items = append(items, "PRIMARY KEY ("+duck.List(keys)+")")
	}
	t.declared = strings.Join(items, ", ")
}

// columnsOfMade asks for the columns of a table that a query made, of which kinds are types of the dialect.
func (s *session) columnsOfMade(ctx context.Context, made *tempTable, kinds []string) error {
	columns, err := s.describe(ctx, "SELECT * FROM "+made.place())
	if err != nil {
		return err
	}
	for i, c := range columns {
		if err := sqltext.Answerable(c.typ); err != nil {
			return err
		}
		kind := ""
		if len(kinds) == len(columns) {
			kind = kinds[i]
		}
		made.kinds = append(made.kinds, s.owned(c.typ, kind))
		made.columns, made.types = append(made.columns, c.name), append(made.types, c.typ)
	}
	return nil
}

// put measures a table and puts it under its name, in place of another.
func (ts *Session) put(ctx context.Context, s *session, t sqltext.Table, made *tempTable, rowsMax int64) (err error) {
	if made.rows, made.bytes, err = s.size(ctx, made.place()); err != nil {
		return err
	}
	bytes := made.bytes
	made.bytes = 0 // until they are counted
	if err := bounded(made.rows, rowsMax); err != nil {
		return err
	}
	if err := ts.gate.temps.grow(bytes, ts.gate.memory()/allTempShare); err != nil {
		return err
	}
	made.bytes = bytes
	return ts.keep(t, *made)
}

func bounded(rows, most int64) error {
	if rows > most {
		return fault.Newf(fault.TooLarge, "add a LIMIT, aggregate, or raise sql.result_rows_max", "the table has more than %d rows", most)
	}
	return nil
}

// size reads a temporary table for its rows and the bytes of its values.
func (s *session) size(ctx context.Context, place string) (rows, bytes int64, _ error) {
	in, err := s.conn.Arrow(ctx, "SELECT * FROM "+place)
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

// keep puts a table under its name, in place of another.
func (ts *Session) keep(t sqltext.Table, made tempTable) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	name := strings.ToLower(t.Name)
	before, there := ts.tables[name]
	switch {
	case ts.closed:
		return fault.New(fault.Canceled, "the session has ended", "")
	case !there && len(ts.tables) >= tempTablesMax:
		return fault.Newf(fault.TooLarge, "drop some", "there are %d temporary tables in this session already", tempTablesMax)
	}
	if err := ts.fits(made.bytes - before.bytes); err != nil {
		return err
	}
	ts.tables[name] = made
	if there {
		ts.gate.forget(before) // who reads it reads it to its end
	}
	return nil
}

// fits refuses more bytes than the tables of a session may have. The caller holds mu.
func (ts *Session) fits(bytes int64) error {
	most := ts.gate.memory() / tempShare
	more := bytes > 0
	for _, t := range ts.tables {
		bytes += t.bytes
	}
	if more && bytes > most {
		return fault.Newf(fault.TooLarge, "drop some, or take fewer rows and columns", "the temporary tables of this session have more than %d MiB", most>>20)
	}
	return nil
}
