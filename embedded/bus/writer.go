package bus

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// Limits of appending.
const (
	joinBytesMax      = 1 << 20 // joined messages; larger ones are slower (measured)
	messageBytesMax   = 31 << 20
	publishesInFlight = 2
	inFlightBytesMax  = 8 << 20 // of all partitions together
	waitingAppendsMax = 1024    // of one partition; who comes later waits to be let in
	repliesWaitingMax = 16
	leaderEpochAt     = 12
	batchLengthAt     = 8
	noTimeoutPending  = time.Hour
)

// errClosing is what appends are told when the bus closes.
var errClosing = fault.Wrap(ErrRetry, fault.Unavailable, "append to the log: it is closing", "start Tarn again")

// request is one append on its way.
type request struct {
	records int64 // offsets that it takes
	newest  int64
	places  map[string]passage
	stamp   *stamp // of its producer; nil for none
	answer  chan answer

	mu    sync.Mutex // guards the rest
	data  []byte     // the caller's; nil once it is copied or the caller has gone
	taken bool
}

type answer struct {
	appended Appended
	err      error
}

// give copies the request into a message, unless its caller has gone.
func (r *request) give(to []byte) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.data == nil {
		return to, false
	}
	to = append(to, r.data...)
	r.data, r.taken = nil, true
	return to, true
}

// leave takes the request back; false when a message holds it already.
func (r *request) leave() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data = nil
	return !r.taken
}

// batchBytes is the length of the first batch of a checked message.
func batchBytes(data []byte) int {
	return int(binary.BigEndian.Uint32(data[batchLengthAt:])) + leaderEpochAt
}

// message is one publish on its way: what joined requests make.
type message struct {
	requests   []*request
	repeats    []repeat
	data       []byte
	base, next int64
	newest     int64
	time       int64  // ms, of the log, which the records bear; 0 where they bear their own
	seq        uint64 // predicted
	reply      string
	weight     int64 // of the bytes in flight
	sent       time.Time
}

// writer is the only publisher of a partition. One goroutine runs it.
type writer struct {
	p     *Partition
	carry *request // taken from the queue, not yet in a message

	session *session
	conn    *nats.Conn
	inbox   *nats.Subscription
	replies chan *nats.Msg
	prefix  string
	sent    int // numbers replies

	seq      uint64 // the stream's last sequence once all in flight are stored
	next     int64  // offset to give out next
	previous string // message id of the last one in flight; "" for none
	inFlight []*message
	ahead    places          // the last places of what was sent since the log was read last
	views    map[int64]view  // producers with batches in flight
	waiting  map[int64]stamp // what producers whom the log does not know were refused first: they send it again
	restarts int             // asked for since an append got in
	swap     *swap           // waits until nothing is in flight
}

// errNoAck means that the server said nothing of a publish in time.
var errNoAck = errors.New("no acknowledgment in time")

// errAck is an acknowledgment that is none.
type errAck struct {
	code uint16 // JetStream's error code; 0 for none
	text string
}

func (e *errAck) Error() string { return e.text }

// serve appends until the first error, or until stop and all in flight are answered, for which it
// then waits lastAckTimeout at most.
func (w *writer) serve(ctx context.Context, stop <-chan struct{}) error {
	timeout := time.NewTimer(noTimeoutPending)
	defer timeout.Stop()
	var stopBy time.Time // set by stop
	for {
		if w.swap != nil && len(w.inFlight) == 0 {
			w.swapNow(ctx)
		}
		blocked, err := w.publish(ctx)
		if err != nil {
			return err
		}
		var queue chan *request
		swaps := w.p.swaps
		if w.swap != nil || stop == nil {
			swaps = nil
		}
		if !blocked && w.swap == nil && len(w.inFlight) < publishesInFlight {
			queue = w.p.queue
		}
		wait := noTimeoutPending
		if len(w.inFlight) > 0 {
			wait = time.Until(w.inFlight[0].sent.Add(w.p.bus.o.seams.ackTimeout(w.p.subject())))
			if stop == nil {
				wait = min(wait, time.Until(stopBy))
			}
		}
		timeout.Reset(wait)
		select {
		case w.carry = <-queue:
		case w.swap = <-swaps:
		case m := <-w.replies:
			if err := w.settle(m); err != nil {
				return err
			}
		case <-timeout.C:
			if stop == nil {
				return nil
			}
			if len(w.inFlight) > 0 {
				return errNoAck
			}
		case <-w.session.gone:
			return errServerGone
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			stop, stopBy = nil, time.Now().Add(lastAckTimeout)
			w.p.trouble.Store(errClosing)
		}
		if stop == nil {
			w.refuseWaiting(w.p.over())
			if len(w.inFlight) == 0 {
				return nil
			}
		}
	}
}

