//go:build duckdb_arrow

package iceberg

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var (
	_ catalog.Catalog = (*Store)(nil)
	_ table.Tables    = (*Store)(nil)
)

// Namespaces implements catalog.Catalog.
func (s *Store) Namespaces(ctx context.Context) ([]string, error) { return s.pointer.namespaces(ctx) }

// Entries implements catalog.Catalog.
func (s *Store) Entries(ctx context.Context, namespace string) ([]catalog.Entry, error) {
	return s.pointer.entries(ctx, namespace)
}

// Scan implements catalog.Catalog. Of a table that has not changed it costs one look-up
// in SQLite.
func (s *Store) Scan(ctx context.Context, id table.Ident, at catalog.At) (*catalog.Scan, error) {
	h, st, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	snap, err := st.resolve(id, at)
	if err != nil {
		return nil, err
	}
	release := s.lease(st, snap) // before its files are looked up, which may go with the snapshot
	files, err := s.filesOf(ctx, st, snap)
	if err != nil {
		release()
		return nil, fmt.Errorf("read the files of %s: %w", id, s.damagedBy(id, err))
	}
	scan := &catalog.Scan{
		Ident: id, TableID: st.id(), Comment: st.props["comment"], Columns: st.columnsAt(snap, at),
		Files: files.scanned(), Deletes: files.deletePaths(), PathPrefix: s.root.Prefix(), Only: files.only,
	}
	if snap != nil {
		scan.SnapshotID, scan.CommittedAt = snap.SnapshotID, time.UnixMilli(snap.TimestampMs).UTC()
	}
	s.metrics.scans.Inc()
	s.metrics.leases.Inc()
	scan.Damaged = func(path, what string) error { return s.reportDamage(h.Ident(), path, what) }
	scan.Release = sync.OnceFunc(func() {
		s.metrics.leases.Dec()
		release()
	})
	return scan, nil
}

// filesOf reads the files of a snapshot; those of the current one are kept with the state.
func (s *Store) filesOf(ctx context.Context, st *state, snap *icetable.Snapshot) (*fileSet, error) {
	if snap == nil || snap.SnapshotID == st.snapshotID() {
		return st.fileSet(ctx, s)
	}
	return s.readFiles(ctx, snap)
}

// scanned are the files that a reader reads.
func (f *fileSet) scanned() []catalog.File {
	live := f.live()
	out := make([]catalog.File, len(live))
	for i, d := range live {
		out[i] = f.described(d)
	}
	return out
}

func (f *fileSet) described(d dataFile) catalog.File {
	return catalog.File{Path: d.path, Rows: d.rows, Bytes: d.bytes, Dirty: f.gone[d.path] != nil, NoNaN: d.noNaN}
}

// columnsAt are the columns of a snapshot as it was; without At those of the table as it is,
// which may have more than its last snapshot.
func (s *state) columnsAt(snap *icetable.Snapshot, at catalog.At) []table.Column {
	if at == (catalog.At{}) || snap == nil || snap.SchemaID == nil {
		return slices.Clone(s.columns)
	}
	for _, sc := range s.meta.Schemas() {
		if sc.ID == *snap.SchemaID {
			return columns(sc, s.props)
		}
	}
	return slices.Clone(s.columns)
}

// resolve finds the snapshot of At; nil for the current one of a table without any.
func (s *state) resolve(id table.Ident, at catalog.At) (*icetable.Snapshot, error) {
	var snap *icetable.Snapshot
	var what string
	switch {
	case at.SnapshotID != 0:
		snap, what = s.meta.SnapshotByID(at.SnapshotID), fmt.Sprintf("version %d", at.SnapshotID)
	case at.Ref != "":
		snap, what = s.meta.SnapshotByName(at.Ref), fmt.Sprintf("version %q", at.Ref)
	case !at.Time.IsZero():
		snap, what = s.lastNotAfter(at.Time), "state of "+at.Time.UTC().Format(time.RFC3339Nano)
	default:
		return s.meta.CurrentSnapshot(), nil
	}
	if snap == nil {
		return nil, fault.New(fault.NotFound, id.String()+" has no "+what, s.keptRange())
	}
	return snap, nil
}

