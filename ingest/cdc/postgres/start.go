package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/ingest/source"
)

// start connects, and compares what the position, the server and the topics say.
func (r *reader) start(ctx context.Context) error {
	r.disconnect()
	r.s.plain.Store(false)
	on, err := r.identify(ctx)
	if err != nil {
		return err
	}
	var sl slot
	err = r.onSQL(ctx, func() (err error) {
		r.version = versionOf(r.sql.ParameterStatus("server_version"))
		sl, err = r.s.readSlot(ctx, r.sql)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.compare(on, sl); err != nil {
		return err
	}
	r.weighs(sl)
	if err := r.survey(ctx); err != nil {
		return err
	}
	switch {
	case r.s.mode == modeInitialOnly: // needs no slot of its own, which would keep the server's log for ever
		if sl.there {
			r.happened(unreadEvent, source.Finding{
				Message: fmt.Sprintf("nobody reads the slot %s with snapshot.mode %s, and the server keeps its log for it", r.s.slot, modeInitialOnly),
				Hint:    "drop it", SQL: "SELECT pg_drop_replication_slot(" + literal(r.s.slot) + ")",
			})
		}
	case !sl.there:
		if r.cut, err = r.makeCut(ctx, true); err != nil {
			return err
		}
		r.pos.LSN = r.cut.lsn.String()
	case r.pos.LSN == "":
		r.pos.LSN = sl.confirmed.String()
	}
	r.started = true
	return nil
}

// compare finds out whether the slot goes on where the position stands. Where it does not, a
// new incarnation begins, for which a person is asked unless the mode says that it may.
func (r *reader) compare(on server, sl slot) error {
	if r.s.mode == modeInitialOnly {
		sl = slot{}
	}
	if sl.there && (sl.plugin != "pgoutput" || sl.database != r.s.database) {
		return fault.Newf(fault.Conflict, "choose another "+keySlot, "the slot %s of the server is of plugin %s and database %s", r.s.slot, sl.plugin, sl.database)
	}
	why := ""
	switch {
	case r.pos.Incarnation == "":
	case r.pos.System != on.system:
		why = "the server is another one, or was made anew"
	case r.pos.Timeline != on.timeline:
		why = "the server was put back from a backup, or another one was promoted in its place"
	case r.s.mode == modeInitialOnly: // reads no changes, so it can lose none
		return nil
	case !on.standby && on.end < r.pos.lsn(): // one that has written more since looks like any other
		why = fmt.Sprintf("the server was put back to an earlier state: its log ends at %s, and Tarn has the changes up to %s", on.end, r.pos.LSN)
	case r.pos.Slot != r.s.slot:
		why = fmt.Sprintf("the slot %s was read before, and now it is %s", r.pos.Slot, r.s.slot)
	case !sl.there:
		why = fmt.Sprintf("the slot %s is gone, and with it the changes since %s", r.s.slot, r.pos.LSN)
	case sl.status == "lost":
		why = fmt.Sprintf("the server has thrown away the log that the slot %s needs", r.s.slot)
	case sl.confirmed > r.pos.lsn():
		why = fmt.Sprintf("the slot %s has been moved on to %s, and Tarn has the changes up to %s", r.s.slot, sl.confirmed, r.pos.LSN)
	default:
		return nil
	}
	known := slices.Sorted(maps.Keys(r.pos.Tables))
	if why != "" && len(known) > 0 && len(r.asked) == 0 && r.s.mode != modeWhenNeeded && r.s.mode != modeAlways {
		return &source.NeedsResnapshot{Tables: known, Reason: why, Ask: true}
	}
	if sl.status == "lost" {
		return fault.Newf(fault.Conflict, fmt.Sprintf("SELECT pg_drop_replication_slot('%s'); Tarn makes it anew", r.s.slot), "the slot %s is lost and still there", r.s.slot)
	}
	tables := r.pos.Tables
	for name, st := range tables {
		st.Sent, st.Snapshot = "", nil
		tables[name] = st
	}
	r.asked = known
	r.pos = position{System: on.system, Timeline: on.timeline, Slot: r.s.slot, Incarnation: on.system + "-" + uuid.NewString()[:8], Tables: tables}
	return nil
}

// versionOf is the server's version as a number: 150018.
func versionOf(text string) int {
	var major, minor int
	_, _ = fmt.Sscanf(text, "%d.%d", &major, &minor)
	return major*10000 + minor
}

// survey reads the catalog, and plans snapshots of the tables that need one.
func (r *reader) survey(ctx context.Context) error {
	var tables, signals, missing []*table
	err := r.onSQL(ctx, func() (err error) {
		if r.types, err = r.s.readTypes(ctx, r.sql); err != nil {
			return err
		}
		if tables, err = r.s.survey(ctx, r.sql); err == nil {
			if signals, err = r.s.signalTables(ctx, r.sql); err == nil {
				missing, err = r.s.publish(ctx, r.sql, slices.Concat(tables, signals))
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	r.looked = r.env.Now()
	seen := map[string]bool{}
	for _, t := range tables {
		if slices.Contains(missing, t) {
			continue
		}
		name := t.full()
		seen[name] = true
		if c := r.tables[name]; c != nil && c.table.oid == t.oid {
			c.table.leaves, c.table.rows = t.leaves, t.rows
			continue // its columns are as the log says
		}
		if !r.started { // before capture, which may ask for more than what is in the topic
			r.settle(name, r.s.topic(t.schema, t.name))
		}
		c, err := r.capture(ctx, t)
		if err != nil {
			return err
		}
		if err := r.check(ctx, c); err != nil {
			return err
		}
	}
	for name := range r.pos.Tables {
		if !seen[name] {
			delete(r.pos.Tables, name)
			delete(r.tables, name)
			r.over(name)
			r.over(name + columnsEvent)
			r.changed = true
		}
	}
	r.find(tables, missing)
	r.missed(slices.Concat(tables, signals), missing)
	return nil
}

// settle takes chunks of a table as done that are in its topic.
func (r *reader) settle(name, topic string) {
	if st, known := r.pos.Tables[name]; known && st.Topic == topic {
		sent := st.Sent
		if st.Snapshot != nil {
			asked := st.Snapshot.Asked
			if st.settle(r.place(topic), r.pos.Incarnation); st.Sent != sent {
				r.uncounted(name, asked)
			}
		}
		r.pos.Tables[name] = st
	}
}

// check compares a table's standing with its topic, and with what is asked for.
func (r *reader) check(ctx context.Context, c *captured) error {
	name := c.table.full()
	st := r.pos.Tables[name]
	place := r.place(c.topic)
	switch {
	case r.started: // a look in between: the topic may be behind by what is in hand
		return nil
	case slices.Contains(r.asked, name), slices.Contains(r.asked, c.table.name), r.always && (st.Snapshot == nil || st.Snapshot.again()):
	case r.skipped(name) && (st.Snapshot == nil || st.Snapshot.Begun || st.Snapshot.again()): // what it misses from now on only a new snapshot has
	case st.Sent != "" && (place.Incarnation != r.pos.Incarnation || place.Place < st.Sent):
		r.happened(name, source.Finding{Table: name, Message: fmt.Sprintf("table %s is captured anew: its topic has lost its end", name)})
	default:
		return nil
	}
	st.Sent = ""
	r.pos.Tables[name] = st
	return r.plan(ctx, c)
}

// look reads the catalog and the slot again now and then.
func (r *reader) look(ctx context.Context) error {
	if r.tx != nil || r.env.Now().Sub(r.looked) < lookEvery {
		return nil
	}
	if err := r.survey(ctx); err != nil {
		return err
	}
	return r.weigh(ctx)
}

// weigh asks now and then how much of its log the server keeps.
func (r *reader) weigh(ctx context.Context) error {
	if r.env.Now().Sub(r.weighed) < lookEvery {
		return nil
	}
	var sl slot
	err := r.onSQL(ctx, func() (err error) {
		sl, err = r.s.readSlot(ctx, r.sql)
		return err
	})
	if err == nil {
		r.weighs(sl)
	}
	return err
}

// weighs notes how much of its log the server keeps for a slot that was read just now.
func (r *reader) weighs(sl slot) {
	r.weighed = r.env.Now()
	r.mu.Lock()
	r.lag.Bytes = sl.retained
	r.mu.Unlock()
	if sl.retained <= retainedWarn {
		r.over(slotEvent)
		return
	}
	r.happened(slotEvent, source.Finding{
		Message: fmt.Sprintf("the server keeps %d MB of its log for the slot %s", sl.retained>>20, r.s.slot),
		Hint:    "see what keeps the source from going on; a transaction of the database that is open for long does too",
		SQL:     "SELECT pid, xact_start, query FROM pg_stat_activity WHERE backend_xmin IS NOT NULL ORDER BY xact_start",
	})
}
