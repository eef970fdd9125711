package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Version is a row as an event tells it.
type Version struct {
	Key   string
	Token int64
	Sum   string
}

// Landed is one row of a bronze table.
type Landed struct {
	Offset        int64
	Op            string // "" for a tombstone
	Before, After *Version
}

// Bronze reads a table's whole bronze, in the order of the log.
func (p *Process) Bronze(ctx context.Context, prefix string, t *Table) (out []Landed, err error) {
	text := fmt.Sprintf("SELECT _offset, _op, before, after FROM bronze.%s_main_%s", prefix, t.Name)
	err = p.Arrow(ctx, text, func(b arrow.RecordBatch) error {
		at := func(column, row int) (string, error) {
			c, err := arrowCell(b.Column(column), row)
			if c == Null {
				return "", err
			}
			return string(c[2:]), err // without its "t:" or "b:"
		}
		for i := range int(b.NumRows()) {
			offset, ok := b.Column(0).(*array.Int64)
			if !ok {
				return fmt.Errorf("_offset is %s", b.Column(0).DataType())
			}
			l := Landed{Offset: offset.Value(i)}
			if l.Op, err = at(1, i); err != nil {
				return err
			}
			for column, into := range map[int]**Version{2: &l.Before, 3: &l.After} {
				text, err := at(column, i)
				if err != nil {
					return err
				}
				if *into, err = t.version(text); err != nil {
					return fmt.Errorf("bronze of %s, offset %d: %w", t.Name, l.Offset, err)
				}
			}
			out = append(out, l)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b Landed) int { return int(a.Offset - b.Offset) })
	return out, err
}

// version reads a row object of an envelope; nil for null.
func (t *Table) version(text string) (*Version, error) {
	if text == "" || text == "null" {
		return nil, nil
	}
	in := json.NewDecoder(bytes.NewReader([]byte(text)))
	in.UseNumber()
	var object map[string]any
	if err := in.Decode(&object); err != nil {
		return nil, fmt.Errorf("row %.200q: %w", text, err)
	}
	extra := map[string]misfit{}
	if e, ok := object["_extra"]; ok {
		again, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		if extra, err = misfits(string(again)); err != nil {
			return nil, err
		}
		delete(object, "_extra")
	}
	if len(object) != len(t.Columns) {
		return nil, fmt.Errorf("row has %d columns, want %d: %.200s", len(object), len(t.Columns), text)
	}
	row := make([]Cell, len(t.Columns))
	for i, c := range t.Columns {
		v, ok := object[c.Name]
		if !ok {
			return nil, fmt.Errorf("row lacks %s: %.200s", c.Name, text)
		}
		var err error
		if row[i], err = jsonCell(c.Affinity(), v); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if m, odd := extra[c.Name]; odd {
			if row[i] != Null {
				return nil, fmt.Errorf("%s has a value and an entry in _extra: %.200s", c.Name, text)
			}
			if row[i], err = m.cell(); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	return &Version{Key: t.Key(row), Token: tokenOf(t, row), Sum: t.Sum(row)}, nil
}
