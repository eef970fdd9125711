package postgres_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source/sourcetest"
)

// cells are a row as texts, by column. A null is none.
type cells map[string]string

// missing stands for a value that no event had.
const missing = "\x00missing"

// cellsOf reads a row object.
func cellsOf(s *record.Schema, object []byte) (cells, error) {
	row, extra, err := envelope.Decode(s, object, nil)
	if err != nil {
		return nil, err
	}
	out := cells{}
	for i, v := range row {
		name := s.Columns[i].Name
		switch v.Kind {
		case record.IntKind:
			out[name] = strconv.FormatInt(v.I, 10)
		case record.BoolKind:
			out[name] = strconv.FormatBool(v.I != 0)
		case record.FloatKind:
			out[name] = strconv.FormatFloat(v.F, 'g', -1, 64)
		case record.TextKind:
			out[name] = string(v.B)
		case record.BytesKind:
			out[name] = hex.EncodeToString(v.B)
		case record.Missing:
			out[name] = missing
		}
	}
	if extra == nil {
		return out, nil
	}
	var more map[string]json.RawMessage
	if err := json.Unmarshal(extra, &more); err != nil {
		return nil, err
	}
	for name, text := range more {
		out[name] = string(text)
	}
	return out, nil
}

func (c cells) String() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		out = append(out, fmt.Sprintf("%s=%q", name, c[name]))
	}
	return strings.Join(out, " ")
}

// mirrored is one row of a mirror.
type mirrored struct {
	cells cells
	gen   int64
}

// mirror folds the events of a topic as landing does: a value that was not sent is the row's own as it was, a key of other columns
// is one of the rows that there are, and what has no key is not in it. A table that never had one is a bag of rows.
type mirror struct {
	t       sourcetest.TB
	schemas *schemas.Store
	keys    []string // the columns of the key
	rows    map[string]mirrored
	bag     []mirrored
	keyed   bool
	gone    cells // what the record before took out
	goneAt  string
	last    record.Pos
}

func (m *mirror) keyOf(c cells) string {
	var out []string
	for _, name := range m.keys {
		out = append(out, c[name])
	}
	return strings.Join(out, "\x00")
}

func (m *mirror) rekey(keys []string) {
	if slices.Equal(keys, m.keys) {
		return
	}
	m.keys = keys
	old := m.rows
	m.rows = map[string]mirrored{}
	for _, at := range slices.Sorted(maps.Keys(old)) {
		row := old[at]
		key := m.keyOf(row.cells)
		if _, twice := m.rows[key]; twice { // rows of before the column: their own until a snapshot
			key += "\x00" + at
		}
		m.rows[key] = row
	}
}

func (m *mirror) take(e *sourcetest.Event) error {
	pos, err := record.ParsePos(e.Pos)
	if err != nil {
		return err
	}
	chunk := e.Mark != nil || m.last.Place == pos.Place && strings.Contains(pos.Place, ".")
	if pos.Incarnation == m.last.Incarnation && !pos.After(m.last) && !chunk {
		return fmt.Errorf("place %s comes after %s", pos.Place, m.last.Place)
	}
	m.last = pos
	if e.Mark != nil {
		if e.Mark.Kind == record.SnapshotEnd {
			old := func(r mirrored) bool { return r.gen < e.Mark.Generation }
			maps.DeleteFunc(m.rows, func(_ string, r mirrored) bool { return old(r) })
			m.bag = slices.DeleteFunc(m.bag, old)
		}
		return nil
	}
	if e.Value == nil {
		return nil
	}
	s, err := m.schemas.Get(context.Background(), e.Schema)
	if err != nil {
		return err
	}
	event, err := envelope.Split(e.Value)
	if err != nil {
		return err
	}
	var before, after cells
	if event.Before != nil {
		if before, err = cellsOf(s, event.Before); err != nil {
			return err
		}
	}
	if event.After != nil {
		if after, err = cellsOf(s, event.After); err != nil {
			return err
		}
	}
	if len(s.Keys()) == 0 {
		return m.takeLoose(s, before, after, e.Gen)
	}
	var keys []string
	for _, i := range s.Keys() {
		keys = append(keys, s.Columns[i].Name)
	}
	m.keyed = true
	m.rekey(keys)
	if event.Op == 'd' {
		key := m.keyOf(before)
		m.gone, m.goneAt = m.rows[key].cells, pos.Place
		delete(m.rows, key)
		return nil
	}
	key := m.keyOf(after)
	known := m.rows[key].cells
	if event.Op == 'c' && strings.TrimRight(pos.Place, "-") == m.goneAt {
		known = m.gone
	}
	for name, text := range after {
		if had, ok := known[name]; ok && text == missing {
			after[name] = had
		} else if text == missing && known != nil {
			delete(after, name) // null
		}
	}
	m.rows[key] = mirrored{after, e.Gen}
	return nil
}

