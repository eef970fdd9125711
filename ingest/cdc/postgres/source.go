package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/fault"
	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

const (
	// gatherBytes is how many bytes of changes make one batch; a transaction that has more is
	// handed over in pieces.
	gatherBytes = 4 << 20
	// lookEvery is the time between two looks at the catalog and the slot, and at which an idle
	// source moves its slot on.
	lookEvery = 10 * time.Second
	// askEvery is the time between two questions to the server how far it is, while that is waited for.
	askEvery = 50 * time.Millisecond
	// cutWaitMin and cutWaitMax bound how long the stream stands still for a cut, which waits for the transactions that are under
	// way; each try that was in vain doubles it.
	cutWaitMin = 3 * time.Second
	cutWaitMax = time.Minute
)

// reader is an open source. One goroutine calls Next and Close, another may call Ack meanwhile.
type reader struct {
	s       settings
	env     source.Env
	asked   []string // the tables of env.Resnapshot that are still to be planned
	pos     position
	saved   position // as it was handed out last
	closed  bool
	started bool
	always  bool   // every table gets a new snapshot, once
	changed bool   // the position has something that is to be saved soon
	noticed bool   // it is known whether there is a first snapshot
	unbegun bool   // that there is none is still to be told
	noted   string // the place of the last notification in its topic, as it was then

	sql     *pgconn.PgConn
	spare   *pgconn.PgConn // of replication, for whoever needs one next
	version int
	types   pgtype.Catalog
	arena   pgtype.Arena
	stream  *stream       // mu guards it: Ack reads it
	silence time.Duration // that the stream may have
	block   []message
	decoder pgoutput.Decoder

	tables    map[string]*captured // by name
	relations map[uint32]*relation
	tx        *transaction
	idle      pgoutput.LSN // all before it was read
	streamed  uint32       // the transaction of the stream block, or of the replay
	spools    *spools
	replay    *replay
	gathered  gathering

	cut      *cut
	cutAfter time.Time     // when the next one may be tried
	cutWait  time.Duration // how long that may take
	snapshot *snapshot
	looked   time.Time // when the catalog was looked at
	weighed  time.Time // when the slot was
	beaten   time.Time // when an idle position was handed out last
	pulse    time.Time // when a heartbeat was written last
	polled   time.Time // when the signals that do not come through the log were looked for
	lines    int       // how many bytes of the taken file of signals are done
	half     int       // how many it had when its last line was not written to its end
	pulses   int64     // its place; 0 where that is not known yet

	mu       sync.Mutex                // guards what others ask for
	findings []source.Finding          // of the last look
	events   map[string]source.Finding // of what happened, by its table, or another event's name
	lag      source.Lag
	states   []source.TableState
}

func open(_ context.Context, c source.Config, env source.Env, at source.Position) (*reader, error) {
	s, err := readSettings(c)
	if err != nil {
		return nil, err
	}
	pos, err := parsePosition(at)
	if err != nil {
		return nil, err
	}
	r := &reader{s: s, env: env, pos: pos, saved: pos.copied(), asked: env.Resnapshot, always: s.mode == modeAlways, events: map[string]source.Finding{}}
	r.spools, err = openSpools(env.Spool)
	return r, err
}

// Close frees the connections.
func (r *reader) Close() error {
	r.disconnect()
	r.spools.close()
	r.closed = true
	return nil
}

// disconnect forgets all that is not in the position as it was handed out last.
func (r *reader) disconnect() {
	if r.snapshot != nil {
		r.snapshot.close() // with its cut
		r.cut = nil
	}
	r.cut.close()
	r.streams(nil)
	closeConn(r.sql)
	closeConn(r.spare)
	for xid := range r.spools.by {
		r.spools.drop(xid)
	}
	r.cut, r.snapshot, r.sql, r.spare, r.block, r.tx, r.replay = nil, nil, nil, nil, nil, nil, nil
	r.decoder, r.gathered, r.idle = pgoutput.Decoder{}, gathering{}, 0
	r.tables, r.relations = map[string]*captured{}, map[uint32]*relation{}
	r.pos, r.started, r.lines, r.half = r.saved.copied(), false, 0, 0
}

