package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
)

// The fixed layout of a record batch v2 (Kafka protocol guide, "Record Batch").
const (
	offBase       = 0
	offLength     = 8
	offEpoch      = 12
	offMagic      = 16
	offCRC        = 17
	offAttributes = 21
	offLastDelta  = 23
	offFirstTime  = 27
	offMaxTime    = 35
	offProducer   = 43
	offProdEpoch  = 51
	offSequence   = 53
	offCount      = 57
	headerBytes   = 61

	magicV2 = 2
	// BatchBytesMax bounds one batch, in the log and on the wire: DESIGN rule 1.
	BatchBytesMax = 24 << 20
)

// Bits of a batch's attributes.
const (
	attrCodec         = 0x07
	attrAppendTime    = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

// Errors of reading batches.
var (
	// ErrShort means that the bytes end within a batch: a torn tail.
	ErrShort = errors.New("record batch ends too early")
	// ErrCorrupt means that a batch is not what was written.
	ErrCorrupt = errors.New("record batch is corrupt")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is one record batch v2, checked by Cut. It shares the bytes it was read
// from: whoever keeps it longer than them copies it.
type Batch []byte

// Cut cuts the first batch off b and checks its length, magic and CRC. The base
// offset and leader epoch lie outside the CRC, so a log may set them.
func Cut(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) < headerBytes {
		return nil, b, ErrShort
	}
	n := int64(int32(binary.BigEndian.Uint32(b[offLength:]))) + offEpoch //nolint:gosec // checked below
	if n < headerBytes || n > BatchBytesMax {
		return nil, b, fmt.Errorf("%w: length %d", ErrCorrupt, n)
	}
	if b[offMagic] != magicV2 {
		return nil, b, fmt.Errorf("%w: magic %d, want 2", ErrCorrupt, b[offMagic])
	}
	if int64(len(b)) < n {
		return nil, b, ErrShort
	}
	batch = Batch(b[:n:n])
	if crc32.Checksum(batch[offAttributes:], castagnoli) != binary.BigEndian.Uint32(batch[offCRC:]) {
		return nil, b, fmt.Errorf("%w: checksum differs", ErrCorrupt)
	}
	if batch.Count() < 0 || batch.LastDelta() < 0 {
		return nil, b, fmt.Errorf("%w: %d records, last delta %d", ErrCorrupt, batch.Count(), batch.LastDelta())
	}
	return batch, b[n:], nil
}

// Split cuts b into all its batches.
func Split(b []byte) ([]Batch, error) {
	var out []Batch
	for len(b) > 0 {
		batch, rest, err := Cut(b)
		if err != nil {
			return out, err
		}
		out, b = append(out, batch), rest
	}
	return out, nil
}

func (b Batch) i32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) } //nolint:gosec // two's complement on the wire
func (b Batch) i64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) } //nolint:gosec // two's complement on the wire

// Base is the offset of the first record.
func (b Batch) Base() int64 { return b.i64(offBase) }

// SetBase patches the base offset in place; the CRC does not cover it.
func (b Batch) SetBase(offset int64) { binary.BigEndian.PutUint64(b[offBase:], uint64(offset)) } //nolint:gosec // offsets are not negative

// LastDelta is the last record's offset less Base.
func (b Batch) LastDelta() int32 { return b.i32(offLastDelta) }

// Next is the offset after the last record.
func (b Batch) Next() int64 { return b.Base() + int64(b.LastDelta()) + 1 }

// Count is the number of records, which compaction may have made smaller than the
// offsets that the batch spans.
func (b Batch) Count() int32 { return b.i32(offCount) }

// MaxTimestamp is the newest record's time in milliseconds.
func (b Batch) MaxTimestamp() int64 { return b.i64(offMaxTime) }

// SetAppendTime gives all records of the batch the log's time in milliseconds, in place.
func (b Batch) SetAppendTime(ms int64) {
	binary.BigEndian.PutUint16(b[offAttributes:], b.attributes()|attrAppendTime)
	b.SetMaxTimestamp(ms)
}

// AppendTime tells whether the records bear the log's time, which is MaxTimestamp.
func (b Batch) AppendTime() bool { return b.attributes()&attrAppendTime != 0 }

// SetMaxTimestamp sets the newest record's time in milliseconds, in place.
func (b Batch) SetMaxTimestamp(ms int64) {
	binary.BigEndian.PutUint64(b[offMaxTime:], uint64(ms)) //nolint:gosec // two's complement on the wire
	b.seal()
}

