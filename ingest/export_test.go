package ingest

import "time"

// LookEvery is for tests that wait for many looks at the connectors folder.
func (g *Ingest) LookEvery(d time.Duration) { g.every = d }
