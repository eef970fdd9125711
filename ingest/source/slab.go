package source

import (
	"slices"
	"time"

	"tarn/embedded/record"
)

// slab is memory for records that go to the log together, which come and go together: a piece of its own for each key, value and header would
// cost more than to write it. When they have gone it serves others.
type slab struct {
	bytes   blocks[byte]
	headers blocks[record.Header]
	records int // that are expected
	entries []entry
	run     []record.Record
	appends []byte
}

// The sizes of blocks: of bytes at most, those that a record may need before one is nearly full, and of headers.
const (
	slabBytes    = 256 << 10
	recordRoom   = 2 << 10
	slabHeaders  = 768
	headersOfOne = 3
)

// What a slab keeps for the next ones at most: blocks of each sort, entries, and bytes of appends.
const (
	slabBlocks  = 8
	slabEntries = 8 << 10
	slabAppends = 2 << 20
)

// write keeps what f appends; nil where that is nothing.
func (s *slab) write(f func(dst []byte) []byte) []byte {
	room := s.bytes.room(recordRoom, min(slabBytes, (s.records+1)*recordRoom))
	out := f(room)
	if len(out) == 0 {
		return nil
	}
	s.bytes.take(len(out))
	return slices.Clip(out)
}

// some is room for the headers of a record.
func (s *slab) some() []record.Header {
	room := s.headers.room(headersOfOne, min(slabHeaders, (s.records+1)*headersOfOne))
	s.headers.take(headersOfOne)
	return room[:0:headersOfOne]
}

// encode makes record batches of entries: one for records that stand together, one for each mark.
func (s *slab) encode(entries []entry, now time.Time) []byte {
	from := len(s.appends)
	flush := func() {
		if len(s.run) > 0 {
			s.appends = record.AppendBatch(s.appends, s.run)
			s.run = s.run[:0]
		}
	}
	for i := range entries {
		if m := entries[i].mark; m != nil {
			flush()
			s.appends = append(s.appends, record.EncodeMark(*m, now.UnixMilli())...)
			continue
		}
		s.run = append(s.run, entries[i].record)
	}
	flush()
	return s.appends[from:len(s.appends):len(s.appends)]
}

// reset takes all back.
func (s *slab) reset() {
	s.bytes.reset(slabBytes)
	s.headers.reset(slabHeaders)
	s.entries, s.run, s.appends = s.entries[:0], s.run[:0], s.appends[:0]
	if cap(s.entries) > slabEntries {
		s.entries, s.run = nil, nil
	}
	if cap(s.appends) > slabAppends {
		s.appends = nil
	}
}

// blocks are pieces of memory that are given out in parts, and taken back all at once.
type blocks[T any] struct {
	list [][]T
	at   int // the one that parts are of
	used int // of it
}

// room is what is left of a block, least at the least; a new one has size.
func (b *blocks[T]) room(least, size int) []T {
	if b.at < len(b.list) && len(b.list[b.at])-b.used < least {
		b.at, b.used = b.at+1, 0
	}
	if b.at == len(b.list) {
		b.list = append(b.list, make([]T, max(least, size)))
	}
	return b.list[b.at][b.used:b.used:len(b.list[b.at])]
}

// take says how much of a room is used. What has grown out of it is no block's.
func (b *blocks[T]) take(n int) { b.used += min(n, len(b.list[b.at])-b.used) }

// reset keeps blocks of the full size for later.
func (b *blocks[T]) reset(size int) {
	kept := b.list[:0]
	for _, one := range b.list {
		if len(one) == size && len(kept) < slabBlocks {
			kept = append(kept, one)
		}
	}
	clear(b.list[len(kept):])
	b.list, b.at, b.used = kept, 0, 0
}
