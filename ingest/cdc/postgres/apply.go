package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

// relation is a table as the stream speaks of it.
type relation struct {
	c   *captured // nil for one that is not captured
	key []bool    // by column, whether an old row has it
	// signals tells that its new rows are signals.
	signals bool
	// loose: an old row that is said to be whole has the key alone.
	loose bool
	// untold: the key of events, by message.key.columns, has columns that an old row does not have where that is a key alone.
	untold bool
}

// transaction is the one whose changes are read.
type transaction struct {
	xid    uint32
	commit pgoutput.LSN
	at     time.Time
	end    pgoutput.LSN // of one that is replayed
	begun  bool         // its beginning is told
	counts
	changed, signaled numbered
}

// numbered tells rows apart that are at one place of the log, as those of a COPY are.
type numbered struct {
	last pgoutput.LSN // the place of the last one
	n    int          // how many were at it before
}

func (c *numbered) next(at pgoutput.LSN) int {
	if c.n++; at != c.last {
		c.last, c.n = at, 0
	}
	return c.n
}

// place is the place of the next change.
func (t *transaction) place(at pgoutput.LSN) string {
	return changePlace(t.commit, at, t.changed.next(at))
}

// apply takes one message of the stream.
func (r *reader) apply(ctx context.Context, m message) error {
	if len(m.data) == 0 {
		if r.tx == nil {
			r.idle = max(r.idle, m.at)
		}
		return nil
	}
	if r.decoder.InStream && slices.Contains([]byte("RYIUDTM"), m.data[0]) {
		return r.spools.add(r.streamed, m.at, m.data)
	}
	got, err := r.decoder.Decode(m.data)
	if err != nil {
		return err
	}
	switch got.Kind {
	case pgoutput.Begin:
		r.tx = &transaction{xid: got.XID, commit: got.LSN, at: pgoutput.Time(got.At)}
		r.begun(m.at)
	case pgoutput.Commit:
		r.commit(got.End)
	case pgoutput.StreamStart:
		r.streamed = got.XID
	case pgoutput.StreamAbort:
		r.spools.abort(got.XID, got.Sub)
	case pgoutput.StreamCommit:
		r.tx = &transaction{xid: got.XID, commit: got.LSN, at: pgoutput.Time(got.At), end: got.End}
		r.streamed = got.XID
		if r.replay, err = r.spools.replay(got.XID); err == nil && r.replay == nil {
			r.begun(m.at)
			r.commit(got.End)
		}
		return err
	case pgoutput.Relation:
		return r.relate(ctx, got)
	case pgoutput.Insert, pgoutput.Update, pgoutput.Delete:
		if err := r.change(got, m.at); err != nil {
			return err
		}
		if rel := r.relations[got.Relation]; rel.signals && got.Kind == pgoutput.Insert {
			return r.signal(ctx, got.After, m.at)
		}
	case pgoutput.Truncate:
		return r.truncate(ctx, got, m.at)
	case pgoutput.Logical:
		r.logical(got, m.at)
	}
	return nil
}

// begun tells that a transaction begins, once.
func (r *reader) begun(at pgoutput.LSN) {
	if !r.tx.begun {
		r.tx.begun = true
		r.boundary(at, false)
	}
}

func (r *reader) commit(end pgoutput.LSN) {
	r.boundary(end, true)
	r.tx = nil
	r.pos.reach(end)
	r.pos.Commit = int64(end) //nolint:gosec // places fit
	r.idle = max(r.idle, end)
	r.gathered.piece, r.silence = false, 0
}

// replayed takes one change of a spooled transaction, or its end.
func (r *reader) replayed(ctx context.Context) error {
	m, err := r.replay.next()
	if errors.Is(err, io.EOF) {
		r.replay = nil
		r.spools.drop(r.streamed)
		r.commit(r.tx.end)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a spooled transaction: %w", err)
	}
	r.begun(m.at)
	return r.apply(ctx, m)
}

