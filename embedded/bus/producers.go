package bus

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// Limits of what a partition knows of idempotent producers.
const (
	// producerExpiry is for how long a producer that appends nothing is known (producer.id.expiration.ms).
	producerExpiry = 24 * time.Hour
	// producersMax bounds the producers that a partition knows, about 250 bytes of RAM each. Beyond, the eighth that
	// has appended nothing for longest is forgotten.
	producersMax = 1 << 14
	// batchesKnown is how many of a producer's last batches are known when they are sent again: a client has
	// five requests in flight at most.
	batchesKnown = 5
	// ProducersEnd is above all ids of producers. A client may send any below, and new ids are above those that the log
	// knows (txn): one at the end of int64 would leave none.
	ProducersEnd = 1 << 53
)

// Why an append of an idempotent producer is refused. Sending it again does not help.
var (
	// ErrSequence means that batches are missing before this one, or that it is older than the last five.
	ErrSequence = errors.New("sequence is out of order")
	// ErrEpoch means that a newer producer has taken over this one's id.
	ErrEpoch = errors.New("producer's epoch is fenced")
	// ErrTransaction means that a batch is of no transaction that is open here, or that it should be of the one that is.
	ErrTransaction = errors.New("not of the transaction that is open")
	// ErrCoordinator means that a newer coordinator has ended a transaction of this producer.
	ErrCoordinator = errors.New("coordinator's epoch is fenced")
	// ErrProducer means that a batch has a producer id that no coordinator gives.
	ErrProducer = errors.New("producer id is out of range")
)

// Aborted is an aborted transaction in a partition: the batches of the producer's transactions within these offsets.
type Aborted struct {
	Producer int64
	First    int64 // offset of its first record
	Last     int64 // offset of its marker

	stable int64 // what ended later began at or above it
}

// stamp is what a batch tells of its producer.
type stamp struct {
	id            int64
	epoch         int16
	first, last   int32 // sequences; they go on at 0 after 2^31-1
	transactional bool
	marker        *record.Marker // ends a transaction; nil for data
}

// stampOf reads a batch's producer; nil for none.
func stampOf(b record.Batch) (*stamp, error) {
	id, epoch, first := b.Producer()
	if id < 0 {
		if b.Transactional() {
			return nil, fmt.Errorf("%w: a transaction without a producer", record.ErrCorrupt)
		}
		return nil, nil //nolint:nilnil // most batches have none
	}
	s := &stamp{id: id, epoch: epoch, first: first, transactional: b.Transactional()}
	if b.Control() {
		m, ok, err := b.Marker()
		if err != nil || !ok {
			return nil, err
		}
		s.marker = &m
		return s, nil
	}
	if epoch < 0 || first < 0 {
		return nil, fmt.Errorf("%w: producer %d has epoch %d and sequence %d", record.ErrCorrupt, id, epoch, first)
	}
	s.last = int32((int64(first) + int64(b.LastDelta())) & math.MaxInt32) //nolint:gosec // masked
	return s, nil
}

// sent is one batch of a producer that the log has, or will have.
type sent struct {
	first, last int32 // sequences
	base, next  int64 // offsets
}

// producer is what a partition knows of an idempotent producer, by value.
type producer struct {
	epoch       int16
	coordinator int32 // epoch of the last marker's; -1 for none
	at          int64 // when it appended last, in ms
	age         int64 // the bus's then, in ms
	open        int64 // first offset of its open transaction; -1 for none
	batches     [batchesKnown]sent
	count       int // of batches, oldest first
}

var noProducer = producer{epoch: -1, coordinator: -1, open: -1} // never changed

