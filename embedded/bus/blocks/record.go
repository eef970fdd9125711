package blocks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/minio/highwayhash"
)

// A record of a block file, all numbers in little endian:
//
//	length(4, of the whole record) sequence(8) time(8) subject length(2) subject [header length(4)] header and message checksum(8)
//
// The highest bit of the length tells of a header; the checksum, whose key is the stream's
// name with the file's number, leaves out the lengths. The highest bits of the sequence mark an erased message and
// a tombstone, which names an erased message elsewhere.
const (
	prefixBytes    = 22
	checksumBytes  = 8
	recordBytesMin = prefixBytes + checksumBytes
	recordBytesMax = 32 << 20
	headerBit      = 1 << 31
	erasedBit      = 1 << 63
	tombstoneBit   = 1 << 62

	// stepMax bounds by how much a sequence behind damage may be above the last one before it,
	// so that chance bytes are not taken for a record.
	stepMax = 1 << 24
	// sectorBytes is what a disk writes whole. An append that a power cut tore has sectors
	// that were never written, which read as zeros.
	sectorBytes = 512
)

// summer computes the server's checksums of one file, which it keys by a name.
type summer struct{ key [sha256.Size]byte }

func newSummer(name string) summer { return summer{sha256.Sum256([]byte(name))} }