// relate learns a table as the log now has it. What the log does not say of columns comes from
// the catalog.
func (r *reader) relate(ctx context.Context, m *pgoutput.Message) error {
	rel := &relation{}
	r.relations[m.Relation] = rel
	var t *table
	err := r.onSQL(ctx, func() (err error) {
		if slices.ContainsFunc(m.Columns, func(c pgoutput.Column) bool { return c.OID >= firstUserOID }) {
			if r.types, err = r.s.readTypes(ctx, r.sql); err != nil {
				return err
			}
		}
		t, err = r.s.lookUp(ctx, r.sql, m.Relation)
		return err
	})
	if err != nil {
		return err
	}
	if t == nil { // dropped since
		t = &table{oid: m.Relation, schema: m.Schema, name: m.Name, identity: m.Identity}
	}
	if m.Relation == t.oid {
		t.schema, t.name = m.Schema, m.Name // as it was when the change was made
	}
	rel.signals = slices.Contains(r.s.signals, t.full())
	if !r.s.captures(t.schema, t.name) {
		return nil
	}
	// Of a root the log says what its own identity is, and has of old rows what that of their partition is.
	root := m.Relation == t.oid && t.partitioned()
	rel.loose = root && t.identity != 'f'
	t.columns = merge(m, t.columns, !root && m.Identity != 'f' && m.Identity != 'n')
	for i, c := range m.Columns {
		rel.key = append(rel.key, c.Key && !root || root && t.columns[i].Key > 0)
	}
	if rel.c, err = r.capture(ctx, t); err != nil {
		return err
	}
	if r.s.columns.keyOf(t) != nil {
		for i, at := range rel.c.at {
			rel.untold = rel.untold || at >= 0 && rel.c.schema.Columns[at].Key > 0 && !rel.key[i]
		}
	}
	return nil
}

// firstUserOID is where the OIDs of what users make begin (PostgreSQL's transam.h).
const firstUserOID = 16384

// merge are the columns of a relation message, with what the catalog knows of those that are
// still as they were. told: the message tells the key by its columns.
func merge(m *pgoutput.Message, known []pgtype.Attr, told bool) []pgtype.Attr {
	out := make([]pgtype.Attr, len(m.Columns))
	keys, total := 0, 0
	same := true
	for i, c := range m.Columns {
		out[i] = pgtype.Attr{Name: c.Name, OID: c.OID, Typmod: c.Mod}
		if at := slices.IndexFunc(known, func(k pgtype.Attr) bool { return k.Name == c.Name && k.OID == c.OID && k.Typmod == c.Mod }); at >= 0 {
			out[i] = known[at]
		}
		if out[i].Key > 0 {
			keys++
		}
		same = same && (!told || c.Key == (out[i].Key > 0))
	}
	for _, k := range known {
		if k.Key > 0 {
			total++
		}
	}
	if same && keys == total {
		return out
	}
	// The catalog's key or identity is another one by now: the log's own word, in the order of columns.
	n := 0
	for i, c := range m.Columns {
		if out[i].Key = 0; c.Key && m.Identity != 'f' {
			n++
			out[i].Key = n
		}
	}
	return out
}

// capture is a table with its schema stored, and its standing, which for one that is new asks
// for a snapshot.
func (r *reader) capture(ctx context.Context, t *table) (*captured, error) {
	c := r.s.capturedOf(r.env.SourceID, t, r.types)
	id, err := r.env.Schema(ctx, *c.schema)
	if err != nil {
		return nil, err
	}
	c.schema.ID = id
	name, reread := t.full(), false
	fresh := r.tables[name] == nil
	if old := r.tables[name]; old != nil && old.table.oid == t.oid {
		if old.schema.ID == id {
			c.schema = old.schema // one schema, one batch
		} else if what := old.differs(c, r.s.reread && c.keyed()); len(what) > 0 && r.s.reread && c.keyed() {
			reread = true
			r.happened(name+columnsEvent, source.Finding{Table: name, Message: fmt.Sprintf("columns of table %s have changed: %s. Its rows are read again", name, strings.Join(what, ", "))})
		} else if len(what) > 0 {
			r.happened(name+columnsEvent, source.Finding{
				Table: name, Message: fmt.Sprintf("columns of table %s have changed: %s. Rows that were there keep what they had until they change: the log does not have them", name, strings.Join(what, ", ")),
				Hint: "take a new snapshot of the table where they should be as the database has them now: RESNAPSHOT CONNECTOR … TABLE " + name + "; " + keyChanged + "=reread does so each time",
			})
		}
	}
	r.tables[name] = c
	st, known := r.pos.Tables[name]
	if !known || st.OID != t.oid || st.Topic != c.topic || st.Keyless && c.keyed() { // a mirror begins with a snapshot
		return c, r.plan(ctx, c)
	}
	// Columns that changed while Tarn was down, of which nobody knows how.
	reread = reread || r.s.reread && c.keyed() && fresh && st.Schema != 0 && st.Schema != id
	if st.Keyless == c.keyed() || st.Schema != id {
		st.Keyless, st.Schema = !c.keyed(), id
		r.pos.Tables[name] = st
		r.changed = true
	}
	switch {
	case reread && r.s.mode == modeInitialOnly: // which reads no changes: only a whole one is without the rows that are gone
		return c, r.plan(ctx, c)
	case reread:
		r.again(name)
	}
	return c, nil
}

