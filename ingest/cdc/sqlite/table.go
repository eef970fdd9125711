package sqlite

import (
	"cmp"
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/source"
)

// columnsMax is how many columns a captured table may have: its shadow table has each twice,
// and SQLite's own limit is 2000.
const columnsMax = 990

// column is one column of a table, as the database declares it.
type column struct {
	Name     string `json:"name"`
	Declared string `json:"declared,omitempty"`
	NotNull  bool   `json:"not_null,omitempty"`
	Key      int    `json:"key,omitempty"`
}

// unique is one way in which rows of a table can be in conflict. Columns are indexes into
// definition.Columns.
type unique struct {
	Columns    []int    `json:"columns"`
	Collations []string `json:"collations"`
	// Terms and Where are the SQL of an index on expressions or on some rows only.
	Terms []string `json:"terms,omitempty"`
	Where string   `json:"where,omitempty"`
	RowID bool     `json:"rowid,omitempty"`
}

// definition is what the capture of a table depends on. It is kept in _tarn_meta beside
// the shadow table that was made for it; another one needs another shadow table.
type definition struct {
	Table   string   `json:"table"`
	Columns []column `json:"columns"`
	Uniques []unique `json:"uniques,omitempty"`
	Strict  bool     `json:"strict,omitempty"`
	// RowID is the SQL name under which the rowid can be read; "" for WITHOUT ROWID.
	RowID string `json:"rowid,omitempty"`
	// Alias is the index of the INTEGER PRIMARY KEY, which is the rowid; -1 without.
	Alias int `json:"alias"`
}

// logsRowID tells whether the shadow table carries the rowid beside the columns.
func (d *definition) logsRowID() bool { return d.RowID != "" && d.Alias < 0 }

// tableInfo is one line of PRAGMA table_list.
type tableInfo struct {
	name         string
	kind         string // "table", "virtual", "shadow", "view"
	withoutRowID bool
	strict       bool
	def          definition
	refused      bool
	finding      source.Finding // why it is refused, or what to know of it; empty when all is well
}

