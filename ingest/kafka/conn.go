package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
)

// conn is one client's connection. One goroutine reads its requests and answers them, one after the other. Only
// produce requests are not waited for before the next one is read: a second goroutine, which the first of them starts,
// answers them in order once the log has them.
type conn struct {
	door   *Door
	net    net.Conn
	log    *slog.Logger
	who    guard.Principal
	client string // its id, as the request under way says

	drain    context.Context //nolint:containedctx // of what was received whole: it goes on when the connection has ended, and for drainMax of a stop
	held     *request        // the one under way
	session  *session        // of fetches
	readings map[*bus.Partition]*reading
	fetches  int
	owed     int64          // bytes of answers that the answer under way holds
	listed   int64          // bytes that it will have, where it takes room for what it lists
	roomless *refusal       // of its first element for which there was no room: none is waited for again
	lent     int64          // of that room
	promises chan promise   // nil until the first produce request
	promised sync.WaitGroup // ends with keepPromises
	kept     sync.WaitGroup // promises that are not answered
	start    [startBytes]byte
}

// startBytes is what each request begins with: length, API and version.
const startBytes = 8

// past is a deadline that is over.
var past = time.Unix(1, 0)

// errDone ends a connection without a word in the log.
var errDone = errors.New("the connection is done")

// request is one frame.
type request struct {
	key, version int16
	correlation  int32
	body         []byte              // behind the header
	weight       int64               // of the memory in hand
	hand         *semaphore.Weighted // nil: the request has none of it
	frame        []byte              // of a produce request, whose records the log copies; nil for none
}

// serve answers a connection until it or ctx ends, and what it has promised until drain does.
func (d *Door) serve(ctx, drain context.Context, nc net.Conn) {
	c := &conn{door: d, net: nc, log: d.o.Log.With("client", nc.RemoteAddr().String()), drain: drain}
	defer context.AfterFunc(ctx, func() { _ = nc.SetReadDeadline(past) })()
	defer context.AfterFunc(drain, func() { _ = nc.Close() })() // which ends a write to a client that does not read
	err := life.Guarded(c.log, func() error { return c.run(ctx) })
	if err != nil && !errors.Is(err, errDone) {
		c.log.Info("connection of a Kafka client is closed", "client_id", c.client, "error", err)
	}
	c.close()
}

func (c *conn) run(ctx context.Context) (err error) {
	if c.who, err = c.door.o.Guard.Authenticate(ctx, guard.Credential{Door: doorName, Remote: c.net.RemoteAddr().String()}); err != nil {
		return err
	}
	for {
		r, err := c.read(ctx)
		if err != nil {
			return err
		}
		if err := c.answer(ctx, r); err != nil {
			return err
		}
	}
}

// close waits for what is promised, answers it where the client takes that within drainMax, and ends the connection.
func (c *conn) close() {
	if c.promises != nil {
		late := time.AfterFunc(c.door.o.drain, func() { _ = c.net.Close() })
		close(c.promises)
		c.promised.Wait()
		late.Stop()
	}
	for _, r := range c.readings {
		c.rewind(r)
	}
	_ = c.net.Close()
}

// read reads the next request. The memory that it takes is the door's until release.
func (c *conn) read(ctx context.Context) (r request, err error) {
	c.patience(ctx, idleMax)
	if _, err := io.ReadFull(c.net, c.start[:]); err != nil {
		return r, errDone
	}
	size := int64(int32(binary.BigEndian.Uint32(c.start[:])))                                                   //nolint:gosec // checked below
	r.key, r.version = int16(binary.BigEndian.Uint16(c.start[4:])), int16(binary.BigEndian.Uint16(c.start[6:])) //nolint:gosec // two's complement on the wire
	most, weight, hand, wait := int64(requestBytesMax), size*requestWeight, c.door.inHand, ctx
	if r.key == kmsg.Produce.Int16() {
		most, weight, hand, wait = produceBytesMax, size, c.door.produce, c.drain
	} else if size <= freeBytesMax {
		hand = nil
	}
	if size < startBytes || size > most {
		c.door.metrics.refusals.WithLabelValues("size").Inc()
		return r, fmt.Errorf("a request of API %d has %d bytes, want %d to %d", r.key, size, startBytes, most)
	}
	left := size - (startBytes - 4)
	body := c.frame(&r, min(left, freeBytesMax))
	if err := c.fill(ctx, r, body); err != nil {
		return r, err
	}
	if hand != nil {
		if hand.Acquire(wait, weight) != nil {
			return r, errDone
		}
		r.hand, r.weight = hand, weight
	}
	if left > freeBytesMax {
		begun := r.frame
		whole := c.frame(&r, left)
		n := copy(whole, body)
		c.door.frames.put(begun)
		if err := c.fill(ctx, r, whole[n:]); err != nil {
			c.release(r)
			return r, err
		}
		body = whole
	}
	c.door.metrics.received.Add(float64(size))
	if ctx.Err() != nil && r.key != kmsg.Produce.Int16() { // a produce request is nobody else's to send again where it wants no answer
		c.release(r)
		return r, errDone
	}
	r.correlation = int32(binary.BigEndian.Uint32(body)) //nolint:gosec // two's complement on the wire
	r.body = body[4:]
	return r, nil
}

