package datadir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/datadir"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
)

func TestOneTarnAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	d, err := datadir.Open(path, disk.Local)
	if err != nil {
		t.Fatal(err)
	}
	_, err = datadir.Open(path, disk.Local)
	if fault.CodeOf(err) != fault.Locked || !strings.Contains(fault.HintOf(err), "process ") {
		t.Fatalf("second Open: %v, hint %q", err, fault.HintOf(err))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := datadir.Open(path, disk.Local)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

func TestVersionsThatAreNotOurs(t *testing.T) {
	for content, want := range map[string]fault.Code{"2\n": fault.Invalid, "": fault.Damaged, "one": fault.Damaged} {
		path := t.TempDir()
		if err := os.WriteFile(filepath.Join(path, "VERSION"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := datadir.Open(path, disk.Local); fault.CodeOf(err) != want || fault.HintOf(err) == "" {
			t.Errorf("VERSION %q: %v", content, err)
		}
	}
}

func TestAFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := datadir.Open(filepath.Join(file, "data"), disk.Local)
	if fault.CodeOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
}
