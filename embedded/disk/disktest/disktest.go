// Package disktest gives tests a place for their files. It is for tests alone.
package disktest

import (
	"os"
	"testing"

	"tarn/embedded/disk"
)

// memory is where Linux has a file system in memory, and enough is what a test may fill of it.
const (
	memory = "/dev/shm"
	enough = 1 << 30
)

// Memory makes a folder that goes with the test, in memory if there is enough: for tests that
// write much, and ask in which order things are written but not what a disk keeps of them.
func Memory(t testing.TB) string {
	t.Helper()
	if free, err := disk.Local.Free(memory); err != nil || free < enough {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "tarn-test-") //nolint:usetesting // which is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
