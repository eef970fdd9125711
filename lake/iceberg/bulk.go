//go:build duckdb_arrow

package iceberg

import (
	"context"
	"iter"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// What one Write holds of rows that are not in a file yet: the writer keeps a row group until it is full, so a file
// ends after so many bytes of rows. That is a share of the lake's memory, between the two.
const (
	bulkShare    = 8
	bulkBytesMin = 8 << 20
	bulkBytesMax = 64 << 20
)

// bulkFiles are the files of one Write.
type bulkFiles struct {
	store *Store
	io    *fileIO
	files []iceberg.DataFile
	rows  int64
	named bool // by a commit, or perhaps by one
}

var _ table.Written = (*bulkFiles)(nil)

// Rows implements table.Written.
func (f *bulkFiles) Rows() int64 { return f.rows }

// Discard implements table.Written.
func (f *bulkFiles) Discard() {
	if !f.named {
		f.io.undo()
	}
}

// Write implements table.Table. It takes no turn: commits go on beside it.
func (h *handle) Write(ctx context.Context, rows iter.Seq2[arrow.RecordBatch, error]) (table.Written, error) {
	base, err := h.base(ctx)
	if err != nil {
		return nil, err
	}
	if err := base.canWrite(h.Ident()); err != nil {
		return nil, err
	}
	w := &work{handle: h, base: base, io: h.store.io()}
	files, err := w.bulk(ctx, rows)
	if err != nil {
		w.io.undo()
		return nil, err
	}
	return files, nil
}

// bulk writes rows of any number as files that nothing names yet. What it wrote before an error is the caller's to undo.
func (w *work) bulk(ctx context.Context, rows iter.Seq2[arrow.RecordBatch, error]) (*bulkFiles, error) {
	out := &bulkFiles{store: w.handle.store, io: w.io}
	meta, err := unsorted(w.base)
	if err != nil {
		return nil, err
	}
	w = &work{handle: w.handle, base: &state{location: w.base.location, meta: meta, columns: w.base.columns, props: w.base.props}, io: w.io}
	tab, err := w.quick(meta, true)
	if err != nil {
		return nil, err
	}
	next, stop := iter.Pull2(rows)
	defer stop()
	most := max(bulkBytesMin, min(bulkBytesMax, w.handle.store.MemoryBytes/bulkShare))
	schema := table.ArrowSchema(w.base.columns)
	for more := true; more; {
		nans := nansOf(schema)
		part := nans.in(w.part(next, schema, most, &more))
		for df, err := range icetable.WriteRecords(ctx, tab, schema, part, icetable.WithMaxWriteWorkers(1),
			icetable.WithParquetRowGroupLimit(rowGroupRows), icetable.WithRecordBatchBufferSize(2)) {
			if err != nil {
				return nil, w.io.because(err)
			}
			if df, err = w.verbatim(df, nans); err != nil {
				return nil, err
			}
			out.files = append(out.files, df)
			out.rows += df.Count()
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// part yields rows of one file. more is false when there are no others.
func (w *work) part(next func() (arrow.RecordBatch, error, bool), schema *arrow.Schema, most int64, more *bool) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for bytes := int64(0); bytes < most; {
			b, err, ok := next()
			if !ok {
				*more = false
				return
			}
			if err == nil && b.NumRows() > 0 {
				err = w.handle.store.takesRows()
			}
			if err == nil {
				err = w.fit(schema, b)
			}
			if err != nil {
				*more = false
				yield(nil, err)
				return
			}
			if b.NumRows() == 0 {
				continue
			}
			bytes += rowBytes(b)
			if !yield(array.NewRecordBatch(schema, b.Columns(), b.NumRows()), nil) {
				*more = false
				return
			}
		}
	}
}

// takesRows refuses rows while the disk is at its reserve, as doors do. What writes none, such as a DELETE, goes on down to where no file
// is begun any more: it makes room.
func (s *Store) takesRows() error {
	if s.DiskReserve == 0 {
		return nil
	}
	free, err := s.Disk.Free(s.root.Dir())
	if err == nil && free < s.DiskReserve {
		err = fault.Newf(fault.NoSpace, "free some disk space or lower disk.reserve, and send the statement again", "the lake takes no rows: %d MB are free, disk.reserve is %d MB", free>>20, s.DiskReserve>>20)
	}
	return err
}

// fit refuses rows that have not the table's columns, in their order. Of those that say which column they are of, as ArrowSchema has it, the types
// alone do not tell: one that has gone may have let the next of its type into its place.
func (w *work) fit(schema *arrow.Schema, b arrow.RecordBatch) error {
	same := int(b.NumCols()) == schema.NumFields()
	for i := 0; same && i < schema.NumFields(); i++ {
		want, told := schema.Field(i), b.Schema().Field(i)
		id, _ := want.Metadata.GetValue(table.FieldIDKey)
		of, says := told.Metadata.GetValue(table.FieldIDKey)
		same = arrow.TypeEqual(want.Type, b.Column(i).DataType()) && (!says || of == id)
	}
	if !same {
		return fault.Newf(fault.Conflict, "try again", "the columns of %s have changed", w.handle.Ident())
	}
	if err := w.required(w.base.columns, []arrow.RecordBatch{b}); err != nil {
		return err
	}
	return w.short(w.base.columns, []arrow.RecordBatch{b})
}

// takeWritten makes files those of a snapshot: nobody removes them any more.
func (w *work) takeWritten(all []table.Written) {
	for _, f := range all {
		if own, ok := f.(*bulkFiles); ok {
			own.named = true
			if w.landed != nil {
				own.store.sweeper.wrote(w.landed.id(), own.io.made)
			}
		}
	}
}

// filesWritten are those of Write that a commit names.
func (w *work) filesWritten(all []table.Written) (out []iceberg.DataFile, _ error) {
	for _, f := range all {
		own, ok := f.(*bulkFiles)
		if !ok || own.named || own.store != w.handle.store {
			return nil, fault.New(fault.Internal, "rows are committed that the lake has not written", "this is a defect of Tarn: please report it")
		}
		out = append(out, own.files...)
	}
	return out, nil
}

// takeOut adds the rows that a change names by their places, which are those of one snapshot.
func (w *work) takeOut(ctx context.Context, hits map[string]*roaring.Bitmap, c table.Change) (map[string]*roaring.Bitmap, error) {
	if c.Of == nil {
		return hits, nil
	}
	if w.base.snapshotID() != *c.Of {
		return nil, fault.Wrap(table.ErrConflict, fault.Conflict, w.handle.Ident().String()+" has changed meanwhile", "send the statement again")
	}
	if len(c.Gone) == 0 {
		return hits, nil
	}
	files, err := w.base.fileSet(ctx, w.handle.store)
	if err != nil {
		return nil, err
	}
	if hits == nil {
		hits = map[string]*roaring.Bitmap{}
	}
	rows := make(map[string]int64, len(files.data))
	for _, d := range files.data {
		rows[d.path] = d.rows
	}
	for path, positions := range c.Gone {
		if !positions.IsEmpty() && int64(positions.Maximum()) >= rows[path] {
			return nil, fault.Newf(fault.Internal, "this is a defect of Tarn: please report it", "a change of %s takes out a row that no file of it has", w.handle.Ident())
		}
		if gone := files.gone[path]; gone != nil {
			positions = roaring.AndNot(positions, gone)
		}
		if positions.IsEmpty() {
			continue
		}
		if old := hits[path]; old != nil {
			positions = roaring.Or(old, positions)
		}
		hits[path] = positions
	}
	return hits, nil
}
