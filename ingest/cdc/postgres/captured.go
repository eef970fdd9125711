package postgres

import (
	"slices"

	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgtype"
)

// captured is a table with the schema of its records now.
type captured struct {
	table  *table
	topic  string
	schema *record.Schema
	codecs []*pgtype.Codec // by column of the schema
	masks  []*mask         // by column of the schema, nil for none; nil where no column has one
	at     []int           // by column of the table, its place in the schema; -1 for one that is left out
	// unknown are the columns of types that Debezium does not know, which are left out; unmasked those that no mask fits.
	unknown, unmasked []string
}

// capturedOf is a table with its schema, which is not stored yet. Columns of types that
// Debezium does not know are left out, unless include.unknown.datatypes says otherwise, and so are those that the lists of columns
// leave out; but those of the key never are.
func (s *settings) capturedOf(sourceID string, t *table, types pgtype.Catalog) *captured {
	c := &captured{table: t, topic: s.topic(t.schema, t.name)}
	c.schema = &record.Schema{Source: sourceID, Database: s.database, Schema: t.schema, Table: t.name, Unavailable: s.modes.Unavailable}
	for _, a := range s.columns.keyed(t) {
		name := t.full() + "." + a.Name
		codec, ok := types.Codec(a, s.modes)
		listed := s.columns.passes(name) || a.Key > 0
		if !ok || !listed {
			if !ok && listed {
				c.unknown = append(c.unknown, a.Name)
			}
			c.at = append(c.at, -1)
			continue
		}
		if s.columns.maskAt(name) >= 0 {
			c.mask(codec, s.columns.maskOf(name, a, &codec.Column))
		}
		c.at = append(c.at, len(c.codecs))
		c.codecs = append(c.codecs, codec)
		c.schema.Columns = append(c.schema.Columns, codec.Column)
	}
	return c
}

// mask has the next column's texts replaced, and tells so in its schema. Its default, which is not masked, is not told.
func (c *captured) mask(codec *pgtype.Codec, m *mask) {
	if m == nil {
		c.unmasked = append(c.unmasked, codec.Column.Name)
		return
	}
	for len(c.masks) < len(c.codecs) {
		c.masks = append(c.masks, nil)
	}
	c.masks = append(c.masks, m)
	codec.Column.Params = append(codec.Column.Params, m.param)
	codec.Column.Default = nil
}

// edit replaces the texts of columns that are masked.
func (c *captured) edit(row record.Row) {
	for i, m := range c.masks {
		if m != nil && i < len(row) {
			row[i] = m.edit(row[i])
		}
	}
}

// keyed tells whether events have a key.
func (c *captured) keyed() bool { return len(c.schema.Keys()) > 0 }

// differs says which columns may be others in rows that are there than the log has told: of a default, another name or type. every: also
// those that are new without a default by now, which may have had one while they were added.
func (c *captured) differs(now *captured, every bool) (what []string) {
	gone := slices.ContainsFunc(c.table.columns, func(a pgtype.Attr) bool { return now.table.column(a.Name) == nil })
	for i := range now.table.columns {
		a := &now.table.columns[i]
		switch was := c.table.column(a.Name); {
		case was == nil && gone:
			what = append(what, a.Name+" is new, or another one's new name")
		case was == nil && (every || a.Default != "" || a.NotNull):
			what = append(what, a.Name+" is new, with a value of its own")
		case was != nil && (was.OID != a.OID || was.Typmod != a.Typmod):
			what = append(what, a.Name+" has another type")
		}
	}
	return what
}

// selected are the expressions by which a snapshot reads the columns.
func (c *captured) selected() []string {
	out := make([]string, len(c.codecs))
	for i, codec := range c.codecs {
		out[i] = codec.Select(ident(codec.Column.Name))
	}
	return out
}
