//go:build duckdb_arrow

// Package command is how pipelines come and go: the statements that make them, what they read
// by name, and the part that runs all of them. Definitions are in meta, with the text of their
// statements; everything else is made from that text when Tarn starts.
package command

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/schemas"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/clock"
	"tarn/stream/exec"
	"tarn/stream/own"
	"tarn/stream/pipeline"
	"tarn/stream/plan"
	"tarn/stream/state"
)

// The bounds of pipelines.
const (
	pipelinesMax = 200
	streamsMax   = 1000
	// plannerKept is how long an unused planner stays open: it has two small DuckDBs.
	plannerKept = 10 * time.Second
	// lastTicks is how long the last records of tarn.ticks may take when Tarn stops.
	lastTicks = 500 * time.Millisecond
)

// Options of the part.
type Options struct {
	Bus            *bus.Bus
	Meta           *meta.Store
	Schemas        *schemas.Store
	Tables         table.Tables
	Guard          guard.Guard
	Dir            string // of the state files
	CommitInterval time.Duration
	MemoryBytes    int64
	Pulse          time.Duration // as in exec.Options
	Clock          life.Clock
	Log            *slog.Logger
	Metrics        prometheus.Registerer // nil: none
}

// Pipelines is the part. Make it with New; Run it once. Its other methods may be called by many, at any
// time.
type Pipelines struct {
	o     Options
	since time.Time
	ticks *own.Log

	planning sync.Mutex // guards the planner
	planner  *plan.Planner
	asked    int // how often it was asked, for its end

	change sync.Mutex // one change of definitions at a time

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // of Run; nil before it
	run     exec.Options
	streams map[string]stream // by name in lower case
	defs    map[string]pipeline.Definition
	runs    map[string]*exec.Run // by id
	later   map[string]time.Time // by id: before which it is not tried again to put it into its place
}

// New returns a part that has not started.
func New(o Options) *Pipelines {
	p := &Pipelines{
		o: o, since: o.Clock.Now(), ticks: own.NewLog(own.Ticks),
		streams: map[string]stream{}, defs: map[string]pipeline.Definition{}, runs: map[string]*exec.Run{}, later: map[string]time.Time{},
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(&collector{p})
	}
	return p
}

// Name is the part's name.
func (p *Pipelines) Name() string { return "pipelines" }

// Run runs all pipelines until ctx ends.
func (p *Pipelines) Run(ctx context.Context, ready func()) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	p.settle()
	p.noteAll(ctx)
	topics, err := own.Create(ctx, p.o.Bus, p.o.Schemas)
	if err != nil {
		return fmt.Errorf("make Tarn's own topics: %w", err)
	}
	clocks, err := clock.Open(ctx, topics[own.Clock], p.o.Clock, uuid.NewString())
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.ctx = ctx
	p.run = exec.Options{
		Bus: p.o.Bus, Tables: p.o.Tables, Schemas: p.o.Schemas, Own: topics, Clocks: clocks, Ticks: p.ticks, Dir: p.o.Dir, CommitInterval: p.o.CommitInterval,
		MemoryBytes: p.o.MemoryBytes, Pulse: p.o.Pulse, Clock: p.o.Clock, Log: p.o.Log,
	}
	p.mu.Unlock()
	if err := p.finish(ctx); err != nil {
		p.o.Log.Warn("a pipeline that was made anew is not in its place yet", "error", err.Error())
	}
	p.mu.Lock()
	for _, d := range p.defs {
		if p.runs[d.ID] == nil {
			p.start(d)
		}
	}
	p.mu.Unlock()
	told := p.tell(ctx, topics)
	ready()
	p.follow(ctx)
	p.mu.Lock()
	runs := p.runs
	p.runs = map[string]*exec.Run{}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, r := range runs {
		wg.Go(r.Stop)
	}
	wg.Wait()
	told()
	return p.closePlanner()
}

// tell begins to append what pipelines do to tarn.ticks; told ends that, when none runs any more.
func (p *Pipelines) tell(ctx context.Context, topics own.Topics) (told func()) {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { p.ticks.Run(running, work, topics, p.o.Log) })
	return func() {
		end()
		last := time.AfterFunc(lastTicks, cut)
		wg.Wait()
		last.Stop()
		cut()
	}
}

// settle does what must be done before anything else, for it needs no room on the disk: what pipelines have not read stays in
// the log, from which retention may take the rest now, and state files that nobody has any more go.
func (p *Pipelines) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.defs {
		p.hold(d)
	}
	p.o.Bus.ReadersKnown() // landing's have to be there in any case: the topics' settings name them
	paths, err := filepath.Glob(filepath.Join(p.o.Dir, "*.duckdb"))
	if err != nil {
		return // only for a malformed pattern
	}
	for _, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".duckdb")
		if _, ok := p.defs[id]; !ok && uuid.Validate(id) == nil {
			p.o.Log.Info("a state file without a pipeline is removed", "file", path)
			_ = state.Remove(path) // else at the next start
		}
	}
}

