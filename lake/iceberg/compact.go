//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// What bounds the memory of a compaction: rows on their way, and rows in a row group, which the
// writer holds until it is full. The latter is also what a reader skips by, in the files of commits too: who looks
// for one row by its key unpacks a whole group. Scans become slower only below half as many.
const (
	batchRowsMax = 8 << 10
	batchRowsMin = 64
	batchBytes   = 2 << 20 // in the file
	rowGroupRows = 32 << 10
)

// batchRows is fewer for wide rows.
func (d dataFile) batchRows() int {
	return int(min(batchRowsMax, max(batchRowsMin, batchBytes*d.rows/max(d.bytes, 1))))
}

// errOvertaken says that a file which was written anew is no longer the table's: somebody else did it.
var errOvertaken = errors.New("the files to compact have changed")

// compact writes a table's small files, and those with deleted rows, anew. It works beside commits and
// takes the committer's turn only to exchange the files.
func (h *handle) compact(ctx context.Context, o catalog.Order) (catalog.Done, error) {
	st, err := h.refresh(ctx)
	if err != nil {
		return catalog.Done{}, err
	}
	files, err := st.fileSet(ctx, h.store)
	if err != nil {
		return catalog.Done{}, err
	}
	small := o.FileBytes
	if small <= 0 {
		small = compactBytes
	}
	return h.runPlan(ctx, st, files, files.compaction(small, max(small, st.targetBytes()), true), o.DryRun)
}

// targetBytes is how large a compacted file becomes.
func (s *state) targetBytes() int64 {
	if s.props[propKeys] != "" {
		return targetBytesKeyed
	}
	return targetBytes
}

