package life

import "context"

// Opened makes a Part of an engine that others use while it is open. The part is ready when
// open has returned; when its turn to stop comes it calls the close that open gave it, with
// CloseLimit to land what is in flight. report tells the engine's health and is not called
// before it is open; nil for one that has nothing to say.
func Opened(name string, open func(ctx context.Context) (closeEngine func(context.Context) error, err error), report func() []Status) Part {
	p := openedPart{name, open}
	if report == nil {
		return p
	}
	return reportingPart{p, report}
}

// CloseLimit is how long an engine may wait for what is in flight. On a disk that is full or
// broken that may never be answered, and what is left of StopLimit is for ending without it.
const CloseLimit = StopLimit / 2

type openedPart struct {
	name string
	open func(context.Context) (func(context.Context) error, error)
}

func (p openedPart) Name() string { return p.name }

func (p openedPart) Run(ctx context.Context, ready func()) error {
	closeEngine, err := p.open(ctx)
	if err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), CloseLimit)
	defer cancel()
	return closeEngine(last)
}

type reportingPart struct {
	openedPart
	report func() []Status
}

func (p reportingPart) Report() []Status { return p.report() }
