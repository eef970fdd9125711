//go:build duckdb_arrow

package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
)

// Appender takes rows in bulk for a table that statements write to: all of them, or none. One goroutine uses it.
type Appender struct {
	// Columns are those that rows are given for, in their order. Type is in DuckDB's words.
	Columns []ShapeColumn
	// Schema is the Arrow shape of such rows; nil for a temporary table's, which are texts.
	Schema *arrow.Schema

	gate   *Gate
	r      Request
	table  table.Table
	temp   *tempTarget // in place of table
	all    []table.Column
	types  []string // of all, in DuckDB's words
	places []int
}

// Appender finds the table of a name, as an INSERT of the request's principal does, and its columns of these names; none for all. Its
// errors are those of Run. It holds nothing.
func (g *Gate) Appender(ctx context.Context, r Request, to sqltext.Table, columns []string) (*Appender, error) {
	if made, ok := r.Session.table(to); ok {
		a := &Appender{gate: g, r: r, temp: &tempTarget{r.Session, to}, all: made.listed(), types: made.types}
		return a, a.of(made.ident(to), columns)
	}
	if g.o.Tables == nil {
		return nil, fault.New(fault.Unavailable, "there is no lake to write to", "ask the Tarn that holds it")
	}
	t, err := g.asking(r).changeable(ctx, r, to)
	if err != nil {
		return nil, g.presentable(ctx, ctx, r, err)
	}
	a := &Appender{gate: g, r: r, table: t, all: t.Columns()}
	a.types, _ = wordsOf(a.all)
	return a, a.of(t.Ident(), columns)
}

// of says which columns rows are given for.
func (a *Appender) of(id table.Ident, columns []string) error {
	if len(columns) == 0 {
		a.places = every(len(a.all))
	}
	for _, name := range columns {
		i, err := columnOf(id, a.all, name)
		if err != nil {
			return err
		}
		if slices.Contains(a.places, i) {
			return fault.Newf(fault.Invalid, "name it once", "the column %s is there twice", name)
		}
		a.places = append(a.places, i)
	}
	var given []table.Column
	for _, i := range a.places {
		a.Columns = append(a.Columns, ShapeColumn{a.all[i].Name, a.types[i]})
		given = append(given, a.all[i])
	}
	if a.temp == nil {
		a.Schema = table.ArrowSchema(given)
	}
	return nil
}

// Append writes all rows into files as they come, and then commits them at once: it returns how many when they are on the disk. A
// column of a batch has the type that Schema tells, or is texts, which are cast as the dialect casts them. An error of
// rows ends it, and nothing is written. It is a statement in system.queries, under the text of the request, and takes a turn; what it may take
// is the request's Timeout, at most sql.timeout. Its errors are those of Run.
func (a *Appender) Append(ctx context.Context, rows iter.Seq2[arrow.RecordBatch, error]) (int64, error) {
	return a.gate.bulk(ctx, a.r, func(ctx context.Context, s *session) (int64, error) {
		if a.temp != nil {
			return a.temp.append(ctx, s, a, rows)
		}
		return s.append(ctx, a.table, s.shaped(ctx, a, rows))
	})
}

// bulk runs what writes rows that are no answer of a query, as a statement of its own with the text of the request.
func (g *Gate) bulk(ctx context.Context, r Request, run func(context.Context, *session) (int64, error)) (n int64, err error) {
	if r.Timeout <= 0 || r.Timeout > g.o.Timeout {
		r.Timeout = g.o.Timeout
	}
	began := g.o.Clock.Now()
	cancelable, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	within, late := context.WithTimeout(cancelable, r.Timeout)
	defer late()
	noted := g.log.begin(r.Principal, r.Text, began, cancel)
	defer func() {
		now := g.o.Clock.Now()
		if noted.rows.Store(n); err != nil {
			noted.failed(err)
			g.metrics.refused(fault.CodeOf(err))
		} else {
			g.metrics.answered(now.Sub(began))
		}
		g.log.end(noted, now)
	}()
	within = context.WithValue(within, notedKey{}, noted)
	leave, err := g.enter(within, g.uploads, r.Principal.User)
	if err != nil {
		return 0, g.presentable(ctx, within, r, err)
	}
	defer leave()
	err = g.statement(within, r, "", 0, func(ctx context.Context, s *session) (err error) {
		n, err = run(ctx, s)
		return err
	})
	if err != nil {
		return 0, g.presentable(ctx, within, r, err)
	}
	return n, nil
}

// shaped gives rows the shape of their table.
func (s *session) shaped(ctx context.Context, a *Appender, rows iter.Seq2[arrow.RecordBatch, error]) iter.Seq2[arrow.RecordBatch, error] {
	schema := table.ArrowSchema(a.all) // which the lake refuses where they have changed since
	return func(yield func(arrow.RecordBatch, error) bool) {
		for b, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if int(b.NumCols()) != len(a.places) {
				yield(nil, fault.Newf(fault.Invalid, "send a value for each", "a row has %d values for %d columns", b.NumCols(), len(a.places)))
				return
			}
			if !s.cast(ctx, a, schema, b, yield) {
				return
			}
		}
	}
}

// cast yields a batch in the table's shape, by DuckDB where it is of another.
func (s *session) cast(ctx context.Context, a *Appender, schema *arrow.Schema, b arrow.RecordBatch, yield func(arrow.RecordBatch, error) bool) bool {
	columns := make([]arrow.Array, len(a.all))
	same := len(a.places) == len(a.all)
	for i, place := range a.places {
		columns[place] = b.Column(i)
		same = same && arrow.TypeEqual(schema.Field(place).Type, b.Column(i).DataType())
	}
	if same {
		return yield(array.NewRecordBatch(schema, columns, b.NumRows()), nil)
	}
	return s.through(ctx, b, "SELECT "+a.items()+" FROM ", schema, yield)
}

// items make a row of the table of one of loadRows.
func (a *Appender) items() string {
	return strings.Join(castItems(namesOfColumns(a.all), a.types, defaultsOf(a.all), a.places, ""), ", ")
}

// loadRows puts batches into a temporary table of the connection, in place of the one before; its columns are c0, c1 and so on.
func (s *session) loadRows(ctx context.Context, of *arrow.Schema, batches ...arrow.RecordBatch) (name string, err error) {
	fields := slices.Clone(of.Fields())
	for i := range fields {
		fields[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: fields[i].Type, Nullable: true}
	}
	named := arrow.NewSchema(fields, nil)
	loaded := make([]arrow.RecordBatch, len(batches))
	for i, b := range batches {
		loaded[i] = array.NewRecordBatch(named, b.Columns(), b.NumRows())
		defer loaded[i].Release()
	}
	if s.given == "" {
		s.given = s.name("a")
		s.loaded = append(s.loaded, s.given)
	}
	return "temp." + ident(s.given), s.conn.Load(ctx, s.given, named, loaded)
}

// through yields what a query makes of a batch.
func (s *session) through(ctx context.Context, b arrow.RecordBatch, query string, schema *arrow.Schema, yield func(arrow.RecordBatch, error) bool) bool {
	name, err := s.loadRows(ctx, b.Schema(), b)
	if err != nil {
		return yield(nil, err) && false
	}
	out, end, err := s.batches(ctx, query+name, schema)
	if err != nil {
		return yield(nil, err) && false
	}
	defer end()
	for b, err := range out {
		if !yield(b, err) || err != nil {
			return false
		}
	}
	return true
}