// Ack lets the server forget what is in the log.
func (r *reader) Ack(_ context.Context, at source.Position) error {
	pos, err := parsePosition(at)
	r.mu.Lock()
	st := r.stream
	r.mu.Unlock()
	if err != nil || st == nil {
		return err
	}
	if lsn := uint64(pos.lsn()); lsn > st.flushed.Load() {
		st.flushed.Store(lsn)
		_ = st.tell(false) // whoever reads the connection tells of its end
	}
	return nil
}

// settled waits until all that was handed over is in the log and its position saved.
func (r *reader) settled() error {
	if r.env.Saved == nil {
		return nil
	}
	return r.env.Saved()
}

// streams has another stream in the place of the one that there is; nil for none.
func (r *reader) streams(now *stream) {
	r.mu.Lock()
	old := r.stream
	r.stream = now
	r.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// Next waits for the next batch. After an error it begins again where it was.
func (r *reader) Next(ctx context.Context) (source.Batch, error) {
	if r.closed {
		return source.Batch{}, source.ErrStopped
	}
	b, err := r.next(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return source.Batch{}, ctx.Err()
		}
		r.disconnect()
		return source.Batch{}, err
	}
	r.tell()
	if b.Mark != nil {
		r.saved = r.pos.copied()
		r.changed, r.always, r.asked = false, false, nil
	}
	return b, nil
}

func (r *reader) next(ctx context.Context) (source.Batch, error) {
	for {
		if !r.started {
			if err := r.start(ctx); err != nil {
				return source.Batch{}, err
			}
			if r.cut == nil {
				return r.batch(nil) // the position is saved before anything is appended
			}
		}
		if err := r.poll(ctx); err != nil {
			return source.Batch{}, err
		}
		if r.s.mode == modeInitialOnly && r.snapshot == nil && r.cut == nil && !r.waiting() {
			if r.changed { // by signals
				return r.batch(nil)
			}
			if err := r.attend(ctx); err != nil {
				return source.Batch{}, err
			}
			continue
		}
		if r.snapshot != nil {
			if err := r.weigh(ctx); err != nil {
				return source.Batch{}, err
			}
			b, found, err := r.readSnapshot(ctx)
			if found || err != nil {
				return b, err
			}
			continue
		}
		if err := r.look(ctx); err != nil {
			return source.Batch{}, err
		}
		if r.cut == nil && r.tx == nil && r.waiting() {
			if err := r.begin(ctx); err != nil {
				return source.Batch{}, err
			}
		}
		if r.cut != nil && r.tx == nil && (r.s.mode == modeInitialOnly || max(r.pos.lsn(), r.idle) >= r.cut.lsn) {
			if r.s.mode != modeInitialOnly { // which skips the changes before, also those of a finished table
				r.pos.reach(r.cut.lsn)
			}
			if err := r.arrive(ctx); err != nil {
				return source.Batch{}, err
			}
			return r.batch(nil) // likewise
		}
		b, found, err := r.gather(ctx)
		if found || err != nil {
			return b, err
		}
	}
}

func (r *reader) batch(topics []source.TopicBatch) (source.Batch, error) {
	topics = append(topics, r.notices()...)
	mark, err := r.pos.render()
	return source.Batch{Topics: topics, Mark: mark}, err
}

// waiting tells whether a table waits for its snapshot.
func (r *reader) waiting() bool {
	for name := range r.pos.Tables {
		if r.due(name) {
			return true
		}
	}
	return false
}