// judge tells whether the batch may come next, or is one that the log has already. It does as Kafka's
// ProducerAppendInfo: who is not known may begin with any sequence, for its records may have gone.
func (p *producer) judge(s *stamp, admitted bool) (repeated *sent, err error) {
	if s.epoch == p.epoch && s.marker == nil {
		for i := range p.count {
			if was := p.batches[i]; was.first == s.first && was.last == s.last {
				return &was, nil
			}
		}
	}
	if s.epoch < p.epoch {
		return nil, fmt.Errorf("%w: producer %d has epoch %d, the last one was %d", ErrEpoch, s.id, s.epoch, p.epoch)
	}
	if s.marker != nil {
		if s.marker.Coordinator < p.coordinator {
			return nil, fmt.Errorf("%w: %d, the last one was %d", ErrCoordinator, s.marker.Coordinator, p.coordinator)
		}
		return nil, nil //nolint:nilnil // not repeated
	}
	want := int32(0)
	if s.epoch == p.epoch && p.count > 0 {
		want = (p.batches[p.count-1].last + 1) & math.MaxInt32
	}
	if p.epoch >= 0 && s.first != want {
		return nil, fmt.Errorf("%w: producer %d sends %d, the next is %d", ErrSequence, s.id, s.first, want)
	}
	switch open := p.open >= 0; {
	case open && !s.transactional:
		return nil, fmt.Errorf("%w: producer %d has one open", ErrTransaction, s.id)
	case s.transactional && !open && !admitted:
		return nil, fmt.Errorf("%w: producer %d has none open in this partition", ErrTransaction, s.id)
	}
	return nil, nil //nolint:nilnil // not repeated
}

// append takes a batch over. It returns the transaction that the batch has aborted, nil for none.
func (p *producer) append(s *stamp, base, next int64, at, age int64) *Aborted {
	if s.epoch != p.epoch {
		p.epoch, p.count = s.epoch, 0
	}
	p.at, p.age = at, age
	if s.marker != nil {
		open := p.open
		p.open, p.coordinator = -1, s.marker.Coordinator
		if open < 0 || s.marker.Commit {
			return nil
		}
		return &Aborted{Producer: s.id, First: open, Last: base}
	}
	if p.count == batchesKnown {
		copy(p.batches[:], p.batches[1:])
		p.count--
	}
	p.batches[p.count] = sent{s.first, s.last, base, next}
	p.count++
	if s.transactional && p.open < 0 {
		p.open = base
	}
	return nil
}

// producers is what a partition knows of all of them, at the end of its log.
type producers struct {
	known    map[int64]producer
	open     map[int64]int64 // producer -> first offset of its open transaction
	admitted map[int64]int16 // producer -> epoch: who may begin a transaction
	// aborted are in order of their markers, 32 bytes of RAM each: less than the log has of them.
	aborted []Aborted
}

func newProducers() producers {
	return producers{known: map[int64]producer{}, open: map[int64]int64{}, admitted: map[int64]int16{}}
}

func (x *producers) of(id int64) producer {
	if p, ok := x.known[id]; ok {
		return p
	}
	return noProducer
}

// append takes over a batch that the log has.
func (x *producers) append(s *stamp, base, next int64, at, age int64) {
	p := x.of(s.id)
	aborted := p.append(s, base, next, at, age)
	x.put(s.id, p)
	if aborted != nil {
		aborted.stable = x.stable(next)
		x.aborted = append(x.aborted, *aborted)
	}
	if len(x.known) > producersMax {
		x.forget()
	}
}

func (x *producers) put(id int64, p producer) {
	x.known[id] = p
	if delete(x.open, id); p.open >= 0 {
		x.open[id] = p.open
	}
}

// forget makes room by those that have appended nothing for longest.
func (x *producers) forget() {
	idle := slices.DeleteFunc(slices.Collect(maps.Keys(x.known)), func(id int64) bool { return x.known[id].open >= 0 })
	slices.SortFunc(idle, func(a, b int64) int { return cmp.Compare(x.known[a].at, x.known[b].at) })
	for _, id := range idle[:min(producersMax/8, len(idle))] {
		delete(x.known, id)
	}
}

