package sampledata

import (
	"database/sql/driver"
	"fmt"
	"slices"
)

// entity is a row of a table: pointers to its cells, in the order of the columns. The first is the key.
type entity interface{ fields() []any }

// table holds the rows of one table of the database, in the order in which they were
// inserted, and notes what is done to them.
type table[E entity] struct {
	name    string
	columns []string
	rows    []E
	last    int64 // the highest number that a row has had, where they are numbered
	noted   *[]change
}

// change is what an application does to one row: an insert has no before, a delete no after.
type change struct {
	table         string
	columns       []string
	before, after []any
}

func (t *table[E]) values(e E) []any {
	fields := e.fields()[:len(t.columns)]
	out := make([]any, len(fields))
	for i, f := range fields {
		out[i] = valueAt(f)
	}
	return out
}

// next is the number of the row that is inserted next.
func (t *table[E]) next() int64 { return t.last + 1 }

func (t *table[E]) add(e E) {
	t.rows = append(t.rows, e)
	row := t.values(e)
	if id, ok := row[0].(int64); ok {
		t.last = max(t.last, id)
	}
	t.note(nil, row)
}

// set changes cells of a row.
func (t *table[E]) set(e E, to func()) {
	before := t.values(e)
	to()
	if after := t.values(e); !slices.Equal(before, after) {
		t.note(before, after)
	}
}

// remove takes the rows out that gone tells.
func (t *table[E]) remove(gone func(E) bool) {
	t.rows = slices.DeleteFunc(t.rows, func(e E) bool {
		if !gone(e) {
			return false
		}
		t.note(t.values(e), nil)
		return true
	})
}

// find is the first row that fits, or the zero value.
func (t *table[E]) find(fits func(E) bool) (e E) {
	if i := slices.IndexFunc(t.rows, fits); i >= 0 {
		return t.rows[i]
	}
	return e
}

func (t *table[E]) count(fits func(E) bool) (n int) {
	for _, e := range t.rows {
		if fits(e) {
			n++
		}
	}
	return n
}

// inserts are changes that make an empty table equal to this one.
func (t *table[E]) inserts() []change {
	out := make([]change, len(t.rows))
	for i, e := range t.rows {
		out[i] = change{t.name, t.columns, nil, t.values(e)}
	}
	return out
}

// numbered is the table's name and the highest number that a row has had.
func (t *table[E]) numbered() (name string, last int64) { return t.name, t.last }

func (t *table[E]) note(before, after []any) {
	*t.noted = append(*t.noted, change{t.name, t.columns, before, after})
}

// text is a cell that may be null, which "" stands for.
type text string

// Value is as in driver.Valuer.
func (s text) Value() (driver.Value, error) {
	if s == "" {
		return nil, nil
	}
	return string(s), nil
}

// Scan is as in sql.Scanner.
func (s *text) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*s = ""
	case string:
		*s = text(v)
	default:
		return fmt.Errorf("%T is no text", v)
	}
	return nil
}

// degrees are those of a refrigerated container; null for others.
type degrees struct {
	celsius float64
	is      bool
}

// Value is as in driver.Valuer.
func (d degrees) Value() (driver.Value, error) {
	if !d.is {
		return nil, nil
	}
	return d.celsius, nil
}

// Scan is as in sql.Scanner.
func (d *degrees) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*d = degrees{}
	case float64:
		*d = degrees{v, true}
	default:
		return fmt.Errorf("%T is no temperature", v)
	}
	return nil
}

// valueAt is what a cell's pointer points at.
func valueAt(pointer any) any {
	switch p := pointer.(type) {
	case *int64:
		return *p
	case *float64:
		return *p
	case *string:
		return *p
	case *text:
		return *p
	case *degrees:
		return *p
	}
	panic(fmt.Sprintf("no cell is a %T", pointer))
}
