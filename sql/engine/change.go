//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// changesMax is how often a statement is worked out that upkeep has overtaken.
const changesMax = 5

// change is DELETE, UPDATE, MERGE and TRUNCATE of a table of statements: a query answers the places of the rows that go and the rows that
// come, and both are one commit, which is refused where the table is not as the query saw it.
func (g *Gate) change(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	c, err := sqltext.ParseChange(stmt)
	if err != nil {
		return nil, true, err
	}
	result, err := g.changes(ctx, r, stmt, c.Table, func(_ context.Context, s *session, t table.Table) (*changing, error) { return s.changing(t, c), nil })
	switch {
	case err != nil:
		return nil, true, err
	case c.Verb == "TRUNCATE":
		return Status("TRUNCATE TABLE"), true, nil
	}
	return result, true, nil
}

// changes runs what changes rows of a table, again where upkeep has overtaken it.
func (g *Gate) changes(ctx context.Context, r Request, stmt string, of sqltext.Table, work func(context.Context, *session, table.Table) (*changing, error)) (result *Result, err error) {
	for attempt := 1; ; attempt++ {
		err = g.statement(ctx, r, stmt, 0, func(ctx context.Context, s *session) error {
			t, err := s.changeable(ctx, r, of)
			if err != nil {
				return placed(err, stmt, of.Offset)
			}
			leave, err := g.changing.take(ctx, t.ID())
			if err != nil {
				return err
			}
			defer leave()
			x, err := work(ctx, s, t)
			if err != nil {
				return err
			}
			result, err = x.change(ctx, r, stmt)
			return err
		})
		if !errors.Is(err, table.ErrConflict) || attempt == changesMax {
			return result, err
		}
	}
}

// changing is a change on its way: what its query tells, besides the columns of the table.
type changing struct {
	s       *session
	id      table.Ident // of the table
	table   table.Table // nil for a temporary one
	temp    *tempTable  // in its place
	c       sqltext.Change
	columns []table.Column
	words   []string // their types in DuckDB's words; "" for one that Tarn does not write
	read    func(context.Context) (*catalog.Scan, guard.Decision, error)
	// What the query calls the table, and the path and position of a row: no statement can mean them, and no column has them. plain tells
	// that the table stands there as a scan of its files, of which those two are hidden columns: a whole row has them not.
	name, path, pos string
	plain           bool
	deletes         string // what the query calls the positions that are gone, "" where none are
	gone            map[string]*roaring.Bitmap
	rows            int64
	came            int64          // new rows
	types           map[int]string // of parameters, from 1, that are a value by themselves
	insert          bool           // it is an INSERT
	order           string         // of whose rows; "" for any
}

func (s *session) changing(t table.Table, c sqltext.Change) *changing {
	x := &changing{
		s: s, id: t.Ident(), table: t, c: c, columns: t.Columns(), gone: map[string]*roaring.Bitmap{}, types: map[int]string{},
		name: s.name("t"), path: s.name("f"), pos: s.name("r"),
	}
	x.words, _ = wordsOf(x.columns)
	return x
}

// verb is that of the statement.
func (x *changing) verb() string {
	if x.insert {
		return "INSERT"
	}
	return x.c.Verb
}

// change commits what the query tells. The rows that RETURNING asks for are there before that.
func (x *changing) change(ctx context.Context, r Request, stmt string) (result *Result, err error) {
	s, c, t := x.s, x.c, x.table
	scan, err := s.scan(ctx, t.Ident(), catalog.At{})
	if err != nil {
		return nil, err
	}
	if scan.TableID != t.ID() {
		return nil, fault.Wrap(table.ErrConflict, fault.Conflict, t.Ident().String()+" is another table by now", "send the statement again")
	}
	d := s.may(guard.Read, t.Ident(), scan.TableID)
	if !d.Allow || len(d.Masks) > 0 {
		return nil, fault.Newf(fault.Denied, "ask for a grant", "you may not change rows of %s, of which you may not read all columns", t.Ident())
	}
	if x.insert && d.Filter != "" {
		return nil, fault.Newf(fault.Denied, "ask for a grant", "ON CONFLICT cannot be used on %s, of which you may not read all rows: one of the key may be there", t.Ident())
	}
	defer func() { result = result.unless(err) }()
	change := table.Change{Of: &scan.SnapshotID, Owner: Owner}
	if c.Verb == "TRUNCATE" && d.Filter == "" {
		for _, f := range scan.Files {
			all := roaring.New()
			all.AddRange(0, uint64(f.Rows)) //nolint:gosec // not negative
			x.gone[f.Path] = all
		}
	} else {
		var files table.Written
		if files, result, err = x.run(ctx, r, scan, d, stmt); err != nil {
			return result, err
		}
		defer files.Discard()
		change.Written = []table.Written{files}
	}
	if change.Gone = x.gone; len(x.gone) > 0 || x.came > 0 {
		_, err = t.Commit(ctx, change)
	}
	return result.with(x.verb(), x.rows), err
}

