package sqlite

import (
	"context"
	"fmt"
	"strings"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/source"
)

// chunk is one piece of a snapshot as it was read, with the key of its last row.
type chunk struct {
	rows   []source.Change
	upto   []string
	last   bool
	misfit bool
}

// readChunk reads the next rows in the order of the key, at most about ChunkBytesMax of
// them when rendered, one at least. The caller holds a read transaction.
func (t *table) readChunk(ctx context.Context, q querier, s *settings, after []string) (chunk, error) {
	c := t.current()
	schema := c.schemas[1]
	order := c.Def.orderColumns()
	args, err := parseKey(after)
	if err != nil {
		return chunk{}, err
	}
	rows, err := q.QueryContext(ctx, c.Def.chunkSQL(order, len(args) > 0), args...)
	if err != nil {
		return chunk{}, err
	}
	defer func() { _ = rows.Close() }()
	n := len(c.Def.Columns)
	cells := make([]any, len(order)+n)
	dest := make([]any, len(cells))
	for i := range cells {
		dest[i] = &cells[i]
	}
	numeric := c.Def.numericColumns()
	frame := envelope.Source{Name: s.prefix, Database: s.database, Table: t.name, Version: versionRoom}
	out := chunk{last: true, upto: after}
	size := 0
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return chunk{}, err
		}
		row, _ := makeRow(schema, numeric, cells[len(order):])
		size += envelope.SizeMax(schema, &frame, nil, row)
		if size > source.ChunkBytesMax && len(out.rows) > 0 {
			out.last = false
			break
		}
		_, misfit := makeRow(c.schemas[0], numeric, cells[len(order):])
		out.misfit = out.misfit || misfit
		change := source.Change{Op: source.Read, After: row}
		if c.Def.logsRowID() {
			change.AfterID = id(cells[0])
		}
		out.rows = append(out.rows, change)
		out.upto = renderKey(cells[:len(order)])
	}
	return out, rows.Err()
}

// versionRoom stands for Tarn's version, which the source does not know, when sizes are bounded.
const versionRoom = "0000000000000000"

// orderColumns are the SQL expressions that give a table's rows their order in a snapshot.
func (d *definition) orderColumns() []string {
	if d.RowID != "" {
		return []string{d.RowID}
	}
	var out []string
	for _, i := range d.keyColumns() {
		out = append(out, quote(d.Columns[i].Name))
	}
	return out
}

// chunkSQL reads all columns behind a key. The plus signs make expressions of the
// columns, which the driver hands over as they are stored.
func (d *definition) chunkSQL(order []string, after bool) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, name := range order {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("+" + name)
	}
	for _, c := range d.Columns {
		b.WriteString(", +" + quote(c.Name))
	}
	list := strings.Join(order, ", ")
	fmt.Fprintf(&b, " FROM %s", quote(d.Table))
	if after {
		fmt.Fprintf(&b, " WHERE (%s) > (?%s)", list, strings.Repeat(", ?", len(order)-1))
	}
	fmt.Fprintf(&b, " ORDER BY %s", list)
	return b.String()
}

func renderKey(cells []any) []string {
	out := make([]string, len(cells))
	for i, v := range cells {
		out[i] = cellText(v)
	}
	return out
}

func parseKey(key []string) ([]any, error) {
	out := make([]any, len(key))
	for i, s := range key {
		v, err := parseCell(s)
		if err != nil {
			return nil, fmt.Errorf("read the key where the snapshot stands: %w", err)
		}
		out[i] = v
	}
	return out, nil
}

// topicBatch makes the one append of a chunk, with the snapshot's marks round it.
func (t *table) topicBatch(st *standing, c chunk, seq int64, begin bool) source.TopicBatch {
	place := chunkPlace(seq, st.Chunk)
	b := source.TopicBatch{
		Topic: t.topic, Schema: t.current().schemas[looseIndex(st.Loose)], Incarnation: st.Incarnation,
		Generation: st.Generation, Chunk: true, Snapshot: "true", Changes: c.rows,
	}
	for i := range b.Changes {
		b.Changes[i].Place, b.Changes[i].Seq = place, seq
	}
	mark := func(kind record.MarkKind) *record.Mark {
		return &record.Mark{
			Kind: kind, Generation: st.Generation, Schema: b.Schema.ID,
			Pos: record.Pos{Source: t.source, Incarnation: st.Incarnation, Place: place}.String(),
		}
	}
	if c.last {
		b.End, b.Last = mark(record.SnapshotEnd), "last"
	}
	if begin {
		b.Begin, b.First = mark(record.SnapshotBegin), "first"
	}
	return b
}

func looseIndex(loose bool) int {
	if loose {
		return 1
	}
	return 0
}
