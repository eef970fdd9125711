package httpdoor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

const (
	// keyLife is how long a key is known after its request, and keepEvery how often old ones go.
	keyLife   = 24 * time.Hour
	keepEvery = 5 * time.Second
	// keysMax bounds the keys of all partitions together: about 200 bytes each.
	keysMax = 500_000
	// fetchBytes is how much of the log is read at once.
	fetchBytes = 1 << 20
)

// keys are the requests of one partition that may be tried again. The log is what keeps them: they
// travel in the batches of their records, and are read from there.
type keys struct {
	p     *bus.Partition
	total *atomic.Int64 // keys of all partitions

	reading chan struct{} // one catches up at a time; taken before mu

	mu    sync.Mutex
	next  int64 // the log is read up to here
	known map[[32]byte]kept
	order []kept // by offset; those in front are the oldest
	busy  map[[32]byte]chan struct{}
}

// kept is a request of which the log has the records.
type kept struct {
	request
	base, next int64
	at         int64 // in milliseconds
}

// keysOf are the keys of a partition.
func (d *Door) keysOf(p *bus.Partition) *keys {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.keys[p]
	if k == nil {
		k = &keys{p: p, total: &d.kept, reading: make(chan struct{}, 1), next: p.LogStart(), known: map[[32]byte]kept{}, busy: map[[32]byte]chan struct{}{}}
		d.keys[p] = k
	}
	return k
}

// claim waits until no other try of the key is under way, and makes this the one. free ends it.
func (k *keys) claim(ctx context.Context, key [32]byte) (free func(), err error) {
	limit := time.NewTimer(answerMax)
	defer limit.Stop()
	for {
		k.mu.Lock()
		other := k.busy[key]
		if other == nil {
			mine := make(chan struct{})
			k.busy[key] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				delete(k.busy, key)
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fault.Wrap(ctx.Err(), fault.Canceled, "wait for the earlier try of this Idempotency-Key", "send it again")
		case <-limit.C:
			return nil, fault.New(fault.Unavailable, "an earlier try of this Idempotency-Key is under way", "send it again")
		}
	}
}

// find tells what the log has of a request. Who claimed its key asks.
func (k *keys) find(ctx context.Context, r request) (answer, bool, error) {
	// An earlier try that was refused may get in until the partition has read its log again.
	if err := k.p.Settled(); err != nil {
		return answer{}, false, err
	}
	if err := k.catchUp(ctx); err != nil {
		return answer{}, false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	was, ok := k.known[r.key]
	switch {
	case !ok && k.total.Load() >= keysMax:
		return answer{}, false, fault.Newf(fault.Unavailable, "use fewer keys with larger requests", "there are %d Idempotency-Keys of the last 24 hours", keysMax)
	case !ok:
		return answer{}, false, nil
	case was.body != r.body:
		return answer{}, false, status{http.StatusUnprocessableEntity, fault.New(fault.Conflict, "this Idempotency-Key was sent with another body", "use a new key for each new body")}
	}
	return answer{
		Topic: k.p.Topic().Name(), Partition: k.p.Number(), Offset: was.base, Next: was.next, Records: was.next - was.base, Repeated: true,
	}, true, nil
}

// catchUp reads what the log has got since.
func (k *keys) catchUp(ctx context.Context) error {
	select {
	case k.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-k.reading }()
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	k.mu.Lock()
	next := max(k.next, k.p.LogStart())
	k.mu.Unlock()
	end := k.p.Written() // requests are of no transaction, and are known before those that are open end
	if next >= end {
		return nil
	}
	reader := k.p.ReaderOfAll(next)
	defer func() { reader.Close() }()
	for next < end {
		got, err := reader.Next(ctx, fetchBytes)
		if errors.Is(err, bus.ErrOutOfRange) && k.p.LogStart() > next {
			reader.Close()
			next = k.p.LogStart()
			reader = k.p.ReaderOfAll(next)
			continue
		}
		if err != nil {
			return fmt.Errorf("read the keys of topic %s: %w", k.p.Topic().Name(), err)
		}
		if err := k.note(got); err != nil {
			return err
		}
		next = got.Next
	}
	return nil
}

// never is after every key.
var never = time.UnixMilli(math.MaxInt64)

var marker = []byte(record.HeaderRequest)

// note takes the keys of batches over.
func (k *keys) note(got bus.Fetched) error {
	var found []kept
	for _, b := range got.Batches {
		if b.Control() || b.Transactional() || !bytes.Contains(b, marker) {
			continue
		}
		records, err := b.Records()
		if err != nil {
			return err
		}
		if len(records) == 0 {
			continue
		}
		value, _ := records[0].Header(record.HeaderRequest)
		if r, ok := parseRequest(value); ok {
			found = append(found, kept{r, b.Base(), b.Next(), b.MaxTimestamp()})
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, one := range found {
		if _, ok := k.known[one.key]; !ok && one.base >= k.next {
			k.known[one.key] = one
			k.order = append(k.order, one)
			k.total.Add(1)
		}
	}
	k.next = max(k.next, got.Next)
	return nil
}

// keep forgets old keys of every topic that has some, and tells retention which offsets are still
// asked for.
func (d *Door) keep(ctx context.Context) {
	for _, t := range d.o.Bus.Topics() {
		if !t.Config().Requests {
			continue
		}
		for _, p := range t.Partitions() {
			k := d.keysOf(p)
			if err := k.catchUp(ctx); err != nil && ctx.Err() == nil {
				d.o.Log.Warn("keys of requests are not read", "topic", t.Name(), "error", err)
				continue
			}
			p.Hold(bus.Requests, k.forget(d.steady.Now().Add(-keyLife)))
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range d.keys {
		if t, err := d.o.Bus.Topic(p.Topic().Name()); err != nil || t != p.Topic() {
			d.keys[p].forget(never) // the topic was deleted
			delete(d.keys, p)
		}
	}
}

// forget drops the keys of requests before a moment, and returns the first offset that is needed.
func (k *keys) forget(before time.Time) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for n < len(k.order) && k.order[n].at < before.UnixMilli() {
		delete(k.known, k.order[n].key)
		n++
	}
	k.total.Add(-int64(n))
	if k.order = k.order[n:]; len(k.order) == 0 {
		k.order = nil
		return k.next
	}
	return k.order[0].base
}
