//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/lake/table"
)

// names gathers the paths that metadata leads to, until the first error.
type names struct {
	store *Store
	paths map[string]bool
	err   error
}

func (s *Store) names() *names { return &names{store: s, paths: map[string]bool{}} }

// add tells whether a file is new among the names.
func (n *names) add(uri string) bool {
	path, err := n.store.root.Path(uri)
	if err != nil {
		n.err = errors.Join(n.err, err)
		return false
	}
	known := n.paths[path]
	n.paths[path] = true
	if strings.Contains(uri, "%") { // which a foreign writer may have in a name as it is
		_, plain, _ := strings.Cut(uri, n.store.root.Dir())
		n.paths[filepath.Join(n.store.root.Dir(), plain)] = true
	}
	return !known
}

// state adds a table's snapshots with their data, delete and manifest files, its statistics,
// its metadata and the metadata before it.
func (n *names) state(ctx context.Context, st *state) {
	n.add(st.location)
	for f := range st.meta.PreviousFiles() {
		n.add(f.MetadataFile)
	}
	for f := range st.meta.Statistics() {
		n.add(f.StatisticsPath)
	}
	for f := range st.meta.PartitionStatistics() {
		n.add(f.StatisticsPath)
	}
	for _, snap := range st.meta.Snapshots() {
		if n.err = errors.Join(n.err, ctx.Err()); n.err != nil {
			return
		}
		n.snapshot(&snap)
	}
}

func (n *names) snapshot(snap *icetable.Snapshot) {
	if !n.add(snap.ManifestList) {
		return
	}
	io := n.store.io()
	manifests, err := snap.Manifests(io)
	if err != nil {
		n.err = fmt.Errorf("read snapshot %d: %w", snap.SnapshotID, err)
		return
	}
	for _, m := range manifests {
		if n.add(m.FilePath()) {
			n.manifest(io, m)
		}
	}
}

func (n *names) manifest(io *fileIO, m iceberg.ManifestFile) {
	for entry, err := range m.Entries(io, true) {
		if err != nil {
			n.err = fmt.Errorf("read manifest %s: %w", m.FilePath(), err)
			return
		}
		n.add(entry.DataFile().FilePath())
	}
}

// kinds are the endings of the files that a table's own writers make; anything else in its
// folder is somebody's who knows why.
var kinds = []string{".parquet", ".avro", ".metadata.json"}

// orphans counts the files of a table's folder that are not named, nor younger than orphanAge.
// Only the folder that Tarn gives a table of the name is looked at, and none in it that
// another system keeps its log in (_delta_log). A partitioned table is another engine's, which
// names files by values: it is left to that engine.
func (s *Store) orphans(ctx context.Context, id table.Ident, st *state, named map[string]bool) (files, bytes int64, err error) {
	dir, err := s.root.Path(st.meta.Location())
	if err != nil || s.root.URI(dir) != s.root.TableURI(id) || partitioned(st) {
		return 0, 0, err
	}
	before := s.Clock.Now().Add(-orphanAge)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // old metadata goes while the folder is read
			return ctx.Err()
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "_"):
			return fs.SkipDir
		case d.IsDir() || named[path] || !slices.ContainsFunc(kinds, func(end string) bool { return strings.HasSuffix(path, end) }):
			return ctx.Err()
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
			files++
			bytes += info.Size()
		}
		return err
	})
	return files, bytes, err
}

func partitioned(st *state) bool {
	return slices.ContainsFunc(st.meta.PartitionSpecs(), func(p iceberg.PartitionSpec) bool { return !p.IsUnpartitioned() })
}
