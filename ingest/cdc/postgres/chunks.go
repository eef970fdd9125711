package postgres

import (
	"context"
	"maps"
	"slices"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

// arrive starts the snapshot at the cut. A table whose rows were written anew since its
// snapshot began, that has no key by which a row that moved is the same one, or whose changes
// since the last cut are not read, begins again.
func (r *reader) arrive(ctx context.Context) error {
	var list []*captured
	for _, name := range slices.Sorted(maps.Keys(r.pos.Tables)) {
		st, c := r.pos.Tables[name], r.tables[name]
		if st.Snapshot == nil || c == nil || r.skipped(name) {
			continue
		}
		nodes := c.table.nodes()
		if st.Snapshot.Begun && (st.Snapshot.Torn || st.Snapshot.Nodes != nodes || !c.table.keyed() || r.s.mode == modeInitialOnly) {
			if err := r.plan(ctx, c); err != nil {
				return err
			}
			st = r.pos.Tables[name]
		}
		if err := r.onSQL(ctx, func() error { return r.s.measure(ctx, r.sql, c.table) }); err != nil {
			return err
		}
		st.Snapshot.Nodes = nodes
		r.pos.Tables[name] = st
		list = append(list, c)
	}
	r.snapshot = r.s.startSnapshot(r.cut, list, func(c *captured) string { return r.pos.Tables[c.table.full()].Snapshot.After })
	r.cut = nil
	return nil
}

// readSnapshot hands over the next chunks, or ends the snapshot.
func (r *reader) readSnapshot(ctx context.Context) (source.Batch, bool, error) {
	chunks, of, err := r.snapshot.read(ctx)
	if err != nil {
		return source.Batch{}, false, err
	}
	if len(chunks) == 0 {
		r.snapshot.close()
		r.snapshot = nil
		return source.Batch{}, false, nil
	}
	var topics []source.TopicBatch
	for i := range chunks {
		topics = append(topics, r.chunk(&chunks[i], of[i]))
	}
	b, err := r.batch(topics)
	return b, true, err
}

// chunk makes the one append of a chunk.
func (r *reader) chunk(ch *chunk, p *piece) source.TopicBatch {
	name := p.c.table.full()
	st := r.pos.Tables[name]
	lsn := r.snapshot.cut.lsn
	end := ch.last && p.last
	after := ch.after
	if end {
		after = afterAll
	}
	b := source.TopicBatch{
		Topic: p.c.topic, Schema: p.c.schema, Incarnation: r.pos.Incarnation, Generation: st.Generation, Chunk: true, Snapshot: "true", Changes: ch.rows,
	}
	place := chunkPlace(lsn, after)
	for i := range b.Changes {
		b.Changes[i].Place, b.Changes[i].LSN, b.Changes[i].Seq = place, int64(lsn), int64(lsn) //nolint:gosec // places fit
	}
	mark := func(kind record.MarkKind) *record.Mark {
		return &record.Mark{
			Kind: kind, Generation: st.Generation, Schema: b.Schema.ID,
			Pos: record.Pos{Source: r.env.SourceID, Incarnation: r.pos.Incarnation, Place: place}.String(),
		}
	}
	if !st.Snapshot.Begun {
		b.Begin, b.First = mark(record.SnapshotBegin), "first_in_data_collection"
	}
	st.Sent = place
	st.Snapshot.Begun, st.Snapshot.After = true, after
	if end {
		b.End, b.Last = mark(record.SnapshotEnd), "last_in_data_collection"
		if len(ch.rows) == 1 {
			b.First = ""
		}
		st.Snapshot = nil
	}
	r.pos.Tables[name] = st
	return b
}
