package landing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// lake is table.Tables in memory. It holds commits to the contract: shapes, required
// cells, one row a key.
type lake struct {
	table.Tables // nil: what landing does not call

	mu     sync.Mutex
	tables map[table.Ident]*memTable
	// before and after are asked around each commit; an error of after is a commit that
	// was applied and whose caller never heard of it.
	before, after func(id table.Ident, c table.Change) error
	// make is asked before a table is made.
	make func(id table.Ident) error
}

func newLake() *lake { return &lake{tables: map[table.Ident]*memTable{}} }

func (l *lake) Open(_ context.Context, id table.Ident) (table.Table, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.tables[id]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("%s: %w", id, table.ErrNotFound)
}

func (l *lake) Ensure(_ context.Context, s table.Spec) (table.Table, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.tables[s.Ident]; ok {
		return t, nil
	}
	if l.make != nil {
		if err := l.make(s.Ident); err != nil {
			return nil, err
		}
	}
	t := &memTable{lake: l, id: s.Ident, cols: slices.Clone(s.Columns), props: maps.Clone(s.Properties)}
	for i := range t.cols {
		t.cols[i].ID = i + 1
	}
	l.tables[s.Ident] = t
	return t, nil
}

func (l *lake) List(_ context.Context, namespace string) ([]table.Ident, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []table.Ident
	for id := range l.tables {
		if id.Namespace == namespace {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b table.Ident) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// rows returns a table's rows, nil for a table that is not there.
func (l *lake) rows(name string) []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.tables[table.ParseIdent(name)]
	if !ok {
		return nil
	}
	return slices.Clone(t.rows)
}

// forget takes columns out of a table, as if a version before had made it.
func (l *lake) forget(name string, columns ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tables[table.ParseIdent(name)]
	t.cols = slices.DeleteFunc(t.cols, func(c table.Column) bool { return slices.Contains(columns, c.Name) })
	for i := range t.rows {
		t.rows[i] = maps.Clone(t.rows[i])
		maps.DeleteFunc(t.rows[i], func(c string, _ any) bool { return slices.Contains(columns, c) })
	}
}

// commits counts a table's commits.
func (l *lake) commits(name string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.tables[table.ParseIdent(name)]; ok {
		return t.snaps
	}
	return 0
}

func (l *lake) columns(name string) []table.Column {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.tables[table.ParseIdent(name)]; ok {
		return slices.Clone(t.cols)
	}
	return nil
}

type memTable struct {
	table.Table // nil, likewise

	lake  *lake
	id    table.Ident
	cols  []table.Column
	props map[string]string
	rows  []map[string]any
	snaps int64
}

func (t *memTable) Ident() table.Ident { return t.id }
func (t *memTable) ID() string         { return "uuid of " + t.id.String() }

func (t *memTable) Columns() []table.Column {
	t.lake.mu.Lock()
	defer t.lake.mu.Unlock()
	return slices.Clone(t.cols)
}

func (t *memTable) Property(key string) (string, bool) {
	t.lake.mu.Lock()
	defer t.lake.mu.Unlock()
	v, ok := t.props[key]
	return v, ok
}

func (t *memTable) Commit(ctx context.Context, c table.Change) (table.Snapshot, error) {
	t.lake.mu.Lock()
	before, after := t.lake.before, t.lake.after
	t.lake.mu.Unlock()
	if before != nil {
		if err := before(t.id, c); err != nil {
			return table.Snapshot{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return table.Snapshot{}, err
	}
	snap, err := t.apply(c)
	if err == nil && after != nil {
		err = after(t.id, c)
	}
	return snap, err
}

func (t *memTable) apply(c table.Change) (table.Snapshot, error) {
	t.lake.mu.Lock()
	defer t.lake.mu.Unlock()
	if owner := t.props[table.PropOwner]; owner != c.Owner {
		return table.Snapshot{}, table.ErrOwned
	}
	cols := slices.Clone(t.cols)
	for _, add := range c.AddColumns {
		if add.Required || slices.ContainsFunc(cols, func(h table.Column) bool { return strings.EqualFold(h.Name, add.Name) }) {
			return table.Snapshot{}, fmt.Errorf("column %s cannot be added", add.Name)
		}
		add.ID = len(cols) + 1
		cols = append(cols, add)
	}
	for name, to := range c.Widen {
		i := slices.IndexFunc(cols, func(h table.Column) bool { return h.Name == name })
		if i < 0 {
			return table.Snapshot{}, fmt.Errorf("no column %s to widen", name)
		}
		cols[i].Type = to
	}
	for i := range cols {
		if slices.Contains(c.Relax, cols[i].Name) {
			cols[i].Required = false
		}
	}
	keyed := map[string]bool{}
	var keyNames []string
	for _, b := range c.Keys {
		keyNames = names(b)
		if err := each(b, t.cols, func(row map[string]any) error { keyed[keyOf(row, keyNames)] = true; return nil }); err != nil {
			return table.Snapshot{}, fmt.Errorf("keys: %w", err)
		}
	}
	kept := slices.DeleteFunc(slices.Clone(t.rows), func(row map[string]any) bool {
		if len(keyNames) > 0 && keyed[keyOf(row, keyNames)] {
			return true
		}
		return c.DeleteBelow != nil && row[c.DeleteBelow.Column].(int64) < c.DeleteBelow.Value
	})
	seen := map[string]bool{}
	for _, b := range c.Rows {
		if err := each(b, cols, func(row map[string]any) error {
			if k := keyOf(row, keyNames); len(keyNames) > 0 && (!keyed[k] || seen[k]) {
				return errors.New("two rows of one key, or a row whose key is not in keys: " + k)
			} else if len(keyNames) > 0 {
				seen[k] = true
			}
			kept = append(kept, row)
			return nil
		}); err != nil {
			return table.Snapshot{}, err
		}
	}
	t.cols, t.rows = cols, kept
	maps.Copy(t.props, c.Properties)
	t.snaps++
	return table.Snapshot{ID: t.snaps, Rows: int64(len(kept))}, nil
}

// Rows gives three rows at a time, in two batches.
func (t *memTable) Rows(_ context.Context, columns []string, s table.Span, _ int, each func(arrow.RecordBatch) error) (int64, error) {
	t.lake.mu.Lock()
	var cols []table.Column
	for _, name := range columns {
		cols = append(cols, t.cols[slices.IndexFunc(t.cols, func(c table.Column) bool { return c.Name == name })])
	}
	rows := slices.Clone(t.rows)
	t.lake.mu.Unlock()
	at := func(row map[string]any) int64 { return row[s.Column].(int64) }
	rows = slices.DeleteFunc(rows, func(row map[string]any) bool { return at(row) < s.From || at(row) >= s.To })
	slices.SortFunc(rows, func(a, b map[string]any) int { return int(at(a) - at(b)) })
	const atOnce = 3
	next := s.To
	if len(rows) > atOnce {
		next, rows = at(rows[atOnce]), rows[:atOnce]
	}
	for part := range slices.Chunk(rows, 2) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(cols))
		for _, row := range part {
			for i, f := range b.Fields() {
				if v, ok := row[columns[i]]; !ok {
					f.AppendNull()
				} else if err := f.AppendValueFromString(fmt.Sprint(v)); err != nil {
					return s.From, err
				}
			}
		}
		if err := each(b.NewRecordBatch()); err != nil {
			return s.From, err
		}
	}
	return next, nil
}

// Find gives the rows of keys one by one.
func (t *memTable) Find(_ context.Context, keys []arrow.RecordBatch, columns []string, give func(arrow.RecordBatch) error) error {
	t.lake.mu.Lock()
	cols, rows := slices.Clone(t.cols), slices.Clone(t.rows)
	t.lake.mu.Unlock()
	wanted := map[string]bool{}
	var keyNames []string
	for _, b := range keys {
		keyNames = names(b)
		if err := each(b, cols, func(row map[string]any) error { wanted[keyOf(row, keyNames)] = true; return nil }); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
	}
	var named []table.Column
	for _, name := range columns {
		c := cols[slices.IndexFunc(cols, func(c table.Column) bool { return c.Name == name })]
		c.Required = false
		named = append(named, c)
	}
	for _, row := range rows {
		if !wanted[keyOf(row, keyNames)] {
			continue
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(named))
		for i, f := range b.Fields() {
			if v, ok := row[columns[i]]; !ok {
				f.AppendNull()
			} else if err := f.AppendValueFromString(fmt.Sprint(v)); err != nil {
				return err
			}
		}
		if err := give(b.NewRecordBatch()); err != nil {
			return err
		}
	}
	return nil
}

// offsetsOf reads how far a table has come in partition 0 of a topic.
func (l *lake) offsetsOf(name, topic string) record.PartitionOffsets {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := record.Offsets{}
	if t, ok := l.tables[table.ParseIdent(name)]; ok {
		_ = json.Unmarshal([]byte(t.props[table.PropOffsets+"landing"]), &o)
	}
	return o.At(topic, 0)
}

// restart empties a mirror and has it made again of bronze, as a repair does that finds all
// its records there: false where it does not. The error tells of a count that is not right.
func (l *lake) restart(silver, bronze, topic string) (bool, error) {
	at := l.offsetsOf(silver, topic)
	again, ok := at.Restart(bronze)
	if !ok || l.offsetsOf(bronze, topic).Next < at.Next {
		return false, nil
	}
	n := 0
	for _, row := range l.rows(bronze) {
		if o := row["_offset"].(int64); o >= at.Past.Whole.Offset && o < at.Next {
			n++
		}
	}
	if int64(n) != at.Past.Whole.Records {
		return false, fmt.Errorf("bronze has %d records of offsets %d to %d, and the mirror counts %d", n, at.Past.Whole.Offset, at.Next, at.Past.Whole.Records)
	}
	o := record.Offsets{}
	o.Set(topic, 0, again)
	text, err := json.Marshal(o)
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tables[table.ParseIdent(silver)]
	t.props[table.PropOffsets+"landing"], t.rows = string(text), nil
	return err == nil, err
}

func names(b arrow.RecordBatch) (out []string) {
	for _, f := range b.Schema().Fields() {
		out = append(out, f.Name)
	}
	return out
}

func keyOf(row map[string]any, names []string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "%T %v|", row[n], row[n])
	}
	return b.String()
}

