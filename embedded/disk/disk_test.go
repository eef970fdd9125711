package disk_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
		if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
			t.Errorf("after a failing %s there are %v", op, names)
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

// TestEveryOperationAsksTheHook: what it says no to is not done.
func TestEveryOperationAsksTheHook(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	var refused string
	fs := &disk.FS{Hook: func(op, _ string) error {
		if op == refused {
			return boom
		}
		return nil
	}}
	created := func(work func(*disk.File) error) func() error {
		return func() error {
			f, err := fs.Create(filepath.Join(dir, "file"))
			if err != nil {
				return err
			}
			return errors.Join(work(f), f.Close())
		}
	}
	content := func(f *disk.File) error { _, err := f.Write([]byte("12")); return err }
	for name, c := range map[string]struct {
		op   string
		work func() error
	}{
		"create":       {"create", created(content)},
		"write":        {"write", created(content)},
		"write string": {"write", created(func(f *disk.File) error { _, err := f.WriteString("12"); return err })},
		"read from":    {"write", created(func(f *disk.File) error { _, err := f.ReadFrom(strings.NewReader("12")); return err })},
		"copy to":      {"write", created(func(f *disk.File) error { _, err := io.Copy(f, strings.NewReader("12")); return err })},
		"close":        {"sync", created(content)},
		"close, above": {"syncdir", created(content)},
		"sync":         {"sync", func() error { return fs.Sync(there) }},
		"sync, above":  {"syncdir", func() error { return fs.Sync(there) }},
		"rename":       {"rename", func() error { return fs.Rename(there, there+"2") }},
		"remove":       {"remove", func() error { return fs.Remove(there) }},
		"mkdir":        {"mkdir", func() error { return fs.MkdirAll(filepath.Join(dir, "a", "b")) }},
		"mkdir, above": {"syncdir", func() error { return fs.MkdirAll(filepath.Join(dir, "a")) }},
		"create below": {"mkdir", func() error { _, err := fs.Create(filepath.Join(dir, "c", "d")); return err }},
		"free":         {"free", func() error { _, err := fs.Free(dir); return err }},
	} {
		refused = c.op
		if err := c.work(); !errors.Is(err, boom) {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "file")); err == nil && c.op == "write" && info.Size() != 0 {
			t.Errorf("%s wrote %d bytes", name, info.Size())
		}
		refused = ""
		_ = os.RemoveAll(filepath.Join(dir, "a"))
		_ = os.Remove(filepath.Join(dir, "file"))
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 || names[0].Name() != "there" {
		t.Errorf("the folder holds %v", names)
	}
}

func TestAShortWriteLeavesHalf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	fs := &disk.FS{Hook: func(op, _ string) error {
		if op == "write" {
			return fmt.Errorf("injected: %w", io.ErrShortWrite)
		}
		return nil
	}}
	f, err := fs.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.Write([]byte("123456")); n != 3 || !errors.Is(err, io.ErrShortWrite) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	_ = f.Close()
	if got, _ := os.ReadFile(path); string(got) != "123" {
		t.Fatalf("the file holds %q", got)
	}
	if err := fs.WriteFile(path, []byte("abcdef")); !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "123" {
		t.Fatalf("a file that is written whole or not at all holds %q", got)
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
