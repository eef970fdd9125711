//go:build duckdb_arrow

package provenance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/command"
)

// event is one that a row is made of: a row of a leaf.
type event struct {
	leaf      int
	partition int64
	offset    int64
	late      bool
}

// ofPipeline walks the SELECT of the pipeline that fills the table.
func (t *tracer) ofPipeline(ctx context.Context, o *command.Origin) error {
	t.end("filled by pipeline %s", o.Name)
	return t.walked(ctx, func() (*relation, error) { return t.pipeline(ctx, o) })
}

// ofView walks the SELECT of a view.
func (t *tracer) ofView(ctx context.Context, body string) error {
	t.end("a view")
	return t.walked(ctx, func() (*relation, error) { return t.view(ctx, body) })
}

// pipeline makes a relation of a pipeline's SELECT.
func (t *tracer) pipeline(ctx context.Context, o *command.Origin) (*relation, error) {
	if !t.o.Guard.Decide(t.who, guard.Read, guard.Resource{Kind: guard.Pipeline, Path: []string{o.Name}}).Allow {
		return nil, lost("you may not read the pipeline")
	}
	q, err := t.parser.Query(ctx, o.Body)
	if err != nil {
		return nil, err
	}
	s := scope{table: func(ctx context.Context, name sqltext.Table) (*relation, error) { return t.source(ctx, o, name) }}
	if o.OnClose {
		s.pipeline = o.Name
	}
	out, err := t.walk(ctx, s, q)
	if err != nil {
		return nil, err
	}
	return t.renamed(out, o.Columns), nil
}

// view makes a relation of a view's SELECT, and of the views and pipelines under it.
func (t *tracer) view(ctx context.Context, body string) (*relation, error) {
	if t.depth++; t.depth > depthMax {
		return nil, lost("views stand more than %d deep", depthMax)
	}
	defer func() { t.depth-- }()
	q, err := t.parser.Query(ctx, unordered(body))
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return nil, lost("the view's SELECT is walked back only where a pipeline could have it, but for joins (%s)", f.Message)
	}
	if err != nil {
		return nil, err
	}
	return t.walk(ctx, scope{table: t.under}, q)
}

