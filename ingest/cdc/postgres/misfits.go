package postgres

import (
	"fmt"
	"slices"

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

// unfit says why a change is to be no event: a value does not fit, or it is larger than the log takes. bytes is about how large it is; of
// what is no larger than largeBytes nothing else is looked at. Where a row may go to the dead letters, one whose old values alone are too
// much has its key of them, as with the default identity.
func (s *settings) unfit(c *captured, change *source.Change, bytes int) (why string, large bool) {
	if why := s.misfit(c, change.After); why != "" || bytes <= largeBytes {
		return why, false
	}
	src := envelope.Source{Name: s.prefix, Database: s.database, Table: c.table.name, Version: versionRoom}
	most := source.RecordBytesMax - plainRoom
	if s.keySchemas || s.valueSchemas {
		most -= schemaRoom
	}
	size := envelope.SizeMax(c.schema, &src, change.Before, change.After) + sourceRoom
	if size > most && s.bad == badDead && change.Before != nil {
		change.Before = slices.Clone(change.Before)
		for i, codec := range c.codecs {
			if codec.Column.Key == 0 {
				change.Before[i] = codec.Absent
			}
		}
		size = envelope.SizeMax(c.schema, &src, change.Before, change.After) + sourceRoom
	}
	if size <= most {
		return "", false
	}
	return fmt.Sprintf("a change of about %d bytes is more than the %d that the log takes", size, most), true
}

const (
	// largeBytes is so little that what a change of as many bytes of cells is as an event, in which a byte may take six, fits into the log.
	largeBytes = source.RecordBytesMax / 8
	// schemaRoom is more than the schema takes that stands before an event, of as many columns as a table may have.
	schemaRoom = 2 << 20
)

// stops is the error of a table of which a change is unfit, where that is to stop it; nil where it goes to the dead letters.
func (s *settings) stops(c *captured, why string, large bool) error {
	switch {
	case s.bad == badDead:
		return nil
	case large:
		return source.Quarantine(c.table.full(), fault.Newf(fault.TooLarge,
			"make the row smaller, or write "+keyBad+"=dead_letter to have it in system.dead_letter without its large values; then take a new snapshot of the table, RESNAPSHOT CONNECTOR … TABLE "+c.table.full(),
			"%s", why))
	}
	return failing(c, why)
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
	value := envelope.Append(nil, c.schema, &src, byte(change.Op), change.Before, change.After, now)
	if len(value) > letterBytes {
		after := slices.Clone(change.After)
		for i := range after {
			if n := len(after[i].B); n > letterCellBytes {
				why += fmt.Sprintf("; column %s is left out here, %d bytes", c.schema.Columns[i].Name, n)
				after[i] = record.Value{}
			}
		}
		value = envelope.Append(nil, c.schema, &src, byte(change.Op), nil, after, now)
	}
	return source.Dead{Place: change.Place, Key: envelope.AppendKey(nil, c.schema, change.After), Why: why, Value: value}
}

// A letter of more than letterBytes, of which the dead letters keep that much, is without the values that have more than letterCellBytes.
const (
	letterBytes     = 4 << 20
	letterCellBytes = 64 << 10
)

// bury sends a change to the dead letters, or stops its table.
func (r *reader) bury(c *captured, b *source.TopicBatch, change *source.Change, why string, large bool) error {
	if err := r.s.stops(c, why, large); err != nil {
		return err
	}
	b.Dead = append(b.Dead, r.letter(c, change, "false", why))
	r.gathered.bytes += len(b.Dead[len(b.Dead)-1].Value)
	return nil
}
