// Package txn is the coordinator of transactions (KIP-98, 360, 447, 890): one record in meta.db for each
// transactional id, synced before anybody acts on it. A transaction ends in three steps: what becomes of it is
// written, each partition gets its marker, and the end is written together with the offsets of consumer groups. A crash
// between them is made up for at the next start, as is what a log or meta.db has lost of them. It speaks no wire protocol: a door maps its errors.
package txn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
)

// Sentinels, named for Kafka's error codes, which doors map them to.
var (
	ErrRequest     = errors.New("a transactional id must not be empty")                         // INVALID_REQUEST
	ErrTimeout     = errors.New("transaction timeout out of range")                             // INVALID_TRANSACTION_TIMEOUT
	ErrMapping     = errors.New("the producer id is not the one of the transactional id")       // INVALID_PRODUCER_ID_MAPPING
	ErrFenced      = errors.New("a newer producer has the transactional id")                    // PRODUCER_FENCED
	ErrConcurrent  = errors.New("the transactional id is busy with its last transaction")       // CONCURRENT_TRANSACTIONS
	ErrState       = errors.New("the transaction is not in a state for that")                   // INVALID_TXN_STATE
	ErrNotFound    = errors.New("no such transactional id")                                     // TRANSACTIONAL_ID_NOT_FOUND
	ErrUnavailable = errors.New("the coordinator of transactions cannot answer now; try again") // COORDINATOR_NOT_AVAILABLE
)

// Limits, as Kafka has them by default but for those that it does not have.
const (
	// TimeoutMax is the longest timeout that a transaction may ask for (transaction.max.timeout.ms).
	TimeoutMax = 15 * time.Minute
	idsKept    = 7 * 24 * time.Hour // transactional.id.expiration.ms
	idsMax     = 100_000            // Kafka has no limit, and some clients make new ids at each start
	idsIdle    = time.Hour          // that an id must be, to be forgotten where there are as many as there may be
	idsRoom    = 1000               // that are forgotten at once then, an eighth of all at most
	partsMax   = 100_000            // of one transaction
	idBlock    = 1000               // producer ids that one write to meta.db gives
	sweepEvery = time.Second
	retryEvery = 100 * time.Millisecond
	endWait    = 5 * time.Second // that a request waits for the end of a transaction, or for another request
	markersMax = 16              // that one transaction writes side by side

	counter   = "producer_ids"
	exhausted = math.MaxInt16 - 1 // the last epoch that a producer may have
)

// Producer is a producer's id and epoch.
type Producer struct {
	ID    int64
	Epoch int16
}

// Groups is what the coordinator needs of consumer groups, as group.Coordinator.
type Groups interface {
	Finish(ctx context.Context, producer int64, commit bool, own ...meta.Entry) error
	Pending() []int64
}

// Options of a coordinator.
type Options struct {
	Bus    *bus.Bus
	Groups Groups
	Meta   *meta.Store
	Clock  life.Clock
	Log    *slog.Logger
	// IDsMax is how many transactional ids there may be; 0: 100,000. Beyond, those that nobody has used for longest are
	// forgotten, if that is an hour.
	IDsMax int
}

// holder is a transactional id in memory.
type holder struct {
	turn chan struct{} // held by the one request that changes it

	mu    sync.Mutex // guards the rest
	now   Transaction
	ended chan struct{} // closed when the end under way is complete
}

func (h *holder) get() Transaction {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now.clone()
}

// Coordinator knows all transactional ids. Safe for concurrent use.
type Coordinator struct {
	o      Options
	steady life.Steady

	live    context.Context //nolint:containedctx // ends the goroutines that the coordinator owns
	end     func()
	running sync.WaitGroup

	room sync.Mutex // held by who makes room for ids

	mu        sync.Mutex // guards the rest
	ids       map[string]*holder
	next, top int64 // producer ids of the block in hand
	floor     int64 // above all that the log and meta know: meta.db may have been lost, or put back
}

