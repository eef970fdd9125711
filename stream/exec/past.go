//go:build duckdb_arrow

package exec

import (
	"context"
	"errors"
	"fmt"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/lake/table"
	"tarn/stream/decode"
	"tarn/stream/history"
	"tarn/stream/plan"
	"tarn/stream/reader"
	"tarn/stream/state"
)

// columns are those that a scan reads of its records' values.
func (i *Input) columns(of *plan.Scan) (out []decode.Column) {
	for n, c := range of.Columns {
		out = append(out, decode.Column{Name: i.Names[n], Type: c.Type})
	}
	if i.Loose {
		out = out[:len(out)-1]
	}
	return out
}

// history opens the history of an input's topic; nil where it has none.
func (i *Input) history(ctx context.Context, tables table.Tables, topic *bus.Topic, of *plan.Scan) (*history.History, error) {
	return history.Open(ctx, tables, history.Source{
		Topic: topic, Events: i.Format == Debezium, Keyed: len(of.Source.Key) > 0, Columns: i.columns(of),
	})
}

// Begin tells from which offsets on a topic can be read, by partition: where its history begins, or where the log does.
func (i *Input) Begin(ctx context.Context, tables table.Tables, topic *bus.Topic, of *plan.Scan) ([]int64, error) {
	var out []int64
	cut := false
	for _, p := range topic.Partitions() {
		out = append(out, p.LogStart())
		cut = cut || p.LogStart() > p.Origin()
	}
	if !cut || i.Log {
		return out, nil
	}
	h, err := i.history(ctx, tables, topic, of)
	if h == nil || err != nil {
		return out, err
	}
	return h.Begin(ctx)
}

// Past finds what the log of a topic no longer has behind some offsets, by partition; nil where it has all. The feeds begin where
// it ends. name is the pipeline's.
func (i *Input) Past(ctx context.Context, name string, tables table.Tables, topic *bus.Topic, of *plan.Scan, from []int64) (*reader.Past, error) {
	past := &reader.Past{}
	lacks := -1
	for n, p := range topic.Partitions() {
		span := [2]int64{from[n], from[n]}
		if start := p.LogStart(); from[n] < start {
			span[1], lacks = start, n
			past.Feeds = append(past.Feeds, reader.Feed{Partition: p, Next: start})
		}
		past.Spans = append(past.Spans, span)
	}
	if lacks < 0 {
		return nil, nil //nolint:nilnil // as nearly always
	}
	h, err := i.history(ctx, tables, topic, of)
	if err != nil {
		return nil, err
	}
	span := past.Spans[lacks]
	if origin := topic.Partitions()[lacks].Origin(); h == nil || from[lacks] < origin {
		return nil, history.Refused(fault.Newf(fault.Damaged, fmt.Sprintf("say ALTER PIPELINE %s REBUILD to begin with what is left", name),
			"topic %s partition %d is to be read from offset %d on, but its log begins at %d, and no table has what was before", topic.Name(), lacks, span[0], span[1]))
	}
	past.Of = h
	for n := range past.Spans {
		span := &past.Spans[n]
		span[0] = min(h.From(int32(n), span[0]), span[1]) //nolint:gosec // few partitions
	}
	return past, h.Check(ctx, past.Spans)
}

// past finds what the log of a scan's topic has no more, once in a session.
func (s *session) past(ctx context.Context, scan int, topic *bus.Topic, parts []*state.Part) error {
	if _, done := s.pasts[scan]; done {
		return nil
	}
	var from []int64
	for _, part := range parts {
		from = append(from, part.Next)
	}
	past, err := s.job.Inputs[scan].Past(ctx, s.Name, s.o.Tables, topic, s.plan.Scans[scan], from)
	if err != nil {
		return refused(fmt.Errorf("pipeline %s: %w", s.Name, err))
	}
	if past != nil {
		past.Scan = int32(scan) //nolint:gosec // a plan has few scans
		for i := range past.Feeds {
			past.Feeds[i].Scan = past.Scan
		}
	}
	s.pasts[scan] = past
	return nil
}

// refused makes a failure of what trying again does not mend.
func refused(err error) error {
	if _, is := errors.AsType[history.Refusal](err); is {
		return failure{err}
	}
	return err
}

// historic tells whether a partition is read from its topic's history yet.
func (s *session) historic(scan int, p *bus.Partition, part *state.Part) bool {
	past := s.pasts[scan]
	return past != nil && part.Next < past.Spans[p.Number()][1]
}
