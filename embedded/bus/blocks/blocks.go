// Package blocks looks after the files in which the embedded server keeps a stream, while no
// server runs on them. When the server cannot go by its index, after a crash above all, it
// reads every file and cuts it off at the first record that is damaged, with all that is whole
// behind it. So the damaged records are taken out here before, and told; a copy of the file
// is kept. Where nothing is damaged the index is written, of the newest file and of what is known of the others, so that the
// server reads none of them. It is the server's own format, which a test holds against the server, byte for byte.
package blocks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/disk"
)

// Limits of what is read and kept.
const (
	fileBytesMax = 64 << 20 // the server begins another file behind 8 MiB, a message has 32 MiB at most
	copiesMax    = 64       // copies of damaged files
)

// indexVersion is the version of index.db that is understood: of another one the server may
// think otherwise, so every file is looked at.
const indexVersion = 4

// Damage is what was found in one file of a stream.
type Damage struct {
	File        string // the damaged file
	Copy        string // a copy of it as it was found; "" where none was needed, or could be kept
	First, Last uint64 // the messages that it lost, by the stream's sequences; 0 where it is not known
}

// Folder is a stream's folder, of which the last name is the stream's.
type Folder struct {
	Path   string
	Copies string // the folder for copies of damaged files
	Disk   *disk.FS
}

func (f Folder) stream() string { return filepath.Base(f.Path) }

func (f Folder) messages() string { return filepath.Join(f.Path, "msgs") }

// Check looks at a stream's files before the server does, and mends those that it would cut
// off. With an error the server must not be given the folder: what it holds is unknown. Of a log without
// damage, files whose seals hold are not read, by the server neither. stale tells that the server's index was not of these files.
func (f Folder) Check(seals map[int]Seal) (found []Damage, stale bool, err error) {
	if err := f.checkDescription(); err != nil {
		return nil, false, err
	}
	files, err := f.files()
	if err != nil || len(files) == 0 {
		return nil, false, err
	}
	indexed, err := f.indexHolds(files)
	if err != nil {
		return nil, false, err
	}
	if indexed {
		// Of the newest file, which few have read yet, no more is to be lost than is damaged.
		if ok, err := f.wholeFile(files[len(files)-1]); ok || err != nil {
			return nil, false, err
		}
	} else if f.reindex(files, seals) {
		return nil, true, nil
	}
	if err := f.known(files); err != nil {
		return nil, true, err
	}
	if indexed { // the server is to read what is there
		if err := f.Disk.Remove(f.index()); err != nil {
			return nil, true, err
		}
	}
	var last uint64
	for i, n := range files {
		more, end, err := f.checkFile(n, last, i+1 == len(files))
		if err != nil {
			return found, true, err
		}
		found, last = append(found, more...), max(last, end)
	}
	return found, true, nil
}

// known tells whether the files are of the format that is known here. In another one nothing
// would be whole, and all would be taken out.
func (f Folder) known(files []int) error {
	for _, n := range files {
		buf, err := readWhole(f.File(n))
		if err != nil {
			return err
		}
		s, at := f.summer(n), 0
		if len(buf) > 0 {
			if _, ok := s.read(buf, 0); !ok {
				at = s.next(buf, 0, 0)
			}
		}
		if at < len(buf) {
			return nil
		}
		if records := chain(buf); records > 1 {
			return fmt.Errorf("none of the %d records of %s is as the server is known to write it", records, f.File(n))
		}
	}
	return nil
}

// summer is the one of a file's records.
func (f Folder) summer(n int) summer { return newSummer(fmt.Sprintf("%s-%d", f.stream(), n)) }

// checkDescription puts a description of the stream that the server would not take out of the
// way: the stream is made anew upon its files then, by what meta.db knows of its topic.
func (f Folder) checkDescription() error {
	inf, sum := filepath.Join(f.Path, "meta.inf"), filepath.Join(f.Path, "meta.sum")
	text, errInf := os.ReadFile(inf)
	want, errSum := os.ReadFile(sum)
	for _, err := range []error{errInf, errSum} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	right := hex.EncodeToString(newSummer(f.stream()).sum(text))
	if errInf == nil && errSum == nil && right == string(want) {
		return nil
	}
	if errInf == nil && errSum != nil && json.Valid(text) {
		return f.Disk.WriteFile(sum, []byte(right)) // barred before, or lost
	}
	if errInf == nil {
		if _, err := f.keep(f.stream()+".meta.inf", text); err != nil {
			return err
		}
	}
	return errors.Join(f.Disk.Remove(inf), f.Disk.Remove(sum))
}

// Bar keeps the server off the folder until it is checked the next time.
func (f Folder) Bar() error { return f.Disk.Remove(filepath.Join(f.Path, "meta.sum")) }

