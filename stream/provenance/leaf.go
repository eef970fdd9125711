//go:build duckdb_arrow

package provenance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/bus"
	"tarn/embedded/duck"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/command"
	"tarn/stream/exec"
	"tarn/stream/landing"
	"tarn/stream/plan"
)

// leaf is where a walk ends: a table of bronze or a mirror, and the topic that fills it.
type leaf struct {
	topic  string
	bronze table.Ident // the zero Ident where the topic does not land
	mirror table.Ident // the zero Ident where bronze itself is read
}

// table is what the leaf's rows are read from.
func (l leaf) table() table.Ident {
	if l.mirror.Name != "" {
		return l.mirror
	}
	return l.bronze
}

// leafOf makes a relation of a leaf's columns, which are expressions over its table with their names.
func (t *tracer) leafOf(l leaf, columns, names []string, partition, condition string) *relation {
	number := slices.Index(t.leaves, l)
	if number < 0 {
		number = len(t.leaves)
		t.leaves = append(t.leaves, l)
	}
	items := make([]string, len(columns))
	for i := range columns {
		items[i] = columns[i] + " AS " + duck.Ident(names[i])
	}
	items = append(items, fmt.Sprintf(`%d AS "_s", %s AS "_p", "_offset" AS "_o", false AS "_fl", NULL::VARCHAR AS "_g"`, number, partition))
	out := &relation{columns: names, leaves: []int{number}}
	out.trace = t.with("SELECT " + strings.Join(items, ", ") + " FROM " + t.named(l.table()) + condition)
	out.rows = t.with("SELECT " + duck.List(names) + " FROM " + out.trace)
	return out
}

// named is a table as a statement names it: of the snapshot that the walk has read of it, once it has read one.
func (t *tracer) named(id table.Ident) string {
	name := duck.Ident(id.Namespace) + "." + duck.Ident(id.Name)
	if version, ok := t.pins[id.String()]; ok && version > 0 {
		name += fmt.Sprintf(" AT (VERSION => %d)", version)
	}
	return name
}

// bronzeOf finds the table of a topic's events; the zero Ident where there is none.
func (t *tracer) bronzeOf(ctx context.Context, topic string) (table.Table, error) {
	config := bus.TopicConfig{}
	if known, err := t.o.Bus.Topic(topic); err == nil {
		config = known.Config()
	}
	found, err := t.o.Tables.Open(ctx, landing.Bronze(topic, config))
	if errors.Is(err, table.ErrNotFound) {
		return nil, nil //nolint:nilnil // it does not land
	}
	if err != nil {
		return nil, err
	}
	if by, _ := found.Property(table.PropTopic); by != topic {
		return nil, nil //nolint:nilnil // it is another topic's
	}
	return found, nil
}

// source makes a relation of what a pipeline reads by a name.
func (t *tracer) source(ctx context.Context, o *command.Origin, name sqltext.Table) (*relation, error) {
	source, input, err := o.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if input.Mirror.Name != "" {
		return t.mirror(ctx, input.Topic, input.Mirror, source)
	}
	bronze, err := t.bronzeOf(ctx, input.Topic)
	if err != nil {
		return nil, err
	}
	if bronze == nil {
		return nil, lost("topic %s does not land, so that no table has its events", input.Topic)
	}
	l := leaf{topic: input.Topic, bronze: bronze.Ident()}
	plain := columnNamed(bronze, landing.ValueColumn) != nil
	if plain == (input.Format == exec.Debezium) {
		return nil, lost("topic %s is read as %s, and %s does not have its events so", input.Topic, input.Format, l.bronze)
	}
	names, columns := make([]string, len(source.Columns)), make([]string, len(source.Columns))
	conditions := t.begun(o, input)
	for i, c := range source.Columns {
		names[i] = c.Name
		var there string
		if plain {
			columns[i], there = plainText(bronze, c)
		} else {
			there = member(`CASE WHEN "_op" = 'd' THEN "before" ELSE "after" END`, c.Name)
			columns[i] = fromText(there, c.Type, true)
			there += " IS NOT NULL"
		}
		if c.Type != record.String { // a record that cannot be read is in no row
			conditions = append(conditions, "("+columns[i]+" IS NOT NULL OR NOT ("+there+"))")
		}
	}
	if plain {
		conditions = append(conditions, `"_value" IS NULL`)
	} else {
		conditions = append(conditions, `"_op" IN ('c', 'u', 'd', 'r')`)
	}
	if t.dead {
		conditions = append(conditions, fmt.Sprintf(`NOT EXISTS (SELECT 1 FROM system.dead_letter AS d WHERE d.topic = %s AND d."partition" = "_partition" AND d."offset" = "_offset")`, duck.Quote(input.Topic)))
	}
	out := t.leafOf(l, columns, names, `"_partition"`, " WHERE "+strings.Join(conditions, " AND "))
	if len(source.Key) > 0 {
		t.latest(out, source)
	}
	return out, nil
}

// latest leaves of a changelog the last row of each key.
func (t *tracer) latest(r *relation, s *plan.Source) {
	deleted := fmt.Sprintf(`SELECT "_partition", "_offset" FROM %s WHERE "_op" = 'd'`, t.named(t.leaves[r.leaves[0]].bronze))
	last := t.with(fmt.Sprintf(`SELECT * FROM %s QUALIFY row_number() OVER (PARTITION BY %s ORDER BY "_o" DESC) = 1`, r.trace, duck.List(s.Key)))
	r.trace = t.with(fmt.Sprintf(`SELECT l.* FROM %s AS l ANTI JOIN (%s) AS d ON l."_p" = d."_partition" AND l."_o" = d."_offset"`, last, deleted))
	r.rows, r.key = t.with("SELECT "+duck.List(r.columns)+" FROM "+r.trace), s.Key
}