// expire forgets who has appended nothing for producerExpiry.
func (x *producers) expire(by *meta.Age) {
	maps.DeleteFunc(x.known, func(_ int64, p producer) bool {
		return p.open < 0 && by.Old(time.UnixMilli(p.at), time.Duration(p.age)*time.Millisecond, producerExpiry)
	})
}

// trim drops aborted transactions that lie below offset.
func (x *producers) trim(offset int64) {
	n, _ := slices.BinarySearchFunc(x.aborted, offset, func(a Aborted, offset int64) int { return cmp.Compare(a.Last, offset) })
	x.aborted = slices.Delete(x.aborted, 0, n)
}

// between are the aborted transactions with offsets of [from, to).
func (x *producers) between(from, to int64) []Aborted {
	n, _ := slices.BinarySearchFunc(x.aborted, from, func(a Aborted, from int64) int { return cmp.Compare(a.Last, from) })
	var out []Aborted
	for _, a := range x.aborted[n:] {
		if a.First < to {
			out = append(out, a)
		}
		if a.stable >= to {
			break
		}
	}
	return out
}

// stable is the first offset that is not decided, end when all are.
func (x *producers) stable(end int64) int64 {
	for _, first := range x.open {
		end = min(end, first)
	}
	return end
}

// encode renders all but who is admitted, in varints.
func (x *producers) encode() []byte {
	var b []byte
	put := func(values ...int64) {
		for _, v := range values {
			b = binary.AppendVarint(b, v)
		}
	}
	put(int64(len(x.known)))
	for id, p := range x.known {
		put(id, int64(p.epoch), int64(p.coordinator), p.at, p.age, p.open, int64(p.count))
		for _, s := range p.batches[:p.count] {
			put(int64(s.first), int64(s.last), s.base, s.next-s.base)
		}
	}
	for _, a := range x.aborted {
		put(a.Producer, a.First, a.Last-a.First, a.stable)
	}
	return b
}

var errProducers = errors.New("producers of a checkpoint are corrupt")

func decodeProducers(b []byte) (producers, error) {
	x := newProducers()
	bad := false
	get := func(low, high int64) int64 {
		v, n := binary.Varint(b)
		if n <= 0 || v < low || v > high {
			b, bad = nil, true
			return 0
		}
		b = b[n:]
		return v
	}
	if len(b) == 0 {
		return x, nil
	}
	const most = math.MaxInt64
	for range get(0, most) {
		id := get(0, most)
		p := producer{epoch: int16(get(-1, math.MaxInt16)), coordinator: int32(get(-1, math.MaxInt32)), at: get(math.MinInt64, most), age: get(0, most), open: get(-1, most)} //nolint:gosec // within
		p.count = int(get(0, batchesKnown))
		for i := range p.count {
			s := sent{first: int32(get(0, math.MaxInt32)), last: int32(get(0, math.MaxInt32)), base: get(0, most)} //nolint:gosec // within
			s.next = s.base + get(0, math.MaxInt32)
			p.batches[i] = s
		}
		if bad {
			return newProducers(), errProducers
		}
		x.put(id, p)
	}
	for len(b) > 0 {
		a := Aborted{Producer: get(0, most), First: get(0, most)}
		a.Last, a.stable = a.First+get(0, most-a.First), get(0, most)
		x.aborted = append(x.aborted, a)
	}
	if bad {
		return newProducers(), errProducers
	}
	return x, nil
}

// Admit lets a producer begin a transaction in this partition, until the marker that ends it. Without,
// batches that come late would open one that nobody ends.
func (p *Partition) Admit(id int64, epoch int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.producers.admitted[id] = epoch
}

// Admitted tells whether a producer may begin a transaction in this partition, or has one open.
func (p *Partition) Admitted(id int64, epoch int16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	of, ok := p.producers.admitted[id]
	return ok && of == epoch
}

// Aborted returns the aborted transactions with offsets of [from, to), to at most Stable, in order of their ends.
func (p *Partition) Aborted(from, to int64) []Aborted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.producers.between(from, to)
}

