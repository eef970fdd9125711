package sqlite

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"sync"
	"time"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

// table is what the source knows of one captured table.
type table struct {
	name     string
	topic    string
	source   string
	captures []*capture // oldest first; the last one is current unless the table is gone
	gone     bool       // dropped, or renamed
	done     float64    // the part of its snapshot that is appended; negative where it cannot be told
	behind   int64      // milliseconds, as of the last look
}

func (t *table) current() *capture { return t.captures[len(t.captures)-1] }

// at returns the capture of an incarnation and the one that comes after it.
func (t *table) at(incarnation string) (now, next *capture) {
	for i, c := range t.captures {
		if c.Incarnation == incarnation {
			now = c
			if i+1 < len(t.captures) {
				next = t.captures[i+1]
			}
		}
	}
	return now, next
}

// held is a table's chunk that was read and is appended next, with the position after it.
type held struct {
	batch source.Batch
	table string
	after position
}

// undecided are the conflicts that a drain which was cut at a line left.
type undecided struct {
	seq       int64
	conflicts []logRow
}

// reader is an open source. One goroutine calls Next, Ack and Close.
type reader struct {
	settings settings
	env      source.Env
	db       *database
	pos      position
	tables   []*table // in order of name
	held     *held
	version  int64 // the schema version that tables were read under; 0 before the first look
	data     int64 // the data version of the last look
	first    int   // the table that the next look begins with
	again    bool  // look again without waiting
	greet    bool  // the next good look gives a batch in any case: the source works (again)
	settled  bool  // a chunk was found in the log: pos is to be saved before anything follows it there
	fresh    map[string]bool
	behind   map[string]record.Pos // the tables whose topic ends before what was acknowledged, with its end
	ahead    map[string]record.Pos // the tables whose topic has lines that the position does not know, with its end
	redo     map[string]int64      // the tables whose topic has a chunk that the position does not know
	kept     map[string]int64      // the last generation that each topic ever had
	pruner   pruner
	// drainRows bounds one drain of one table.
	drainRows int
	undecided map[string]undecided // by incarnation; what is missing is read again

	mu       sync.Mutex // guards what others ask for
	findings []source.Finding
	lag      source.Lag
	states   []source.TableState
}

func open(ctx context.Context, c source.Config, env source.Env, at source.Position, drainRows int) (*reader, error) {
	s, err := readSettings(c)
	if err != nil {
		return nil, err
	}
	pos, err := parsePosition(at)
	if err != nil {
		return nil, err
	}
	r := &reader{settings: s, env: env, pos: pos, fresh: map[string]bool{}, kept: map[string]int64{}, greet: true, drainRows: drainRows, undecided: map[string]undecided{}}
	r.compare()
	if r.db, err = openDatabase(ctx, s.path); err != nil {
		return nil, err
	}
	return r, nil
}

// Close frees the database.
func (r *reader) Close() error {
	if r.db == nil {
		return nil
	}
	err := r.db.close()
	r.db = nil
	return err
}

// Next waits for the next batch.
func (r *reader) Next(ctx context.Context) (source.Batch, error) {
	if r.held != nil {
		h := r.held
		r.held, r.pos, r.again = nil, h.after, true
		return h.batch, nil
	}
	if r.settled && r.db != nil {
		r.settled = false
		return r.batch(nil)
	}
	for {
		if r.db == nil {
			return source.Batch{}, source.ErrStopped
		}
		b, found, err := r.step(ctx)
		if err != nil {
			r.greet, r.again = true, true
			if ctx.Err() != nil {
				return source.Batch{}, ctx.Err()
			}
			return source.Batch{}, r.db.fault(err, "read database")
		}
		if found {
			return b, nil
		}
		if err := r.rest(ctx); err != nil {
			return source.Batch{}, err
		}
	}
}

