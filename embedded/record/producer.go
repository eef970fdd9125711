package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The types of Kafka's own control records that end a transaction (KIP-98).
const (
	controlAbort  int16 = 0
	controlCommit int16 = 1
)

// Marker ends a producer's transaction in one partition: a control batch of the producer (KIP-98).
type Marker struct {
	Producer    int64
	Epoch       int16
	Coordinator int32 // epoch of the coordinator that writes it
	Commit      bool
}

// SetProducer patches producer id, epoch, first sequence and whether the batch is of a transaction,
// in place, as a client's producer does.
func (b Batch) SetProducer(id int64, epoch int16, sequence int32, transactional bool) {
	attributes := b.attributes() &^ attrTransactional
	if transactional {
		attributes |= attrTransactional
	}
	binary.BigEndian.PutUint16(b[offAttributes:], attributes)
	binary.BigEndian.PutUint64(b[offProducer:], uint64(id))       //nolint:gosec // two's complement on the wire
	binary.BigEndian.PutUint16(b[offProdEpoch:], uint16(epoch))   //nolint:gosec // two's complement on the wire
	binary.BigEndian.PutUint32(b[offSequence:], uint32(sequence)) //nolint:gosec // two's complement on the wire
	binary.BigEndian.PutUint32(b[offCRC:], crc32.Checksum(b[offAttributes:], castagnoli))
}

// EncodeMarker renders a marker; its value is EndTxnMarker's version 0 and the coordinator's epoch.
func EncodeMarker(m Marker, timestamp int64) Batch {
	kind := controlAbort
	if m.Commit {
		kind = controlCommit
	}
	b := EncodeControl(kind, timestamp, binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(m.Coordinator))) //nolint:gosec // two's complement on the wire
	b.SetProducer(m.Producer, m.Epoch, -1, true)
	return b
}

// Marker returns the end of a transaction that a control batch holds; ok is false for any other batch.
func (b Batch) Marker() (m Marker, ok bool, err error) {
	id, epoch, _ := b.Producer()
	if !b.Control() || id < 0 {
		return m, false, nil
	}
	records, err := b.Records()
	if err != nil {
		return m, false, err
	}
	if len(records) != 1 || len(records[0].Key) < 4 {
		return m, false, fmt.Errorf("%w: %d records in the control batch at offset %d", ErrCorrupt, len(records), b.Base())
	}
	kind := int16(binary.BigEndian.Uint16(records[0].Key[2:])) //nolint:gosec // two's complement on the wire
	if kind != controlAbort && kind != controlCommit {
		return m, false, nil
	}
	if len(records[0].Value) < 6 {
		return m, false, fmt.Errorf("%w: marker of %d bytes at offset %d", ErrCorrupt, len(records[0].Value), b.Base())
	}
	coordinator := int32(binary.BigEndian.Uint32(records[0].Value[2:])) //nolint:gosec // two's complement on the wire
	return Marker{Producer: id, Epoch: epoch, Coordinator: coordinator, Commit: kind == controlCommit}, true, nil
}

// Void is a control batch without records over the same offsets: what stands for a batch whose
// records nobody is to see, so that no offset is missing.
func (b Batch) Void() Batch {
	out := Batch(append([]byte(nil), b[:headerBytes]...))
	binary.BigEndian.PutUint32(out[offLength:], headerBytes-offEpoch)
	binary.BigEndian.PutUint16(out[offAttributes:], out.attributes()&^attrCodec|attrControl)
	binary.BigEndian.PutUint32(out[offCount:], 0)
	out.SetProducer(-1, -1, -1, false)
	return out
}
