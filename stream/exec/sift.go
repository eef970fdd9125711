//go:build duckdb_arrow

package exec

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/stream/own"
	"tarn/stream/state"
)

// errCareful ends a session that met a value with which the SELECT cannot compute. The next one begins where this one's
// last tick ended, and remembers for each row of which record it is: no other run pays for that.
var errCareful = errors.New("a record of the tick cannot be computed with")

// carefulRowsMax bounds the ticks of such a session: how much is tried again when it is cut short.
const carefulRowsMax = 2_000

// rowsMax is of a tick.
func (s *session) rowsMax() int {
	switch {
	case s.wide:
		return wideRowsMax
	case s.careful:
		return carefulRowsMax
	}
	return tickRowsMax * s.times
}

// sift takes the records out of a tick with which the SELECT cannot compute, and does with them what on_error says. Which
// they are depends on each of them alone, so that they are the same however ticks are cut.
func (s *session) sift(ctx context.Context, t *state.Tick, why error) error {
	appended := false
	for _, c := range s.scans {
		appended = appended || c.sifted()
	}
	switch {
	case !appended:
		return why
	case !s.careful:
		return errCareful
	}
	found := false
	for _, c := range s.scans {
		rows, ok := t.Rows[c.relation()]
		if !ok || !c.sifted() {
			continue
		}
		left, bad, err := c.search(ctx, rows)
		if err != nil {
			return err
		}
		if len(bad) == 0 {
			continue
		}
		found = true
		rows.Batches[0].Release()
		t.Rows[c.relation()] = state.Rows{Schema: rows.Schema, Batches: left}
		if err := c.uncomputed(ctx, bad); err != nil {
			return err
		}
	}
	if !found { // it is an aggregate's value, or one of a changelog
		return why
	}
	return nil
}

// sifted tells whether the scan's rows are records that come and stay, which the plan maps one by one.
func (c *scan) sifted() bool { return len(c.of.Source.Key) == 0 && c.s.state.Rowwise(c.relation()) }

// search bisects a tick's rows: left are the slices that can be computed with, bad the records of the others.
func (c *scan) search(ctx context.Context, rows state.Rows) (left []arrow.RecordBatch, bad []own.Letter, err error) {
	whole := rows.Batches[0]
	// try looks at some rows, of which it may be known that one is bad.
	var try func(from, to int64, known bool) error
	try = func(from, to int64, known bool) error {
		if !known || to-from == 1 {
			part := whole.NewSlice(from, to)
			err := c.s.state.Probe(ctx, c.relation(), state.Rows{Schema: rows.Schema, Batches: []arrow.RecordBatch{part}})
			if err == nil {
				left = append(left, part)
				return nil
			}
			part.Release()
			switch {
			case !duck.Refused(err):
				return err
			case to-from == 1:
				one := c.origins[from]
				one.Why, _, _ = strings.Cut(err.Error(), "\n")
				bad = append(bad, one)
				return nil
			}
		}
		middle, before := from+(to-from)/2, len(bad)
		if err := try(from, middle, false); err != nil {
			return err
		}
		return try(middle, to, len(bad) == before)
	}
	if err := try(0, whole.NumRows(), false); err != nil || len(bad) == 0 {
		for _, b := range left {
			b.Release()
		}
		return nil, nil, err
	}
	return left, bad, nil
}

// uncomputed does with records that the SELECT cannot compute with what the stream says, before the offsets move.
func (c *scan) uncomputed(ctx context.Context, bad []own.Letter) error {
	switch c.input.OnError {
	case "stop":
		at := bad[0]
		return failure{fault.Newf(fault.Invalid, "ALTER PIPELINE "+c.s.Name+" AS … with TRY_CAST or TRY(…), which give null there, or declare on_error = 'dead_letter'; nothing was read past it",
			"pipeline %s cannot compute with topic %s partition %d offset %d: %s", c.s.Name, c.topic.Name(), at.Partition, at.Record.Offset, at.Why)}
	case "skip":
	default:
		// A reader of its own: the places of what could not be read are others.
		err := c.s.o.Own.Letters(ctx, c.topic.Name(), Holder(c.s.ID, c.number)+":computed", c.s.who(), c.topic.Config().ID, bad, c.s.o.Clock.Now())
		if err != nil {
			return fmt.Errorf("tell of %d records that cannot be computed with: %w", len(bad), err)
		}
	}
	c.s.counts.dead += int64(len(bad))
	return nil
}
