//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/lake/catalog"
	"tarn/lake/table"
)

// What a snapshot's summary has of Tarn's own.
const (
	byKey    = "tarn.by"    // who made it, if not the table's owner
	epochKey = "tarn.epoch" // of the pipeline that made it
)

// some calls f with the named tables, of which each has to be there, or as each with all.
func (s *Store) some(ctx context.Context, only []table.Ident, f func(table.Ident, *state) error) error {
	if len(only) == 0 {
		return s.each(ctx, f)
	}
	for _, id := range only {
		_, st, err := s.find(ctx, id)
		if err != nil {
			return err
		}
		if err := f(id, st); err != nil {
			return err
		}
	}
	return nil
}

// unread is what to make of files of a table that cannot be read: an error if the table was named, or nobody
// waits any more; else it is told as damaged, and passed over.
func (s *Store) unread(id table.Ident, only []table.Ident, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	err = s.damagedBy(id, err)
	s.setDamage(id, err)
	if len(only) > 0 {
		return err
	}
	return nil
}

// Histories implements catalog.Catalog. It reads metadata that is in memory, and the files of a snapshot only where
// deletes have to be counted.
func (s *Store) Histories(ctx context.Context, only ...table.Ident) ([]catalog.History, error) {
	var out []catalog.History
	err := s.some(ctx, only, func(id table.Ident, st *state) error {
		if total(st.meta.CurrentSnapshot(), "total-delete-files") > 0 {
			if _, err := st.fileSet(ctx, s); err != nil {
				if err := s.unread(id, only, err); err != nil {
					return err
				}
			}
		}
		out = append(out, st.history(id))
		return nil
	})
	return out, err
}

func (s *state) history(id table.Ident) catalog.History {
	h := catalog.History{
		Ident: id, ID: s.id(), Owner: s.props[table.PropOwner], Topic: s.props[table.PropTopic], SchemaID: s.meta.CurrentSchema().ID,
	}
	snaps := s.meta.Snapshots()
	newestFirst(snaps)
	slices.Reverse(snaps)
	for i := range snaps {
		h.Snapshots = append(h.Snapshots, s.past(&snaps[i]))
	}
	between(h.Snapshots, snaps)
	s.countBack(h.Snapshots)
	for _, sc := range s.meta.Schemas() {
		h.Schemas = append(h.Schemas, catalog.Schema{ID: sc.ID, At: s.dated(sc.ID, h.Snapshots), Columns: columns(sc, s.props)})
	}
	slices.SortFunc(h.Schemas, func(a, b catalog.Schema) int { return a.ID - b.ID })
	return h
}

// past is a snapshot as its summary tells of it.
func (s *state) past(snap *icetable.Snapshot) catalog.Snapshot {
	out := catalog.Snapshot{
		ID: snap.SnapshotID, CommittedAt: stamp(*snap).UTC(), By: s.props[table.PropOwner], Rows: -1, Current: snap.SnapshotID == s.snapshotID(),
		Files: total(snap, "total-data-files"), DeleteFiles: total(snap, "total-delete-files"), Bytes: total(snap, "total-files-size"),
	}
	if snap.ParentSnapshotID != nil {
		out.ParentID = *snap.ParentSnapshotID
	}
	if snap.SchemaID != nil {
		out.SchemaID = *snap.SchemaID
	}
	for name, ref := range s.meta.Refs() {
		if ref.SnapshotID == snap.SnapshotID && ref.SnapshotRefType == icetable.TagRef {
			out.Tags = append(out.Tags, name)
		}
	}
	slices.Sort(out.Tags)
	if snap.Summary == nil {
		return out
	}
	out.Operation = string(snap.Summary.Operation)
	if by := snap.Summary.Properties[byKey]; by != "" {
		out.By = by
	} else if snap.Summary.Operation == icetable.OpReplace {
		out.By = catalog.ByUpkeep
	}
	out.Epoch, _ = strconv.ParseInt(snap.Summary.Properties[epochKey], 10, 64) // none is no number
	number := func(key string) int64 { return max(total(snap, key), 0) }
	out.AddedFiles = number("added-data-files") + number("added-delete-files")
	out.RemovedFiles = number("deleted-data-files") + number("removed-delete-files")
	if out.By != catalog.ByUpkeep {
		out.AddedRows = number("added-records")
		out.DeletedRows = number("deleted-records") + number("added-position-deletes")
	}
	if total(snap, "total-delete-files") == 0 {
		out.Rows = total(snap, "total-records")
	}
	return out
}

// between counts the snapshots that have been thinned out, by the numbers that they had. A compaction takes two numbers
// where rows were deleted meanwhile, and keeps the second.
func between(list []catalog.Snapshot, snaps []icetable.Snapshot) {
	before := int64(0)
	for i := range list {
		list[i].Thinned = max(snaps[i].SequenceNumber-before-1, 0)
		before = snaps[i].SequenceNumber
		if list[i].By == catalog.ByUpkeep && list[i].Operation != string(icetable.OpReplace) && list[i].Thinned > 0 {
			list[i].Thinned--
		}
	}
}

// countBack fills in how many rows there were where a summary does not know, from the current snapshot back, as long as
// none is missing in between.
func (s *state) countBack(list []catalog.Snapshot) {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Current && list[i].Rows < 0 {
			list[i].Rows = s.liveRows()
		}
		if i == len(list)-1 || list[i].Rows >= 0 {
			continue
		}
		if next := list[i+1]; next.Rows >= 0 && next.Thinned == 0 {
			list[i].Rows = next.Rows - next.AddedRows + next.DeletedRows
		}
	}
}

// dated is when a schema came: as its commit noted, or else as the first snapshot with it says, if the one before had
// another.
func (s *state) dated(id int, list []catalog.Snapshot) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, s.props[table.PropSchema+strconv.Itoa(id)]); err == nil {
		return at.UTC()
	}
	i := slices.IndexFunc(list, func(snap catalog.Snapshot) bool { return snap.SchemaID == id })
	if i < 0 || list[i].Thinned > 0 {
		return time.Time{}
	}
	return list[i].CommittedAt
}

// dates is the update that notes when the schemas came that a commit has added; nil for none.
func dates(base, meta icetable.Metadata, now time.Time) icetable.Update {
	noted := iceberg.Properties{}
	known := base.Schemas()
	for _, sc := range meta.Schemas() {
		if !slices.ContainsFunc(known, func(k *iceberg.Schema) bool { return k.ID == sc.ID }) {
			noted[table.PropSchema+strconv.Itoa(sc.ID)] = now.UTC().Format(time.RFC3339Nano)
		}
	}
	if len(noted) == 0 {
		return nil
	}
	return icetable.NewSetPropertiesUpdate(noted)
}
