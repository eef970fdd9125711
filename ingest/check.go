package ingest

import (
	"context"
	"time"

	"tarn/embedded/fault"
)

// A connector that could not start is tried again after againFirst, which doubles up to againMax: rights on a database, or
// what is in the place of its file, may change without a word to Tarn.
const (
	againFirst = 2 * time.Second
	againMax   = time.Minute
)

// checkWait is how long the others wait for the check of one connector, whose database may be on a disk that does not answer.
const checkWait = time.Second

// start starts a connector that nothing keeps from it. The check of one that is slow goes on beside the others.
func (g *Ingest) start(ctx context.Context, text string, c connector) *entry {
	if g.heldState(c.config.Name) != "" {
		return g.held(text, c)
	}
	if c.config.Name == g.passed {
		return g.run(ctx, text, c)
	}
	verdict := g.begin(ctx, c)
	patience := time.NewTimer(checkWait)
	defer patience.Stop()
	select {
	case why := <-verdict:
		return g.judged(ctx, text, c, why)
	case <-patience.C:
		e := g.unstarted(text, c, fault.New(fault.Unavailable, "the check before its start takes long", "is the disk or the share there that it reads?"))
		e.verdict = verdict
		return e
	}
}

// begin begins a check, and returns where what it finds will be; nil is nothing.
func (g *Ingest) begin(ctx context.Context, c connector) chan *fault.Error {
	verdict := make(chan *fault.Error, 1)
	g.checks.Go(func() { verdict <- g.check(ctx, c) })
	return verdict
}

func checked(ctx context.Context, c connector) *fault.Error {
	for _, f := range c.kind.Check(ctx, c.config) {
		if f.Fatal {
			return fault.New(fault.Invalid, f.Message, f.Hint)
		}
	}
	return nil
}

// judged is a connector after its check.
func (g *Ingest) judged(ctx context.Context, text string, c connector, why *fault.Error) *entry {
	if why == nil {
		_, why = taken(&c, g.others(true))
	}
	switch {
	case g.heldState(c.config.Name) != "":
		return g.held(text, c)
	case why != nil:
		return g.unstarted(text, c, why)
	}
	return g.run(ctx, text, c)
}

func (g *Ingest) unstarted(text string, c connector, why *fault.Error) *entry {
	now := g.o.Clock.Now()
	e := &entry{text: text, conn: c, since: now, fault: why, unstarted: true, wait: againFirst}
	e.next = now.Add(e.wait)
	return e
}

// due tells whether a connector that could not start is to be tried again: no later than it ever waits, when the clock was set
// back meanwhile.
func (e *entry) due(now time.Time) bool {
	wait := e.next.Sub(now)
	return e.unstarted && (wait <= 0 || wait > againMax)
}

// tryAgain goes on with a connector that could not start, when it is due. It waits for nothing.
func (g *Ingest) tryAgain(ctx context.Context, file string, e *entry) {
	if e.verdict == nil && e.due(g.o.Clock.Now()) {
		e.verdict = g.begin(ctx, e.conn)
		return // what it finds is read by the next look
	}
	select {
	case why := <-e.verdict:
		g.retried(file, e, g.judged(ctx, e.text, e.conn, why))
	default:
	}
}

// retried puts what became of a connector that could not start. Where it still cannot, the next try comes later.
func (g *Ingest) retried(file string, was, e *entry) {
	if e.unstarted {
		e.wait = min(2*was.wait, againMax)
		e.next = g.o.Clock.Now().Add(e.wait)
		if e.fault.Error() == was.fault.Error() {
			e.since = was.since
		} else {
			g.o.Log.Error("connector does not start", "source", e.conn.config.Name, "error", e.fault.Error(), "hint", fault.HintOf(e.fault))
		}
	}
	g.put(file, e)
}
