package blocks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// windowBytes is what is read at once of a file of which the lengths of records are wanted.
const windowBytes = 4 << 10

// Seal is what is known of a file to which the server appends no more: as long as the file is the same by Size and
// Tail, a start need not read it. Its messages follow each other without a gap.
type Seal struct {
	Size   int64  `json:"size"`
	Tail   []byte `json:"tail"` // the last bytes: a checksum of the last record
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Begin  int64  `json:"begin"` // time of the first message, in ns
	End    int64  `json:"end"`
	Bytes  uint64 `json:"bytes"`            // of the messages
	Purged uint64 `json:"purged,omitempty"` // the highest message that a tombstone of the file names; 0 for none
}

// add takes over the next record, by its prefix and length. False for one that messages of a log without gaps do not have.
func (s *Seal) add(prefix []byte, n int) bool {
	seq, at := binary.LittleEndian.Uint64(prefix[4:]), int64(binary.LittleEndian.Uint64(prefix[12:])) //nolint:gosec // as the server does
	s.Size += int64(n)
	switch {
	case seq&tombstoneBit != 0:
		s.Purged = max(s.Purged, seq&^tombstoneBit)
		return true
	case seq&erasedBit != 0 || seq == 0 || s.Last > 0 && seq != s.Last+1:
		return false
	case s.First == 0:
		s.First, s.Begin = seq, at
	}
	s.Last, s.End, s.Bytes = seq, at, s.Bytes+uint64(n) //nolint:gosec // a length
	return true
}

// Seal looks at the files above one to which the server appends no more, and returns what it knows of them, by their
// numbers, those of the first and the last of them, and the number of the stream's first file. It may be called while the
// server runs.
func (f Folder) Seal(above int) (sealed map[int]Seal, last, first int, err error) {
	files, err := f.files()
	if err != nil || len(files) == 0 {
		return nil, above, 0, err
	}
	sealed, last = map[int]Seal{}, above
	for _, n := range files[:len(files)-1] {
		if n <= above {
			continue
		}
		s, ok, err := f.seal(n)
		switch {
		case errors.Is(err, os.ErrNotExist): // purged meanwhile
		case err != nil:
			return sealed, last, files[0], err
		case ok:
			sealed[n] = s
		}
		last = n
	}
	return sealed, last, files[0], nil
}

// seal goes through a file by the lengths of its records. Not ok is one that is to be read whole at a start.
func (f Folder) seal(n int) (s Seal, ok bool, err error) {
	file, err := os.Open(f.File(n))
	if err != nil {
		return s, false, err
	}
	defer func() { _ = file.Close() }()
	st, err := file.Stat()
	if err != nil {
		return s, false, err
	}
	window, from, have := make([]byte, windowBytes), int64(0), 0
	for s.Size < st.Size() {
		if s.Size+prefixBytes > from+int64(have) {
			from = s.Size
			if have, err = file.ReadAt(window, from); err != nil && !errors.Is(err, io.EOF) {
				return s, false, err
			}
		}
		prefix := window[s.Size-from : have]
		if len(prefix) < prefixBytes {
			return s, false, nil
		}
		size := int(binary.LittleEndian.Uint32(prefix) &^ headerBit)
		if size < recordBytesMin || s.Size+int64(size) > st.Size() || !s.add(prefix, size) {
			return s, false, nil
		}
	}
	s.Tail = make([]byte, checksumBytes)
	if s.First == 0 {
		return s, false, nil
	}
	_, err = file.ReadAt(s.Tail, s.Size-checksumBytes)
	return s, err == nil, err
}

// holds tells whether the file is the one that was sealed.
func (s Seal) holds(path string) bool {
	st, err := os.Stat(path)
	if err != nil || st.Size() != s.Size || s.First == 0 || s.Last < s.First {
		return false
	}
	tail, err := tailOf(path)
	return err == nil && bytes.Equal(tail, s.Tail)
}
