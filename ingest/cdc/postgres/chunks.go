package postgres

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

// arrive starts the snapshot at the cut. A table whose rows were written anew since its
// snapshot began, that has no key by which a row that moved is the same one, or whose changes
// since the last cut are not read, begins again. Rows of a table that has lost its key are not read over what was.
func (r *reader) arrive(ctx context.Context) error {
	tables, err := r.atCut(ctx)
	if err != nil {
		return err
	}
	for _, c := range tables {
		name := c.table.full()
		st := r.pos.Tables[name]
		nodes := c.table.nodes()
		if st.Snapshot.again() && !c.keyed() || st.Snapshot.Begun && (st.Snapshot.Torn || st.Snapshot.Nodes != nodes || !c.table.keyed() || r.s.mode == modeInitialOnly || r.s.selects[name] != "") {
			next := progress{Asked: st.Snapshot.Asked, Signal: st.Snapshot.Signal}
			if st.Snapshot.again() && c.keyed() { // rows of a table without a key that are read again would be there twice
				next.Owed, next.Where, next.Parts = st.Snapshot.Owed, st.Snapshot.Where, st.Snapshot.Parts
			}
			if !next.again() {
				if err := r.plan(ctx, c); err != nil {
					return err
				}
				st = r.pos.Tables[name]
			}
			st.Snapshot = &next
		}
		if err := r.onSQL(ctx, func() error { return r.s.measure(ctx, r.sql, c.table) }); err != nil {
			return err
		}
		st.Snapshot.Nodes = nodes
		if !st.Snapshot.Begun || st.Snapshot.Cut == "" {
			st.Snapshot.Cut = r.cut.lsn.String()
		}
		r.pos.Tables[name] = st
	}
	err = r.onSQL(ctx, func() error {
		rows, err := query(ctx, r.sql, "SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE txid_current() END")
		if err != nil {
			return r.s.fault(err, "ask for a transaction of")
		}
		r.cut.xid = integer(rows[0][0])
		return nil
	})
	if err != nil {
		return err
	}
	r.s.sort(tables)
	r.snapshot = r.s.startSnapshot(r.cut, tables, func(c *captured) *progress { return r.pos.Tables[c.table.full()].Snapshot })
	r.cut = nil
	return nil
}

// sort puts tables in the order in which a snapshot is to read them.
func (s *settings) sort(tables []*captured) {
	slices.SortStableFunc(tables, func(a, b *captured) int {
		switch s.order {
		case "ascending":
			return cmp.Compare(a.table.rows, b.table.rows)
		case "descending":
			return cmp.Compare(b.table.rows, a.table.rows)
		}
		return 0
	})
}

