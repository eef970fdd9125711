package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"tarn/embedded/fault"
)

// WorkShare is which part of the reserve that is kept even from those who may use it: what
// lies below is for the databases, without which nothing could be purged either.
const WorkShare = 4

// tryBytes is the file that Try writes.
const tryBytes = 1 << 20

// probeBytes is what a Probe writes: more than a file system keeps within the metadata of a file.
const probeBytes = 16 << 10

// Room refuses to write n bytes when less than keep would stay free below a folder.
func (d *FS) Room(dir string, keep, n uint64) error {
	free, err := d.Free(dir)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "ask for the free space of "+dir, "check that the data folder is mounted and can be read")
	}
	if free < keep+n {
		return fault.Newf(fault.NoSpace, "free some disk space or lower disk.reserve; writing goes on by itself",
			"%d MB are free in %s, and disk.reserve is %d MB", free>>20, dir, d.Reserve>>20)
	}
	return nil
}

// Work is the room that landing and upkeep leave: a quarter of the reserve (section 7).
func (d *FS) Work() uint64 { return d.Reserve / WorkShare }

// mayCreate refuses a new file where the room for work is used up.
func (d *FS) mayCreate() error {
	if d.Reserve == 0 {
		return nil
	}
	return d.Room(d.Dir, d.Work(), 0)
}

// Try tells whether the disk takes a file, whatever it says of its free space.
func (d *FS) Try(dir string) error {
	d.trying.Lock()
	defer d.trying.Unlock()
	path := filepath.Join(dir, "try")
	if err := d.WriteFile(path, make([]byte, tryBytes)); err != nil {
		return err
	}
	return d.Remove(path)
}

// Probe asks a disk whether it takes a write, at little cost: nothing is synced. An engine of C++ may not survive that a
// commit is refused in its midst, so it is asked before one.
type Probe struct {
	file *os.File
}

// OpenProbe makes a probe of the disk below a folder. Its file has no name, and goes with the process.
func OpenProbe(dir string) (*Probe, error) {
	f, err := os.CreateTemp(dir, "try-*")
	if err != nil {
		return nil, err
	}
	return &Probe{f}, os.Remove(f.Name())
}

// Ask is why a write is refused now; nil where it is not.
func (p *Probe) Ask() error {
	if _, err := p.file.WriteAt(make([]byte, probeBytes), 0); err != nil {
		return err
	}
	return p.file.Truncate(0)
}

// Close ends the probe.
func (p *Probe) Close() error { return p.file.Close() }

// Blocked is why no work can be done on the data folder's disk now; nil when it can. It
// writes to it.
func (d *FS) Blocked() error {
	err := d.mayCreate()
	if err == nil {
		err = d.Try(d.Dir)
	}
	return err
}

// note keeps an error of an operation that changes the disk, and forgets it at the next that
// succeeds.
func (d *FS) note(err error) error {
	switch {
	case err == nil:
		if d.failed.Load() != nil {
			d.failed.Store(nil)
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EROFS):
		d.failed.Store(&err)
	}
	return err
}

// Trouble is what keeps the data folder from taking more, as far as is known without
// writing to it; nil for nothing.
func (d *FS) Trouble() error {
	if err := d.Room(d.Dir, d.Reserve, 0); err != nil {
		return err
	}
	if failed := d.failed.Load(); failed != nil {
		return fault.Wrap(*failed, fault.NoSpace, fmt.Sprintf("%s takes no writes", d.Dir), fault.HintOf(*failed))
	}
	return nil
}
