package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
)

// The bounds of the runner's patience.
const (
	retryFirst = 200 * time.Millisecond
	retryMax   = 5 * time.Second
	// stopGrace is how long an append and its position may take after the stop.
	stopGrace = 2 * time.Second
	// positionShown bounds what Status shows of a position.
	positionShown = 4096
)

// The states of a source, as Status shows them.
const (
	Starting     = "starting"
	Snapshotting = "snapshot"
	Streaming    = "streaming"
	Retrying     = "retrying"
	Failed       = "failed"
	Stopped      = "stopped"
	Paused       = "paused"
)

// Options of a runner.
type Options struct {
	Kind    Kind
	Config  Config
	Log     Log
	Meta    *meta.Store
	Schemas *schemas.Store
	// Transform changes records before they go to a topic; nil for none.
	Transform Transform
	Logger    *slog.Logger
	Metrics   *Metrics
	Clock     life.Clock
	Version   string // Tarn's, for the envelope
	Spool     Spool  // each source has a folder of its own in it
	// AckDelay holds acknowledgments back: with bus.fsync interval two intervals (rule 3).
	AckDelay time.Duration
	// Dead appends dead letters of a topic, each once by its place; nil where there are none.
	Dead func(ctx context.Context, of Burial, letters []Dead) error
}

// Runner runs one connector: opens it where it stood, publishes what it reads, saves its
// position, and tries again whatever fails. One goroutine is in Run; Status may be called
// by any.
type Runner struct {
	o        Options
	id       string
	position Position
	parts    map[string]*part      // by topic
	buried   map[string]record.Pos // the last dead letter that was counted, by topic with the id of its place
	stands   map[string]record.Pos // of transformed records: where the source stands, by the topic that its table would have
	intents  map[string]intent     // of transformed chunks: what may be in its topics since the position was saved, likewise
	claims   map[string]string     // of topics that have another name: which had it first
	// generations are the highest of each topic, as far as they were asked for.
	generations map[string]int64
	wished      map[string]bool   // those of resnapshot that meta asked for
	frames      map[string]framed // by topic
	slabs       sync.Pool         // of *slab: as many as batches are on their way
	acks        []delayedAck

	mu     sync.Mutex
	source Source // while it is open
	reopen func() // ends the session that is under way
	status Status
	found  []Finding        // what the source told when it was asked last
	listed []TableState     // likewise
	events []Finding        // the newest things that happened, eventsMax at most
	rows   map[string]int64 // by topic
	// By table. Run's goroutine and its lane, in turns, change them, and so read them without mu.
	resnapshot map[string]string // why it gets a new snapshot at the next opening
	awaited    map[string]string // why somebody is to ask for one
	skip       map[string]Finding
}

// eventsMax bounds what a runner remembers of what happened.
const eventsMax = 20

// delayedAck is a position that may be acknowledged from a moment on.
type delayedAck struct {
	at Position
	on time.Time // by a clock that nobody sets
}

// NewRunner returns a runner that has not started.
func NewRunner(o Options) *Runner {
	return &Runner{
		o: o, parts: map[string]*part{}, buried: map[string]record.Pos{}, stands: map[string]record.Pos{}, intents: map[string]intent{}, claims: map[string]string{}, generations: map[string]int64{}, wished: map[string]bool{},
		frames: map[string]framed{}, rows: map[string]int64{}, resnapshot: map[string]string{}, awaited: map[string]string{}, skip: map[string]Finding{},
		status: Status{Name: o.Config.Name, Kind: o.Kind.Name, State: Starting, Since: o.Clock.Now()},
	}
}

// Status is the source's line in system.sources.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.source.(Finder); ok {
		r.found = f.Findings()
	}
	s := r.status
	s.Findings, s.Topics, s.Tables = slices.Concat(r.found, r.events), slices.Clone(s.Topics), r.tables()
	if l, ok := r.source.(Lagger); ok {
		s.Lag = l.Lag()
	}
	if s.State == Streaming && s.Lag.Snapshot != "" {
		s.State = Snapshotting
	}
	return s
}

// use tells Status which source is open; nil for none.
func (r *Runner) use(s Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.source = s
}

// Run blocks until ctx ends; it lands what is in flight and returns within three seconds.
// A source that fails is tried again for ever.
func (r *Runner) Run(ctx context.Context) {
	defer r.set(Stopped, nil)
	pause := newPauses()
	for ctx.Err() == nil {
		r.round(ctx, pause)
	}
}

// round is a session, and what follows from its end. It returns at once when Reopen is called.
func (r *Runner) round(ctx context.Context, pause *pauses) {
	ctx, reopen := context.WithCancel(ctx)
	defer reopen()
	r.mu.Lock()
	r.reopen = reopen
	r.mu.Unlock()
	var progress bool
	err := life.Guarded(r.o.Logger.With("source", r.o.Config.Name), func() (err error) {
		progress, err = r.session(ctx)
		return err
	})
	if ctx.Err() != nil {
		return
	}
	if progress {
		pause.reset()
	}
	var needs *NeedsResnapshot
	var bad *quarantine
	switch {
	case errors.As(err, &needs) && needs.Ask:
		r.await(needs)
		<-ctx.Done()
		return
	case errors.As(err, &needs):
		r.demand(needs)
	case errors.As(err, &bad):
		r.quarantine(bad)
	default:
		r.set(Retrying, err)
		r.o.Logger.Warn("source is tried again", "source", r.o.Config.Name, "error", err)
	}
	r.o.Metrics.retries.WithLabelValues(r.o.Config.Name).Inc()
	pause.wait(ctx)
}