// Open loads what meta knows, and goes on with what a crash has left half done. The bus and the groups are open, and no
// client is served yet.
func Open(ctx context.Context, o Options) (*Coordinator, error) {
	if o.Clock == nil {
		o.Clock = life.SystemClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.IDsMax <= 0 {
		o.IDsMax = idsMax
	}
	c := &Coordinator{o: o, steady: life.NewSteady(o.Clock), ids: map[string]*holder{}}
	entries, err := o.Meta.List(ctx, meta.Transactions)
	if err != nil {
		return nil, err
	}
	open := map[int64]bool{}
	for _, e := range entries {
		t := Transaction{ID: e.Key}
		if err := json.Unmarshal(e.Value, &t); err != nil {
			return nil, fault.Wrap(err, fault.Damaged, "read transactional id "+e.Key+" in meta.db", "put back the last backup of meta.db")
		}
		t.Started = min(t.Started, c.steady.Now().UnixMilli()) // a clock that was ahead would leave it open
		c.ids[t.ID] = newHolder(t)
		c.floor = max(c.floor, t.Producer+1, t.NextProducer+1)
		open[t.Producer] = t.State == Ongoing || t.ending()
	}
	log := c.seen()
	for _, producer := range o.Groups.Pending() {
		if !open[producer] {
			if err := o.Groups.Finish(ctx, producer, false); err != nil {
				return nil, err
			}
		}
	}
	c.live, c.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, h := range c.ids {
		if t := &h.now; t.usedUp() && log[t.LastProducer] != nil {
			c.settleUsedUp(t, log[t.LastProducer])
			delete(log, t.LastProducer)
		}
		if s := log[h.now.Producer]; s != nil {
			delete(log, h.now.Producer)
			c.settle(h, s)
		}
		switch t := h.now; {
		case t.State == Ongoing:
			c.admit(&t)
		case t.ending():
			c.finish(h, t)
		}
	}
	for producer, s := range log { // of whom meta knows nothing
		if len(s.open) > 0 {
			c.abandon(Transaction{Producer: producer, Epoch: s.epoch, Partitions: partitions(s.open)}, func() {})
		}
	}
	c.running.Go(func() { c.keep(c.live) })
	return c, nil
}

func newHolder(t Transaction) *holder {
	h := &holder{turn: make(chan struct{}, 1), now: t, ended: make(chan struct{})}
	close(h.ended)
	return h
}

// Close stops: what is half done goes on at the next start.
func (c *Coordinator) Close(context.Context) error {
	c.end()
	c.running.Wait()
	return nil
}

// take waits for a transactional id's turn, and for the end of its last transaction. The caller calls done.
func (c *Coordinator) take(ctx context.Context, id string, create bool) (h *holder, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	for {
		c.mu.Lock()
		h = c.ids[id]
		switch {
		case h == nil && !create:
			c.mu.Unlock()
			return nil, nil, ErrMapping
		case h == nil && len(c.ids) >= c.o.IDsMax:
			c.mu.Unlock()
			if err := c.makeRoom(ctx); err != nil {
				return nil, nil, err
			}
			continue
		case h == nil:
			h = newHolder(Transaction{ID: id, Producer: -1, Epoch: -1, LastProducer: -1, LastEpoch: -1, State: Empty})
			c.ids[id] = h
		}
		c.mu.Unlock()
		select {
		case h.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, ErrConcurrent
		case <-c.live.Done():
			return nil, nil, ErrUnavailable
		}
		c.mu.Lock()
		same := c.ids[id] == h
		c.mu.Unlock()
		if !same {
			<-h.turn // it has expired meanwhile
			continue
		}
		h.mu.Lock()
		ended := h.ended
		h.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
		case <-c.live.Done():
		}
		return h, func() {
			if h.get().Epoch < 0 { // nothing came of it
				c.forget(id, h)
			}
			<-h.turn
		}, nil
	}
}

