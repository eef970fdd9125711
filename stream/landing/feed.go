package landing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// collectLimit is how long a collection waits for records that are durable already.
const collectLimit = 5 * time.Second

// feed is one partition's records on their way. Its pump reads only what it is asked
// for, so what waits for a commit stays on the bus.
type feed struct {
	p      *bus.Partition
	number int32
	read   int64 // the offset after what was collected
	target int64 // where the collection in hand ends
	asked  bool
	ask    chan int
	places map[string]string
	passed []byte       // the last place of a batch in hand, which is not in places yet
	past   *record.Past // of a mirror; nil where none is kept
	replay bool         // its records come from bronze
}

// reached is the offset after what the table holds: of a mirror that is made again, where that stands.
func (f *feed) reached() int64 {
	if f.past != nil && f.past.Again != nil {
		return f.past.Again.Next
	}
	return f.read
}

type fetched struct {
	feed int
	got  bus.Fetched
	err  error
}

// feeds are all partitions of a way's topic.
type feeds struct {
	w      *way
	list   []*feed
	out    chan fetched // one place for each feed, so a pump never blocks on it
	first  *fetched     // what woke the way
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// openFeeds starts reading behind what the table holds. Offsets that the log no longer
// has are a fault that names both: nothing is skipped in silence.
func (w *way) openFeeds(work context.Context, t table.Table, o record.Offsets, fresh bool) (_ *feeds, err error) {
	partitions := w.topic.Partitions()
	ctx, cancel := context.WithCancel(work)
	f := &feeds{w: w, out: make(chan fetched, len(partitions)), cancel: cancel}
	for i, p := range partitions {
		at, known := o[w.key.topic][strconv.Itoa(i)]
		if fresh || !known { // or a partition that came later
			at.Next = w.begin(p)
		}
		if free := p.Free(); at.Next < free && w.key.reader == bronzeReader && !isCDC(w.config) {
			w.progress.finding(fmt.Sprintf("offsets %d to %d of topic %s partition %d left the log while it did not land", at.Next, free-1, w.key.topic, i))
			at.Next = free
		}
		if err := w.inLog(t, p, at.Next); err != nil {
			cancel()
			return nil, err
		}
		one := &feed{p: p, number: int32(i), read: at.Next, target: at.Next, ask: make(chan int, 1), places: map[string]string{}} //nolint:gosec // see above
		maps.Copy(one.places, at.Places)
		if w.key.reader == silverReader && len(partitions) == 1 { // a source's topic has one
			if one.past, err = pastOf(work, t, at, fresh); err != nil {
				cancel()
				return nil, err
			}
		}
		f.list = append(f.list, one)
	}
	for i, one := range f.list {
		one.p.Hold(w.key.reader, one.read)
		f.wg.Go(func() { one.pump(ctx, i, f.out) })
	}
	w.progress.opened(t, f.list)
	return f, nil
}

// begin is where a table that never landed begins: at the log start. One that a person
// named, because damage stopped the one before it, goes on behind the damage.
func (w *way) begin(p *bus.Partition) int64 {
	next := p.LogStart()
	w.progress.began(int(p.Number()), next)
	if w.key.reader == bronzeReader && w.config.Table == "" || w.key.reader == silverReader && w.config.Mirror == "" {
		return next
	}
	for first, after, lost := p.Lost(next); lost; first, after, lost = p.Lost(next) {
		w.progress.finding(fmt.Sprintf("topic %s partition %d was landed from offset %d on: the log has lost offsets %d to %d",
			w.key.topic, p.Number(), after, first, after-1))
		next = after
	}
	return next
}

// inLog tells whether the log holds the records from next on, where a table goes on. A hole
// that comes later does not keep those before it from landing.
func (w *way) inLog(t table.Table, p *bus.Partition, next int64) error {
	where := "the table"
	if t != nil {
		where = t.Ident().String()
	}
	if start := p.LogStart(); next < start {
		return w.gone(p, fmt.Sprintf("up to offset %d, but its log begins at %d", next, start), where)
	}
	if first, after, lost := p.Lost(next); lost && first == next {
		return w.gone(p, fmt.Sprintf("up to offset %d, and the log has lost offsets %d to %d", next, first, after-1), where)
	}
	if end := p.Next(); next > end {
		return quarantine{fault.Newf(fault.Damaged, "the bus was put back from an older copy than the lake: put back both from one backup",
			"%s holds topic %s partition %d up to offset %d, but its log ends at %d", where, w.key.topic, p.Number(), next, end)}
	}
	return nil
}

// gone is the fault of records that left the log before they were landed. The log still
// tells of them after a restart, so it is found again.
func (w *way) gone(p *bus.Partition, what, where string) error {
	text := fmt.Sprintf("%s holds topic %s partition %d %s", where, w.key.topic, p.Number(), what)
	w.progress.finding(text)
	return quarantine{fault.Wrap(bus.ErrOutOfRange, fault.Damaged, text,
		"the records between are gone from the log: name a new table (tarn.table, tarn.mirror), which goes on behind them, and take a new snapshot of the source into it")}
}

// pump reads what it is asked for until ctx ends.
func (f *feed) pump(ctx context.Context, index int, out chan<- fetched) {
	r := f.p.Reader(f.read)
	defer r.Close()
	for {
		var size int
		select {
		case <-ctx.Done():
			return
		case size = <-f.ask:
		}
		got, err := r.Next(ctx, size)
		if ctx.Err() != nil {
			return
		}
		out <- fetched{index, got, err}
		if err != nil {
			return
		}
	}
}

func (f *feeds) request(one *feed, size int) {
	if !one.asked {
		one.asked = true
		one.ask <- size
	}
}

// wait blocks until there is something to land; false when stop came first.
func (f *feeds) wait(stop context.Context) bool {
	if f.first != nil {
		return true
	}
	for _, one := range f.list {
		f.request(one, wakeBytes)
	}
	select {
	case got := <-f.out:
		f.list[got.feed].asked = false
		f.first = &got
		return true
	case <-stop.Done():
		return false
	}
}

// oldest is about the time of the first record that waits, in milliseconds; 0 unknown.
func (f *feeds) oldest() int64 {
	if f.first == nil || len(f.first.got.Batches) == 0 {
		return 0
	}
	return f.first.got.Batches[0].MaxTimestamp()
}

// aim sets how far the collection in hand goes: to what is stable now.
func (f *feeds) aim() {
	for _, one := range f.list {
		one.target = one.p.Stable()
	}
}

func (f *feeds) behind() bool {
	for _, one := range f.list {
		if one.read < one.target {
			return true
		}
	}
	return false
}

// next returns the next fetch, or nil when none comes in time.
func (f *feeds) next(work context.Context) (*fetched, error) {
	got := f.first
	if f.first = nil; got == nil {
		for _, one := range f.list {
			if one.read < one.target {
				f.request(one, fetchBytes)
			}
		}
		limit := time.NewTimer(collectLimit)
		defer limit.Stop()
		select {
		case one := <-f.out:
			f.list[one.feed].asked = false
			got = &one
		case <-limit.C:
			return nil, nil //nolint:nilnil // late is no error
		case <-work.Done():
			return nil, work.Err()
		}
	}
	if errors.Is(got.err, bus.ErrOutOfRange) {
		one := f.list[got.feed]
		return nil, f.w.gone(one.p, fmt.Sprintf("up to offset %d, but its log begins at %d", one.read, one.p.LogStart()), "the commit in hand")
	}
	if got.err != nil {
		return nil, fmt.Errorf("read partition %d: %w", got.feed, got.err)
	}
	return got, nil
}

func (f *feeds) close() {
	f.cancel()
	f.wg.Wait()
}

// offsets is the value of the property for what was collected so far.
func (f *feeds) offsets(topic string) record.Offsets {
	o := record.Offsets{}
	for _, one := range f.list {
		at := record.PartitionOffsets{Next: one.read, Places: one.places}
		if !one.past.Empty() {
			at.Past = one.past
		}
		o.Set(topic, one.number, at)
	}
	return o
}
