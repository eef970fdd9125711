//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/lake/table"
)

// exchange commits a rewrite in the committer's turn. doubtful tells that it may have gone through
// in spite of the error.
func (h *handle) exchange(ctx context.Context, r *rewrite) (doubtful bool, err error) {
	release, err := h.take(ctx)
	if err != nil {
		return false, err
	}
	began := h.store.Clock.Now()
	told, doubtful, err := h.tryExchange(ctx, r)
	release()
	if err != nil {
		return doubtful, err
	}
	h.tell(told, began)
	return false, nil
}

func (h *handle) tryExchange(ctx context.Context, r *rewrite) (*table.Committed, bool, error) {
	for range attemptsMax {
		base, err := h.base(ctx)
		if err != nil {
			return nil, false, err
		}
		if err := base.canWrite(h.Ident()); err != nil {
			return nil, false, err
		}
		w := &work{handle: h, base: base, io: h.store.io(), replaces: true}
		_, told, err := w.finish(func() (*table.Committed, *fileSet, error) { return w.replace(ctx, r) })
		if !errors.Is(err, errMoved) {
			return told, w.doubtful, err
		}
		h.store.metrics.conflicts.Inc()
	}
	return nil, false, errOvertaken
}

// replace exchanges files: the sources for the new one, and all delete files for one that names the
// rows deleted in the files that stay. What was deleted in the sources since base goes into a second
// snapshot of the same commit, for deletes that came with the new file would be older than it and do
// nothing (rule 10). The first of the two, in which those rows are back, is not kept.
func (w *work) replace(ctx context.Context, r *rewrite) (*table.Committed, *fileSet, error) {
	files, err := w.base.fileSet(ctx, w.handle.store)
	if err != nil {
		return nil, nil, err
	}
	carried, err := r.carried(files)
	if err != nil {
		return nil, nil, err
	}
	if !r.fits(w.base) {
		return nil, nil, errOvertaken
	}
	stays := files.less(r.sources)
	remaining, err := w.writeDeletes(ctx, stays.gone)
	if err != nil {
		return nil, nil, err
	}
	tx := icetable.New(w.handle.name(), w.base.meta, w.base.location, fixedIO(w.io), w).NewTransaction()
	rewrite := tx.NewRewrite(nil)
	if err := w.exchanged(rewrite, r, files, remaining); err != nil {
		return nil, nil, err
	}
	if err := rewrite.Commit(ctx); err != nil {
		return nil, nil, err
	}
	next := stays
	if remaining != nil {
		next.deletes = []deleteFile{newDeleteFile(w.path(remaining), remaining)}
	}
	told := &table.Committed{Table: w.handle.Ident(), Operation: string(icetable.OpReplace), System: w.handle.Ident().Namespace == table.SystemNamespace}
	if r.added != nil {
		told.AddedFiles = 1
		added := newDataFile(w.path(r.added), r.added)
		next.data = append(next.data, added)
		if !carried.IsEmpty() {
			hits := map[string]*roaring.Bitmap{added.path: carried}
			deletes, err := w.carry(ctx, tx, hits)
			if err != nil {
				return nil, nil, err
			}
			next = next.with(nil, new(newDeleteFile(w.path(deletes), deletes)), hits)
		}
	}
	if _, err = tx.Commit(ctx); w.landed == nil {
		return nil, nil, err
	}
	w.handle.store.sweeper.wrote(w.landed.id(), r.io.made)
	r.deletesGone = len(files.deletes) - len(next.deletes)
	told.ID, told.SnapshotID = w.landed.id(), w.landed.snapshotID()
	return told, next, err
}

// exchanged stages what goes and what comes.
func (w *work) exchanged(rewrite *icetable.RewriteFiles, r *rewrite, files *fileSet, remaining iceberg.DataFile) error {
	for _, d := range r.sources {
		df, err := w.handle.store.described(w.base, d)
		if err != nil {
			return err
		}
		rewrite.DeleteFile(df)
	}
	for _, d := range files.deletes { // the library looks up all but the name
		b, err := iceberg.NewDataFileBuilder(w.base.meta.PartitionSpec(), iceberg.EntryContentPosDeletes, w.io.root.URI(d.path),
			iceberg.ParquetFile, nil, nil, nil, 1, 1)
		if err != nil {
			return err
		}
		rewrite.DeleteFile(b.Build())
	}
	if r.added != nil {
		rewrite.AddDataFile(r.added)
	}
	if remaining != nil {
		rewrite.AddDeleteFile(remaining)
	}
	return nil
}

// carry stages the deletes of a new file as a snapshot behind the one that brings the file.
func (w *work) carry(ctx context.Context, tx *icetable.Transaction, hits map[string]*roaring.Bitmap) (iceberg.DataFile, error) {
	staged, err := tx.StagedTable()
	if err != nil {
		return nil, err
	}
	w.hidden = []int64{staged.CurrentSnapshot().SnapshotID}
	deletes, err := w.writeDeletes(ctx, hits)
	if err != nil {
		return nil, err
	}
	return deletes, tx.NewRowDelta(nil).AddDeletes(deletes).Commit(ctx)
}

// less is the set without some data files, and without delete files: gone has what is left of them.
func (f *fileSet) less(sources []dataFile) *fileSet {
	out := &fileSet{gone: map[string]*roaring.Bitmap{}}
	leave := map[string]bool{}
	for _, d := range sources {
		leave[d.path] = true
	}
	for _, d := range f.data {
		if leave[d.path] {
			continue
		}
		out.data = append(out.data, d)
		if gone := f.gone[d.path]; gone != nil {
			out.gone[d.path] = gone
		}
	}
	return out
}

// described is a data file as the library knows one, without its statistics.
func (s *Store) described(st *state, d dataFile) (iceberg.DataFile, error) {
	b, err := iceberg.NewDataFileBuilder(st.meta.PartitionSpec(), iceberg.EntryContentData, s.root.URI(d.path),
		iceberg.ParquetFile, nil, nil, nil, d.rows, d.bytes)
	if err != nil {
		return nil, err
	}
	return b.Build(), nil
}

// path is the native path of a file that this work has just written.
func (w *work) path(df iceberg.DataFile) string {
	path, err := w.io.root.Path(df.FilePath())
	if err != nil { // its name was made by root.URI
		panic(err)
	}
	return path
}
