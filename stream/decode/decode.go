// Package decode reads the records of a topic into Arrow by declared columns: JSON objects, and
// Debezium's change events as JSON. A record is read in one flat pass, by tarn/embedded/record/jsonscan,
// as landing reads it; it is valid JSON and UTF-8 as a whole, or it is refused. Of two members with
// one name the last counts; members that are no column are passed over; null and an absent member
// are null.
//
// A value is never cast with a loss and never rounded. What fits a column:
//
//	boolean          true, false
//	int, long        a number that is whole and in range (1, -5, 1e3, 2.0), or a text that holds one
//	float, double    a number, the nearest value if it has a point or an exponent, but every digit of it
//	                 if it has neither; or a text that holds one; "NaN", "Infinity", "-Infinity"
//	decimal(p,s)     a number, or a text that holds one, that has place without rounding
//	string           a text; the JSON text, as it stands, of any other value
//	binary           a text in base64
//	uuid             a text
//	date             "2026-01-31", or a whole number of days since 1970
//	time             "12:30:00" with up to six digits of fraction, or a whole number of microseconds since midnight
//	timestamp        "2026-01-31T12:30:00.000Z", "2026-01-31 12:30:00+02", "2026-01-31T12:30": put into UTC
//	                 if a zone is there; or a whole number since 1970, of milliseconds in a JSON record and
//	                 of microseconds in a change event, as Tarn's own sources write them
//	timestamptz      as timestamp; UTC where the zone is missing
//
// A change event of a source of Tarn's names its schema, whose semantics say how its values are written: As.
//
// Behind the sixth digit of a fraction of a second zeros alone may follow, up to the ninth. Years are
// 0001 to 9999. Whatever else there is makes the record an error that names column, type and value:
// it is for the dead letters.
package decode

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/jsonscan"
	"tarn/lake/table"
)

// Column is one declared column, by the name of its member in the object.
type Column struct {
	Name string
	Type record.Type
}

// Decoder reads records one by one into columns. It is for one goroutine.
type Decoder struct {
	columns []column
	members map[string]member
	order   []member // of the record before, which most records have
	scan    jsonscan.Scanner
	texts   []byte    // what had to be unescaped, of the value in hand
	misfits []misfit  // of the row in hand
	change  bool      // the row in hand is of a change event
	update  [2][]byte // before and after of the event read last, where it is an update that has both
	schema  *record.Schema
	as      []*record.Column // of the schema, by column; nil where the values are plain
	rows    int
}

// member is the name of a column, or one that records have besides.
type member struct {
	quoted string
	column int // -1 for none
}

// membersMax bounds the names that are remembered besides the columns'.
const membersMax = 1000

// New returns a decoder without rows.
func New(columns []Column) *Decoder {
	d := &Decoder{columns: make([]column, len(columns)), members: make(map[string]member, len(columns))}
	for i, c := range columns {
		d.columns[i] = newColumn(c)
		m := member{jsonscan.Quoted(c.Name), i}
		d.members[c.Name] = m
		d.order = append(d.order, m)
	}
	return d
}

// JSON appends the members of the object value to the columns. On an error, which says why the
// record cannot be read, nothing is appended.
func (d *Decoder) JSON(value []byte) error {
	d.change = false
	if len(value) == 0 {
		return errors.New("the record has no value")
	}
	d.scan.Reset(value)
	d.read(&d.scan)
	if err := d.scan.End(); err != nil {
		d.cut()
		return fmt.Errorf("the value is no JSON object: %w", err)
	}
	return d.end()
}

// The operations that have no row.
const (
	opTruncate = 't'
	opMessage  = 'm'
)

// As tells by which schema the change events that come write their values; nil for events that have none.
func (d *Decoder) As(s *record.Schema) {
	if s == d.schema {
		return
	}
	d.schema, d.as = s, nil
	if s == nil {
		return
	}
	for i := range s.Columns {
		c := &s.Columns[i]
		if m, ok := d.members[c.Name]; ok && m.column >= 0 && !envelope.Plain(s, c) {
			if d.as == nil {
				d.as = make([]*record.Column, len(d.columns))
			}
			d.as[m.column] = c
		}
	}
}

// Debezium reads a change event, bare or as {"schema","payload"}, and returns its op. It appends
// `before` if op is 'd', nothing if it is 't' (truncate) or 'm' (message), and else `after`. A
// tombstone, which has no value, is op 0 and appends nothing. On an error nothing is appended.
// A member "_extra", in which Tarn's sources keep what did not fit its column, is passed over:
// the column itself is null then.
func (d *Decoder) Debezium(value []byte) (op byte, err error) {
	if value == nil {
		return 0, nil
	}
	d.change, d.update = true, [2][]byte{}
	// Nearly always it is the row in after that counts: it is read where it stands.
	var read []byte
	e, err := envelope.SplitAfter(&d.scan, value, func(rest []byte) {
		d.cut()
		d.read(&d.scan)
		read = rest
	})
	if err != nil {
		d.cut()
		return 0, err
	}
	object, side := e.After, "after"
	switch e.Op {
	case 'c', 'u', 'r':
	case 'd':
		object, side = e.Before, "before"
	case opTruncate, opMessage:
		d.cut()
		return e.Op, nil
	default:
		d.cut()
		return 0, fmt.Errorf("a change event with op %q, which is not known", e.Op)
	}
	if object == nil {
		d.cut()
		return 0, fmt.Errorf("a change event with op %q and no row in %s", e.Op, side)
	}
	if len(read) == 0 || &read[0] != &object[0] {
		d.cut()
		d.scan.Reset(object) // which is known to be valid
		d.read(&d.scan)
	}
	if e.Op == 'u' && e.Before != nil {
		d.update = [2][]byte{e.Before, e.After}
	}
	return e.Op, d.end()
}

