package bus

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"tarn/embedded/record"
)

// The headers of a stored message: its base offset and the offset after its last record.
const (
	headerBase = "Tb"
	headerNext = "Tn"
)

// errForeign marks a message that this writer cannot have written.
var errForeign = errors.New("not a message of this log")

// stored is one message as the stream holds it.
type stored struct {
	seq    uint64
	header nats.Header
	data   []byte
	at     time.Time // when the server stored it
}

// span is what a message holds, by its headers and batches.
type span struct {
	base, next int64
	newest     int64 // the batches' newest timestamp, in ms; the time of storing where they have none
	batches    []record.Batch
}

// span reads and checks the message: headers, checksums, and that the batches' offsets are in order. Between
// them compaction may have taken some; the message spans those, too.
func (s stored) span() (span, error) {
	base, errBase := strconv.ParseInt(s.header.Get(headerBase), 10, 64)
	next, errNext := strconv.ParseInt(s.header.Get(headerNext), 10, 64)
	if errBase != nil || errNext != nil || base < 0 || next <= base {
		return span{}, fmt.Errorf("%w: offsets %q to %q", errForeign, s.header.Get(headerBase), s.header.Get(headerNext))
	}
	batches, err := record.Split(s.data)
	if err != nil {
		return span{}, fmt.Errorf("%w: %w", errForeign, err)
	}
	at := base
	for _, b := range batches {
		if b.Base() < at {
			return span{}, fmt.Errorf("%w: batch at %d behind %d", errForeign, b.Base(), at)
		}
		at = b.Next()
	}
	if at > next {
		return span{}, fmt.Errorf("%w: ends at %d, header says %d", errForeign, at, next)
	}
	return span{base: base, next: next, newest: newest(batches, s.at), batches: batches}, nil
}

func newest(batches []record.Batch, stored time.Time) int64 {
	var ms int64
	for _, b := range batches {
		ms = max(ms, b.MaxTimestamp())
	}
	if ms <= 0 {
		return stored.UnixMilli()
	}
	return ms
}

// cutTrusted cuts a message of our own, checked before, into its batches: no checksums.
func cutTrusted(data []byte) []record.Batch {
	var out []record.Batch
	for len(data) > 0 {
		n := batchBytes(data)
		out, data = append(out, record.Batch(data[:n:n])), data[n:]
	}
	return out
}
