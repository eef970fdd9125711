//go:build duckdb_arrow

package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"tarn/embedded/bus"
	"tarn/stream/clock"
	"tarn/stream/operator"
	"tarn/stream/pipeline"
	"tarn/stream/state"
)

// sortLate puts rows in the order of their places, each once: two readings of a source may have the same windows.
func sortLate(rows []state.LateRow) []state.LateRow {
	slices.SortFunc(rows, func(a, b state.LateRow) int {
		return cmp.Or(cmp.Compare(a.Scan, b.Scan), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset),
			cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	return slices.Compact(rows)
}

// keepsTime tells whether the scan's rows may get into windows that close.
func (c *scan) keepsTime() bool { return c.s.plan.Times && c.of.Windows && c.time >= 0 }

// use announces records before they are used. An idle partition is made active first.
func (c *scan) use(ctx context.Context, partition int32, part *state.Part, next int64) error {
	if !c.keepsTime() {
		return nil
	}
	err := c.s.o.Clocks.Use(ctx, clock.Decision{
		Source: c.input.ClockID, Topic: c.topic.Name(), Partition: partition, Offset: part.Next, Mark: c.s.highest(c),
	}, next, part.Idle)
	if err != nil {
		return fmt.Errorf("note that topic %s partition %d is active: %w", c.topic.Name(), partition, err)
	}
	return nil
}

// highest is the watermark of the source's most advanced partition.
func (s *session) highest(c *scan) int64 {
	out := int64(state.None)
	for _, p := range c.topic.Partitions() {
		if part := c.part(p.Number()); part.Seen {
			out = max(out, part.Highest-c.of.Source.Delay.Microseconds())
		}
	}
	return out
}

// decisions are those at offsets from one to another.
func (c *scan) decisions(partition int32, from, to int64) []clock.Decision {
	if !c.keepsTime() {
		return nil
	}
	return c.s.o.Clocks.At(c.input.ClockID, partition, from, to)
}

// apply takes the decisions at or before an offset.
func (s *session) apply(c *scan, part *state.Part, list *[]clock.Decision, offset int64) {
	if len(*list) == 0 || (*list)[0].Offset > offset {
		return // as for nearly every record
	}
	before := *part
	for len(*list) > 0 && (*list)[0].Offset <= offset {
		switch d := (*list)[0]; d.Kind {
		case clock.Idle:
			part.Idle = true
		case clock.Active:
			part.Idle = false
			if floor := d.Mark + c.of.Source.Delay.Microseconds(); d.Mark != state.None && (!part.Seen || part.Highest < floor) {
				part.Seen, part.Highest = true, floor
			}
		case clock.Flush:
			part.Flushed = max(part.Flushed, d.Mark)
		case clock.Told:
			if !part.Told || part.Mark < d.Mark {
				part.Told, part.Mark = true, d.Mark
			}
		}
		*list = (*list)[1:]
	}
	s.moved = s.moved || *part != before // those at the offset where it stands are applied again and again
}

// watermark is the lowest of all active partitions, and which one holds it.
func (s *session) watermark() (mark int64, holder string) {
	mark = 1 << 62
	none, active := "", false
	for _, c := range s.scans {
		if !c.keepsTime() {
			continue
		}
		at, name, some := c.watermark()
		if c.input.Global {
			at, some = c.told(), true
		}
		switch {
		case !some:
			continue
		case at == state.None:
			none = name
		case at < mark:
			mark, holder = at, name
		}
		active = true
	}
	if none != "" || !active {
		return state.None, none
	}
	return mark, holder
}

// watermark is the lowest of the source's active partitions, None where one has seen no time, and which one holds it.
func (c *scan) watermark() (mark int64, holder string, active bool) {
	mark = 1 << 62
	for _, p := range c.topic.Partitions() {
		part := c.part(p.Number())
		if part.Idle {
			continue
		}
		active = true
		name := fmt.Sprintf("%s/%d", c.topic.Name(), p.Number())
		if !part.Seen {
			return state.None, name, true
		}
		if at := part.Highest - c.of.Source.Delay.Microseconds(); at < mark {
			mark, holder = at, name
		}
	}
	return mark, cmp.Or(holder, c.topic.Name()), active
}

// told is the watermark of a source of late_policy 'global': the lowest that was decided of all its partitions.
func (c *scan) told() int64 {
	mark := int64(1 << 62)
	for _, p := range c.topic.Partitions() {
		part := c.part(p.Number())
		if !part.Told {
			return state.None
		}
		mark = min(mark, part.Mark)
	}
	return mark
}

// tellMark decides how far the watermark of a whole source has come, where that closes a window. In which order partitions
// are read is not in the log, so it is decided at the log's end, before which nobody has read past it: what comes
// behind is late by it, in every pipeline.
func (s *session) tellMark(ctx context.Context, c *scan) error {
	mark, _, active := c.watermark()
	before := s.o.Clocks.Told(c.input.ClockID)
	from, to := operator.Closing{Mark: before, Flushed: state.None}, operator.Closing{Mark: mark, Flushed: state.None}
	if !active || mark == state.None || mark <= before || !slices.ContainsFunc(s.plan.Operators, func(op operator.Operator) bool {
		return op.Windows() != nil && state.Closes(op.Windows(), from, to)
	}) {
		return nil
	}
	var list []clock.Decision
	for _, p := range c.topic.Partitions() {
		list = append(list, clock.Decision{Source: c.input.ClockID, Topic: c.topic.Name(), Partition: p.Number(), Offset: p.Stable(), Kind: clock.Told, Mark: mark})
	}
	if err := s.o.Clocks.Decide(ctx, list); err != nil && !errors.Is(err, clock.ErrPassed) { // else in the next tick
		return fmt.Errorf("decide about the time of topic %s: %w", c.topic.Name(), err)
	}
	for _, p := range c.topic.Partitions() {
		part := c.part(p.Number())
		here := c.decisions(p.Number(), part.Next, part.Next)
		s.apply(c, part, &here, part.Next)
	}
	return nil
}

// closing is how far windows may close. Where they close without an idle partition, that is announced first.
func (s *session) closing(ctx context.Context) (operator.Closing, error) {
	for _, c := range s.scans {
		if c.keepsTime() && c.input.Global {
			if err := s.tellMark(ctx, c); err != nil {
				return s.next.Closed, err
			}
		}
	}
	for {
		out := s.next.Closed
		if mark, _ := s.watermark(); mark != state.None {
			out.Mark = max(out.Mark, mark)
		}
		s.flushes(&out)
		var without []clock.Decision
		if s.closes(out) {
			without = s.idle(out.Mark)
		}
		if len(without) == 0 {
			return out, nil
		}
		err := s.o.Clocks.Close(ctx, without)
		if err == nil || !errors.Is(err, clock.ErrPassed) {
			return out, err
		}
		for _, c := range s.scans { // one of them is active again: it holds the watermark
			for _, p := range c.topic.Partitions() {
				part := c.part(p.Number())
				all := c.decisions(p.Number(), part.Next, part.Next)
				s.apply(c, part, &all, part.Next)
			}
		}
	}
}

// closes tells whether a window of an operator may close.
func (s *session) closes(to operator.Closing) bool {
	return slices.ContainsFunc(s.plan.Operators, func(op operator.Operator) bool {
		return op.Windows() != nil && state.Closes(op.Windows(), s.state.Progress.Closed, to)
	})
}

// idle are the partitions that do not hold the watermark.
func (s *session) idle(mark int64) (out []clock.Decision) {
	for _, c := range s.scans {
		if !c.keepsTime() || c.input.Global { // what closes without it is decided for its partition, too
			continue
		}
		for _, p := range c.topic.Partitions() {
			if part := c.part(p.Number()); part.Idle {
				out = append(out, clock.Decision{Source: c.input.ClockID, Topic: c.topic.Name(), Partition: p.Number(), Offset: part.Next, Kind: clock.Idle, Mark: mark})
			}
		}
	}
	return out
}

// flushes notes up to where all sources were flushed.
func (s *session) flushes(out *operator.Closing) {
	flushed := int64(1 << 62)
	any := false
	for _, c := range s.scans {
		if !c.keepsTime() {
			continue
		}
		for _, p := range c.topic.Partitions() {
			any = true
			flushed = min(flushed, c.part(p.Number()).Flushed)
		}
	}
	if any {
		out.Flushed = max(out.Flushed, flushed)
	}
}

// pulse looks for partitions that have gone idle, and for sources that have gone quiet.
func (s *session) pulse(ctx context.Context) error {
	if err := s.quiet(ctx); err != nil {
		return err
	}
	s.lag()
	s.tell(false)
	return s.measure(ctx)
}

// stillness is what a look at all partitions has found.
type stillness struct {
	idle, flush []clock.Decision // that may be made
	lively      bool             // records come from some partition
	quiet       bool             // all is read, and none has come for so long that windows may be flushed
	highest     int64            // time of all
	flushed     int64            // up to where all were flushed
}

// quiet decides for the sources of a pipeline together: one of them alone may be silent, as one partition may, and windows
// wait for it no longer.
func (s *session) quiet(ctx context.Context) error {
	found := stillness{quiet: true, highest: state.None, flushed: 1 << 62}
	for _, c := range s.scans {
		if c.keepsTime() {
			s.look(c, &found)
		}
	}
	if found.highest == state.None {
		return nil
	}
	var list []clock.Decision
	if found.lively {
		list = found.idle
	}
	if found.quiet && found.flushed < found.highest {
		for i := range found.flush {
			found.flush[i].Mark = found.highest
		}
		list = append(list, found.flush...)
	}
	if len(list) == 0 {
		return nil
	}
	if err := s.o.Clocks.Decide(ctx, list); err != nil {
		if errors.Is(err, clock.ErrPassed) {
			return nil // another pipeline has read on: they are not quiet
		}
		return fmt.Errorf("decide about the time of topic %s: %w", list[0].Topic, err)
	}
	for _, c := range s.scans {
		for _, d := range list {
			if d.Source == c.input.ClockID {
				one := []clock.Decision{d}
				s.apply(c, c.part(d.Partition), &one, d.Offset)
			}
		}
	}
	return nil
}

// look looks at the partitions of one source.
func (s *session) look(c *scan, found *stillness) {
	now := s.o.Clock.Now()
	for _, p := range c.topic.Partitions() {
		part := c.part(p.Number())
		list := c.decisions(p.Number(), part.Next, part.Next) // of other pipelines
		s.apply(c, part, &list, part.Next)
		if part.Seen {
			found.highest = max(found.highest, part.Highest)
		}
		found.flushed = min(found.flushed, part.Flushed)
		one := clock.Decision{Source: c.input.ClockID, Topic: c.topic.Name(), Partition: p.Number(), Offset: part.Next}
		behind, still := part.Next < p.Stable(), now.Sub(c.quiet[p.Number()])
		found.quiet = found.quiet && c.input.Flush > 0 && !behind && still >= c.input.Flush
		switch {
		case behind || still < c.input.Idle:
			found.lively = true
		case !part.Idle:
			one.Kind, one.Mark = clock.Idle, clock.None
			found.idle = append(found.idle, one)
		}
		one.Kind = clock.Flush
		found.flush = append(found.flush, one)
	}
}

// lag counts what is durable and not yet taken.
func (s *session) lag() {
	taken, historic := taken{inHand: int64(s.rows)}, false
	for _, c := range s.scans {
		for _, p := range c.topic.Partitions() {
			part := c.part(p.Number())
			historic = historic || s.historic(c.number, p, part)
			taken.parts = append(taken.parts, takenPart{p, part.Next})
		}
	}
	lag := taken.lag()
	s.update(func(st *pipeline.Status) {
		s.taken = taken
		st.LagRecords = lag
		near := !historic && lag < tickRowsMax && s.state.Progress.Epoch > 0 || lag == 0
		st.Caught = near && (st.Caught || s.unpublished == 0)
	})
}

// taken is up to where a pipeline has read its partitions, and how many rows of that wait for their tick.
type taken struct {
	parts  []takenPart
	inHand int64
}

type takenPart struct {
	log  *bus.Partition
	next int64
}

// lag counts what is durable now and not yet taken.
func (t taken) lag() int64 {
	lag := t.inHand
	for _, p := range t.parts {
		lag += max(0, p.log.Stable()-p.next)
	}
	return lag
}

// behind counts what is durable and not in the tick in hand.
func (s *session) behind() (lag int64) {
	for _, c := range s.scans {
		for _, p := range c.topic.Partitions() {
			lag += max(0, p.Stable()-c.part(p.Number()).Next)
		}
	}
	return lag
}