// demand notes the tables that get a new snapshot at the next opening.
func (r *Runner) demand(needs *NeedsResnapshot) {
	for _, table := range needs.Tables {
		r.mu.Lock()
		r.resnapshot[table] = needs.Reason
		r.mu.Unlock()
		r.happened(Finding{Table: table, Message: fmt.Sprintf("table %s is captured anew: %s", table, needs.Reason)})
	}
	r.o.Metrics.resnapshots.WithLabelValues(r.o.Config.Name).Inc()
	r.o.Logger.Warn("source needs a new snapshot", "source", r.o.Config.Name, "tables", needs.Tables, "reason", needs.Reason)
}

// quarantine leaves a table out until the next start, and lets the others go on.
func (r *Runner) quarantine(q *quarantine) {
	f := Finding{Table: q.table, Message: fmt.Sprintf("table %s is quarantined: %v", q.table, q.err), Hint: fault.HintOf(q.err)}
	r.mu.Lock()
	r.skip[q.table] = f
	r.mu.Unlock()
	r.happened(f)
	r.o.Logger.Error("table is quarantined", "source", r.o.Config.Name, "table", q.table, "error", q.err)
}

func (r *Runner) happened(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, f)
	if len(r.events) > eventsMax {
		r.events = r.events[1:]
	}
}

func (r *Runner) set(state string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State != state {
		r.status.State, r.status.Since = state, r.o.Clock.Now()
	}
	r.status.Error, r.status.Hint = "", ""
	if err != nil {
		r.status.Error, r.status.Hint = err.Error(), fault.HintOf(err)
	}
}

// session opens the source where it stands and reads it until something fails that
// reading on would not heal. progress tells that it got a batch through.
func (r *Runner) session(ctx context.Context) (progress bool, err error) {
	if err := r.identify(ctx); err != nil {
		return false, err
	}
	if err := errors.Join(r.settle(ctx), r.wishes(ctx)); err != nil {
		return false, err
	}
	// What is in flight when ctx ends lands, if it does so in a moment.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, cancel) })()
	ctx, stop := context.WithCancel(ctx) // Next may wait for a change that does not come
	defer stop()
	l := newLane(own, stop, r.o.Logger.With("source", r.o.Config.Name))
	defer func() { _ = l.close() }() // where Open panics
	s, err := r.o.Kind.Open(ctx, r.o.Config, r.env(l), r.position)
	if err != nil {
		return false, errors.Join(err, l.close())
	}
	r.use(s)
	r.acks = nil
	landed := false // the lane's
	defer func() {
		err = cmp.Or(l.close(), err)
		progress = landed
		r.use(nil)
		err = errors.Join(err, s.Close())
	}()
	return false, r.follow(ctx, s, l, &landed)
}

// env is what a source is lent. What it asks about its topics is answered when all that it has handed over is there.
func (r *Runner) env(l *lane) Env {
	return Env{
		SourceID: r.id, Schema: r.o.Schemas.Put, Now: r.o.Clock.Now, Records: r.o.Log.Records, Spool: r.spool(), Version: r.o.Version,
		Resnapshot: slices.Sorted(maps.Keys(r.resnapshot)), Asked: slices.Sorted(maps.Keys(r.wished)), Skip: slices.Sorted(maps.Keys(r.skip)),
		Saved: l.wait, Log: r.o.Logger.With("source", r.o.Config.Name),
		Place: func(topic string) record.Pos {
			_ = l.wait() // an error of it ends the session
			return r.place(topic)
		},
		Generation: func(ctx context.Context, topic string) (int64, error) {
			if err := l.wait(); err != nil {
				return 0, err
			}
			return r.generation(ctx, r.topicOf(topic))
		},
	}
}

// follow gives the lane what a source reads, until something fails.
func (r *Runner) follow(ctx context.Context, s Source, l *lane, landed *bool) error {
	pause := newPauses()
	for {
		b, err := s.Next(ctx)
		if err != nil {
			if behind := l.wait(); behind != nil { // what was read before comes first
				return behind
			}
		}
		if bad := (*quarantine)(nil); errors.As(err, &bad) {
			return err // whatever its cause: tried again, the table would keep the others from going on
		}
		if fault.CodeOf(err) == fault.Unavailable && ctx.Err() == nil {
			r.set(Retrying, err)
			r.o.Metrics.retries.WithLabelValues(r.o.Config.Name).Inc()
			pause.wait(ctx)
			continue
		}
		if err == nil {
			err = r.carry(s, l, b, landed)
		}
		if err == nil && (!r.o.Kind.Ahead || len(b.Topics) == 0) {
			err = l.wait()
		}
		if err != nil {
			return err
		}
		pause.reset()
	}
}

