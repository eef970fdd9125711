// Package life starts the parts of Tarn floor first, watches them and stops
// them in reverse. It knows nothing of what a part does.
package life

import (
	"context"
	"time"
)

// Part is one long-running thing. Run blocks until ctx ends or the part fails;
// it calls ready once, when others may rely on it. Run returns nil after a clean
// stop. When ctx ends Run lands what is in flight and returns within the stop
// limit (5 s for all parts together).
type Part interface {
	Name() string
	Run(ctx context.Context, ready func()) error
}

// Func makes a Part of a function.
func Func(name string, run func(ctx context.Context, ready func()) error) Part {
	return funcPart{name, run}
}

type funcPart struct {
	name string
	run  func(context.Context, func()) error
}

func (p funcPart) Name() string                                { return p.name }
func (p funcPart) Run(ctx context.Context, ready func()) error { return p.run(ctx, ready) }

// State of a part, as /health and system.parts show it.
type State string

// The states, in the order of a life. Degraded means that it works on with a fault.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Degraded State = "degraded"
	Failed   State = "failed"
	Stopped  State = "stopped"
)

// Status is what a part says of itself.
type Status struct {
	Name      string    `json:"name"`
	State     State     `json:"state"`
	Since     time.Time `json:"since"`
	LagMillis int64     `json:"lag_ms"`
	Error     string    `json:"error,omitempty"`
	Hint      string    `json:"hint,omitempty"`
}

// Reporter is an optional face of a Part, or of something within one, that
// knows more of its health than starting and stopping: Report is called on every
// look at /health, must not block, and may return several lines
// ("source:port", "landing:port.main.calls").
type Reporter interface {
	Report() []Status
}

// Clock is the only way to the time, so that tests can jump it.
type Clock interface {
	Now() time.Time
}

// SystemClock is the machine's clock in UTC.
type SystemClock struct{}

// Now returns the machine's time in UTC.
func (SystemClock) Now() time.Time { return time.Now().UTC() }
