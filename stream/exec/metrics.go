//go:build duckdb_arrow

package exec

import (
	"context"
	"time"

	"tarn/stream/pipeline"
)

// How often a pipeline is told of at most, and its state counted.
const (
	tellEvery = time.Second
	sizeEvery = 10 * time.Second
)

// told is what the records of tarn.ticks have counted up to now.
type told struct {
	at     time.Time
	status pipeline.Status
}

// sized is when the state was counted last, and after how many ticks.
type sized struct {
	at    time.Time
	ticks int64
}

// tell adds to tarn.ticks what the pipeline did since the last time, if it did something: mostly one
// record a commit.
func (r *Run) tell(last bool) {
	now, before := r.Status(), r.told.status
	if now.Ticks == before.Ticks || !last && time.Since(r.told.at) < tellEvery {
		return
	}
	r.told = told{time.Now(), now}
	at := r.o.Clock.Now()
	var mark *string
	if !now.Watermark.IsZero() {
		mark = new(now.Watermark.UTC().Format(time.RFC3339Nano))
	}
	r.o.Ticks.Add(at, struct {
		At        string  `json:"at"`
		Pipeline  string  `json:"pipeline"`
		Epoch     int64   `json:"epoch"`
		Ticks     int64   `json:"ticks"`
		Rows      int64   `json:"rows"`
		Emitted   int64   `json:"emitted"`
		Late      int64   `json:"late"`
		Dead      int64   `json:"dead"`
		Millis    float64 `json:"tick_ms"`
		Watermark *string `json:"watermark"`
		Lag       int64   `json:"lag"`
	}{
		at.UTC().Format(time.RFC3339Nano), r.Name, now.Epoch, now.Ticks - before.Ticks, now.Rows - before.Rows, now.Emitted - before.Emitted,
		now.Late - before.Late, now.Dead - before.Dead, millis(now.TicksTime - before.TicksTime), mark, now.LagRecords,
	})
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// measure counts the rows of the state, seldom, and never where nothing was ticked since.
func (s *session) measure(ctx context.Context) error {
	ticks := s.Status().Ticks
	if !s.keeps() || ticks == s.sized.ticks || time.Since(s.sized.at) < sizeEvery {
		return nil
	}
	rows, err := s.state.Size(ctx)
	if err != nil {
		return err
	}
	s.sized = sized{time.Now(), ticks}
	s.update(func(st *pipeline.Status) { st.StateRows = &rows })
	return nil
}
