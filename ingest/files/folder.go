package files

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What identifies a file beside its inode: this much of its beginning, and of the end of what is read.
const (
	headBytes = 1024
	tailBytes = 256
)

// copiesMax bounds the truncated files whose copies are looked for.
const copiesMax = 100

// entry is a regular file of the directory, as one look found it.
type entry struct {
	name          string
	device, inode uint64
	size          int64
	modified      int64
	file          *file // which it is
	trouble       bool  // it cannot be read now
}

// inode is what a file is while it is there, whatever its name.
type inode struct{ device, number uint64 }

func (e *entry) id() inode { return inode{e.device, e.inode} }

var errChanged = errors.New("the file is another one now")

// errMoved tells that an entry has another name since the look, or is gone: it may be the file all the same.
var errMoved = errors.New("the file was moved since the look")

// listings bounds how often a directory is read until two readings agree.
const listings = 5

// list reads the directory until it has the same files twice: while a log is rotated, one reading may have its
// successor and not itself. A directory that never holds still is taken as it was read last.
func list(root *os.Root, wanted func(name string) bool) (entries []*entry, err error) {
	for range listings {
		before := entries
		if entries, err = listOnce(root, wanted); err != nil {
			return nil, err
		}
		same := func(a, b *entry) bool { return a.name == b.name && a.id() == b.id() }
		if before != nil && slices.EqualFunc(before, entries, same) {
			break
		}
	}
	return entries, nil
}

// listOnce reads the directory, in order of name. What is no regular file is left out, and so are links; of a file
// with several names, the first that is wanted counts.
func listOnce(root *os.Root, wanted func(name string) bool) ([]*entry, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	out, named := []*entry{}, map[inode]*entry{}
	for _, name := range names {
		info, err := root.Lstat(name)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue // it has gone since
			}
			return nil, err
		}
		e := entryOf(name, info)
		if e == nil {
			continue
		}
		if first := named[e.id()]; first == nil {
			named[e.id()] = e
			out = append(out, e)
		} else if !wanted(first.name) && wanted(name) {
			first.name = name
		}
	}
	return out, nil
}

func entryOf(name string, info fs.FileInfo) *entry {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return nil
	}
	return &entry{name: name, device: uint64(stat.Dev), inode: stat.Ino, size: info.Size(), modified: info.ModTime().UnixNano()} //nolint:gosec,unconvert,nolintlint // int32 on some systems
}

