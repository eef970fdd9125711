package bus_test

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tarn/embedded/bus"
)

// mishap is what befalls one publish.
type mishap string

const (
	fine     mishap = "fine"
	lost     mishap = "lost"     // never sent
	broken   mishap = "broken"   // never sent, with an error
	muted    mishap = "muted"    // sent, the acknowledgment is lost
	late     mishap = "late"     // sent when the test says so, with an error
	slow     mishap = "slow"     // taken by the server only after its time is over
	twice    mishap = "twice"    // sent twice; the answer says duplicate
	intruded mishap = "intruded" // a foreign message comes before it
	stuck    mishap = "stuck"    // the server answers nothing any more, until it is restarted
)

var errPlanted = errors.New("planted")

// shortTimeout is the time for an acknowledgment that a planted mishap keeps from coming; what nothing was
// planted for may take its time, on a slow machine too.
const shortTimeout = 100 * time.Millisecond

// faults stands between the writers and the server.
type faults struct {
	short time.Duration // the time for what is never answered; shortTimeout if 0

	mu      sync.Mutex
	unheard bool // what was published last is never answered
	next    []mishap
	stuck   *nats.Conn
	held    []func() error
	queued  []*nats.Msg
	hits    map[mishap]int
}

func (f *faults) options(o *bus.Options) {
	o.WithPublish(f.publish)
	o.WithAckTimeouts(f.timeout)
}

// timeout is how long an acknowledgment may take now.
func (f *faults) timeout(string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unheard {
		return cmp.Or(f.short, shortTimeout)
	}
	return waitLimit
}

// plan sets what befalls the next publishes.
func (f *faults) plan(m ...mishap) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = m
}

// deliver sends what is late.
func (f *faults) deliver() {
	f.mu.Lock()
	held := f.held
	f.held = nil
	f.mu.Unlock()
	for _, send := range held {
		_ = send() // on a connection that is gone it stays lost
	}
}

func (f *faults) take(m *nats.Msg) mishap {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Header.Get("Tb") == "" || len(f.next) == 0 {
		return fine
	}
	kind := f.next[0]
	f.next = f.next[1:]
	if f.hits == nil {
		f.hits = map[mishap]int{}
	}
	f.hits[kind]++
	return kind
}

// backlog is what a slow server takes before a barrier.
func (f *faults) backlog(m *nats.Msg) []*nats.Msg {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Header.Get("Tb") != "" {
		return nil
	}
	out := f.queued
	f.queued = nil
	return out
}

func (f *faults) publish(nc *nats.Conn, m *nats.Msg) error {
	kind := f.take(m)
	f.mu.Lock()
	if kind == stuck {
		f.stuck = nc
	}
	deaf := f.stuck == nc
	f.unheard = deaf || kind == lost || kind == muted || kind == slow || f.unheard && m.Header.Get("Tb") != ""
	f.mu.Unlock()
	if deaf {
		return nil
	}
	for _, before := range f.backlog(m) {
		if err := nc.PublishMsg(before); err != nil {
			return err
		}
	}
	own := &nats.Msg{Subject: m.Subject, Reply: m.Reply, Header: m.Header, Data: append([]byte(nil), m.Data...)}
	switch kind {
	case lost:
		return nil
	case broken:
		return errPlanted
	case muted:
		own.Reply = ""
		return nc.PublishMsg(own)
	case late:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.held = append(f.held, func() error { return errors.Join(nc.PublishMsg(own), nc.Flush()) })
		return errPlanted
	case slow:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.queued = append(f.queued, own)
		return nil
	case twice:
		first := *own
		first.Reply = ""
		return errors.Join(nc.PublishMsg(&first), nc.PublishMsg(own))
	case intruded:
		return errors.Join(nc.PublishMsg(&nats.Msg{Subject: m.Subject, Data: []byte("not a batch")}), nc.PublishMsg(own))
	}
	return nc.PublishMsg(m)
}
