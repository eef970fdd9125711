//go:build duckdb_arrow

package engine

import (
	"time"

	"tarn/embedded/duck"
)

// The pace at which the Gate looks at the memory of the process.
const (
	pressureLook  = 50 * time.Millisecond
	pressureSpare = 500 * time.Millisecond // a statement that has run for less is hardly what takes the memory
	pressureWait  = 5 * time.Second        // for a statement that is told to end to have ended
	pressureRest  = time.Second            // for what it had to go back to the system
)

// pressure ends statements while the process has more memory than duck.Limit: DuckDB is refused large pieces, and takes many small ones.
type pressure struct {
	stop, stopped chan struct{}
	told          *statement // the last to be told to end
	until         time.Time  // no other is before
}

func (g *Gate) watch() *pressure {
	p := &pressure{stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(p.stopped)
		look := time.NewTicker(pressureLook)
		defer look.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-look.C:
			}
			if duck.Pressed() {
				p.relieve(g, time.Now())
			}
		}
	}()
	return p
}

func (p *pressure) close() {
	close(p.stop)
	<-p.stopped
}

// relieve tells one statement to end, unless the last has just ended or is about to.
func (p *pressure) relieve(g *Gate, now time.Time) {
	if p.told != nil && g.log.runs(p.told) {
		if now.Before(p.until) {
			return
		}
	} else if p.told != nil {
		p.told, p.until = nil, now.Add(pressureRest)
	}
	if now.Before(p.until) {
		return
	}
	if s := g.log.suspect(g.o.Clock.Now()); s != nil {
		p.told, p.until = s, now.Add(pressureWait)
		g.o.Log.Warn("statement ended for the memory of the process", "id", s.id, "user", s.who.User, "door", s.who.Door)
		s.cancel(errMemory())
	}
}

func (q *queries) runs(s *statement) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.live[s.id] == s
}

// suspect is the statement that most likely takes the memory: the last that began to run, of those that have run for a while; nil for none.
func (q *queries) suspect(now time.Time) (found *statement) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var began time.Time
	for _, s := range q.live {
		s.mu.Lock()
		ran := s.ran
		s.mu.Unlock()
		long, known := now.Sub(ran) >= pressureSpare, now.Sub(began) >= pressureSpare
		if !ran.IsZero() && (found == nil || long && !known || long == known && ran.After(began)) {
			found, began = s, ran
		}
	}
	return found
}
