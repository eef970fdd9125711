package proof

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SmallDisk is a disk that another program fills: a file system on an image of its own.
type SmallDisk struct {
	base string
	mnt  string // where it is mounted
	Path string // where it may be written, mnt or a folder of it
}

// SmallDiskMissing tells in one line why this machine cannot make one; "" where it can.
func SmallDiskMissing(kind string) string {
	if os.Geteuid() != 0 {
		return "a small disk needs root"
	}
	for _, tool := range []string{"mkfs." + kind, "losetup"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "a small disk needs " + tool + ": apt install xfsprogs e2fsprogs btrfs-progs mount"
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return "a small disk needs loop devices: modprobe loop"
	}
	return ""
}

// NewSmallDisk makes and mounts a disk of a kind ("ext4", "xfs", "btrfs") below a folder.
func NewSmallDisk(kind, base string, mb int64) (*SmallDisk, error) {
	d := &SmallDisk{base: base, mnt: filepath.Join(base, "small"), Path: filepath.Join(base, "small")}
	if err := os.MkdirAll(d.mnt, 0o755); err != nil {
		return nil, err
	}
	image, options := d.image(), []string{"-q"}
	if kind == "ext4" {
		options = append(options, "-F", "-m", "0") // root, too, finds it full
	}
	if err := sparse(image, mb); err != nil {
		return nil, err
	}
	if err := command("mkfs."+kind, append(options, image)...); err != nil {
		return nil, err
	}
	if kind == "ext4" {
		return d, mount(image, d.mnt, "-o", "errors=remount-ro")
	}
	if err := mount(image, d.mnt); err != nil || kind != "btrfs" {
		return d, err
	}
	d.Path = filepath.Join(d.mnt, "limited") // the one below it takes the orders
	if err := command("btrfs", "quota", "enable", d.mnt); err != nil {
		return d, err
	}
	return d, command("btrfs", "subvolume", "create", d.Path)
}

func (d *SmallDisk) image() string { return filepath.Join(d.base, "small.img") }

func (d *SmallDisk) filler() string { return filepath.Join(d.mnt, "filler") }

// Free is how many bytes may still be written.
func (d *SmallDisk) Free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(d.mnt, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil //nolint:gosec // no disk has 2^63 blocks
}

// Fill takes room as another program does, until about leave bytes are free: at 0 until
// the disk refuses one block more.
func (d *SmallDisk) Fill(leave int64) error {
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	for step := int64(1 << 30); step >= 4096; {
		free, err := d.Free()
		if err != nil {
			return err
		}
		if free-leave < 4096 && leave > 0 {
			return nil
		}
		if take := free - leave; take >= 4096 {
			step = min(step, take)
		}
		step &^= 4095
		err = unix.Fallocate(int(f.Fd()), 0, size, step) //nolint:gosec // a descriptor fits
		switch {
		case err == nil:
			size += step
		case errors.Is(err, unix.ENOSPC):
			step /= 2
		default:
			return err
		}
	}
	return nil
}

// Empty gives back what Fill took.
func (d *SmallDisk) Empty() error {
	if err := os.Remove(d.filler()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Quota makes a quota refuse every write to a btrfs, which says that it has room all the
// same, or none.
func (d *SmallDisk) Quota(on bool) error {
	limit := "none"
	if on {
		limit = "1M"
	}
	return command("btrfs", "qgroup", "limit", limit, "0/256", d.mnt)
}

// Break makes an ext4 refuse every write from now on, as the kernel does that has found a
// fault in it; Mend makes it whole and mounts it anew, which nobody may use meanwhile.
func (d *SmallDisk) Break() error {
	device, err := output("findmnt", "-n", "-o", "SOURCE", d.mnt)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(device), "trigger_fs_error"), []byte("1"), 0)
}

// Mend ends Break.
func (d *SmallDisk) Mend() error {
	if err := unmount(d.mnt); err != nil {
		return err
	}
	// Its exit code tells what it has mended; what it could not, the mount refuses.
	_ = command("e2fsck", "-f", "-y", d.image())
	return mount(d.image(), d.mnt, "-o", "errors=remount-ro")
}

// Close unmounts and removes everything.
func (d *SmallDisk) Close() error {
	if err := unmount(d.mnt); err != nil {
		return err
	}
	return os.RemoveAll(d.base)
}
