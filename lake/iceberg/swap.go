//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// work is the catalog that the library commits to: it compares with the very state that
// the commit was built on, where catalog/sql would read the metadata once more and
// replay a stale change on top of a foreign one.
var _ icetable.CatalogIO = (*work)(nil)

// LoadTable implements icetable.CatalogIO; the library asks only in order to replay.
func (w *work) LoadTable(context.Context, icetable.Identifier) (*icetable.Table, error) {
	return nil, errMoved
}

// CommitTable implements icetable.CatalogIO: metadata first, then the pointer to it.
func (w *work) CommitTable(ctx context.Context, _ icetable.Identifier, reqs []icetable.Requirement, updates []icetable.Update) (icetable.Metadata, string, error) {
	meta, location, err := w.prepare(ctx, reqs, updates)
	if err != nil {
		return nil, "", err
	}
	fault.Point("lake.written")
	if err := w.swap(ctx, location); err != nil {
		return nil, "", err
	}
	w.land(location, meta)
	fault.Point("lake.committed")
	return meta, location, nil
}

// land notes that the catalog has taken metadata.
func (w *work) land(location string, meta icetable.Metadata) {
	w.landed = newState(location, meta)
	w.landed.manifests = w.manifests
	w.handle.store.sweeper.wrote(w.landed.id(), w.io.made)
}

// prepare writes metadata that the catalog does not name yet.
func (w *work) prepare(ctx context.Context, reqs []icetable.Requirement, updates []icetable.Update) (icetable.Metadata, string, error) {
	for _, r := range reqs {
		if err := r.Validate(w.base.meta); err != nil {
			return nil, "", err
		}
	}
	if old := append(w.handle.store.thinned(w.base.meta, snapshotsMax), w.hidden...); len(old) > 0 {
		updates = append(updates, icetable.NewRemoveSnapshotsUpdate(old, false))
	}
	if _, mapped := w.base.props[icetable.DefaultNameMappingKey]; w.replaces && !mapped {
		// The library writes one with each rewrite, which would be wrong after the next new column.
		updates = append(updates, icetable.NewRemovePropertiesUpdate([]string{icetable.DefaultNameMappingKey}))
	}
	by := ""
	if w.replaces {
		by = catalog.ByUpkeep
	}
	updates = noted(w.base.meta, updates, w.handle.store.steady.Mark(), by)
	meta, err := icetable.UpdateTableMetadata(w.base.meta, updates, w.base.location)
	if err != nil {
		return nil, "", err
	}
	if dated := dates(w.base.meta, meta, w.handle.store.Clock.Now()); dated != nil {
		updates = append(updates, dated)
		if meta, err = icetable.UpdateTableMetadata(w.base.meta, updates, w.base.location); err != nil {
			return nil, "", err
		}
	}
	shorter, err := w.mergeManifests(meta, updates)
	if err == nil && shorter != nil {
		meta, err = icetable.UpdateTableMetadata(w.base.meta, shorter, w.base.location)
	}
	if err != nil {
		return nil, "", err
	}
	location := nextMetadata(meta.Location(), w.base.location)
	content, err := json.Marshal(meta)
	if err != nil {
		return nil, "", err
	}
	if err := w.io.WriteFile(location, content); err != nil {
		return nil, "", fmt.Errorf("write metadata: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	return meta, location, nil
}

// noted is the updates with, in each snapshot, the mark of when it is made, by whom if not by the owner, the epoch of
// its pipeline, and how far its rows go in the log. The table's property counts (rule 8); this is for whoever looks
// at the snapshot, or goes back to it. The snapshots are copies: the library's own point into its transaction, which
// metadata in memory would keep, and through it all states before.
func noted(base icetable.Metadata, updates []icetable.Update, mark, by string) []icetable.Update {
	facts := offsetsIn(base.Properties())
	for key, value := range map[string]string{markKey: mark, byKey: by} {
		if value != "" {
			facts[key] = value
		}
	}
	set, add := icetable.NewSetPropertiesUpdate(nil), icetable.NewAddSnapshotUpdate(nil)
	for _, u := range updates {
		if s, ok := as(u, set); ok {
			maps.Copy(facts, offsetsIn(s.Updates))
			for key, value := range s.Updates {
				if strings.HasPrefix(key, table.PropEpoch) {
					facts[epochKey] = value
				}
			}
		}
	}
	out := slices.Clone(updates)
	for i, u := range updates {
		if a, ok := as(u, add); ok {
			snap := copied(*a.Snapshot)
			if snap.Summary != nil {
				maps.Copy(snap.Summary.Properties, facts)
			}
			out[i] = icetable.NewAddSnapshotUpdate(&snap)
		}
	}
	return out
}

// copied is a snapshot of format 2 that shares nothing with another one.
func copied(s icetable.Snapshot) icetable.Snapshot {
	if s.ParentSnapshotID != nil {
		s.ParentSnapshotID = new(*s.ParentSnapshotID)
	}
	if s.SchemaID != nil {
		s.SchemaID = new(*s.SchemaID)
	}
	if s.Summary != nil {
		props := iceberg.Properties{}
		maps.Copy(props, s.Summary.Properties)
		s.Summary = &icetable.Summary{Operation: s.Summary.Operation, Properties: props}
	}
	return s
}

// as is an update as the type of another one, which the library has no name for.
func as[T icetable.Update](u icetable.Update, _ T) (T, bool) {
	t, ok := u.(T)
	return t, ok
}

// swap moves the catalog's pointer. It is not stopped half-way by ctx, and an error is looked
// into: the commit may have gone through all the same.
func (w *work) swap(ctx context.Context, to string) error {
	store, id := w.handle.store, w.handle.Ident()
	ctx = context.WithoutCancel(ctx)
	enter := w.enter
	if enter == nil {
		enter = func(ctx context.Context, to string) error {
			moved, err := store.pointer.swap(ctx, id, "TABLE", w.base.location, to)
			if err == nil && !moved {
				return errMoved
			}
			return err
		}
	}
	err := enter(ctx, to)
	if errors.Is(err, errMoved) || errors.Is(err, table.ErrExists) { // nothing is in doubt
		return err
	}
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, outcomeTimeout)
	defer cancel()
	now, _, lookErr := store.pointer.get(ctx, id)
	if w.enter != nil && errors.Is(lookErr, dbsql.ErrNoRows) { // it is not there: nothing is in doubt
		lookErr = nil
	}
	if lookErr != nil {
		w.doubtful = true
		return fault.Wrap(errors.Join(err, lookErr), fault.Unavailable, "move the catalog's pointer",
			"look at the table's properties before trying again: the commit may have gone through")
	}
	if now == to {
		return nil
	}
	w.doubtful = fault.InDoubt(err) // after a crash the catalog may name the new files
	return fmt.Errorf("move the catalog's pointer: %w", err)
}

// nextMetadata names a metadata file: a version one above the last, and a random part.
func nextMetadata(tableURI, last string) string {
	return fmt.Sprintf("%s/metadata/%05d-%s%s", tableURI, max(version(last), 0)+1, uuid.New(), metadataEnd)
}
