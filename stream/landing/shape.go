package landing

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/lake/table"
)

// KeyColumn is a mirror's column that has the record's key as text where a column of the key is null.
const KeyColumn = "_key"

// The columns of a mirror that are not the source's.
const (
	extraColumn      = "_extra"
	offsetColumn     = "_offset"
	generationColumn = "_generation"
)

var mirrorOwn = []table.Column{
	{Name: extraColumn, Type: record.String, Doc: "JSON of the cells that did not fit their columns"},
	{Name: KeyColumn, Type: record.String, Doc: "the record's key where a key column is null"},
	{Name: offsetColumn, Type: record.Long},
	{Name: generationColumn, Type: record.Long},
}

func isMirrorOwn(lower string) bool {
	return slices.ContainsFunc(mirrorOwn, func(c table.Column) bool { return c.Name == lower })
}

// mirrorColumns are those of a new mirror. Keys that cannot be null are identifier
// fields; where one can, `_key` tells rows with such a key apart.
func mirrorColumns(s *record.Schema) []table.Column {
	taken := map[string]bool{}
	var cols []table.Column
	required := requiredKeys(s)
	for _, c := range s.Columns {
		name := ColumnName(c.Name, func(lower string) bool { return taken[lower] || isMirrorOwn(lower) })
		taken[strings.ToLower(name)] = true
		key := c.Key > 0 && required
		cols = append(cols, table.Column{Name: name, Type: c.Type, Required: key, Key: key, Doc: sourceDoc(c.Name, name)})
	}
	for _, c := range mirrorOwn {
		if c.Name != KeyColumn || !required {
			cols = append(cols, c)
		}
	}
	return cols
}

func requiredKeys(s *record.Schema) bool {
	for _, i := range s.Keys() {
		if s.Columns[i].Nullable {
			return false
		}
	}
	return true
}

// shape is a mirror's columns as they are, with those that the rows in hand add, widen or
// let be null.
type shape struct {
	table table.Table
	cols  []table.Column
	adds  []table.Column
	widen map[string]record.Type
	relax []string
	keys  []int // indexes of the key columns in cols, in order; then `_key`'s where in use
}

// plan is how rows of one schema go into the shape. Its slices are by the schema's columns.
type plan struct {
	schema  *record.Schema
	to      []int         // index in the shape's columns
	types   []record.Type // the table column's type
	fits    []bool        // the source's type goes into it
	keys    []int         // the key, in the order of the shape's
	keyText bool
	// required are the columns that the table has without null.
	required []bool
	// tableKeys are the key's indexes in the shape's columns, with `_key`'s where in use.
	tableKeys []int
}

func shapeOf(t table.Table) *shape {
	return &shape{table: t, cols: slices.Clone(t.Columns()), widen: map[string]record.Type{}}
}

func (s *shape) changed() bool { return len(s.adds)+len(s.widen)+len(s.relax) > 0 }

// evolve gives the table the columns of the shape, in a commit before the rows': keys are
// looked up by the columns that the table has. A crash between the two leaves empty columns.
func (s *shape) evolve(ctx context.Context) error {
	_, err := s.table.Commit(ctx, table.Change{AddColumns: s.adds, Widen: s.widen, Relax: s.relax, Owner: Reader})
	if err != nil {
		return fmt.Errorf("give %s its new columns: %w", s.table.Ident(), err)
	}
	return nil
}

// find returns the column that holds a source's column, or -1.
func (s *shape) find(source string) int {
	return slices.IndexFunc(s.cols, func(c table.Column) bool {
		return SourceName(c) == source && !isMirrorOwn(strings.ToLower(c.Name))
	})
}

// loosen lets the key columns be null: one of them is, or holds a value of another type,
// which only `_key` tells. The rows that are there have null in it, as whole keys do.
func (s *shape) loosen() {
	for i := range s.cols {
		if c := &s.cols[i]; c.Required {
			c.Required = false
			s.relax = append(s.relax, c.Name)
		}
	}
}

// propKey is the mirror's property that lists the key's columns, which need be no identifier fields, as JSON.
const propKey = "tarn.key"

// keyProperty is its value for some of the columns.
func keyProperty(cols []table.Column, keys []int) string {
	var names []string
	for _, i := range keys {
		if cols[i].Name != KeyColumn {
			names = append(names, cols[i].Name)
		}
	}
	text, err := json.Marshal(names)
	if err != nil {
		panic(err) // texts always marshal
	}
	return string(text)
}

