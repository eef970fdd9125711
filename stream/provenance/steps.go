//go:build duckdb_arrow

package provenance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/lake/table"
	"tarn/stream/landing"
)

// place is where an event lies in its topic.
type place struct{ partition, offset int64 }

// below goes on from a row to the rows of the leaves that it is made of, and from there to the topics.
func (t *tracer) below(ctx context.Context, events []event) error {
	for number, l := range t.leaves {
		var places []place
		late := map[place]bool{}
		for _, e := range events {
			if at := (place{e.partition, e.offset}); e.leaf == number {
				places, late[at] = append(places, at), e.late
			}
		}
		if len(places) == 0 {
			continue
		}
		step := 2
		if l.mirror.Name != "" {
			if err := t.mirrored(ctx, l, places); err != nil {
				return err
			}
			step++
		}
		if err := t.bronze(ctx, step, l, places, func(at place) string {
			if late[at] {
				return "came too late for the window: not in the row"
			}
			return ""
		}); err != nil {
			return err
		}
	}
	return nil
}

// mirrored tells of rows of a mirror: step 2.
func (t *tracer) mirrored(ctx context.Context, l leaf, places []place) error {
	found, err := t.o.Tables.Open(ctx, l.mirror)
	if errors.Is(err, table.ErrNotFound) {
		t.step(2, "silver", l.mirror.String(), nil, nil, nil, nil, "it is not there any more")
		return nil
	}
	if err != nil {
		return err
	}
	rows, err := t.ask(ctx, fmt.Sprintf(`SELECT "_offset", %s, to_json(r)::VARCHAR FROM %s AS r WHERE "_offset" IN (%s) ORDER BY "_offset"`, keyText(found), t.aliased(l.mirror), offsets(places)))
	if err != nil {
		return t.closed(err, 2, "silver", l.mirror)
	}
	for _, row := range rows {
		t.step(2, "silver", l.mirror.String(), nil, row[0], row[1], row[2], "")
	}
	return nil
}

// aliased is a table that is to have an alias, which stands before AT.
func (t *tracer) aliased(id table.Ident) string { return "(SELECT * FROM " + t.named(id) + ")" }

// closed is a fault that ends the walk at a table, told as a step; other errors stay.
func (t *tracer) closed(err error, step int, layer string, id table.Ident) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != fault.Denied && f.Code != fault.NotFound {
		return err
	}
	t.step(step, layer, id.String(), nil, nil, nil, nil, "the walk ends here: "+f.Message)
	return nil
}

// bronze tells of rows of bronze, and of the records that they are of.
func (t *tracer) bronze(ctx context.Context, step int, l leaf, places []place, note func(place) string) error {
	if l.bronze.Name == "" {
		t.step(step, "bronze", l.topic, nil, nil, nil, nil, "topic "+l.topic+" does not land: no table has its events")
		return nil
	}
	found, err := t.o.Tables.Open(ctx, l.bronze)
	if err != nil {
		return err
	}
	rows, err := t.ask(ctx, fmt.Sprintf(`SELECT "_partition"::BIGINT, "_offset", "_key", %s FROM %s AS r WHERE "_offset" IN (%s) ORDER BY 1, 2`, valueOf(found), t.aliased(l.bronze), offsets(places)))
	if err != nil {
		return t.closed(err, step, "bronze", l.bronze)
	}
	var there []place
	for _, row := range rows {
		at := place{row[0].(int64), row[1].(int64)} //nolint:forcetypeassert // both are required
		if !slices.Contains(places, at) {
			continue
		}
		there = append(there, at)
		t.step(step, "bronze", l.bronze.String(), at.partition, at.offset, row[2], row[3], note(at))
	}
	for _, at := range places {
		if !slices.Contains(there, at) {
			t.step(step, "bronze", l.bronze.String(), at.partition, at.offset, nil, nil, "bronze does not have it yet")
		}
	}
	t.topic(step+1, l.topic, places)
	return nil
}

// topic tells where the records lie in the log, and whether it has them still.
func (t *tracer) topic(step int, name string, places []place) {
	if !t.o.Guard.Decide(t.who, guard.Read, guard.Resource{Kind: guard.Topic, Path: []string{name}}).Allow {
		t.step(step, "topic", name, nil, nil, nil, nil, "you may not read the topic")
		return
	}
	topic, err := t.o.Bus.Topic(name)
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for _, at := range places {
		note := "in the log"
		switch {
		case err != nil:
			note = "the topic is not there any more"
		case at.partition >= int64(len(topic.Partitions())) || at.offset < topic.Partitions()[at.partition].LogStart():
			note = "no longer in the log: bronze has it"
		}
		t.step(step, "topic", name, at.partition, at.offset, nil, nil, note)
	}
}

