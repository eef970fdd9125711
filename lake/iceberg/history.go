//go:build duckdb_arrow

package iceberg

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	icetable "github.com/apache/iceberg-go/table"
)

const metadataEnd = ".metadata.json"

// version is the number in a metadata file's name: 12 of 00012-<uuid>.metadata.json; -1 for none.
func version(path string) int {
	number, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), metadataEnd), "-")
	n, err := strconv.Atoi(strings.TrimPrefix(number, "v"))
	if err != nil {
		return -1
	}
	return n
}

// metadataFiles lists the metadata files of a table in a folder, the newest version first.
func metadataFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), metadataEnd) && version(e.Name()) >= 0 && e.Type().IsRegular() {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(version(b), version(a)), cmp.Compare(a, b))
	})
	return out, nil
}

// trusted looks for what a table's metadata cannot tell of itself: that it is of another
// table, that a newer one is there, that its manifests are not.
func (s *Store) trusted(st *state) error {
	path, err := s.root.Path(st.location)
	if err != nil {
		return err
	}
	if err := s.misplaced(path, st.meta); err != nil {
		return err
	}
	if err := s.outdated(path, st.meta); err != nil {
		return err
	}
	return s.intact(st.meta.CurrentSnapshot())
}

// misplaced tells of metadata that speaks of another table's folder.
func (s *Store) misplaced(path string, meta icetable.Metadata) error {
	home := filepath.Dir(filepath.Dir(path))
	if at, err := s.root.Path(meta.Location()); err == nil && at != home && filepath.Dir(path) == filepath.Join(home, "metadata") {
		if _, other := meta.Properties()["write.metadata.path"]; !other {
			return &spoilt{path, "it is of another table, at " + meta.Location()}
		}
	}
	return nil
}

// outdated tells of metadata of the same table that is newer than what the catalog names: the
// catalog was put back from an older copy. One version more is a commit that was
// killed before the catalog moved, and is none.
func (s *Store) outdated(path string, meta icetable.Metadata) error {
	files, err := metadataFiles(filepath.Dir(path))
	if err != nil {
		return err
	}
	named := version(path)
	for _, f := range files {
		if named < 0 || version(f) <= named+1 {
			break
		}
		content, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if newer, err := icetable.ParseMetadataBytes(content); err == nil && newer.TableUUID() == meta.TableUUID() {
			return &spoilt{filepath.Join(s.Dir, catalogFile), fmt.Sprintf("it is older than the table: it names %s, and there is %s", filepath.Base(path), filepath.Base(f))}
		}
	}
	return nil
}
