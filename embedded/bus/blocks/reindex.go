package blocks

import (
	"bytes"
	"encoding/binary"
	"os"
)

// The first bytes of an index.db.
const (
	indexMagic  = 11
	lastFileMax = 1 << 31 // of the numbers of files
)

// reindex writes the index that the server would have written at a clean stop, so that it need not read all files after a
// crash. Files whose seals hold are not read; the newest is, and those without a seal. False, with all as it was, where
// anything is not as in a log that only grows and is purged from its front: then every file is looked at, and the server
// reads them.
func (f Folder) reindex(files []int, seals map[int]Seal) bool {
	newest := len(files) - 1
	if files[newest]-files[0] != newest || files[newest] >= lastFileMax || f.purging() {
		return false
	}
	all := make([]Seal, len(files))
	var subject []byte
	var end []byte // of the newest file, whole, where a torn append is behind it
	purged := uint64(0)
	for i, n := range files {
		known, ok := seals[n]
		if all[i] = known; !ok || i == newest || !known.holds(f.File(n)) {
			if all[i], subject, end, ok = f.reread(n, 0, subject, i == newest); !ok {
				return false
			}
		}
		purged = max(purged, all[i].Purged)
	}
	if purged >= all[0].First {
		var ok bool
		if all[0], _, _, ok = f.reread(files[0], purged, subject, newest == 0); !ok {
			return false
		}
	}
	for i := range all[1:] {
		if all[i].Last+1 != all[i+1].First {
			return false
		}
	}
	if was, err := os.ReadFile(f.index()); err == nil {
		if x, err := newSummer(f.stream()).readIndex(was); err == nil && x.last > all[newest].Last {
			return false // the disk has lost an end that the server knows of
		}
	}
	if end != nil && f.Disk.WriteFile(f.File(files[newest]), end) != nil {
		return false
	}
	return f.Disk.WriteFile(f.index(), f.render(files[0], subject, all)) == nil
}

// purging tells whether the server was about to empty the stream, which it ends first.
func (f Folder) purging() bool {
	for _, name := range []string{"__new_msgs__", "__msgs__"} {
		if _, err := os.Stat(f.Path + string(os.PathSeparator) + name); !os.IsNotExist(err) {
			return true
		}
	}
	return false
}

// reread reads a file whole, without the messages up to purged. Of the newest, an end that is torn does not count: whole
// is the file without it then. All messages must be of one subject.
func (f Folder) reread(n int, purged uint64, subject []byte, newest bool) (s Seal, of, whole []byte, ok bool) {
	buf, err := readWhole(f.File(n))
	if err != nil {
		return s, nil, nil, false
	}
	was := bytes.Clone(buf)
	entries, holes := f.summer(n).scan(buf, 0)
	if k := len(holes); k == 1 && newest && holes[0].end == len(buf) && holes[0].behind == 0 && torn(buf, holes[0]) {
		buf, holes = buf[:holes[0].at], nil
		whole, was = buf, was[:len(buf)]
	}
	if len(holes) > 0 || len(entries) == 0 || !bytes.Equal(buf, was) {
		return s, nil, nil, false
	}
	for _, e := range entries {
		record := buf[e.at:e.end]
		if !e.tombstone && e.seq <= purged {
			s.Size += int64(len(record))
			continue
		}
		if !s.add(record, len(record)) {
			return s, nil, nil, false
		}
		if e.tombstone {
			continue
		}
		name := record[prefixBytes : prefixBytes+int(binary.LittleEndian.Uint16(record[20:]))]
		if subject == nil {
			subject = name
		}
		if !bytes.Equal(name, subject) {
			return s, nil, nil, false
		}
	}
	s.Tail = buf[len(buf)-checksumBytes:]
	return s, subject, whole, s.First > 0
}

// render is an index.db: of the stream, of its one subject, of each file, and the end of the newest.
func (f Folder) render(first int, subject []byte, all []Seal) []byte {
	newest := all[len(all)-1]
	begin, last := all[0].Begin, first+len(all)-1
	var bytes uint64
	for _, s := range all {
		bytes += s.Bytes
	}
	messages := newest.Last - all[0].First + 1
	out := []byte{indexMagic, indexVersion}
	put := func(v uint64) { out = binary.AppendUvarint(out, v) }
	time := func(v int64) { out = binary.AppendVarint(out, v) }
	put(messages)
	put(bytes)
	put(all[0].First)
	time(begin)
	put(newest.Last)
	time(newest.End)
	put(1)
	put(uint64(len(subject)))
	out = append(out, subject...)
	put(messages)
	put(uint64(first)) //nolint:gosec // numbers of files
	put(uint64(last))  //nolint:gosec // numbers of files
	put(uint64(len(all)))
	for i, s := range all {
		put(uint64(first + i)) //nolint:gosec // numbers of files
		put(s.Bytes)
		put(s.First)
		time(s.Begin - begin)
		put(s.Last)
		time(s.End - begin)
		for range 3 { // none are deleted, live for a time or wait for one
			put(0)
		}
	}
	put(uint64(last)) //nolint:gosec // numbers of files
	out = append(out, newest.Tail...)
	return append(out, newSummer(f.stream()).sum(out)...)
}
