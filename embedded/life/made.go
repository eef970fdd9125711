package life

import (
	"context"
	"sync/atomic"
)

// Made is a Part that is made when its turn to start comes, of what the parts before it have
// opened by then.
func Made(name string, make func() Part) Part { return &madePart{name: name, make: make} }

type madePart struct {
	name string
	make func() Part
	part atomic.Pointer[Part]
}

func (p *madePart) Name() string { return p.name }

func (p *madePart) Run(ctx context.Context, ready func()) error {
	part := p.make()
	p.part.Store(&part)
	return part.Run(ctx, ready)
}

// Report passes on what the part says of itself once it is made.
func (p *madePart) Report() []Status {
	if part := p.part.Load(); part != nil {
		if r, ok := (*part).(Reporter); ok {
			return r.Report()
		}
	}
	return nil
}
