package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
)

// below makes a watched folder whose disk has less free than a share of its reserve.
func below(t *testing.T, share uint64) *disk.FS {
	t.Helper()
	dir := t.TempDir()
	free, err := disk.Local.Free(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &disk.FS{Dir: dir, Reserve: share * (free + free/8)}
}

func TestNoFileIsBegunBelowAQuarterOfTheReserve(t *testing.T) {
	fs := below(t, 1)
	path := filepath.Join(fs.Dir, "file")
	if err := fs.WriteFile(path, []byte("x")); err != nil {
		t.Errorf("below the reserve, above its quarter: %v", err)
	}
	if err := fs.Trouble(); fault.CodeOf(err) != fault.NoSpace || !strings.Contains(fault.HintOf(err), "disk.reserve") {
		t.Errorf("below the reserve it tells %v", err)
	}
	if err := fs.Blocked(); err != nil {
		t.Errorf("below the reserve work goes on, and is blocked by %v", err)
	}
	fs = below(t, disk.WorkShare)
	path = filepath.Join(fs.Dir, "file")
	if err := fs.WriteFile(path, []byte("x")); fault.CodeOf(err) != fault.NoSpace {
		t.Errorf("below a quarter: %v", err)
	}
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("a file was begun: %v", err)
	}
	if err := fs.Blocked(); fault.CodeOf(err) != fault.NoSpace {
		t.Errorf("below a quarter work is blocked by %v", err)
	}
}

// A quota and a read-only disk have room, by what they say.
func TestWritesThatFailAreTold(t *testing.T) {
	for _, failure := range []error{syscall.EDQUOT, syscall.EROFS, syscall.ENOSPC} {
		fails := true
		fs := &disk.FS{Dir: t.TempDir(), Reserve: 1, Hook: func(op, _ string) error {
			if op == "sync" && fails {
				return failure
			}
			return nil
		}}
		if err := fs.Trouble(); err != nil {
			t.Fatalf("before: %v", err)
		}
		if fs.Blocked() == nil {
			t.Errorf("%v: not blocked", failure)
		}
		if err := fs.Trouble(); err == nil || fault.HintOf(err) == "" {
			t.Errorf("%v is told as %v, with the hint %q", failure, err, fault.HintOf(err))
		}
		fails = false
		if err := fs.Blocked(); err != nil {
			t.Errorf("%v is over, and still it is blocked by %v", failure, err)
		}
		if err := fs.Trouble(); err != nil {
			t.Errorf("%v is over, and told as %v", failure, err)
		}
	}
}
