package bus

import (
	"context"
	"errors"

	"tarn/embedded/record"
)

// timesBytes is how much of the log a search for a time reads at once.
const timesBytes = 1 << 20

// Since finds the first record that is not older than a time in milliseconds, in order of offset; ok is false where
// there is none.
func (p *Partition) Since(ctx context.Context, ms int64) (offset, timestamp int64, ok bool, err error) {
	for from := p.LogStart(); ; {
		from, ok = p.oldEnough(from, ms)
		if !ok {
			return 0, 0, false, nil
		}
		var next int64
		offset, timestamp, next, err = p.search(ctx, from, func(b record.Batch) bool { return b.MaxTimestamp() >= ms },
			func(r *record.Record) bool { return r.Timestamp >= ms })
		if errors.Is(err, ErrOutOfRange) {
			next, err = max(p.LogStart(), from+1), nil // purged meanwhile
		}
		if err != nil || offset >= 0 {
			return offset, timestamp, err == nil, err
		}
		from = next
	}
}

// Newest finds the first record of the newest timestamp; ok is false where the log is empty.
func (p *Partition) Newest(ctx context.Context) (offset, timestamp int64, ok bool, err error) {
	newest, ok := p.newestBatch(ctx)
	if !ok {
		return 0, 0, false, nil
	}
	offset, timestamp, _, err = p.search(ctx, newest.from, func(b record.Batch) bool { return b.MaxTimestamp() >= newest.ms },
		func(r *record.Record) bool { return r.Timestamp >= newest.ms })
	return offset, timestamp, err == nil && offset >= 0, err
}

type moment struct{ from, ms int64 }

// newestBatch is the newest time that a batch says, and where the message begins that holds it.
func (p *Partition) newestBatch(ctx context.Context) (out moment, ok bool) {
	p.mu.Lock()
	var found run
	for _, r := range p.index.runs {
		if r.next > p.logStart && r.newest > found.newest {
			found, ok = r, true
		}
	}
	from := max(found.base, p.logStart)
	p.mu.Unlock()
	if !ok {
		return out, false
	}
	// A message without a time counts by when it was stored, so what its batches say is read.
	out.ms = -1
	_, _, _, err := p.searchUpTo(ctx, from, found.next, func(b record.Batch) bool {
		if ms := b.MaxTimestamp(); ms > out.ms {
			out = moment{max(b.Base(), from), ms}
		}
		return false
	}, nil)
	return out, err == nil && out.ms >= 0
}

// oldEnough is where the first message begins, from an offset on, that may hold a record of a time or later.
func (p *Partition) oldEnough(from, ms int64) (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.index.runs {
		if r.next > from && r.newest >= ms {
			return max(r.base, from, p.logStart), true
		}
	}
	return 0, false
}

// search looks through the run of an offset for the first record that is wanted, in the first batch that may hold
// it. It returns -1 for none, and where to go on.
func (p *Partition) search(ctx context.Context, from int64, may func(record.Batch) bool, want func(*record.Record) bool) (offset, timestamp, next int64, err error) {
	p.mu.Lock()
	r, ok := p.index.seq(from)
	p.mu.Unlock()
	if !ok {
		return -1, 0, from + 1, nil
	}
	return p.searchUpTo(ctx, from, r.next, may, want)
}

func (p *Partition) searchUpTo(ctx context.Context, from, to int64, may func(record.Batch) bool, want func(*record.Record) bool) (offset, timestamp, next int64, err error) {
	reader := p.Reader(from)
	defer reader.Close()
	for next = from; next < to; {
		got, err := reader.Next(ctx, timesBytes)
		if err != nil {
			return -1, 0, next, err
		}
		next = got.Next
		for _, b := range got.Batches {
			if b.Base() >= to || b.Control() || !may(b) {
				continue
			}
			records, err := b.Records()
			if err != nil {
				return -1, 0, next, err
			}
			for i := range records {
				if records[i].Offset >= from && want(&records[i]) {
					return records[i].Offset, records[i].Timestamp, next, nil
				}
			}
		}
	}
	return -1, 0, next, nil
}