// due tells whether a table is to be read by the next snapshot. Whole ones are never held: until they have begun, the table's changes are
// left out.
func (r *reader) due(name string) bool {
	st := r.pos.Tables[name].Snapshot
	return st != nil && r.tables[name] != nil && !r.skipped(name) && (!st.again() || !st.Asked || st.Owed || !r.pos.Held)
}

// onSQL runs statements on the connection for statements, which it opens where it is not.
func (r *reader) onSQL(ctx context.Context, f func() error) error {
	if r.sql == nil || r.sql.IsClosed() {
		c, err := r.s.connect(ctx)
		if err != nil {
			return err
		}
		r.sql = c
	}
	return f()
}

// begin makes a cut for the tables that wait. It waits only so long: the others stream on, and a finding tells why.
func (r *reader) begin(ctx context.Context) (err error) {
	if r.s.mode == modeInitialOnly { // nothing streams
		r.cut, err = r.makeCut(ctx, false)
		return err
	}
	if r.env.Now().Before(r.cutAfter) {
		return nil
	}
	r.cutWait = max(r.cutWait, cutWaitMin)
	wait, cancel := context.WithTimeout(ctx, r.cutWait)
	defer cancel()
	c, err := r.makeCut(wait, false)
	if err == nil {
		r.cut, r.cutWait = c, 0
		r.over(cutEvent)
		return nil
	}
	late := wait.Err() != nil
	if ctx.Err() != nil || !late && codeOf(err) != codeSlots {
		return err
	}
	f := source.FindingOf(err, false, "")
	if late {
		if f, err = r.inTheWay(ctx); err != nil {
			return err
		}
	}
	r.happened(cutEvent, f)
	r.cutAfter = r.env.Now().Add(max(r.cutWait, lookEvery))
	r.cutWait = min(2*r.cutWait, cutWaitMax)
	return nil
}

// inTheWay says which transactions a cut waits for.
func (r *reader) inTheWay(ctx context.Context) (f source.Finding, err error) {
	var rows []row
	err = r.onSQL(ctx, func() (err error) {
		rows, err = query(ctx, r.sql, blockersSQL)
		return r.s.fault(err, "look at the transactions of")
	})
	var who []string
	for _, line := range rows {
		who = append(who, line[0])
	}
	return source.Finding{
		Message: fmt.Sprintf("a snapshot waits for transactions that are open since before it: %s; the other tables stream on", strings.Join(who, ", ")),
		Hint:    "let them end, or end them: SELECT pg_terminate_backend(pid); Tarn tries again by itself",
		SQL:     "SELECT pid, xact_start, state, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start",
	}, err
}

// blockersSQL lists who has a transaction that has written, oldest first: a few.
const blockersSQL = `SELECT DISTINCT coalesce('pid ' || l.pid, 'one that is prepared'), a.xact_start FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted ORDER BY a.xact_start NULLS LAST LIMIT 5`

// gather reads the stream until there is something to hand over. found is false where the
// caller should look round.
func (r *reader) gather(ctx context.Context) (source.Batch, bool, error) {
	if r.stream == nil {
		if err := r.connectStream(ctx); err != nil {
			return source.Batch{}, false, err
		}
	}
	for {
		if r.replay != nil {
			if err := r.replayed(ctx); err != nil {
				return source.Batch{}, false, err
			}
		} else if len(r.block) > 0 {
			m := r.block[0]
			if at, commits := pgoutput.Commits(m.data); commits && r.cut != nil && at >= r.cut.lsn {
				r.idle = max(r.idle, r.cut.lsn) // it is behind the snapshot, whose rows come first
				return r.beforeCut()
			}
			r.block = r.block[1:]
			if err := r.apply(ctx, m); err != nil {
				return source.Batch{}, false, err
			}
		} else if b, done, err := r.pause(ctx); done || err != nil {
			return b, len(b.Mark) > 0, err
		}
		if r.gathered.bytes >= gatherBytes {
			return r.handOver()
		}
		if r.cut != nil && r.tx == nil && max(r.pos.lsn(), r.idle) >= r.cut.lsn {
			return r.beforeCut()
		}
	}
}