func (r *Runner) spool() Spool {
	s := r.o.Spool
	if s.Dir != "" {
		s.Dir = filepath.Join(s.Dir, r.id)
	}
	return s
}

// carry renders a batch and gives the lane what takes it through: its topics' parts are appended, and behind them its position is
// saved and acknowledged.
func (r *Runner) carry(s Source, l *lane, b Batch, landed *bool) error {
	b.Topics = slices.Clone(b.Topics)
	appended := false // the lane's
	for i := range b.Topics {
		err := r.prepare(&b.Topics[i], func(out *rendered) error {
			return l.put(func(ctx context.Context) error {
				n, err := r.publish(ctx, out)
				if appended = appended || n; err == nil {
					r.done(out)
				}
				return err
			})
		})
		if err != nil {
			return err
		}
		b.Topics[i].Changes = nil // they are rendered
	}
	return l.put(func(ctx context.Context) error {
		if appended {
			fault.Point("source.acked")
		}
		err := r.conclude(ctx, s, b)
		*landed = *landed || err == nil
		return err
	})
}

// conclude saves the position of a batch that is in the log, and acknowledges it.
func (r *Runner) conclude(ctx context.Context, s Source, b Batch) error {
	if b.Mark == nil {
		r.show(s)
		return nil
	}
	if err := r.save(ctx, b.Mark); err != nil {
		return err
	}
	if err := r.fulfilled(ctx, b); err != nil {
		return err
	}
	r.mu.Lock()
	clear(r.resnapshot) // the tables that were asked for are in the saved position
	r.mu.Unlock()
	r.show(s)
	r.acks = append(r.acks, delayedAck{b.Mark, time.Now().Add(r.o.AckDelay)})
	return r.acknowledge(ctx, s)
}

func (r *Runner) acknowledge(ctx context.Context, s Source) error {
	now := time.Now()
	due := 0
	for due < len(r.acks) && !r.acks[due].on.After(now) {
		due++
	}
	if due == 0 {
		return nil
	}
	at := r.acks[due-1].at
	r.acks = r.acks[due:]
	return s.Ack(ctx, at)
}

// save saves the position, however long it takes: appending on without it would be wrong.
func (r *Runner) save(ctx context.Context, at Position) error {
	pause := newPauses()
	for {
		err := r.o.Meta.Put(ctx, append(r.standing(), meta.Entry{Bucket: meta.Positions, Key: r.id, Value: at})...)
		if err == nil {
			r.position = at
			clear(r.intents)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		r.set(Retrying, err)
		pause.wait(ctx)
	}
}

// show refreshes the status after a batch.
func (r *Runner) show(s Source) {
	var lag Lag
	if l, ok := s.(Lagger); ok {
		lag = l.Lag()
	}
	r.set(Streaming, r.leftOut())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Position = string(r.position[:min(len(r.position), positionShown)])
	r.status.Topics = r.filled()
	r.o.Metrics.lag.WithLabelValues(r.o.Config.Name).Set(float64(lag.Millis) / 1000)
}

// leftOut is the error of a source that goes on without some of its tables; nil without such.
func (r *Runner) leftOut() error {
	if len(r.skip) == 0 {
		return nil
	}
	tables := slices.Sorted(maps.Keys(r.skip))
	first := r.skip[tables[0]]
	if len(tables) == 1 {
		return fault.New(fault.Unavailable, first.Message, first.Hint)
	}
	return fault.New(fault.Unavailable, fmt.Sprintf("tables %s are quarantined; %s", strings.Join(tables, ", "), first.Message), first.Hint)
}

// identify reads the source's id and position, or gives a new source its id. A connector
// of another class under the same name is another source.
func (r *Runner) identify(ctx context.Context) error {
	if r.id != "" {
		return nil
	}
	id, err := register(ctx, r.o.Meta, r.o.Config, r.o.Kind.Class, func() (string, error) { return r.ownerOf(ctx) })
	if err != nil {
		return err
	}
	at, err := r.o.Meta.Get(ctx, meta.Positions, id)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return err
	}
	r.id, r.position = id, at
	return r.recall(ctx)
}

// place is where the source stands in a topic.
func (r *Runner) place(topic string) record.Pos {
	if r.changesRecords() {
		return r.stands[topic]
	}
	p, ok := r.o.Log.Find(r.topicOf(topic))
	if !ok {
		return record.Pos{}
	}
	at, _ := p.Place(r.id)
	return at
}

// pauses are the waits between tries: they double, and each is cut by chance so that many
// sources do not try at once.
type pauses struct{ next time.Duration }

func newPauses() *pauses { return &pauses{next: retryFirst} }

func (p *pauses) reset() { p.next = retryFirst }

func (p *pauses) wait(ctx context.Context) {
	d := p.next/2 + rand.N(p.next/2) //nolint:gosec // not for secrets
	p.next = min(2*p.next, retryMax)
	_ = life.Wait(ctx, d)
}
