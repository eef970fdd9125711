// Package datadir opens Tarn's data folder: one Tarn at a time (LOCK), of a version
// that this one understands (VERSION). It knows where things lie, not what is in them.
package datadir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
)

// Version of the data folder's layout.
const Version = 1

// Dir is an open data folder. Its path is absolute.
type Dir struct {
	path string
	lock *os.File
}

// Open makes the folder where needed, locks it and checks its version. Faults: Locked
// when another Tarn has it, Invalid when it cannot be written or a newer Tarn wrote it.
func Open(path string, files *disk.FS) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	cannot := func(err error) error {
		return fault.Wrap(err, fault.Invalid, "open data folder "+path, cmp.Or(fault.HintOf(err), "check that this user can write there, or choose another folder with --data"))
	}
	if err := files.MkdirAll(path); err != nil {
		return nil, cannot(err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, cannot(err)
	}
	d := &Dir{path: path, lock: lock}
	if err := d.take(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := d.version(files); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	for _, sub := range []string{"bus", "lake", "state", "logs"} {
		if err := files.MkdirAll(d.Path(sub)); err != nil {
			return nil, errors.Join(cannot(err), d.Close())
		}
	}
	return d, nil
}

// take locks the folder by flock, which the kernel frees with the process however it
// ends, and writes the pid for a person to find.
func (d *Dir) take() error {
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { //nolint:gosec // a descriptor fits
		pid := make([]byte, 16)
		n, _ := d.lock.ReadAt(pid, 0)
		return fault.Wrap(err, fault.Locked, "open data folder "+d.path,
			fmt.Sprintf("another Tarn (process %s) runs on it: stop that one, or choose another folder with --data", strings.TrimSpace(string(pid[:n]))))
	}
	// On a full disk there may be no room for it, which must not keep Tarn from starting.
	_ = d.lock.Truncate(0)
	_, _ = d.lock.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return nil
}

func (d *Dir) version(files *disk.FS) error {
	content, err := os.ReadFile(d.Path("VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return files.WriteFile(d.Path("VERSION"), fmt.Appendf(nil, "%d\n", Version))
	}
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "read "+d.Path("VERSION"), "check that this user can read the data folder")
	}
	got, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || got < 1 {
		return fault.Newf(fault.Damaged, fmt.Sprintf("write the number of the version that made the folder into it, most likely %d", Version),
			"%s holds %q, not a version", d.Path("VERSION"), strings.TrimSpace(string(content)))
	}
	if got > Version {
		return fault.Newf(fault.Invalid, "start that newer Tarn, or choose another folder with --data",
			"data folder %s was written by a newer Tarn (version %d, this one knows %d)", d.path, got, Version)
	}
	return nil
}

// Path joins names below the folder.
func (d *Dir) Path(names ...string) string {
	return filepath.Join(append([]string{d.path}, names...)...)
}

// Close frees the folder for another Tarn.
func (d *Dir) Close() error { return d.lock.Close() }