// publish sends what waits, joined, as long as there is place in flight. It tells
// whether a request must wait for the bytes that others have in flight.
func (w *writer) publish(ctx context.Context) (blocked bool, err error) {
	for w.carry != nil && w.swap == nil && len(w.inFlight) < publishesInFlight {
		weight := min(max(joinBytesMax, int64(w.carry.size())), inFlightBytesMax)
		flying := w.p.bus.flying
		if !flying.TryAcquire(weight) {
			if len(w.inFlight) > 0 {
				return true, nil // its own acknowledgments free bytes too: never wait here with some
			}
			if err := flying.Acquire(ctx, weight); err != nil {
				return false, errServerGone
			}
		}
		m := w.join()
		if m == nil {
			flying.Release(weight)
			continue
		}
		if size := min(int64(len(m.data)), inFlightBytesMax); size < weight {
			flying.Release(weight - size)
			weight = size
		}
		m.weight = weight
		if err := w.send(m); err != nil {
			return false, err
		}
	}
	return false, nil
}

// join makes one message of what waits: joinBytesMax at most, or one larger request
// alone. Nil when nothing is left to send.
func (w *writer) join() *message {
	requests, size := []*request{w.carry}, w.carry.size()
	w.carry = nil
drain:
	for size < joinBytesMax {
		select {
		case r := <-w.p.queue:
			if n := r.size(); size+n > joinBytesMax {
				w.carry = r
				break drain
			} else {
				size += n
			}
			requests = append(requests, r)
		default:
			break drain
		}
	}
	if err := w.p.bus.room(int64(size)); err != nil {
		for _, r := range requests {
			w.turnAway(r, err)
		}
		return nil
	}
	m := &message{base: w.next}
	if len(requests) > 1 { // the copy of one alone makes its own room, which then is not cleared first
		m.data = make([]byte, 0, size)
	}
	if w.p.topic.Config().AppendTime() {
		m.time = w.p.bus.o.Clock.Now().UnixMilli()
	}
	for _, r := range requests {
		w.take(m, r)
	}
	if len(m.requests) == 0 {
		return nil
	}
	m.next = w.next
	return m
}

func (r *request) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.data)
}

// take puts one request into a message and sets its batches' offsets.
func (w *writer) take(m *message, r *request) {
	if w.p.stale(r.places) || w.repeats(r.places) {
		r.answer <- answer{err: w.p.refused(fmt.Errorf("append to %s: %w: an earlier try got in", w.p.label, ErrRetry))}
		return
	}
	repeated, err := w.judge(r)
	if err != nil {
		r.answer <- answer{err: w.p.refused(fmt.Errorf("append to %s: %w", w.p.label, err))}
		return
	}
	if repeated != nil {
		w.repeat(m, r, repeated)
		return
	}
	at, base := len(m.data), w.next
	var ok bool
	if m.data, ok = r.give(m.data); !ok {
		w.misses(r)
		return
	}
	for at < len(m.data) {
		b := record.Batch(m.data[at:])
		b.SetBase(w.next)
		if m.time != 0 {
			b[:batchBytes(b)].SetAppendTime(m.time)
		}
		binary.BigEndian.PutUint32(b[leaderEpochAt:], 0)
		w.next = b.Next()
		at += batchBytes(b)
	}
	w.sees(r, base, w.next)
	m.newest = max(m.newest, r.newest)
	if m.time != 0 {
		m.newest = m.time
	}
	m.requests = append(m.requests, r)
	for _, passage := range r.places {
		w.ahead.note(passage.last)
	}
}

// repeats tells whether an append starts at or below a place that is in the log or on its way:
// its source was started anew while an earlier try was in flight. Only topics that a source or
// Tarn itself fills are judged: elsewhere anybody may send a header of that name.
func (w *writer) repeats(passages map[string]passage) bool {
	if w.p.topic.Config().Source == "" && !strings.HasPrefix(w.p.topic.name, record.OwnPrefix) {
		return false
	}
	for source, passage := range passages {
		stored, _ := w.p.Place(source)
		for _, last := range []record.Pos{stored, w.ahead[source]} {
			if last.Place != "" && last.Incarnation == passage.first.Incarnation && !passage.first.After(last) {
				return true
			}
		}
	}
	return false
}

