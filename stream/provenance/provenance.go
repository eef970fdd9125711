//go:build duckdb_arrow

// Package provenance answers where a row comes from: EXPLAIN ROW OF gold.x WHERE … walks the SELECT that fills a table
// back to the rows of bronze, and from there to the records of topics. It asks the Gate as the one who asks, so
// nobody sees what he may not read, and it computes the row again from what it has found: where that is another row, or
// the shape of a SELECT does not tell which rows it is made of, it says so and does not guess. It writes nothing.
package provenance

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tarn/embedded/bus"
	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/command"
	"tarn/stream/pipeline"
)

// The bounds of a walk.
const (
	eventsMax = 100 // that are shown
	walksMax  = 2   // at once
)

// layers are searched, in order, for a table that is named without a schema.
var layers = []string{"silver", "gold", "bronze"}

// Ask runs a query as a principal: its rows, of nil, bool, int64, float64 and string, and the snapshots that it read.
type Ask func(ctx context.Context, who guard.Principal, query string) (rows [][]any, snapshots map[string]int64, err error)

// Options of Provenance.
type Options struct {
	Pipelines *command.Pipelines
	Tables    table.Tables
	Bus       *bus.Bus
	Guard     guard.Guard
	Ask       Ask
}

// Provenance walks rows back. Safe for concurrent use.
type Provenance struct {
	o     Options
	turns chan struct{}
}

// New returns one.
func New(o Options) *Provenance { return &Provenance{o, make(chan struct{}, walksMax)} }

// Command is EXPLAIN ROW OF.
func (p *Provenance) Command() pipeline.Command {
	return pipeline.Command{Verbs: []string{"EXPLAIN ROW OF"}, Run: p.run}
}

// statement is EXPLAIN ROW OF table WHERE condition.
type statement struct {
	text      string
	table     sqltext.Table
	condition string
	offset    int // of the condition
}

func parse(text string) (s statement, err error) {
	in, err := sqltext.NewReader(text)
	if err != nil {
		return s, err
	}
	in.Take("EXPLAIN", "ROW", "OF")
	s.text = text
	if s.table, err = in.Table(); err != nil {
		return s, err
	}
	if !in.Take("WHERE") {
		return s, in.Fault("WHERE and what tells the row apart, such as WHERE id = 17")
	}
	if s.condition, s.offset = in.Rest(), in.Offset(); s.condition == "" {
		return s, in.Fault("what tells the row apart, such as id = 17")
	}
	tokens, err := sqltext.Lex(s.condition)
	if err != nil {
		return s, err
	}
	depth := 0
	for _, token := range tokens {
		if token.Is("(") {
			depth++
		} else if token.Is(")") {
			depth--
		}
		if depth < 0 {
			return s, sqltext.At(fault.New(fault.Syntax, "a bracket is closed that is not open", "leave it out"), text, s.offset+token.Offset)
		}
	}
	return s, nil
}

// tracer walks one row back.
type tracer struct {
	*Provenance
	who     guard.Principal
	parser  *sqltext.Parser
	stmt    statement
	id      table.Ident
	queries []string // named, each with its name
	leaves  []leaf
	pins    map[string]int64 // snapshots that were read
	dead    bool             // records that are dead letters are left out
	depth   int
	values  map[string]any // of the row in question, by the name of the column in small letters
	rows    [][]any        // the answer
}

