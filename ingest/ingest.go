// Package ingest is the room where data comes in. In come the files of the project's
// connectors folder; out go record batches on the bus, each acknowledged change once. It
// promises that one connector's trouble is its own, and never touches a table of the lake.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/schemas"
	"tarn/ingest/httpdoor"
	"tarn/ingest/source"
)

// lookEvery is the time between two looks at the connectors folder.
const lookEvery = 2 * time.Second

// connectorsMax bounds how many connectors one Tarn runs.
const connectorsMax = 1000

// Options of the room.
type Options struct {
	Bus     *bus.Bus
	Groups  *group.Coordinator
	Meta    *meta.Store
	Schemas *schemas.Store
	Guard   guard.Guard                          // nil: everyone may do everything
	Mount   func(pattern string, h http.Handler) // on the HTTP door; nil for none
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: counted for nobody
	Clock   life.Clock
	Dir     string        // the project's connectors folder, which need not be there; empty for no project
	Kinds   []source.Kind // of connectors; nil for those that there are
	Version string        // Tarn's, for the envelope
	Spool   source.Spool
	// AckDelay holds acknowledgments to sources back; with bus.fsync interval two intervals.
	AckDelay time.Duration
	// Dead appends what a source found to be no record to the dead letters, each once by its place.
	Dead func(ctx context.Context, of source.Burial, letters []source.Dead) error
}

// Ingest runs a source for each connector file. It is a life.Part and a life.Reporter.
type Ingest struct {
	o       Options
	log     source.Log
	metrics *source.Metrics
	door    *httpdoor.Door

	// Only Run's goroutine has these.
	every     time.Duration  // between two looks
	absent    map[string]int // by connector name: in so many looks its file was missing
	passed    string         // the connector that this look starts without a check
	clearAt   time.Time      // when what ended connectors left is tried again
	clearWait time.Duration

	asks   chan *ask
	checks sync.WaitGroup
	check  func(ctx context.Context, c connector) *fault.Error // the first thing that keeps it from starting

	writing sync.Mutex // one connector's file is written after the other
	noting  sync.Mutex // before mu; not mu, for those who only look do not wait for the disk

	mu      sync.Mutex
	heldAs  map[string]string // by connector name: the state in which it is held, Paused or Stopped
	entries map[string]*entry // by file name
}

// entry is one connector file with what became of it.
type entry struct {
	text   string // of the file when it was read last
	fault  error  // why the file, as it is now, does not run
	since  time.Time
	conn   connector
	runner *source.Runner // nil when it does not run
	cancel context.CancelFunc
	done   chan struct{}
	halted string // the state in which it is held: the runner has stopped, or never began; "" where it is not

	// One whose check kept it from starting is tried again from a moment on, which comes later each time.
	unstarted bool
	next      time.Time
	wait      time.Duration
	verdict   chan *fault.Error // of a check that is under way; only Run's goroutine has it
}

// New returns the room; Run opens its doors.
func New(o Options) *Ingest {
	return newOn(o, source.OnBus(o.Bus))
}

func newOn(o Options, log source.Log) *Ingest {
	if o.Dir != "" {
		if dir, err := filepath.Abs(o.Dir); err == nil {
			o.Dir = dir
		}
	}
	if o.Kinds == nil {
		o.Kinds = Kinds()
	}
	door := httpdoor.New(httpdoor.Options{Bus: o.Bus, Guard: o.Guard, Clock: o.Clock, Log: o.Log, Metrics: o.Metrics})
	if o.Mount != nil {
		o.Mount("/ingest/{topic}", door)
	}
	g := &Ingest{o: o, log: log, metrics: source.NewMetrics(o.Metrics), door: door, entries: map[string]*entry{}, heldAs: map[string]string{}, asks: make(chan *ask), every: lookEvery, check: checked}
	if o.Metrics != nil {
		o.Metrics.MustRegister(&collector{g.Statuses})
	}
	return g
}

// Name is the part's name.
func (g *Ingest) Name() string { return "ingest" }