// again has all rows of a table read, over what was; those that a whole snapshot has read already too.
func (r *reader) again(name string) {
	st := r.pos.Tables[name]
	switch {
	case st.Snapshot == nil || st.Snapshot.again():
		st.Snapshot = &progress{Asked: true, Owed: true, Where: allRows}
	case st.Snapshot.Begun:
		st.Snapshot.Torn = true
	}
	r.pos.Tables[name], r.changed = st, true
}

// allRows is the condition that every row meets.
const allRows = "true"

// columnsEvent is behind a table's name: its columns are others than those of its rows.
const columnsEvent = " columns"

// plan gives a table a new generation and a snapshot. Where the mode allows none there is one
// all the same of a table that somebody asked for, that is quarantined, so that its changes are
// missed, or whose snapshot is under way.
func (r *reader) plan(ctx context.Context, c *captured) error {
	st := r.pos.Tables[c.table.full()]
	kept := int64(0)
	if r.env.Generation != nil {
		var err error
		if kept, err = r.env.Generation(ctx, c.topic); err != nil {
			return err
		}
	}
	next := standing{OID: c.table.oid, Topic: c.topic, Generation: max(st.Generation+1, kept+1, r.env.Now().Unix()), Keyless: !c.keyed(), Schema: c.schema.ID}
	if st.Topic == c.topic {
		next.Sent = st.Sent
	}
	if place := r.place(c.topic); place.Incarnation == r.pos.Incarnation {
		next.Sent = max(next.Sent, place.Place) // a chunk up to there is of an older snapshot
	}
	name := c.table.full()
	if r.s.mode != modeNoData && r.s.snapshotted.passes(name) || st.Snapshot != nil || r.skipped(name) || slices.Contains(r.env.Asked, name) {
		next.Snapshot = &progress{}
		r.over(name + columnsEvent)
	}
	r.pos.Tables[name] = next
	r.changed = true
	return nil
}

// place is where the source stands in a table's topic.
func (r *reader) place(topic string) record.Pos {
	if r.env.Place == nil {
		return record.Pos{}
	}
	return r.env.Place(topic)
}

// change takes one row's change.
func (r *reader) change(m *pgoutput.Message, at pgoutput.LSN) error {
	rel := r.relations[m.Relation]
	if rel == nil || r.tx == nil {
		return fmt.Errorf("%w: a change of table %d before the table was described", pgoutput.ErrMalformed, m.Relation)
	}
	if rel.c == nil {
		return nil
	}
	name := rel.c.table.full()
	st, known := r.pos.Tables[name]
	if !known || st.OID != rel.c.table.oid || st.Snapshot != nil && !st.Snapshot.Begun && !st.Snapshot.again() || r.skipped(name) {
		return nil // its snapshot will have it
	}
	if strings.IndexByte(r.s.skipped, opOf(m.Kind)) >= 0 {
		r.tear(name, &st, m.Kind == pgoutput.Update) // its row may have moved to where the snapshot has been
		return nil
	}
	c := source.Change{
		TS: r.tx.at, TxID: int64(r.tx.xid), LSN: int64(at), LastCommit: r.pos.Commit, Seq: int64(at), //nolint:gosec // places fit
	}
	var err error
	old := m.Old
	if rel.loose && old == 'O' {
		old = 'K'
	}
	untold := old == 'K' && rel.untold
	if untold && m.Kind == pgoutput.Delete {
		return nil // it would be another row's; a finding says so
	}
	if c.Before, err = r.rowOf(rel, m.Before, old); err != nil {
		return err
	}
	if c.After, err = r.rowOf(rel, m.After, 0); err != nil {
		return err
	}
	switch m.Kind {
	case pgoutput.Insert:
		c.Op = source.Create
	case pgoutput.Update:
		c.Op = source.Update
		r.tear(name, &st, rel.restore(&c, old))
		if untold {
			c.Before = nil
		}
	case pgoutput.Delete:
		c.Op = source.Delete
	}
	c.Place = r.tx.place(at)
	b := r.gathered.batchOf(r, rel.c, &st)
	if why, large := r.s.unfit(rel.c, &c, bytesOf(m)); why != "" {
		return r.bury(rel.c, b, &c, why, large)
	}
	b.Changes = append(b.Changes, c)
	sent := b.LastPlace()
	if r.s.transactions {
		b.Changes[len(b.Changes)-1].Transaction = r.tx.told(name, sent, at)
	}
	r.gathered.weigh(m, len(c.Before)+len(c.After))
	st.Sent = sent
	r.pos.Tables[name] = st
	return nil
}

