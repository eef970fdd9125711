//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/lake/table"
)

// repairHint is the next step of whoever meets damage.
const repairHint = "stop Tarn and say `tarn repair`: it tells what can be done, and does it with --yes. The other tables go on"

// spoilt is a file that is not what the metadata says of it.
type spoilt struct{ path, what string }

func (s *spoilt) Error() string { return s.path + ": " + s.what }

// weigh compares a file's length with what the metadata says, -1 where it says nothing. That
// finds all but damage within: pages carry a checksum, which whoever decodes them compares.
func weigh(path string, bytes int64) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &spoilt{path, "it is missing"}
	case err != nil:
		return err
	case bytes >= 0 && info.Size() != bytes:
		return &spoilt{path, fmt.Sprintf("it is %d bytes long, and %d in the metadata", info.Size(), bytes)}
	}
	return nil
}

// barred tells of an error of a file that may be whole: no permission, too many open files.
func barred(err error) bool {
	_, is := errors.AsType[*fs.PathError](err)
	return is && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EIO)
}

// manifestsOf reads a snapshot's manifest list. A list that was cut between two blocks reads
// as whole, but not as long as the summary says: see missing.
func (s *Store) manifestsOf(io *fileIO, snap *icetable.Snapshot) ([]iceberg.ManifestFile, error) {
	path, err := s.root.Path(snap.ManifestList)
	if err != nil {
		return nil, err
	}
	manifests, err := snap.Manifests(io)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &spoilt{path, "it is missing"}
	}
	if barred(err) {
		return nil, err
	}
	if err != nil {
		return nil, &spoilt{path, "it cannot be read: " + err.Error()}
	}
	return manifests, nil
}

// entriesOf reads the live files of a manifest, all that the manifest list says it has.
func (s *Store) entriesOf(io *fileIO, m iceberg.ManifestFile) ([]iceberg.DataFile, error) {
	path, err := s.root.Path(m.FilePath())
	if err != nil {
		return nil, err
	}
	if err := weigh(path, m.Length()); err != nil {
		return nil, err
	}
	var out []iceberg.DataFile
	for entry, err := range m.Entries(io, true) {
		if barred(err) {
			return nil, err
		}
		if err != nil {
			return nil, &spoilt{path, "it cannot be read: " + err.Error()}
		}
		out = append(out, entry.DataFile())
	}
	if want, told := liveFiles(m); told && len(out) != want {
		return nil, &spoilt{path, fmt.Sprintf("it names %d files, and the manifest list says %d", len(out), want)}
	}
	return out, nil
}

// liveFiles is the number of live files in a manifest by the manifest list; false for one of
// Iceberg's first format, which need not tell.
func liveFiles(m iceberg.ManifestFile) (int, bool) {
	added, existing := m.AddedDataFiles(), m.ExistingDataFiles()
	return int(added) + int(existing), added >= 0 && existing >= 0
}

// complete compares the number of a snapshot's data files with its summary.
func (s *Store) complete(snap *icetable.Snapshot, dataFiles int) error {
	if want := total(snap, "total-data-files"); int64(dataFiles) < want {
		path, err := s.root.Path(snap.ManifestList)
		if err != nil {
			return err
		}
		return &spoilt{path, fmt.Sprintf("it leads to %d data files, and the snapshot has %d", dataFiles, want)}
	}
	return nil
}

// intact looks at a snapshot's manifests without reading them: none is missing or cut, and
// together they have the data files of the summary.
func (s *Store) intact(snap *icetable.Snapshot) error {
	if snap == nil {
		return nil
	}
	manifests, err := s.manifestsOf(s.io(), snap)
	if err != nil {
		return err
	}
	files := 0
	for _, m := range manifests {
		path, err := s.root.Path(m.FilePath())
		if err == nil {
			err = weigh(path, m.Length())
		}
		if err != nil {
			return err
		}
		live, told := liveFiles(m)
		if !told {
			return nil
		}
		if m.ManifestContent() == iceberg.ManifestContentData {
			files += live
		}
	}
	return s.complete(snap, files)
}

// suspect looks for the damage behind an error of DuckDB over a table's files: one that has
// another length, or that DuckDB names. Any other error stays as it is.
func suspect(err error, files ...dataFile) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || duck.Scarce(err) {
		return err
	}
	for _, f := range files {
		if bad, ok := errors.AsType[*spoilt](weigh(f.path, f.bytes)); ok {
			return bad
		}
	}
	for _, f := range files {
		if strings.Contains(err.Error(), f.path) {
			return &spoilt{f.path, "it cannot be decoded: " + strings.ReplaceAll(err.Error(), f.path, "file")}
		}
	}
	return err
}

// damagedBy makes damage the fault that a person reads, and the table's line in /health, and a want
// of memory one that names the setting. Other errors stay as they are.
func (s *Store) damagedBy(id table.Ident, err error) error {
	if bad, ok := errors.AsType[*spoilt](err); ok {
		return s.reportDamage(id, bad.path, bad.what)
	}
	if gone, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrNotExist) && gone.Op == "open" {
		return s.reportDamage(id, gone.Path, "it is missing")
	}
	return lacking(err)
}

// lacking makes a want of memory the fault that names the setting. Other errors stay as they are.
func lacking(err error) error {
	if !duck.OutOfMemory(err) {
		return err
	}
	return fault.Wrap(err, fault.TooLarge, "the lake's part of the memory is too small for it", "raise memory, a setting (see `tarn config`)")
}

func (s *Store) reportDamage(id table.Ident, path, what string) error {
	f := fault.Newf(fault.Damaged, repairHint, "%s is damaged: %s: %s", id, s.shown(path), what)
	s.Log.Error("table is damaged", "table", id.String(), "file", path, "error", what)
	s.setDamage(id, f)
	return f
}

// shown is a path as messages have it, from the lake's folder on.
func (s *Store) shown(path string) string {
	if short, err := filepath.Rel(s.Dir, path); err == nil && !strings.HasPrefix(short, "..") {
		return short
	}
	return path
}
