package bus

import (
	"context"
	"errors"
	"fmt"

	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// Append puts whole batches (concatenated, base offsets of no meaning) into the log as one unit
// and returns after the disk has them, or with ErrRetry. Larger than one message: a TooLarge fault.
// The bytes are the caller's again when Append returns. When ctx ends first the error
// is ctx's; it is ErrRetry too when the append was under way already.
// A batch of an idempotent producer comes alone. One that the log has already is answered as the first time; one
// that may not come next is refused with ErrSequence, ErrEpoch or ErrTransaction.
func (p *Partition) Append(ctx context.Context, batches []byte) (Appended, error) {
	r, err := p.check(batches, nil)
	if err != nil {
		return Appended{}, err
	}
	return p.append(ctx, r)
}

// Enqueue is Append in two steps, for callers that have more to append: the order of calls is the order in the log. It
// takes one batch with its survey, and reads its records no more, which may be compressed. It waits only where too many appends wait already. The returned function waits for the disk, as Append does; it is
// called once, and until it returns the bytes are the log's.
func (p *Partition) Enqueue(ctx context.Context, batch record.Batch, survey record.Survey) (wait func(context.Context) (Appended, error), err error) {
	r, err := p.check(batch, &survey)
	if err != nil {
		return nil, err
	}
	if err := p.enqueue(ctx, r); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (Appended, error) { return p.await(ctx, r) }, nil
}

// append waits until the writer has answered a request.
func (p *Partition) append(ctx context.Context, r *request) (Appended, error) {
	if err := p.enqueue(ctx, r); err != nil {
		return Appended{}, err
	}
	return p.await(ctx, r)
}

// enqueue hands a request to the writer.
func (p *Partition) enqueue(ctx context.Context, r *request) error {
	if trouble := p.trouble.Load(); trouble == errClosing {
		return p.over()
	} else if aside := p.aside(); aside != nil {
		return p.refused(aside)
	} // any other is the writer's to tell, which then knows what is missing
	select {
	case p.queue <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return p.over()
	}
}

// await waits for the writer's answer.
func (p *Partition) await(ctx context.Context, r *request) (Appended, error) {
	select {
	case a := <-r.answer:
		return a.appended, a.err
	case <-p.ended:
		select {
		case a := <-r.answer:
			return a.appended, a.err
		default:
			return Appended{}, p.over()
		}
	case <-ctx.Done():
		if r.leave() {
			return Appended{}, ctx.Err()
		}
		return Appended{}, fmt.Errorf("append to %s: %w: %w", p.label, ErrRetry, ctx.Err())
	}
}

// check reads what is to be appended and refuses what must not get into the log. A survey is of the one
// batch, which was cut and its checksum compared.
func (p *Partition) check(data []byte, known *record.Survey) (*request, error) {
	if len(data) > messageBytesMax {
		return nil, fault.Newf(fault.TooLarge, "send smaller batches", "append to %s: %d bytes, at most %d", p.label, len(data), messageBytesMax)
	}
	invalid := func(err error) error {
		return fault.Wrap(err, fault.Invalid, "append to "+p.label, "send whole record batches of format v2")
	}
	batches, err := []record.Batch{data}, error(nil)
	if known == nil {
		batches, err = record.Split(data)
	}
	if err != nil {
		return nil, invalid(err)
	}
	if len(batches) == 0 {
		return nil, invalid(errors.New("no batch"))
	}
	r := &request{data: data, answer: make(chan answer, 1)}
	for _, b := range batches {
		if b.Count() != b.LastDelta()+1 {
			return nil, invalid(fmt.Errorf("%w: %d records over %d offsets", record.ErrCorrupt, b.Count(), b.LastDelta()+1))
		}
		r.records += int64(b.Count())
		if r.stamp, err = stampOf(b); err != nil {
			return nil, invalid(err)
		}
		if r.stamp != nil && r.stamp.id >= ProducersEnd {
			return nil, invalid(fmt.Errorf("%w: %d", ErrProducer, r.stamp.id))
		}
		if r.stamp != nil && len(batches) > 1 {
			return nil, invalid(errors.New("a producer's batch comes alone"))
		}
		if err := checkControl(b); err != nil {
			return nil, invalid(err)
		}
	}
	if _, compacts := p.topic.Config().Cleanup(); compacts {
		if err := keyed(batches, known); err != nil {
			return nil, invalid(err)
		}
	}
	r.newest = newest(batches, p.bus.o.Clock.Now())
	if r.places, err = passages(batches, p.topic.Config().Source != ""); err != nil {
		return nil, invalid(err)
	}
	return r, nil
}

// checkControl refuses control batches other than Tarn's own marks.
func checkControl(b record.Batch) error {
	if !b.Control() {
		return nil
	}
	_, ok, err := b.Mark()
	if id, _, _ := b.Producer(); err == nil && (!ok || id >= 0) {
		err = fmt.Errorf("%w: a control batch", record.ErrCorrupt)
	}
	return err
}

func (p *Partition) refused(err error) error {
	p.bus.metrics.refused.Inc()
	return err
}

// over is why nothing can be appended any more.
func (p *Partition) over() error {
	select {
	case <-p.deleted:
		return fmt.Errorf("%w: %s", ErrNoTopic, p.topic.name)
	default:
		return errClosing
	}
}
