//go:build duckdb_arrow

// Package exec runs pipelines: each has one goroutine that reads its topics, cuts what came into
// ticks, applies each tick to the pipeline's state and commits what came out to its table,
// exactly once. Protocol P1 to P7 (docs/pipelines.md): a tick is one transaction of the state
// file over operators, outbox and offsets; the table's commit carries the epoch up to which the
// outbox is in it, as a property; after a crash the outbox is committed from that epoch on, and
// the topics are read from the state's offsets on. A pipeline without state has the same
// tables in memory, and its offsets are a property of its table.
package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/clock"
	"tarn/stream/landing"
	"tarn/stream/own"
	"tarn/stream/pipeline"
	"tarn/stream/plan"
	"tarn/stream/reader"
	"tarn/stream/state"
)

// The bounds of a tick and of a commit.
const (
	tickRowsMax    = 20_000
	tickBytesMax   = 4 << 20            // of records, or of their columns where those are wider
	wideRowsMax    = duck.BlockRows / 2 // for has(2)
	tickTimes      = 4                  // as much has a tick of a pipeline that is far behind: a row costs half as much in it
	tickTimesAll   = 16                 // as much have all pipelines' ticks together, where each has more than once
	tickMemory     = 16 << 20           // of the state's, for each time
	scarceMax      = 7                  // lacks of memory make ticks smaller: the first one ends tickTimes, each other one halves them
	tickFulls      = 4                  // full ticks, one behind the other, tell that a pipeline is far behind
	easedFulls     = 200                // full ticks, one behind the other, after which one is twice as large again
	tickMin        = 50 * time.Millisecond
	tickMax        = 5 * time.Second
	tickBehind     = time.Second // so long a tick waits at most, to be full while there is that much to read, or for a commit
	tickCPUPercent = 20          // of its interval a tick may take before the interval grows
	stateCommits   = 50          // a second, of all pipelines together
	commitRowsMax  = 100_000
	pulseDefault   = time.Second
	backoffMin     = 100 * time.Millisecond
	backoffMax     = 10 * time.Second
	failedRecheck  = 30 * time.Second
	stopLimit      = 2 * time.Second
)

// Options are what pipelines run on.
type Options struct {
	Bus            *bus.Bus
	Tables         table.Tables
	Schemas        *schemas.Store // of the tables that mirrors are of
	Own            own.Topics
	Clocks         *clock.Clocks
	Ticks          *own.Log      // of what all pipelines do
	Dir            string        // of the state files
	CommitInterval time.Duration // of each table
	// MemoryBytes are what the states of all pipelines may take together.
	MemoryBytes int64
	// Pulse is the time between two looks for idle and quiet partitions; 0 = 1 s. Tests shorten it.
	Pulse time.Duration
	Clock life.Clock
	Log   *slog.Logger
}

// Input is one scan of a plan with what fills it.
type Input struct {
	Topic   string // its name
	Format  Format
	Mirror  table.Ident // read first, then Topic from its offsets; the zero Ident for none
	Loose   bool        // a column of the mirror's key may be null: the scan's last column is landing.KeyColumn
	Names   []string    // of the plan's columns in the records
	OnError string      // dead_letter, skip, stop
	Idle    time.Duration
	Flush   time.Duration // 0 = never
	Global  bool          // a row is late by the watermark of the whole source, not by that of its own partition
	Latest  bool          // begin at the log's end
	Log     bool          // begin at the log's start, also where it once began before
	ClockID string        // under which decisions about its time are kept
}

// Format is how records are read.
type Format string

// The formats.
const (
	JSON     Format = "json"
	Debezium Format = "debezium-json"
)

// Job is a pipeline that is ready to run.
type Job struct {
	Plan   *plan.Plan
	Inputs []Input // of the plan's scans
}

// Run is a pipeline that runs, or ran. Its exported methods may be called by many.
type Run struct {
	pipeline.Definition
	o       Options
	prepare func(context.Context) (Job, error)
	job     Job
	log     *slog.Logger
	share   func() int // how many pipelines run: they share memory and commits
	told    told       // of its goroutine, as is sized
	sized   sized
	careful bool // of its goroutine, too: its SELECT could not compute with a record, see sift
	scarce  int  // of its goroutine, too: how often a tick lacked memory, for which all are smaller from then on

	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	status pipeline.Status
	taken  taken // as the session said last
}

