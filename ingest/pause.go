package ingest

import (
	"context"
	"maps"
	"slices"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
)

// Answer is what a command answers: a tag, and for CREATE CONNECTOR the file with what was found.
type Answer struct {
	tag     string
	columns []record.Column
	rows    [][]any
}

// Result takes it apart.
func (a Answer) Result() (tag string, columns []record.Column, rows [][]any) {
	return a.tag, a.columns, a.rows
}

// Command is a statement that the room runs. Verbs are its first words.
type Command struct {
	Verbs []string
	Run   func(ctx context.Context, who guard.Principal, statement string) (Answer, error)
}

// Commands are PAUSE, RESUME, CHECK, RESNAPSHOT and DROP CONNECTOR name, CREATE CONNECTOR, and those of topics and of consumer groups. A paused connector is one that is not
// started, now and after each start of Tarn: it goes on where it stood, as after a stop. What its source keeps for it stays
// there meanwhile, but for PAUSE … RELEASE TABLES, see release. RESUME of one that could not start tries it again at once.
func (g *Ingest) Commands() []Command {
	return append([]Command{
		{[]string{"PAUSE CONNECTOR", "RESUME CONNECTOR"}, g.command},
		{[]string{"CREATE CONNECTOR"}, g.create},
		{[]string{"CHECK CONNECTOR"}, g.examine},
		{[]string{"RESNAPSHOT CONNECTOR"}, g.resnapshot},
		{[]string{"DROP CONNECTOR"}, g.dropConnector},
		{[]string{"ALTER GROUP"}, g.alterGroup},
		{[]string{"DROP GROUP"}, g.dropGroup},
	}, g.topicCommands()...)
}

func (g *Ingest) command(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	paused := in.Take("PAUSE")
	if !paused {
		in.Take("RESUME")
	}
	in.Take("CONNECTOR")
	name, released, err := g.pausable(in, paused, who)
	if err != nil {
		return Answer{}, err
	}
	if !paused {
		return Answer{tag: "RESUME CONNECTOR"}, g.hold(ctx, name, "")
	}
	if err := g.hold(ctx, name, source.Paused); err != nil {
		return Answer{}, err
	}
	if released {
		err = g.release(ctx, name)
	}
	return Answer{tag: "PAUSE CONNECTOR"}, err
}

// unknown refuses a name that no connector has.
func (g *Ingest) unknown(name string) *fault.Error {
	var names []string
	for _, s := range g.Statuses() {
		if s.Name == name {
			return nil
		}
		names = append(names, s.Name)
	}
	hint := "see FROM system.sources"
	if near := sqltext.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fault.Newf(fault.NotFound, hint, "there is no connector %s", name)
}

// hold notes in which state a connector is held, Paused or Stopped, or "" that it runs, and returns when it has stopped or started.
func (g *Ingest) hold(ctx context.Context, name, state string) error {
	if err := g.noteHeld(ctx, name, state); err != nil {
		return err
	}
	if err := g.ask(ctx, ask{again: name}); err != nil {
		return fault.Wrap(err, fault.Unavailable, "pause or resume connector "+name, "it is noted, and done when the connectors run again")
	}
	return nil
}

// ask is something that Run's goroutine is to do at once.
type ask struct {
	look    bool   // at the folder
	judged  string // the connector there that was checked just now, and starts without another check
	again   string // the connector that is tried again if it could not start
	restart string // the connector that is stopped and started
	remove  string // the connector that ends, with its file
	done    chan struct{}
	err     error // once it is done
}

// ask returns when it is done.
func (g *Ingest) ask(ctx context.Context, a ask) error {
	a.done = make(chan struct{})
	select {
	case g.asks <- &a:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done(): // it is done all the same
		return ctx.Err()
	}
}

// do does what is asked. It is Run's goroutine that calls it.
func (g *Ingest) do(ctx context.Context, a *ask) {
	defer close(a.done)
	if a.remove != "" {
		a.err = g.remove(ctx, a.remove)
	}
	if a.restart != "" {
		g.restart(ctx, a.restart)
	}
	if a.look {
		g.passed = a.judged
		g.look(ctx)
		g.passed = ""
	}
	g.halt(ctx, a.again)
}

// noteHeld notes in meta, and with it in heldAs, in which state a connector is held, "" for none: the two never differ.
func (g *Ingest) noteHeld(ctx context.Context, name, state string) error {
	g.noting.Lock()
	defer g.noting.Unlock()
	e := meta.Entry{Bucket: meta.Paused, Key: name}
	if state != "" {
		e.Value = []byte(state)
	}
	if err := g.o.Meta.Put(ctx, e); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if state != "" {
		g.heldAs[name] = state
	} else {
		delete(g.heldAs, name)
	}
	return nil
}

// readHeld reads which connectors are held.
func (g *Ingest) readHeld(ctx context.Context) error {
	g.noting.Lock()
	defer g.noting.Unlock()
	list, err := g.o.Meta.List(ctx, meta.Paused)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.heldAs)
	for _, e := range list {
		g.heldAs[e.Key] = string(e.Value)
	}
	return nil
}

// halt stops the connectors that are held and starts those that are no longer, and again, if it could not start. It is
// Run's goroutine that calls it.
func (g *Ingest) halt(ctx context.Context, again string) {
	g.mu.Lock()
	entries, heldAs := maps.Clone(g.entries), maps.Clone(g.heldAs)
	g.mu.Unlock()
	for _, file := range slices.Sorted(maps.Keys(entries)) {
		e := entries[file]
		switch name := e.conn.config.Name; {
		case e.unstarted && heldAs[name] != "":
			g.put(file, g.held(e.text, e.conn))
		case e.unstarted && name == again:
			g.retried(file, e, g.start(ctx, e.text, e.conn))
		case e.runner == nil || e.halted == heldAs[name]:
		case heldAs[name] != "":
			e.stop()
			halted := *e
			halted.halted = heldAs[name]
			g.put(file, &halted)
			g.o.Log.Info("connector is held", "source", name, "state", heldAs[name], "file", file)
		default:
			// Unchecked, as a connector that was never paused would go on: what is wrong now its runner says, and tries again. But
			// its file of signals may be another's by now.
			if _, why := taken(&e.conn, g.others(true)); why != nil {
				g.o.Log.Error("connector does not start", "source", name, "error", why.Error(), "hint", fault.HintOf(why))
				g.put(file, g.unstarted(e.text, e.conn, why))
				continue
			}
			started := g.run(ctx, e.text, e.conn)
			if e.fault != nil { // its file has changed to what is not understood
				started.fault = e.fault
			}
			g.put(file, started)
		}
	}
}

// held is the entry of a connector that is held when its file is read.
func (g *Ingest) held(text string, c connector) *entry {
	done := make(chan struct{})
	close(done)
	return &entry{text: text, conn: c, since: g.o.Clock.Now(), runner: g.newRunner(c), cancel: func() {}, done: done, halted: g.heldState(c.config.Name)}
}

// heldState is the state in which a connector is held; "" where it is not.
func (g *Ingest) heldState(name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.heldAs[name]
}

func (g *Ingest) newRunner(c connector) *source.Runner {
	return source.NewRunner(source.Options{
		Kind: c.kind, Config: c.config, Transform: c.transform, Log: g.log, Meta: g.o.Meta, Schemas: g.o.Schemas,
		Logger: g.o.Log, Metrics: g.metrics, Clock: g.o.Clock, Version: g.o.Version, Spool: g.o.Spool, AckDelay: g.o.AckDelay, Dead: g.o.Dead,
	})
}
