package postgres

import (
	"fmt"
	"maps"
	"slices"

	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

// Findings is what was found while reading. Any goroutine may call it.
func (r *reader) Findings() []source.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.findings)
	for _, what := range slices.Sorted(maps.Keys(r.events)) {
		out = append(out, r.events[what])
	}
	return out
}

// Lag is how far behind the source is. Any goroutine may call it.
func (r *reader) Lag() source.Lag {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lag
}

// Tables are the captured tables. Any goroutine may call it.
func (r *reader) Tables() []source.TableState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.states)
}

// tell notes how each table stands.
func (r *reader) tell() {
	var states []source.TableState
	for _, name := range slices.Sorted(maps.Keys(r.pos.Tables)) {
		st := r.pos.Tables[name]
		ts := source.TableState{Table: name, Topic: st.Topic, State: source.Streaming, Done: 1}
		switch {
		case st.Snapshot != nil && st.Snapshot.Begun:
			ts.State, ts.Done = source.Snapshotting, r.done(name, st.Snapshot.After)
		case st.Snapshot != nil:
			ts.State, ts.Done = source.Waiting, 0
		}
		states = append(states, ts)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = states
	r.lag.Snapshot = ""
	for _, ts := range states {
		if ts.State == source.Snapshotting {
			r.lag.Snapshot = fmt.Sprintf("%.0f %% of %s", 100*ts.Done, ts.Table)
		}
	}
}

// done is which part of a table's bytes lies before a place.
func (r *reader) done(name, after string) float64 {
	c := r.tables[name]
	if c == nil {
		return -1
	}
	leaf, block, _ := parseAfter(after)
	var before, all int64
	for _, l := range c.table.leaves {
		all += l.bytes
		switch {
		case l.oid < leaf:
			before += l.bytes
		case l.oid == leaf:
			before += min(l.bytes, int64(block)*pageBytes)
		}
	}
	if all == 0 {
		return -1
	}
	return float64(before) / float64(all)
}

// The events that are of no table: no snapshot can be cut, the server keeps much of its log, keeps it for nobody, and
// refuses the statement of a heartbeat; and what became of a signal.
const (
	cutEvent    = " cut"
	slotEvent   = " slot"
	unreadEvent = " unread"
	beatEvent   = " heartbeat"
	signalEvent = " signal"
	missedEvent = " signals"
)

// happened notes what a look does not find again: of each table, and of the events above, the last.
func (r *reader) happened(what string, f source.Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[what] = f
}

func (r *reader) over(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.events, what)
}

// find notes what a person should know of the tables.
func (r *reader) find(tables, missing []*table) {
	out := findingsOf(&r.s, tables, missing)
	for _, name := range slices.Sorted(maps.Keys(r.tables)) {
		if left := r.tables[name].unmasked; len(left) > 0 {
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("columns %q of table %s are not text, so no mask changes them, as in Debezium", left, name),
				Hint: "leave them out by " + keyColumnOut + " if nobody is to see them",
			})
		}
		if left := r.tables[name].unknown; len(left) > 0 {
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("columns %q of table %s are of types that Debezium does not know, and are left out", left, name),
				Hint: "set " + pgtype.KeyUnknown + "=true to have them as text",
			})
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = out
}

// findingsOf says what a person should know of tables.
func findingsOf(s *settings, tables, missing []*table) []source.Finding {
	var out []source.Finding
	for _, t := range tables {
		name := t.full()
		key := s.columns.keyOf(t)
		switch {
		case slices.Contains(missing, t):
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s is not in the publication %s, so its changes are not captured", name, s.publication),
				Hint: "add it; it is then snapshotted", SQL: "ALTER PUBLICATION " + ident(s.publication) + " ADD TABLE " + t.quoted(),
			})
		case key != nil && t.identity != 'f' && !t.identifies(key):
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("the key %q that %s gives table %s is not what its log has of old rows: deletes are left out, for they do not tell it, and a change of it leaves the old row in the mirror", key, keyKeyColumns, name),
				Hint: "let the log have whole rows", SQL: "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY FULL",
			})
		case key != nil:
		case !t.keyed() && t.identity != 'f':
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s has no primary key: PostgreSQL refuses UPDATE and DELETE on it while it is published, and it lands in bronze alone", name),
				Hint: "add a PRIMARY KEY, or let the log have whole rows", SQL: "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY FULL",
			})
		case !t.keyed():
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s has no primary key: its changes land in bronze, without a mirror in silver", name),
				Hint: "add a PRIMARY KEY to have a mirror",
			})
		case t.identity == 'n':
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s has REPLICA IDENTITY NOTHING: PostgreSQL refuses UPDATE and DELETE on it while it is published", name),
				Hint: "let the log have its key", SQL: "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY DEFAULT",
			})
		}
		if len(t.generated) > 0 {
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("columns %q of table %s are generated: PostgreSQL does not put them into the log, so they are left out", t.generated, name),
				Hint: "compute them in a query, or in a pipeline",
			})
		}
	}
	if s.notifyJMX {
		out = append(out, source.Finding{
			Key: keyNotify, Message: "notifications do not go to jmx, which is Java's", Hint: "read them in a topic, by sink, or in the log, by log; system.source_tables tells how far snapshots are",
		})
	}
	if len(tables) == 0 {
		out = append(out, source.Finding{Message: "no table matches the lists of the connector yet", Hint: "check " + keyTableIn + " (<schema>.<table>) and " + keySchemaIn + "; tables are picked up when they are made"})
	}
	return out
}