// open opens the file that a look found, and no other that has its name now.
func (e *entry) open(root *os.Root) (*os.File, error) {
	f, err := root.OpenFile(e.name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	now, err := e.stat(f)
	if err == nil && (now.device != e.device || now.inode != e.inode) {
		err = errChanged
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// stat is the open file as it is now.
func (e *entry) stat(f *os.File) (*entry, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := entryOf(e.name, info)
	if now == nil {
		return nil, errChanged
	}
	return now, nil
}

// sumOf identifies a file that is read up to there.
func sumOf(r io.ReaderAt, end int64) (string, error) {
	h := sha256.New()
	head := min(end, headBytes)
	tail := min(end-head, tailBytes)
	for _, part := range []io.Reader{io.NewSectionReader(r, 0, head), io.NewSectionReader(r, end-tail, tail)} {
		if _, err := io.Copy(h, part); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d:%s", head+tail, hex.EncodeToString(h.Sum(nil)[:12])), nil
}

// holds tells whether an entry has the bytes that were read of a file.
func (e *entry) holds(root *os.Root, f *file) (bool, error) {
	if e.size < f.Bytes {
		return false, nil
	}
	if f.Bytes == 0 {
		return true, nil
	}
	r, err := e.open(root)
	if errors.Is(err, errChanged) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return false, errMoved
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = r.Close() }()
	sum, err := sumOf(r, f.Bytes)
	return sum == f.Sum, err
}

// unchanged tells that a file is as it was when it was read to its end last.
func (e *entry) unchanged(f *file) bool { return e.size == f.Bytes && e.modified == f.Modified }

// matcher finds out which file each entry of a look is.
type matcher struct {
	root    *os.Root
	p       *position
	tail    bool
	claimed map[*file]bool
	tell    func(format string, args ...any)
	trouble func(name string, err error)
}

// holds tells whether an entry has what was read of a file. One that cannot be read, or was moved since, is left for
// the next look: taken for another file, it would be read twice.
func (m *matcher) holds(e *entry, f *file) bool {
	ok, err := e.holds(m.root, f)
	if err != nil {
		if !errors.Is(err, errMoved) {
			m.trouble(e.name, err)
		}
		e.trouble, m.claimed[f] = true, true
	}
	return ok && err == nil
}

// match gives each entry its file: that of its inode, else that of its name, where in either case the bytes
// that were read are there still. What is left is new, if it is wanted.
func (m *matcher) match(entries []*entry, wanted func(name string) bool) {
	m.claimed = map[*file]bool{}
	inodes, names := map[inode]*file{}, map[string]*file{}
	for _, f := range m.p.Files {
		if f.Inode != 0 {
			inodes[inode{f.Device, f.Inode}] = f
		}
		names[f.Name] = f
	}
	for _, e := range entries {
		f := inodes[e.id()]
		if f == nil {
			continue
		}
		if m.is(e, f) {
			m.claim(e, f)
			continue
		}
		if e.trouble {
			continue
		}
		if e.name == f.Name && f.Bytes > 0 {
			m.tell("file %s was truncated or written anew: it is read from its beginning", f.Name)
		}
		f.Inode = 0 // it is no more what it was
	}
	for _, e := range entries {
		f := names[e.name]
		if e.free() && f != nil && !m.claimed[f] && f.Inode != 0 && m.holds(e, f) {
			m.claim(e, f)
		}
	}
	m.copies(entries)
	m.register(entries, wanted)
}

// free tells that nobody knows yet which file the entry is.
func (e *entry) free() bool { return e.file == nil && !e.trouble }

// is tells whether an entry with a file's inode is that file. A file that was read to its end and has another
// name now is the same only as it was, or as a log that grew: inodes are used again.
func (m *matcher) is(e *entry, f *file) bool {
	if e.unchanged(f) {
		return true
	}
	if e.name != f.Name && f.Modified != 0 && (!m.tail || e.size == f.Bytes) {
		return false
	}
	return m.holds(e, f)
}

func (m *matcher) claim(e *entry, f *file) {
	m.claimed[f] = true
	e.file = f
	f.Name, f.Device, f.Inode = e.name, e.device, e.inode
	if e.size == f.Bytes {
		f.Modified = e.modified
	}
}

// copies finds the copy of a log that was truncated behind it: what of it was not read is read there.
func (m *matcher) copies(entries []*entry) {
	if !m.tail {
		return
	}
	looked := 0
	for _, f := range slices.Backward(m.p.Files) {
		if f.Inode != 0 || f.Bytes == 0 || m.claimed[f] {
			continue
		}
		if looked++; looked > copiesMax {
			return
		}
		for _, e := range entries {
			rest, ok := strings.CutPrefix(e.name, f.Name)
			if ok && e.free() && rest != "" && (rest[0] == '.' || rest[0] == '-') && m.holds(e, f) {
				m.claim(e, f)
				break
			}
		}
	}
}

// register numbers the new files, the oldest first.
func (m *matcher) register(entries []*entry, wanted func(name string) bool) {
	var fresh []*entry
	for _, e := range entries {
		if e.free() && wanted(e.name) {
			fresh = append(fresh, e)
		}
	}
	slices.SortStableFunc(fresh, func(a, b *entry) int { return cmp.Compare(a.modified, b.modified) })
	for _, e := range fresh {
		m.p.Last++
		f := &file{Number: m.p.Last, Name: e.name, Device: e.device, Inode: e.inode}
		m.p.Files = append(m.p.Files, f)
		m.claimed[f] = true
		e.file = f
	}
}

// forget drops files that are gone, the oldest first, until there is room. It tells whether there is.
func (m *matcher) forget() bool {
	over := len(m.p.Files) - filesMax
	m.p.Files = slices.DeleteFunc(m.p.Files, func(f *file) bool {
		gone := over > 0 && !m.claimed[f]
		if gone {
			over--
		}
		return gone
	})
	return over <= 0
}

// calm is since when a file has looked the same.
type calm struct {
	size, modified int64
	since          time.Time
}