// frame returns memory for a request. That of produce requests, of which the log keeps a copy, is used again.
func (c *conn) frame(r *request, n int64) []byte {
	if r.key != kmsg.Produce.Int16() {
		return make([]byte, n)
	}
	r.frame = c.door.frames.get(int(n))
	return r.frame
}

// fill reads some of a request that has begun.
func (c *conn) fill(ctx context.Context, r request, body []byte) error {
	c.patience(ctx, readMax)
	_, err := io.ReadFull(c.net, body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
		return fmt.Errorf("a request of API %d has not come within %s", r.key, readMax)
	default:
		return errDone
	}
}

// patience bounds how long a client may be silent. When ctx has ended that is no time.
func (c *conn) patience(ctx context.Context, most time.Duration) {
	_ = c.net.SetReadDeadline(time.Now().Add(most))
	if ctx.Err() != nil { // its end may have set its deadline before
		_ = c.net.SetReadDeadline(past)
	}
}

func (c *conn) release(r request) {
	if r.hand != nil {
		r.hand.Release(r.weight)
	}
	if r.frame != nil {
		c.door.frames.put(r.frame)
	}
}

// spare gives back the memory of the request under way, of which its handler has what it needs: it is to wait
// for others, who must get in.
func (c *conn) spare() {
	c.release(*c.held)
	c.held.hand, c.held.body = nil, nil
}

// answer handles one request and writes the answer, or promises it.
func (c *conn) answer(ctx context.Context, r request) error {
	promised := false
	c.held = &r
	defer func() {
		if !promised {
			c.release(r)
		}
	}()
	req, err := c.decode(&r)
	if err != nil {
		c.door.metrics.refusals.WithLabelValues("unreadable").Inc()
		return err
	}
	c.door.metrics.requests.WithLabelValues(kmsg.NameForKey(r.key)).Inc()
	a, ok := c.door.apis[r.key]
	switch {
	case !ok || r.version < a.min || r.version > a.max:
		return c.unsupported(r, req)
	case a.promise != nil:
		if c.promises == nil {
			c.promises = make(chan promise, promisesMax)
			c.promised.Go(c.keepPromises)
		}
		p, err := a.promise(ctx, c, req)
		if err != nil {
			return err
		}
		p.request, promised = r, true
		c.kept.Add(1)
		c.promises <- p
		return nil
	}
	c.kept.Wait()
	defer c.paid()
	resp, err := a.handle(ctx, c, req)
	if err != nil || resp == nil {
		return err
	}
	return c.write(r, resp)
}

// owe takes room for the records of an answer: what is wanted, if that is not more than a quarter of what is free, so that
// clients which are slow to read leave some to the others, and least at least, for which it waits until ctx ends. The room
// is free again when the answer is written.
func (c *conn) owe(ctx context.Context, want, least int64) (int64, error) {
	d := c.door
	n := max(min(want, (answerBytesMax-d.owed.Load())/4), least)
	if err := d.answers.Acquire(ctx, n); err != nil {
		return 0, err
	}
	d.owed.Add(n)
	c.owed += n
	return n, nil
}

// oweAll takes the room that an answer of n bytes lacks, and tells whether there was some in time.
func (c *conn) oweAll(ctx context.Context, n int64) bool {
	lacks := n - c.owed
	if lacks <= 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, fetchRoomMax)
	defer cancel()
	_, err := c.owe(ctx, lacks, lacks)
	return err == nil
}

