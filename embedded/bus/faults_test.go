package bus_test

import (
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
	late     mishap = "late"     // sent when the test says so
	twice    mishap = "twice"    // sent twice
	intruded mishap = "intruded" // a foreign message comes before it
	stuck    mishap = "stuck"    // the server answers nothing any more, until it is restarted
)

var errPlanted = errors.New("planted")

// faults stands between the writers and the server.
type faults struct {
	mu    sync.Mutex
	next  []mishap
	stuck *nats.Conn
	held  []func() error
	hits  map[mishap]int
}

func (f *faults) options(o *bus.Options) {
	o.WithPublish(f.publish)
	o.WithAckTimeout(500 * time.Millisecond)
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

func (f *faults) publish(nc *nats.Conn, m *nats.Msg) error {
	kind := f.take(m)
	f.mu.Lock()
	if kind == stuck {
		f.stuck = nc
	}
	deaf := f.stuck == nc
	f.mu.Unlock()
	if deaf {
		return nil
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
		return nil
	case twice:
		return errors.Join(nc.PublishMsg(own), nc.PublishMsg(own))
	case intruded:
		return errors.Join(nc.PublishMsg(&nats.Msg{Subject: m.Subject, Data: []byte("not a batch")}), nc.PublishMsg(own))
	}
	return nc.PublishMsg(m)
}