// MirrorKey are the columns that tell a mirror's rows apart: those of the source's key, and KeyColumn behind them where the mirror has
// it. None where landing has not noted them yet: it does so with the next record.
func MirrorKey(t table.Table) []string {
	var names []string
	if text, ok := t.Property(propKey); !ok || json.Unmarshal([]byte(text), &names) != nil {
		for _, c := range t.Columns() {
			if c.Key {
				names = append(names, c.Name)
			}
		}
	}
	if len(names) > 0 && columnNamed(t.Columns(), KeyColumn) >= 0 {
		names = append(names, KeyColumn)
	}
	return names
}

// sameKeys tells whether the schema's key is the one in use.
func (s *shape) sameKeys(schema *record.Schema) bool {
	var keys []int
	for _, i := range schema.Keys() {
		keys = append(keys, s.find(schema.Columns[i].Name))
	}
	slices.Sort(keys)
	own := s.keys
	if len(own) > 0 && s.cols[own[len(own)-1]].Name == KeyColumn {
		own = own[:len(own)-1]
	}
	return slices.Equal(keys, own)
}

// plan maps a schema into the shape, adding and widening columns as it needs.
func (s *shape) plan(schema *record.Schema) (*plan, []string, error) {
	p := &plan{schema: schema}
	var findings []string
	for _, c := range schema.Columns {
		i := s.find(c.Name)
		if i < 0 {
			i = s.add(c)
		}
		have, fits := s.cols[i].Type, true
		switch {
		case have == c.Type || widens(c.Type, have):
		case widens(have, c.Type):
			s.cols[i].Type, s.widen[s.cols[i].Name] = c.Type, c.Type
		default:
			fits = false
			findings = append(findings, fmt.Sprintf("column %s is %s in the source now and %s in %s: its values go to %s",
				c.Name, c.Type, have, s.table.Ident(), extraColumn))
		}
		p.to, p.fits = append(p.to, i), append(p.fits, fits)
	}
	for _, i := range p.to {
		p.types, p.required = append(p.types, s.cols[i].Type), append(p.required, s.cols[i].Required)
	}
	if err := s.planKeys(p); err != nil {
		return nil, nil, err
	}
	return p, findings, nil
}

func (s *shape) add(c record.Column) int {
	name := ColumnName(c.Name, func(lower string) bool {
		return isMirrorOwn(lower) || slices.ContainsFunc(s.cols, func(c table.Column) bool { return strings.ToLower(c.Name) == lower })
	})
	return s.append(table.Column{Name: name, Type: c.Type, Doc: sourceDoc(c.Name, name)})
}

func (s *shape) append(c table.Column) int {
	s.cols, s.adds = append(s.cols, c), append(s.adds, c)
	return len(s.cols) - 1
}

// planKeys finds the key columns. A mirror whose key columns are not all required has
// `_key` as well.
func (s *shape) planKeys(p *plan) error {
	p.keys = p.schema.Keys()
	slices.SortFunc(p.keys, func(a, b int) int { return p.to[a] - p.to[b] })
	var keys []int
	for _, i := range p.keys {
		keys = append(keys, p.to[i])
		p.keyText = p.keyText || !s.cols[p.to[i]].Required
	}
	if err := s.keyStands(p, keys); err != nil {
		return err
	}
	if p.keyText {
		i := columnNamed(s.cols, KeyColumn)
		if i < 0 {
			i = s.append(mirrorOwn[1])
		}
		keys = append(keys, i)
	}
	s.keys, p.tableKeys = keys, keys
	return nil
}

// keyStands refuses a key that the table's rows cannot be told apart by: a required column
// holds the key's cells alone, of which keyOf lets no null through, and old rows of a key
// of another type would be taken for rows that are gone.
func (s *shape) keyStands(p *plan, keys []int) error {
	const hint = "let a new mirror begin: give the topic another name for it by the setting tarn.mirror, or drop this one, and take a new snapshot"
	for _, i := range p.keys {
		if !p.fits[i] {
			return quarantine{fault.Newf(fault.Conflict, hint, "key column %s is %s in table %s now, and %s in %s",
				p.schema.Columns[i].Name, p.schema.Columns[i].Type, p.schema.Table, p.types[i], s.table.Ident())}
		}
	}
	for i, c := range s.cols {
		if c.Required && !slices.Contains(keys, i) {
			return quarantine{fault.Newf(fault.Conflict, hint, "column %s is a key of %s, but it is none of table %s any more",
				c.Name, s.table.Ident(), p.schema.Table)}
		}
	}
	return nil
}

