package proof_test

import (
	"os"
	"path/filepath"
	"testing"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// disk is a disk whose power can be cut.
func disk(t *testing.T) *proof.Disk {
	t.Helper()
	if missing := proof.DiskMissing(); missing != "" {
		peertest.Missing(t, missing)
	}
	d, err := proof.NewDisk(filepath.Join(t.TempDir(), "disk"))
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestDiskForgets proves the disk: a cut keeps what was synced and only that.
func TestDiskForgets(t *testing.T) {
	d := disk(t)
	put := func(name string, sync bool) {
		f, err := os.Create(filepath.Join(d.Live, name))
		must(t, err)
		_, err = f.WriteString("kept")
		must(t, err)
		if sync {
			must(t, f.Sync())
		}
		must(t, f.Close())
	}
	put("synced", true)
	put("unsynced", false)
	must(t, d.Cut())
	must(t, d.Settle())
	after := d.After()
	if content, err := os.ReadFile(filepath.Join(after, "synced")); err != nil || string(content) != "kept" {
		t.Errorf("what was synced is %q, %v", content, err)
	}
	if content, err := os.ReadFile(filepath.Join(after, "unsynced")); err == nil && string(content) == "kept" {
		t.Error("the disk kept what nobody synced: the proofs on it prove nothing")
	}
}
