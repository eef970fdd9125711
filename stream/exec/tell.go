//go:build duckdb_arrow

package exec

import (
	"context"
	"fmt"
	"math"
	"time"

	"tarn/embedded/record"
	"tarn/stream/own"
	"tarn/stream/state"
)

// who is the pipeline in what it refuses.
func (s *session) who() string { return "pipeline " + s.Name }

// tellDead appends the records that could not be read, before the offsets move.
func (s *session) tellDead(ctx context.Context) error {
	for number, letters := range s.letters {
		c := s.scans[number]
		if err := s.o.Own.Letters(ctx, c.topic.Name(), Holder(s.ID, number), s.who(), c.topic.Config().ID, letters, s.o.Clock.Now()); err != nil {
			return err
		}
		delete(s.letters, number)
	}
	return nil
}

// tellLate appends the rows that came too late. A place is the offset with the window's begin and end, so
// that a tick which is done again tells each once.
func (s *session) tellLate(ctx context.Context, rows []state.LateRow) error {
	rows = sortLate(rows)
	now := s.o.Clock.Now()
	lists := map[[2]int32][]own.Out{}
	for _, r := range rows {
		c := s.scans[r.Scan]
		stamp := func(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }
		var mark *string
		if r.Mark != state.None {
			mark = new(stamp(r.Mark))
		}
		value, err := own.JSON(struct {
			Pipeline  string  `json:"pipeline"`
			Topic     string  `json:"topic"`
			Partition int32   `json:"partition"`
			Offset    int64   `json:"offset"`
			At        string  `json:"at"`
			Begin     string  `json:"window_start"`
			End       string  `json:"window_end"`
			Mark      *string `json:"watermark"`
			Value     *string `json:"value"`
		}{
			s.Name, c.topic.Name(), r.Partition, r.Offset, stamp(now.UnixMicro()), stamp(r.Begin), stamp(r.End), mark,
			own.Text(c.kept[[2]int64{int64(r.Partition), r.Offset}]),
		})
		if err != nil {
			return err
		}
		at := [2]int32{r.Scan, r.Partition}
		const shift = math.MaxInt64 / 2 // windows before 1970, too
		place := record.Hex16(r.Offset) + record.Hex16(r.Begin+shift) + record.Hex16(r.End+shift)
		lists[at] = append(lists[at], own.Out{Place: place, Record: record.Record{Timestamp: now.UnixMilli(), Value: value}})
	}
	for at, list := range lists {
		source := fmt.Sprintf("late:%s:%d:%d", s.ID, at[0], at[1])
		if err := s.o.Own[own.Late].Append(ctx, source, s.scans[at[0]].topic.Config().ID, list); err != nil {
			return fmt.Errorf("append to %s: %w", own.Late, err)
		}
	}
	s.counts.late += int64(len(rows))
	return nil
}
