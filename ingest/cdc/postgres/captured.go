package postgres

import (
	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgtype"
)

// captured is a table with the schema of its records now.
type captured struct {
	table  *table
	topic  string
	schema *record.Schema
	codecs []*pgtype.Codec // by column of the schema
	at     []int           // by column of the table, its place in the schema; -1 for one that is left out
}

// capturedOf is a table with its schema, which is not stored yet. Columns of types that
// Debezium does not know are left out, unless include.unknown.datatypes says otherwise.
func (s *settings) capturedOf(sourceID string, t *table, types pgtype.Catalog) *captured {
	c := &captured{table: t, topic: s.topic(t.schema, t.name)}
	c.schema = &record.Schema{Source: sourceID, Database: s.database, Schema: t.schema, Table: t.name, Unavailable: s.modes.Unavailable}
	for _, a := range t.columns {
		codec, ok := types.Codec(a, s.modes)
		if !ok {
			c.at = append(c.at, -1)
			continue
		}
		c.at = append(c.at, len(c.codecs))
		c.codecs = append(c.codecs, codec)
		c.schema.Columns = append(c.schema.Columns, codec.Column)
	}
	return c
}

// left are the columns that are left out.
func (c *captured) left() (names []string) {
	for i, at := range c.at {
		if at < 0 {
			names = append(names, c.table.columns[i].Name)
		}
	}
	return names
}

// selected are the expressions by which a snapshot reads the columns.
func (c *captured) selected() []string {
	out := make([]string, len(c.codecs))
	for i, codec := range c.codecs {
		out[i] = codec.Select(ident(codec.Column.Name))
	}
	return out
}
