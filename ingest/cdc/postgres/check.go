package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/fault"
	"tarn/ingest/source"
)

// check looks before starting. It changes nothing in the database.
func check(ctx context.Context, c source.Config) []source.Finding {
	s, err := readSettings(c)
	if err != nil {
		return []source.Finding{source.FindingOf(err, fault.CodeOf(err) == fault.Invalid, keyHost)}
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return []source.Finding{source.FindingOf(err, fault.CodeOf(err) == fault.Invalid, keyHost)}
	}
	defer closeConn(conn)
	tables, err := s.survey(ctx, conn)
	if err != nil {
		return []source.Finding{source.FindingOf(err, fault.CodeOf(err) == fault.Invalid, keyHost)}
	}
	out, err := s.preflight(ctx, conn)
	if err != nil {
		return []source.Finding{source.FindingOf(err, false, keyHost)}
	}
	return append(out, findingsOf(&s, tables, nil)...)
}

// preflight looks at what the server and the user need, and at the slot.
func (s *settings) preflight(ctx context.Context, c *pgconn.PgConn) (out []source.Finding, err error) {
	rows, err := query(ctx, c, `SELECT current_setting('wal_level'), rolreplication OR rolsuper, quote_ident(rolname),
current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots) FROM pg_roles WHERE rolname = current_user`)
	if err != nil || len(rows) == 0 {
		return nil, s.fault(err, "look at the settings of")
	}
	r := rows[0]
	if r[0] != "logical" {
		out = append(out, source.Finding{
			Fatal: true, Key: keyHost, Message: "wal_level of the server is " + r[0] + ", so its log does not tell changes",
			Hint: "set it and restart the server", SQL: "ALTER SYSTEM SET wal_level = logical",
		})
	}
	if r[1] != "t" {
		out = append(out, source.Finding{
			Fatal: true, Key: keyUser, Message: "the user may not replicate", Hint: "give it the right, or use another", SQL: "ALTER ROLE " + r[2] + " REPLICATION",
		})
	}
	sl, err := s.readSlot(ctx, c)
	if err != nil {
		return nil, err
	}
	switch {
	case sl.there && sl.status == "lost":
		out = append(out, source.Finding{
			Key: keySlot, Message: "the server has thrown away the log that the slot " + s.slot + " needs",
			Hint: "drop it; Tarn makes it anew with a new snapshot", SQL: "SELECT pg_drop_replication_slot(" + literal(s.slot) + ")",
		})
	case sl.retained > retainedWarn:
		out = append(out, source.Finding{
			Key: keySlot, Message: fmt.Sprintf("the server keeps %d MB of its log for the slot %s", sl.retained>>20, s.slot),
			Hint: "start the connector, or drop the slot if nobody needs it", SQL: "SELECT pg_drop_replication_slot(" + literal(s.slot) + ")",
		})
	case integer(r[3]) < slotsNeeded:
		out = append(out, source.Finding{
			Key: keySlot, Message: "the server has " + r[3] + " replication slots left, and a first snapshot takes two",
			Hint: "raise their number and restart the server", SQL: "ALTER SYSTEM SET max_replication_slots = 20",
		})
	}
	return out, nil
}

// retainedWarn is from how many bytes of log on a slot is worth a word; slotsNeeded are the
// source's own slot and the one of a snapshot.
const (
	retainedWarn = 1 << 30
	slotsNeeded  = 2
)

// discover lists the tables that would be captured.
func discover(ctx context.Context, c source.Config) ([]source.Table, error) {
	s, err := readSettings(c)
	if err != nil {
		return nil, err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer closeConn(conn)
	tables, err := s.survey(ctx, conn)
	if err != nil {
		return nil, err
	}
	types, err := s.readTypes(ctx, conn)
	if err != nil {
		return nil, err
	}
	var out []source.Table
	for _, t := range tables {
		c := s.capturedOf("", t, types)
		out = append(out, source.Table{Schema: c.schema, Topic: c.topic, Rows: t.rows})
	}
	return out, nil
}