// begun are the conditions for what a pipeline has read of a topic from its beginning on.
func (t *tracer) begun(o *command.Origin, input exec.Input) (out []string) {
	topic, err := t.o.Bus.Topic(input.Topic)
	if err != nil {
		return nil
	}
	for _, p := range topic.Partitions() {
		if from := o.Starts[exec.StartKey(input.Topic, p.Number(), input.Latest)]; from > 0 {
			out = append(out, fmt.Sprintf(`NOT ("_partition" = %d AND "_offset" < %d)`, p.Number(), from))
		}
	}
	return out
}

// mirror makes a relation of what a pipeline reads of a mirror.
func (t *tracer) mirror(ctx context.Context, topic string, id table.Ident, s *plan.Source) (*relation, error) {
	l := leaf{topic: topic, mirror: id}
	bronze, err := t.bronzeOf(ctx, topic)
	if err != nil {
		return nil, err
	}
	if bronze != nil {
		l.bronze = bronze.Ident()
	}
	var names []string
	for _, c := range s.Columns {
		names = append(names, c.Name)
	}
	out := t.leafOf(l, duck.Idents(names), names, "0", "")
	out.key = s.Key
	return out, nil
}

// late are the rows that a pipeline has told to have come too late for a window, as a named query; "" for none.
func (t *tracer) late(ctx context.Context, pipeline string, leaves []int) (string, error) {
	id := table.Ident{Namespace: table.SystemNamespace, Name: "late"}
	if _, err := t.o.Tables.Open(ctx, id); errors.Is(err, table.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	var parts []string
	for _, n := range leaves {
		if l := t.leaves[n]; l.mirror.Name == "" {
			parts = append(parts, fmt.Sprintf(`SELECT DISTINCT %d AS "_s", "partition" AS "_p", "offset" AS "_o", epoch_us(window_start) AS "_ws", epoch_us(window_end) AS "_we" FROM %s WHERE pipeline = %s AND topic = %s`,
				n, t.named(id), duck.Quote(pipeline), duck.Quote(l.topic)))
		}
	}
	if len(parts) == 0 {
		return "", nil
	}
	return t.with(strings.Join(parts, " UNION ALL ")), nil
}

func columnNamed(t table.Table, name string) *table.Column {
	for _, c := range t.Columns() {
		if c.Name == name {
			return &c
		}
	}
	return nil
}

// plainText is the value of a declared column in a row of plain bronze: of the column that landing made of the member, or of
// what did not fit that. there tells whether the record has one.
func plainText(bronze table.Table, c plan.Column) (value, there string) {
	spare := member(`"_extra"`, c.Name)
	value, there = fromText(spare, c.Type, false), spare+" IS NOT NULL"
	for _, have := range bronze.Columns() {
		if landing.SourceName(have) != c.Name || landing.IsPlainOwn(strings.ToLower(have.Name)) {
			continue
		}
		column := duck.Ident(have.Name)
		there = "(" + column + " IS NOT NULL OR " + there + ")"
		as, _ := duck.TypeOf(c.Type)
		switch {
		case have.Type == record.TimestampTZ && c.Type == record.Timestamp:
			return "coalesce(timezone('UTC', " + column + "), " + value + ")", there
		case have.Type == record.String || have.Type == record.Long || have.Type == record.Int || c.Type == record.String:
			return "coalesce(" + fromText(column+"::VARCHAR", c.Type, false) + ", " + value + ")", there
		}
		return "coalesce(TRY_CAST(" + column + " AS " + as + "), " + value + ")", there
	}
	return value, there
}

// member is a member of a JSON object as text.
func member(object, name string) string {
	path := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	return "json_extract_string(" + object + ", " + duck.Quote(path) + ")"
}

// fromText is the value of a type that a text means, as package decode reads it; null for what is none. Whole numbers are times
// since 1970, of milliseconds in plain records and of microseconds in change events.
func fromText(text string, t record.Type, event bool) string {
	as, _ := duck.TypeOf(t)
	whole := "TRY_CAST(" + text + " AS BIGINT)"
	switch t {
	case record.String:
		return text
	case record.Timestamp, record.TimestampTZ:
		micros := whole
		if !event {
			micros = whole + " * 1000"
		}
		instant := "coalesce(make_timestamptz(" + micros + "), TRY_CAST(" + text + " AS TIMESTAMPTZ))"
		if t == record.Timestamp {
			return "timezone('UTC', " + instant + ")"
		}
		return instant
	case record.Date:
		return "coalesce(DATE '1970-01-01' + TRY_CAST(" + text + " AS INTEGER), TRY_CAST(" + text + " AS DATE))"
	case record.Time:
		return "coalesce(TRY_CAST('00:00:00'::TIME + to_microseconds(" + whole + ") AS TIME), TRY_CAST(" + text + " AS TIME))"
	case record.Binary:
		return "TRY(from_base64(" + text + "))"
	case record.Boolean:
		return "CASE " + text + " WHEN 'true' THEN true WHEN 'false' THEN false END"
	case record.Float, record.Double, record.UUID:
		return "TRY_CAST(" + text + " AS " + as + ")"
	}
	value := "TRY_CAST(" + text + " AS " + as + ")" // which DuckDB rounds
	return "CASE WHEN TRY_CAST(" + text + " AS DOUBLE) = " + value + "::DOUBLE THEN " + value + " END"
}
