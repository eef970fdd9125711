package topics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// The bounds of one answer.
const (
	LimitDefault = 50
	LimitMax     = 500
	lookedMax    = 20_000          // records of one answer that are looked at
	bytesMax     = 16 << 20        // of them
	fetchBytes   = 1 << 20         // read at once
	timeMax      = 5 * time.Second // after which what was found is the answer
)

// Ask is what somebody wants to see of a topic.
type Ask struct {
	Topic     string
	Partition string // a number; empty for all
	From      string // "latest" (or empty), "earliest", an offset, a time in UTC, or an answer's Newer or Older
	Find      string // text that the key or the value holds, in any case; empty for all
	Limit     int    // LimitDefault where 0
}

// Answer is what a topic holds there.
type Answer struct {
	Topic      string   `json:"topic"`
	Partitions []Span   `json:"partitions"`
	Records    []Record `json:"records"`         // the newest first where From is latest or an Older, else the oldest
	Newer      string   `json:"newer"`           // From of the records behind these, which may be yet to come
	Older      string   `json:"older,omitempty"` // From of the records before these; empty where the log holds none, or they were not asked for backwards
	Looked     int      `json:"looked"`          // records that were read for it
	More       bool     `json:"more"`            // whether the log holds more behind these
}

// Span is what a partition holds: offsets from Start to below Next.
type Span struct {
	Partition int32 `json:"partition"`
	Start     int64 `json:"start"`
	Next      int64 `json:"next"`
}

// place is what is read of a partition: from an offset, or backwards from the end, to below to.
type place struct {
	p        *bus.Partition
	from, to int64
	low      int64 // the first offset of the log
	older    int64 // below it are the records that were not shown, of those read backwards
}

// Read answers. It reads at most lookedMax records, bytesMax of them, and for timeMax.
func Read(ctx context.Context, topic func(name string) (*bus.Topic, error), a Ask) (Answer, error) {
	t, err := topic(a.Topic)
	if err != nil {
		return Answer{}, fault.Newf(fault.NotFound, "see /topics for those that there are", "there is no topic %s", a.Topic)
	}
	if a.Limit <= 0 {
		a.Limit = LimitDefault
	}
	a.Limit = min(a.Limit, LimitMax)
	parts, err := chosen(t, a.Partition)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeMax)
	defer cancel()
	out := Answer{Topic: a.Topic, Records: []Record{}}
	for _, p := range t.Partitions() {
		out.Partitions = append(out.Partitions, Span{p.Number(), p.LogStart(), p.Stable()})
	}
	places, backwards, err := begin(ctx, parts, a)
	if err != nil {
		return Answer{}, err
	}
	for i := range places {
		if err := out.read(ctx, &places[i], a, backwards, len(places)); err != nil {
			return Answer{}, err
		}
	}
	out.arrange(a.Limit, backwards, places)
	return out, nil
}

func chosen(t *bus.Topic, number string) ([]*bus.Partition, error) {
	if number == "" {
		return t.Partitions(), nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(t.Partitions()) {
		return nil, fault.Newf(fault.Invalid, "choose one of them", "topic %s has no partition %s, only 0 to %d", t.Name(), number, len(t.Partitions())-1)
	}
	return t.Partitions()[n : n+1], nil
}

// olderMark begins a From that is read backwards.
const olderMark = "<"

// begin finds where each partition is read from.
func begin(ctx context.Context, parts []*bus.Partition, a Ask) (places []place, backwards bool, err error) {
	offset, offsetErr := strconv.ParseInt(a.From, 10, 64)
	at, timeErr := parseTime(a.From)
	cursor, isCursor := parsePlaces(strings.TrimPrefix(a.From, olderMark))
	isOlder := isCursor && strings.HasPrefix(a.From, olderMark)
	for _, p := range parts {
		pl := place{p: p, from: p.LogStart(), to: p.Stable(), low: p.LogStart()}
		switch {
		case a.From == "" || a.From == "latest" || isOlder:
			backwards = true
			if before, ok := cursor[p.Number()]; ok {
				pl.to = min(pl.to, max(before, pl.low))
			}
			back := int64(a.Limit)
			if a.Find != "" {
				back = int64(lookedMax / len(parts))
			}
			pl.from = max(pl.from, pl.to-back)
		case a.From == "earliest":
		case offsetErr == nil:
			pl.from = max(pl.from, offset)
		case isCursor:
			pl.from = max(pl.from, cursor[p.Number()])
		case timeErr == nil:
			if pl.from, err = offsetAt(ctx, p, pl.from, pl.to, at.UnixMilli()); err != nil {
				return nil, false, err
			}
		default:
			return nil, false, fault.Newf(fault.Invalid, "write latest, earliest, an offset such as 1200, or a time such as 2026-07-01 12:30:00",
				"%q is no place in a topic", a.From)
		}
		pl.from = min(pl.from, pl.to)
		pl.older = pl.from
		places = append(places, pl)
	}
	return places, backwards, nil
}

// parseTime reads a moment; without a zone it is UTC.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999", "2006-01-02 15:04:05.999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("no time")
}

