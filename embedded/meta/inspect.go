package meta

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"tarn/embedded/disk"
)

// Inspect opens a copy of the database at path, for opening one writes beside it. Closing the
// copy removes it. A database that is not there is os.ErrNotExist.
func Inspect(ctx context.Context, path string) (s *Store, closed func() error, err error) {
	dir, err := os.MkdirTemp("", "tarn-meta-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	copied := filepath.Join(dir, filepath.Base(path))
	if err := disk.CopyDatabase(copied, path); err != nil {
		_ = remove()
		return nil, nil, err
	}
	if s, err = Open(ctx, copied); err != nil {
		_ = remove()
		return nil, nil, err
	}
	return s, func() error { return errors.Join(s.Close(), remove()) }, nil
}