// listTables reads the tables that the settings want, in order of name, with the reason
// for those that cannot be captured.
func listTables(ctx context.Context, q querier, s *settings) ([]tableInfo, error) {
	var all []tableInfo
	err := each(ctx, q, func(rows *dbsql.Rows) error {
		var t tableInfo
		if err := rows.Scan(&t.name, &t.kind, &t.withoutRowID, &t.strict); err != nil {
			return err
		}
		if s.captures(t.name) && t.kind != "view" && t.kind != "shadow" {
			all = append(all, t)
		}
		return nil
	}, `SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	topics := map[string]string{}
	for i := range all {
		t := &all[i]
		if t.kind == "virtual" {
			t.refuse("it is a virtual table, on which SQLite has no triggers", "capture the tables that it is made of, or leave it out with "+keyExclude)
			continue
		}
		if err := t.define(ctx, q); err != nil {
			return nil, fmt.Errorf("read the definition of table %s: %w", t.name, err)
		}
		topic := s.topic(t.name)
		if other, ok := topics[strings.ToLower(topic)]; ok {
			t.refuse(fmt.Sprintf("its topic %s is that of table %s", topic, other), "rename one of them, or leave it out with "+keyExclude)
			continue
		}
		topics[strings.ToLower(topic)] = t.name
	}
	return all, nil
}

func (t *tableInfo) refuse(why, hint string) {
	t.refused = true
	t.finding = source.Finding{Table: t.name, Message: fmt.Sprintf("table %s is not captured: %s", t.name, why), Hint: hint}
}

// define reads a table's columns and what is unique in it.
func (t *tableInfo) define(ctx context.Context, q querier) error {
	d := &t.def
	d.Table, d.Strict, d.Alias = t.name, t.strict, -1
	err := each(ctx, q, func(rows *dbsql.Rows) error {
		var c column
		if err := rows.Scan(&c.Name, &c.Declared, &c.NotNull, &c.Key); err != nil {
			return err
		}
		d.Columns = append(d.Columns, c)
		return nil
	}, `SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`, t.name)
	if err != nil {
		return err
	}
	keyIndexed, err := d.readUniques(ctx, q)
	if err != nil {
		return err
	}
	if !t.withoutRowID {
		d.findRowID(keyIndexed)
	}
	d.settleNulls(t.withoutRowID)
	switch {
	case len(d.Columns) > columnsMax:
		t.refuse(fmt.Sprintf("it has %d columns", len(d.Columns)), fmt.Sprintf("at most %d can be captured", columnsMax))
	case d.index(envelope.Extra) >= 0:
		t.refuse("it has a column "+envelope.Extra+", the name under which Tarn keeps values that do not fit their column", "rename the column")
	case !t.withoutRowID && d.RowID == "":
		t.refuse("its columns hide rowid, _rowid_ and oid", "rename one of these columns")
	case !d.keyed():
		t.finding = source.Finding{
			Table: t.name, Message: fmt.Sprintf("table %s has no primary key: its changes land in bronze, without a mirror in silver", t.name),
			Hint: "add a PRIMARY KEY to have a mirror",
		}
	}
	return nil
}

func (d *definition) index(name string) int {
	return slices.IndexFunc(d.Columns, func(c column) bool { return strings.EqualFold(c.Name, name) })
}

func (d *definition) keyed() bool {
	return slices.ContainsFunc(d.Columns, func(c column) bool { return c.Key > 0 })
}

// keyColumns are the indexes of the primary key's columns in its order.
func (d *definition) keyColumns() []int {
	var out []int
	for i, c := range d.Columns {
		if c.Key > 0 {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b int) int { return cmp.Compare(d.Columns[a].Key, d.Columns[b].Key) })
	return out
}

// findRowID finds a name for the rowid that no column hides, and the column that is its
// alias: an INTEGER PRIMARY KEY is one unless the key has an index of its own. Rows can be
// in conflict by their rowid too.
func (d *definition) findRowID(keyIndexed bool) {
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if d.index(name) < 0 {
			d.RowID = name
			break
		}
	}
	if key := d.keyColumns(); len(key) == 1 && !keyIndexed {
		d.Alias = key[0]
		d.RowID = quote(d.Columns[key[0]].Name)
		d.Uniques = append(d.Uniques, unique{Columns: key, Collations: []string{""}})
		return
	}
	d.Uniques = append(d.Uniques, unique{RowID: true})
}

// settleNulls marks the key columns in which SQLite itself allows no null.
func (d *definition) settleNulls(withoutRowID bool) {
	for i := range d.Columns {
		if d.Columns[i].Key > 0 && (withoutRowID || d.Strict || i == d.Alias) {
			d.Columns[i].NotNull = true
		}
	}
}

// readUniques reads the unique indexes, and whether one of them is the primary key's own.
func (d *definition) readUniques(ctx context.Context, q querier) (keyIndexed bool, err error) {
	type index struct {
		name    string
		partial bool
	}
	var list []index
	err = each(ctx, q, func(rows *dbsql.Rows) error {
		var ix index
		var origin string
		if err := rows.Scan(&ix.name, &origin, &ix.partial); err != nil {
			return err
		}
		keyIndexed = keyIndexed || origin == "pk"
		list = append(list, ix)
		return nil
	}, `SELECT name, origin, partial FROM pragma_index_list(?) WHERE "unique" ORDER BY name`, d.Table)
	if err != nil {
		return false, err
	}
	for _, ix := range list {
		u, err := d.readUnique(ctx, q, ix.name, ix.partial)
		if err != nil {
			return false, err
		}
		d.Uniques = append(d.Uniques, u)
	}
	return keyIndexed, nil
}

func (d *definition) readUnique(ctx context.Context, q querier, index string, partial bool) (u unique, err error) {
	plain := !partial
	err = each(ctx, q, func(rows *dbsql.Rows) error {
		var name, collation dbsql.NullString
		if err := rows.Scan(&name, &collation); err != nil {
			return err
		}
		at := d.index(name.String)
		plain = plain && name.Valid && at >= 0
		u.Columns, u.Collations = append(u.Columns, at), append(u.Collations, collation.String)
		return nil
	}, `SELECT name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno`, index)
	if err != nil || plain {
		return u, err
	}
	var text string
	err = each(ctx, q, func(rows *dbsql.Rows) error { return rows.Scan(&text) },
		`SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?`, index)
	u.Columns = nil
	u.Terms, u.Where = indexTerms(text)
	return u, err
}

// schema is the record's schema of a definition. Loose leaves every column nullable: it is
// used from the first cell on that is null or a misfit where its declaration allows none.
func (d *definition) schema(sourceID string, s *settings, loose bool) record.Schema {
	out := record.Schema{Source: sourceID, Database: s.database, Schema: "main", Table: d.Table}
	for _, c := range d.Columns {
		t, _ := typeOf(c.Declared, d.Strict)
		out.Columns = append(out.Columns, record.Column{
			Name: c.Name, Type: t, Declared: c.Declared, Key: c.Key, Nullable: loose || !c.NotNull,
		})
	}
	return out
}