// written are places as parsePlaces reads them: partition:offset,…
func written(places []place, offset func(place) int64) string {
	parts := make([]string, len(places))
	for i, p := range places {
		parts[i] = fmt.Sprintf("%d:%d", p.p.Number(), offset(p))
	}
	return strings.Join(parts, ",")
}

func parsePlaces(s string) (map[int32]int64, bool) {
	out := map[int32]int64{}
	for one := range strings.SplitSeq(s, ",") {
		number, offset, ok := strings.Cut(one, ":")
		n, err := strconv.ParseInt(number, 10, 32)
		at, err2 := strconv.ParseInt(offset, 10, 64)
		if !ok || err != nil || err2 != nil {
			return nil, false
		}
		out[int32(n)] = at
	}
	return out, true
}

// offsetAt is the first offset whose record is not older than a moment, in milliseconds, as far as
// the clocks that stamped the records went forward.
func offsetAt(ctx context.Context, p *bus.Partition, low, high, millis int64) (int64, error) {
	for low < high {
		middle := low + (high-low)/2
		first, err := firstAt(ctx, p, middle, high)
		switch {
		case err != nil:
			return 0, err
		case first == nil || first.Timestamp >= millis:
			high = middle
		default:
			low = first.Offset + 1
		}
	}
	return low, nil
}

// firstAt is the first record from an offset on, below end; nil for none.
func firstAt(ctx context.Context, p *bus.Partition, offset, end int64) (*record.Record, error) {
	r := p.Reader(offset)
	defer r.Close()
	for offset < end {
		got, err := r.Next(ctx, 1)
		if err != nil {
			return nil, unread(p, err)
		}
		for _, b := range got.Batches {
			all, err := visible(b)
			if err != nil {
				return nil, unread(p, err)
			}
			for i := range all {
				if all[i].Offset >= offset {
					return &all[i], nil
				}
			}
		}
		offset = got.Next
	}
	return nil, nil
}

// visible are the records of a batch that readers see.
func visible(b record.Batch) ([]record.Record, error) {
	if b.Control() {
		return nil, nil
	}
	return b.Records()
}

func unread(p *bus.Partition, err error) error {
	return fault.Wrap(err, fault.Unavailable, fmt.Sprintf("read %s/%d", p.Topic().Name(), p.Number()), "try again; see /health for what is wrong with the log")
}

// read takes a partition's records until there are enough, and moves its place. Backwards, it reads all
// that the place has and keeps the last.
func (out *Answer) read(ctx context.Context, pl *place, a Ask, backwards bool, parts int) error {
	r := pl.p.Reader(pl.from)
	defer r.Close()
	var found []Record
	defer func() { out.Records = append(out.Records, found...) }()
	bytes, looked := 0, 0
	for pl.from < pl.to {
		got, err := r.Next(ctx, fetchBytes)
		if ctx.Err() != nil {
			out.More = true
			return nil
		}
		if err != nil {
			return unread(pl.p, err)
		}
		for _, b := range got.Batches {
			all, err := visible(b)
			if err != nil {
				return unread(pl.p, err)
			}
			for i := range all {
				rec := &all[i]
				if rec.Offset < pl.from || rec.Offset >= pl.to {
					continue
				}
				if !backwards && (len(found) >= a.Limit || looked >= lookedMax/parts || bytes >= bytesMax/parts) {
					out.More = true
					return nil
				}
				pl.from = rec.Offset + 1
				out.Looked++
				looked++
				bytes += len(rec.Key) + len(rec.Value)
				if holds(rec, a.Find) {
					found = append(found, show(pl.p.Number(), rec))
				}
			}
		}
		pl.from = max(pl.from, min(got.Next, pl.to))
		if n := len(found) - a.Limit; backwards && n > 0 {
			pl.older = found[n-1].Offset + 1
			found = slices.Delete(found, 0, n)
		}
	}
	return nil
}

// arrange orders the records and keeps the limit. What falls off lies behind Newer, or before Older. Within a
// partition a record may be stamped earlier than the one before it: offsets rule there, so that a partition
// falls off from one record on.
func (out *Answer) arrange(limit int, backwards bool, places []place) {
	sign := 1
	if backwards {
		sign = -1
	}
	slices.SortStableFunc(out.Records, func(a, b Record) int {
		return sign * cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	of := func(r Record) *place {
		return &places[slices.IndexFunc(places, func(p place) bool { return p.p.Number() == r.Partition })]
	}
	for _, r := range out.Records[min(limit, len(out.Records)):] {
		if pl := of(r); backwards {
			pl.older = max(pl.older, r.Offset+1)
		} else {
			out.More, pl.from = true, min(pl.from, r.Offset)
		}
	}
	out.Records = slices.DeleteFunc(out.Records, func(r Record) bool {
		if pl := of(r); backwards {
			return r.Offset < pl.older
		} else {
			return r.Offset >= pl.from
		}
	})
	out.Newer = written(places, func(p place) int64 { return p.from })
	if backwards && slices.ContainsFunc(places, func(p place) bool { return p.older > p.low }) {
		out.Older = olderMark + written(places, func(p place) int64 { return p.older })
	}
}
