//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
)

// The bounds of the Gate.
const (
	runningMax     = 8  // statements at once
	waitingMax     = 64 // statements that wait for a turn; more are refused
	verbsMax       = 4  // leading words that name a command: CREATE OR REPLACE VIEW
	defaultRowsMax = 1_000_000
	defaultTimeout = 5 * time.Minute
)

// Options of a Gate.
type Options struct {
	Catalog     catalog.Catalog
	Guard       guard.Guard
	System      []SystemTable
	Folders     []string // the warehouse: all that statements may read files from
	MemoryBytes int64    // of all statements together
	Threads     int
	TempDir     string        // where large sorts and joins spill; "" = nowhere
	RowsMax     int64         // of one answer; 0 = a million
	Timeout     time.Duration // of one statement; 0 = five minutes
	// Schemas are searched, in order, for a table that is named without a schema; empty
	// means silver, gold, bronze, system.
	Schemas []string
	Clock   life.Clock
	Log     *slog.Logger
	Metrics prometheus.Registerer // may be nil
}

// Gate answers statements. Safe for concurrent use.
type Gate struct {
	o        Options
	parser   *sqltext.Parser
	instance *duck.Instance
	turns    chan struct{}
	waiting  atomic.Int64
	metrics  metrics

	mu       sync.RWMutex
	commands map[string]Command // by verbs
	system   map[string]SystemTable
}

// New starts a Gate; close it after its last Result.
func New(ctx context.Context, o Options) (*Gate, error) {
	if o.RowsMax <= 0 {
		o.RowsMax = defaultRowsMax
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if len(o.Schemas) == 0 {
		o.Schemas = []string{"silver", "gold", "bronze", "system"}
	}
	parser, err := sqltext.NewParser(ctx)
	if err != nil {
		return nil, err
	}
	instance, err := duck.Open(ctx, duck.Options{
		MemoryBytes: o.MemoryBytes, Threads: o.Threads, TempDir: o.TempDir, Sandbox: true, Folders: o.Folders,
	})
	if err != nil {
		return nil, errors.Join(err, parser.Close())
	}
	g := &Gate{
		o: o, parser: parser, instance: instance, turns: make(chan struct{}, runningMax),
		metrics: newMetrics(o.Metrics), commands: map[string]Command{}, system: map[string]SystemTable{},
	}
	for _, t := range o.System {
		g.system[t.Name] = t
	}
	for _, c := range g.own() {
		g.Register(c)
	}
	return g, nil
}

// Register adds a command, or puts it in place of those with the same verbs.
func (g *Gate) Register(c Command) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range c.Verbs {
		g.commands[v] = c
	}
}

// RegisterSystem adds a live table system.<Name>.
func (g *Gate) RegisterSystem(t SystemTable) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.system[t.Name] = t
}

// Close ends the Gate and both its instances.
func (g *Gate) Close() error { return errors.Join(g.parser.Close(), g.instance.Close()) }

// Run runs one statement. Its errors are faults that may be shown to the principal: Syntax,
// Denied, Invalid, NotFound, Exists, TooLarge, Timeout, Canceled, Unavailable, Internal. The caller
// closes the Result.
func (g *Gate) Run(ctx context.Context, r Request) (*Result, error) {
	if r.Timeout <= 0 || r.Timeout > g.o.Timeout {
		r.Timeout = g.o.Timeout
	}
	if r.RowsMax <= 0 || r.RowsMax > g.o.RowsMax {
		r.RowsMax = g.o.RowsMax
	}
	began := g.o.Clock.Now()
	within, cancel := context.WithTimeout(ctx, r.Timeout)
	result, err := g.run(within, r)
	if err != nil {
		err = g.presentable(ctx, within, r, err)
		cancel()
		g.metrics.refused(fault.CodeOf(err))
		return nil, err
	}
	free := result.close
	result.close = func() {
		if free != nil {
			free()
		}
		cancel()
		g.metrics.answered(g.o.Clock.Now().Sub(began))
	}
	if watched, ok := result.Reader.(*limited); ok {
		watched.present = func(err error) error { return g.presentable(ctx, within, r, err) }
	}
	return result, nil
}

// presentable turns any error into a fault that the principal may read.
func (g *Gate) presentable(asker, within context.Context, r Request, err error) error {
	switch {
	case asker.Err() != nil:
		return fault.New(fault.Canceled, "the statement was canceled", "")
	case within.Err() != nil:
		return fault.Newf(fault.Timeout, "ask for less, or raise sql.timeout", "the statement took longer than %s", r.Timeout)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Err == nil {
		return f
	}
	g.o.Log.Error("statement failed", "user", r.Principal.User, "door", r.Principal.Door, "error", err)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		shown := *f
		shown.Err = nil // a cause may name files
		return &shown
	}
	return fault.New(fault.Internal, "the statement could not be run", "see Tarn's log for the cause")
}

func (g *Gate) run(ctx context.Context, r Request) (*Result, error) {
	one, err := sqltext.One(r.Text)
	if err != nil {
		return nil, err
	}
	if c, ok := g.command(one.Text); ok {
		result, err := c.Run(ctx, r.Principal, one.Text)
		return result, shifted(err, r.Text, one.Offset)
	}
	leave, err := g.enter(ctx)
	if err != nil {
		return nil, err
	}
	result, err := g.query(ctx, r, r.Text[:one.Offset+len(one.Text)])
	if err != nil {
		leave()
		return nil, err
	}
	free := result.close
	result.close = func() {
		free()
		leave()
	}
	return result, nil
}

// shifted turns a place in a command into one in the text that it began in.
func shifted(err error, text string, offset int) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Line == 0 {
		return err
	}
	told := *f
	line, column := sqltext.Place(text, offset)
	if told.Line == 1 {
		told.Column += column - 1
	}
	told.Line += line - 1
	return &told
}

// command finds the command with the most verbs.
func (g *Gate) command(statement string) (Command, bool) {
	words := sqltext.Verbs(statement, verbsMax)
	g.mu.RLock()
	defer g.mu.RUnlock()
	for n := len(words); n > 0; n-- {
		if c, ok := g.commands[strings.Join(words[:n], " ")]; ok {
			return c, true
		}
	}
	return Command{}, false
}

// enter waits for a turn.
func (g *Gate) enter(ctx context.Context) (leave func(), err error) {
	if g.waiting.Add(1) > waitingMax {
		g.waiting.Add(-1)
		return nil, fault.Newf(fault.Unavailable, "try again in a moment", "%d statements wait already", waitingMax)
	}
	defer g.waiting.Add(-1)
	select {
	case g.turns <- struct{}{}:
		return func() { <-g.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Now is the time by the Gate's clock.
func (g *Gate) Now() time.Time { return g.o.Clock.Now() }
