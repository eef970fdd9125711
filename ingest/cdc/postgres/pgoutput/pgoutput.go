// Package pgoutput reads the messages of PostgreSQL's logical replication, protocol
// versions 1 and 2 (PostgreSQL documentation, "Logical Replication Message Formats"). It
// knows bytes alone: no connection, no transaction.
package pgoutput

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrMalformed is the cause of every refusal of a message.
var ErrMalformed = errors.New("not a message of pgoutput")

// LSN is a place in the server's log.
type LSN uint64

// String is the server's own way to write it.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) } //nolint:gosec // its two halves

// ParseLSN reads what String wrote.
func ParseLSN(s string) (LSN, error) {
	var hi, lo uint32
	if n, err := fmt.Sscanf(s, "%X/%X", &hi, &lo); err != nil || n != 2 {
		return 0, fmt.Errorf("read LSN %q: want two hex numbers with a slash between", s)
	}
	return LSN(hi)<<32 | LSN(lo), nil
}

// epoch is where the server's times begin, in microseconds since 1970.
const epoch = 946684800 * 1_000_000

// Time is a time as the server says it: microseconds since 2000.
func Time(micros int64) time.Time { return time.UnixMicro(micros + epoch) }

// Micros is the server's word for a time.
func Micros(t time.Time) int64 { return t.UnixMicro() - epoch }

// The kinds of messages.
const (
	Begin        = 'B'
	Commit       = 'C'
	Origin       = 'O'
	Relation     = 'R'
	Type         = 'Y'
	Insert       = 'I'
	Update       = 'U'
	Delete       = 'D'
	Truncate     = 'T'
	Logical      = 'M' // pg_logical_emit_message
	StreamStart  = 'S'
	StreamStop   = 'E'
	StreamCommit = 'c'
	StreamAbort  = 'A'
)

// The kinds of cells.
const (
	CellNull      = 'n'
	CellUnchanged = 'u' // a value out of line that the update left as it was: not sent
	CellText      = 't'
	CellBinary    = 'b'
)

// Cell is one column's value. Data is the message's bytes.
type Cell struct {
	Kind byte
	Data []byte
}

// Column is one column of a relation. Key tells that it is of the replica identity, which
// with REPLICA IDENTITY FULL all are.
type Column struct {
	Key  bool
	Name string
	OID  uint32
	Mod  int32
}

// Message is one message. Only the fields of its Kind count. Its slices are used again by
// the Decoder's next call.
type Message struct {
	Kind byte
	// XID of Begin, StreamStart, StreamCommit and StreamAbort; in a stream that of the
	// (sub)transaction whose change it is.
	XID uint32
	// Sub is the subtransaction that StreamAbort ends, XID itself where it ends all.
	Sub uint32
	// First tells that StreamStart is a transaction's first.
	First bool
	// LSN is Begin's and Commit's place of the commit, End the place behind it.
	LSN, End LSN
	// At is the time of the commit in the server's microseconds.
	At int64
	// Relation is the OID of the table of Relation, Insert, Update and Delete.
	Relation  uint32
	Relations []uint32 // of Truncate
	// Schema ("" for pg_catalog), Name, Identity (d, n, f, i) and Columns are Relation's; Name is Origin's and Logical's too.
	Schema, Name string
	Identity     byte
	Columns      []Column
	// Old is K (the key) or O (all) with Before, or 0.
	Old           byte
	Before, After []Cell
	// Transactional and Content are Logical's.
	Transactional bool
	Content       []byte
}

// Commits tells of which commit a message's transaction is, where it is the first that says so:
// Begin, and StreamCommit.
func Commits(b []byte) (LSN, bool) {
	switch {
	case len(b) >= 9 && b[0] == Begin:
		return LSN(binary.BigEndian.Uint64(b[1:])), true
	case len(b) >= 14 && b[0] == StreamCommit:
		return LSN(binary.BigEndian.Uint64(b[6:])), true
	}
	return 0, false
}

