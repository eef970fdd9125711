//go:build duckdb_arrow

package iceberg

import (
	"slices"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// evolve stages new columns, wider types, columns that go, have other names or may be null, and what they are about. What the table has already is passed
// over, so that a change can be sent again after a crash.
func (w *work) evolve(tx *icetable.Transaction, c table.Change) error {
	update := tx.UpdateSchema(true, false)
	changed := false
	for _, col := range c.AddColumns {
		if have, ok := find(w.base.columns, col.Name); ok {
			if !table.Wider(col.Type, have.Type) {
				return w.misfit(have, col.Type)
			}
			continue
		}
		t, err := icebergType(col.Type)
		if err != nil {
			return err
		}
		update.AddColumn([]string{col.Name}, t, col.Doc, false, nil)
		changed = true
	}
	for name, to := range c.Widen {
		have, ok := find(w.base.columns, name)
		if !ok {
			return fault.Newf(fault.Invalid, "name a column of the table", "widen column %q of %s, which has none", name, w.handle.Ident())
		}
		if table.Wider(to, have.Type) {
			continue
		}
		if !table.Wider(have.Type, to) {
			return w.misfit(have, to)
		}
		t, err := icebergType(to)
		if err != nil {
			return err
		}
		update.UpdateColumn([]string{name}, icetable.ColumnUpdate{FieldType: iceberg.Optional[iceberg.Type]{Val: t, Valid: true}})
		changed = true
	}
	for _, name := range c.Relax {
		have, ok := find(w.base.columns, name)
		if !ok {
			return fault.Newf(fault.Invalid, "name a column of the table", "let column %q of %s be null, which has none", name, w.handle.Ident())
		}
		if !have.Required {
			continue
		}
		update.UpdateColumn([]string{name}, icetable.ColumnUpdate{Required: iceberg.Optional[bool]{Val: false, Valid: true}})
		if have.Key {
			update.SetIdentifierField(nil) // which are required ones
		}
		changed = true
	}
	if w.shed(update, c) {
		changed = true
	}
	told, err := w.documented(update, c.Docs)
	if err != nil || !changed && !told {
		return err
	}
	return update.Commit()
}

// shed stages columns that go, and others' new names; false where none is there.
func (w *work) shed(update *icetable.UpdateSchema, c table.Change) (changed bool) {
	for _, name := range c.Drop {
		if _, ok := find(w.base.columns, name); ok {
			update.DeleteColumn([]string{name})
			changed = true
		}
	}
	for name, to := range c.Rename {
		if _, ok := find(w.base.columns, name); ok {
			update.RenameColumn([]string{name}, to)
			changed = true
		}
	}
	return changed
}

// documented stages what columns are about; false where they say so already.
func (w *work) documented(update *icetable.UpdateSchema, docs map[string]string) (changed bool, _ error) {
	for name, doc := range docs {
		have, ok := find(w.base.columns, name)
		if !ok {
			return false, fault.Newf(fault.Invalid, "name a column of the table", "say what column %q of %s is about, which has none", name, w.handle.Ident())
		}
		if have.Doc != doc {
			update.UpdateColumn([]string{name}, icetable.ColumnUpdate{Doc: iceberg.Optional[string]{Val: doc, Valid: true}})
			changed = true
		}
	}
	return changed, nil
}

func (w *work) misfit(have table.Column, want record.Type) error {
	return fault.Newf(fault.Invalid, "an int becomes a long, a float a double, a decimal one of more digits and the same scale; anything else needs a column of another name",
		"column %q of %s is %s and cannot become %s", have.Name, w.handle.Ident(), have.Type, want)
}

func find(cols []table.Column, name string) (table.Column, bool) {
	i := slices.IndexFunc(cols, func(c table.Column) bool { return c.Name == name })
	if i < 0 {
		return table.Column{}, false
	}
	return cols[i], true
}
