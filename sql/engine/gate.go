//go:build duckdb_arrow

package engine

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
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
	"tarn/lake/table"
)

// The bounds of the Gate.
const (
	runningMax     = 8 // statements at once
	uploadsMax     = 4 // of them whose rows a client sends, as slowly as it likes
	executingMax   = 2 // of ALTER TABLE … EXECUTE at once, apart from those: one may take hours
	verbsMax       = 5 // leading words that name a command: CREATE OR REPLACE MATERIALIZED VIEW
	defaultRowsMax = 1_000_000
	defaultTimeout = 5 * time.Minute
	// executeTimeout is of ALTER TABLE … EXECUTE, which rewrites what a query only reads.
	executeTimeout = 24 * time.Hour
)

// Options of a Gate.
type Options struct {
	Catalog catalog.Catalog
	Upkeep  catalog.Upkeep // nil: ALTER TABLE … EXECUTE is refused
	Guard   guard.Guard
	System  []SystemTable
	// Tables are those that statements make and write to; nil: such statements are refused.
	Tables table.Tables
	// Views are the words of other dialects in which views are written, by Dialect.Name.
	Views map[string]*sqltext.Dialect
	// Drop drops a table, and refuses one that somebody fills or reads for ever; nil: DROP TABLE is refused.
	Drop        func(ctx context.Context, id table.Ident) error
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
	o         Options
	parser    *sqltext.Parser
	instance  *duck.Instance
	quick     *duck.Instance // for statements that find few rows, see session.quick
	hot       *hotFiles      // of quick
	spare     string         // an empty file, see writeSpare; "" = none
	queries   *turns
	uploads   *turns // besides one of queries
	upkeep    *turns
	metrics   metrics
	described described
	log       *queries
	temps     tempUse
	returned  returnedUse // what RETURNING answers
	changing  tableTurns
	plain     plainFiles
	pressure  *pressure
	hopeless  atomic.Value // the last text that lacked memory also alone: the others do not wait for it again

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
	sandbox := duck.Options{MemoryBytes: o.MemoryBytes, Threads: o.Threads, TempDir: o.TempDir, Sandbox: true, Folders: o.Folders}
	var spare string
	if o.TempDir != "" {
		if spare, err = writeSpare(o.TempDir); err != nil {
			o.Log.Warn("tables of one file are read in one thread", "error", err) // on a full disk
		} else {
			sandbox.Files = []string{spare}
		}
	}
	quick, err := openQuick(ctx, &sandbox)
	if err != nil {
		return nil, errors.Join(err, parser.Close())
	}
	instance, err := duck.Open(ctx, sandbox)
	if err != nil {
		return nil, errors.Join(err, quick.Close(), parser.Close())
	}
	g := &Gate{
		o: o, parser: parser, instance: instance, quick: quick, spare: spare, queries: newTurns(runningMax), uploads: newTurns(uploadsMax), upkeep: newTurns(executingMax),
		log: newQueries(o.Clock.Now()), commands: map[string]Command{}, system: map[string]SystemTable{},
		temps: tempUse{tables: map[string]int{}}, returned: returnedUse{users: map[string]int64{}},
	}
	g.hot = newHotFiles(ctx, quick, hotBytes(g.memory()), o.Clock, o.Log)
	g.metrics = newMetrics(o.Metrics, g.queries.waiting, g.hot)
	for _, t := range o.System {
		g.system[t.Name] = t
	}
	for _, c := range g.own() {
		g.Register(c)
	}
	g.pressure = g.watch()
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

// Close ends the Gate and its instances.
func (g *Gate) Close() error {
	g.pressure.close()
	g.hot.close()
	return errors.Join(g.parser.Close(), g.quick.Close(), g.instance.Close())
}

// Run runs one statement. Its errors are faults that may be shown to the principal: Syntax,
// Denied, Invalid, NotFound, Exists, TooLarge, Timeout, Canceled, Unavailable, Internal. The caller
// closes the Result.
func (g *Gate) Run(ctx context.Context, r Request) (*Result, error) {
	one, err := sqltext.One(r.Text)
	var command Command
	if err == nil {
		command = g.command(one.Text)
	}
	if most := cmp.Or(command.Timeout, g.o.Timeout); r.Timeout <= 0 || r.Timeout > most {
		r.Timeout = most
	}
	if r.RowsMax <= 0 || r.RowsMax > g.o.RowsMax {
		r.RowsMax = g.o.RowsMax
	}
	began := g.o.Clock.Now()
	cancelable, cancel := context.WithCancelCause(ctx)
	within, late := context.WithTimeout(cancelable, r.Timeout)
	noted := g.log.begin(r.Principal, r.Text, began, cancel)
	if r.Noted != nil {
		r.Noted(noted.id)
	}
	var result *Result
	if err == nil {
		err = life.Guarded(g.o.Log, func() (err error) {
			result, err = g.run(context.WithValue(within, notedKey{}, noted), r, one, command, noted)
			return err
		})
	}
	if err != nil {
		err = g.presentable(ctx, within, r, err)
		late()
		cancel(nil)
		g.metrics.refused(fault.CodeOf(err))
		noted.failed(err)
		g.log.end(noted, g.o.Clock.Now())
		return nil, err
	}
	result.Until, _ = within.Deadline()
	if watched, ok := result.Reader.(*limited); ok {
		watched.present = func(err error) error { return g.presentable(ctx, within, r, err) }
	}
	read := &counted{RecordReader: result.Reader, of: noted, changed: result.Changed}
	result.Reader = read
	free := result.close
	result.close = func() {
		noted.leave(within, read)
		if free != nil {
			free()
		}
		late()
		cancel(nil)
		now := g.o.Clock.Now()
		g.metrics.answered(now.Sub(began))
		g.log.end(noted, now)
	}
	return result, nil
}

// presentable turns any error into a fault that the principal may read.
func (g *Gate) presentable(asker, within context.Context, r Request, err error) error {
	switch {
	case asker.Err() != nil:
		return fault.New(fault.Canceled, "the statement was canceled", "")
	case within.Err() != nil:
		if f, ok := errors.AsType[*fault.Error](context.Cause(within)); ok { // of Cancel
			return f
		}
		return fault.Newf(fault.Timeout, "ask for less, or raise sql.timeout", "the statement took longer than %s", r.Timeout)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Err == nil {
		return f
	}
	if lacksMemory(err) {
		return errMemory()
	}
	g.o.Log.Error("statement failed", "user", r.Principal.User, "door", r.Principal.Door, "error", err)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		shown := *f
		shown.Err = nil // a cause may name files
		return &shown
	}
	return fault.New(fault.Internal, "the statement could not be run", "see Tarn's log for the cause")
}

// enter waits for a turn. The statement that ctx is of counts as queued until it has it.
func (g *Gate) enter(ctx context.Context, in *turns, who string) (leave func(), err error) {
	of := noted(ctx)
	if of != nil {
		of.running(time.Time{})
	}
	if leave, err = in.enter(ctx, who); err == nil && of != nil {
		of.running(g.o.Clock.Now())
	}
	return leave, err
}

// notedKey is of a statement's context: its *statement.
type notedKey struct{}

func (g *Gate) run(ctx context.Context, r Request, one sqltext.Statement, command Command, noted *statement) (*Result, error) {
	if result, ok, err := r.Session.own(ctx, r, one.Text); ok {
		return result, sqltext.Shifted(err, r.Text, one.Offset)
	}
	if result, ok, err := g.writes(ctx, r, one.Text); ok {
		return result, sqltext.Shifted(err, r.Text, one.Offset)
	}
	answer := command.asked
	if answer == nil && command.Run != nil {
		answer = func(ctx context.Context, r Request, stmt string) (*Result, error) {
			return command.Run(ctx, r.Principal, stmt)
		}
	}
	if answer != nil {
		noted.running(g.o.Clock.Now())
		result, err := answer(ctx, r, one.Text)
		return result, sqltext.Shifted(err, r.Text, one.Offset)
	}
	leave, err := g.enter(ctx, g.queries, r.Principal.User)
	if err != nil {
		return nil, err
	}
	var result *Result
	defer func() {
		if result == nil {
			leave()
		}
	}()
	r.turn = true
	text := r.Text[:one.Offset+len(one.Text)]
	result, err = g.query(ctx, r, text)
	if lacksMemory(err) && g.hopeless.Load() != text {
		leave()
		result, leave, err = g.queryAlone(ctx, r, text)
	}
	if err != nil {
		return nil, err
	}
	noted.reads(result.Snapshots)
	free := result.close
	result.close = func() {
		free()
		leave()
	}
	return result, nil
}

// queryAlone runs a statement once more that lacked memory while others ran: all share it, and what those
// hold cannot be moved to the disk. When the answer is there, the others go on.
func (g *Gate) queryAlone(ctx context.Context, r Request, text string) (result *Result, leave func(), err error) {
	share, leave, err := g.queries.whole(ctx)
	if err != nil {
		return nil, leave, err
	}
	defer share()
	defer func() {
		if result == nil {
			leave()
		}
	}()
	result, err = g.query(ctx, r, text)
	if lacksMemory(err) {
		g.hopeless.Store(text)
	}
	return result, leave, err
}

// command finds the command with the most verbs; the zero Command for a query.
func (g *Gate) command(statement string) Command {
	words := sqltext.Verbs(statement, verbsMax)
	g.mu.RLock()
	defer g.mu.RUnlock()
	for n := len(words); n > 0; n-- {
		if c, ok := g.commands[strings.Join(words[:n], " ")]; ok {
			return c
		}
	}
	return Command{}
}

// Waiting is how many statements wait for a turn.
func (g *Gate) Waiting() int { return g.queries.waiting() }

// Connections is how many connections of its DuckDB statements have, that run or have rows left.
func (g *Gate) Connections() int { return g.instance.InUse() + g.quick.InUse() }

// Schemas are those in which a name without one is looked for.
func (g *Gate) Schemas() []string { return slices.Clone(g.o.Schemas) }

// Timeout is the longest time of one statement.
func (g *Gate) Timeout() time.Duration { return g.o.Timeout }

// Now is the time by the Gate's clock.
func (g *Gate) Now() time.Time { return g.o.Clock.Now() }
