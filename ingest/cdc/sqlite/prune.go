package sqlite

import (
	"context"
	dbsql "database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tarn/embedded/fault"
	"tarn/ingest/source"
)

// Pruning takes the database's write lock, so it goes in small steps: at once when much has
// piled up, else after a rest.
const (
	pruneStepRows = 2_000
	pruneStepsMax = 5 // at one go
	pruneSoonRows = 10_000
	pruneRest     = 2 * time.Second
)

// pruner removes from the shadow tables what is safe in the log.
type pruner struct {
	acked  position
	pruned map[string]int64 // by incarnation: everything below is gone
	last   time.Time
}

// Ack tells how far the log and the saved position are.
func (r *reader) Ack(ctx context.Context, at source.Position) error {
	pos, err := parsePosition(at)
	if err != nil {
		return err
	}
	r.pruner.acked = pos
	for _, t := range r.tables {
		st := pos.Tables[t.name]
		if st.floor()-r.pruner.pruned[st.Incarnation] >= pruneSoonRows {
			r.pruner.run(ctx, r)
			return nil
		}
	}
	return nil
}

func (p *pruner) idle(ctx context.Context, r *reader) {
	// A clock that was set back must not make it rest for as long.
	if now := r.env.Now(); now.Sub(p.last) >= pruneRest || now.Before(p.last) {
		p.run(ctx, r)
		p.last = now
	}
}

// run prunes within its bounds. A busy database is left alone until the next time: nothing
// depends on it but room.
func (p *pruner) run(ctx context.Context, r *reader) {
	if p.pruned == nil {
		p.pruned = map[string]int64{}
	}
	steps := pruneStepsMax
	for _, t := range r.tables {
		st, ok := p.acked.Tables[t.name]
		if !ok {
			continue
		}
		c, _ := t.at(st.Incarnation)
		if c == nil {
			continue
		}
		if t.captures[0] != c {
			_, err := r.altering(ctx, func(tx *dbsql.Tx) error { return t.uninstallBefore(ctx, tx, c) })
			if err != nil {
				return
			}
			r.version, r.again = 0, true
		}
		for ; steps > 0 && p.pruned[c.Incarnation] < st.floor(); steps-- {
			done, err := pruneStep(ctx, r.db, c, st.floor())
			if err != nil {
				return
			}
			if done {
				p.pruned[c.Incarnation] = st.floor()
			}
		}
	}
}

// uninstallBefore removes the logs before c, which are drained and safe.
func (t *table) uninstallBefore(ctx context.Context, tx *dbsql.Tx, c *capture) error {
	for _, old := range t.captures {
		if old == c {
			return nil
		}
		if err := uninstall(ctx, tx, nil, old); err != nil {
			return err
		}
	}
	return nil
}

// floor is the oldest line that is still needed: the last one read, as a witness for the next
// start, or the first one whose conflict is undecided.
func (st *standing) floor() int64 {
	if st.Open > 0 {
		return st.Open
	}
	return st.Seq
}

// pruneStep removes the oldest lines below seq.
func pruneStep(ctx context.Context, db *database, c *capture, seq int64) (done bool, err error) {
	err = db.writing(ctx, func(tx *dbsql.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM "+quote(c.Log)+" WHERE seq < ? AND seq <= (SELECT min(seq) FROM "+quote(c.Log)+") + ?", seq, pruneStepRows-1)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		done = n < pruneStepRows
		return err
	})
	return done, err
}

// forget removes all captures of a source. The table of captures goes with the last of them.
func forget(ctx context.Context, c source.Config, sourceID string) error {
	s, err := readSettings(c)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, s.path)
	if err != nil {
		if _, gone := os.Stat(filepath.Dir(s.path)); fault.CodeOf(err) == fault.NotFound && gone == nil {
			return nil // and all that was in it
		}
		return err
	}
	err = db.writing(ctx, func(tx *dbsql.Tx) error {
		l, err := lookAround(ctx, tx, &s, sourceID)
		if err != nil || !l.known {
			return err
		}
		for _, c := range l.own() {
			if err := uninstall(ctx, tx, nil, c); err != nil {
				return err
			}
		}
		left, err := number(ctx, tx, `SELECT count(*) FROM "`+metaTable+`"`)
		if err == nil && left == 0 {
			_, err = tx.ExecContext(ctx, `DROP TABLE "`+metaTable+`"`)
		}
		return err
	})
	return errors.Join(db.fault(err, "take Tarn's triggers out of"), db.close())
}

// release takes the triggers of a closed source out of its database, so that tables can be altered in every way. What they
// have written stays, and is read before the new snapshots that follow from their loss.
func release(ctx context.Context, c source.Config, sourceID string) error {
	s, err := readSettings(c)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, s.path)
	if err != nil {
		return err
	}
	err = db.writing(ctx, func(tx *dbsql.Tx) error {
		l, err := lookAround(ctx, tx, &s, sourceID)
		if err != nil {
			return err
		}
		for _, c := range l.own() {
			if err := dropTriggers(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(db.fault(err, "take Tarn's triggers out of"), db.close())
}

// own are all captures of the source.
func (l *landscape) own() []*capture {
	return slices.Concat(slices.Collect(maps.Values(l.captures))...)
}
