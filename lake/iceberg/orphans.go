//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	"golang.org/x/sys/unix"

	"tarn/lake/table"
)

// kinds are the endings of the files that a table's own writers make; anything else in its
// folder is somebody's who knows why.
var kinds = []string{".parquet", ".avro", ".metadata.json"}

const (
	dirChunk = 256 // names of a folder that are read at once
	dirDepth = 8   // folders within folders that are looked into
)

// stray is a file in a table's folder that nothing names.
type stray struct {
	path    string    // within the folder
	bytes   int64     // with mtime what tells whether it is still the same file
	mtime   int64     // in nanoseconds
	changed time.Time // when its content or its place changed last: a file that was put back has an old mtime
}

// folderOf is the folder of a table's files, if strays in it are Tarn's to remove: it must be the one that
// Tarn gives to a table of the name, or one of Tarn's whose table has come to have the name. A partitioned
// table is another engine's, which names files by values: it is left to that engine.
func (s *Store) folderOf(id table.Ident, meta icetable.Metadata) (folder string, ours bool) {
	dir, err := s.root.Path(meta.Location())
	if err != nil || checkName(id) != nil || partitioned(meta) || meta.Properties()["gc.enabled"] == "false" {
		return "", false
	}
	named := meta.Properties()[table.PropName] == id.String() && filepath.Dir(filepath.Dir(dir)) == s.root.Dir()
	return dir, named || s.root.URI(dir) == s.root.TableURI(id)
}

// folderName is what the sweep calls a folder: its path in the warehouse.
func (s *Store) folderName(dir string) string {
	name, err := filepath.Rel(s.root.Dir(), dir)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(name)
}

func partitioned(meta icetable.Metadata) bool {
	return slices.ContainsFunc(meta.PartitionSpecs(), func(p iceberg.PartitionSpec) bool { return !p.IsUnpartitioned() })
}

// strays finds what nothing names in a table's data and metadata folders. It does not go into
// folders that begin with _, where other systems keep their logs (_delta_log), nor through links.
func strays(ctx context.Context, dir string, n *names, found func(stray) error) error {
	for _, below := range []string{"data", "metadata"} {
		info, err := os.Lstat(filepath.Join(dir, below))
		if errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir() {
			continue
		}
		if err != nil {
			return err
		}
		if err := straysIn(ctx, dir, below, dirDepth, n, found); err != nil {
			return err
		}
	}
	return nil
}

func straysIn(ctx context.Context, dir, below string, depth int, n *names, found func(stray) error) error {
	folder, err := os.Open(filepath.Join(dir, below))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	for {
		entries, err := folder.ReadDir(dirChunk)
		for _, e := range entries {
			path := filepath.Join(below, e.Name())
			if e.IsDir() && depth > 0 && !strings.HasPrefix(e.Name(), "_") {
				if err := straysIn(ctx, dir, path, depth-1, n, found); err != nil {
					return err
				}
			}
			if !e.Type().IsRegular() || !removable(path) || n.has(e.Name()) {
				continue
			}
			f, ok, err := strayAt(dir, path)
			if err == nil && ok {
				err = found(f)
			}
			if err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// holds tells whether a folder has a file in it that a table's writers made.
func holds(dir string) (bool, error) {
	found := errors.New("one is enough")
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && removable(path) {
			return found
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// removable tells whether a file's name is one that the table's writers give. One with a % may be
// written in another way in metadata.
func removable(path string) bool {
	return !strings.Contains(path, "%") && slices.ContainsFunc(kinds, func(end string) bool { return strings.HasSuffix(path, end) })
}

// strayAt looks at a file; false if it is gone, or no file.
func strayAt(dir, path string) (stray, bool, error) {
	var st unix.Stat_t
	err := unix.Lstat(filepath.Join(dir, path), &st)
	if errors.Is(err, unix.ENOENT) {
		return stray{}, false, nil
	}
	if err != nil {
		return stray{}, false, &os.PathError{Op: "lstat", Path: filepath.Join(dir, path), Err: err}
	}
	mtime, ctime := time.Unix(st.Mtim.Unix()), time.Unix(st.Ctim.Unix())
	f := stray{path: path, bytes: st.Size, mtime: mtime.UnixNano(), changed: mtime}
	if ctime.After(mtime) {
		f.changed = ctime
	}
	return f, st.Mode&unix.S_IFMT == unix.S_IFREG, nil
}