// write syncs a transaction's new state, then shows it.
func (c *Coordinator) write(ctx context.Context, h *holder, t Transaction) error {
	t.Updated = c.steady.Stamp().UnixMilli()
	e, err := t.entry()
	if err != nil {
		return err
	}
	if err := c.o.Meta.Put(ctx, e); err != nil {
		return fmt.Errorf("%w: transactional id %s: %w", ErrUnavailable, t.ID, err)
	}
	h.mu.Lock()
	h.now = t
	h.mu.Unlock()
	return nil
}

// Init makes a producer the one of a transactional id: those before it are fenced, and a transaction that they have left
// open is aborted. want is who a producer that recovers says that it is (KIP-360), nil for a new one.
func (c *Coordinator) Init(ctx context.Context, id string, timeout time.Duration, want *Producer) (Producer, error) {
	if id == "" {
		return Producer{}, ErrRequest
	}
	if timeout <= 0 || timeout > TimeoutMax {
		return Producer{}, fmt.Errorf("%w: %s, at most %s", ErrTimeout, timeout, TimeoutMax)
	}
	h, done, err := c.take(ctx, id, true)
	if err != nil {
		return Producer{}, err
	}
	defer done()
	t := h.get()
	if t.ending() { // who it is is decided, and not yet in force
		return Producer{}, ErrConcurrent
	}
	if want != nil && !t.takes(*want) {
		return Producer{}, ErrFenced
	}
	if t.State == Ongoing {
		if want != nil && want.Epoch != t.Epoch {
			return Producer{}, ErrFenced
		}
		t.LastEpoch = -1
		if want != nil {
			t.LastEpoch = t.Epoch
		}
		t.Epoch, t.Second = min(t.Epoch, math.MaxInt16-1)+1, false
		if err := c.prepare(ctx, h, t, false); err != nil {
			return Producer{}, err
		}
		if t = h.get(); want != nil {
			want = &Producer{t.Producer, t.Epoch}
		}
	}
	if t.ending() {
		return Producer{}, ErrConcurrent
	}
	t.Timeout = timeout
	if err := c.bump(ctx, &t, want); err != nil {
		return Producer{}, err
	}
	t.State, t.Partitions, t.Groups, t.Started, t.Second = Empty, nil, nil, 0, false
	if err := c.write(ctx, h, t); err != nil {
		return Producer{}, err
	}
	return Producer{t.Producer, t.Epoch}, nil
}

// owned takes a transactional id's turn for the producer that has it.
func (c *Coordinator) owned(ctx context.Context, id string, p Producer) (h *holder, t Transaction, done func(), err error) {
	if id == "" {
		return nil, t, nil, ErrRequest
	}
	h, done, err = c.take(ctx, id, false)
	if err != nil {
		return nil, t, nil, err
	}
	t = h.get()
	if err = t.owner(p); err != nil {
		done()
		return nil, t, nil, err
	}
	return h, t, done, nil
}

// owner tells whether a producer is the one of a transactional id.
func (t *Transaction) owner(p Producer) error {
	switch {
	case t.NextProducer > 0 && t.NextProducer == p.ID:
		return ErrConcurrent
	case t.Producer != p.ID:
		return ErrMapping
	case t.Epoch != p.Epoch:
		return ErrFenced
	}
	return nil
}

// add takes something into the transaction of a producer, or begins one with it. change tells whether it was new.
func (c *Coordinator) add(ctx context.Context, id string, p Producer, change func(*Transaction) (bool, error)) error {
	h, t, done, err := c.owned(ctx, id, p)
	if err != nil {
		return err
	}
	defer done()
	if t.ending() {
		return ErrConcurrent
	}
	t.begin(c.steady.Now())
	changed, err := change(&t)
	if err != nil || !changed {
		return err
	}
	if err := c.added(ctx, h, t); err != nil {
		return err
	}
	c.admit(&t)
	return nil
}

