//go:build duckdb_arrow

package postgres

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// The bounds of the rows that cursors with SCROLL keep, in bytes.
const (
	scrollBytesMax     = 16 << 20  // of one
	scrollBytesDoorMax = 128 << 20 // of all connections
)

// direction is which rows a FETCH or MOVE wants: so many behind the place of the cursor, or before it where number is negative; or one
// row, by its number from the first, from the last where that is negative, or from the place.
type direction struct {
	number             int64
	absolute, relative bool
}

// readDirection reads what stands between FETCH and the cursor's name.
func readDirection(in *sqltext.Reader) (d direction, err error) {
	switch {
	case in.Take("NEXT"):
		return direction{number: 1}, nil
	case in.Take("PRIOR"):
		return direction{number: -1}, nil
	case in.Take("FIRST"):
		return direction{number: 1, absolute: true}, nil
	case in.Take("LAST"):
		return direction{number: -1, absolute: true}, nil
	case in.Take("ABSOLUTE"):
		n, _, err := signed(in)
		return direction{number: n, absolute: true}, err
	case in.Take("RELATIVE"):
		n, _, err := signed(in)
		return direction{number: n, relative: true}, err
	}
	sign := int64(1)
	if !in.Take("FORWARD") && in.Take("BACKWARD") {
		sign = -1
	}
	if in.Take("ALL") {
		return direction{number: sign * math.MaxInt64}, nil
	}
	n, there, err := signed(in)
	if !there {
		n = 1
	}
	return direction{number: sign * n}, err
}

// signed reads a number, if one stands there.
func signed(in *sqltext.Reader) (n int64, there bool, err error) {
	minus := in.Take("-")
	if !minus {
		in.Take("+")
	}
	t := in.Peek()
	if t.Kind != sqltext.Number {
		if minus {
			return 0, false, in.Fault("a number of rows")
		}
		return 0, false, nil
	}
	in.Next()
	if n, err = strconv.ParseInt(t.Text, 10, 64); err != nil {
		return 0, true, in.Fault("a number of rows")
	}
	if minus {
		n = -n
	}
	return n, true, nil
}

// scroll is what a cursor with SCROLL keeps of its rows: those that were read, for its query is not run again.
type scroll struct {
	batches []arrow.RecordBatch
	rows    int64
	bytes   int64
	ended   bool  // all are kept
	place   int64 // of the row that was read last, from 1; 0 before the first, and one behind the last after it
}

// reach reads on until row n is kept, or the last.
func (p *cursor) reach(c *conn, n int64) error {
	s := p.scroll
	for !s.ended && s.rows < n {
		if p.run.closed == nil {
			return fault.New(fault.Timeout, "the statement was open for longer than it may take", "read its rows sooner, or raise sql.timeout")
		}
		c.interruptible(p.run.cancel)
		if !p.run.result.Reader.Next() {
			if err := p.run.result.Reader.Err(); err != nil {
				return err
			}
			s.ended = true
			p.run.close() // its turn is for others
			break
		}
		b := p.run.result.Reader.RecordBatch()
		bytes := duck.Bytes(b)
		if s.bytes+bytes > scrollBytesMax || c.door.kept.Add(bytes) > scrollBytesDoorMax {
			if s.bytes+bytes <= scrollBytesMax {
				c.door.kept.Add(-bytes)
			}
			return stateError{"53400", fault.Newf(fault.TooLarge, "read forward without SCROLL and WITH HOLD, or have the query answer less", "a cursor with SCROLL or WITH HOLD keeps %d MiB of rows at most, and those of all connections %d MiB", scrollBytesMax>>20, scrollBytesDoorMax>>20)}
		}
		b.Retain()
		s.batches, s.rows, s.bytes = append(s.batches, b), s.rows+b.NumRows(), s.bytes+bytes
	}
	return nil
}

// drop frees the rows that are kept.
func (p *cursor) drop(c *conn) {
	if p.scroll == nil {
		return
	}
	for _, b := range p.scroll.batches {
		b.Release()
	}
	c.door.kept.Add(-p.scroll.bytes)
	p.scroll.batches, p.scroll.bytes = nil, 0
}

// span moves the cursor, and gives the rows that are read on the way, from the first of them to the last: backwards where first is the
// greater, and none where step is 0.
func (p *cursor) span(c *conn, d direction) (first, last, step int64, err error) {
	s := p.scroll
	if d.relative && d.number != 0 || d.absolute {
		target := d.number
		if d.relative {
			target = s.place + min(d.number, math.MaxInt64-s.place)
		}
		from := target
		if d.absolute && target < 0 {
			from = math.MaxInt64
		}
		if err := p.reach(c, from); err != nil {
			return 0, 0, 0, err
		}
		if d.absolute && target < 0 {
			target += s.rows + 1
		}
		s.place = min(max(target, 0), s.rows+1)
		return s.place, s.place, s.at(s.place), nil
	}
	switch {
	case d.number == 0: // the row that was read last
		return s.place, s.place, s.at(s.place), nil
	case d.number > 0:
		to := int64(math.MaxInt64)
		if d.number < to-s.place {
			to = s.place + d.number
		}
		if err := p.reach(c, to); err != nil {
			return 0, 0, 0, err
		}
		first, last = s.place+1, min(to, s.rows)
		s.place = min(to, s.rows+1)
		return first, last, s.at(min(first, last)) * b01(first <= last), nil
	}
	first, last = s.place-1, max(1, s.place+d.number)
	s.place = max(0, s.place+d.number)
	return first, last, -b01(first >= last), nil
}

// at is 1 where there is a row of that number.
func (s *scroll) at(n int64) int64 { return b01(n >= 1 && n <= s.rows) }

func b01(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// scrolled answers a FETCH or MOVE of a cursor with SCROLL, and tells how many rows there were.
func (p *cursor) scrolled(c *conn, d direction, formats []int16, silent bool) (n int64, err error) {
	first, last, step, err := p.span(c, d)
	if err != nil || step == 0 {
		return 0, err
	}
	n = (last-first)*step + 1
	if silent {
		return n, nil
	}
	var b []byte
	at, start := 0, int64(1) // a batch, and the number of its first row
	for row := first; row != last+step; row += step {
		for row < start {
			at--
			start -= p.scroll.batches[at].NumRows()
		}
		for row >= start+p.scroll.batches[at].NumRows() {
			start += p.scroll.batches[at].NumRows()
			at++
		}
		p.run.batch, p.run.next = p.scroll.batches[at], int(row-start)
		if b = p.run.appendRow(b, formats); len(b) >= pieceSize || row == last {
			if err := c.write(b); err != nil {
				return 0, err
			}
			b = b[:0]
		}
	}
	return n, nil
}
