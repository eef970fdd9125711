package postgres

import (
	"context"

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
	return findingsOf(&s, tables, nil)
}

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