func (c *Coordinator) added(ctx context.Context, h *holder, t Transaction) error {
	err := c.write(ctx, h, t)
	if err == nil {
		fault.Point("txn.added")
	}
	return err
}

// AddPartitions takes partitions into a producer's transaction: from its return on they take its batches.
func (c *Coordinator) AddPartitions(ctx context.Context, id string, p Producer, of map[string][]int32) error {
	return c.add(ctx, id, p, func(t *Transaction) (changed bool, err error) {
		if t.Partitions == nil {
			t.Partitions = map[string][]int32{}
		}
		total := 0
		for topic, numbers := range of {
			for _, n := range numbers {
				if !slices.Contains(t.Partitions[topic], n) {
					t.Partitions[topic] = append(slices.Clone(t.Partitions[topic]), n)
					changed = true
				}
			}
		}
		for _, numbers := range t.Partitions {
			total += len(numbers)
		}
		if total > partsMax {
			return false, fmt.Errorf("%w: a transaction over %d partitions", ErrRequest, total)
		}
		return changed, nil
	})
}

// Has tells which of the partitions are in a producer's transaction (KIP-890's verification).
func (c *Coordinator) Has(ctx context.Context, id string, p Producer) (map[string][]int32, error) {
	_, t, done, err := c.owned(ctx, id, p)
	if err != nil {
		return nil, err
	}
	defer done()
	switch {
	case t.ending():
		return nil, ErrConcurrent
	case t.State != Ongoing:
		return nil, ErrState
	}
	return t.Partitions, nil
}

// AddGroup takes the offsets of a consumer group into a producer's transaction.
func (c *Coordinator) AddGroup(ctx context.Context, id string, p Producer, group string) error {
	return c.add(ctx, id, p, func(t *Transaction) (bool, error) {
		if slices.Contains(t.Groups, group) {
			return false, nil
		}
		t.Groups = append(t.Groups, group)
		return true, nil
	})
}

// Commit runs f, which stores pending offsets of a group, while the producer's transaction stays open. A group that is not in it
// is refused, or with join taken into it first, as AddGroup does.
func (c *Coordinator) Commit(ctx context.Context, id string, p Producer, group string, join bool, f func() error) error {
	h, t, done, err := c.owned(ctx, id, p)
	if err != nil {
		return err
	}
	defer done()
	switch {
	case t.ending():
		return ErrConcurrent
	case t.State == Ongoing && slices.Contains(t.Groups, group):
		return f()
	case !join:
		return ErrState
	}
	t.begin(c.steady.Now())
	t.Groups = append(t.Groups, group)
	if err := c.added(ctx, h, t); err != nil {
		return err
	}
	return f()
}

// End ends a producer's transaction. Once it returns nil its fate is on disk, and within endWait all markers are, too. An end that is asked for again
// is answered as Kafka does.
func (c *Coordinator) End(ctx context.Context, id string, p Producer, commit bool) error {
	h, t, done, err := c.owned(ctx, id, p)
	if err != nil {
		return err
	}
	defer done()
	switch {
	case t.State == Ongoing:
		t.Second = false
		return c.prepare(ctx, h, t, commit)
	case t.State == CompleteCommit && commit, t.State == CompleteAbort && !commit:
		return nil
	case t.State == PrepareCommit && commit, t.State == PrepareAbort && !commit:
		return ErrConcurrent
	}
	return ErrState
}

// prepare writes what becomes of a transaction, and waits until it has ended, for endWait at most.
func (c *Coordinator) prepare(ctx context.Context, h *holder, t Transaction, commit bool) error {
	if t.State = PrepareAbort; commit {
		t.State = PrepareCommit
	}
	if err := c.write(ctx, h, t); err != nil {
		return err
	}
	fault.Point("txn.prepared")
	late := time.NewTimer(endWait)
	defer late.Stop()
	select {
	case <-c.finish(h, t):
	case <-late.C:
	case <-ctx.Done():
	}
	return nil
}