// Start runs a pipeline until ctx ends or Stop is called; what is in flight is finished within
// stopLimit. prepare makes its plan; it is asked again where it fails, as while a mirror is not there yet.
func Start(ctx context.Context, o Options, d pipeline.Definition, prepare func(context.Context) (Job, error), share func() int) *Run {
	stop, cancel := context.WithCancel(ctx)
	r := &Run{Definition: d, o: o, prepare: prepare, log: o.Log.With("pipeline", d.Name), share: share, cancel: cancel, done: make(chan struct{})}
	r.status = pipeline.Status{Definition: d, State: pipeline.Starting}
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(stop, func() { time.AfterFunc(stopLimit, end) })
	go func() {
		defer close(r.done)
		defer end()
		r.run(stop, work)
		r.tell(true)
	}()
	return r
}

// Stop ends the pipeline and waits for it.
func (r *Run) Stop() {
	r.cancel()
	<-r.done
}

// Status tells of the pipeline. Its lag is that of now, and not of the last look at the log.
func (r *Run) Status() pipeline.Status {
	r.mu.Lock()
	status, taken := r.status, r.taken
	r.mu.Unlock()
	if status.State == pipeline.Running {
		status.LagRecords = taken.lag()
	}
	return status
}

func (r *Run) update(change func(*pipeline.Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

// errGrown ends a session whose topic has more partitions than it reads: the next one reads them all.
var errGrown = errors.New("a topic has more partitions")

// failure is an error that trying again does not mend.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func (r *Run) run(stop, work context.Context) {
	wait := backoffMin
	for {
		before := r.Status().Epoch
		err := named(r.Name, r.o.Dir, life.Guarded(r.log, func() error { return r.session(stop, work) }))
		if duck.OutOfMemory(err) && !errors.Is(err, errCommit) {
			r.scarce = min(r.scarce+1, scarceMax)
		}
		if errors.Is(err, errCareful) && !r.careful {
			r.careful = true
			continue
		}
		if errors.Is(err, errGrown) && stop.Err() == nil {
			continue
		}
		if err == nil || work.Err() != nil || stop.Err() != nil && errors.Is(err, context.Canceled) {
			return
		}
		if r.Status().Epoch > before {
			wait = backoffMin
		}
		pause, to := wait, pipeline.Waiting
		if _, stuck := errors.AsType[failure](err); stuck {
			pause, to = failedRecheck, pipeline.Failed
		}
		r.update(func(s *pipeline.Status) { s.State, s.Error, s.Hint = to, err.Error(), fault.HintOf(err) })
		r.log.Warn("pipeline waits", "error", err.Error(), "retry_ms", pause.Milliseconds())
		select {
		case <-stop.Done():
			return
		case <-time.After(pause):
		}
		wait = min(2*wait, backoffMax)
	}
}

// named turns DuckDB's want of memory or room into a fault that names the setting. dir has the states.
func named(name, dir string, err error) error {
	full := duck.NoWrite(err)
	switch {
	case errors.Is(full, syscall.ENOSPC):
		return fault.Wrap(err, fault.NoSpace, "pipeline "+name+" has no room for its state on the disk of "+dir,
			"free some disk space, so that more than disk.reserve is free; it goes on by itself")
	case full != nil:
		return fault.Wrap(err, fault.NoSpace, "the disk of "+dir+" takes no writes of pipeline "+name, fault.HintOf(full))
	case duck.OutOfMemory(err) && errors.Is(err, errCommit):
		return fault.Wrap(err, fault.TooLarge, "pipeline "+name+" cannot commit, for the lake needs more memory than its share", "raise memory, a setting (see `tarn config`); nothing is lost, and it is tried again")
	case duck.OutOfMemory(err):
		return fault.Wrap(err, fault.TooLarge, "pipeline "+name+" needs more memory than pipelines may have", "raise memory, or let windows or a filter bound what the pipeline keeps; nothing is lost, and it is tried again")
	case duck.Refused(err):
		why, _, _ := strings.Cut(err.Error(), "\n") // behind it is text of Tarn's own
		return failure{fault.Wrap(errors.New(why), fault.Invalid, "pipeline "+name+" met a value that its SELECT cannot compute with",
			"on_error cannot leave it out, for it is no single record's but a changelog's or an aggregate's: ALTER PIPELINE "+name+" AS … with TRY_CAST or TRY(…), which give null there; nothing was read past it")}
	}
	return err
}

// keeps tells whether the pipeline has a state file. One without operators needs none, unless it
// reads a topic twice: its table's property has one offset for each partition.
func (r *Run) keeps() bool {
	topics := map[string]bool{}
	for _, input := range r.job.Inputs {
		if topics[input.Topic] {
			return true
		}
		topics[input.Topic] = true
	}
	return r.job.Plan.Stateful()
}

// statePath is the pipeline's file.
func (r *Run) statePath() string { return filepath.Join(r.o.Dir, r.ID+".duckdb") }

// session is one run between two errors.
func (r *Run) session(stop, work context.Context) (err error) {
	if r.job.Plan == nil {
		if r.job, err = r.prepare(work); fault.CodeOf(err) == fault.Invalid {
			return failure{err}
		} else if err != nil {
			return err
		}
		r.update(func(s *pipeline.Status) { s.Stateful = r.keeps() })
	}
	s := &session{Run: r, plan: r.job.Plan, pasts: map[int]*reader.Past{}, times: 1}
	if s.table, err = r.openTable(work); err != nil {
		return err
	}
	s.memory = r.memory()
	o := state.Options{Name: r.Name, MemoryBytes: s.memory}
	if r.keeps() {
		o.Path, o.TempDir = r.statePath(), filepath.Join(r.o.Dir, r.ID+".tmp")
	}
	if s.state, err = r.openState(work, o); errors.Is(err, state.ErrUnusable) {
		return r.unusable(s.table, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.state.Close()) }()
	if err := s.recover(work); err != nil {
		return err
	}
	if err := s.bootstrap(work); err != nil {
		return err
	}
	in, err := s.open(work)
	if err != nil {
		return err
	}
	defer in.Close()
	s.lag() // before it says that it runs: no lag is not the same as none known
	r.update(func(st *pipeline.Status) { st.State, st.Error, st.Hint = pipeline.Running, "", "" })
	return s.loop(stop, work, in)
}

// openState opens the state. One whose mirrors were not all read is begun anew: nothing of it was committed.
func (r *Run) openState(ctx context.Context, o state.Options) (*state.State, error) {
	s, err := state.Open(ctx, o, r.job.Plan)
	if err != nil || o.Path == "" || s.Progress.Loaded || s.Progress.Epoch == 0 {
		return s, err
	}
	if err := errors.Join(s.Close(), state.Remove(o.Path)); err != nil {
		return nil, err
	}
	return state.Open(ctx, o, r.job.Plan)
}

// memory is this pipeline's part of what all may take.
func (r *Run) memory() int64 {
	const least = 32 << 20
	return max(least, r.o.MemoryBytes/int64(max(1, r.share())))
}

// unusable is what to do about a state that is of no use. One of which the table has nothing is begun
// anew; else the pipeline is made anew beside the table.
func (r *Run) unusable(t table.Table, err error) error {
	if _, committed := t.Property(r.epochProperty()); !committed {
		r.log.Warn("the state is set aside, and made again from the log", "error", err.Error())
		return errors.Join(err, state.SetAside(r.statePath(), r.o.Clock.Now()))
	}
	r.update(func(s *pipeline.Status) { s.Unusable = true })
	return failure{fault.Wrap(err, fault.Damaged, "go on with pipeline "+r.Name, "it is made anew from the log, if the log still has all of it; else ALTER PIPELINE "+r.Name+" REBUILD makes it of what is left. Its table is as it was")}
}

// anew ends a pipeline over a mirror whose rows are told apart by other columns than when it was planned: its state would take some for
// one. It is made anew beside the table.
func (r *Run) anew(mirror table.Ident, why string) error {
	r.update(func(s *pipeline.Status) { s.Unusable = true })
	return failure{fault.Newf(fault.Invalid, fmt.Sprintf("it is made anew by itself. Where the SELECT leaves columns of the key out, or %s, which tells rows apart whose key is null, say ALTER PIPELINE %s AS … with them", landing.KeyColumn, r.Name),
		"%s %s, for which pipeline %s was not made", mirror, why, r.Name)}
}

// loop takes what comes until stop.
func (s *session) loop(stop, work context.Context, in *reader.Reader) error {
	tick, beat := time.NewTimer(time.Hour), time.NewTicker(cmp.Or(s.o.Pulse, pulseDefault))
	defer tick.Stop()
	defer beat.Stop()
	for {
		select {
		case <-stop.Done():
			return s.publish(work)
		case f := <-in.Fetches():
			if err := s.take(work, f); err != nil {
				return err
			}
			if wait := s.due(); wait > 0 {
				tick.Reset(wait)
				continue
			}
		case <-tick.C:
		case <-beat.C:
			if err := s.pulse(work); err != nil {
				return err
			}
			if s.grown() {
				return errGrown
			}
			if !s.waiting() || s.rows > 0 && (s.filling() || s.early() > 0) { // tick is set for those rows
				continue
			}
		}
		if err := s.advance(work); err != nil {
			return err
		}
		s.lag() // who waits for it sees it go at once, and not at the next beat
	}
}

// advance ends the tick in hand, and commits what is due.
func (s *session) advance(ctx context.Context) error {
	if err := s.tick(ctx); err != nil {
		return err
	}
	if s.published.IsZero() || time.Since(s.published) >= s.o.CommitInterval || s.unpublished >= commitRowsMax || s.state.Full() {
		return s.publish(ctx)
	}
	return nil
}
