package proof

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// fill puts a table's first rows in.
func (w *Writer) fill(ctx context.Context, t *Table) error {
	for i := range t.Rows {
		row := w.row(t)
		if t.Keyed() && len(t.keys()) == 1 && t.Columns[t.keys()[0]].Affinity() == Integer {
			row[t.keys()[0]] = int64(i)
		}
		if _, err := w.conn.ExecContext(ctx, t.insert("INSERT OR IGNORE"), row...); err != nil {
			return err
		}
		w.next++
	}
	return t.read(ctx, w.conn, "", nil, func(row []Cell) error {
		w.events = append(w.events, Event{Table: t.Name, Key: t.Key(row), Token: tokenOf(t, row), Born: true, Sum: t.Sum(row)})
		return nil
	})
}

// The shape of a transaction.
const (
	statementsMax = 6
	rangeRows     = 20 // of a statement that changes many rows
	rollBacks     = 15 // one transaction in so many
	savepoints    = 10
)

// some is a transaction of a few statements, over one table or several.
func (w *Writer) some(ctx context.Context) error {
	for range 1 + w.rnd.IntN(statementsMax) {
		t := w.tables[w.rnd.IntN(len(w.tables))]
		if w.rnd.IntN(savepoints) == 0 {
			if err := w.undone(ctx, t); err != nil {
				return err
			}
		}
		if err := w.one(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if w.rnd.IntN(rollBacks) == 0 {
		return errRollBack
	}
	return nil
}

// undone writes and takes it back within the transaction.
func (w *Writer) undone(ctx context.Context, t *Table) error {
	before := len(w.events)
	if _, err := w.conn.ExecContext(ctx, "SAVEPOINT s"); err != nil {
		return err
	}
	if err := w.one(ctx, t); err != nil {
		return err
	}
	w.events = w.events[:before]
	_, err := w.conn.ExecContext(ctx, "ROLLBACK TO s; RELEASE s")
	return err
}

func (w *Writer) one(ctx context.Context, t *Table) error {
	if !t.Keyed() {
		return w.oneKeyless(ctx, t)
	}
	switch n := w.rnd.IntN(20); {
	case n < 5:
		return w.put(ctx, t, "INSERT OR IGNORE", "")
	case n < 7:
		return w.put(ctx, t, "REPLACE", "")
	case n < 9:
		return w.put(ctx, t, "INSERT", " ON CONFLICT ("+strings.Join(t.keyNames(), ", ")+") DO UPDATE SET "+t.excluded())
	case n < 14:
		return w.update(ctx, t, "UPDATE", false)
	case n < 15:
		return w.update(ctx, t, "UPDATE OR IGNORE", true)
	case n < 16:
		return w.update(ctx, t, "UPDATE OR REPLACE", true)
	case n < 17 && t.byID():
		return w.updateMany(ctx, t, "id")
	case n < 18 && t.byID():
		lo := w.anID(t)
		return w.apply(ctx, t, "id BETWEEN ? AND ?", []any{lo, lo + 3}, 0, "DELETE FROM "+t.Name+" WHERE id BETWEEN ? AND ?", lo, lo+3)
	}
	v, err := w.pick(ctx, t)
	if err != nil || v == 0 {
		return err
	}
	return w.apply(ctx, t, "tok = ?", []any{v}, 0, "DELETE FROM "+t.Name+" WHERE tok = ?", v)
}

func (w *Writer) oneKeyless(ctx context.Context, t *Table) error {
	switch w.rnd.IntN(5) {
	case 0, 1:
		row := w.row(t)
		row[t.tokenAt()] = w.next
		return w.apply(ctx, t, "", nil, 1, t.insert("INSERT"), row...)
	case 2:
		return w.updateMany(ctx, t, "rowid")
	case 3:
		return w.update(ctx, t, "UPDATE", false)
	}
	v, err := w.pick(ctx, t)
	if err != nil || v == 0 {
		return err
	}
	return w.apply(ctx, t, "tok = ?", []any{v}, 0, "DELETE FROM "+t.Name+" WHERE tok = ?", v)
}

// pick finds the token of some row; 0 where there is none.
func (w *Writer) pick(ctx context.Context, t *Table) (v int64, err error) {
	for _, from := range []int64{w.rnd.Int64N(w.next), 0} {
		err = t.read(ctx, w.conn, "WHERE tok >= ? ORDER BY tok LIMIT 1", []any{from}, func(row []Cell) error {
			v = tokenOf(t, row)
			return nil
		})
		if v != 0 || err != nil {
			return v, err
		}
	}
	return 0, nil
}

// put inserts a row that may meet others by its key or its unique column.
func (w *Writer) put(ctx context.Context, t *Table, verb, conflict string) error {
	row := w.row(t)
	row[t.tokenAt()] = w.next
	var same []string
	var args []any
	for _, i := range t.keys() {
		same, args = append(same, `"`+t.Columns[i].Name+`" = ?`), append(args, row[i])
	}
	where := strings.Join(same, " AND ")
	if t.Unique != "" {
		where, args = "("+where+") OR "+t.Unique+" = ?", append(args, row[t.at(t.Unique)])
		if verb == "INSERT" {
			row[t.at(t.Unique)] = fmt.Sprint("own ", w.next) // an upsert names one conflict only
		}
	}
	return w.apply(ctx, t, where, args, 1, t.insert(verb)+conflict, row...)
}

// update changes one row's plain columns, or its key and unique column too.
func (w *Writer) update(ctx context.Context, t *Table, verb string, identity bool) error {
	v, err := w.pick(ctx, t)
	if err != nil || v == 0 {
		return err
	}
	row := w.row(t)
	set, with := []string{"tok = ?"}, []any{w.next}
	where, args := "tok = ?", []any{v}
	var same []string
	for i, c := range t.Columns {
		switch {
		case c.Name == Token || c.Name == t.Unique && !identity || c.Key > 0 && !identity:
			continue
		case c.Key > 0:
			same, args = append(same, `"`+c.Name+`" = ?`), append(args, row[i])
		}
		set, with = append(set, `"`+c.Name+`" = ?`), append(with, row[i])
	}
	if identity {
		where += " OR (" + strings.Join(same, " AND ") + ")"
		if t.Unique != "" {
			where, args = where+" OR "+t.Unique+" = ?", append(args, row[t.at(t.Unique)])
		}
	}
	return w.apply(ctx, t, where, args, 1, verb+" "+t.Name+" SET "+strings.Join(set, ", ")+" WHERE tok = ?", append(with, v)...)
}

func (w *Writer) updateMany(ctx context.Context, t *Table, id string) error {
	lo := w.anID(t)
	hi := lo + rangeRows - 1
	between := id + " BETWEEN ? AND ?"
	return w.apply(ctx, t, between, []any{lo, hi}, rangeRows, "UPDATE "+t.Name+" SET tok = ? + ("+id+" - ?) WHERE "+between, w.next, lo, lo, hi)
}

func (w *Writer) anID(t *Table) int64 { return w.rnd.Int64N(int64(t.Rows) + rangeRows) }

func (t *Table) byID() bool { return t.Columns[0].Name == "id" }

func (t *Table) at(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	panic("proof: no column " + name)
}

func (t *Table) keyNames() (names []string) {
	for _, i := range t.keys() {
		names = append(names, `"`+t.Columns[i].Name+`"`)
	}
	return names
}

func (t *Table) excluded() string {
	var set []string
	for _, c := range t.Columns {
		if c.Key == 0 {
			set = append(set, fmt.Sprintf("%q = excluded.%q", c.Name, c.Name))
		}
	}
	return strings.Join(set, ", ")
}

func (t *Table) insert(verb string) string {
	return fmt.Sprintf("%s INTO %s (%s) VALUES (?%s)", verb, t.Name, t.names(), strings.Repeat(", ?", len(t.Columns)-1))
}

// row makes values for every column; its token is the next one, which the caller takes.
func (w *Writer) row(t *Table) []any {
	row := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		switch {
		case c.Name == Token:
			row[i] = w.next
		case c.Key > 0:
			row[i] = w.keyValue(t, c)
		case c.Name == t.Unique:
			row[i] = w.words(t.Rows)
		case t.Mess && w.rnd.IntN(3) == 0:
			row[i] = w.value([]Affinity{Integer, Real, Text, Blob, Numeric}[w.rnd.IntN(5)], 0)
		case w.rnd.IntN(12) == 0:
			row[i] = nil
		default:
			row[i] = w.value(c.Affinity(), t.BigText)
		}
	}
	return row
}

func (w *Writer) keyValue(t *Table, c Column) any {
	if c.Affinity() == Text {
		return w.words(t.Rows)
	}
	if w.rnd.IntN(40) == 0 {
		edges := []int64{math.MaxInt64, math.MinInt64, -1, 1<<53 + 1, math.MaxInt32 + 1}
		return edges[w.rnd.IntN(len(edges))]
	}
	return w.anID(t)
}
