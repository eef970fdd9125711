//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// Owner is the table.PropOwner of tables whose rows come by statements, and who commits them: a table that another has come to
// own since writable saw it is refused.
const Owner = "statements"

// layers are schemas in which no statement makes a table: what is in them is made of topics, or is Tarn's own.
var layers = []string{"bronze", "silver", systemSchema, informationSchema}

// home is the schema of a new table whose name has none, where none of those that are searched can have it.
const home = "gold"

// writes answers a statement that makes or changes tables of the lake by itself; false for any other, such as an INSERT that
// makes a pipeline.
func (g *Gate) writes(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	verbs := sqltext.Verbs(stmt, 4)
	if g.o.Tables == nil || len(verbs) == 0 {
		return nil, false, nil
	}
	said := strings.Join(verbs, " ") + " "
	for _, w := range []struct {
		head string
		run  func(*Gate, context.Context, Request, string) (*Result, bool, error)
	}{
		{"INSERT ", (*Gate).insert},
		{"CREATE TABLE ", (*Gate).createTable},
		{"CREATE OR REPLACE TABLE ", (*Gate).createTable},
		{"CREATE UNLOGGED TABLE ", (*Gate).createTable},
		{"DELETE FROM ", (*Gate).change},
		{"UPDATE ", (*Gate).change},
		{"MERGE INTO ", (*Gate).change},
		{"TRUNCATE ", (*Gate).change},
		{"ALTER TABLE ", (*Gate).alter},
		{"ALTER VIEW ", (*Gate).alter},
		{"COMMENT ", (*Gate).comment},
		{"CREATE SCHEMA ", (*Gate).createSchema},
		{"DROP SCHEMA ", (*Gate).dropSchema},
	} {
		if strings.HasPrefix(said, w.head) {
			return w.run(g, ctx, r, stmt)
		}
	}
	return nil, false, nil
}

// target finds what a name means that is written to; found is false where there is nothing of it, and id is then where it would be made.
func (s *session) target(ctx context.Context, r Request, t sqltext.Table) (id table.Ident, e catalog.Entry, found bool, err error) {
	if t.Catalog != "" && !strings.EqualFold(t.Catalog, catalog.Name) {
		return id, e, false, fault.Newf(fault.NotFound, "the catalog is "+catalog.Name, "there is no catalog %s", t.Catalog)
	}
	schemas := []string{strings.ToLower(t.Schema)}
	if t.Schema == "" {
		schemas = s.gate.o.Schemas
		if r.Schemas != nil {
			schemas = r.Schemas
		}
		schemas = searched(schemas)
	}
	for _, schema := range schemas {
		if e, found, err = s.gate.entry(ctx, table.Ident{Namespace: strings.ToLower(schema), Name: t.Name}); err != nil || found {
			return e.Ident, e, found, err
		}
	}
	into := schemas[0]
	if t.Schema == "" {
		into = MadeIn(schemas)
	}
	return table.Ident{Namespace: into, Name: strings.ToLower(t.Name)}, e, false, nil
}

// searched are schemas in which a name without one is looked for, and behind them home, where a statement can make no table in any of them: what is
// made by such a name is found by it.
func searched(schemas []string) []string {
	if MadeIn(schemas) == "" {
		return append(slices.Clip(schemas), home)
	}
	return schemas
}

// there is target of what has to be there.
func (s *session) there(ctx context.Context, r Request, t sqltext.Table) (catalog.Entry, error) {
	_, e, found, err := s.target(ctx, r, t)
	if err == nil && !found {
		err = s.notFound(ctx, t)
	}
	return e, err
}

// MadeIn is the first of schemas in which a statement makes a table; "" for none.
func MadeIn(schemas []string) string {
	for _, schema := range schemas {
		if schema = strings.ToLower(schema); !slices.Contains(layers, schema) {
			return schema
		}
	}
	return ""
}