// takeLoose takes a change of a table without a key. What a row had in columns that are dropped since is not in an old row.
func (m *mirror) takeLoose(s *record.Schema, before, after cells, gen int64) error {
	if before != nil {
		gone := func(name string, _ string) bool {
			return !slices.ContainsFunc(s.Columns, func(c record.Column) bool { return c.Name == name })
		}
		at := slices.IndexFunc(m.bag, func(r mirrored) bool {
			maps.DeleteFunc(r.cells, gone)
			return maps.Equal(r.cells, before)
		})
		if at >= 0 {
			m.bag = slices.Delete(m.bag, at, at+1)
		}
	}
	if after != nil {
		m.bag = append(m.bag, mirrored{after, gen})
	}
	return nil
}

// truths reads tables as events would have them.
type truths struct {
	db    *pgtest.Database
	types pgtype.Catalog
	modes pgtype.Modes
}

func truthsOf(t sourcetest.TB, d *pgtest.Database, modes pgtype.Modes) *truths {
	t.Helper()
	out := &truths{d, pgtype.Catalog{}, modes}
	for _, line := range d.Query(pgtype.CatalogQuery) {
		var row [][]byte
		for _, text := range line {
			row = append(row, []byte(text))
		}
		if err := out.types.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// rows are a table's, and the columns that events have.
func (tr *truths) rows(t sourcetest.TB, table string) (columns []string, out []cells) {
	t.Helper()
	schema := &record.Schema{Table: table}
	var codecs []*pgtype.Codec
	var list []string
	for _, a := range tr.db.Query("SELECT attname, atttypid, atttypmod, attnotnull FROM pg_attribute WHERE attrelid = '" + table + "'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum") {
		id, _ := strconv.ParseUint(a[1], 10, 32)
		mod, _ := strconv.ParseInt(a[2], 10, 32)
		codec, ok := tr.types.Codec(pgtype.Attr{Name: a[0], OID: uint32(id), Typmod: int32(mod)}, tr.modes)
		if !ok {
			continue
		}
		columns, codecs = append(columns, a[0]), append(codecs, codec)
		schema.Columns = append(schema.Columns, codec.Column)
		list = append(list, fmt.Sprintf("CASE WHEN %[1]q IS DISTINCT FROM NULL THEN 'x' || concat(%[1]q) END", a[0]))
	}
	if len(list) == 0 {
		return nil, nil
	}
	for _, line := range tr.db.Query("SELECT " + strings.Join(list, ", ") + " FROM " + table) {
		row := make(record.Row, len(line))
		var arena pgtype.Arena
		for i, text := range line {
			if text != "" {
				row[i] = codecs[i].Text(&arena, []byte(text[1:]))
			}
		}
		e, err := envelope.Split(envelope.Append(nil, schema, &envelope.Source{}, 'c', nil, row, 0))
		if err != nil {
			t.Fatal(err)
		}
		c, err := cellsOf(schema, e.After)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return columns, out
}

// lines are rows as texts of some columns, in order.
func lines(columns []string, rows []cells) []string {
	out := []string{}
	for _, r := range rows {
		c := cells{}
		for _, name := range columns {
			if text, ok := r[name]; ok {
				c[name] = text
			}
		}
		out = append(out, c.String())
	}
	slices.Sort(out)
	return out
}
