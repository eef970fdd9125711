package sqlite

import (
	"context"
	dbsql "database/sql"
	"maps"
	"slices"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

// compare holds the position against the ends of the topics: a chunk may have been appended
// and not saved as such, the topic may have lost its end to a power cut, and either of the
// two may have been put back from a backup.
func (r *reader) compare() {
	r.behind, r.ahead, r.redo = map[string]record.Pos{}, map[string]record.Pos{}, map[string]int64{}
	for name, st := range r.pos.Tables {
		topic := r.settings.topic(name)
		if st.elsewhere(topic) || slices.Contains(r.env.Resnapshot, name) {
			continue
		}
		place := r.env.Place(topic)
		r.settled = st.settle(place) || r.settled
		if n := st.overtaken(place); n >= 0 {
			r.redo[name] = n
		} else if st.behind(place) {
			r.behind[name] = place
		}
		if seq, _ := placeLine(place.Place); place.Incarnation == st.Incarnation && seq > st.Seq {
			r.ahead[name] = place
		}
		r.pos.Tables[name] = st
	}
}

// rewind goes back in the shadow tables of topics that lost their end, as far as there are
// lines: what the topic still has is dropped there as seen. A table whose lines are pruned,
// or that lost a chunk, needs a new snapshot. So does one whose topic has a line that the
// database does not have any more: it lost its own end, and makes other lines of these numbers.
func (r *reader) rewind(ctx context.Context) error {
	if len(r.behind)+len(r.ahead) == 0 {
		return nil
	}
	back := map[string]standing{}
	err := r.db.reading(ctx, func() error {
		l, err := lookAround(ctx, r.db.conn, &r.settings, r.env.SourceID)
		if err == nil {
			err = r.regrown(ctx, l)
		}
		if err == nil {
			err = r.goBack(ctx, l, back)
		}
		return err
	})
	if err != nil {
		return err
	}
	maps.Copy(r.pos.Tables, back)
	clear(r.behind)
	clear(r.ahead)
	return nil
}

// regrown asks for a snapshot of the tables whose topic has a line that is not in their log.
func (r *reader) regrown(ctx context.Context, l *landscape) error {
	var lost []string
	for name, place := range r.ahead {
		c := l.captureAt(name, place.Incarnation)
		if c == nil {
			continue // the survey asks for a snapshot, or nobody wants the table
		}
		seq, stamped := placeLine(place.Place)
		there, err := witnessed(ctx, r.db.conn, c, seq, stamped)
		if err != nil {
			return err
		}
		if !there {
			lost = append(lost, name)
		}
	}
	return resnapshot(lost, "the database lost changes that the topic has: its disk lost their end, or it or Tarn's data was put back from a backup")
}

// goBack finds the standings of the tables whose topic lost its end.
func (r *reader) goBack(ctx context.Context, l *landscape, back map[string]standing) error {
	var lost []string
	for name, place := range r.behind {
		c := l.captureAt(name, r.pos.Tables[name].Incarnation)
		if c == nil {
			continue
		}
		st, ok, err := r.rewound(ctx, c, r.pos.Tables[name], place)
		if err != nil {
			return err
		}
		if ok {
			back[name] = st
		} else {
			lost = append(lost, name)
		}
	}
	return resnapshot(lost, "the topic ends before what was acknowledged of it: it lost its end, was deleted or was put back from a backup")
}

func resnapshot(tables []string, reason string) error {
	if len(tables) == 0 {
		return nil
	}
	slices.Sort(tables)
	return &source.NeedsResnapshot{Tables: tables, Reason: reason}
}

// rewound is a standing at the oldest line of its shadow table, which must itself be in the
// topic. The lines up to where it stood must be the ones that were read, and the topic's last
// one among them.
func (r *reader) rewound(ctx context.Context, c *capture, st standing, place record.Pos) (standing, bool, error) {
	if place.Incarnation != st.Incarnation || place.Place < st.Chunked {
		return st, false, nil
	}
	last := standing{}
	last.Seq, last.Stamp = placeLine(place.Place)
	for _, w := range []standing{st, last} {
		if w.Seq == 0 {
			continue
		}
		if there, err := witnessed(ctx, r.db.conn, c, w.Seq, w.Stamp); err != nil || !there {
			return st, false, err
		}
	}
	var oldest int64
	var ts float64
	err := each(ctx, r.db.conn, func(rows *dbsql.Rows) error { return rows.Scan(&oldest, &ts) },
		"SELECT seq, ts FROM "+quote(c.Log)+" ORDER BY seq LIMIT 1")
	if err != nil {
		return st, false, err
	}
	st.Sent = place.Place
	switch {
	case oldest == 1:
		st.Seq, st.Stamp, st.Open = 0, "", 0
	case stamp(ts) == last.Stamp:
		return st, false, nil // pruning may have gone into their statement, and taken a conflict
	case oldest > 1 && oldest <= placeSeq(place.Place):
		st.Seq, st.Stamp, st.Open = oldest, stamp(ts), oldest
	default:
		return st, false, nil
	}
	return st, true, nil
}