// ofBronze goes on from a row of bronze to its record.
func (t *tracer) ofBronze(ctx context.Context, topic string) error {
	t.end("every event of topic %s that lands is a row", topic)
	rows, err := t.ask(ctx, fmt.Sprintf(`SELECT "_partition"::BIGINT, "_offset", "_key" FROM %s WHERE (
%s
) LIMIT 1`, t.named(t.id), t.stmt.condition))
	if err != nil || len(rows) == 0 {
		return err
	}
	at := place{rows[0][0].(int64), rows[0][1].(int64)} //nolint:forcetypeassert // both are required
	t.rows[0][3], t.rows[0][4], t.rows[0][5] = at.partition, at.offset, rows[0][2]
	t.topic(2, topic, []place{at})
	return nil
}

// ofMirror goes on from a row of a mirror to the event that made it, and those of its key before.
func (t *tracer) ofMirror(ctx context.Context, topic string) error {
	rows, err := t.ask(ctx, fmt.Sprintf(`SELECT "_offset" FROM %s WHERE (
%s
) LIMIT 1`, t.named(t.id), t.stmt.condition))
	if err != nil || len(rows) == 0 {
		return err
	}
	made := rows[0][0].(int64) //nolint:forcetypeassert // it is required
	t.rows[0][4] = made
	t.end("the mirror of topic %s: it is what event %d says", topic, made)
	l := leaf{topic: topic, mirror: t.id}
	bronze, err := t.bronzeOf(ctx, topic)
	if err != nil {
		return err
	}
	if bronze == nil {
		t.step(2, "bronze", topic, nil, nil, nil, nil, "topic "+topic+" does not land: no table has its events")
		return nil
	}
	l.bronze = bronze.Ident()
	history, err := t.ask(ctx, fmt.Sprintf(`SELECT "_partition"::BIGINT, "_offset", count(*) OVER () FROM %[1]s WHERE "_offset" <= %[2]d AND "_op" IS NOT NULL AND ("_offset" = %[2]d OR "_key" = (SELECT max("_key") FROM %[1]s WHERE "_offset" = %[2]d)) ORDER BY "_offset" DESC LIMIT %[3]d`,
		t.named(l.bronze), made, eventsMax))
	if err != nil {
		return t.closed(err, 2, "bronze", l.bronze)
	}
	var places []place
	for _, row := range history {
		places = append(places, place{row[0].(int64), row[1].(int64)}) //nolint:forcetypeassert // both are required
	}
	if len(places) == 0 {
		places = []place{{0, made}} // which bronze has not got yet
	} else if n, _ := history[0][2].(int64); n > int64(len(places)) {
		t.end("the last %d of %d events of its key are shown", len(places), n)
	}
	return t.bronze(ctx, 2, l, places, func(at place) string {
		if at.offset == made {
			return "made the row what it is"
		}
		return "an earlier event of its key"
	})
}

// valueOf is an event as JSON, of the columns of its row of bronze.
func valueOf(bronze table.Table) string {
	if columnNamed(bronze, landing.ValueColumn) == nil {
		return objectOf([]string{`"_op"`, `"before"::JSON`, `"after"::JSON`, `"source"::JSON`}, []string{"op", "before", "after", "source"}) + "::VARCHAR"
	}
	var columns, names []string
	for _, c := range bronze.Columns() {
		if landing.IsPlainOwn(strings.ToLower(c.Name)) {
			continue
		}
		column := duck.Ident(c.Name)
		if landing.IsJSON(&c) {
			column += "::JSON"
		}
		columns, names = append(columns, column), append(names, landing.SourceName(c))
	}
	return `CASE WHEN "_value" IS NOT NULL THEN to_json("_value"::VARCHAR) ELSE json_merge_patch(` + objectOf(columns, names) + `, coalesce("_extra"::JSON, '{}'::JSON)) END::VARCHAR`
}

// objectOf is a JSON object of columns.
func objectOf(columns, names []string) string {
	items := make([]string, len(columns))
	for i := range columns {
		items[i] = duck.Quote(names[i]) + ", " + columns[i]
	}
	return "json_object(" + strings.Join(items, ", ") + ")"
}

func offsets(places []place) string {
	out := make([]string, len(places))
	for i, at := range places {
		out[i] = strconv.FormatInt(at.offset, 10)
	}
	return strings.Join(out, ", ")
}