// rest waits for the time between two looks, unless there is more to read.
func (r *reader) rest(ctx context.Context) error {
	if r.again {
		return ctx.Err()
	}
	timer := time.NewTimer(r.settings.poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	r.pruner.idle(ctx, r)
	return nil
}

// step looks at the database once.
func (r *reader) step(ctx context.Context) (source.Batch, bool, error) {
	if r.db.replaced() {
		if err := r.reopen(ctx); err != nil {
			return source.Batch{}, false, err
		}
	}
	if r.version == 0 {
		if err := r.rewind(ctx); err != nil {
			return source.Batch{}, false, err
		}
		moved, err := r.survey(ctx)
		if err != nil {
			return source.Batch{}, false, err
		}
		if moved {
			b, err := r.batch(nil)
			return b, true, err
		}
	}
	if !r.again {
		now, err := number(ctx, r.db.conn, "PRAGMA data_version")
		if err != nil || now == r.data {
			return source.Batch{}, false, err
		}
	}
	return r.look(ctx)
}

// reopen opens the file that is at the path now, in place of one that is gone.
func (r *reader) reopen(ctx context.Context) error {
	db, err := openDatabase(ctx, r.settings.path)
	if err != nil {
		return err
	}
	old := r.db
	r.db, r.version, r.again = db, 0, true
	return old.close()
}

// look drains all tables in one read transaction, which is one consistent prefix of their
// logs, and reads one chunk of a snapshot.
func (r *reader) look(ctx context.Context) (b source.Batch, found bool, err error) {
	var topics []source.TopicBatch
	before := r.pos.copied()
	err = r.db.reading(ctx, func() error {
		version, err := number(ctx, r.db.conn, "PRAGMA schema_version")
		if err != nil || version != r.version {
			r.version, r.again = 0, true
			return err
		}
		if r.data, err = number(ctx, r.db.conn, "PRAGMA data_version"); err != nil {
			return err
		}
		r.again = false
		topics, err = r.readAll(ctx)
		return err
	})
	if err != nil {
		r.pos, r.held, r.again = before, nil, true
		return source.Batch{}, false, err
	}
	if len(topics) == 0 && r.held == nil && !r.moved(before) && (!r.greet || r.version == 0) {
		return source.Batch{}, false, nil
	}
	r.greet = false
	b, err = r.batch(topics)
	return b, true, err
}

// moved tells whether the position differs from an earlier one.
func (r *reader) moved(before position) bool {
	for name, st := range r.pos.Tables {
		old := before.Tables[name]
		if st.Incarnation != old.Incarnation || st.Seq != old.Seq || st.Snapshot != old.Snapshot {
			return true
		}
	}
	return false
}

func (r *reader) batch(topics []source.TopicBatch) (source.Batch, error) {
	mark, err := r.pos.render()
	return source.Batch{Topics: topics, Mark: mark}, err
}

// readAll reads every table's log, as far as the bytes of one look go. At most one table at a time is in its snapshot.
func (r *reader) readAll(ctx context.Context) ([]source.TopicBatch, error) {
	var topics []source.TopicBatch
	var lag source.Lag
	snapshotting := false
	bytes := 0
	for i := range r.tables {
		at := (r.first + i) % len(r.tables)
		if bytes >= lookBytesMax {
			r.first, r.again = at, true
			break
		}
		t := r.tables[at]
		b, cut, size, err := r.readLog(ctx, t)
		if err != nil {
			return nil, err
		}
		bytes += size
		t.behind = 0
		if len(b.Changes) > 0 {
			topics = append(topics, b)
			if cut {
				t.behind = r.env.Now().Sub(b.Changes[len(b.Changes)-1].TS).Milliseconds()
				lag.Millis = max(lag.Millis, t.behind)
			}
		}
		st := r.pos.Tables[t.name]
		if cut {
			r.again = true
		}
		if st.Snapshot == nil || cut || snapshotting || st.Incarnation != b.Incarnation {
			continue // a new log is drained before the first chunk
		}
		if _, next := t.at(st.Incarnation); next != nil || t.gone {
			continue
		}
		snapshotting, r.again = true, true
		lag.Snapshot = fmt.Sprintf("chunk %d of %s", st.Chunk+1, t.name)
		if err := r.planChunk(ctx, t); err != nil {
			return nil, err
		}
	}
	if r.held != nil {
		if err := r.stand(r.held); err != nil {
			return nil, err
		}
	}
	r.tell(lag)
	return topics, nil
}

// readLog drains one table's log from where it stands. Behind the end of a log that is no
// longer written it turns to the next one.
func (r *reader) readLog(ctx context.Context, t *table) (b source.TopicBatch, cut bool, size int, err error) {
	st := r.pos.Tables[t.name]
	c, next := t.at(st.Incarnation)
	if c == nil {
		return b, false, 0, nil
	}
	if err := r.verify(ctx, t, c, st); err != nil {
		return b, false, 0, err
	}
	var conflicts []logRow
	if last := r.undecided[st.Incarnation]; last.seq == st.Seq {
		conflicts = last.conflicts
	}
	got, err := newDrainer(c, c.schemas[0], r.drainRows).drain(ctx, r.db.conn, &st, conflicts)
	if err != nil {
		return b, false, 0, err
	}
	if got.seq > 0 {
		st.Seq, st.Stamp, st.Open = got.seq, got.stamp, 0
		st.Loose = st.Loose || got.misfit
	}
	delete(r.undecided, st.Incarnation)
	if len(got.undecided) > 0 {
		st.Open = got.undecided[0].seq
		r.undecided[st.Incarnation] = undecided{st.Seq, got.undecided}
	}
	b = source.TopicBatch{
		Topic: t.topic, Schema: c.schemas[looseIndex(st.Loose)], Incarnation: st.Incarnation,
		Generation: st.Generation, Snapshot: "false", Changes: got.changes,
	}
	st.Sent = max(st.Sent, b.LastPlace())
	if next != nil && !got.cut {
		st = r.turned(st, t.topic, next, next == t.current() && !t.gone && r.settings.mode != modeNoData)
		if r.again = true; st.Gap {
			r.version = 0 // the survey tells
		}
	}
	r.pos.Tables[t.name] = st
	return b, got.cut, got.bytes, nil
}

// verify proves that the log is the one that was read: its last line read is still there.
// Where none was, no line is gone: pruning leaves the last one.
func (r *reader) verify(ctx context.Context, t *table, c *capture, st standing) error {
	var whole bool
	var err error
	if st.Seq == 0 {
		var oldest int64
		oldest, err = number(ctx, r.db.conn, "SELECT coalesce(min(seq), 1) FROM "+quote(c.Log))
		whole = oldest == 1
	} else {
		whole, err = witnessed(ctx, r.db.conn, c, st.Seq, st.Stamp)
	}
	if err != nil || whole {
		return err
	}
	return &source.NeedsResnapshot{Tables: []string{t.name}, Reason: "the database or Tarn's data was put back from a backup, or Tarn's shadow table was changed"}
}

// witnessed tells whether a line is still there with its stamp.
func witnessed(ctx context.Context, q querier, c *capture, seq int64, stamped string) (bool, error) {
	there := false
	err := each(ctx, q, func(rows *dbsql.Rows) error {
		var ts float64
		err := rows.Scan(&ts)
		there = stamp(ts) == stamped
		return err
	}, "SELECT ts FROM "+quote(c.Log)+" WHERE seq = ?", seq)
	return there, err
}

// turned is a standing at the start of a new log. Changes may have been missed between the
// two, so a snapshot begins with it, if the mode allows one, or somebody asked for it.
func (r *reader) turned(st standing, topic string, c *capture, snapshot bool) standing {
	out := standing{Incarnation: c.Incarnation, Topic: topic, Generation: r.generation(topic, st.Generation)}
	if snapshot {
		out.Snapshot = &progress{Version: r.version}
	}
	out.Gap = !snapshot && r.settings.mode == modeNoData && (st.Gap || st.Incarnation != "")
	return out
}

// generation is above the last one, also when the position that knew it was lost.
func (r *reader) generation(topic string, last int64) int64 {
	return max(last+1, r.kept[topic]+1, r.env.Now().Unix())
}

// planChunk reads the next chunk and holds it back: the batch being made only says where
// it will end, and the next one appends it.
func (r *reader) planChunk(ctx context.Context, t *table) (err error) {
	st := r.pos.Tables[t.name]
	p := *st.Snapshot
	if t.done, err = t.portion(ctx, r.db.conn, p.After); err != nil {
		return err
	}
	if t.current().Def.unordered() && p.Begun && p.Version != r.version {
		// VACUUM may have given the rows other numbers: from the first row again.
		st.Generation, p = r.generation(t.topic, st.Generation), progress{}
	}
	c, err := t.readChunk(ctx, r.db.conn, &r.settings, p.After)
	if err != nil {
		return err
	}
	st.Loose = st.Loose || c.misfit
	p.Version, p.Planned, p.Upto, p.Last = r.version, true, c.upto, c.last
	st.Snapshot = &p
	r.pos.Tables[t.name] = st
	r.held = &held{batch: source.Batch{Topics: []source.TopicBatch{t.topicBatch(&st, c, st.Seq, !p.Begun)}}, table: t.name}
	return nil
}

// stand works out the position after the chunk. Every table has been read by now: one that was
// read after the chunk's must not stand where it stood before, for what it has read is
// acknowledged before the chunk is, and may be pruned.
func (r *reader) stand(h *held) (err error) {
	h.after = r.pos.copied()
	done := h.after.Tables[h.table]
	done.chunked()
	h.after.Tables[h.table] = done
	h.batch.Mark, err = h.after.render()
	return err
}

// unordered tells whether rows may be numbered anew under a snapshot.
func (d *definition) unordered() bool { return d.logsRowID() && !d.keyed() }

// Lag tells how far the source is behind, as of its last look.
func (r *reader) Lag() source.Lag {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lag
}

// Findings lists what to know of the tables, as of the last look at the schema.
func (r *reader) Findings() []source.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.findings)
}

func (r *reader) note(findings []source.Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = findings
}
