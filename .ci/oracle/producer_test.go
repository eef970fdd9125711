//go:build duckdb_arrow

package oracle_test

import (
	"context"
	"errors"
	"strconv"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/duck"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
)

// source is the id of what fills the mirrors' topics.
const source = "oracle"

// topic is how the source's topic is made.
func (s *Source) topic() bus.TopicConfig {
	c := bus.TopicConfig{Partitions: s.Partitions, Retention: -1, RetentionBytes: -1}
	if s.Mirror {
		c.Land, c.Keyed, c.Source = true, true, source
	}
	c.Land = c.Land || len(s.Cut) > 0
	return c
}

// schema is that of a mirror's table, or of a topic that lands: bronze takes its types from it.
func (s *Source) schema() record.Schema {
	out := record.Schema{Source: source, Database: "oracle", Schema: "main", Table: s.Name}
	for _, c := range s.Columns {
		typ := c.Type
		if typ == "TIMESTAMPTZ" {
			typ = "TIMESTAMP WITH TIME ZONE"
		}
		one := record.Column{Name: c.Name, Nullable: true}
		if one.Type, _, _ = duck.Stored(typ); !s.Mirror && c.Name == "ts" {
			one.Type = record.String // as it was said
		}
		for i, key := range s.Key {
			if key == c.Name {
				one.Key, one.Nullable = i+1, s.Loose
			}
		}
		out.Columns = append(out.Columns, one)
	}
	return out
}

// append goes on where the log ends.
func (h *house) append(ctx context.Context, w *World, a *Answer) error {
	done := map[[2]int]int{}
	for i, s := range w.Steps {
		h.alter(ctx, w, a, i)
		at := [2]int{s.Source, int(s.Partition)}
		from := done[at]
		done[at] += s.Count
		p := h.topics[s.Source].Partitions()[s.Partition]
		if have := int(p.Next()); have >= done[at] {
			continue
		} else if have > from {
			from = have
		}
		if err := h.put(ctx, w.Sources[s.Source], p, from, done[at]); err != nil {
			return err
		}
		select {
		case <-time.After(s.Pause): // of the producer
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h.alter(ctx, w, a, len(w.Steps))
	return nil
}

func bytesOf(s *string) []byte {
	if s == nil {
		return nil
	}
	return []byte(*s)
}

// put appends records of a partition, from one offset to another, as one batch; a mark is a batch of its own.
func (h *house) put(ctx context.Context, s *Source, p *bus.Partition, from, to int) error {
	var schema int64
	if s.Mirror || len(s.Cut) > 0 {
		var err error
		if schema, err = schemas.New(h.meta).Put(ctx, s.schema()); err != nil {
			return err
		}
	}
	var all []byte
	var list []record.Record
	for n, r := range s.Records[p.Number()][from:to] {
		one := record.Record{Timestamp: r.Stamp, Key: bytesOf(r.Key), Value: bytesOf(r.Value)}
		if s.Mirror {
			pos := record.Pos{Source: source, Incarnation: "1", Place: record.Hex16(int64(from + n + 1))}.String()
			if r.Mark != "" {
				if len(list) > 0 {
					all = append(all, record.Encode(list)...)
				}
				all, list = append(all, record.EncodeMark(record.Mark{Kind: r.Mark, Generation: r.Gen, Schema: schema, Pos: pos}, r.Stamp)...), nil
				continue
			}
			one.Headers = []record.Header{
				{Key: record.HeaderPos, Value: []byte(pos)},
				{Key: record.HeaderSchema, Value: strconv.AppendInt(nil, schema, 10)},
				{Key: record.HeaderGen, Value: strconv.AppendInt(nil, r.Gen, 10)},
			}
		} else if len(s.Cut) > 0 {
			one.Headers = []record.Header{{Key: record.HeaderSchema, Value: strconv.AppendInt(nil, schema, 10)}}
		}
		list = append(list, one)
	}
	if len(list) > 0 {
		all = append(all, record.Encode(list)...)
	}
	_, err := p.Append(ctx, all)
	return err
}

// cut appends what retention takes of a source's log, with some behind it, and waits until it is gone.
func (h *house) cut(ctx context.Context, s *Source, t *bus.Topic) error {
	for i, n := range s.Cut {
		if i >= len(s.Records) {
			break
		}
		p, all := t.Partitions()[i], len(s.Records[i])
		for _, to := range []int{min(n, all), min(n+5, all)} {
			if have := int(p.Next()); have < to {
				if err := h.put(ctx, s, p, have, to); err != nil {
					return err
				}
			}
		}
		for p.LogStart() < int64(min(n, all)) { // landing lets it go
			if err := p.Trim(ctx, int64(min(n, all))); err != nil {
				return err
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// ahead appends what is in a mirror's log before the pipelines are made, and waits until the mirror is there.
func (h *house) ahead(ctx context.Context, s *Source, t *bus.Topic) error {
	p := t.Partitions()[0]
	if have, to := int(p.Next()), min(s.Ahead, len(s.Records[0])); have < to {
		if err := h.put(ctx, s, p, have, to); err != nil {
			return err
		}
	}
	for {
		_, err := h.lake.Tables().Open(ctx, table.Ident{Namespace: "silver", Name: s.Name})
		if !errors.Is(err, table.ErrNotFound) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