// run answers the query: it notes the places, and writes the rows that come.
func (x *changing) run(ctx context.Context, r Request, scan *catalog.Scan, d guard.Decision, stmt string) (files table.Written, result *Result, err error) {
	if x.plain = x.scannable(scan, d, stmt); x.plain {
		x.path, x.pos = "filename", "file_row_number"
		if len(scan.Deletes) > 0 {
			x.deletes = x.s.name("d")
		}
	}
	x.read = func(context.Context) (*catalog.Scan, guard.Decision, error) { return scan, d, nil }
	text, err := x.answer(ctx, stmt)
	if err != nil {
		return nil, nil, err
	}
	if x.c.Returning != "" {
		held, err := x.s.holdReturning(ctx, text, x.heldNames())
		if err != nil {
			return nil, nil, elsewhere(x.s.translate(err))
		}
		if result, err = x.returning(stmt).answer(ctx, x.s, r, x.returnable(held)); err != nil {
			return nil, nil, err
		}
		text = "SELECT * FROM " + held
	}
	reader, err := x.s.conn.Stream(ctx, text)
	if err != nil {
		return nil, result, elsewhere(err)
	}
	defer reader.Release()
	schema := table.ArrowSchema(x.columns)
	files, err = x.table.Write(ctx, x.s.each(reader, func(b arrow.RecordBatch) (arrow.RecordBatch, error) { return x.take(ctx, b, schema) }))
	return files, result, err
}

// answer is the query in DuckDB's words: path, position, what becomes of the row, and the columns of the table.
func (x *changing) answer(ctx context.Context, stmt string) (string, error) {
	text, rows, err := x.query(stmt)
	if err != nil {
		return "", err
	}
	s := x.s
	source := s.source
	defer func() { s.source = source }()
	s.source = stmt // in which the names of errors are found
	s.changes = x
	out, err := s.rewrite(ctx, text, 0)
	if err != nil {
		return "", elsewhere(err)
	}
	names, places := "(p, n, a)", []int(nil)
	if rows {
		names, places = x.heldNames(), every(len(x.columns))
	}
	items := append([]string{"q.p", "q.n", "q.a"}, castItems(namesOfColumns(x.columns), x.words, nil, places, "q.")...)
	return "SELECT " + strings.Join(items, ", ") + " FROM (" + out.Text + ") q" + names, nil
}

// elsewhere is an error of a text that is not the statement: its place means nothing there.
func elsewhere(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	told := *f
	told.Line, told.Column = 0, 0
	return &told
}

// What the query says of a row.
const (
	before  = 3 // columns before those of the new row
	goes    = 1 // the row of the table goes
	comes   = 2 // a row comes
	twice   = 4 // that row is given another time
	becomes = goes | comes
)

// query is what tells the changes: path and position of the row, what becomes of it, and the columns of the new one, if
// any row comes.
func (x *changing) query(stmt string) (text string, rows bool, err error) {
	c, name := x.c, x.called()
	own := func(column string) string { return name + "." + ident(column) }
	var cases strings.Builder
	var values []string
	for _, arm := range c.Arms {
		when, what := "true", 0
		if c.Verb == "MERGE" {
			when = own(x.pos) + " IS NOT NULL"
			if !arm.Matched {
				when, arm = own(x.pos)+" IS NULL", x.sourced(arm)
			}
		}
		if arm.And != "" {
			when += " AND (" + arm.And + ")"
		}
		set, err := x.values(arm, stmt, own)
		if err != nil {
			return "", false, err
		}
		switch arm.Do {
		case "DELETE":
			what, rows = goes, rows || c.Returning != ""
		case "TWICE":
			what = twice
		case "UPDATE":
			what, rows = becomes, true
		case "INSERT":
			what, rows = comes, true
		}
		values = append([]string{strconv.Itoa(what)}, set...)
		cases.WriteString(" WHEN " + when + " THEN {" + fields(values) + "}")
	}
	if !rows {
		values = values[:1]
	}
	of := ident(x.name) + " AS " + name
	if x.deletes != "" {
		gone := ident(x.deletes)
		of = "(" + of + " ANTI JOIN " + gone + " ON " + own(x.path) + " = " + gone + ".path AND " + own(x.pos) + " = " + gone + ".pos)"
	}
	if c.Verb == "MERGE" {
		return x.merging(of, cases.String(), len(values)), rows, nil
	}
	text = "SELECT " + strings.Join(append([]string{own(x.path), own(x.pos)}, values...), ", ") + " FROM " + of
	if c.From != "" {
		text += ", " + c.From
	}
	if c.Where != "" {
		text += " WHERE (" + c.Where + ")"
	}
	return text, rows, nil
}