// files lists the numbers of the stream's files in order.
func (f Folder) files() ([]int, error) {
	list, err := os.ReadDir(f.messages())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	var out []int
	for _, e := range list {
		number, isBlock := strings.CutSuffix(e.Name(), ".blk")
		if n, err := strconv.Atoi(number); isBlock && err == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// File is the path of a file by its number.
func (f Folder) File(n int) string { return filepath.Join(f.messages(), strconv.Itoa(n)+".blk") }

func (f Folder) index() string { return filepath.Join(f.messages(), "index.db") }

// wholeFile tells whether nothing of a file is damaged.
func (f Folder) wholeFile(n int) (bool, error) {
	buf, err := readWhole(f.File(n))
	if err != nil {
		return false, err
	}
	was := slices.Clone(buf)
	_, holes := f.summer(n).scan(buf, 0)
	return len(holes) == 0 && bytes.Equal(buf, was), nil
}

// indexHolds tells whether the server will go by its index: it was written for these files,
// at a clean stop, and nothing was appended since.
func (f Folder) indexHolds(files []int) (bool, error) {
	buf, err := os.ReadFile(f.index())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	x, err := newSummer(f.stream()).readIndex(buf)
	newest := files[len(files)-1]
	if err != nil || buf[1] != indexVersion || uint64(len(files)) != x.files || uint64(files[0]) != x.first || newest-files[0]+1 != len(files) { //nolint:gosec // numbers of files
		return false, nil //nolint:nilerr // the server reads its files then
	}
	tail, err := tailOf(f.File(newest))
	return err == nil && bytes.Equal(tail, x.tail), err
}

// tailOf reads a file's last bytes: the checksum of its last record, zeros without one.
func tailOf(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	tail := make([]byte, checksumBytes)
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end < checksumBytes {
		return tail, err
	}
	_, err = file.ReadAt(tail, end-checksumBytes)
	return tail, err
}

// checkFile looks at one file, and takes out what is damaged. last is the sequence that the
// files before end with; end is the one that this file ends with.
func (f Folder) checkFile(n int, last uint64, newest bool) (found []Damage, end uint64, err error) {
	s := f.summer(n)
	path := f.File(n)
	buf, err := readWhole(path)
	if err != nil {
		return nil, 0, err
	}
	was := slices.Clone(buf)
	all, holes := s.scan(buf, last)
	for _, e := range all {
		if !e.tombstone {
			end = max(end, e.seq)
		}
	}
	if k := len(holes); newest && k > 0 && holes[k-1].end == len(buf) && holes[k-1].behind == 0 && torn(buf, holes[k-1]) {
		buf = buf[:holes[k-1].at] // the server cuts it off too
		was = was[:len(buf)]
		holes = holes[:k-1]
	}
	if len(holes) == 0 && bytes.Equal(buf, was) {
		return nil, end, nil
	}
	whole, found, end := s.mend(buf, all, holes, end)
	kept, err := f.keep(fmt.Sprintf("%s.%d.blk", f.stream(), n), was)
	if err != nil {
		return nil, 0, fmt.Errorf("keep a copy of damaged file %s: %w", path, err)
	}
	for i := range found {
		found[i].File, found[i].Copy = path, kept
	}
	if err := f.Disk.WriteFile(path, whole); err != nil {
		return nil, 0, fmt.Errorf("mend damaged file %s: %w", path, err)
	}
	return found, end, nil
}

// mend renders a file without its holes. The sequences that are lost at the ends of the stream
// stay taken: one at its end would be given out again, and the log start goes by the first.
func (s summer) mend(buf []byte, all []entry, holes []hole, last uint64) (whole []byte, found []Damage, end uint64) {
	end = last
	at := 0 // in all
	for _, h := range holes {
		for ; at < len(all) && all[at].at < h.at; at++ {
			whole = append(whole, buf[all[at].at:all[at].end]...)
		}
		d := Damage{First: h.before + 1, Last: h.behind - 1}
		i := slices.IndexFunc(all, func(e entry) bool { return e.at >= h.end && !e.tombstone })
		switch {
		case i < 0:
			d.Last = max(s.claimed(buf, h), d.First)
			whole, end = append(whole, s.erased(d.Last)...), max(end, d.Last)
		case h.before == 0 && d.Last > 0 && !all[i].erased:
			d.First = d.Last
			whole = append(whole, s.placeholder(d.Last, buf[all[i].at:])...)
		}
		found = append(found, d)
	}
	for ; at < len(all); at++ {
		whole = append(whole, buf[all[at].at:all[at].end]...)
	}
	return whole, found, end
}

// readWhole reads a file, which is not larger than the server makes them.
func readWhole(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > fileBytesMax {
		return nil, fmt.Errorf("%s has %d bytes, more than the server writes into one file", path, st.Size())
	}
	buf := make([]byte, st.Size())
	_, err = io.ReadFull(file, buf)
	return buf, err
}

// keep writes a copy of damaged content, unless the very same is kept already.
func (f Folder) keep(name string, content []byte) (string, error) {
	list, err := os.ReadDir(f.Copies)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if len(list) >= copiesMax {
		return "", nil
	}
	for i := 1; ; i++ {
		path := filepath.Join(f.Copies, name)
		if i > 1 {
			path += "." + strconv.Itoa(i)
		}
		old, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return path, f.Disk.WriteFile(path, content)
		case err != nil:
			return "", err
		case bytes.Equal(old, content):
			return path, nil
		}
	}
}
