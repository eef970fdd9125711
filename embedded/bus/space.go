package bus

import (
	"fmt"
	"time"

	"tarn/embedded/fault"
)

// room refuses to write n bytes when they would take the disk below its reserve: a
// JetStream stream does not heal from a full disk by itself (rule 4).
func (b *Bus) room(n int64) error { return b.roomAbove(b.o.DiskReserve, n) }

func (b *Bus) roomAbove(keep uint64, n int64) error {
	free, err := b.o.seams.free(b.o.Dir)
	if err != nil {
		return fault.Wrap(fmt.Errorf("%w: %w", ErrRetry, err), fault.Unavailable, "ask for the free space of "+b.o.Dir,
			"check that the data folder is mounted and can be read")
	}
	if free >= keep+uint64(n) { //nolint:gosec // n is a length
		b.full.Store(false)
		return nil
	}
	if !b.full.Swap(true) {
		b.o.Log.Warn("disk reserve reached, appends are refused", "free_bytes", free, "reserve_bytes", b.o.DiskReserve)
	}
	return fault.Wrap(ErrRetry, fault.NoSpace, fmt.Sprintf("the log takes no more: %d MB free, disk.reserve is %d MB", free>>20, b.o.DiskReserve>>20),
		"free some disk space or lower disk.reserve; writing goes on by itself")
}

// prompt tells whether the disk takes a file well within the time of an acknowledgment to a
// partition: what a slow disk delays is no fault of one partition.
func (b *Bus) prompt(p *Partition) bool {
	start := time.Now()
	return b.o.Disk.Try(b.o.Dir) == nil && time.Since(start) < b.o.seams.ackTimeout(p.subject())/2
}
