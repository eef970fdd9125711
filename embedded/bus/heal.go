package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/fault"
	"tarn/embedded/life"
)

// restartsMax is how many restarts of the embedded server a partition may ask for without
// an append that gets in, before it is set aside: each one costs all partitions a pause.
const restartsMax = 5

// errNotHealed ends the tries of a partition that restarts do not help.
var errNotHealed = errors.New("restarts of the embedded server did not help")

// run appends, and heals after each first error, until stop.
func (w *writer) run(ctx context.Context, stop <-chan struct{}) {
	defer close(w.p.ended)
	defer w.detach()
	for {
		cause := w.serve(ctx, stop)
		w.giveUpSwap()
		if cause == nil || ctx.Err() != nil {
			w.p.adrift = len(w.inFlight) > 0
			w.refuse(w.p.over())
			return
		}
		w.p.bus.o.Log.Warn("append failed, the log is read again", "partition", w.p.label, "error", cause)
		w.p.bus.metrics.recoveries.Inc()
		refusal := fault.Wrap(fmt.Errorf("%w: %w", ErrRetry, cause), fault.Unavailable, "append to "+w.p.label,
			"wait: the partition recovers by itself once the disk takes writes")
		w.p.trouble.Store(refusal)
		w.refuse(refusal)
		if !w.recover(ctx, stop, cause) {
			w.p.adrift = true
			w.refuse(w.p.over())
			return
		}
		w.p.trouble.Store(nil)
	}
}

// recover heals while it refuses who still comes; false when the bus stops first.
func (w *writer) recover(ctx context.Context, stop <-chan struct{}, cause error) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	healed := make(chan bool, 1)
	go func() { healed <- w.heal(ctx, cause) }()
	for {
		select {
		case ok := <-healed:
			return ok
		case r := <-w.p.queue:
			w.turnAway(r, w.p.trouble.Load())
		case <-stop:
			cancel()
			<-healed
			return false
		}
	}
}

// heal makes the writer know the log again: no publish is on its way any more, and
// every message above the last it applied is read.
func (w *writer) heal(ctx context.Context, cause error) bool {
	for {
		err := w.healOnce(ctx, cause)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if errors.Is(err, errNotHealed) {
			w.p.setAside(fmt.Errorf("%w: %w", err, cause))
			<-ctx.Done()
			return false
		}
		w.p.bus.o.Log.Warn("partition does not recover yet", "partition", w.p.label, "error", err)
		if life.Wait(ctx, retryWait) != nil {
			return false
		}
		cause = err
	}
}

func (w *writer) healOnce(ctx context.Context, cause error) error {
	if !storeFailed(cause) && !w.session.lost() && !w.session.stuck.Load() {
		found, err := 0, w.barrier(ctx)
		if err == nil {
			found, err = w.catchUp(ctx)
		}
		if err == nil && (found > 0 || !errors.Is(cause, errNoAck)) {
			return nil
		}
		if err != nil {
			w.p.bus.o.Log.Warn("embedded server does not answer", "partition", w.p.label, "error", err)
		}
	}
	// A store that has failed answers barriers and drops what it is to store.
	if !w.session.lost() && !w.session.stuck.Load() {
		if w.restarts >= restartsMax && w.p.bus.prompt(w.p) {
			return errNotHealed
		}
		w.restarts++
		w.p.bus.restart(w.session)
	}
	s, err := w.p.bus.liveSession(ctx)
	if err != nil {
		return err
	}
	if barred := s.found.barred[w.p.stream()]; barred != nil {
		return fmt.Errorf("%w: %w", errNotHealed, barred)
	}
	if _, _, err := w.p.find(ctx, s); err != nil {
		return err
	}
	if err := w.attach(s); err != nil {
		return err
	}
	found, err := w.catchUp(ctx)
	if found > 0 {
		w.restarts = 0 // it got in after all
	}
	return err
}