// Rekeyed tells whether the change event read last is an update that has other values of some columns in
// `before` than in `after`. One without them in `before` is not.
func (d *Decoder) Rekeyed(columns []int) bool {
	if d.update[0] == nil {
		return false
	}
	other := false
	for _, i := range columns {
		before, after := d.member(d.update[0], i), d.member(d.update[1], i)
		if before == nil {
			return false
		}
		other = other || !bytes.Equal(before, after)
	}
	return other
}

// member is a column's value in an object that is known to be valid, as it stands there; nil for none.
func (d *Decoder) member(object []byte, column int) (raw []byte) {
	d.scan.Reset(object)
	for more := d.scan.Open(); more; more = d.scan.More() {
		i := d.named(len(d.order) + membersMax + len(d.columns)) // is in no place that another record has it in
		if v := d.scan.Value(); i == column {
			raw = v.Raw
		}
	}
	return raw
}

// Before appends the row in `before` of the update read last. On an error nothing is appended.
func (d *Decoder) Before() error {
	d.scan.Reset(d.update[0])
	d.read(&d.scan)
	return d.end()
}

// Rows is how many rows were appended since the last Arrays.
func (d *Decoder) Rows() int { return d.rows }

// Null tells whether a column of the row appended last is null.
func (d *Decoder) Null(column int) bool { return d.columns[column].isNull(d.rows - 1) }

// Time is a timestamp of the row appended last, in microseconds since 1970; ok is false for null,
// for a column that is no timestamp, and without a row since the last Arrays.
func (d *Decoder) Time(column int) (micros int64, ok bool) {
	c := &d.columns[column]
	last := d.rows - 1
	if last < 0 || c.kind != timestampKind && c.kind != timestamptzKind || c.isNull(last) {
		return 0, false
	}
	return c.nums[last], true
}

// Arrays takes what was appended and begins anew. The caller releases them.
func (d *Decoder) Arrays() []arrow.Array {
	out := make([]arrow.Array, len(d.columns))
	for i := range d.columns {
		c := &d.columns[i]
		out[i] = c.array(table.ArrowType(c.is), c.kind)
		c.vector = c.grown(c.kind)
	}
	d.rows = 0
	return out
}

// read reads the members of an object into the row in hand.
func (d *Decoder) read(s *jsonscan.Scanner) {
	n := 0
	for more := s.Open(); more; more = s.More() {
		var i int
		if n < len(d.order) && s.Skip(d.order[n].quoted) {
			i = d.order[n].column
		} else {
			i = d.named(n)
		}
		n++
		v := s.Value()
		if v.Kind == jsonscan.Invalid {
			return
		}
		if i < 0 {
			continue
		}
		if d.change && d.as != nil && d.as[i] != nil {
			plain := envelope.Plainly(d.schema, d.as[i], v)
			v = &plain
		}
		d.fill(i, v)
	}
}

// named goes behind the name of the nth member, which is not the one that was looked for, and
// returns its column, -1 for none.
func (d *Decoder) named(n int) int {
	raw, escaped := d.scan.Name()
	if escaped {
		d.texts = jsonscan.Unescape(d.texts[:0], raw)
		raw = d.texts
	}
	m, ok := d.members[string(raw)]
	if !ok {
		if len(d.members) >= len(d.columns)+membersMax {
			return -1
		}
		name := string(raw)
		m = member{jsonscan.Quoted(name), -1}
		d.members[name] = m
	}
	switch {
	case n < len(d.order):
		d.order[n] = m
	case n == len(d.order) && n < len(d.columns)+membersMax:
		d.order = append(d.order, m)
	}
	return m.column
}

// end appends the row in hand if all of its values fit.
func (d *Decoder) end() error {
	if len(d.misfits) > 0 {
		err := d.refusal(d.misfits[0])
		d.cut()
		return err
	}
	for i := range d.columns {
		if c := &d.columns[i]; c.n == d.rows {
			c.null(c.kind)
		}
	}
	d.rows++
	return nil
}

// cut takes the row in hand back.
func (d *Decoder) cut() {
	d.misfits = d.misfits[:0]
	for i := range d.columns {
		if c := &d.columns[i]; c.n > d.rows {
			c.cut(d.rows, c.kind)
		}
	}
}

// shownBytesMax bounds what an error shows of a value.
const shownBytesMax = 80

func (d *Decoder) refusal(m misfit) error {
	c := &d.columns[m.column]
	if m.unsent {
		return fmt.Errorf("column %s: the source did not send the value, which had not changed (%s); let it send whole rows, in PostgreSQL by REPLICA IDENTITY FULL",
			c.name, envelope.Unavailable)
	}
	value, rest := m.raw, ""
	if len(value) > shownBytesMax {
		value, rest = value[:shownBytesMax], "…"
	}
	return fmt.Errorf("column %s: %s%s does not fit its type %s", c.name, strings.ToValidUTF8(string(value), ""), rest, c.is)
}
