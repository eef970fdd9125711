package source

import (
	"context"

	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// bury sends what is no record to the dead letters, however long it takes.
func (r *Runner) bury(ctx context.Context, b *TopicBatch) error {
	if len(b.Dead) == 0 || r.o.Dead == nil {
		return nil
	}
	if r.o.Config.Get(ToleranceKey, ToleranceAll) == ToleranceNone {
		return fault.Newf(fault.Invalid, "set "+ToleranceKey+" to "+ToleranceAll+": it then goes to system.dead_letter, from where it can be sent again, mended",
			"%s: %s", b.Dead[0].Key, b.Dead[0].Why)
	}
	pause := newPauses()
	for {
		err := r.o.Dead(ctx, Burial{b.Topic, r.id, r.o.Config.Name, b.Incarnation}, b.Dead)
		if err == nil {
			r.countDead(b)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		r.set(Retrying, err)
		pause.wait(ctx)
	}
}

// countDead counts the letters of a batch, but those that were counted before its records
// were refused, and read again.
func (r *Runner) countDead(b *TopicBatch) {
	last, n := r.buried[b.Topic], 0
	for i := range b.Dead {
		if last.Incarnation != b.Incarnation || b.Dead[i].Place > last.Place {
			n++
		}
	}
	if n == 0 {
		return
	}
	r.buried[b.Topic] = record.Pos{Source: r.id, Incarnation: b.Incarnation, Place: b.Dead[len(b.Dead)-1].Place}
	r.o.Metrics.dead.WithLabelValues(r.o.Config.Name, b.Topic).Add(float64(n))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Dead += int64(n)
}