// makeable refuses a name that a statement cannot give to a table, and a principal who may not make it.
func (g *Gate) makeable(who guard.Principal, id table.Ident) error {
	for _, part := range []string{id.Namespace, id.Name} {
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || part == "" {
			return fault.Newf(fault.Invalid, "use letters, digits and _", "%q is no name for a table", part)
		}
	}
	if slices.Contains(layers, id.Namespace) {
		return fault.Newf(fault.Denied, "make it in gold, or in a schema of your own: CREATE SCHEMA name", "tables cannot be made in %s by a statement", id.Namespace)
	}
	if !g.o.Guard.Decide(who, guard.Create, resource(id)).Allow {
		return fault.Newf(fault.Denied, "ask for a grant", "you may not create %s", id)
	}
	return nil
}

// errFilled says that somebody else's rows are in a table.
func errFilled(id table.Ident, owner string) error {
	by := "a pipeline"
	if owner == "landing" {
		by = "its topic"
	}
	return fault.Newf(fault.Denied, "write to a table of your own: CREATE TABLE "+home+".name AS SELECT * FROM "+id.String(), "%s is filled by %s, and takes no rows of statements", id, by)
}

// changeable is writable of what a name means, whose rows a statement may change.
func (s *session) changeable(ctx context.Context, r Request, t sqltext.Table) (table.Table, error) {
	e, err := s.there(ctx, r, t)
	if err != nil {
		return nil, err
	}
	return s.writable(ctx, e, guard.Write)
}

// writable opens a table that a statement may change.
func (s *session) writable(ctx context.Context, e catalog.Entry, a guard.Action) (table.Table, error) {
	id := e.Ident
	if !s.may(a, id, "").Allow {
		return nil, fault.Newf(fault.Denied, "ask for a grant", "you may not write to %s", id)
	}
	if e.View {
		return nil, fault.Newf(fault.Invalid, "write to a table that it reads", "%s is a view", id)
	}
	t, err := s.gate.o.Tables.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	if owner, _ := t.Property(table.PropOwner); owner != "" && owner != Owner {
		return nil, errFilled(id, owner)
	}
	if !s.may(a, id, t.ID()).Allow {
		return nil, fault.Newf(fault.Denied, "ask for a grant", "you may not write to %s", id)
	}
	return t, nil
}

// Changed is the answer of a statement that changed rows.
func Changed(tag string, rows int64) *Result {
	r := Status(fmt.Sprintf("%s %d", tag, rows))
	r.Tag, r.Changed = tag, &rows
	return r
}

// insert is INSERT INTO t [(columns)] VALUES … or SELECT …, into a table whose rows come by statements. Into one that is not there
// it makes a pipeline, as it does in Flink, but not at the doors of other systems, where it never meant that.
func (g *Gate) insert(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	x, err := sqltext.ParseInsert(stmt)
	if err != nil {
		return nil, true, err
	}
	if x.Conflict != nil {
		result, err := g.changes(ctx, r, stmt, x.Table, func(ctx context.Context, s *session, t table.Table) (*changing, error) {
			of := s.changing(t, sqltext.Change{})
			return of, of.conflict(ctx, r, x, stmt)
		})
		return result, true, err
	}
	if t, err := g.asking(r).inserted(ctx, r, x); t == nil || err != nil { // asked without a turn
		return nil, err != nil, placed(err, stmt, x.Table.Offset)
	}
	var result *Result
	err = g.statement(ctx, r, x.Text, x.Offset, func(ctx context.Context, s *session) error {
		t, err := s.inserted(ctx, r, x)
		if t == nil || err != nil {
			return placed(err, stmt, x.Table.Offset)
		}
		result, err = s.insert(ctx, r, t, x, stmt)
		return err
	})
	return result, true, err
}

