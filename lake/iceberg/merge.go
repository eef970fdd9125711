//go:build duckdb_arrow

package iceberg

import (
	"fmt"
	"io"
	"slices"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

const (
	manifestsMax        = 100     // more than this, and a commit merges the small ones
	manifestMergedBytes = 1 << 20 // a manifest of this size is left as it is
)

// mergeManifests puts a new snapshot's inherited small manifests together, as the library does
// for appends but not for row deltas: each upsert adds two, and the list of all is written whole by
// every commit. It returns the updates with the snapshot that has the shorter list, nil when
// the list is short enough.
func (w *work) mergeManifests(meta icetable.Metadata, updates []icetable.Update) ([]icetable.Update, error) {
	snap := meta.CurrentSnapshot()
	if snap == nil || snap.SnapshotID == w.base.snapshotID() {
		w.manifests = w.base.manifests
		return nil, nil
	}
	if w.replaces {
		w.manifests = 0 // of two snapshots, maybe; the next commit counts them
		return nil, nil
	}
	const addedByOne = 2 // of data, of deletes
	if w.base.manifests > 0 && w.base.manifests+addedByOne <= manifestsMax {
		w.manifests = w.base.manifests + addedByOne
		return nil, nil
	}
	all, err := snap.Manifests(w.io)
	if err != nil {
		return nil, err
	}
	if w.manifests = len(all); len(all) <= manifestsMax {
		return nil, nil
	}
	all, err = w.merged(meta, snap, all)
	if err != nil {
		return nil, fmt.Errorf("merge manifests: %w", err)
	}
	w.manifests = len(all)
	former := snap.ManifestList
	snap.ManifestList = w.metadataURI("snap-" + uuid.NewString() + ".avro")
	if err := w.writeManifestList(meta, snap, all); err != nil {
		return nil, fmt.Errorf("write manifest list: %w", err)
	}
	updates = slices.Clone(updates)
	for i, u := range updates {
		if u.Action() == icetable.UpdateAddSnapshot {
			updates[i] = icetable.NewAddSnapshotUpdate(snap)
		}
	}
	return updates, w.io.Remove(former)
}

// merged replaces small manifests from before this snapshot by one for each content
// and partition spec.
func (w *work) merged(meta icetable.Metadata, snap *icetable.Snapshot, all []iceberg.ManifestFile) ([]iceberg.ManifestFile, error) {
	type group struct {
		content iceberg.ManifestContent
		spec    int32
	}
	groups := map[group][]iceberg.ManifestFile{}
	var order []group
	var out []iceberg.ManifestFile
	for _, m := range all {
		if m.SnapshotID() == snap.SnapshotID || m.Length() >= manifestMergedBytes || m.Version() != meta.Version() {
			out = append(out, m)
			continue
		}
		g := group{m.ManifestContent(), m.PartitionSpecID()}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], m)
	}
	for _, g := range order {
		if len(groups[g]) == 1 {
			out = append(out, groups[g][0])
			continue
		}
		spec := meta.PartitionSpecByID(int(g.spec))
		if spec == nil {
			return nil, fmt.Errorf("no partition spec %d", g.spec)
		}
		m, err := w.mergeGroup(meta, snap, *spec, g.content, groups[g])
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// mergeGroup writes the live entries of manifests into one, with the snapshots and
// sequence numbers that they have; nil if there are none.
func (w *work) mergeGroup(meta icetable.Metadata, snap *icetable.Snapshot, spec iceberg.PartitionSpec, content iceberg.ManifestContent, group []iceberg.ManifestFile) (merged iceberg.ManifestFile, err error) {
	uri := w.metadataURI(uuid.NewString() + "-m0.avro")
	file, err := w.io.Create(uri)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	out := &counting{Writer: file}
	writer, err := iceberg.NewManifestWriter(meta.Version(), out, spec, meta.CurrentSchema(), snap.SnapshotID, iceberg.WithManifestWriterContent(content))
	if err != nil {
		return nil, err
	}
	entries := 0
	for _, m := range group {
		for entry, err := range m.Entries(w.io, true) {
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", m.FilePath(), err)
			}
			if err := writer.Existing(entry); err != nil {
				return nil, err
			}
			entries++
		}
	}
	if err := writer.Close(); err != nil || entries == 0 {
		return nil, err
	}
	return writer.ToManifestFile(uri, out.n)
}

func (w *work) writeManifestList(meta icetable.Metadata, snap *icetable.Snapshot, all []iceberg.ManifestFile) error {
	file, err := w.io.Create(snap.ManifestList)
	if err != nil {
		return err
	}
	err = iceberg.WriteManifestList(meta.Version(), file, snap.SnapshotID, snap.ParentSnapshotID, &snap.SequenceNumber, 0, all)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}

func (w *work) metadataURI(name string) string { return w.base.meta.Location() + "/metadata/" + name }

// counting counts the bytes that went through it.
type counting struct {
	io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}
