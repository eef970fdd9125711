package bus_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tarn/embedded/bus"
	"tarn/embedded/peertest"
)

// thinDisk is a disk that fails to sync once what lies under it is full: a file system on a
// sparse image. What it could not write stays in memory, as clean, as with a disk that dies.
type thinDisk struct {
	t                    testing.TB
	under, loop, mounted string
}

func newThinDisk(t testing.TB) *thinDisk {
	t.Helper()
	d := &thinDisk{t: t, under: filepath.Join(t.TempDir(), "under"), mounted: filepath.Join(t.TempDir(), "mounted")}
	for _, dir := range []string{d.under, d.mounted} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("tmpfs", d.under, "tmpfs", 0, "size=64m"); err != nil {
		peertest.Missing(t, "a disk that fails needs the right to mount, be root: "+err.Error())
	}
	t.Cleanup(func() { _ = unix.Unmount(d.under, unix.MNT_DETACH) }) // the loop device may let go of it later
	image := filepath.Join(d.under, "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 256<<20); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"mkfs.ext2", "-q", "-b", "4096", image}, {"losetup", "-f", "--show", image}} {
		out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
		if err != nil {
			peertest.Missing(t, fmt.Sprintf("a disk that fails needs %s (e2fsprogs, mount, and the loop devices of the kernel): %v: %s", command[0], err, out))
		}
		d.loop = strings.TrimSpace(string(out))
	}
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", d.loop).Run() }) //nolint:noctx // the test's context has ended
	d.mount()
	t.Cleanup(func() { _ = unix.Unmount(d.mounted, 0) })
	return d
}

func (d *thinDisk) mount() {
	d.t.Helper()
	if err := unix.Mount(d.loop, d.mounted, "ext2", 0, ""); err != nil {
		peertest.Missing(d.t, "a disk that fails needs a kernel that mounts ext2: "+err.Error())
	}
}

// cut takes the power away: only what the disk has is there afterwards.
func (d *thinDisk) cut() {
	d.t.Helper()
	if err := unix.Unmount(d.mounted, 0); err != nil {
		d.t.Fatal(err)
	}
	d.mount()
}

func (d *thinDisk) filler() string { return filepath.Join(d.under, "filler") }

// fill leaves no room under the disk.
func (d *thinDisk) fill() {
	d.t.Helper()
	f, err := os.Create(d.filler())
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size >= 4096; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
}

// TestWhatFailedToSyncIsNotTakenForStored: the server refuses an append when the sync fails;
// read again from memory it would be there, and be gone after a power cut.
func TestWhatFailedToSyncIsNotTakenForStored(t *testing.T) {
	d := newThinDisk(t)
	h := open(t, func(o *bus.Options) {
		o.Dir, o.CacheBytes = d.mounted, 0
		o.WithAckTimeout(2 * time.Second)
		o.WithFree(func(string) (uint64, error) { return 1 << 40, nil })
	})
	p := h.partition("t", bus.TopicConfig{})
	size := func() int {
		st, err := os.Stat(filepath.Join(d.mounted, "jetstream/TARN/streams/t@0/msgs/1.blk"))
		if err != nil {
			t.Fatal(err)
		}
		return int(st.Size())
	}
	// Each append takes exactly one page: of a longer write that fails in its middle, the
	// kernel's loop device tells nobody. From offset 100 on records are of one length.
	const page, small = 4096, 1000
	for range 101 {
		h.append(p, batch("small"))
	}
	before := size()
	h.append(p, batch(strings.Repeat("x", small)))
	over := size() - before - small
	h.append(p, batch(strings.Repeat("x", small+page-(size()+small+over)%page)))
	if size()%page != 0 {
		t.Fatalf("the file has %d bytes", size())
	}
	d.fill()
	acked := 103
	for ; ; acked++ {
		_, err := p.Append(t.Context(), batch(strings.Repeat("x", page-over)))
		if err != nil {
			if !errors.Is(err, bus.ErrRetry) {
				t.Fatal(err)
			}
			break
		}
		if acked > 900 {
			peertest.Missing(t, "the kernel tells no error of a disk that has no room under it: run this on Linux with a loop device that does")
		}
	}
	if err := os.Remove(d.filler()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the log to recover", func() bool { return bus.Well(p) })
	seen := h.read(p, 0, 1<<20)
	h.close()
	d.cut()
	h.open()
	got := h.read(h.partition("t", bus.TopicConfig{}), 0, 1<<20)
	if len(seen) != acked || fmt.Sprint(got) != fmt.Sprint(seen) {
		t.Fatalf("%d records were in the log, after a power cut %d are", len(seen), len(got))
	}
	h.insist(h.partition("t", bus.TopicConfig{}), batch("on"))
	h.close()
}
