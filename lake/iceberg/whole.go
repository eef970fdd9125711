//go:build duckdb_arrow

package iceberg

import (
	"context"
	"fmt"
	"maps"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// Read implements table.Table. It reads file by file as compaction does, so the memory that it takes is bounded
// by a batch and a row group's pages, however large the table is: DuckDB would hold a whole answer.
func (h *handle) Read(ctx context.Context, names []string, each func(arrow.RecordBatch) error) (table.Snapshot, map[string]string, error) {
	st, err := h.refresh(ctx)
	if err != nil {
		return table.Snapshot{}, nil, err
	}
	release := h.store.lease(st, st.meta.CurrentSnapshot())
	defer release()
	files, err := st.fileSet(ctx, h.store)
	if err != nil {
		return table.Snapshot{}, nil, fmt.Errorf("read the files of %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), err))
	}
	cols, err := h.named(st, names)
	if err != nil {
		return table.Snapshot{}, nil, err
	}
	if err := h.readWhole(ctx, st, files, cols, each); err != nil {
		return table.Snapshot{}, nil, err
	}
	return st.snapshot(), maps.Clone(st.props), nil
}

// named finds columns by name.
func (h *handle) named(st *state, names []string) ([]table.Column, error) {
	if len(names) == 0 {
		return nil, fault.New(fault.Invalid, "read no columns of "+h.Ident().String(), "name columns of the table")
	}
	cols := make([]table.Column, len(names))
	for i, name := range names {
		c, ok := find(st.columns, name)
		if !ok {
			return nil, fault.Newf(fault.Invalid, "name columns of the table", "%s has no column %q", h.Ident(), name)
		}
		cols[i] = c
	}
	return cols, nil
}

func (h *handle) readWhole(ctx context.Context, st *state, files *fileSet, cols []table.Column, each func(arrow.RecordBatch) error) error {
	tab := icetable.New(h.name(), st.meta, st.location, fixedIO(h.store.io()), nil)
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	schema := table.ArrowSchema(cols)
	for _, d := range files.live() {
		for batch, err := range h.store.rowsOf(ctx, st, tab, d, files.gone[d.path], icetable.WithSelectedFields(names...)) {
			if err != nil {
				return fmt.Errorf("read %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), suspect(err, d)))
			}
			shaped, err := inShape(batch, schema)
			batch.Release()
			if err != nil {
				return fmt.Errorf("read %s: %w", h.Ident(), err)
			}
			err = each(shaped)
			shaped.Release()
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// inShape is a batch with the columns of a schema, in its order.
func inShape(batch arrow.RecordBatch, schema *arrow.Schema) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		at := batch.Schema().FieldIndices(f.Name)
		if len(at) != 1 || !arrow.TypeEqual(batch.Column(at[0]).DataType(), f.Type) {
			return nil, fault.Newf(fault.Invalid, "leave it out", "column %q has a type that Tarn does not read", f.Name)
		}
		columns[i] = batch.Column(at[0])
	}
	return array.NewRecordBatch(schema, columns, batch.NumRows()), nil
}