// paid gives back what an answer has held.
func (c *conn) paid() {
	c.door.lists.Release(c.lent)
	c.listed, c.lent, c.roomless = 0, 0, nil
	if c.owed > 0 {
		c.door.owed.Add(-c.owed)
		c.door.answers.Release(c.owed)
		c.owed = 0
	}
}

// promise is an answer that comes later.
type promise struct {
	request request
	answer  func() (kmsg.Response, error) // waits; no answer and no error is for a request that wants none
}

// keepPromises answers what was promised, in order.
func (c *conn) keepPromises() {
	for p := range c.promises {
		resp, err := p.answer()
		c.release(p.request)
		if err == nil && resp != nil {
			err = c.write(p.request, resp)
		}
		if err != nil {
			_ = c.net.Close() // which the reader sees
		}
		c.kept.Done()
	}
}

// decode reads header and body. No request and no error is for one of a version that nobody knows.
func (c *conn) decode(r *request) (kmsg.Request, error) {
	req := kmsg.RequestForKey(r.key)
	if req == nil {
		return nil, fmt.Errorf("there is no API %d", r.key)
	}
	if r.version < 0 || r.version > req.MaxVersion() {
		return nil, nil
	}
	req.SetVersion(r.version)
	b := kbin.Reader{Src: r.body}
	c.client = ""
	if id := b.NullableString(); id != nil {
		c.client = *id
	}
	if req.IsFlexible() {
		skipTags(&b)
	}
	err := b.Complete()
	if err == nil {
		if produce, ok := req.(*kmsg.ProduceRequest); ok {
			err = readProduce(produce, b.Src)
		} else {
			err = req.ReadFrom(b.Src)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read a request %s of version %d: %w", kmsg.NameForKey(r.key), r.version, err)
	}
	return req, nil
}

// skipTags passes over the tags of a header. Their number is not believed.
func skipTags(b *kbin.Reader) {
	for n := b.Uvarint(); n > 0 && b.Ok(); n-- {
		_, size := b.Uvarint(), b.Uvarint()
		b.Span(int(size))
	}
}

// unsupported answers a request that is not in the table, with Kafka's error where its answer has a place for one.
func (c *conn) unsupported(r request, req kmsg.Request) error {
	c.door.metrics.refusals.WithLabelValues("version").Inc()
	c.kept.Wait()
	if r.key == kmsg.ApiVersions.Int16() {
		r.version = 0
		return c.write(r, c.downgrade())
	}
	if req != nil {
		resp := req.ResponseKind()
		code := reflect.ValueOf(resp).Elem().FieldByName("ErrorCode")
		if code.IsValid() && code.Kind() == reflect.Int16 {
			code.SetInt(int64(kerr.UnsupportedVersion.Code))
			return c.write(r, resp)
		}
	}
	return fault.Newf(fault.Invalid, "see docs/compat/kafka.md for the versions that are there", "API %s of Kafka in version %d", kmsg.NameForKey(r.key), r.version)
}

// write sends an answer. A client that does not take it is not waited for longer than writeMax.
func (c *conn) write(r request, resp kmsg.Response) error {
	const headBytes = 8
	size := 512
	f, records := resp.(*fetched)
	if records {
		size += f.copiedBytes()
	}
	out := pieces{own: c.door.frames.get(size)[:headBytes]}
	clear(out.own)
	defer func() { c.door.frames.put(out.own) }()
	binary.BigEndian.PutUint32(out.own[4:], uint32(r.correlation)) //nolint:gosec // two's complement on the wire
	if resp.IsFlexible() && r.key != kmsg.ApiVersions.Int16() {
		out.own = append(out.own, 0) // no tags; ApiVersions never has any, for its version is not agreed on yet
	}
	if records {
		f.appendTo(&out)
	} else {
		out.own = resp.AppendTo(out.own)
	}
	binary.BigEndian.PutUint32(out.own, uint32(out.size()-4)) //nolint:gosec // bounded by what an answer may hold
	_ = c.net.SetWriteDeadline(time.Now().Add(writeMax))
	n, err := out.writeTo(c.net)
	c.door.metrics.sent.Add(float64(n))
	if err != nil {
		return errDone
	}
	return nil
}
