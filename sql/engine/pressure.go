//go:build duckdb_arrow

package engine

import (
	"time"

	"tarn/embedded/duck"
)

// The pace at which the Gate looks at the memory of the process.
const (
	pressureLook  = 50 * time.Millisecond
	pressureSpare = 500 * time.Millisecond // a statement that has run for less is not what takes the memory
	pressureWait  = 5 * time.Second        // for a statement that is told to end to have ended
	pressureRest  = time.Second            // for what it had to go back to the system
)

// pressure ends statements while the process has more memory than duck.Limit: DuckDB is refused large pieces, and takes many small ones.
type pressure struct {
	stop, stopped chan struct{}
	told          *statement // the last to be told to end; nil once it has
	until         time.Time  // no other is before
	first         bool       // the next is the one that has run for the longest
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

// relieve tells one statement to end if the process has too much, unless the last has just ended or is about to. The last that began to
// run is the likeliest to take the memory. If it does not end by that, those that have run for long are told in turn with it, or
// a statement could outlast all that come after it. What takes the memory may be none of them, so one that asks for little is left alone.
func (p *pressure) relieve(g *Gate, now time.Time) {
	if p.told != nil && !g.log.runs(p.told) {
		p.told, p.until = nil, now.Add(pressureRest)
	}
	if now.Before(p.until) {
		return
	}
	s := g.log.suspect(g.o.Clock.Now(), p.first)
	if s == nil {
		return
	}
	if !duck.Pressed() { // which has the allocators give back what they keep
		p.first = false
		return
	}
	p.told, p.until, p.first = s, now.Add(pressureWait), !p.first
	g.o.Log.Warn("statement ended for the memory of the process", "id", s.id, "user", s.who.User, "door", s.who.Door)
	s.mu.Lock()
	s.pressed = true
	s.mu.Unlock()
	s.cancel(errMemory())
}

func (q *queries) runs(s *statement) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.live[s.id] == s
}

// suspect is the last statement that began to run, or the first, of those that have run for a while and are not told to end; nil for none.
func (q *queries) suspect(now time.Time, first bool) (found *statement) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var began time.Time
	for _, s := range q.live {
		s.mu.Lock()
		ran, pressed := s.ran, s.pressed
		s.mu.Unlock()
		if ran.IsZero() || pressed || now.Sub(ran) < pressureSpare {
			continue
		}
		if found == nil || ran.Before(began) == first {
			found, began = s, ran
		}
	}
	return found
}
