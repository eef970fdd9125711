package landing_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/lake/table"
)

// lake is table.Tables in memory. It holds commits to the contract: shapes, required
// cells, one row a key.
type lake struct {
	mu     sync.Mutex
	tables map[table.Ident]*memTable
	// before and after are asked around each commit; an error of after is a commit that
	// was applied and whose caller never heard of it.
	before, after func(id table.Ident, c table.Change) error
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