// ProducerState is what DescribeProducers tells of a producer in a partition.
type ProducerState struct {
	ID           int64
	Epoch        int16
	LastSequence int32     // -1 for none
	At           time.Time // of its last append
	Coordinator  int32     // epoch of the coordinator of its last marker; -1 for none
	Open         int64     // first offset of its open transaction; -1 for none
}

// Producers returns the idempotent producers that the partition knows, in order of id.
func (p *Partition) Producers() []ProducerState {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []ProducerState
	for _, id := range slices.Sorted(maps.Keys(p.producers.known)) {
		one := p.producers.known[id]
		last := int32(-1)
		if one.count > 0 {
			last = one.batches[one.count-1].last
		}
		out = append(out, ProducerState{id, one.epoch, last, time.UnixMilli(one.at), one.coordinator, one.open})
	}
	return out
}

// view is what the log will know of a producer once what is in flight has got in.
type view struct {
	producer
	until int64 // offset after its last batch
}

// view is what the log will know of a producer; p.mu is held.
func (w *writer) view(id int64) view {
	v, ok := w.views[id]
	if !ok {
		v.producer = w.p.producers.of(id)
	}
	return v
}

// judge tells whether the next append to the log may be r, or which earlier one it repeats.
func (w *writer) judge(r *request) (repeated *sent, err error) {
	if r.stamp == nil {
		return nil, nil //nolint:nilnil // of no producer
	}
	id := r.stamp.id
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	v := w.view(id)
	if first, ok := w.waiting[id]; ok && v.epoch < 0 && first.epoch == r.stamp.epoch && first.first != r.stamp.first {
		return nil, fmt.Errorf("%w: producer %d sends %d, the next is %d", ErrSequence, id, r.stamp.first, first.first)
	}
	epoch, admitted := w.p.producers.admitted[id]
	return v.judge(r.stamp, admitted && epoch == r.stamp.epoch)
}

// sees takes over that r is on its way.
func (w *writer) sees(r *request, base, next int64) {
	if r.stamp == nil {
		return
	}
	id := r.stamp.id
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	v := w.view(id)
	v.append(r.stamp, base, next, 0, 0)
	v.until = next
	w.views[id] = v
	delete(w.waiting, id)
	if r.stamp.marker != nil {
		delete(w.p.producers.admitted, id)
	}
}

// turnAway answers a request that is not in the log, as far as is known.
func (w *writer) turnAway(r *request, err error) {
	w.misses(r)
	r.answer <- answer{err: w.p.refused(err)}
}

// misses notes a request that does not get into the log, though others may that were sent behind it: of a
// producer whom the log does not know it takes none before the first.
func (w *writer) misses(r *request) {
	if s := r.stamp; s != nil && s.marker == nil && len(w.waiting) < producersMax {
		if _, ok := w.waiting[s.id]; !ok {
			w.waiting[s.id] = *s
		}
	}
}

// repeat answers an append that is in the log already as the first time, once it is durable.
func (w *writer) repeat(m *message, r *request, was *sent) {
	a := Appended{Base: was.base, Next: was.next}
	for _, one := range append(slices.Clone(w.inFlight), m) {
		if was.base >= one.base && (one == m || was.base < one.next) {
			one.repeats = append(one.repeats, repeat{r, a})
			return
		}
	}
	r.answer <- answer{appended: a}
}

// repeat is an append that waits for another of the same batch.
type repeat struct {
	r        *request
	appended Appended
}

// AppendMarker ends a producer's transaction in this partition: it is durable when the call returns,
// and the coordinator repeats it after ErrRetry. One without a transaction here fences older epochs alone.
func (p *Partition) AppendMarker(ctx context.Context, m record.Marker) (Appended, error) {
	b := record.EncodeMarker(m, p.bus.o.Clock.Now().UnixMilli())
	s, err := stampOf(b)
	if err != nil {
		return Appended{}, err
	}
	return p.append(ctx, &request{data: b, records: 1, newest: b.MaxTimestamp(), stamp: s, answer: make(chan answer, 1)})
}
