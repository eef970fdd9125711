package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// fileBytesMax is more than one file of the server's holds: it begins another behind 8 MiB,
// and a message is 32 MiB at most.
const fileBytesMax = 64 << 20

// gapsMax bounds what a partition remembers of its damage; what is found beyond that makes
// the last gap longer.
const gapsMax = 32

// gap is offsets that the log does not hold.
type gap struct {
	First int64 `json:"first"`
	After int64 `json:"after"` // the offset after the last
}

// Lost tells of offsets from from on that were given out or recorded and that the log no
// longer holds, though it was not trimmed there: a tail that a power cut took, or damage.
// Who has not read them must not go on behind them as if nothing were missing.
func (p *Partition) Lost(from int64) (first, after int64, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from = max(from, p.logStart)
	first, after, lost = p.index.gap(from, p.next)
	for _, g := range p.damage {
		if at := max(g.First, from); at < g.After && (!lost || at < first) {
			first, after, lost = at, g.After, true
		}
	}
	return first, after, lost
}

// damaged notes offsets that are missing between two messages, or behind the last one,
// unless they are known to be. p.mu is held.
func (p *Partition) damaged(first, after int64) {
	if first = max(first, p.logStart); first >= after {
		return // the log start explains it
	}
	if slices.ContainsFunc(p.damage, func(g gap) bool { return g.First <= first && after <= g.After }) {
		return
	}
	p.bus.metrics.damaged.Inc()
	p.bus.o.Log.Error("messages of the log are damaged, reading goes on behind them", "partition", p.label, "offset", first, "next_offset", after)
	if n := len(p.damage); n < gapsMax {
		p.damage = append(p.damage, gap{first, after})
	} else {
		p.damage[n-1].First, p.damage[n-1].After = min(p.damage[n-1].First, first), max(p.damage[n-1].After, after)
	}
	p.unchecked = checkMessages // so that the next checkpoint tells of it
}

// skipped notes what a recovery did not find before a message.
func (p *Partition) skipped(m stored) {
	span, err := m.span()
	if err != nil {
		return // the next one that is whole tells: its offsets do not follow the log's end
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.damaged(p.end, span.base)
}

// skipTail notes messages at the end that cannot be read. How many records they held is
// not known, so the log goes on above all that they can have held: a record takes a byte.
func (p *Partition) skipTail(messages uint64) {
	if messages == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := max(p.next, p.end+int64(messages)*messageBytesMax) //nolint:gosec // far below
	p.damaged(p.end, next)
	p.next = next
}

// passed notes what a reader did not find between the offset that it came to and the next
// message. Where the index has nothing either, it was lost before and not to damage.
func (p *Partition) passed(seen, base int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first, after, lost := p.index.gap(seen, base); !lost || first > seen || after < base {
		p.damaged(seen, base)
	}
}

// whole is the last message from from on that can be read; from-1 when there is none. The
// server gives no answer to who waits for a damaged last message.
func (p *Partition) whole(ctx context.Context, s *session, from, last uint64) (uint64, error) {
	for ; last >= from; last-- {
		_, err := s.message(ctx, p.stream(), last)
		if err == nil {
			break
		}
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, fmt.Errorf("read message %d of %s: %w", last, p.label, err)
		}
	}
	return last, nil
}

// purgeable is the offset below which messages may go; at most the log start. The server's
// next start cuts a file off behind a damaged message once messages of that file from it on
// are purged: those wait for the whole file. What tells of producers waits for a checkpoint. p.mu is held.
func (p *Partition) purgeable() int64 {
	to := p.logStart
	if len(p.producers.known) > 0 {
		to = min(to, p.checked) // its message tells that the checkpoint is of this log
	}
	newest := slices.SortedFunc(slices.Values(p.damage), func(a, b gap) int { return cmp.Compare(b.First, a.First) })
	for _, g := range newest { // each lowers what those before it must be far from
		if g.First < to && p.index.bytesWithin(g.After, to) < fileBytesMax {
			to = g.First - 1 // one whole message stays in front
		}
	}
	return to
}

// purged forgets damage whose messages are gone. p.mu is held.
func (p *Partition) purged() {
	if runs := p.index.runs; len(runs) > 0 {
		p.damage = slices.DeleteFunc(p.damage, func(g gap) bool { return g.After <= runs[0].base && g.After <= p.logStart })
	}
	if len(p.damage) == 0 {
		p.files = nil
	}
}

// tellDamage tells of damage that the log start has not passed; empty without. p.mu is held.
func (p *Partition) tellDamage() string {
	var text string
	more := 0
	for _, g := range p.damage {
		switch {
		case g.After <= p.logStart:
		case text == "":
			text = fmt.Sprintf("offsets %d to %d are damaged and are passed over", max(g.First, p.logStart), g.After-1)
		default:
			more++
		}
	}
	if more > 0 {
		text += fmt.Sprintf(", and so are offsets at %d more places", more)
	}
	if text != "" && len(p.files) > 0 {
		text += "; damaged was " + strings.Join(p.files, "; ")
	}
	return text
}
