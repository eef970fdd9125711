package sqlite

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"tarn/ingest/source"
)

// work is what a survey has to change in the database.
type work struct {
	install []definition
	remove  []*capture
	strays  []string // triggers that a renamed table took with it
	why     []source.Finding
}

func (w *work) none() bool { return len(w.install)+len(w.remove)+len(w.strays) == 0 }

// survey looks at the schema, puts up or renews the captures that it asks for, and settles
// which tables are read. moved tells that the position changed and has to be saved before
// anything of a new log is appended.
func (r *reader) survey(ctx context.Context) (moved bool, err error) {
	var l *landscape
	err = r.db.reading(ctx, func() (err error) {
		l, err = lookAround(ctx, r.db.conn, &r.settings, r.env.SourceID)
		return err
	})
	if err != nil {
		return false, err
	}
	w, err := r.plan(l)
	if err != nil {
		return false, err
	}
	findings := w.why
	if !w.none() {
		if l, findings, err = r.work(ctx); err != nil {
			return false, err
		}
	}
	r.version = l.version
	moved, err = r.adopt(ctx, l)
	if err != nil {
		return false, err
	}
	r.note(append(r.tableFindings(l), findings...))
	r.again = true
	return moved, nil
}

// work does in one write transaction what a plan, made anew within it, asks for. The
// transaction is short: it makes empty tables and triggers.
func (r *reader) work(ctx context.Context) (l *landscape, findings []source.Finding, err error) {
	var made []string
	version, err := r.altering(ctx, func(tx *dbsql.Tx) (err error) {
		made = nil
		if l, err = lookAround(ctx, tx, &r.settings, r.env.SourceID); err != nil {
			return err
		}
		w, err := r.plan(l)
		if err != nil {
			return err
		}
		findings = w.why
		for _, name := range w.strays {
			if _, err := tx.ExecContext(ctx, "DROP TRIGGER IF EXISTS "+quote(name)); err != nil {
				return err
			}
		}
		for _, c := range w.remove {
			if err := uninstall(ctx, tx, l, c); err != nil {
				return err
			}
		}
		for _, def := range w.install {
			if _, err := install(ctx, tx, l, r.env.SourceID, def, r.env.Now()); err != nil {
				return err
			}
			made = append(made, def.Table)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	l.version = version
	for _, name := range made {
		r.fresh[name] = true
	}
	return l, findings, nil
}

// plan compares the landscape with the position.
func (r *reader) plan(l *landscape) (work, error) {
	var w work
	present := map[string]bool{}
	for i := range l.tables {
		t := &l.tables[i]
		if t.refused || slices.Contains(r.env.Skip, t.name) {
			continue
		}
		present[t.name] = true
		lost, renew, why := r.judge(l, t)
		if lost {
			return w, &source.NeedsResnapshot{Tables: []string{t.name}, Reason: "the database does not know the log that was read last: it was put back from a backup, or Tarn's tables in it were removed"}
		}
		if renew {
			w.install = append(w.install, t.def)
			if why != "" {
				w.why = append(w.why, source.Finding{
					Table: t.name, Message: fmt.Sprintf("table %s was captured anew, with a new snapshot: %s", t.name, why),
				})
			}
		}
	}
	for name, list := range l.captures {
		if !present[name] && !r.dropped(l, name) {
			w.remove = append(w.remove, list...)
		}
	}
	for _, t := range l.triggers {
		if c := l.captureOf(t.name); c != nil && c.Def.Table != t.table {
			w.strays = append(w.strays, t.name)
		}
	}
	owners := map[string]bool{}
	for i := range l.others {
		f := &l.others[i]
		switch {
		case f.abandoned(r.env.Now()):
			w.remove = append(w.remove, f.capture)
		case !owners[f.owner]:
			owners[f.owner] = true
			w.why = append(w.why, source.Finding{
				Message: "another source captures this database too (id " + f.owner + "): each change is written once more for it",
				Hint:    "end one of them; what nobody has read for seven days is removed",
			})
		}
	}
	return w, nil
}

// judge tells whether a table needs a new capture. lost means that the position names a
// log that is not there, and nobody has asked for a new snapshot yet.
func (r *reader) judge(l *landscape, t *tableInfo) (lost, renew bool, why string) {
	c := l.current(t.name)
	st, known := r.pos.Tables[t.name]
	asked := slices.Contains(r.env.Resnapshot, t.name)
	switch {
	case r.fresh[t.name] && c != nil:
		ok, why := l.whole(c, &t.def)
		return false, !ok, why
	case !known && !asked && c != nil && r.env.Place(r.settings.topic(t.name)).Incarnation != c.Incarnation:
		// It was put up and its position never saved: what it has seen since is in no topic yet.
		ok, why := l.whole(c, &t.def)
		return false, !ok, why
	case asked, !known, st.elsewhere(r.settings.topic(t.name)):
		return false, true, ""
	case l.captureAt(t.name, st.Incarnation) == nil:
		return true, false, ""
	}
	ok, why := l.whole(c, &t.def)
	return false, !ok, why
}

// dropped tells whether a captured table is gone from the database, and not only refused
// or no longer wanted: then its log is still to be drained.
func (r *reader) dropped(l *landscape, name string) bool {
	return r.settings.captures(name) && !slices.Contains(r.env.Skip, name) &&
		!slices.ContainsFunc(l.tables, func(t tableInfo) bool { return t.name == name })
}

// captureOf finds the capture that a trigger belongs to.
func (l *landscape) captureOf(trigger string) *capture {
	for _, list := range l.captures {
		for _, c := range list {
			if strings.HasPrefix(trigger, ownPrefix+c.Incarnation+"_") {
				return c
			}
		}
	}
	return nil
}

// altering runs f in one write transaction that changes the schema. Such a change by
// Tarn's own hand does not put the order of a running snapshot in doubt.
func (r *reader) altering(ctx context.Context, f func(tx *dbsql.Tx) error) (version int64, err error) {
	var before int64
	err = r.db.writing(ctx, func(tx *dbsql.Tx) error {
		if before, err = number(ctx, tx, "PRAGMA schema_version"); err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		version, err = number(ctx, tx, "PRAGMA schema_version")
		return err
	})
	if err != nil {
		return 0, err
	}
	for name, st := range r.pos.Tables {
		if st.Snapshot != nil && st.Snapshot.Version == before {
			p := *st.Snapshot
			p.Version, st.Snapshot = version, &p
			r.pos.Tables[name] = st
		}
	}
	return version, nil
}

// adopt settles the tables to read, stores their schemas and gives new tables a standing.
func (r *reader) adopt(ctx context.Context, l *landscape) (moved bool, err error) {
	r.tables = nil
	keep := map[string]standing{}
	for name, list := range l.captures {
		if len(list) == 0 {
			continue
		}
		t := &table{name: name, topic: r.settings.topic(name), source: r.env.SourceID, captures: list, gone: r.dropped(l, name)}
		for _, c := range list {
			if err := r.store(ctx, c); err != nil {
				return false, err
			}
		}
		if err := r.keep(ctx, t.topic); err != nil {
			return false, err
		}
		st, known := r.pos.Tables[name]
		if t.gone && st.Topic != "" {
			t.topic = st.Topic // its last changes go where the others went
		}
		now, _ := t.at(st.Incarnation)
		unknown, overtaken := r.redo[name]
		switch {
		case !known, now == nil, slices.Contains(r.env.Resnapshot, name), st.elsewhere(t.topic):
			st = r.turned(st, t.topic, t.current(), r.settings.mode != modeNoData || slices.Contains(r.env.Asked, name))
			r.env.Resnapshot = slices.DeleteFunc(slices.Clone(r.env.Resnapshot), func(n string) bool { return n == name })
			moved = true
		case overtaken && !t.gone && now == t.current():
			st.Generation, st.Snapshot, st.Chunk, st.Gap = r.generation(t.topic, st.Generation), &progress{}, unknown+1, false
			moved = true
		case r.settings.mode == modeAlways && !r.fresh[name] && !t.gone && now == t.current():
			st.Generation, st.Snapshot, st.Gap = r.generation(t.topic, st.Generation), &progress{}, false
			moved = true
		}
		st.Topic = t.topic
		r.fresh[name] = true
		keep[name] = st
		r.tables = append(r.tables, t)
	}
	clear(r.redo)
	for name := range r.pos.Tables {
		if _, ok := keep[name]; !ok {
			moved = true
		}
	}
	r.pos = position{Tables: keep}
	slices.SortFunc(r.tables, func(a, b *table) int { return strings.Compare(a.name, b.name) })
	return moved, nil
}

// keep remembers the last generation that a topic ever had.
func (r *reader) keep(ctx context.Context, topic string) error {
	if r.env.Generation == nil {
		return nil
	}
	last, err := r.env.Generation(ctx, topic)
	r.kept[topic] = last
	return err
}

// store stores both schemas of a capture before their first use.
func (r *reader) store(ctx context.Context, c *capture) error {
	for i := range c.schemas {
		s := c.Def.schema(r.env.SourceID, &r.settings, i == 1)
		id, err := r.env.Schema(ctx, s)
		if err != nil {
			return err
		}
		s.ID = id
		c.schemas[i] = &s
	}
	return nil
}

// tableFindings are what to know of the tables that the configuration names.
func (r *reader) tableFindings(l *landscape) []source.Finding {
	out := findingsOf(l.tables, &r.settings)
	for _, t := range r.tables {
		if r.pos.Tables[t.name].Gap {
			out = append(out, source.Finding{
				Table: t.name, Message: fmt.Sprintf("changes of table %s were missed: its definition or its topic changed, or its log was lost", t.name),
				Hint: "start once with " + keySnapshot + " " + modeAlways + " to make the mirror equal again",
			})
		}
		if t.gone {
			out = append(out, source.Finding{
				Table: t.name, Message: fmt.Sprintf("table %s was dropped or renamed in the source; what was landed of it stays", t.name),
				Hint: "make it again to go on, or take it out of " + keyInclude,
			})
		}
	}
	return out
}
