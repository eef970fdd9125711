package bus

import (
	"fmt"
	"path/filepath"
	"time"

	"tarn/embedded/fault"
)

// room refuses to write n bytes when they would take the disk below its reserve: a
// JetStream stream does not heal from a full disk by itself (rule 4).
func (b *Bus) room(n int64) error {
	free, err := b.o.seams.free(b.o.Dir)
	if err != nil {
		return fault.Wrap(fmt.Errorf("%w: %w", ErrRetry, err), fault.Unavailable, "ask for the free space of "+b.o.Dir,
			"check that the data folder is mounted and can be read")
	}
	if free >= b.o.DiskReserve+uint64(n) { //nolint:gosec // n is a length
		b.full.Store(false)
		return nil
	}
	if !b.full.Swap(true) {
		b.o.Log.Warn("disk reserve reached, appends are refused", "free_bytes", free, "reserve_bytes", b.o.DiskReserve)
	}
	return fault.Wrap(ErrRetry, fault.NoSpace, fmt.Sprintf("append to the log: %d MB free, disk.reserve is %d MB", free>>20, b.o.DiskReserve>>20),
		"free some disk space or lower disk.reserve; writing goes on by itself")
}

// prompt tells whether the disk takes a file well within the time of an acknowledgment: what
// a slow disk delays is no fault of one partition.
func (b *Bus) prompt() bool {
	start := time.Now()
	return b.writes() == nil && time.Since(start) < b.o.seams.ackTimeout/2
}

// writes tells whether the disk takes a file as large as a message, whatever it says of its
// free space.
func (b *Bus) writes() error {
	b.trying.Lock()
	defer b.trying.Unlock()
	path := filepath.Join(b.o.Dir, "try")
	if err := b.o.Disk.WriteFile(path, make([]byte, joinBytesMax)); err != nil {
		return err
	}
	return b.o.Disk.Remove(path)
}