// setAside ends a partition's appends and reads until Tarn is started again, so that the
// other partitions go on.
func (p *Partition) setAside(cause error) {
	files := filepath.Join(p.bus.o.Dir, server.JetStreamStoreDir, account, "streams", p.stream())
	aside := fault.Wrap(cause, fault.Damaged, "partition "+p.label+" is set aside, its files are in "+files,
		"check the disk and start Tarn again, which tries once more; if that does not help, put the data folder back from a backup")
	p.bus.o.Log.Error("partition is set aside", "partition", p.label, "files", files, "error", cause)
	p.trouble.Store(aside)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broadcast()
}

// aside is why the partition was set aside; nil when it was not.
func (p *Partition) aside() error {
	if trouble := p.trouble.Load(); trouble != nil && trouble.Code == fault.Damaged {
		return trouble
	}
	return nil
}

// storeFailed tells an error of JetStream's store, which does not heal by itself, from
// a publish that came too late or did not fit.
func storeFailed(err error) bool {
	ack, ok := errors.AsType[*errAck](err)
	return ok && ack.code != 0 && !misfit(ack.code)
}

func misfit(code uint16) bool {
	switch server.ErrorIdentifier(code) {
	case server.JSStreamWrongLastSequenceErrF, server.JSStreamWrongLastSequenceConstantErr, server.JSStreamWrongLastMsgIDErrF:
		return true
	}
	return false
}

// barrier sends a publish that must fail behind all that were sent: its answer says
// that the stream has dealt with each of them.
func (w *writer) barrier(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.p.bus.o.seams.ackTimeout(w.p.subject()))
	defer cancel()
	reply := w.reply()
	err := w.p.bus.o.seams.publish(w.conn, &nats.Msg{Subject: w.p.subject(), Reply: reply, Header: nats.Header{
		jetstream.ExpectedLastSeqHeader: {strconv.FormatUint(math.MaxInt64, 10)},
	}})
	if err != nil {
		return fmt.Errorf("send a barrier to %s: %w", w.p.label, err)
	}
	for {
		select {
		case m := <-w.replies:
			if m.Subject != reply {
				continue // an answer that came too late
			}
			err := checkAck(m, 0)
			if ack, ok := errors.AsType[*errAck](err); ok && misfit(ack.code) {
				return nil
			}
			return fmt.Errorf("barrier of %s: %w", w.p.label, err)
		case <-w.session.gone:
			return errServerGone
		case <-ctx.Done():
			return fmt.Errorf("barrier of %s: %w", w.p.label, ctx.Err())
		}
	}
}

// attach makes the writer publish through a session.
func (w *writer) attach(s *session) error {
	w.detach()
	l, err := s.lane(w.p.lane)
	if err != nil {
		return err
	}
	w.session, w.conn = s, l.publish
	w.prefix = nats.NewInbox() + "."
	w.replies = make(chan *nats.Msg, repliesWaitingMax)
	if w.inbox, err = w.conn.ChanSubscribe(w.prefix+"*", w.replies); err != nil {
		return fmt.Errorf("listen for acknowledgments of %s: %w", w.p.label, err)
	}
	return nil
}

func (w *writer) detach() {
	if w.inbox != nil {
		_ = w.inbox.Unsubscribe() // fails only on a closed connection
		w.inbox = nil
	}
}

// catchUp applies every message above the last one applied, and starts from there.
func (w *writer) catchUp(ctx context.Context) (found int, err error) {
	last, found, err := w.p.read(ctx, w.session, false)
	if err != nil {
		return 0, err
	}
	w.seq, w.previous, w.inFlight, w.ahead, w.views = last, "", nil, places{}, map[int64]view{}
	w.next = w.p.Next()
	if found > 0 {
		w.p.bus.o.Log.Info("log read again", "partition", w.p.label, "messages_found", found, "next_offset", w.next)
	}
	return found, nil
}