// runPlan does a plan bin by bin. What was done before an error stays done.
func (h *handle) runPlan(ctx context.Context, st *state, files *fileSet, p plan, dry bool) (catalog.Done, error) {
	var all catalog.Done
	release := h.store.lease(st, st.meta.CurrentSnapshot())
	defer release()
	if dry && len(p.bins) > 0 {
		all.FilesRemoved = int64(len(files.deletes))
	}
	for _, bin := range p.bins {
		r := &rewrite{handle: h, base: st, files: files, sources: bin, io: h.store.io()}
		done := r.estimate()
		if !dry {
			err := h.store.room(done.BytesAdded)
			if err == nil {
				done, err = r.run(ctx)
			}
			if errors.Is(err, errOvertaken) {
				continue
			}
			if err != nil {
				return all, fmt.Errorf("compact %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), suspect(err, bin...)))
			}
		}
		all.FilesRemoved += done.FilesRemoved
		all.FilesAdded += done.FilesAdded
		all.BytesRemoved += done.BytesRemoved
		all.BytesAdded += done.BytesAdded
		all.DeletesApplied += done.DeletesApplied
	}
	return all, nil
}

// rewrite is one bin on its way: sources are data files of base that become one file of their live
// rows, in their order. So the new place of a row is known from its old one, and what is deleted in the
// meantime can be carried over without a look at its key.
type rewrite struct {
	handle  *handle
	base    *state
	files   *fileSet // of base
	sources []dataFile
	io      *fileIO // of the new file

	added       iceberg.DataFile // nil if no row is alive
	deletesGone int              // how many fewer delete files there are
}

// estimate tells what the rewrite would do.
func (r *rewrite) estimate() catalog.Done {
	done := catalog.Done{FilesRemoved: int64(len(r.sources))}
	var live int64
	for i, d := range r.files.data {
		for _, s := range r.sources {
			if s.path == d.path {
				done.BytesRemoved += d.bytes
				done.BytesAdded += r.files.liveBytes(i)
				done.DeletesApplied += r.files.deleted(i)
				live += d.rows - r.files.deleted(i)
			}
		}
	}
	if live > 0 {
		done.FilesAdded = 1
	}
	return done
}

// run writes the new file and exchanges it for the old ones.
func (r *rewrite) run(ctx context.Context) (catalog.Done, error) {
	if err := r.write(ctx); err != nil {
		err = r.io.because(err)
		r.io.undo()
		return catalog.Done{}, err
	}
	fault.Point("lake.rewritten")
	doubtful, err := r.handle.exchange(ctx, r)
	if err != nil {
		if !doubtful {
			r.io.undo()
		}
		return catalog.Done{}, err
	}
	done := r.estimate()
	done.FilesRemoved += int64(r.deletesGone)
	done.BytesAdded = 0
	if r.added != nil {
		done.BytesAdded = r.added.FileSizeBytes()
	}
	return done, nil
}

// write writes the live rows of the sources into one file, in order.
func (r *rewrite) write(ctx context.Context) error {
	var want int64
	for _, d := range r.sources {
		want += d.rows - cardinality(r.files.gone[d.path])
	}
	if want == 0 {
		return nil
	}
	w := &work{handle: r.handle, base: r.base, io: r.io}
	meta, err := unsorted(r.base)
	if err != nil {
		return err
	}
	tab := icetable.New(r.handle.name(), meta, r.base.location, fixedIO(r.io), nil)
	schema, err := icetable.SchemaToArrowSchema(r.base.meta.CurrentSchema(), nil, true, false)
	if err != nil {
		return err
	}
	nans := nansOf(schema)
	const oneFile = 1 << 50 // bytes: the bin is what bounds it
	for df, err := range icetable.WriteRecords(ctx, tab, schema, nans.in(r.rows(ctx, tab, schema)), icetable.WithMaxWriteWorkers(1),
		icetable.WithTargetFileSize(oneFile), icetable.WithParquetRowGroupLimit(rowGroupRows), icetable.WithRecordBatchBufferSize(2)) {
		if err != nil {
			return err
		}
		if r.added != nil || df.Count() != want {
			return fault.Newf(fault.Internal, "this is a defect of Tarn: please report it", "compaction made %d rows of %d", df.Count(), want)
		}
		if r.added, err = w.verbatim(df, nans); err != nil {
			return err
		}
	}
	if r.added == nil {
		return fault.Newf(fault.Internal, "this is a defect of Tarn: please report it", "compaction made no file of %d rows", want)
	}
	return nil
}

// unsorted is the metadata without the order that another engine may have given a table: the library would
// sort each batch by it, and a row's place would no longer follow from its old one.
func unsorted(st *state) (icetable.Metadata, error) {
	st, err := st.base()
	if err != nil {
		return nil, err
	}
	none := icetable.UnsortedSortOrder
	return icetable.UpdateTableMetadata(st.meta, []icetable.Update{
		icetable.NewAddSortOrderUpdate(&none), icetable.NewSetDefaultSortOrderUpdate(icetable.UnsortedSortOrderID),
	}, st.location)
}

// fits tells whether the new file can be the table's as it is now: the same one, with columns of the
// same types or wider ones.
func (r *rewrite) fits(now *state) bool {
	for _, c := range r.base.columns {
		i := slices.IndexFunc(now.columns, func(n table.Column) bool { return n.ID == c.ID })
		if i >= 0 && !table.Wider(c.Type, now.columns[i].Type) {
			return false
		}
	}
	return now.id() == r.base.id()
}

// rows yields the live rows of the sources.
func (r *rewrite) rows(ctx context.Context, tab *icetable.Table, schema *arrow.Schema) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for _, d := range r.sources {
			if cardinality(r.files.gone[d.path]) == d.rows {
				continue
			}
			for batch, err := range r.source(ctx, tab, schema, d) {
				if !yield(batch, err) || err != nil {
					return
				}
			}
		}
	}
}

// source yields the live rows of one data file, in the columns that the table has now.
func (r *rewrite) source(ctx context.Context, tab *icetable.Table, schema *arrow.Schema, d dataFile) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for live, err := range r.handle.store.rowsOf(ctx, r.base, tab, d, r.files.gone[d.path]) {
			if err == nil && !live.Schema().Equal(schema) {
				named := array.NewRecordBatch(schema, live.Columns(), live.NumRows())
				live.Release()
				live = named
			}
			if !yield(live, err) || err != nil {
				return
			}
		}
	}
}

