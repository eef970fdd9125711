package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tarn/embedded/disk"
)

func TestAFileAppearsWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "file")
	if err := disk.Local.WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"create", "write", "sync", "rename"} {
		boom := errors.New("boom")
		fs := &disk.FS{Hook: func(got, _ string) error {
			if got == op {
				return boom
			}
			return nil
		}}
		if err := fs.WriteFile(path, []byte("new")); !errors.Is(err, boom) {
			t.Errorf("%s: %v", op, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
			t.Errorf("after a failing %s the file holds %q, %v", op, got, err)
		}
	}
	if err := disk.Local.WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestCloseSyncsTheFileThenItsFolder(t *testing.T) {
	dir := t.TempDir()
	var ops []string
	fs := &disk.FS{Hook: func(op, _ string) error { ops = append(ops, op); return nil }}
	f, err := fs.Create(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"create", "write", "sync", "syncdir"}; !slices.Equal(ops, want) {
		t.Fatalf("got %v, want %v", ops, want)
	}
}

func TestFree(t *testing.T) {
	if n, err := disk.Local.Free(t.TempDir()); err != nil || n == 0 {
		t.Fatalf("got %d, %v", n, err)
	}
	if err := disk.Local.Remove(filepath.Join(t.TempDir(), "nothing")); err != nil {
		t.Fatal(err)
	}
}