// Run runs the connectors of the folder, and follows its changes, until ctx ends. Trouble
// of a connector is in Statuses and never ends Run.
func (g *Ingest) Run(ctx context.Context, ready func()) error {
	var door sync.WaitGroup
	door.Go(func() { g.door.Run(ctx) })
	defer door.Wait()
	defer g.checks.Wait()
	defer g.stopAll()
	g.mu.Lock()
	clear(g.entries)
	g.mu.Unlock()
	g.absent, g.clearAt, g.clearWait = map[string]int{}, time.Time{}, clearAgain
	if err := g.readHeld(ctx); err != nil {
		return err
	}
	g.look(ctx)
	ready()
	tick := time.NewTicker(g.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			g.look(ctx)
		case a := <-g.asks:
			g.do(ctx, a)
		}
	}
}

// look reads the folder and starts, restarts and stops what changed.
func (g *Ingest) look(ctx context.Context) {
	if g.o.Dir == "" {
		return
	}
	paths, err := connectorFiles(g.o.Dir)
	if err != nil {
		// What runs goes on: a folder that cannot be read has not been emptied.
		if !errors.Is(err, fs.ErrNotExist) || len(g.files()) > 0 {
			g.o.Log.Error("connectors folder is not read", "dir", g.o.Dir, "error", err)
		}
		return
	}
	seen := map[string]bool{}
	for _, path := range paths {
		seen[filepath.Base(path)] = true
	}
	for _, path := range paths {
		file := filepath.Base(path)
		text, err := os.ReadFile(path)
		if err != nil {
			text = []byte(err.Error())
		}
		if e := g.entry(file); e != nil && e.text == string(text) {
			g.tryAgain(ctx, file, e)
			continue
		}
		g.change(ctx, file, path, string(text), seen)
	}
	if err := g.endAbsent(ctx, seen); err != nil {
		g.o.Log.Warn("connectors whose file is gone are not ended yet", "error", err)
	}
	g.clear(ctx)
}

// connectorFiles lists the files of a connectors folder; none for no folder.
func connectorFiles(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range list {
		if !f.IsDir() && filepath.Ext(f.Name()) == ".json" {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	if len(paths) > connectorsMax {
		return nil, fault.Newf(fault.TooLarge, "remove files, or run several Tarns", "%d connector files, at most %d", len(paths), connectorsMax)
	}
	return paths, nil
}

// change takes over a file that is new or was changed. What a file that no longer parses
// said before goes on running. A file of a new name may carry a connector on whose own file
// is gone.
func (g *Ingest) change(ctx context.Context, file, path, text string, seen map[string]bool) {
	c, err := readConnector(path, g.project(), g.o.Kinds)
	old := g.entry(file)
	if other := g.owner(c.config.Name, file); err == nil && other != "" {
		if seen[other] || old != nil && old.runner != nil {
			err = fault.Newf(fault.Conflict, "give each connector a name of its own", "connector file %s: the name %s is that of %s", file, c.config.Name, other)
		} else {
			old = g.entry(other)
			g.drop(other)
		}
	}
	if err != nil {
		g.o.Log.Warn("connector file is not taken over", "file", file, "error", err)
		e := &entry{text: text, fault: err, since: g.o.Clock.Now(), conn: connector{file: file}}
		if fault.CodeOf(err) != fault.Conflict {
			e.conn.config.Name = c.config.Name
		}
		if old != nil && old.runner != nil {
			e.runner, e.cancel, e.done, e.conn, e.halted = old.runner, old.cancel, old.done, old.conn, old.halted
		}
		g.put(file, e)
		return
	}
	if old != nil {
		old.stop()
	}
	e := g.start(ctx, text, c)
	if e.unstarted {
		g.o.Log.Error("connector does not start", "source", c.config.Name, "error", e.fault.Error(), "hint", fault.HintOf(e.fault))
	}
	g.put(file, e)
}

// project is the folder that the connectors folder lies in.
func (g *Ingest) project() string { return filepath.Dir(filepath.Clean(g.o.Dir)) }

// run starts a connector unchecked.
func (g *Ingest) run(ctx context.Context, text string, c connector) *entry {
	e := &entry{text: text, conn: c, since: g.o.Clock.Now(), runner: g.newRunner(c), done: make(chan struct{})}
	var own context.Context
	own, e.cancel = context.WithCancel(ctx)
	go func() {
		defer close(e.done)
		e.runner.Run(own)
	}()
	g.o.Log.Info("connector started", "source", c.config.Name, "file", c.file)
	for _, f := range c.findings {
		g.o.Log.Warn("connector has a key that Tarn does not take", "source", c.config.Name, "finding", strings.TrimSuffix(f.Message+"; "+f.Hint, "; "))
	}
	return e
}

// owner is another file that has a connector's name; "" for none.
func (g *Ingest) owner(name, file string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for other, e := range g.entries {
		if other != file && name != "" && e.conn.config.Name == name {
			return other
		}
	}
	return ""
}

// drop takes a file's entry out. Files that could not have its connector may now.
func (g *Ingest) drop(file string) {
	defer g.reconsider()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.entries, file)
}

func (e *entry) stop() {
	if e.runner != nil {
		e.cancel()
		<-e.done
	}
}

// stopAll stops all sources at once and waits for them.
func (g *Ingest) stopAll() {
	g.mu.Lock()
	all := make([]*entry, 0, len(g.entries))
	for _, e := range g.entries {
		all = append(all, e)
	}
	g.mu.Unlock()
	for _, e := range all {
		if e.cancel != nil {
			e.cancel()
		}
	}
	for _, e := range all {
		e.stop()
	}
}

func (g *Ingest) entry(file string) *entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.entries[file]
}