// rowsOf yields the rows of a state's data file but those that are gone, in their order. Whoever
// takes a batch releases it.
func (s *Store) rowsOf(ctx context.Context, st *state, tab *icetable.Table, d dataFile, gone *roaring.Bitmap, o ...icetable.ScanOption) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		df, err := s.described(st, d)
		if err != nil {
			yield(nil, err)
			return
		}
		scan := tab.Scan(append(o, icetable.WithMaxConcurrency(1), icetable.WithArrowBatchSize(d.batchRows()))...)
		defer func() { _ = scan.Close() }()
		_, batches, err := scan.ReadTasks(ctx, []icetable.FileScanTask{{File: df, Length: d.bytes}})
		if err != nil {
			yield(nil, fmt.Errorf("read %s: %w", d.path, err))
			return
		}
		var at int64
		for batch, err := range batches {
			if err != nil {
				yield(nil, fmt.Errorf("read %s: %w", d.path, err))
				return
			}
			first := at
			at += batch.NumRows()
			live, err := without(ctx, batch, gone, first)
			batch.Release()
			if err == nil && live.NumRows() == 0 {
				live.Release()
				continue
			}
			if !yield(live, err) || err != nil {
				return
			}
		}
		if at != d.rows {
			yield(nil, fault.Newf(fault.Damaged, "put the file back from a backup, or roll the table back with tarn repair",
				"%s has %d rows, and its manifest says %d", d.path, at, d.rows))
		}
	}
}

// without leaves the deleted rows of a batch out, whose first row is at position first of its file.
func without(ctx context.Context, batch arrow.RecordBatch, gone *roaring.Bitmap, first int64) (arrow.RecordBatch, error) {
	n := batch.NumRows()
	if gone == nil || !gone.IntersectsWithInterval(uint64(first), uint64(first+n)) { //nolint:gosec // positions are not negative
		batch.Retain()
		return batch, nil
	}
	return only(ctx, batch, func(i int64) bool { return !gone.Contains(uint32(first + i)) }) //nolint:gosec // below rowsPerFileMax
}

// only keeps the rows of a batch that keep says, by their place in it.
func only(ctx context.Context, batch arrow.RecordBatch, keep func(i int64) bool) (arrow.RecordBatch, error) {
	b := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(batch.NumRows()))
	for i := range batch.NumRows() {
		b.UnsafeAppend(keep(i))
	}
	mask := b.NewArray()
	defer mask.Release()
	return compute.FilterRecordBatch(ctx, batch, mask, compute.DefaultFilterOptions())
}

// carried tells which rows of the new file have been deleted since base: positions in it. It is
// errOvertaken if a source is no longer the table's.
func (r *rewrite) carried(now *fileSet) (*roaring.Bitmap, error) {
	there := map[string]int64{}
	for _, d := range now.data {
		there[d.path] = d.rows
	}
	out := roaring.New()
	var offset uint32
	for _, d := range r.sources {
		if rows, ok := there[d.path]; !ok || rows != d.rows {
			return nil, errOvertaken
		}
		before, after := r.files.gone[d.path], now.gone[d.path]
		if before != nil && (after == nil || before.AndCardinality(after) != before.GetCardinality()) {
			return nil, errOvertaken // a rollback brought rows back
		}
		if after != nil {
			fresh := after.Clone()
			if before != nil {
				fresh.AndNot(before)
			}
			for at := fresh.Iterator(); at.HasNext(); {
				pos := at.Next()
				place := offset + pos
				if before != nil {
					place -= uint32(before.Rank(pos)) //nolint:gosec // at most pos
				}
				out.Add(place)
			}
		}
		offset += uint32(d.rows - cardinality(before)) //nolint:gosec // below rowsPerFileMax
	}
	return out, nil
}

func cardinality(b *roaring.Bitmap) int64 {
	if b == nil {
		return 0
	}
	return int64(b.GetCardinality()) //nolint:gosec // below 2^32
}