// send publishes a message behind those in flight: only if the stream then ends with them.
func (w *writer) send(m *message) error {
	id := "b" + strconv.FormatInt(m.base, 10)
	header := nats.Header{
		headerBase:                      {strconv.FormatInt(m.base, 10)},
		headerNext:                      {strconv.FormatInt(m.next, 10)},
		jetstream.ExpectedLastSeqHeader: {strconv.FormatUint(w.seq, 10)},
		jetstream.MsgIDHeader:           {id},
	}
	if w.previous != "" {
		header[jetstream.ExpectedLastMsgIDHeader] = []string{w.previous}
	}
	w.seq++
	w.previous = id
	m.seq, m.reply, m.sent = w.seq, w.reply(), time.Now()
	w.inFlight = append(w.inFlight, m)
	w.p.bus.metrics.inFlight.Add(float64(m.weight))
	err := w.p.bus.o.seams.publish(w.conn, &nats.Msg{Subject: w.p.subject(), Reply: m.reply, Header: header, Data: m.data})
	if err != nil {
		return fmt.Errorf("publish to %s: %w", w.p.label, err)
	}
	return nil
}

func (w *writer) reply() string {
	w.sent++
	return w.prefix + strconv.Itoa(w.sent)
}

// settle takes an acknowledgment: the oldest in flight is in the log, on disk.
func (w *writer) settle(reply *nats.Msg) error {
	switch i := slices.IndexFunc(w.inFlight, func(m *message) bool { return m.reply == reply.Subject }); {
	case i > 0:
		return &errAck{text: "acknowledgments out of order"}
	case i < 0:
		return lateAck(reply)
	}
	m := w.inFlight[0]
	if err := checkAck(reply, m.seq); err != nil {
		return err
	}
	fault.Point("bus.published")
	w.p.appended(m)
	w.restarts = 0
	w.inFlight = w.inFlight[1:]
	if len(w.inFlight) == 0 {
		w.inFlight = nil
	}
	w.landed(m)
	base := m.base
	for _, r := range m.requests {
		r.answer <- answer{appended: Appended{Base: base, Next: base + r.records, Time: m.time}}
		base += r.records
		if r.stamp != nil && w.views[r.stamp.id].until == base {
			delete(w.views, r.stamp.id)
		}
	}
	for _, one := range m.repeats {
		one.r.answer <- answer{appended: one.appended}
	}
	return nil
}

// landed frees what a message held in flight.
func (w *writer) landed(m *message) {
	w.p.bus.flying.Release(m.weight)
	w.p.bus.metrics.inFlight.Sub(float64(m.weight))
	w.p.bus.metrics.ackSeconds.Observe(time.Since(m.sent).Seconds())
}

// checkAck tells whether a reply says that the message is stored under its sequence,
// by this publish and no other.
func checkAck(reply *nats.Msg, seq uint64) error {
	var ack server.JSPubAckResponse
	if err := json.Unmarshal(reply.Data, &ack); err != nil || ack.PubAck == nil && ack.Error == nil {
		return &errAck{text: fmt.Sprintf("acknowledgment %q %q", reply.Header.Get("Status"), reply.Data)}
	}
	if ack.Error != nil {
		return &errAck{code: ack.Error.ErrCode, text: ack.Error.Description}
	}
	if ack.Duplicate {
		return &errAck{text: "acknowledgment of a duplicate"}
	}
	if ack.Sequence != seq {
		return &errAck{text: fmt.Sprintf("stored as message %d, want %d", ack.Sequence, seq)}
	}
	return nil
}

// lateAck judges an answer to a publish that was given up: if it got in, the log must
// be read again.
func lateAck(reply *nats.Msg) error {
	var ack server.JSPubAckResponse
	if err := json.Unmarshal(reply.Data, &ack); err == nil && ack.Error == nil && ack.PubAck != nil && !ack.Duplicate {
		return &errAck{text: "a publish that was given up got in"}
	}
	return nil
}

// refuse answers all that is in flight or waits: whether the former got in is unknown.
func (w *writer) refuse(err error) {
	for _, m := range w.inFlight {
		w.landed(m)
		for _, r := range m.requests {
			w.turnAway(r, err)
		}
		for _, one := range m.repeats {
			one.r.answer <- answer{err: w.p.refused(err)}
		}
	}
	w.inFlight = nil
	w.refuseWaiting(err)
}

// refuseWaiting answers what waits: it is not in the log.
func (w *writer) refuseWaiting(err error) {
	if w.carry != nil {
		w.turnAway(w.carry, err)
		w.carry = nil
	}
	for {
		select {
		case r := <-w.p.queue:
			w.turnAway(r, err)
		default:
			return
		}
	}
}