// build renders the folded entries: every key, and the rows that are there. olds are the mirror's rows of which some keep values.
func (s *shape) build(entries []entry, olds map[string]oldRow) (keys, rows arrow.RecordBatch, misfits int, err error) {
	keyCols := make([]table.Column, len(s.keys))
	for k, i := range s.keys {
		keyCols[k] = s.cols[i]
	}
	kb := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(keyCols))
	defer kb.Release()
	rb := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(s.cols))
	defer rb.Release()
	out := rowBuilder{shape: s, fields: rb.Fields(), cells: make([]record.Value, len(s.cols)), olds: olds}
	n := 0
	for i := range entries {
		for k, v := range entries[i].key {
			put(kb.Field(k), v)
		}
		if entries[i].object == nil {
			continue
		}
		n++
		if err := out.append(&entries[i]); err != nil {
			return nil, nil, 0, err
		}
	}
	keys = kb.NewRecordBatch()
	if n > 0 {
		rows = rb.NewRecordBatch()
	}
	return keys, rows, out.misfits, nil
}

type rowBuilder struct {
	shape   *shape
	fields  []array.Builder
	cells   []record.Value // of the row in hand, by the shape's columns
	row     record.Row
	olds    map[string]oldRow
	misfits int
}

func (b *rowBuilder) append(e *entry) error {
	row, raw, err := envelope.Decode(e.plan.schema, e.object, b.row)
	if err != nil {
		return err // it could be decoded when it was added
	}
	b.row = row
	clear(b.cells)
	extra := map[string]json.RawMessage{}
	if raw != nil {
		if extra, err = members(raw); err != nil {
			return err
		}
	}
	for i, v := range row {
		if v.Kind == record.Missing {
			cell, raw, err := b.unsent(e, i)
			if err != nil {
				return err
			}
			if b.cells[e.plan.to[i]] = cell; raw != nil {
				extra[e.plan.schema.Columns[i].Name] = raw
			}
			continue
		}
		cell, fits := normal(e.plan.types[i], v)
		if fits && e.plan.fits[i] || v.Kind == record.Null {
			b.cells[e.plan.to[i]] = cell
			continue
		}
		extra[e.plan.schema.Columns[i].Name] = misfit(v)
	}
	if b.misfits += len(extra); len(extra) > 0 {
		raw, err := json.Marshal(extra)
		if err != nil {
			return err
		}
		b.own(extraColumn, jsonText(raw))
	}
	if e.plan.keyText {
		b.own(KeyColumn, e.key[len(e.key)-1])
	}
	b.own(offsetColumn, integer(e.offset))
	b.own(generationColumn, integer(e.generation))
	for i, f := range b.fields {
		put(f, b.cells[i])
	}
	return nil
}

// own sets one of the mirror's own columns.
func (b *rowBuilder) own(name string, v record.Value) {
	if i := columnNamed(b.shape.cols, name); i >= 0 {
		b.cells[i] = v
	}
}

// members reads the object of `_extra`.
func members(raw []byte) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("read %s: %w", extraColumn, err)
	}
	return out, nil
}

// misfit renders a cell as the envelope does: its type in SQLite's words, and its value.
func misfit(v record.Value) json.RawMessage {
	var m struct {
		Type  string `json:"type"`
		Value any    `json:"value"`
	}
	switch v.Kind {
	case record.IntKind:
		m.Type, m.Value = "integer", v.I
	case record.FloatKind:
		m.Type, m.Value = "real", v.F
		if math.IsNaN(v.F) || math.IsInf(v.F, 0) {
			m.Value = fmt.Sprint(v.F)
		}
	case record.BoolKind:
		m.Type, m.Value = "boolean", v.I != 0
	case record.BytesKind:
		m.Type, m.Value = "blob", v.B
	default:
		m.Type, m.Value = "text", string(v.B)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err) // plain values always marshal
	}
	return raw
}

// canonical renders key cells so that equal keys are equal bytes.
func canonical(dst []byte, key []record.Value) []byte {
	for _, v := range key {
		dst = append(dst, byte(v.Kind))
		switch v.Kind {
		case record.IntKind, record.BoolKind:
			dst = binary.BigEndian.AppendUint64(dst, uint64(v.I)) //nolint:gosec // only bits count
		case record.FloatKind:
			dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(v.F))
		case record.TextKind, record.BytesKind:
			dst = binary.AppendUvarint(dst, uint64(len(v.B)))
			dst = append(dst, v.B...)
		}
	}
	return dst
}

func sameCell(a, b record.Value) bool {
	return string(canonical(nil, []record.Value{a})) == string(canonical(nil, []record.Value{b}))
}

// notOurs is the fault of a table whose columns are not those that landing made.
func notOurs(t table.Table, w table.Column) error {
	return fault.Newf(fault.Conflict, "give the topic another name for its table by the setting tarn.table, or drop the table",
		"%s has no column %s of type %s, so somebody else made it", t.Ident(), w.Name, w.Type)
}
