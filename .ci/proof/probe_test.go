package proof_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	proof "tarn/.ci/proof"
	tarndisk "tarn/embedded/disk"
	"tarn/embedded/peertest"
)

// TestProbe: where a disk takes no writes, though it says that it has room, a probe tells at once, and at once that it takes them again.
func TestProbe(t *testing.T) {
	if missing := proof.SmallDiskMissing("btrfs"); missing != "" {
		peertest.Missing(t, missing)
	}
	d, err := proof.NewSmallDisk("btrfs", filepath.Join(t.TempDir(), "disk"), smallMB)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	must(t, tarndisk.Local.WriteFile(filepath.Join(d.Path, "used"), make([]byte, 4<<20))) // more than the quota lets be
	p, err := tarndisk.OpenProbe(d.Path)
	must(t, err)
	defer func() { must(t, p.Close()) }()
	for range 3 {
		must(t, p.Ask())
		must(t, d.Quota(true))
		if err := p.Ask(); !errors.Is(err, syscall.EDQUOT) {
			t.Errorf("under a quota that is used up: %v", err)
		}
		must(t, d.Quota(false))
	}
}