// values are those of all columns of the row that an arm makes.
func (x *changing) values(arm sqltext.Arm, stmt string, own func(string) string) ([]string, error) {
	for _, v := range arm.Values {
		all, _ := sqltext.Lex(v)
		for i := range all {
			if all[i].Is("COLUMNS") && i+1 < len(all) && all[i+1].Is("(") {
				return nil, fault.New(fault.Invalid, "COLUMNS is several values, where one is to be", "name the column")
			}
		}
	}
	out := make([]string, len(x.columns))
	for i, c := range x.columns {
		typ := x.words[i]
		if typ == "" {
			return nil, fault.Newf(fault.Invalid, "change it with another engine", "column %s has type %s, which Tarn does not write", c.Name, c.Type)
		}
		out[i] = "CAST(NULL AS " + typ + ")"
		if arm.Do == "UPDATE" || arm.Do == "DELETE" && x.c.Returning != "" {
			out[i] = own(c.Name)
		}
		if arm.Do == "INSERT" && c.Default != "" {
			out[i] = "CAST(" + c.Default + " AS " + typ + ")"
		}
		if arm.Do == "INSERT" && len(arm.Columns) == 0 {
			if len(arm.Values) != len(x.columns) {
				return nil, fault.Newf(fault.Invalid, "give each column a value, or name those that have one", "there are %d values for %d columns", len(arm.Values), len(x.columns))
			}
			out[i] = x.given(arm, i, i)
			x.lone(arm.Values[i], typ)
		}
	}
	seen := map[int]bool{}
	for n, t := range arm.Columns {
		i, err := columnOf(x.id, x.columns, t.Name())
		if err != nil {
			return nil, placed(err, stmt, t.Offset)
		}
		if seen[i] {
			return nil, sqltext.At(fault.Newf(fault.Invalid, "name it once", "the column %s is there twice", t.Name()), stmt, t.Offset)
		}
		seen[i] = true
		out[i] = x.given(arm, n, i)
		x.lone(arm.Values[n], x.words[i])
	}
	return out, nil
}

// given is value n of an arm for a column.
func (x *changing) given(arm sqltext.Arm, n, column int) string {
	value := "(" + arm.Values[n] + ")"
	if of := x.columns[column].Default; of != "" && slices.Contains(arm.Default, n) {
		value = of
	}
	return "CAST(" + value + " AS " + x.words[column] + ")"
}

// lone notes the type of a parameter that is a value by itself.
func (x *changing) lone(value, typ string) {
	if n, err := strconv.Atoi(strings.TrimPrefix(value, "$")); err == nil && strings.HasPrefix(value, "$") && x.types[n] == "" {
		x.types[n] = typ
	}
}

func errTwice(id table.Ident) error {
	return fault.Newf(fault.Invalid, "join by what is there once, such as a key", "a row of %s would be changed twice", id)
}

// take notes the places of a batch, and answers the rows that come; nil for none.
func (x *changing) take(ctx context.Context, b arrow.RecordBatch, schema *arrow.Schema) (arrow.RecordBatch, error) {
	paths, ok := b.Column(0).(*array.String)
	positions, ok2 := b.Column(1).(*array.Int64)
	actions, ok3 := b.Column(2).(*array.Int32)
	if !ok || !ok2 || !ok3 {
		return nil, fmt.Errorf("columns are %s", b.Schema())
	}
	n, come := int(b.NumRows()), 0
	for i := range n {
		action := actions.Value(i)
		if action&twice != 0 {
			return nil, errAgain()
		}
		if action&comes != 0 {
			come++
		}
		if action&goes == 0 {
			continue
		}
		if paths.IsNull(i) || positions.IsNull(i) {
			return nil, fault.Newf(fault.Internal, "this is a defect of Tarn: please report it", "a row of %s would be changed whose place is not known", x.id)
		}
		gone := x.gone[paths.Value(i)]
		if gone == nil {
			gone = roaring.New()
			x.gone[strings.Clone(paths.Value(i))] = gone
		}
		fresh := gone.CheckedAdd(uint32(positions.Value(i))) //nolint:gosec // the lake refuses larger files
		if !fresh && x.c.Verb != "DELETE" {
			return nil, errTwice(x.id)
		}
		if !fresh {
			n--
		}
	}
	x.rows += int64(n)
	x.came += int64(come)
	if come == 0 {
		return nil, nil
	}
	rows := array.NewRecordBatch(arrow.NewSchema(b.Schema().Fields()[before:], nil), b.Columns()[before:], b.NumRows())
	defer rows.Release()
	if come == int(b.NumRows()) {
		return conform(rows, schema)
	}
	mask := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer mask.Release()
	for i := range actions.Len() {
		mask.Append(actions.Value(i)&comes != 0)
	}
	keep := mask.NewArray()
	defer keep.Release()
	some, err := compute.FilterRecordBatch(ctx, rows, keep, compute.DefaultFilterOptions())
	if err != nil {
		return nil, err
	}
	defer some.Release()
	return conform(some, schema)
}
