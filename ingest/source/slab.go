package source

import "tarn/embedded/record"

// slab gives out memory for the records of one batch, which come and go together: a piece of its own for each key, value and
// header would cost more than to write it.
type slab struct {
	bytes   []byte
	headers []record.Header
	records int // that are expected
}

// The sizes of blocks: of bytes at most, those that a record may need before one is nearly full, and of headers.
const (
	slabBytes    = 256 << 10
	recordRoom   = 2 << 10
	slabHeaders  = 768
	headersOfOne = 3
)

// write keeps what f appends; nil where that is nothing.
func (s *slab) write(f func(dst []byte) []byte) []byte {
	if cap(s.bytes)-len(s.bytes) < recordRoom {
		s.bytes = make([]byte, 0, min(slabBytes, (s.records+1)*recordRoom))
	}
	from := len(s.bytes)
	if s.bytes = f(s.bytes); len(s.bytes) == from {
		return nil
	}
	return s.bytes[from:len(s.bytes):len(s.bytes)]
}

// some is room for the headers of a record.
func (s *slab) some() []record.Header {
	if cap(s.headers)-len(s.headers) < headersOfOne {
		s.headers = make([]record.Header, 0, min(slabHeaders, (s.records+1)*headersOfOne))
	}
	from := len(s.headers)
	s.headers = s.headers[:from+headersOfOne]
	return s.headers[from : from : from+headersOfOne]
}
