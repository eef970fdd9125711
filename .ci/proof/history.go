package proof

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// newestKept is how many of a table's newest snapshots are kept whatever their age.
const newestKept = 50

// snapshot is one of a table's, as its metadata tells it.
type snapshot struct {
	ID       int64  `json:"snapshot-id"`
	Number   int64  `json:"sequence-number"`
	Stamp    int64  `json:"timestamp-ms"`
	Manifest string `json:"manifest-list"`
}

// minute is the minute of the hour at which a snapshot was made. A clock that is wrong by whole hours
// tells it too.
func (s snapshot) minute() int { return time.UnixMilli(s.Stamp).Minute() }

// History is what the tables of a lake have named since somebody began to look, which he does more often than
// snapshots are thinned. It is for proofs that take less than an hour.
type History struct {
	snapshots map[string]map[int64]snapshot // by table
	newest    map[string][]snapshot         // by table: what it has now
	files     map[string]bool               // by name, which is of one file only
	lake      string
}

// NewHistory of a lake's folder has seen nothing yet.
func NewHistory(lake string) *History {
	return &History{snapshots: map[string]map[int64]snapshot{}, files: map[string]bool{}, lake: lake}
}

// Look adds what the tables name now. It reads the catalog and the metadata as PyIceberg does.
func (h *History) Look(ctx context.Context) error {
	db, err := OpenSource(filepath.Join(h.lake, "catalog.db"), "")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(ctx, "SELECT table_namespace || '.' || table_name, metadata_location FROM iceberg_tables WHERE coalesce(iceberg_type, 'TABLE') = 'TABLE'")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	h.newest = map[string][]snapshot{}
	for rows.Next() {
		var name, location string
		if err := rows.Scan(&name, &location); err != nil {
			return err
		}
		if err := h.add(name, strings.TrimPrefix(location, "file://")); err != nil {
			return fmt.Errorf("history of %s: %w", name, err)
		}
	}
	return rows.Err()
}

func (h *History) add(table, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var meta struct{ Snapshots []snapshot }
	if err := json.Unmarshal(content, &meta); err != nil {
		return err
	}
	h.newest[table] = meta.Snapshots
	if h.snapshots[table] == nil {
		h.snapshots[table] = map[int64]snapshot{}
	}
	for _, s := range meta.Snapshots {
		h.snapshots[table][s.ID] = s
		h.files[filepath.Base(s.Manifest)] = true
	}
	return nil
}

// LookAtFiles adds the files of rows that p's tables have now.
func (h *History) LookAtFiles(ctx context.Context, p *Process) error {
	a, err := p.SQL(ctx, "SELECT path FROM system.files WHERE content = 'data'")
	if err != nil {
		return err
	}
	for _, row := range a.Rows {
		h.files[filepath.Base(fmt.Sprint(row[0]))] = true
	}
	return nil
}

// Size counts the snapshots and files that were ever seen, and the snapshots that are no more.
func (h *History) Size() (snapshots, gone, files int) {
	for table, all := range h.snapshots {
		snapshots += len(all)
		gone += len(all) - len(h.newest[table])
	}
	return snapshots, gone, len(h.files)
}

// Early tells what was there once and must still be: the newest snapshots of each table, one of each minute,
// and every file.
func (h *History) Early() ([]string, error) {
	f := &Findings{What: "let go early"}
	for table, all := range h.snapshots {
		kept, minutes := map[int64]bool{}, map[int]bool{}
		for _, s := range h.newest[table] {
			kept[s.ID], minutes[s.minute()] = true, true
		}
		byAge := slices.SortedFunc(maps.Values(all), func(a, b snapshot) int { return cmp.Compare(b.Number, a.Number) })
		for i, s := range byAge {
			if !kept[s.ID] && (i < newestKept || !minutes[s.minute()]) {
				f.add("snapshot %d of %s, the %d. newest, of minute %d", s.ID, table, i+1, s.minute())
			}
		}
	}
	there := map[string]bool{}
	err := filepath.WalkDir(h.lake, func(_ string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // a file of a moment
		}
		if err == nil {
			there[e.Name()] = true
		}
		return err
	})
	for name := range h.files {
		if !there[name] {
			f.add("file %s", name)
		}
	}
	return f.All, err
}
