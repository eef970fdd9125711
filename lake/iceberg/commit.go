//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

type iceFS = iceio.IO

// attemptsMax bounds how often a commit is worked out again because somebody else
// committed in between.
const attemptsMax = 5

// errMoved says that the catalog is not where the commit began: a foreign commit.
var errMoved = errors.New("the table has moved on")

// Commit implements table.Table.
func (h *handle) Commit(ctx context.Context, c table.Change) (table.Snapshot, error) {
	c = trimmed(c)
	release, err := h.take(ctx)
	if err != nil {
		return table.Snapshot{}, err
	}
	began := h.store.Clock.Now()
	snap, told, err := h.commit(ctx, c)
	release()
	if err != nil {
		h.store.metrics.failures.Inc()
		return table.Snapshot{}, fmt.Errorf("commit to %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), err))
	}
	h.tell(told, began)
	return snap, nil
}

// tell counts a commit, hands it on and asks upkeep to look at the table; nil is none.
func (h *handle) tell(told *table.Committed, began time.Time) {
	if told == nil {
		return
	}
	told.At = h.store.Clock.Now()
	took := told.At.Sub(began)
	told.Millis = took.Milliseconds()
	h.store.metrics.committed(told, took)
	if h.store.Committed != nil {
		h.store.Committed(*told)
	}
	h.store.upkeep.look(h)
}

// commit holds the turn. told is nil for a change that changed nothing.
func (h *handle) commit(ctx context.Context, c table.Change) (table.Snapshot, *table.Committed, error) {
	for range attemptsMax {
		base, err := h.base(ctx)
		if err != nil {
			return table.Snapshot{}, nil, err
		}
		if err := base.mayWrite(h.Ident(), c.Owner); err != nil {
			return table.Snapshot{}, nil, err
		}
		w := &work{handle: h, base: base, io: h.store.io()}
		snap, told, err := w.run(ctx, c)
		if w.landed != nil || w.doubtful {
			w.takeWritten(c.Written)
		}
		if !errors.Is(err, errMoved) {
			return snap, told, err
		}
		h.store.metrics.conflicts.Inc()
	}
	return table.Snapshot{}, nil, fault.Wrap(table.ErrConflict, fault.Conflict, "somebody else commits all the time", "try again when the other writer has stopped")
}

func (s *state) mayWrite(id table.Ident, owner string) error {
	if err := s.ownedBy("write to "+id.String(), owner); err != nil {
		return err
	}
	return s.canWrite(id)
}

// ownedBy refuses to do what another than the table's owner wants.
func (s *state) ownedBy(what, owner string) error {
	if theirs := s.props[table.PropOwner]; theirs != "" && theirs != owner {
		return fault.Wrap(table.ErrOwned, fault.Denied, what,
			"the table belongs to "+theirs+", which alone writes to it: write to a table of your own, or drop its owner first")
	}
	return nil
}

// ours tells whether the table is of the kind that Tarn writes; others it only reads.
func (s *state) ours() bool { return s.meta.Version() == 2 && s.meta.PartitionSpec().IsUnpartitioned() }

// canWrite refuses a table that is not ours.
func (s *state) canWrite(id table.Ident) error {
	if !s.ours() {
		return fault.New(fault.Invalid, "write to "+id.String(), "Tarn writes unpartitioned tables of Iceberg format 2; this one was made otherwise")
	}
	return nil
}

// trimmed drops batches without rows.
func trimmed(c table.Change) table.Change {
	c.Rows, c.Keys = filled(c.Rows), filled(c.Keys)
	return c
}

// work is one try of a commit on one base.
type work struct {
	handle *handle
	base   *state
	io     *fileIO
	enter  func(ctx context.Context, to string) error // the catalog's transaction of a new table; nil for a table that is there

	landed    *state  // what the catalog took; nil until then
	doubtful  bool    // the catalog could not be asked whether it did
	manifests int     // of the snapshot that is being made
	replaces  bool    // a compaction
	hidden    []int64 // snapshots on the way to the last one, which are not kept
}

func (w *work) run(ctx context.Context, c table.Change) (table.Snapshot, *table.Committed, error) {
	return w.finish(func() (*table.Committed, *fileSet, error) { return w.build(ctx, c) })
}

// finish builds a commit, and afterwards either makes it the table's state or removes its files.
func (w *work) finish(build func() (*table.Committed, *fileSet, error)) (table.Snapshot, *table.Committed, error) {
	told, files, err := build()
	err = w.io.because(err)
	if w.landed == nil {
		if err != nil && !w.doubtful {
			if left := w.io.undo(); left > 0 {
				w.handle.store.Log.Warn("files of a failed commit stay until upkeep", "table", w.handle.Ident().String(), "files", left)
			}
		}
		return w.base.snapshot(), nil, w.refused(err)
	}
	if err != nil { // after the catalog commit only old metadata is removed
		w.handle.store.Log.Warn("clean up after commit", "table", w.handle.Ident().String(), "error", err)
	}
	w.landed.files = files
	w.handle.advance(w.landed)
	return w.landed.snapshot(), told, nil
}

// build writes the files, then the metadata, then moves the catalog. It returns the
// new snapshot's files where those of the base are known.
func (w *work) build(ctx context.Context, c table.Change) (*table.Committed, *fileSet, error) {
	tx := icetable.New(w.handle.name(), w.base.meta, w.base.location, fixedIO(w.io), w).NewTransaction()
	if err := w.evolve(tx, c); err != nil {
		return nil, nil, err
	}
	if err := tx.SetProperties(w.changed(c.Properties)); err != nil {
		return nil, nil, err
	}
	added, err := w.writeRows(ctx, tx, c.Rows)
	if err != nil {
		return nil, nil, err
	}
	written, err := w.filesWritten(c.Written)
	if err != nil {
		return nil, nil, err
	}
	added = append(added, written...)
	hits, err := w.lookUp(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if hits, err = w.takeOut(ctx, hits, c); err != nil {
		return nil, nil, err
	}
	deletes, err := w.writeDeletes(ctx, hits)
	if err != nil {
		return nil, nil, err
	}
	if err := stage(ctx, tx, added, deletes); err != nil {
		return nil, nil, err
	}
	_, err = tx.Commit(ctx)
	if w.landed == nil {
		return nil, nil, err
	}
	return w.told(added, deletes), w.nextFiles(added, deletes, hits), err
}

func stage(ctx context.Context, tx *icetable.Transaction, added []iceberg.DataFile, deletes iceberg.DataFile) error {
	switch {
	case deletes != nil:
		return tx.NewRowDelta(nil).AddRows(added...).AddDeletes(deletes).Commit(ctx)
	case len(added) > 0:
		return tx.AddDataFiles(ctx, added, nil, icetable.WithoutAutoNameMapping(), icetable.WithoutDuplicateCheck())
	}
	return nil
}

// changed keeps the properties that differ from the base's, so that setting what is
// set already is no commit.
func (w *work) changed(props map[string]string) iceberg.Properties {
	out := iceberg.Properties{}
	for k, v := range props {
		if old, ok := w.base.props[k]; !ok || old != v {
			out[k] = v
		}
	}
	return out
}

func (w *work) told(added []iceberg.DataFile, deletes iceberg.DataFile) *table.Committed {
	told := &table.Committed{
		Table: w.handle.Ident(), ID: w.landed.id(), Operation: "properties", AddedFiles: len(added),
		System: w.handle.Ident().Namespace == table.SystemNamespace,
	}
	for _, f := range added {
		told.AddedRows += f.Count()
	}
	if deletes != nil {
		told.DeletedRows = deletes.Count()
		told.AddedFiles++
	}
	if told.AddedFiles > 0 {
		snap := w.landed.meta.CurrentSnapshot()
		told.SnapshotID, told.Operation = snap.SnapshotID, string(snap.Summary.Operation)
	}
	return told
}

func (w *work) nextFiles(added []iceberg.DataFile, deletes iceberg.DataFile, hits map[string]*roaring.Bitmap) *fileSet {
	before := w.base.known()
	if before == nil {
		return nil
	}
	files := make([]dataFile, 0, len(added))
	for _, df := range added {
		path, err := w.io.root.Path(df.FilePath())
		if err != nil {
			return nil // read them from the manifests, which will say what is wrong
		}
		files = append(files, newDataFile(path, df))
	}
	var gone *deleteFile
	if deletes != nil {
		path, err := w.io.root.Path(deletes.FilePath())
		if err != nil {
			return nil
		}
		gone = new(newDeleteFile(path, deletes))
	}
	return before.with(files, gone, hits)
}