// under makes a relation of a table that a view reads.
func (t *tracer) under(ctx context.Context, name sqltext.Table) (*relation, error) {
	schemas := []string{strings.ToLower(name.Schema)}
	if name.Schema == "" || strings.EqualFold(name.Schema, "lake") && name.Catalog == "" {
		schemas = layers
	}
	for _, schema := range schemas {
		id := table.Ident{Namespace: schema, Name: strings.ToLower(name.Name)}
		k, err := t.kindOf(ctx, id)
		switch {
		case errors.Is(err, table.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		case k.pipeline != nil:
			return t.pipeline(ctx, k.pipeline)
		case k.view != "":
			return t.view(ctx, k.view)
		case k.topic == "" || id.Namespace != "bronze" && id.Namespace != "silver":
			return nil, lost("it reads %s, which neither a pipeline nor a topic fills", id)
		}
		found, err := t.o.Tables.Open(ctx, id)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, c := range found.Columns() {
			names = append(names, c.Name)
		}
		l, partition := leaf{topic: k.topic, bronze: id}, `"_partition"`
		if id.Namespace == "silver" {
			l.mirror, partition = id, "0"
			l.bronze = table.Ident{}
			if bronze, err := t.bronzeOf(ctx, k.topic); err != nil {
				return nil, err
			} else if bronze != nil {
				l.bronze = bronze.Ident()
			}
		}
		return t.leafOf(l, duck.Idents(names), names, partition, ""), nil
	}
	return nil, lost("it reads %s, which is not there", name)
}

// walked makes the relation, asks which events the row is made of, and goes on to them.
func (t *tracer) walked(ctx context.Context, build func() (*relation, error)) error {
	events, err := t.events(ctx, build)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == fault.Invalid && !t.dead && len(t.leaves) > 0 {
		// A record with which the SELECT cannot compute is a dead letter, and in no row.
		t.dead, t.queries, t.leaves = true, nil, nil
		if again, deadErr := t.events(ctx, build); deadErr == nil {
			events, err = again, nil
			t.end("records that are in system.dead_letter are left out")
		}
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code != fault.Internal && f.Code != fault.Canceled && f.Code != fault.Timeout {
		t.end("its events cannot be told: %s", f.Message)
		return nil
	}
	if err != nil {
		return err
	}
	return t.below(ctx, events)
}

// events asks which events the row is made of, the first of them, and says whether they make it.
func (t *tracer) events(ctx context.Context, build func() (*relation, error)) ([]event, error) {
	r, err := build()
	if err != nil {
		return nil, err
	}
	types, err := t.types(ctx)
	if err != nil {
		return nil, err
	}
	if len(types) != len(r.columns) {
		return nil, lost("the table has %d columns, and the SELECT %d", len(types), len(r.columns))
	}
	rows, err := t.ask(ctx, t.query(r, types))
	if err != nil {
		return nil, err
	}
	return t.judge(r, rows), nil
}

// typed is a column of the table in question, with its type in DuckDB's words.
type typed struct{ name, typ string }

func (t *tracer) types(ctx context.Context) (out []typed, err error) {
	rows, err := t.ask(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+t.named(t.id)+")")
	for _, row := range rows {
		name, _ := row[0].(string)
		typ, _ := row[1].(string)
		out = append(out, typed{name, typ})
	}
	return out, err
}

// query is for the events of the row: their places, how many there are, which columns are not as in the row,
// and of how many groups they are.
func (t *tracer) query(r *relation, types []typed) string {
	key := r.key
	if len(key) == 0 && !r.single {
		key = r.columns
	}
	var same, differs []string
	for _, c := range types {
		isKey := slices.ContainsFunc(key, func(k string) bool { return strings.EqualFold(k, c.name) })
		if constant := t.constant(c); isKey && constant != "" {
			same = append(same, "TRY_CAST(e."+duck.Ident(c.name)+" AS "+c.typ+")"+constant)
			continue
		}
		computed := "TRY_CAST(e." + duck.Ident(c.name) + " AS " + c.typ + ")"
		stored := "r." + duck.Ident(c.name)
		equal := computed + " IS NOT DISTINCT FROM " + stored
		if c.typ == "DOUBLE" || c.typ == "FLOAT" { // of another order of adding up
			equal = "coalesce(abs(" + computed + " - " + stored + ") <= 1e-9 * greatest(abs(" + stored + "), abs(" + computed + ")), " + equal + ")"
		}
		if isKey {
			same = append(same, equal)
			continue
		}
		differs = append(differs, "CASE WHEN "+equal+" THEN NULL ELSE "+duck.Quote(c.name)+" END")
	}
	on, unlike := "true", "''"
	if len(same) > 0 {
		on = strings.Join(same, " AND ")
	}
	if len(differs) > 0 {
		unlike = "concat_ws(', ', " + strings.Join(differs, ", ") + ")"
	}
	return "WITH " + strings.Join(t.queries, ", ") + fmt.Sprintf(`, _row AS (SELECT * FROM %s WHERE (
%s
) LIMIT 1), _found AS (SELECT e."_s", e."_p", e."_o", e."_fl", e."_g", %s AS unlike FROM %s AS e, _row AS r WHERE %s),
_events AS (SELECT "_s", "_p", "_o", bool_and("_fl") AS "_fl", max(unlike) AS unlike FROM _found GROUP BY "_s", "_p", "_o")
SELECT "_s"::BIGINT, "_p"::BIGINT, "_o"::BIGINT, "_fl", unlike, count(*) FILTER (WHERE NOT "_fl") OVER (), count(*) FILTER (WHERE "_fl") OVER (),
(SELECT count(DISTINCT "_g") FROM _found) FROM _events ORDER BY "_fl", "_s", "_p", "_o" LIMIT %d`,
		t.named(t.id), t.stmt.condition, unlike, r.trace, on, eventsMax)
}

// exact are the types whose values JSON holds as they are, and a literal too.
var exact = []string{"VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "UUID"}

// constant is the condition that a column has the value of the row in question, which DuckDB takes down to the files that are
// read; "" where that value cannot be written.
func (t *tracer) constant(c typed) string {
	value, ok := t.values[strings.ToLower(c.name)]
	if !ok || !slices.Contains(exact, c.typ) {
		return ""
	}
	switch value := value.(type) {
	case nil:
		return " IS NULL"
	case string:
		if strings.ContainsRune(value, 0) {
			return ""
		}
		return " = " + duck.Quote(value) + "::" + c.typ
	case json.Number, bool:
		return fmt.Sprintf(" = '%v'::%s", value, c.typ)
	}
	return ""
}

// judge takes the places apart, and notes on the row what they are.
func (t *tracer) judge(r *relation, rows [][]any) (out []event) {
	if len(rows) == 0 {
		if r.single {
			t.end("no event has come")
		} else {
			t.end("no event of bronze makes a row of its key now: bronze may not have them yet, or the row is of another moment")
		}
		return nil
	}
	number := func(v any) int64 { n, _ := v.(int64); return n }
	first := rows[0]
	n, late, groups := number(first[5]), number(first[6]), number(first[7])
	unlike := ""
	for _, row := range rows {
		is, _ := row[3].(bool)
		out = append(out, event{int(number(row[0])), number(row[1]), number(row[2]), is})
		if text, _ := row[4].(string); text != "" {
			unlike = text
		}
	}
	what := "events"
	if n == 1 {
		what = "event"
	}
	note := fmt.Sprintf("made of %d %s", n, what)
	switch {
	case groups > 1:
		note = fmt.Sprintf("%d groups have this very row, of %d %s: which of them it is, the table does not tell", groups, n, what)
	case !r.grouped && n > 1:
		note = fmt.Sprintf("%d events make this very row: which of them it is, nothing tells", n)
	case unlike != "":
		note += ", of which another row is computed now (" + unlike + "): the table, and what is read here, are of two moments, or some events are not there any more"
	default:
		note += "; computed again from them it is the same"
	}
	switch {
	case late == 1:
		note += "; 1 came too late, and is not in it"
	case late > 1:
		note += fmt.Sprintf("; %d came too late, and are not in it", late)
	}
	if n+late > int64(len(rows)) {
		note += fmt.Sprintf("; the first %d are shown", len(rows))
	}
	t.end("%s", note)
	return out
}
