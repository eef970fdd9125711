//go:build duckdb_arrow

package postgres

import (
	"net/netip"
	"sync"
	"time"

	"tarn/embedded/fault"
)

// How those who guess passwords are slowed: a refusal is answered after a delay that doubles with each of its address.
const (
	refusalDelayMin = 100 * time.Millisecond
	refusalDelayMax = 5 * time.Second
	refusalKept     = 5 * time.Minute // an address without one for so long begins anew
	delayedMax      = 16              // refusals of one address that wait for their answer; no log-in of it is heard meanwhile
	addressesMax    = 4096            // that are known; of more any is forgotten
)

// refusals are the log-ins that were refused, by address.
type refusals struct {
	mu sync.Mutex
	of map[netip.Prefix]*refused
}

type refused struct {
	count, waiting int
	last           time.Time
}

// addressOf is what refusals are counted of: an address, of IPv6 the network that one machine has.
func addressOf(host string) netip.Prefix {
	at, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	at = at.Unmap().WithZone("")
	bits := at.BitLen()
	if at.Is6() && !at.IsLoopback() {
		bits = 64
	}
	prefix, _ := at.Prefix(bits) // no more bits than it has
	return prefix
}

// heard refuses an address of which too many refusals wait: whoever asks at once for many would not be slowed.
func (r *refusals) heard(host string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.of[addressOf(host)]; one != nil && one.waiting >= delayedMax {
		return stateError{"53300", fault.New(fault.Unavailable, "too many log-ins of this address were refused just now", "try again in some seconds")}
	}
	return nil
}

// add counts a refusal, and tells how long its answer waits. Call done then.
func (r *refusals) add(host string, now time.Time) (delay time.Duration, done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := addressOf(host)
	one := r.of[at]
	if one == nil {
		r.makeRoom()
		one = &refused{}
		r.of[at] = one
	}
	if one.waiting == 0 && now.Sub(one.last) > refusalKept {
		one.count = 0
	}
	one.count++
	one.waiting++
	one.last = now
	delay = refusalDelayMax
	if doubled := one.count - 1; doubled < 8 { // and not beyond what a number holds
		delay = min(refusalDelayMin<<doubled, refusalDelayMax)
	}
	return delay, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		one.waiting--
	}
}

// makeRoom forgets an address, any of which nothing waits, where there are too many.
func (r *refusals) makeRoom() {
	if len(r.of) < addressesMax {
		return
	}
	for at, one := range r.of {
		if one.waiting == 0 {
			delete(r.of, at)
			return
		}
	}
}
