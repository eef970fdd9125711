package blocks_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"tarn/embedded/bus/blocks"
	"tarn/embedded/disk"
)

// TestForgottenFilesAreReadFromTheDisk asks the kernel whether it has the file in memory.
func TestForgottenFilesAreReadFromTheDisk(t *testing.T) {
	f := blocks.Folder{Path: filepath.Join(t.TempDir(), "S"), Disk: disk.Local}
	path := filepath.Join(f.Path, "msgs/1.blk")
	if err := disk.Local.WriteFile(path, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	cached := func() bool {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		_, err = unix.Preadv2(int(file.Fd()), [][]byte{make([]byte, 4096)}, 512<<10, unix.RWF_NOWAIT)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Skipf("this file system does not tell: %v", err)
		}
		return err == nil
	}
	if !cached() {
		t.Skip("this file system does not keep what was written in memory")
	}
	f.Forget()
	if cached() {
		t.Fatal("the file is still in memory")
	}
}