// Decoder reads the messages of one connection in order: whether a message is within a
// stream's block decides how it is read.
type Decoder struct {
	InStream bool
	m        Message
	before   []Cell
	after    []Cell
}

// Decode reads one message. It and its slices are good until the next call.
func (d *Decoder) Decode(b []byte) (*Message, error) {
	r := reader{rest: b}
	d.m = Message{Kind: r.byte()}
	m := &d.m
	if d.InStream {
		switch m.Kind {
		case Relation, Type, Insert, Update, Delete, Truncate, Logical:
			m.XID = r.uint32()
		}
	}
	switch m.Kind {
	case Begin:
		m.LSN, m.At, m.XID = r.lsn(), r.int64(), r.uint32()
	case Commit:
		r.byte()
		m.LSN, m.End, m.At = r.lsn(), r.lsn(), r.int64()
	case Origin:
		m.LSN, m.Name = r.lsn(), r.text()
	case Relation:
		d.relation(&r)
	case Type:
		m.Relation, m.Schema, m.Name = r.uint32(), r.text(), r.text()
	case Insert, Update, Delete:
		d.change(&r)
	case Truncate:
		n := r.uint32()
		r.byte()
		for range n {
			if r.bad {
				break
			}
			m.Relations = append(m.Relations, r.uint32())
		}
	case Logical:
		m.Transactional, m.LSN, m.Name = r.byte() != 0, r.lsn(), r.text()
		m.Content = r.bytes()
	case StreamStart:
		m.XID, m.First = r.uint32(), r.byte() != 0
		d.InStream = true
	case StreamStop:
		d.InStream = false
	case StreamCommit:
		m.XID = r.uint32()
		r.byte()
		m.LSN, m.End, m.At = r.lsn(), r.lsn(), r.int64()
	case StreamAbort:
		m.XID, m.Sub = r.uint32(), r.uint32()
	default:
		return nil, fmt.Errorf("%w: kind %q", ErrMalformed, m.Kind)
	}
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes of kind %q, %d left", ErrMalformed, len(b), m.Kind, len(r.rest))
	}
	return m, nil
}

func (d *Decoder) relation(r *reader) {
	m := &d.m
	m.Relation, m.Schema, m.Name, m.Identity = r.uint32(), r.text(), r.text(), r.byte()
	for range r.uint16() {
		if r.bad {
			return
		}
		c := Column{Key: r.byte()&1 != 0, Name: r.text(), OID: r.uint32()}
		c.Mod = int32(r.uint32()) //nolint:gosec // its bits
		m.Columns = append(m.Columns, c)
	}
}

func (d *Decoder) change(r *reader) {
	m := &d.m
	m.Relation = r.uint32()
	for !r.bad && len(r.rest) > 0 {
		switch kind := r.byte(); kind {
		case 'K', 'O':
			m.Old = kind
			d.before = r.tuple(d.before[:0])
			m.Before = d.before
		case 'N':
			d.after = r.tuple(d.after[:0])
			m.After = d.after
		default:
			r.bad = true
		}
	}
	if m.Kind == Delete && m.Before == nil || m.Kind != Delete && m.After == nil {
		r.bad = true
	}
}

// reader takes bytes off a message; bad once there are too few.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.rest) < n {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b)) //nolint:gosec // its bits
	}
	return 0
}

func (r *reader) lsn() LSN { return LSN(r.int64()) } //nolint:gosec // its bits

func (r *reader) text() string {
	n := bytes.IndexByte(r.rest, 0)
	if n < 0 {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n+1:]
	return s
}

func (r *reader) bytes() []byte { return r.take(int(r.uint32())) }

func (r *reader) tuple(into []Cell) []Cell {
	into = append(into, Cell{})[:0] // a tuple without columns is one too
	for range r.uint16() {
		c := Cell{Kind: r.byte()}
		switch c.Kind {
		case CellNull, CellUnchanged:
		case CellText, CellBinary:
			c.Data = r.bytes()
		default:
			r.bad = true
		}
		if r.bad {
			return into
		}
		into = append(into, c)
	}
	return into
}
