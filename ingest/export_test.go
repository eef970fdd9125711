package ingest

import (
	"context"
	"time"

	"tarn/embedded/fault"
)

// LookEvery is for tests that wait for many looks at the connectors folder.
func (g *Ingest) LookEvery(d time.Duration) { g.every = d }

// Checking is for tests of checks that are slow: before is called before each with the connector's name.
func (g *Ingest) Checking(before func(ctx context.Context, name string)) {
	g.check = func(ctx context.Context, c connector) *fault.Error {
		before(ctx, c.config.Name)
		return checked(ctx, c)
	}
}