// run answers the statement.
func (p *Provenance) run(ctx context.Context, who guard.Principal, text string) (pipeline.Answer, error) {
	none := pipeline.Answer{}
	stmt, err := parse(text)
	if err != nil {
		return none, err
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	parser, err := sqltext.NewParser(ctx)
	if err != nil {
		return none, err
	}
	defer func() { _ = parser.Close() }()
	t := &tracer{Provenance: p, who: who, parser: parser, stmt: stmt, pins: map[string]int64{}}
	if err := t.trace(ctx); err != nil {
		return none, err
	}
	columns := []record.Column{
		{Name: "step", Type: record.Long},
		{Name: "layer", Type: record.String},
		{Name: "name", Type: record.String},
		{Name: "partition", Type: record.Long},
		{Name: "offset", Type: record.Long},
		{Name: "key", Type: record.String},
		{Name: "value", Type: record.String},
		{Name: "note", Type: record.String},
	}
	return pipeline.Answer{Tag: "EXPLAIN ROW", Columns: columns, Rows: t.rows}, nil
}

// ask runs a query as the asker, and keeps to the snapshots that it read.
func (t *tracer) ask(ctx context.Context, query string) ([][]any, error) {
	rows, snapshots, err := t.o.Ask(ctx, t.who, query)
	for name, id := range snapshots {
		if t.pins[name] == 0 && !strings.Contains(name, "@") {
			t.pins[name] = id
		}
	}
	return rows, err
}

// step adds a row to the answer; nil and "" are null.
func (t *tracer) step(number int, layer, name string, partition, offset, key, value any, note string) {
	var said any
	if note != "" {
		said = note
	}
	t.rows = append(t.rows, []any{int64(number), layer, name, partition, offset, key, value, said})
}

// trace finds the row and walks from it.
func (t *tracer) trace(ctx context.Context) error {
	kind, err := t.find(ctx)
	if err != nil {
		return err
	}
	if err := t.target(ctx); err != nil {
		return err
	}
	switch {
	case kind.pipeline != nil:
		return t.ofPipeline(ctx, kind.pipeline)
	case kind.view != "":
		return t.ofView(ctx, kind.view)
	case kind.topic != "" && t.id.Namespace == "bronze":
		return t.ofBronze(ctx, kind.topic)
	case kind.topic != "":
		return t.ofMirror(ctx, kind.topic)
	}
	t.end("no pipeline fills %s, and no topic: the walk ends here", t.id)
	return nil
}

// end says on the row in question why the walk goes no further.
func (t *tracer) end(format string, args ...any) {
	t.rows[0][len(t.rows[0])-1] = noted(t.rows[0][len(t.rows[0])-1], lost(format, args...).Error())
}

// noted puts two notes behind each other.
func noted(before any, note string) any {
	if text, ok := before.(string); ok && text != "" {
		return text + "; " + note
	}
	return note
}

// kind is what fills a table.
type kind struct {
	pipeline *command.Origin
	view     string
	topic    string
}

// find tells which table the statement's name means, as a query would, and what fills it.
func (t *tracer) find(ctx context.Context) (k kind, err error) {
	name := t.stmt.table
	schemas := []string{strings.ToLower(name.Schema)}
	if name.Schema == "" || strings.EqualFold(name.Schema, "lake") && name.Catalog == "" {
		schemas = layers
	}
	if schemas[0] == table.SystemNamespace {
		f := fault.New(fault.Invalid, "rows of "+table.SystemNamespace+" are Tarn's own: nothing that came in made them", "name a table of gold, silver or bronze")
		return k, sqltext.At(f, t.stmt.text, name.Offset)
	}
	for _, schema := range schemas {
		t.id = table.Ident{Namespace: schema, Name: strings.ToLower(name.Name)}
		if k, err = t.kindOf(ctx, t.id); !errors.Is(err, table.ErrNotFound) {
			return k, err
		}
	}
	f := fault.Newf(fault.NotFound, "see SHOW TABLES", "there is no table %s", name)
	return k, sqltext.At(f, t.stmt.text, name.Offset)
}

// kindOf tells what fills a table; table.ErrNotFound where the asker sees none of that name.
func (t *tracer) kindOf(ctx context.Context, id table.Ident) (k kind, err error) {
	if !t.o.Guard.Decide(t.who, guard.Read, guard.Resource{Kind: guard.Table, Path: []string{id.Namespace, id.Name}}).Allow {
		return k, table.ErrNotFound
	}
	found, err := t.o.Tables.Open(ctx, id)
	if errors.Is(err, table.ErrNotFound) {
		query := "SELECT view_definition FROM information_schema.views WHERE table_schema = " + duck.Quote(id.Namespace) + " AND table_name = " + duck.Quote(id.Name)
		rows, viewErr := t.ask(ctx, query)
		if viewErr != nil {
			return k, viewErr
		}
		if len(rows) == 0 {
			return k, err
		}
		k.view, _ = rows[0][0].(string)
		return k, nil
	}
	if err != nil {
		return k, err
	}
	if k.pipeline, err = t.o.Pipelines.Origin(ctx, id); err != nil || k.pipeline != nil {
		return k, err
	}
	k.topic, _ = found.Property(table.PropTopic)
	return k, nil
}

// target reads the row that the condition names: step 1.
func (t *tracer) target(ctx context.Context) error {
	key := "NULL::VARCHAR"
	if found, err := t.o.Tables.Open(ctx, t.id); err == nil && len(keyOf(found)) > 0 {
		key = "any_value(" + keyText(found) + ")"
	} else if err != nil && !errors.Is(err, table.ErrNotFound) { // which a view is
		return err
	}
	rows, err := t.ask(ctx, "SELECT to_json(r)::VARCHAR, count(*), "+key+" FROM (SELECT * FROM "+t.named(t.id)+" WHERE (\n"+t.stmt.condition+"\n)) AS r GROUP BY r LIMIT 2")
	if err != nil {
		return t.placed(err)
	}
	switch len(rows) {
	case 0:
		return fault.Newf(fault.NotFound, "a row that has changed since is another row: ask by the columns of its key", "no row of %s is so", t.id)
	case 2:
		return fault.Newf(fault.Invalid, "name all the columns that tell the row apart", "more than one row of %s is so", t.id)
	}
	t.step(1, t.id.Namespace, t.id.String(), nil, nil, rows[0][2], rows[0][0], "")
	text, _ := rows[0][0].(string)
	t.values = valuesOf(text)
	if n, _ := rows[0][1].(int64); n > 1 {
		t.end("the table has %d rows that are equal to it", n)
	}
	return nil
}

// valuesOf takes a row apart that is written as JSON.
func valuesOf(text string) map[string]any {
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber()
	var row map[string]any
	if in.Decode(&row) != nil {
		return nil
	}
	out := make(map[string]any, len(row))
	for name, value := range row {
		out[strings.ToLower(name)] = value
	}
	return out
}

// placed puts a fault's place, which is one of the query, where the condition has it.
func (t *tracer) placed(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	told := *f
	told.Line-- // the condition begins on a line of its own
	if told.Line < 1 || told.Line > 1+strings.Count(t.stmt.condition, "\n") {
		told.Line, told.Column = 0, 0
		return &told
	}
	return sqltext.Shifted(&told, t.stmt.text, t.stmt.offset)
}

// keyOf are the columns of a table's key.
func keyOf(found table.Table) (out []string) {
	for _, c := range found.Columns() {
		if c.Key {
			out = append(out, c.Name)
		}
	}
	return out
}

// keyText is the key of a table's row as JSON; null where the table has none.
func keyText(found table.Table) string {
	names := keyOf(found)
	if len(names) == 0 {
		return "NULL::VARCHAR"
	}
	return objectOf(duck.Idents(names), names) + "::VARCHAR"
}
