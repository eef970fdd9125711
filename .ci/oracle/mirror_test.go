//go:build duckdb_arrow

package oracle_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tarn/embedded/record"
)

// mirror makes a source whose topic is filled as a connector fills it: snapshots between their marks, changes in the
// midst of them, rows that were lost meanwhile.
func (r chance) mirror(name, timeType string, records int) *Source {
	s := &Source{Name: name, Mirror: true, Huge: r.percent(15), Partitions: 1, Key: []string{"id"}, Ahead: 1 + r.IntN(records)}
	s.Columns = append(append(append([]Column{}, keyColumns...), valueColumns...), Column{"ts", timeType})
	if r.percent(50) {
		s.Key = append(s.Key, "sub")
	}
	if s.Loose = r.percent(80); s.Loose {
		s.Key = append(s.Key, rowKey.Name)
	}
	s.Records = make([][]Rec, 1)
	m := &mirrored{chance: r, s: s, now: begin, rows: map[string]Rec{}}
	m.snapshot()
	for len(s.Records[0]) < records {
		switch {
		case m.percent(3):
			m.snapshot()
		case m.percent(3): // a row that the source lost without a word
			for _, key := range m.keys()[:min(1, len(m.rows))] {
				delete(m.rows, key)
			}
		default:
			m.change()
		}
	}
	return s
}

// mirrored is a table and its log in the making.
type mirrored struct {
	chance
	s    *Source
	now  int64
	gen  int64
	rows map[string]Rec // by key, as JSON
}

func (m *mirrored) keys() []string { return slices.Sorted(maps.Keys(m.rows)) }

func (m *mirrored) log(rec Rec) {
	m.now += int64(m.IntN(1500)) * 1000
	rec.Stamp, rec.Gen = m.now/1000, m.gen
	m.s.Records[0] = append(m.s.Records[0], rec)
}

// snapshot reads the table, with changes in its midst.
func (m *mirrored) snapshot() {
	m.gen++
	m.log(Rec{Mark: record.SnapshotBegin, None: true})
	for _, key := range m.keys() {
		if row, ok := m.rows[key]; ok {
			m.write("r", key, row)
		}
		if m.percent(10) {
			m.change()
		}
	}
	m.log(Rec{Mark: record.SnapshotEnd, None: true})
}

// write logs a row as it is now.
func (m *mirrored) write(op, key string, row Rec) {
	m.rows[key] = row
	value := fmt.Sprintf(`{"before":null,"after":%s,"source":{"table":%q},"op":%q,"ts_ms":1}`, *row.Value, m.s.Name, op)
	m.log(Rec{Key: &key, Value: &value, Cells: row.Cells})
}

// change changes a row.
func (m *mirrored) change() {
	id, sub, extra := fmt.Sprint(m.IntN(12)), fmt.Sprintf("%q", pick(m.chance, "x", "ü", "")), ""
	both := slices.Contains(m.s.Key, "sub")
	asKey := id // a value that does not fit is in the key as it is
	switch loose := m.s.Loose; {
	case loose && m.percent(35):
		id, asKey = "null", "null"
	case loose && m.percent(10):
		misfit := fmt.Sprintf(`{"type":"text","value":"t%d"}`, m.IntN(3))
		id, asKey, extra = "null", misfit, `"_extra":{"id":`+misfit+"}"
	case loose && both && m.percent(15):
		sub = "null"
	}
	key := `{"id":` + asKey
	if both {
		key += `,"sub":` + sub
	}
	if asKey == "null" || both && sub == "null" {
		key += fmt.Sprintf(`,"_rowid":%d`, m.IntN(5))
	}
	key += "}"
	old, exists := m.rows[key]
	if exists && m.percent(40) {
		delete(m.rows, key)
		value := fmt.Sprintf(`{"before":%s,"after":null,"source":{"table":%q},"op":"d","ts_ms":1}`, *old.Value, m.s.Name)
		m.log(Rec{Key: &key, Value: &value, Gone: true, Cells: old.Cells})
		m.log(Rec{Key: &key, None: true})
		return
	}
	row := Rec{Cells: map[string]Cell{"id": {SQL: strings.ToUpper(id)}, "sub": sqlJSON(sub)}}
	if id == "null" || both && sub == "null" {
		row.Cells[rowKey.Name] = sqlText(key)
	}
	members := []string{`"id":` + id, `"sub":` + sub}
	if extra != "" {
		members = append(members, extra)
	}
	for _, c := range m.s.Columns[2:] {
		cell := Cell{Bad: true}
		for cell.Bad {
			if c.Name == "ts" {
				_, cell = m.time(m.now-int64(m.IntN(40_000_000)), c.Type, true)
			} else {
				_, cell = m.cell(c, m.s.Huge)
			}
		}
		row.Cells[c.Name] = cell
		members = append(members, fmt.Sprintf("%q:%s", c.Name, cell.json(c)))
	}
	value := "{" + strings.Join(members, ",") + "}"
	row.Value = &value
	op := "c"
	if exists {
		op = "u"
	}
	m.write(op, key, row)
}

// sqlJSON is a text, or null, as it stands in JSON.
func sqlJSON(text string) Cell {
	if text == "null" {
		return Cell{SQL: "NULL"}
	}
	return Cell{SQL: strings.ReplaceAll(text, `"`, "'")}
}

// json is the value as a connector renders it.
func (c Cell) json(of Column) string {
	text, _, _ := strings.Cut(c.SQL, "::")
	inner := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(text, "'"), "'"), "''", "'")
	switch {
	case text == "NULL":
		return "null"
	case of.Type == "TIMESTAMP":
		return fmt.Sprint(c.Micros)
	case of.Type == "TIMESTAMPTZ":
		return `"` + time.UnixMicro(c.Micros).UTC().Format("2006-01-02T15:04:05.999999Z") + `"`
	case of.Type == "VARCHAR":
		return quote(inner, false)
	case strings.HasPrefix(of.Type, "DECIMAL"), slices.Contains(strange, inner):
		return `"` + inner + `"`
	}
	return inner
}
