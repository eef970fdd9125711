package blocks_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"tarn/embedded/bus/blocks"
	"tarn/embedded/disk"
	"tarn/embedded/peertest"
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
			peertest.Missing(t, "the file system of "+path+" does not tell what is in memory, set TMPDIR to a folder on ext4, xfs or btrfs: "+err.Error())
		}
		return err == nil
	}
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if !cached() {
		peertest.Missing(t, "the file system of "+path+" keeps nothing in memory, set TMPDIR to a folder on ext4, xfs or btrfs")
	}
	f.Forget()
	if cached() {
		t.Fatal("the file is still in memory")
	}
}
