package bus

import (
	"context"
	"time"

	"tarn/embedded/disk"
	"tarn/embedded/life"
)

// retryWait is the pause between two tries of something that the disk or the server refuses.
const retryWait = 250 * time.Millisecond

// tryEvery is for how long a disk that took a file is not tried again by streams that are made.
const tryEvery = time.Second

// session returns the running session, and a channel that is closed when there is another.
func (b *Bus) session() (*session, <-chan struct{}) {
	b.sessionMu.Lock()
	defer b.sessionMu.Unlock()
	return b.current, b.renewed
}

// liveSession waits for a session that works.
func (b *Bus) liveSession(ctx context.Context) (*session, error) {
	for {
		s, renewed := b.session()
		if !s.lost() && !s.stuck.Load() {
			return s, nil
		}
		b.restart(s)
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// restart asks for a new run of the embedded server in place of s.
func (b *Bus) restart(s *session) {
	s.stuck.Store(true)
	select {
	case b.broken <- struct{}{}:
	default: // the keeper has not yet looked
	}
}

// keepServer restarts the embedded server when a writer or reader asks for it, once
// there is room and the disk takes writes: before that no restart helps.
func (b *Bus) keepServer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.broken:
			if s, _ := b.session(); s.stuck.Load() {
				b.renew(ctx, s)
			}
		}
	}
}

func (b *Bus) renew(ctx context.Context, s *session) {
	defer b.restarting.Store(nil)
	for {
		err := b.startable()
		b.restarting.Store(&err)
		if err == nil {
			break
		}
		if life.Wait(ctx, retryWait) != nil {
			return
		}
	}
	b.o.Log.Warn("embedded server restarts")
	s.stop()
	for {
		fresh, err := startServer(ctx, b.o, true)
		if err == nil {
			b.noteDamage(fresh.found)
			b.metrics.restarts.Inc()
			b.sessionMu.Lock()
			b.current = fresh
			close(b.renewed)
			b.renewed = make(chan struct{})
			b.sessionMu.Unlock()
			b.o.Log.Info("embedded server restarted")
			return
		}
		b.o.Log.Error("embedded server does not start", "error", err)
		if life.Wait(ctx, retryWait) != nil {
			return
		}
	}
}

// startable is why the server cannot be started nor a stream be made now; nil when they can. What
// landing and upkeep may use of the reserve is enough: they read from the server.
func (b *Bus) startable() error {
	if err := b.roomAbove(b.o.DiskReserve/disk.WorkShare, joinBytesMax); err != nil {
		return err
	}
	return b.o.Disk.Try(b.o.Dir)
}

// makeable is startable for one of many streams: the disk is tried once for those of tryEvery, which
// all take less than it was tried with.
func (b *Bus) makeable() error {
	b.trying.Lock()
	defer b.trying.Unlock()
	if b.tried.IsZero() || time.Since(b.tried) > tryEvery {
		b.tried = time.Time{}
		if err := b.startable(); err != nil {
			return err
		}
		b.tried = time.Now()
		return nil
	}
	return b.roomAbove(b.o.DiskReserve/disk.WorkShare, joinBytesMax)
}
