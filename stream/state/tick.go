//go:build duckdb_arrow

package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/stream/operator"
)

// Tick is one micro-batch: what came, and how far time has come with it.
type Tick struct {
	Rows     map[string]Rows // by relation
	MayLate  bool            // rows may be for windows that their partition had left behind
	Progress Progress        // after it; its Epoch is set by Apply
	Pruned   int64           // the sink has committed the epochs up to this one
	// Sweeps are the scans' relations of which a new snapshot has ended, with its generation. Such a
	// tick has no rows.
	Sweeps map[string]int64
	// Late is told of rows that were too late, before the tick is durable.
	Late func([]LateRow) error
}

// LateRow is a row that came for a window which its partition had left behind.
type LateRow struct {
	Scan, Partition  int32
	Offset           int64
	Begin, End, Mark int64 // microseconds since 1970; Mark is None for one that only a flush had left behind
}

// Apply does a tick: all of it is durable when it returns, or nothing of it. emitted is how many rows
// it put into the outbox.
func (s *State) Apply(ctx context.Context, t Tick) (emitted int64, err error) {
	for relation, rows := range t.Rows {
		if err := s.conn.Feed(ctx, relation, rows.Schema); err != nil {
			return 0, err
		}
	}
	if err := s.always(ctx, "BEGIN"); err != nil {
		return 0, err
	}
	filled := maps.Clone(s.filled)
	defer func() {
		if err != nil {
			s.filled = filled // what this tick left in the relations is gone
			s.forget(func(epoch int64) bool { return epoch > s.Progress.Epoch })
			_ = s.exec(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	fault.PointOf("pipeline.begun", s.o.Name)
	if err := s.load(ctx, t.Rows); err != nil {
		return 0, err
	}
	before := s.Progress
	t.Progress.Epoch = before.Epoch + 1
	if err := s.operate(ctx, t, before.Closed); err != nil {
		return 0, err
	}
	if s.any(s.plan.Reads) {
		if emitted, err = s.emit(ctx, t.Progress.Epoch); err != nil {
			return 0, fmt.Errorf("make the rows of the result: %w", err)
		}
	}
	if t.Pruned > s.pruned {
		if err := s.always(ctx, "DELETE FROM "+outboxTable+" WHERE "+epochColumn+" <= ?", t.Pruned); err != nil {
			return 0, err
		}
	}
	s.Progress = t.Progress
	if err = s.save(ctx); err == nil {
		fault.PointOf("pipeline.applied", s.o.Name)
		err = s.commit(ctx)
	}
	if err != nil {
		s.Progress = before
		return 0, err
	}
	s.pruned = max(s.pruned, t.Pruned)
	s.forget(func(epoch int64) bool { return epoch <= s.pruned })
	fault.PointOf("pipeline.ticked", s.o.Name)
	return emitted, nil
}

// load makes what came the rows of the scans' relations.
func (s *State) load(ctx context.Context, came map[string]Rows) error {
	for _, scan := range s.plan.Scans {
		rows, ok := came[scan.Relation]
		if !ok {
			if err := s.clear(ctx, scan.Relation); err != nil {
				return err
			}
			continue
		}
		if err := s.conn.Fill(ctx, scan.Relation, rows.Batches); err != nil {
			return err
		}
		s.filled[scan.Relation] = true
	}
	return nil
}

// operate runs the operators in order.
func (s *State) operate(ctx context.Context, t Tick, before operator.Closing) error {
	var late []LateRow
	for _, op := range s.plan.Operators {
		first := t.Progress.Epoch == 1 && len(op.Begin()) > 0
		came := s.any(op.Reads()) || first
		closing := op.Windows() != nil && Closes(op.Windows(), before, t.Progress.Closed)
		if came {
			if t.MayLate && op.Late() != "" && t.Late != nil {
				if err := s.late(ctx, op.Late(), &late); err != nil {
					return err
				}
			}
			for _, text := range op.Tick(t.MayLate && !fault.Planted("late")) {
				run := s.always
				if strings.HasPrefix(text, "CREATE") {
					run = s.exec
				}
				if err := run(ctx, text); err != nil {
					return err
				}
			}
			if first {
				for _, text := range op.Begin() {
					if err := s.exec(ctx, text); err != nil {
						return err
					}
				}
			}
			if fault.Planted("retraction") && op.Emits() {
				if err := s.exec(ctx, "DELETE FROM "+duck.Ident(op.Relation())+" WHERE "+operator.Weight+" < 0"); err != nil {
					return err
				}
			}
		}
		swept, err := s.sweep(ctx, op, t.Sweeps)
		if err != nil {
			return err
		}
		switch {
		case swept && came:
			return errors.New("a snapshot's end is in one tick with rows")
		case swept:
			s.filled[op.Relation()] = true
		case closing:
			for _, text := range op.Close(before, t.Progress.Closed) {
				if err := s.exec(ctx, text); err != nil {
					return err
				}
			}
			s.filled[op.Relation()] = true
		case came && op.Emits():
			s.filled[op.Relation()] = true
		default:
			if err := s.clear(ctx, op.Relation()); err != nil {
				return err
			}
		}
	}
	if len(late) > 0 {
		return t.Late(late)
	}
	return nil
}

// Closes tells whether a window may have closed between two moments.
func Closes(w *operator.Windows, before, after operator.Closing) bool {
	if after.Flushed > before.Flushed {
		return true
	}
	if after.Mark == before.Mark {
		return false
	}
	// Windows end Size after they begin, and they begin each Slide from Shift on.
	slide, at := w.Slide.Microseconds(), (w.Shift + w.Size).Microseconds()
	floor := func(mark int64) int64 {
		n := (mark - at) / slide
		if (mark-at)%slide < 0 {
			n--
		}
		return n
	}
	return before.Mark == None || floor(after.Mark) != floor(before.Mark)
}

func (s *State) any(relations []string) bool {
	return slices.ContainsFunc(relations, func(r string) bool { return s.filled[r] })
}

// clear takes out what an earlier tick left in a relation.
func (s *State) clear(ctx context.Context, relation string) error {
	if !s.filled[relation] {
		return nil
	}
	delete(s.filled, relation)
	return s.always(ctx, "DELETE FROM "+duck.Ident(relation))
}

func (s *State) late(ctx context.Context, query string, into *[]LateRow) error {
	return s.query(ctx, query, func(b arrow.RecordBatch) error {
		var columns []func(int) (int64, bool)
		for i := range int(b.NumCols()) {
			columns = append(columns, columnOf(b, i))
		}
		for row := range int(b.NumRows()) {
			cell := func(i int) int64 {
				if v, ok := columns[i](row); ok {
					return v
				}
				return None
			}
			*into = append(*into, LateRow{
				Scan: int32(cell(0)), Partition: int32(cell(1)), Offset: cell(2), Begin: cell(3), End: cell(4), Mark: cell(5), //nolint:gosec // numbers of scans and partitions
			})
		}
		return nil
	})
}

// Size counts the rows of the operators' state.
func (s *State) Size(ctx context.Context) (rows int64, err error) {
	for _, op := range s.plan.Operators {
		var n int64
		if err := s.conn.QueryRowContext(ctx, op.State()).Scan(&n); err != nil {
			return 0, err
		}
		rows += n
	}
	return rows, nil
}

func (s *State) sweep(ctx context.Context, op operator.Operator, sweeps map[string]int64) (swept bool, err error) {
	for relation, generation := range sweeps {
		for _, text := range op.Sweep(relation, generation) {
			if err := s.exec(ctx, text); err != nil {
				return false, err
			}
			swept = true
		}
	}
	return swept, nil
}