// seal writes the checksum of what the batch holds now.
func (b Batch) seal() {
	binary.BigEndian.PutUint32(b[offCRC:], crc32.Checksum(b[offAttributes:], castagnoli))
}

// Codec is the number of the batch's compression; 0 for none.
func (b Batch) Codec() int { return int(b.attributes() & attrCodec) }

// Control tells whether the batch holds a marker and no data.
func (b Batch) Control() bool { return b.attributes()&attrControl != 0 }

// Transactional tells whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.attributes()&attrTransactional != 0 }

// Producer returns the idempotent producer's id, epoch and first sequence; -1 for none.
func (b Batch) Producer() (id int64, epoch int16, sequence int32) {
	return b.i64(offProducer), int16(binary.BigEndian.Uint16(b[offProdEpoch:])), b.i32(offSequence) //nolint:gosec // two's complement on the wire
}

func (b Batch) attributes() uint16 { return binary.BigEndian.Uint16(b[offAttributes:]) }

// Encode renders records as one uncompressed batch with base offset 0. The
// records' own offsets are not used: they are base, base+1, and so on.
func Encode(records []Record) Batch {
	size := headerBytes
	for i := range records {
		size += 32 + len(records[i].Key) + len(records[i].Value)
		for _, h := range records[i].Headers {
			size += 16 + len(h.Key) + len(h.Value)
		}
	}
	return AppendBatch(make([]byte, 0, size), records)
}

// AppendBatch is Encode, behind what dst holds.
func AppendBatch(dst []byte, records []Record) []byte { return encode(dst, records, 0) }

// EncodeControl renders one control record as a batch: Kafka's key is a version
// and a type, both int16 (KIP-98).
func EncodeControl(kind int16, timestamp int64, value []byte) Batch {
	key := []byte{0, 0, byte(kind >> 8), byte(kind)}
	return encode(nil, []Record{{Timestamp: timestamp, Key: key, Value: value}}, attrControl)
}

func encode(dst []byte, records []Record, attributes uint16) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, headerBytes)...)
	var first, newest int64
	if len(records) > 0 {
		first, newest = records[0].Timestamp, records[0].Timestamp
	}
	for i := range records {
		newest = max(newest, records[i].Timestamp)
		dst = appendRecord(dst, &records[i], i, first)
	}
	b := Batch(dst[at:])
	last := max(len(records)-1, 0)
	put32 := func(at int, v int) { binary.BigEndian.PutUint32(b[at:], uint32(v)) } //nolint:gosec // bounded by BatchBytesMax
	put32(offLength, len(b)-offEpoch)
	put32(offEpoch, 0)
	b[offMagic] = magicV2
	binary.BigEndian.PutUint16(b[offAttributes:], attributes)
	put32(offLastDelta, last)
	binary.BigEndian.PutUint64(b[offFirstTime:], uint64(first)) //nolint:gosec // two's complement on the wire
	binary.BigEndian.PutUint64(b[offMaxTime:], uint64(newest))  //nolint:gosec // two's complement on the wire
	binary.BigEndian.PutUint64(b[offProducer:], ^uint64(0))     // no producer
	binary.BigEndian.PutUint16(b[offProdEpoch:], ^uint16(0))    // no epoch
	binary.BigEndian.PutUint32(b[offSequence:], ^uint32(0))     // no sequence
	put32(offCount, len(records))
	b.seal()
	return dst
}

// appendRecord renders a record behind its length.
func appendRecord(b []byte, r *Record, delta int, first int64) []byte {
	size := 1 + varintBytes(r.Timestamp-first) + varintBytes(int64(delta)) + bytesBytes(r.Key) + bytesBytes(r.Value) + varintBytes(int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		size += varintBytes(int64(len(h.Key))) + len(h.Key) + bytesBytes(h.Value)
	}
	b = binary.AppendVarint(b, int64(size))
	b = append(b, 0) // attributes, unused by Kafka
	b = binary.AppendVarint(b, r.Timestamp-first)
	b = binary.AppendVarint(b, int64(delta))
	b = appendBytes(b, r.Key)
	b = appendBytes(b, r.Value)
	b = binary.AppendVarint(b, int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	return b
}

// varintBytes is how many bytes a number takes in zigzag, seven bits each.
func varintBytes(n int64) int {
	return (bits.Len64(uint64(n<<1^n>>63)|1) + 6) / 7 //nolint:gosec // its bits
}

// bytesBytes is how many bytes appendBytes takes.
func bytesBytes(v []byte) int {
	if v == nil {
		return 1
	}
	return varintBytes(int64(len(v))) + len(v)
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	b = binary.AppendVarint(b, int64(len(v)))
	return append(b, v...)
}