// each calls do with every row of a batch, checked against the columns.
func each(b arrow.RecordBatch, cols []table.Column, do func(map[string]any) error) error {
	types := map[string]arrow.DataType{}
	for _, c := range cols {
		types[c.Name] = table.ArrowType(c.Type)
	}
	for i, f := range b.Schema().Fields() {
		if want, ok := types[f.Name]; !ok || !arrow.TypeEqual(want, f.Type) {
			return fmt.Errorf("column %d %s is %s, want %v", i, f.Name, f.Type, want)
		}
	}
	for n := range int(b.NumRows()) {
		row := map[string]any{}
		for i, f := range b.Schema().Fields() {
			if col := b.Column(i); !col.IsNull(n) {
				switch col := col.(type) {
				case *array.Int64:
					row[f.Name] = col.Value(n)
				case *array.Int32:
					row[f.Name] = int64(col.Value(n))
				default:
					row[f.Name] = strings.Clone(col.ValueStr(n))
				}
			} else if !f.Nullable {
				return fmt.Errorf("null in required column %s", f.Name)
			}
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return nil
}

// set changes the hooks while a landing runs.
func (l *lake) set(before, after func(table.Ident, table.Change) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before, l.after = before, after
}

// drop empties the tables, so that a benchmark does not measure this lake's growth.
func (l *lake) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tables {
		t.rows = nil
	}
}
