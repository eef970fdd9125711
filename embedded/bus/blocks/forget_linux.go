package blocks

import (
	"os"

	"golang.org/x/sys/unix"
)

func forget(file *os.File) {
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED) //nolint:gosec // a descriptor fits
}
