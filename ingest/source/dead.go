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
		err := r.o.Dead(ctx, Burial{b.Topic, r.deadID(b), r.o.Config.Name, b.Incarnation}, b.Dead)
		if err == nil {
			fault.Point("source.buried")
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

// deadID is the id under which the places of a batch's dead letters are: those of a snapshot are not in one order with those of the
// changes that are read between two of its chunks.
func (r *Runner) deadID(b *TopicBatch) string {
	if b.Chunk {
		return r.id + "~snapshot"
	}
	return r.id
}

// countDead counts the letters of a batch, but those that were counted before its records
// were refused, and read again.
func (r *Runner) countDead(b *TopicBatch) {
	of := record.Pos{Source: r.deadID(b), Incarnation: b.Incarnation, Place: b.Dead[len(b.Dead)-1].Place}
	last, n := r.buried[b.Topic+of.Source], 0
	for i := range b.Dead {
		if last.Incarnation != b.Incarnation || b.Dead[i].Place > last.Place {
			n++
		}
	}
	if n == 0 {
		return
	}
	r.buried[b.Topic+of.Source] = of
	r.o.Metrics.dead.WithLabelValues(r.o.Config.Name, b.Topic).Add(float64(n))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Dead += int64(n)
}
