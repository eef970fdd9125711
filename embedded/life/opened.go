package life

import (
	"context"
	"sync/atomic"
)

// Engine is a thing that is opened, used by other parts and closed after them.
type Engine interface {
	// Close lands what is in flight within ctx.
	Close(ctx context.Context) error
}

// Opened makes a Part of an engine: it is ready when open has returned, and closed when its
// turn to stop comes. An engine that is a Reporter reports for the part.
func Opened[E Engine](name string, open func(ctx context.Context) (E, error)) Part {
	return &openedPart[E]{name: name, open: open}
}

type openedPart[E Engine] struct {
	name   string
	open   func(context.Context) (E, error)
	engine atomic.Pointer[E]
}

func (p *openedPart[E]) Name() string { return p.name }

func (p *openedPart[E]) Run(ctx context.Context, ready func()) error {
	e, err := p.open(ctx)
	if err != nil {
		return err
	}
	p.engine.Store(&e)
	ready()
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopLimit)
	defer cancel()
	return e.Close(last)
}

// Report passes on what the engine says of itself.
func (p *openedPart[E]) Report() []Status {
	e := p.engine.Load()
	if e == nil {
		return nil
	}
	if r, ok := any(*e).(Reporter); ok {
		return r.Report()
	}
	return nil
}