// follow looks after pipelines that are made anew until ctx ends.
func (p *Pipelines) follow(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.watch(ctx)
		}
	}
}

// load reads the definitions back.
func (p *Pipelines) load(ctx context.Context) error {
	streams, err := p.o.Meta.List(ctx, meta.Streams)
	if err != nil {
		return err
	}
	pipelines, err := p.o.Meta.List(ctx, meta.Pipelines)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range streams {
		var d pipeline.Stream
		if err := json.Unmarshal(e.Value, &d); err != nil {
			return fmt.Errorf("read the definition of source %s: %w", e.Key, err)
		}
		declared, err := sqltext.ParseStream(d.Statement)
		if err != nil {
			return fmt.Errorf("read the definition of source %s: %w", e.Key, err)
		}
		p.streams[e.Key] = stream{d, declared}
	}
	for _, e := range pipelines {
		var d pipeline.Definition
		if err := json.Unmarshal(e.Value, &d); err != nil {
			return fmt.Errorf("read the definition of pipeline %s: %w", e.Key, err)
		}
		p.defs[d.ID] = d
	}
	return nil
}

// start runs a pipeline that is not paused. p.mu is held.
func (p *Pipelines) start(d pipeline.Definition) {
	if d.Paused || p.ctx == nil || p.ctx.Err() != nil {
		return
	}
	p.runs[d.ID] = exec.Start(p.ctx, p.run, d, func(ctx context.Context) (exec.Job, error) { return p.job(ctx, d) }, p.running)
}

// running counts the pipelines that run.
func (p *Pipelines) running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.runs)
}

// stop ends a pipeline's run.
func (p *Pipelines) stop(id string) {
	p.mu.Lock()
	r := p.runs[id]
	delete(p.runs, id)
	p.mu.Unlock()
	if r != nil {
		r.Stop()
	}
}

// plan makes a plan with a planner that is shared, and closed when it was not used for a while.
func (p *Pipelines) plan(ctx context.Context, r plan.Request, resolve plan.Resolve) (*plan.Plan, error) {
	p.planning.Lock()
	defer p.planning.Unlock()
	if p.planner == nil {
		planner, err := plan.New(ctx)
		if err != nil {
			return nil, err
		}
		p.planner = planner
	}
	p.asked++
	asked := p.asked
	time.AfterFunc(plannerKept, func() {
		p.planning.Lock()
		unused := p.asked == asked
		p.planning.Unlock()
		if unused {
			_ = p.closePlanner()
		}
	})
	return p.planner.Plan(ctx, r, resolve)
}

func (p *Pipelines) closePlanner() error {
	p.planning.Lock()
	defer p.planning.Unlock()
	if p.planner == nil {
		return nil
	}
	planner := p.planner
	p.planner = nil
	return planner.Close()
}

// Statuses tells of all pipelines, in order of name.
func (p *Pipelines) Statuses() []pipeline.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []pipeline.Status
	for id, d := range p.defs {
		s := pipeline.Status{Definition: d, State: pipeline.Paused}
		if r := p.runs[id]; r != nil {
			s = r.Status()
			s.Definition = d
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b pipeline.Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Report has a line for each pipeline that does not run as it should.
func (p *Pipelines) Report() []life.Status {
	out := []life.Status{}
	for _, s := range p.Statuses() {
		line := life.Status{Name: "pipeline:" + s.Name, Since: p.since, Error: s.Error, Hint: s.Hint}
		switch s.State {
		case pipeline.Waiting:
			line.State = life.Degraded
		case pipeline.Failed:
			line.State = life.Failed
		default:
			continue
		}
		out = append(out, line)
	}
	return out
}

// find finds a pipeline by its name, or by the last part of it.
func (p *Pipelines) find(t sqltext.Table) (pipeline.Definition, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := strings.ToLower(nameOf(t))
	var found []pipeline.Definition
	var names []string
	for _, d := range p.defs {
		if names = append(names, d.Name); t.Schema == "" {
			names = append(names, d.Into.Name)
		}
		if d.Name == name {
			return d, nil
		}
		if t.Schema == "" && d.Into.Name == name {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		hint := "see SHOW PIPELINES"
		if near := sqltext.Nearest(name, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return pipeline.Definition{}, fault.Newf(fault.NotFound, hint, "there is no pipeline %s", t)
	}
	return pipeline.Definition{}, fault.Newf(fault.Invalid, "write its schema, too", "%s means more than one pipeline", t)
}

func nameOf(t sqltext.Table) string {
	if t.Schema != "" {
		return t.Schema + "." + t.Name
	}
	return t.Name
}

// keep stores a definition, and makes it known.
func (p *Pipelines) keep(ctx context.Context, d pipeline.Definition) error {
	value, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := p.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Pipelines, Key: d.ID, Value: value}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.defs[d.ID] = d
	return nil
}

// forget takes a definition and its state away.
func (p *Pipelines) forget(ctx context.Context, d pipeline.Definition) error {
	if err := p.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Pipelines, Key: d.ID}); err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.defs, d.ID)
	p.mu.Unlock()
	return state.Remove(p.statePath(d))
}
