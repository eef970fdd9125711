// Package disk is the one way by which Tarn's own code touches files: it
// makes a file durable with its folder, tells the room that is left, and gives
// tests a place to put faults. nats-server, SQLite and DuckDB write their own
// files; what DuckDB wrote is made durable here before a commit names it.
package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// FS is a local file system. Paths are native paths, not URIs.
type FS struct {
	// Dir and Reserve are the data folder and the bytes of its disk that doors, sources and
	// the log leave free; 0 watches nothing.
	Dir     string
	Reserve uint64
	// Hook, when set, is asked before each operation with its name ("create",
	// "write", "sync", "rename", "syncdir", "remove", "mkdir", "free") and path;
	// an error it returns is the operation's, and the operation is not done. But
	// of a write that is io.ErrShortWrite, half is written. Tests inject faults by it.
	Hook func(op, path string) error

	trying sync.Mutex            // over the file of Try
	failed atomic.Pointer[error] // the last write, when the disk had no room for it
}

// Local is the machine's file system without faults.
var Local = &FS{}

func (d *FS) hook(op, path string) error {
	if d.Hook == nil {
		return nil
	}
	return d.Hook(op, path)
}

// File is a file being written. Close syncs it, then its folder: after Close
// has returned nil the file survives a power cut.
type File struct {
	*os.File
	fs *FS
}

// Create makes a new file, truncating an old one, and the folders above it.
func (d *FS) Create(path string) (*File, error) {
	if err := d.hook("create", path); err != nil {
		return nil, err
	}
	if err := d.mayCreate(); err != nil {
		return nil, err
	}
	if err := d.MkdirAll(filepath.Dir(path)); err != nil {
		return nil, d.note(err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, d.note(err)
	}
	return &File{File: f, fs: d}, nil
}

// Write writes p.
func (f *File) Write(p []byte) (int, error) {
	if err := f.fs.hook("write", f.Name()); err != nil {
		if !errors.Is(err, io.ErrShortWrite) {
			return 0, err
		}
		n, e := f.File.Write(p[:len(p)/2])
		return n, errors.Join(err, e)
	}
	n, err := f.File.Write(p)
	if err != nil {
		_ = f.fs.note(err)
	}
	return n, err
}

// WriteString is Write: os.File's own asks no hook.
func (f *File) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// ReadFrom copies r by Write: os.File's own asks no hook.
func (f *File) ReadFrom(r io.Reader) (int64, error) { return io.Copy(writer{f}, r) }

// writer hides all but Write.
type writer struct{ io.Writer }

// Close syncs the file, closes it and syncs its folder.
func (f *File) Close() error {
	err := f.fs.hook("sync", f.Name())
	if err == nil {
		err = f.Sync()
	}
	if e := f.File.Close(); err == nil {
		err = e
	}
	if f.fs.note(err) != nil {
		return err
	}
	return f.fs.SyncDir(filepath.Dir(f.Name()))
}

// WriteFile puts content into path so that after a crash the file is whole or
// not there: temporary file, sync, rename, folder sync.
func (d *FS) WriteFile(path string, content []byte) error {
	tmp := path + ".tmp"
	f, err := d.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = d.Rename(tmp, path)
	}
	if err != nil {
		_ = d.Remove(tmp)
	}
	return err
}

// Sync makes a file that somebody else wrote durable, with its folder.
func (d *FS) Sync(path string) error {
	if err := d.hook("sync", path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return d.SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a folder durable.
func (d *FS) SyncDir(dir string) error {
	if err := d.hook("syncdir", dir); err != nil {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// Rename moves a file within one folder and syncs the folder.
func (d *FS) Rename(from, to string) error {
	if err := d.hook("rename", to); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(to))
}

// Remove deletes a file. A file that is not there is no error.
func (d *FS) Remove(path string) error {
	if err := d.hook("remove", path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// MkdirAll makes a folder and those above it, each made durable in the one
// above it.
func (d *FS) MkdirAll(dir string) error {
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := d.MkdirAll(above); err != nil {
			return err
		}
	}
	if err := d.hook("mkdir", dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return err
	}
	return d.SyncDir(above)
}

// Free returns the bytes that an ordinary user may still write under dir.
func (d *FS) Free(dir string) (uint64, error) {
	if err := d.hook("free", dir); err != nil {
		return 0, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec // block sizes are positive
}
