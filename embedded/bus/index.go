package bus

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"
)

// indexRunsMax bounds a partition's index: about 50 bytes of RAM a run. When it is
// full its older half is made coarser.
const indexRunsMax = 4096

// run is one message, or several neighbours that the index holds as one.
type run struct {
	seq    uint64 // of its first message
	base   int64  // offset of its first record
	next   int64  // offset after its last
	newest int64  // newest timestamp in it, in ms
	bytes  int64
}

// index maps offsets and times to messages. Runs are in order and never overlap.
type index struct {
	runs  []run
	bytes int64
}

func (x *index) add(r run) {
	if len(x.runs) >= indexRunsMax {
		x.coarsen()
	}
	x.runs = append(x.runs, r)
	x.bytes += r.bytes
}

// coarsen joins neighbours in the older half, so that the newer half stays exact. What a
// gap parts stays apart, unless there is nothing else to join.
func (x *index) coarsen() {
	for _, overGaps := range []bool{false, true} {
		half := len(x.runs) / 2
		out := x.runs[:0]
		for i := 0; i < half; i++ {
			a := x.runs[i]
			if b := x.runs[i+1]; i+1 < half && (overGaps || a.next == b.base) {
				a = run{a.seq, a.base, b.next, max(a.newest, b.newest), a.bytes + b.bytes}
				i++
			}
			out = append(out, a)
		}
		if x.runs = append(out, x.runs[half:]...); len(x.runs) < indexRunsMax {
			return
		}
	}
}

// seq returns the sequence from which on a read finds the offset: the first message
// of the first run that ends above it.
func (x *index) seq(offset int64) (run, bool) {
	i := sort.Search(len(x.runs), func(i int) bool { return x.runs[i].next > offset })
	if i == len(x.runs) {
		return run{}, false
	}
	return x.runs[i], true
}

// last is where the last run begins; 0 without one.
func (x *index) last() int64 {
	if len(x.runs) == 0 {
		return 0
	}
	return x.runs[len(x.runs)-1].base
}

// gap returns the first offsets from from on, below next, that no run holds.
func (x *index) gap(from, next int64) (first, after int64, found bool) {
	at := from
	i := sort.Search(len(x.runs), func(i int) bool { return x.runs[i].next > from })
	for _, r := range x.runs[i:] {
		if r.base > at {
			return at, r.base, true
		}
		at = r.next
	}
	return at, next, at < next
}

// bytesWithin is about how many bytes the messages between two offsets take.
func (x *index) bytesWithin(from, to int64) int64 {
	var n int64
	for _, r := range x.runs {
		if r.base >= from && r.next <= to {
			n += r.bytes
		}
	}
	return n
}

// unread is bytesWithin for readers: runs that they are in the middle of count whole, and no more are counted than
// make enough.
func (x *index) unread(from, to, enough int64) int64 {
	var n int64
	i := sort.Search(len(x.runs), func(i int) bool { return x.runs[i].next > from })
	for ; i < len(x.runs) && x.runs[i].base < to && n < enough; i++ {
		n += x.runs[i].bytes
	}
	return n
}

// trim drops the runs whose records all lie below offset, but never the last one.
// It returns the sequence of the first run that stays, and the bytes dropped.
func (x *index) trim(offset int64) (first uint64, dropped int64) {
	n := 0
	for n+1 < len(x.runs) && x.runs[n].next <= offset {
		dropped += x.runs[n].bytes
		n++
	}
	x.runs = slices.Delete(x.runs, 0, n)
	x.bytes -= dropped
	if len(x.runs) == 0 {
		return 0, dropped
	}
	return x.runs[0].seq, dropped
}

// dropBelow forgets the runs whose messages all lie below a sequence: the stream has
// lost them.
func (x *index) dropBelow(seq uint64) {
	n := 0
	for n+1 < len(x.runs) && x.runs[n+1].seq <= seq {
		x.bytes -= x.runs[n].bytes
		n++
	}
	x.runs = slices.Delete(x.runs, 0, n)
}

// encode renders the index for the checkpoint: varints, each run relative to the one before.
func (x *index) encode() []byte {
	b := make([]byte, 0, 16*len(x.runs))
	var last run
	for _, r := range x.runs {
		b = binary.AppendUvarint(b, r.seq-last.seq)
		for _, v := range []int64{r.base - last.next, r.next - r.base, r.newest - last.newest, r.bytes} {
			b = binary.AppendVarint(b, v)
		}
		last = r
	}
	return b
}

var errIndex = errors.New("index of a checkpoint is corrupt")

func decodeIndex(b []byte) (index, error) {
	var x index
	var last run
	for len(b) > 0 {
		seq, n := binary.Uvarint(b)
		if n <= 0 {
			return x, errIndex
		}
		b = b[n:]
		var v [4]int64
		for i := range v {
			if v[i], n = binary.Varint(b); n <= 0 {
				return x, errIndex
			}
			b = b[n:]
		}
		r := run{seq: last.seq + seq, base: last.next + v[0], newest: last.newest + v[2], bytes: v[3]}
		r.next = r.base + v[1]
		if r.base < last.next || r.next <= r.base || r.bytes < 0 || len(x.runs) > 0 && seq == 0 {
			return x, errIndex
		}
		x.runs, x.bytes, last = append(x.runs, r), x.bytes+r.bytes, r
	}
	return x, nil
}
