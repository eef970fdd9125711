// Package record is the one format of the log: Kafka's record batch v2, byte
// for byte, with the headers, marks and schemas that Tarn's own records carry. It
// holds no connection and no file.
package record

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Header is one header of a record. A nil Value is Kafka's null.
type Header struct {
	Key   string
	Value []byte
}

// Record is one entry of a partition. Nil Key or Value is Kafka's null; a null
// Value of a keyed change is a tombstone. Timestamp is in milliseconds since 1970.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Header returns the value of the first header of that key.
func (r *Record) Header(key string) ([]byte, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

// The headers that each record of a source carries.
const (
	HeaderPos    = "tarn.pos"    // Pos.String
	HeaderSchema = "tarn.schema" // id of an immutable Schema, decimal ASCII
	HeaderGen    = "tarn.gen"    // snapshot generation, decimal ASCII
)

// HeaderRequest is the key of the request whose records the batch holds, on its first record.
const HeaderRequest = "tarn.request"

// HeaderLetter is the number of the dead letter that a record was sent again for.
const HeaderLetter = "tarn.letter"

// OwnPrefix begins the names of the topics that only Tarn writes.
const OwnPrefix = "tarn."

// Pos says where a record came from: rule 5 of DESIGN.md. Place grows within a
// topic for one source and incarnation, and compares as bytes: numbers in it are 16
// hex digits.
type Pos struct {
	Source      string // the source's id
	Incarnation string // of the source's own log; another one means NEEDS_RESNAPSHOT
	Place       string
}

// String renders the header's value: source/incarnation/place.
func (p Pos) String() string { return p.Source + "/" + p.Incarnation + "/" + p.Place }

// ParsePos reads what String wrote. The place may hold slashes.
func ParsePos(s string) (Pos, error) {
	source, rest, ok := strings.Cut(s, "/")
	incarnation, place, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || source == "" || place == "" {
		return Pos{}, fmt.Errorf("read position %q: want source/incarnation/place", s)
	}
	return Pos{source, incarnation, place}, nil
}

// SourceOf is the source of what Pos.String wrote, whose bytes it shares; false for what ParsePos refuses.
func SourceOf(pos []byte) (source []byte, ok bool) {
	source, rest, ok := bytes.Cut(pos, []byte{'/'})
	_, place, ok2 := bytes.Cut(rest, []byte{'/'})
	return source, ok && ok2 && len(source) > 0 && len(place) > 0
}

// Hex16 renders a non-negative number so that it compares as bytes.
func Hex16(n int64) string { return fmt.Sprintf("%016x", uint64(n)) } //nolint:gosec // places are not negative

// After tells whether p lies behind q in one source's log. Positions of different
// incarnations cannot be compared; the caller checks that first.
func (p Pos) After(q Pos) bool { return p.Place > q.Place }

// PartitionOffsets is how far a reader has come in one partition: the next offset
// it wants, and for each source id the last place (incarnation/place) it has seen.
type PartitionOffsets struct {
	Next   int64             `json:"next"`
	Places map[string]string `json:"places,omitempty"`
	Past   *Past             `json:"past,omitempty"` // of a mirror alone
}

// Offsets is the value of the table property tarn.offsets.<reader> (rule 8):
// topic -> partition in decimal -> how far.
type Offsets map[string]map[string]PartitionOffsets

// At returns the offsets of one partition; the zero value where there are none.
func (o Offsets) At(topic string, partition int32) PartitionOffsets {
	return o[topic][strconv.Itoa(int(partition))]
}

// Set stores the offsets of one partition.
func (o Offsets) Set(topic string, partition int32, p PartitionOffsets) {
	if o[topic] == nil {
		o[topic] = map[string]PartitionOffsets{}
	}
	o[topic][strconv.Itoa(int(partition))] = p
}

// Raise makes o at least as far as other in every partition. Places follow the
// side with the higher next offset.
func (o Offsets) Raise(other Offsets) {
	for topic, parts := range other {
		for part, theirs := range parts {
			if mine, ok := o[topic][part]; ok && mine.Next >= theirs.Next {
				continue
			}
			if o[topic] == nil {
				o[topic] = map[string]PartitionOffsets{}
			}
			o[topic][part] = theirs
		}
	}
}
