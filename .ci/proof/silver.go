package proof

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Rows are a keyed table's rows by key. A key that several rows have keeps them all, which
// only a mirror gone wrong can show.
type Rows map[string][][]Cell

// DatabaseRows reads a table of the source.
func DatabaseRows(ctx context.Context, q querier, t *Table) (Rows, error) {
	out := Rows{}
	err := t.read(ctx, q, "", nil, func(row []Cell) error {
		out[t.Key(row)] = append(out[t.Key(row)], row)
		return nil
	})
	return out, err
}

// SilverRows reads a table's mirror, each cell with what `_extra` says of it.
func (p *Process) SilverRows(ctx context.Context, t *Table) (Rows, error) {
	out := Rows{}
	err := p.Arrow(ctx, "SELECT "+t.names()+", _extra FROM silver."+t.Name, func(b arrow.RecordBatch) error {
		if err := t.typesFit(b); err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			row, err := t.silverRow(b, i)
			if err != nil {
				return fmt.Errorf("silver.%s: %w", t.Name, err)
			}
			out[t.Key(row)] = append(out[t.Key(row)], row)
		}
		return nil
	})
	return out, err
}

func (t *Table) silverRow(b arrow.RecordBatch, i int) ([]Cell, error) {
	said, err := arrowCell(b.Column(len(t.Columns)), i)
	if err != nil {
		return nil, err
	}
	extra := map[string]misfit{}
	if said != Null {
		if extra, err = misfits(string(said[2:])); err != nil {
			return nil, err
		}
	}
	row := make([]Cell, len(t.Columns))
	for n, c := range t.Columns {
		if row[n], err = arrowCell(b.Column(n), i); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		m, odd := extra[c.Name]
		if !odd {
			continue
		}
		if row[n] != Null {
			return nil, fmt.Errorf("%s has the value %s and an entry in _extra", c.Name, row[n])
		}
		if row[n], err = m.cell(); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return row, nil
}

// typesFit checks that the lake's columns have the types of the source's.
func (t *Table) typesFit(b arrow.RecordBatch) error {
	want := map[Affinity]arrow.Type{Integer: arrow.INT64, Real: arrow.FLOAT64, Text: arrow.STRING, Blob: arrow.BINARY}
	for i, c := range t.Columns {
		if w, plain := want[c.Affinity()]; plain && b.Column(i).DataType().ID() != w {
			return fmt.Errorf("silver.%s.%s is %s for %s", t.Name, c.Name, b.Column(i).DataType(), c.Declared)
		}
	}
	return nil
}

// CheckSilver holds a mirror against its table.
func CheckSilver(t *Table, database, silver Rows) []string {
	f := &Findings{What: "silver." + t.Name}
	for key, want := range database {
		got := silver[key]
		switch {
		case len(got) == 0:
			f.add("row %q is lost", key)
		case len(got) > 1:
			f.add("row %q is there %d times", key, len(got))
		case t.Sum(got[0]) != t.Sum(want[0]):
			f.add("row %q is altered: %s", key, t.differ(got[0], want[0]))
		}
	}
	for key, got := range silver {
		if _, ok := database[key]; !ok {
			f.add("row %q is a ghost (%d of it, version %d)", key, len(got), tokenOf(t, got[0]))
		}
	}
	return f.All
}

func (t *Table) differ(got, want []Cell) string {
	var out []string
	for i, c := range t.Columns {
		if g, w := alike(c.Affinity(), got[i]), alike(c.Affinity(), want[i]); g != w {
			out = append(out, fmt.Sprintf("%s is %.80q, want %.80q", c.Name, g, w))
		}
	}
	return strings.Join(out, "; ")
}
