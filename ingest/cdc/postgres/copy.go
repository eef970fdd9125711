package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgtype"
)

// copySignature begins the rows of COPY BINARY (PostgreSQL documentation, COPY, "File Formats").
var copySignature = []byte("PGCOPY\n\377\r\n\000")

// copyHead is the signature, the flags and the length of the header's extension.
const copyHead = 19

var errCopy = errors.New("the server's COPY cannot be read")

// copied reads COPY BINARY as it comes. Its first column is ctid; each is called with it and
// with the rest of the row, whose cells stay good.
type copied struct {
	codecs []*pgtype.Codec
	arena  pgtype.Arena
	each   func(block uint32, offset uint16, row record.Row) error
	head   bool
	done   bool
	rest   []byte // of a row that has not come whole
	room   []byte
}

// Write takes some bytes.
func (c *copied) Write(p []byte) (int, error) {
	n := len(p)
	b := c.keep(p)
	if !c.head {
		if len(b) < copyHead {
			c.rest = b
			return n, nil
		}
		extension := int64(binary.BigEndian.Uint32(b[copyHead-4:]))
		if !bytes.HasPrefix(b, copySignature) || int64(len(b)) < copyHead+extension {
			return 0, errCopy
		}
		b, c.head = b[copyHead+extension:], true
	}
	for len(b) > 0 && !c.done {
		used, err := c.row(b)
		if err != nil {
			return 0, err
		}
		if used == 0 {
			break
		}
		b = b[used:]
	}
	c.rest = b
	return n, nil
}

// keep copies bytes behind those that are left, for the connection uses its own again.
func (c *copied) keep(p []byte) []byte {
	need := len(c.rest) + len(p)
	if len(c.room) < need {
		c.room = make([]byte, max(blockBytes, 2*need))
	}
	n := copy(c.room, c.rest)
	n += copy(c.room[n:], p)
	b := c.room[:n:n]
	c.room = c.room[n:]
	c.rest = nil
	return b
}

// row reads one row and returns its length; 0 where it is not all there.
func (c *copied) row(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	fields := int16(binary.BigEndian.Uint16(b)) //nolint:gosec // its bits
	if fields == -1 {
		c.done = true
		return 2, nil
	}
	if int(fields) != len(c.codecs)+1 {
		return 0, fmt.Errorf("%w: %d columns, want %d", errCopy, fields, len(c.codecs)+1)
	}
	row := c.arena.Row(len(c.codecs))
	var block uint32
	var offset uint16
	at := 2
	for i := range int(fields) {
		if len(b) < at+4 {
			return 0, nil
		}
		size := int(int32(binary.BigEndian.Uint32(b[at:]))) //nolint:gosec // its bits
		at += 4
		if size < 0 {
			continue
		}
		if len(b) < at+size {
			return 0, nil
		}
		cell := b[at : at+size : at+size]
		at += size
		if i > 0 {
			row[i-1] = c.codecs[i-1].Binary(&c.arena, cell)
			continue
		}
		if size != 6 {
			return 0, fmt.Errorf("%w: a ctid of %d bytes", errCopy, size)
		}
		block, offset = binary.BigEndian.Uint32(cell), binary.BigEndian.Uint16(cell[4:])
	}
	return at, c.each(block, offset, row)
}
