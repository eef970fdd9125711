package proof

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Disk is an ext4 whose power can be cut. Its image lies on an XFS that shares blocks, so
// a cut clones the image in one call, atomic, and mounts the clone: the file system
// recovers its journal as after a crash, and what was not synced is gone. It cannot show
// torn sectors, nor a disk that lies about its syncs.
type Disk struct {
	base string
	Live string // where the disk is mounted
}

// The sizes of the images, which are sparse.
const (
	diskMB  = 4096
	outerMB = 2*diskMB + 512
)

// DiskMissing tells in one line why this machine cannot cut power; "" where it can.
func DiskMissing() string {
	if os.Geteuid() != 0 {
		return "power cuts need root"
	}
	for _, tool := range []string{"mkfs.xfs", "mkfs.ext4", "losetup", "findmnt", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "power cuts need " + tool + ": apt install xfsprogs e2fsprogs mount util-linux"
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return "power cuts need loop devices: modprobe loop"
	}
	return ""
}

// NewDisk makes a disk below a folder and mounts it. The long commit interval of its
// journal keeps what nobody synced off it.
func NewDisk(base string) (*Disk, error) {
	d := &Disk{base: base, Live: filepath.Join(base, "live")}
	for _, sub := range []string{"outer", "live", "after"} {
		if err := os.MkdirAll(filepath.Join(base, sub), 0o755); err != nil {
			return nil, err
		}
	}
	image := filepath.Join(base, "outer", "live.img")
	err := d.steps(
		func() error { return sparse(filepath.Join(base, "outer.img"), outerMB) },
		func() error {
			return command("mkfs.xfs", "-q", "-f", "-m", "reflink=1", filepath.Join(base, "outer.img"))
		},
		func() error { return mount(filepath.Join(base, "outer.img"), filepath.Join(base, "outer")) },
		func() error { return sparse(image, diskMB) },
		func() error { return command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", image) },
		func() error { return mount(image, d.Live, "-o", "commit=600") },
	)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Disk) steps(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Cut cuts the power of the disk as it is now; Settle mounts what is left.
func (d *Disk) Cut() error {
	if err := unmount(d.After()); err != nil {
		return err
	}
	image := filepath.Join(d.base, "outer", "after.img")
	if err := os.Remove(image); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	from, err := os.Open(filepath.Join(d.base, "outer", "live.img"))
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := os.Create(image)
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlFileClone(int(to.Fd()), int(from.Fd())), to.Close())
}

// Settle mounts what the last cut left at After.
func (d *Disk) Settle() error {
	return mount(filepath.Join(d.base, "outer", "after.img"), d.After())
}

// After is where Settle mounts what the last cut left.
func (d *Disk) After() string { return filepath.Join(d.base, "after") }

// Close unmounts and removes everything.
func (d *Disk) Close() error {
	err := errors.Join(unmount(d.After()), unmount(d.Live), unmount(filepath.Join(d.base, "outer")))
	if err != nil {
		return err
	}
	return os.RemoveAll(d.base)
}

func sparse(path string, mb int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(mb<<20), f.Close())
}

// mount mounts an image; the loop device goes with the mount.
func mount(image, at string, options ...string) error {
	device, err := output("losetup", "-f", "--show", image)
	if err != nil {
		return err
	}
	err = command("mount", append(options, device, at)...)
	// Detaching a busy device makes it go at the unmount.
	return errors.Join(err, command("losetup", "-d", device))
}

func unmount(at string) error {
	if mounted := command("mountpoint", "-q", at) == nil; mounted {
		return command("umount", at)
	}
	return nil
}

func command(name string, args ...string) error {
	_, err := output(name, args...)
	return err
}

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Instead is a command that runs another with some folders replaced by others, for that
// process alone: what a cut left stands where the disk stood, so that every path in it
// means what it meant.
func Instead(replace map[string]string) []string {
	script, args := "", []string{}
	for at, by := range replace {
		script += `mount --bind "$1" "$2" && shift 2 && `
		args = append(args, by, at)
	}
	return append([]string{"unshare", "-m", "--propagation", "private", "sh", "-c", script + `exec "$@"`, "sh"}, args...)
}

// LockDatabase takes a SQLite database for this process alone, as a writer in the midst of
// a commit does, until release is called. This process must not open the database meanwhile.
func LockDatabase(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	// The bytes that SQLite locks: pending, reserved and shared, from 1 GiB on.
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 0x40000000, Len: 512}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// SyncAll puts everything of the file system below a folder on its disk.
func SyncAll(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
