package sqlite

import (
	"context"
	dbsql "database/sql"
	"maps"
	"slices"
	"strconv"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

// compare holds the position against the ends of the topics: a chunk may have been appended
// and not saved as such, the topic may have lost its end to a power cut, and either of the
// two may have been put back from a backup.
func (r *reader) compare() {
	r.behind, r.redo = map[string]record.Pos{}, map[string]int64{}
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
		r.pos.Tables[name] = st
	}
}

// rewind goes back in the shadow tables of topics that lost their end, as far as there are
// lines: what the topic still has is dropped there as seen. A table whose lines are pruned,
// or that lost a chunk, needs a new snapshot.
func (r *reader) rewind(ctx context.Context) error {
	if len(r.behind) == 0 {
		return nil
	}
	var lost []string
	back := map[string]standing{}
	err := r.db.reading(ctx, func() error {
		l, err := lookAround(ctx, r.db.conn, &r.settings, r.env.SourceID)
		if err != nil {
			return err
		}
		for name, place := range r.behind {
			at := slices.IndexFunc(l.captures[name], func(c *capture) bool { return c.Incarnation == r.pos.Tables[name].Incarnation })
			if at < 0 {
				continue // without its log, the survey asks for a snapshot, or nobody wants the table
			}
			st, ok, err := r.rewound(ctx, l.captures[name][at], r.pos.Tables[name], place)
			if err != nil {
				return err
			}
			if ok {
				back[name] = st
			} else {
				lost = append(lost, name)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		slices.Sort(lost)
		return &source.NeedsResnapshot{Tables: lost, Reason: "the topic ends before what was acknowledged of it: it lost its end, was deleted or was put back from a backup"}
	}
	maps.Copy(r.pos.Tables, back)
	clear(r.behind)
	return nil
}

// rewound is a standing at the oldest line of its shadow table. That line was pruned up to
// at the end of a batch, so that no conflict is cut in two, and must itself be in the topic.
func (r *reader) rewound(ctx context.Context, c *capture, st standing, place record.Pos) (standing, bool, error) {
	if place.Incarnation != st.Incarnation || place.Place < st.Chunked {
		return st, false, nil
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
		st.Seq, st.Stamp = 0, ""
	case oldest > 1 && oldest <= placeSeq(place.Place):
		st.Seq, st.Stamp = oldest, stamp(ts)
	default:
		return st, false, nil
	}
	return st, true, nil
}

// placeSeq is the number of the line up to which a place has everything.
func placeSeq(place string) int64 {
	const digits = 16
	if len(place) < digits {
		return 0
	}
	n, err := strconv.ParseInt(place[:digits], 16, 64)
	if err != nil {
		return 0
	}
	return n
}