// lastNotAfter walks the table's history, which also knows of rollbacks. The history ends
// where snapshots were thinned out; before that it is the snapshots' own times that count.
func (s *state) lastNotAfter(t time.Time) *icetable.Snapshot {
	var found *icetable.Snapshot
	for entry := range s.meta.SnapshotLogs() {
		if entry.TimestampMs > t.UnixMilli() {
			continue
		}
		if snap := s.meta.SnapshotByID(entry.SnapshotID); snap != nil {
			found = snap
		}
	}
	if found != nil {
		return found
	}
	for _, snap := range s.meta.Snapshots() {
		if snap.TimestampMs <= t.UnixMilli() && (found == nil || snap.SequenceNumber > found.SequenceNumber) {
			found = &snap
		}
	}
	return found
}

// keptRange tells which snapshots there are.
func (s *state) keptRange() string {
	snaps := s.meta.Snapshots()
	if len(snaps) == 0 {
		return "the table has no snapshot yet"
	}
	byTime := func(a, b icetable.Snapshot) int { return int(a.TimestampMs - b.TimestampMs) }
	first, last := slices.MinFunc(snaps, byTime), slices.MaxFunc(snaps, byTime)
	stamp := func(x icetable.Snapshot) string {
		return fmt.Sprintf("%s (version %d)", time.UnixMilli(x.TimestampMs).UTC().Format(time.RFC3339Nano), x.SnapshotID)
	}
	text := fmt.Sprintf("%d snapshots are kept, from %s to %s", len(snaps), stamp(first), stamp(last))
	var tags []string
	for name, ref := range s.meta.Refs() {
		if ref.SnapshotRefType == icetable.TagRef {
			tags = append(tags, name)
		}
	}
	if len(tags) > 0 {
		slices.Sort(tags)
		text += "; tags: " + strings.Join(tags, ", ")
	}
	return text
}

// each calls f with the current state of every table; a table that is damaged or gone is passed over.
func (s *Store) each(ctx context.Context, f func(table.Ident, *state) error) error {
	spaces, err := s.pointer.namespaces(ctx)
	if err != nil {
		return err
	}
	for _, ns := range spaces {
		ids, err := s.List(ctx, ns)
		if err != nil {
			return err
		}
		for _, id := range ids {
			_, st, err := s.find(ctx, id)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				continue // Damaged tells of it
			}
			if err := f(id, st); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stats implements catalog.Catalog. It reads files of a table only if it has position deletes, and
// then once: rows are counted less those.
func (s *Store) Stats(ctx context.Context) ([]catalog.Stats, error) {
	var out []catalog.Stats
	err := s.each(ctx, func(id table.Ident, st *state) error {
		snap := st.meta.CurrentSnapshot()
		if total(snap, "total-delete-files") > 0 {
			if _, err := st.fileSet(ctx, s); err != nil {
				s.Log.Warn("rows cannot be counted", "table", id.String(), "error", err)
			}
		}
		now := st.snapshot()
		out = append(out, catalog.Stats{
			Ident: id, ID: st.id(), Rows: now.Rows, SnapshotID: now.ID, CommittedAt: now.CommittedAt,
			Files:       max(total(snap, "total-data-files"), 0),
			Bytes:       max(total(snap, "total-files-size"), 0),
			DeleteFiles: max(total(snap, "total-delete-files"), 0),
			Owner:       st.props[table.PropOwner], Topic: st.props[table.PropTopic],
		})
		return nil
	})
	return out, err
}

// Files implements catalog.Catalog.
func (s *Store) Files(ctx context.Context, only ...table.Ident) ([]catalog.FileStats, error) {
	var out []catalog.FileStats
	err := s.some(ctx, only, func(id table.Ident, st *state) error {
		files, err := st.fileSet(ctx, s)
		if err != nil {
			return s.unread(id, only, err)
		}
		for i, d := range files.data {
			out = append(out, catalog.FileStats{TableID: st.id(), File: files.described(d), Deleted: files.deleted(i)})
		}
		for _, d := range files.deletes {
			out = append(out, catalog.FileStats{TableID: st.id(), File: catalog.File{Path: d.path, Rows: d.rows, Bytes: d.bytes}, Deletes: true})
		}
		return nil
	})
	return out, err
}