// beforeCut hands over what was gathered when the stream has come to the cut.
func (r *reader) beforeCut() (source.Batch, bool, error) {
	if len(r.gathered.topics) > 0 {
		return r.handOver()
	}
	return source.Batch{}, false, nil
}

// handOver makes a batch of what was gathered: with the position where a transaction has just ended.
func (r *reader) handOver() (source.Batch, bool, error) {
	topics := r.gathered.topics
	if at, ok := r.gathered.by[r.s.prefix+"."+r.s.transactionTopic]; ok && r.s.transactions { // whose ends stand behind their events
		topics = append(slices.Delete(slices.Clone(topics), at, at+1), topics[at])
	}
	r.gathered = gathering{}
	if r.tx != nil {
		return source.Batch{Topics: topics}, true, nil
	}
	if r.cut == nil { // heartbeats may leave no other time for it
		r.pos.reach(r.idle)
	}
	b, err := r.batch(topics)
	return b, true, err
}

// pause hands over what was gathered when nothing more is there, and else waits for more. done
// tells that the caller should look round.
func (r *reader) pause(ctx context.Context) (b source.Batch, done bool, err error) {
	if r.block, err = r.stream.take(); err != nil {
		return b, false, r.streamFault(err)
	} else if len(r.block) > 0 {
		return b, false, nil
	}
	if r.tx == nil {
		if _, err := r.beat(ctx); err != nil {
			return b, false, err
		}
	}
	if r.tx == nil && (len(r.gathered.topics) > 0 || r.changed) {
		b, _, err := r.handOver()
		return b, true, err
	}
	if r.tx == nil && r.idle > r.pos.lsn() && r.env.Now().Sub(r.beaten) >= lookEvery && r.cut == nil {
		r.beaten = r.env.Now()
		r.pos.reach(r.idle)
		b, err := r.batch(nil)
		return b, true, err
	}
	wait := r.rest()
	if r.cut != nil {
		_ = r.stream.tell(true)
		wait = askEvery
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return b, false, ctx.Err()
	case <-timer.C:
		return b, true, nil
	case <-r.stream.ready:
		return b, false, nil
	}
}

func (r *reader) connectStream(ctx context.Context) error {
	c, err := r.replicate(ctx)
	if err != nil {
		return err
	}
	r.silence = max(r.silence, silenceMin, silenceReports*r.s.status)
	if err := r.settled(); err != nil { // the server is told that all before the place is safe
		closeConn(c)
		return err
	}
	st, err := startStream(ctx, c, &r.s, r.pos.lsn(), r.version, r.silence)
	if err != nil {
		closeConn(c)
		return r.streamFault(err)
	}
	r.streams(st)
	return nil
}

// streamFault tells what an error of the stream means.
func (r *reader) streamFault(err error) error {
	if errors.Is(err, errSilent) {
		r.silence = min(2*r.silence, max(silenceMax, silenceReports*r.s.status))
		return fault.Wrap(err, fault.Unavailable, "read the log of "+r.s.server(), "Tarn connects again; see whether the server is there, and the network between")
	}
	if lost(err) {
		return &source.NeedsResnapshot{
			Tables: slices.Sorted(maps.Keys(r.pos.Tables)), Reason: fmt.Sprintf("the slot %s cannot be gone on with: %v", r.s.slot, err),
			Ask: r.s.mode != modeWhenNeeded && r.s.mode != modeAlways,
		}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == codeNoObject && strings.Contains(e.Message, "publication") {
		return fault.Wrap(err, fault.NotFound, "read the log of "+r.s.server(), "make the publication (CREATE PUBLICATION "+ident(r.s.publication)+" FOR ALL TABLES), drop the slot, and take a new snapshot: the log before the publication cannot be read")
	}
	return r.s.fault(err, "read the log of")
}
