//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// dropped takes a table out of the catalog, and notes its folder for the sweep if what is in it is Tarn's
// to remove. No other table comes into that folder until it is empty, so that the drop can be taken back by
// registering the metadata again.
func dropped(ctx context.Context, tx *dbsql.Tx, id table.Ident, location, folder string, ours bool) error {
	if err := oneRow(tx.ExecContext(ctx, `DELETE FROM iceberg_tables `+exactly, CatalogName, id.Namespace, id.Name, location)); err != nil || !ours {
		return err
	}
	fault.Point("lake.renaming")
	_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO tarn_dropped VALUES (?)", folder)
	return err
}

// taken tells whether a folder is one of another table or view than the named one, or of one that was dropped.
func (p *pointers) taken(ctx context.Context, id table.Ident, uri, folder string) (taken bool, err error) {
	err = p.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM iceberg_tables
			WHERE substr(metadata_location, 1, length(?1)+1) = ?1||'/' AND NOT (catalog_name=?2 AND table_namespace=?3 AND table_name=?4))
		OR EXISTS (SELECT 1 FROM tarn_dropped WHERE folder=?5)`, uri, CatalogName, id.Namespace, id.Name, folder).Scan(&taken)
	return taken, err
}

// droppedFolders are those of tables that Tarn dropped.
func (p *pointers) droppedFolders(ctx context.Context) ([]string, error) {
	rows, err := p.reader.QueryContext(ctx, "SELECT folder FROM tarn_dropped ORDER BY folder")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var f string
		if err := rows.Scan(&f); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// dropped looks at the folders of tables that were dropped, and forgets those that are empty, or a table's
// again. It returns those that stay.
func (w *sweeping) dropped(ctx context.Context) (folders []string, err error) {
	s := w.store
	all, err := s.pointer.droppedFolders(ctx)
	if err != nil {
		return nil, err
	}
	for _, folder := range all {
		dir := filepath.Join(s.root.Dir(), filepath.FromSlash(folder))
		some, err := holds(dir)
		if err != nil {
			return nil, err
		}
		if some && !w.names.lead(s, dir) {
			if err := w.folder(ctx, tableKey{}, dir, folder); err != nil {
				return nil, err
			}
			folders = append(folders, folder)
			continue
		}
		if !some {
			s.removeFolder(dir)
		}
		if _, err := s.pointer.writer.ExecContext(ctx, "DELETE FROM tarn_dropped WHERE folder=?", folder); err != nil {
			return nil, err
		}
	}
	return folders, nil
}

// lead tells whether a table has its metadata in a folder.
func (n *names) lead(s *Store, dir string) bool {
	for _, location := range n.heads {
		if path, err := s.root.Path(location); err == nil && strings.HasPrefix(path, dir+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// removeFolder removes what is empty of a table's folder; what is not stays without harm.
func (s *Store) removeFolder(dir string) {
	for _, below := range []string{"data", "metadata", ""} {
		if err := s.Disk.Remove(filepath.Join(dir, below)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.Log.Debug("a dropped table's folder stays", "path", dir, "error", err)
			return
		}
	}
}