// insert appends the rows of the session's source. Those that RETURNING asks for are there before that.
func (s *session) insert(ctx context.Context, r Request, t table.Table, x sqltext.Insert, stmt string) (result *Result, err error) {
	all := t.Columns()
	places, err := s.named(t.Ident(), all, x.Columns, stmt)
	if err != nil {
		return nil, err
	}
	types, unread := wordsOf(all)
	if unread >= 0 {
		return nil, fault.Newf(fault.Invalid, "write to it with another engine", "column %s has type %s, which Tarn does not write", all[unread].Name, all[unread].Type)
	}
	if places, err = defaulted(x, all, places); err != nil {
		return nil, err
	}
	query, err := s.answering(ctx, all, types, places, fewer(r, x))
	if err != nil {
		return nil, err
	}
	if x.Returning != "" {
		held, err := s.holdReturning(ctx, query, "")
		if err != nil {
			return nil, err
		}
		query = "SELECT * FROM " + held
		if result, err = returningOf(x, stmt, t.Ident(), all, types).answer(ctx, s, r, query); err != nil {
			return nil, err
		}
	}
	rows, end, err := s.batches(ctx, query, table.ArrowSchema(all))
	var changed int64
	if err == nil {
		defer end()
		changed, err = s.append(ctx, t, rows)
	}
	return result.with("INSERT", changed).unless(err), err
}

// inserted is the table of an INSERT; nil for one that a pipeline is made of.
func (s *session) inserted(ctx context.Context, r Request, x sqltext.Insert) (table.Table, error) {
	continuous := r.Dialect == nil && !x.Values && x.Conflict == nil && x.Returning == ""
	if continuous && x.Emits {
		return nil, nil
	}
	_, e, found, err := s.target(ctx, r, x.Table)
	if err != nil {
		return nil, err
	}
	if !found {
		if continuous {
			return nil, nil
		}
		f, _ := errors.AsType[*fault.Error](s.notFound(ctx, x.Table))
		if f.Hint == "see SHOW TABLES" {
			f.Hint = "make it first: CREATE TABLE " + x.Table.String() + " (…)"
		}
		return nil, f
	}
	t, err := s.writable(ctx, e, guard.Write)
	if continuous && fault.CodeOf(err) == fault.Denied && !e.View && s.may(guard.Write, e.Ident, "").Allow {
		return nil, nil // who fills it says so
	}
	return t, err
}

// named are the places in a table's columns of those that an INSERT names, in its order.
func (s *session) named(id table.Ident, all []table.Column, names []sqltext.Token, stmt string) ([]int, error) {
	if len(names) == 0 {
		return every(len(all)), nil
	}
	var out []int
	for _, n := range names {
		i, err := columnOf(id, all, n.Name())
		if err != nil {
			return nil, placed(err, stmt, n.Offset)
		}
		out = append(out, i)
	}
	return out, nil
}

// defaulted are places of columns of which those that have a default and are given DEFAULT have none.
func defaulted(x sqltext.Insert, all []table.Column, places []int) ([]int, error) {
	places = slices.Clone(places)
	if x.Defaults && len(places) > 0 {
		places[0] = -1 // of the only value, which is null
	}
	for value, always := range x.Default {
		switch {
		case value >= len(places) || all[places[value]].Default == "":
		case !always:
			return nil, fault.Newf(fault.Invalid, "write a statement for the rows that give it a value, and one for the others", "column %s has DEFAULT in some of the rows alone", all[places[value]].Name)
		default:
			places[value] = -1
		}
	}
	return places, nil
}

