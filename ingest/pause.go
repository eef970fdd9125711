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

// Commands are PAUSE, RESUME, CHECK and RESNAPSHOT CONNECTOR name, CREATE CONNECTOR, and those of topics and of consumer groups. A paused connector is one that is not
// started, now and after each start of Tarn: it goes on where it stood, as after a stop. What its source keeps for it stays
// there meanwhile, but for PAUSE … RELEASE TABLES, see release. RESUME of one that could not start tries it again at once.
func (g *Ingest) Commands() []Command {
	return append([]Command{
		{[]string{"PAUSE CONNECTOR", "RESUME CONNECTOR"}, g.command},
		{[]string{"CREATE CONNECTOR"}, g.create},
		{[]string{"CHECK CONNECTOR"}, g.examine},
		{[]string{"RESNAPSHOT CONNECTOR"}, g.resnapshot},
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
	if err := g.pause(ctx, name, paused); err != nil {
		return Answer{}, err
	}
	if released {
		if err := g.release(ctx, name); err != nil {
			return Answer{}, err
		}
	}
	if paused {
		return Answer{tag: "PAUSE CONNECTOR"}, nil
	}
	return Answer{tag: "RESUME CONNECTOR"}, nil
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

// pause notes whether a connector is paused, and returns when it has stopped or started.
func (g *Ingest) pause(ctx context.Context, name string, paused bool) error {
	if err := g.notePause(ctx, name, paused); err != nil {
		return err
	}
	if err := g.ask(ctx, ask{again: name}); err != nil {
		return fault.Wrap(err, fault.Unavailable, "pause or resume connector "+name, "it is noted, and done when the connectors run again")
	}
	return nil
}

// ask is something that Run's goroutine is to do at once.
type ask struct {
	look  bool   // at the folder
	again string // the connector that is tried again if it could not start
	done  chan struct{}
}

// ask returns when it is done.
func (g *Ingest) ask(ctx context.Context, a ask) error {
	a.done = make(chan struct{})
	select {
	case g.asks <- a:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-a.done:
		return nil
	case <-ctx.Done(): // it is done all the same
		return ctx.Err()
	}
}

// notePause notes in meta, and with it in paused, whether a connector is paused: the two never differ.
func (g *Ingest) notePause(ctx context.Context, name string, paused bool) error {
	g.noting.Lock()
	defer g.noting.Unlock()
	e := meta.Entry{Bucket: meta.Paused, Key: name}
	if paused {
		e.Value = []byte("paused")
	}
	if err := g.o.Meta.Put(ctx, e); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if paused {
		g.paused[name] = true
	} else {
		delete(g.paused, name)
	}
	return nil
}

// readPaused reads which connectors are paused.
func (g *Ingest) readPaused(ctx context.Context) error {
	g.noting.Lock()
	defer g.noting.Unlock()
	list, err := g.o.Meta.List(ctx, meta.Paused)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.paused)
	for _, e := range list {
		g.paused[e.Key] = true
	}
	return nil
}

// halt stops the connectors that are paused and starts those that are no longer, and again, if it could not start. It is
// Run's goroutine that calls it.
func (g *Ingest) halt(ctx context.Context, again string) {
	g.mu.Lock()
	entries, paused := maps.Clone(g.entries), maps.Clone(g.paused)
	g.mu.Unlock()
	for _, file := range slices.Sorted(maps.Keys(entries)) {
		e := entries[file]
		switch name := e.conn.config.Name; {
		case e.unstarted && paused[name]:
			g.put(file, g.held(e.text, e.conn))
		case e.unstarted && name == again:
			g.retried(file, e, g.start(ctx, e.text, e.conn))
		case e.runner == nil || e.halted == paused[name]:
		case paused[name]:
			e.stop()
			halted := *e
			halted.halted = true
			g.put(file, &halted)
			g.o.Log.Info("connector paused", "source", name, "file", file)
		default:
			// Unchecked, as a connector that was never paused would go on: what is wrong now its runner says, and tries again.
			started := g.run(ctx, e.text, e.conn)
			if e.fault != nil { // its file has changed to what is not understood
				started.fault = e.fault
			}
			g.put(file, started)
		}
	}
}

// held is the entry of a connector that is paused when its file is read.
func (g *Ingest) held(text string, c connector) *entry {
	done := make(chan struct{})
	close(done)
	return &entry{text: text, conn: c, since: g.o.Clock.Now(), runner: g.newRunner(c), cancel: func() {}, done: done, halted: true}
}

func (g *Ingest) isPaused(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.paused[name]
}

func (g *Ingest) newRunner(c connector) *source.Runner {
	return source.NewRunner(source.Options{
		Kind: c.kind, Config: c.config, Log: g.log, Meta: g.o.Meta, Schemas: g.o.Schemas,
		Logger: g.o.Log, Metrics: g.metrics, Clock: g.o.Clock, Version: g.o.Version, Spool: g.o.Spool, AckDelay: g.o.AckDelay, Dead: g.o.Dead,
	})
}