func (g *Ingest) put(file string, e *entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entries[file] = e
}

func (g *Ingest) files() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for file := range g.entries {
		out = append(out, file)
	}
	slices.Sort(out)
	return out
}

// Statuses lists the sources in order of name, files that do not run among them.
func (g *Ingest) Statuses() []source.Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []source.Status
	for file, e := range g.entries {
		out = append(out, e.status(file))
	}
	slices.SortFunc(out, func(a, b source.Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (e *entry) status(file string) source.Status {
	s := source.Status{Name: e.conn.config.Name, Kind: e.conn.kind.Name, State: source.Failed, Since: e.since}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(file, ".json")
	}
	if e.runner != nil {
		s = e.runner.Status()
	}
	if e.halted != "" {
		s.State, s.Error, s.Hint = e.halted, "", ""
	}
	if e.fault != nil {
		s.Error, s.Hint = e.fault.Error(), fault.HintOf(e.fault)
		if e.runner != nil && e.halted == "" {
			s.Error = fmt.Sprintf("the file as it was goes on running: %s", s.Error)
		}
	}
	s.Findings = append(slices.Clone(e.conn.findings), s.Findings...)
	return s
}

// Report lists the sources for /health. A source in trouble is degraded: Tarn goes on.
func (g *Ingest) Report() []life.Status {
	var out []life.Status
	for _, s := range g.Statuses() {
		line := life.Status{Name: "source:" + s.Name, State: life.Ready, Since: s.Since, LagMillis: s.Lag.Millis, Error: s.Error, Hint: s.Hint}
		switch s.State {
		case source.Starting:
			line.State = life.Starting
		case source.Stopped:
			line.State = life.Stopped
		case source.Retrying, source.Failed:
			line.State = life.Degraded
		}
		if s.Error != "" {
			line.State = life.Degraded
		}
		out = append(out, line)
	}
	return out
}

// Found is what Check found, with the file that it is about; none where it is the folder.
type Found struct {
	File string
	source.Finding
}

// Check reads the connectors of a folder and looks at their sources. It
// changes nothing.
func Check(ctx context.Context, dir string) []Found {
	if abs, err := filepath.Abs(dir); err == nil && dir != "" {
		dir = abs
	}
	paths, err := connectorFiles(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []Found{fatal("", err)}
	}
	var out []Found
	files := map[string]string{} // by connector name
	var before []connector
	for _, path := range paths {
		c, err := readConnector(path, filepath.Dir(filepath.Clean(dir)), Kinds())
		if other, taken := files[c.config.Name]; err == nil && taken {
			err = fault.Newf(fault.Conflict, "give each connector a name of its own", "the name %s is that of %s", c.config.Name, other)
		}
		if err != nil {
			out = append(out, fatal(filepath.Base(path), err))
			continue
		}
		files[c.config.Name] = c.file
		for _, f := range slices.Concat(c.findings, takenFinding(&c, before), c.kind.Check(ctx, c.config)) {
			out = append(out, Found{c.file, f})
		}
		before = append(before, c)
	}
	return out
}

func fatal(file string, err error) Found {
	return Found{file, source.Finding{Fatal: true, Message: err.Error(), Hint: fault.HintOf(err)}}
}
