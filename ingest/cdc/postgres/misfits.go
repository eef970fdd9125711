package postgres

import (
	"fmt"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/source"
)

// What becomes of a row with a value that its event cannot hold: the values of tarn.bad.values.
const (
	badFlag = "flag"        // null in the row, the value beside it in _extra
	badDead = "dead_letter" // the row goes to the dead letters
	badFail = "fail"        // its table is quarantined
)

// readBad reads what becomes of bad values. Connect's keys for dead letters ask for these.
func (s *settings) readBad(c source.Config) error {
	fallback := badFlag
	if c.Keys[source.ToleranceKey] == source.ToleranceAll && c.Keys[keyDeadTopic] != "" {
		fallback = badDead
	}
	switch s.bad = c.Get(keyBad, fallback); {
	case s.bad != badFlag && s.bad != badDead && s.bad != badFail:
		return source.NewMisset(c, keyBad, "write flag, dead_letter or fail", "is %q", s.bad)
	case s.bad == badDead && c.Keys[source.ToleranceKey] == source.ToleranceNone:
		return source.NewMisset(c, source.ToleranceKey, "write all, or another "+keyBad, "is none, which allows no dead letters, and %s is dead_letter", keyBad)
	}
	return nil
}

// misfit says which column of a row holds what its type cannot; "" for none, or where such values are flagged.
func (s *settings) misfit(c *captured, row record.Row) string {
	if s.bad == badFlag {
		return ""
	}
	for i := range row {
		if column := &c.schema.Columns[i]; !envelope.Fits(c.schema, column, row[i]) {
			return fmt.Sprintf("column %s (%s) cannot hold its value", column.Name, column.Declared)
		}
	}
	return ""
}

// failing is the error of a table of which a row is bad, where that is to stop it.
func failing(c *captured, why string) error {
	return source.Quarantine(c.table.full(), fault.Newf(fault.Invalid, "mend the row in the database, or write "+keyBad+"=flag to have the value beside its row, and take a new snapshot of the table",
		"%s, in the row of %s", why, c.table.full()))
}

// letter is a dead letter of a change, which is as its event would be.
func (r *reader) letter(c *captured, change *source.Change, snapshot, why string) source.Dead {
	now := r.env.Now().UnixNano()
	src := envelope.Source{
		Version: r.env.Version, Connector: Kind.Name, Name: r.s.prefix, TSNanos: now, Snapshot: snapshot, Database: r.s.database, Schema: c.table.schema, Table: c.table.name,
		Postgres: &envelope.PostgresPlace{TxID: change.TxID, LSN: uint64(change.LSN), CommitLSN: uint64(change.LastCommit)}, //nolint:gosec // not negative
	}
	if !change.TS.IsZero() {
		src.TSNanos = change.TS.UnixNano()
	}
	return source.Dead{
		Place: change.Place, Key: envelope.AppendKey(nil, c.schema, change.After), Why: why,
		Value: envelope.Append(nil, c.schema, &src, byte(change.Op), change.Before, change.After, now),
	}
}

// bury sends a change to the dead letters, or stops its table.
func (r *reader) bury(c *captured, b *source.TopicBatch, change *source.Change, why string) error {
	if r.s.bad == badFail {
		return failing(c, why)
	}
	b.Dead = append(b.Dead, r.letter(c, change, "false", why))
	r.gathered.bytes += len(b.Dead[len(b.Dead)-1].Value)
	return nil
}
