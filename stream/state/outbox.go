//go:build duckdb_arrow

package state

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/duck"
	"tarn/stream/operator"
)

// waitingMax bounds the bytes of a loose outbox, which DuckDB's limit knows nothing of.
const waitingMax = 16 << 20

// waiting are the rows of an epoch that the table has not.
type waiting struct {
	epoch   int64
	rows    int64
	bytes   int64
	batches []arrow.RecordBatch
}

// loose tells whether the outbox is a list of batches as they were made, and no table: where all is in memory, and
// rows only come.
func (s *State) loose() bool { return s.o.Path == "" && s.plan.Append && !s.plan.Stateful() }

// emit puts the result of a tick into the outbox.
func (s *State) emit(ctx context.Context, epoch int64) (emitted int64, err error) {
	if !s.loose() {
		return s.conn.Always(ctx, "INSERT INTO "+outboxTable+" SELECT ?::BIGINT, * FROM ("+s.plan.Output+")", epoch)
	}
	made := waiting{epoch: epoch}
	err = s.query(ctx, "SELECT "+s.columns()+" FROM ("+s.plan.Output+")", func(b arrow.RecordBatch) error {
		b.Retain()
		made.rows += b.NumRows()
		made.bytes += duck.Bytes(b)
		made.batches = append(made.batches, b)
		return nil
	})
	if made.rows > 0 {
		s.waiting = append(s.waiting, made)
	}
	return made.rows, err
}

// Full tells whether the outbox takes memory that it should not have: its rows are to be committed and pruned.
func (s *State) Full() bool {
	var bytes int64
	for _, w := range s.waiting {
		bytes += w.bytes
	}
	return bytes >= waitingMax
}

// forget takes epochs out of the loose outbox.
func (s *State) forget(which func(epoch int64) bool) {
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiting) bool {
		if !which(w.epoch) {
			return false
		}
		for _, b := range w.batches {
			b.Release()
		}
		return true
	})
}

// columns are those of the table.
func (s *State) columns() string {
	var names []string
	for _, c := range s.plan.Columns {
		names = append(names, c.Name)
	}
	return duck.List(names)
}

// Outbox tells the highest epoch that has rows in the outbox above one, and is at most rowsMax rows
// away or holds one epoch alone; 0 where there are none.
func (s *State) Outbox(ctx context.Context, above int64, rowsMax int64) (epoch int64, err error) {
	if s.loose() {
		rows := int64(0)
		for _, w := range s.waiting {
			if w.epoch <= above {
				continue
			}
			if rows += w.rows; epoch == 0 || rows <= rowsMax {
				epoch = w.epoch
			}
		}
		return epoch, nil
	}
	err = s.conn.QueryRowContext(ctx, fmt.Sprintf(`SELECT coalesce(max(e) FILTER (WHERE n <= %d OR first), 0) FROM (
		SELECT e, sum(c) OVER (ORDER BY e) AS n, row_number() OVER (ORDER BY e) = 1 AS first FROM (SELECT %s AS e, count(*) AS c FROM %s WHERE %s > %d GROUP BY 1))`,
		rowsMax, epochColumn, outboxTable, epochColumn, above)).Scan(&epoch)
	return epoch, err
}

// Rows reads the outbox's rows of the epochs above from, up to and with to, and for a changelog the keys
// that they touch: of each key its row after the last epoch, if it has one.
func (s *State) Rows(ctx context.Context, from, to int64, each func(arrow.RecordBatch) error, keys func(arrow.RecordBatch) error) error {
	if s.loose() {
		for _, w := range s.waiting {
			if w.epoch <= from || w.epoch > to {
				continue
			}
			for _, b := range w.batches {
				if err := each(b); err != nil {
					return err
				}
			}
		}
		return nil
	}
	where := fmt.Sprintf(" WHERE %s > %d AND %s <= %d", epochColumn, from, epochColumn, to)
	if s.plan.Append {
		return s.query(ctx, "SELECT "+s.columns()+" FROM "+outboxTable+where, each)
	}
	key := duck.List(s.plan.Key)
	if err := s.query(ctx, "SELECT DISTINCT "+key+" FROM "+outboxTable+where, keys); err != nil {
		return err
	}
	return s.query(ctx, fmt.Sprintf("SELECT %s FROM (SELECT *, max(%s) OVER (PARTITION BY %s) AS _last FROM %s%s) WHERE %s = _last AND %s > 0",
		s.columns(), epochColumn, key, outboxTable, where, epochColumn, duck.Ident(operator.Weight)), each)
}

// Prune takes committed epochs out of the outbox at once.
func (s *State) Prune(ctx context.Context, epoch int64) (err error) {
	if err := s.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = s.exec(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	if err := s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s <= %d", outboxTable, epochColumn, epoch)); err != nil {
		return err
	}
	s.Progress.Published = max(s.Progress.Published, epoch)
	if err := s.save(ctx); err != nil {
		return err
	}
	s.forget(func(e int64) bool { return e <= epoch })
	return s.commit(ctx)
}