// every are the places of n columns.
func every(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// columnOf is the place of a column.
func columnOf(of table.Ident, all []table.Column, name string) (int, error) {
	i := slices.IndexFunc(all, func(c table.Column) bool { return strings.EqualFold(c.Name, name) })
	if i >= 0 {
		return i, nil
	}
	known := namesOfColumns(all)
	hint := "it has " + strings.Join(known, ", ")
	if near := sqltext.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return 0, fault.Newf(fault.NotFound, hint, "%s has no column %s", of, name)
}

// statement runs what writes within a session that has its turn; the statement's text before from is blank to it.
func (g *Gate) statement(ctx context.Context, r Request, stmt string, from int, run func(context.Context, *session) error) error {
	leave, err := g.enter(ctx, g.queries, r.Principal.User)
	if err != nil {
		return err
	}
	defer leave()
	r.turn = true
	s, err := g.open(ctx, r.Principal, blanked(stmt, from))
	if err != nil {
		return err
	}
	defer s.close()
	if err = s.speak(ctx, r); err == nil {
		err = run(ctx, s)
	}
	if noted, _ := ctx.Value(notedKey{}).(*statement); noted != nil {
		noted.reads(s.snapshots)
	}
	if lacksMemory(err) {
		return errMemory()
	}
	return s.translate(err)
}

// answering is the query of the session's source for rows of a table, whose types are in DuckDB's words: its columns are those of the places,
// of the first of them where there may be fewer, and all others null.
func (s *session) answering(ctx context.Context, of []table.Column, types []string, places []int, fewer bool) (string, error) {
	out, err := s.rewrite(ctx, s.source, 0)
	if err != nil {
		return "", err
	}
	columns, err := s.describe(ctx, out.Text)
	if err != nil {
		return "", err
	}
	if places, err = matched(len(columns), places, fewer); err != nil {
		return "", err
	}
	items := castItems(namesOfColumns(of), types, defaultsOf(of), places, "q.")
	for n, place := range places {
		if s.dialect == nil || columns[n].typ != "VARCHAR" {
			continue
		}
		if meant := s.dialect.Texts[types[place]]; meant != "" {
			items[place] = strings.ReplaceAll(meant, "$1", "q.c"+strconv.Itoa(n)) + " AS " + ident(of[place].Name)
		}
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM (" + out.Text + ") q(" + strings.Join(numbered(len(columns)), ", ") + ")", nil
}

// batches runs a query of Tarn's own for rows of a schema, as they are taken. Each is good until the next is asked for.
func (s *session) batches(ctx context.Context, query string, schema *arrow.Schema) (iter.Seq2[arrow.RecordBatch, error], func(), error) {
	reader, err := s.conn.Stream(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	rows := s.each(reader, func(b arrow.RecordBatch) (arrow.RecordBatch, error) { return conform(b, schema) })
	return rows, reader.Release, nil
}

// each is what is made of the batches of an answer, as they are taken; nil for none of one. Each is good until the next is asked for.
func (s *session) each(reader array.RecordReader, of func(arrow.RecordBatch) (arrow.RecordBatch, error)) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for reader.Next() {
			b, err := of(reader.RecordBatch())
			if b == nil && err == nil {
				continue
			}
			more := yield(b, err)
			if err != nil {
				return
			}
			b.Release() // who keeps it has its own hold on it
			if !more {
				return
			}
		}
		if err := reader.Err(); err != nil {
			yield(nil, s.translate(err)) // before others say what it is about
		}
	}
}

// conform gives a batch of DuckDB's the shape of a table's rows: it has UUIDs as texts.
func conform(b arrow.RecordBatch, schema *arrow.Schema) (arrow.RecordBatch, error) {
	columns := slices.Clone(b.Columns())
	for i, c := range columns {
		texts, ok := c.(*array.String)
		if _, want := schema.Field(i).Type.(*extensions.UUIDType); !ok || !want {
			continue
		}
		made := extensions.NewUUIDBuilder(memory.DefaultAllocator)
		defer made.Release()
		for n := range texts.Len() {
			if texts.IsNull(n) {
				made.AppendNull()
				continue
			}
			id, err := uuid.Parse(texts.Value(n))
			if err != nil {
				return nil, err
			}
			made.Append(id)
		}
		columns[i] = made.NewArray()
	}
	return array.NewRecordBatch(schema, columns, b.NumRows()), nil
}

// append writes rows into files, and then commits them at once.
func (s *session) append(ctx context.Context, t table.Table, rows iter.Seq2[arrow.RecordBatch, error]) (int64, error) {
	files, err := t.Write(ctx, rows)
	if err != nil {
		return 0, err
	}
	defer files.Discard()
	if files.Rows() == 0 {
		return 0, nil
	}
	leave, err := s.gate.changing.take(ctx, t.ID())
	if err != nil {
		return 0, err
	}
	defer leave()
	_, err = t.Commit(ctx, table.Change{Written: []table.Written{files}, Owner: Owner})
	return files.Rows(), err
}