func (s summer) sum(parts ...[]byte) []byte {
	h, err := highwayhash.NewDigest64(s.key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	for _, p := range parts {
		_, _ = h.Write(p) // never fails
	}
	return h.Sum(nil)
}

// entry is one whole record.
type entry struct {
	at, end   int
	seq       uint64
	tombstone bool
	erased    bool
}

// length is what the record at at says of its length, and whether it is sane.
func length(buf []byte, at int) (n int, header, ok bool) {
	if at+recordBytesMin > len(buf) {
		return 0, false, false
	}
	rl := binary.LittleEndian.Uint32(buf[at:])
	n = int(rl &^ headerBit)
	return n, rl&headerBit != 0, n >= recordBytesMin && n <= recordBytesMax
}

// whole reads the record [at, end) and tells whether its checksum is right.
func (s summer) whole(buf []byte, at, end int, header bool) (entry, bool) {
	subject := int(binary.LittleEndian.Uint16(buf[at+20:]))
	rest := at + prefixBytes + subject
	if header {
		rest += 4
	}
	if rest > end-checksumBytes {
		return entry{}, false
	}
	sum := s.sum(buf[at+4:at+20], buf[at+prefixBytes:at+prefixBytes+subject], buf[rest:end-checksumBytes])
	if !bytes.Equal(sum, buf[end-checksumBytes:end]) {
		return entry{}, false
	}
	seq := binary.LittleEndian.Uint64(buf[at+4:])
	return entry{at: at, end: end, seq: seq &^ (erasedBit | tombstoneBit), tombstone: seq&tombstoneBit != 0, erased: seq&erasedBit != 0}, true
}

// read reads the record that begins at at, by its own length.
func (s summer) read(buf []byte, at int) (entry, bool) {
	n, header, ok := length(buf, at)
	if !ok || at+n > len(buf) {
		return entry{}, false
	}
	return s.whole(buf, at, at+n, header)
}

// hole is a part of a block file that holds no whole record.
type hole struct {
	at, end int
	before  uint64 // the last sequence before it; 0 for none in this file
	behind  uint64 // the first one behind it; 0 for none in this file
}

// scan cuts a block file into whole records and the holes between them. last is the
// sequence that the file before ends with.
func (s summer) scan(buf []byte, last uint64) (all []entry, holes []hole) {
	for at := 0; at < len(buf); {
		e, ok := s.read(buf, at)
		if !ok {
			end := s.next(buf, at, last)
			if e, ok = s.relength(buf, at, end); !ok {
				holes = append(holes, hole{at: at, end: end, before: last})
				at = end
				continue
			}
		}
		if all, at = append(all, e), e.end; e.tombstone {
			continue
		}
		last = max(last, e.seq)
		for i := len(holes) - 1; i >= 0 && holes[i].behind == 0; i-- {
			holes[i].behind = e.seq
		}
	}
	return all, holes
}

// relength reads a hole as one record of which the length alone is damaged, and mends it.
func (s summer) relength(buf []byte, at, end int) (entry, bool) {
	if end-at < recordBytesMin || end-at > recordBytesMax {
		return entry{}, false
	}
	for _, header := range []bool{true, false} {
		if e, ok := s.whole(buf, at, end, header); ok && !e.tombstone {
			rl := uint32(end - at) //nolint:gosec // at most recordBytesMax
			if header {
				rl |= headerBit
			}
			binary.LittleEndian.PutUint32(buf[at:], rl)
			return e, true
		}
	}
	return entry{}, false
}

// next is where the next whole record begins behind damage at at: where the damaged one says
// that it ends, or wherever one is found. Without one it is the end.
func (s summer) next(buf []byte, at int, last uint64) int {
	if n, _, ok := length(buf, at); ok && at+n < len(buf) {
		if _, ok := s.read(buf, at+n); ok {
			return at + n
		}
	}
	for i := at + 1; i+recordBytesMin <= len(buf); i++ {
		if n, _, ok := length(buf, i); !ok || i+n > len(buf) {
			continue
		}
		seq := binary.LittleEndian.Uint64(buf[i+4:])
		if seq&tombstoneBit == 0 && (seq&^erasedBit <= last || last > 0 && seq&^erasedBit > last+stepMax) {
			continue
		}
		if e, ok := s.read(buf, i); ok && e.seq < tombstoneBit {
			return i
		}
	}
	return len(buf)
}

// torn tells whether the end of the newest file is an append that was cut short, by a crash
// in the middle of it or by a power cut, and was acknowledged to nobody.
func torn(buf []byte, h hole) bool {
	n, _, ok := length(buf, h.at)
	if h.end-h.at < recordBytesMin || ok && h.at+n > len(buf) {
		return true
	}
	zeros := make([]byte, sectorBytes)
	for at := (h.at + sectorBytes - 1) / sectorBytes * sectorBytes; at+sectorBytes <= h.end; at += sectorBytes {
		if bytes.Equal(buf[at:at+sectorBytes], zeros) {
			return true
		}
	}
	return false
}

// erased renders the record of an erased message: its sequence is not given out again.
func (s summer) erased(seq uint64) []byte { return s.empty(seq|erasedBit, 0, nil) }

// placeholder renders a message without content, as the record like is one: the stream still
// begins with it, though its content is damaged.
func (s summer) placeholder(seq uint64, like []byte) []byte {
	subject := int(binary.LittleEndian.Uint16(like[20:]))
	return s.empty(seq, binary.LittleEndian.Uint64(like[12:]), like[prefixBytes:prefixBytes+subject])
}

func (s summer) empty(seq, time uint64, subject []byte) []byte {
	out := make([]byte, prefixBytes, recordBytesMin+len(subject))
	binary.LittleEndian.PutUint32(out, uint32(recordBytesMin+len(subject))) //nolint:gosec // two bytes hold it
	binary.LittleEndian.PutUint64(out[4:], seq)
	binary.LittleEndian.PutUint64(out[12:], time)
	binary.LittleEndian.PutUint16(out[20:], uint16(len(subject))) //nolint:gosec // as it was read
	out = append(out, subject...)
	return append(out, s.sum(out[4:20], subject)...)
}

// chain counts the records of a file by their lengths alone; 0 when these do not end with it.
func chain(buf []byte) (n int) {
	for at := 0; at < len(buf); n++ {
		size, _, ok := length(buf, at)
		if !ok || at+size > len(buf) {
			return 0
		}
		at += size
	}
	return n
}

// indexed is what the server's index.db tells of the files that it was written for.
type indexed struct {
	last         uint64 // sequence
	first, files uint64
	tail         []byte // the newest file's last bytes
}

// readIndex reads as much of an index.db as tells whether the server will go by it.
func (s summer) readIndex(buf []byte) (x indexed, err error) {
	n := len(buf) - checksumBytes
	if n < 2*checksumBytes || !bytes.Equal(s.sum(buf[:n]), buf[n:]) {
		return x, fmt.Errorf("its checksum is wrong")
	}
	x.tail = buf[n-checksumBytes : n]
	rest := buf[2 : n-checksumBytes]
	number := func() (v uint64) {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			err = fmt.Errorf("it ends too early")
			return 0
		}
		rest = rest[n:]
		return v
	}
	for range 4 { // messages, bytes, first sequence and time
		number()
	}
	x.last = number()
	number() // its time
	for subjects := number(); subjects > 0 && err == nil; subjects-- {
		size := number()
		if size > uint64(len(rest)) {
			return x, fmt.Errorf("it ends too early")
		}
		rest = rest[size:]
		for range 3 { // messages, first and last file
			number()
		}
	}
	x.files, x.first = number(), number()
	return x, err
}

// claimed is the sequence that a damaged record at the end says it has, if that is near.
func (s summer) claimed(buf []byte, h hole) uint64 {
	if h.end-h.at < recordBytesMin {
		return 0
	}
	seq := binary.LittleEndian.Uint64(buf[h.at+4:])
	if seq > h.before && seq-h.before < stepMax/1024 {
		return seq
	}
	return 0
}