// atCut are the tables that wait for the snapshot, with their columns and heaps read again: an ALTER TABLE may have been under way
// when that was done last, and have ended before the cut.
func (r *reader) atCut(ctx context.Context) (list []*captured, err error) {
	for _, name := range slices.Sorted(maps.Keys(r.pos.Tables)) {
		c := r.tables[name]
		if !r.due(name) {
			continue
		}
		var t *table
		err := r.onSQL(ctx, func() (err error) {
			t, err = r.s.lookUp(ctx, r.sql, c.table.oid)
			if err == nil && t != nil && slices.ContainsFunc(t.columns, func(a pgtype.Attr) bool { return a.OID >= firstUserOID }) {
				r.types, err = r.s.readTypes(ctx, r.sql)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if t == nil || t.full() != name { // dropped, or of another name: a look tells what became of it
			r.looked = time.Time{}
			continue
		}
		if c, err = r.capture(ctx, t); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, r.onSQL(ctx, func() error { return r.s.filesAt(ctx, r.sql, r.cut, list) })
}

// readSnapshot hands over the next chunks, or ends the snapshot.
func (r *reader) readSnapshot(ctx context.Context) (source.Batch, bool, error) {
	chunks, of, err := r.snapshot.read(ctx)
	if bad, ok := errors.AsType[*badWhere](err); ok {
		return r.unasked(ctx, bad)
	}
	if err != nil {
		return source.Batch{}, false, err
	}
	if len(chunks) == 0 {
		r.snapshot.close()
		r.snapshot = nil
		return source.Batch{}, false, nil
	}
	if topics, found := r.opened(chunks, of); found {
		for i := range chunks {
			r.snapshot.back = append(r.snapshot.back, held{chunks[i], of[i]})
		}
		b, err := r.batch(topics)
		return b, true, err
	}
	var topics []source.TopicBatch
	for i := range chunks {
		topics = append(topics, r.chunk(&chunks[i], of[i]))
	}
	b, err := r.batch(topics)
	return b, true, err
}

// opened begins the snapshots of tables that are about to have their first dead letters, and tells whether there are any. It is saved
// before these: from then on the changes of the table are streamed, whatever crashes. Up to the place of its last letter a later cut reads
// bad rows that have one, and rows that have changed since, which the stream has: it needs no letter of them.
func (r *reader) opened(chunks []chunk, of []*piece) (topics []source.TopicBatch, found bool) {
	for i := range chunks {
		name := of[i].c.table.full()
		st := r.pos.Tables[name]
		if len(chunks[i].dead) == 0 || st.Snapshot.Begun {
			continue
		}
		found = true
		st.Snapshot.Begun, st.Snapshot.After = true, afterNone
		if !st.Snapshot.again() {
			b, place := r.chunkBatch(of[i], &st, nil, afterNone)
			b.Begin, st.Sent = r.mark(&b, record.SnapshotBegin, place), place
			topics = append(topics, b)
		}
		r.pos.Tables[name] = st
	}
	return topics, found
}

// chunkBatch is one append of a snapshot, which ends behind a place of its table, and its own place.
func (r *reader) chunkBatch(p *piece, st *standing, rows []source.Change, after string) (b source.TopicBatch, place string) {
	return source.TopicBatch{
		Topic: p.c.topic, Schema: p.c.schema, Incarnation: r.pos.Incarnation, Generation: st.Generation, Chunk: true, Snapshot: "true", Changes: rows, NoTombstones: !r.s.tombstones,
	}, chunkPlace(r.snapshot.cut.lsn, after)
}

// mark is a mark of an append of a snapshot.
func (r *reader) mark(b *source.TopicBatch, kind record.MarkKind, place string) *record.Mark {
	return &record.Mark{
		Kind: kind, Generation: b.Generation, Schema: b.Schema.ID,
		Pos: record.Pos{Source: r.env.SourceID, Incarnation: b.Incarnation, Place: place}.String(),
	}
}

// chunk makes the one append of a chunk.
func (r *reader) chunk(ch *chunk, p *piece) source.TopicBatch {
	name := p.c.table.full()
	st := r.pos.Tables[name]
	lsn := r.snapshot.cut.lsn
	after := ch.after
	if ch.end {
		after = afterAll
	}
	b, place := r.chunkBatch(p, &st, ch.rows, after)
	for i := range b.Changes {
		b.Changes[i].Place, b.Changes[i].LSN, b.Changes[i].Seq = place, int64(lsn), int64(lsn) //nolint:gosec // places fit
		b.Changes[i].TxID = r.snapshot.cut.xid
	}
	for _, bad := range ch.dead {
		c := source.Change{Op: source.Read, After: bad.row, Place: chunkPlace(parseLSN(st.Snapshot.Cut), bad.at), LSN: int64(lsn), TxID: r.snapshot.cut.xid} //nolint:gosec // places fit
		b.Dead = append(b.Dead, r.letter(p.c, &c, b.Snapshot, bad.why))
	}
	asked, again, first := st.Snapshot.Asked, st.Snapshot.again(), st.Snapshot.After <= afterNone
	r.scanned(name, asked, first, len(ch.rows)+len(ch.dead))
	if !st.Snapshot.Begun && !again {
		b.Begin = r.mark(&b, record.SnapshotBegin, place)
	}
	if first && !again {
		b.First = "first_in_data_collection"
		if p.c == r.snapshot.pieces[0].c {
			b.First = "first"
		}
	}
	st.Snapshot.Begun, st.Snapshot.After = true, after
	if ch.end && !again {
		b.End, b.Last = r.mark(&b, record.SnapshotEnd, place), "last_in_data_collection"
		if len(ch.rows) == 1 && b.First == "first" {
			b.Last = b.First
		}
	}
	if ch.end {
		st.Snapshot = nil
	}
	if len(ch.rows) > 0 || b.Begin != nil || b.End != nil { // else the topic gets nothing of it
		st.Sent = place
	}
	if ch.final && !again {
		b.Last = "last"
	}
	if asked {
		b.Snapshot, b.First, b.Last = "incremental", "", ""
	}
	r.pos.Tables[name] = st
	return b
}
