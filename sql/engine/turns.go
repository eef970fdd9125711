//go:build duckdb_arrow

package engine

import (
	"context"
	"sync"
	"time"

	"tarn/embedded/fault"
)

// turns are for what may run at once. Who waits for one is served by principal, in turns: one that asks a hundred
// statements at once is not before another that asks one.
type turns struct {
	most   int
	single chan struct{} // of the one that waits for all

	mu      sync.Mutex
	running int
	alone   bool          // no turn is given: somebody wants all of them
	idle    chan struct{} // told when nothing runs and alone is set
	lines   []*line       // of principals that wait, the one to be served next first
}

// line is the statements of one principal that wait, in order.
type line struct {
	who     string
	waiting []chan struct{}
}

func newTurns(n int) *turns {
	return &turns{most: n, single: make(chan struct{}, 1), idle: make(chan struct{}, 1)}
}

// enter waits for a turn.
func (t *turns) enter(ctx context.Context, who string) (leave func(), err error) {
	ready, err := t.ask(who)
	if err != nil {
		return nil, err
	}
	select {
	case <-ready:
		return sync.OnceFunc(func() { t.give(1) }), nil
	case <-ctx.Done():
		t.forget(who, ready)
		return nil, ctx.Err()
	}
}

// ask joins the principal's line; what it answers is closed when it is its turn.
func (t *turns) ask(who string) (chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ready := make(chan struct{})
	all := 0
	var own *line
	for _, l := range t.lines {
		all += len(l.waiting)
		if l.who == who {
			own = l
		}
	}
	switch {
	case own != nil && len(own.waiting) >= waitingMax:
		return nil, fault.Newf(fault.Unavailable, "try again in a moment", "%d statements of %s wait already", waitingMax, who)
	case all >= waitingAllMax:
		return nil, fault.Newf(fault.Unavailable, "try again in a moment", "%d statements wait already", waitingAllMax)
	case own != nil:
		own.waiting = append(own.waiting, ready)
	default:
		t.lines = append(t.lines, &line{who, []chan struct{}{ready}})
	}
	t.serve()
	return ready, nil
}

// serve gives the turns that are free. The caller holds mu.
func (t *turns) serve() {
	for !t.alone && t.running < t.most && len(t.lines) > 0 {
		next := t.lines[0]
		t.lines = t.lines[1:]
		close(next.waiting[0])
		t.running++
		if next.waiting = next.waiting[1:]; len(next.waiting) > 0 {
			t.lines = append(t.lines, next)
		}
	}
	if t.alone && t.running == 0 {
		select {
		case t.idle <- struct{}{}:
		default:
		}
	}
}

// give gives so many turns back.
func (t *turns) give(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running -= n
	t.serve()
}

// forget takes one that gave up out of its line, or gives its turn back when it had got it.
func (t *turns) forget(who string, ready chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, l := range t.lines {
		for n, w := range l.waiting {
			if l.who != who || w != ready {
				continue
			}
			if l.waiting = append(l.waiting[:n], l.waiting[n+1:]...); len(l.waiting) == 0 {
				t.lines = append(t.lines[:i], t.lines[i+1:]...)
			}
			return
		}
	}
	t.running--
	t.serve()
}

// waiting is how many wait.
func (t *turns) waiting() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		n += len(l.waiting)
	}
	return n
}

// whole waits until nothing runs, for aloneWait at most. Nothing runs until share is called, and leave
// is to be called at the end.
func (t *turns) whole(ctx context.Context) (share, leave func(), err error) {
	nothing := func() {}
	within, cancel := context.WithTimeout(ctx, aloneWait)
	defer cancel()
	refused := func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errMemory()
	}
	select {
	case t.single <- struct{}{}:
	case <-within.Done():
		return nil, nothing, refused()
	}
	t.reserve(true)
	select {
	case <-t.idle:
	case <-within.Done():
		t.reserve(false)
		<-t.single
		return nil, nothing, refused()
	}
	t.mu.Lock()
	t.running++
	t.mu.Unlock()
	share = sync.OnceFunc(func() {
		t.reserve(false)
		<-t.single
	})
	return share, sync.OnceFunc(func() { t.give(1) }), nil
}

// reserve keeps turns from being given, or lets them go on.
func (t *turns) reserve(alone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.idle: // of before
	default:
	}
	t.alone = alone
	t.serve()
}

// The bounds of waiting.
const (
	waitingMax    = 64          // statements of one principal that wait for a turn; more are refused
	waitingAllMax = 512         // of all
	aloneWait     = time.Minute // that a statement which lacked memory waits for the others to end
)

// tableTurns lets one statement at a time commit to a table: those that change rows read it before, and hold it so long.
type tableTurns struct {
	mu   sync.Mutex
	held map[string]*tableTurn // by the table's uuid
}

type tableTurn struct {
	token chan struct{}
	users int
}

func (l *tableTurns) take(ctx context.Context, id string) (leave func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*tableTurn{}
	}
	t := l.held[id]
	if t == nil {
		t = &tableTurn{token: make(chan struct{}, 1)}
		l.held[id] = t
	}
	t.users++
	l.mu.Unlock()
	gone := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(l.held, id)
		}
	}
	select {
	case t.token <- struct{}{}:
		return func() {
			<-t.token
			gone()
		}, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}