// rowOf reads a row; nil where the message has none. Of an old row that is a key alone the
// other columns are what events have for them.
func (r *reader) rowOf(rel *relation, cells []pgoutput.Cell, old byte) (record.Row, error) {
	if cells == nil {
		return nil, nil
	}
	c := rel.c
	if len(cells) != len(c.at) {
		return nil, fmt.Errorf("%w: a row of %d columns of table %s, which has %d", pgoutput.ErrMalformed, len(cells), c.table.full(), len(c.at))
	}
	row := r.arena.Row(len(c.codecs))
	for i := range cells {
		at := c.at[i]
		switch {
		case at < 0:
		case old == 'K' && !rel.key[i]:
			row[at] = c.codecs[at].Absent
		case cells[i].Kind == pgoutput.CellUnchanged:
			row[at].Kind = record.Missing
		case cells[i].Kind == pgoutput.CellText:
			row[at] = c.codecs[at].Text(&r.arena, cells[i].Data)
		case cells[i].Kind == pgoutput.CellBinary:
			return nil, fmt.Errorf("%w: a binary cell, which nobody asked for", pgoutput.ErrMalformed)
		}
	}
	c.edit(row)
	return row, nil
}

// restore takes values that an update left as they were from the old row, as far as that has
// them: one that is a key alone has nothing else. It tells whether any is missing still.
func (rel *relation) restore(c *source.Change, old byte) (missing bool) {
	for i, at := range rel.c.at {
		if at < 0 || c.After[at].Kind != record.Missing {
			continue
		}
		if c.Before != nil && (old != 'K' || rel.key[i]) && c.Before[at].Kind != record.Missing {
			c.After[at] = c.Before[at]
			continue
		}
		missing = true
	}
	return missing
}

// tear notes that a table's unfinished snapshot may never see a value that this change did not
// have: the row may have moved to a part that was read before it came there.
func (r *reader) tear(name string, st *standing, missing bool) {
	if missing && st.Snapshot != nil && st.Snapshot.Begun && !st.Snapshot.Torn {
		st.Snapshot.Torn = true
		r.changed = true
		r.pos.Tables[name] = *st
	}
}

// truncate is an empty snapshot: the mirror drops what is of a lower generation. That of a
// partition, which a publication without publish_via_partition_root tells, is a new snapshot of
// the root: nothing else says which of its rows are gone.
func (r *reader) truncate(ctx context.Context, m *pgoutput.Message, at pgoutput.LSN) error {
	for _, id := range m.Relations {
		rel := r.relations[id]
		if rel == nil || rel.c == nil || r.tx == nil {
			continue
		}
		name := rel.c.table.full()
		st := r.pos.Tables[name]
		if st.Snapshot != nil && !st.Snapshot.again() || st.OID != rel.c.table.oid || r.skipped(name) {
			continue // a snapshot that is not finished is cut anew anyway
		}
		if id != rel.c.table.oid {
			if err := r.plan(ctx, rel.c); err != nil {
				return err
			}
			continue
		}
		st.Generation = max(st.Generation+1, r.env.Now().Unix())
		place := changePlace(r.tx.commit, at, 1) // one of a topic
		mark := func(kind record.MarkKind, place string) *record.Mark {
			return &record.Mark{
				Kind: kind, Generation: st.Generation, Schema: rel.c.schema.ID,
				Pos: record.Pos{Source: r.env.SourceID, Incarnation: r.pos.Incarnation, Place: place}.String(),
			}
		}
		b := r.gathered.batchOf(r, rel.c, &st)
		b.Begin, b.End = mark(record.SnapshotBegin, changePlace(r.tx.commit, at, 0)), mark(record.SnapshotEnd, place)
		if strings.IndexByte(r.s.skipped, byte(source.Truncate)) < 0 {
			b.Changes = append(b.Changes, source.Change{
				Transaction: r.truncated(name, at), Op: source.Truncate, Place: place, TS: r.tx.at, TxID: int64(r.tx.xid), LSN: int64(at), LastCommit: r.pos.Commit, Seq: int64(at), //nolint:gosec // places fit
			})
		}
		st.Sent = place
		r.pos.Tables[name] = st
	}
	return nil
}

func (r *reader) skipped(name string) bool { return slices.Contains(r.env.Skip, name) }
