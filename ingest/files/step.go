package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

// The bounds of a step and of what is read for it.
const (
	stepBytesMax   = source.ChunkBytesMax * 3 / 4
	stepRecordsMax = 5000
	piecesMax      = 500
	windowBytes    = 1 << 20 // read at once, more where a line needs it
	lineBytesMax   = 4 << 20
	recordBytes    = 200      // what a record takes beside its value
	deadBytesMax   = 64 << 10 // of a line that is no record
)

// step is what one append will hold.
type step struct {
	records []source.Plain
	dead    []source.Dead
	bytes   int
	place   string
	again   bool // its pieces are told, so that it is never full
	ends    bool // what comes next does not go into it
	schema  *record.Schema
}

func (s *step) full() bool {
	return !s.again && (s.ends || s.bytes >= stepBytesMax || len(s.records)+len(s.dead) >= stepRecordsMax)
}

// take reads a piece of a target into the step; nil where there is none yet. more tells that the
// target has more to read.
func (r *reader) take(ctx context.Context, root *os.Root, t *target, s *step) (_ *piece, more bool, err error) {
	f, err := t.e.open(root)
	if errors.Is(err, errChanged) || errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil // the next look tells
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }()
	s.place = r.p.place()
	mark := *s
	p := piece{File: t.e.file.Number, From: t.e.file.at, Last: t.last}
	if err := r.read(ctx, f, t.e.name, &p, t.e.size, s); err != nil {
		*s = mark
		return nil, false, err
	}
	if same, err := r.unmoved(f, t.e); err != nil || !same {
		*s = mark // the next look tells
		return nil, false, err
	}
	if p.To.Bytes == p.From.Bytes && p.To.Line == p.From.Line {
		return nil, s.full(), nil
	}
	if p.To.Bytes == t.e.size {
		p.Modified = t.e.modified
	}
	return &p, (p.To.Bytes < t.e.size || p.To.Line < p.To.Rows) && s.full(), nil
}

// unmoved tells whether nobody truncated a file, or wrote to one that is to be quiet, while it was read.
func (r *reader) unmoved(f *os.File, e *entry) (bool, error) {
	now, err := e.stat(f)
	if err != nil {
		return false, err
	}
	if !r.s.tail && (now.size != e.size || now.modified != e.modified) || now.size < e.size {
		return false, nil
	}
	if e.file.Bytes == 0 {
		return true, nil
	}
	sum, err := sumOf(f, e.file.Bytes)
	return sum == e.file.Sum, err
}

// read reads a piece of a file up to end, or until the step is full, and completes what it says.
func (r *reader) read(ctx context.Context, f *os.File, name string, p *piece, end int64, s *step) error {
	if r.s.cut == (parquetRows{}) {
		return r.readParquet(ctx, f, name, p, end, s)
	}
	from := p.From
	if p.To.Kinds != "" { // it is read again
		from.Kinds = p.To.Kinds
	}
	p.To = p.From
	next, err := r.s.cut.open(f, &from, end, p.Last)
	if errors.Is(err, errNotYet) {
		return nil
	}
	if err != nil {
		return err
	}
	p.To.Kinds = from.Kinds
	h := sha256.New()
	size := int64(windowBytes)
	for p.To.Bytes < end && !s.full() {
		window := make([]byte, min(size, end-p.To.Bytes))
		if _, err := f.ReadAt(window, p.To.Bytes); err != nil {
			if errors.Is(err, io.EOF) {
				break // it was cut meanwhile; the next look tells
			}
			return err
		}
		last := p.Last && p.To.Bytes+int64(len(window)) == end
		n := r.cutAll(window, last, name, &p.To, next, s)
		h.Write(window[:n])
		switch {
		case n > 0:
			size = windowBytes
		case p.To.Bytes+int64(len(window)) == end:
			end = p.To.Bytes // the rest is no whole line yet
		default:
			size = lineBytesMax
		}
	}
	p.Sum = hex.EncodeToString(h.Sum(nil)[:12])
	p.To.Sum, err = sumOf(f, p.To.Bytes)
	return err
}

// cutAll takes the records of a window, moves to behind them, and tells how many bytes they are.
func (r *reader) cutAll(window []byte, last bool, name string, to *at, next rowCutter, s *step) (done int) {
	for done < len(window) && !s.full() {
		b := window[done:]
		var n int
		var value []byte
		var why string
		if to.Skip {
			n = line(b, true)
			to.Skip = b[n-1] != '\n'
		} else if n, value, why = next(b, last); n == 0 {
			if len(b) < lineBytesMax {
				return done
			}
			n, why = len(b), fmt.Sprintf("a record of more than %d bytes", lineBytesMax)
			to.Skip = true
		}
		key := name + ":" + strconv.FormatInt(to.Line+1, 10)
		switch {
		case why != "":
			s.bury(key, b[:n], why)
		case value != nil:
			s.add(key, value)
		}
		to.Line += int64(bytes.Count(b[:n], []byte("\n")))
		to.Bytes += int64(n)
		done += n
	}
	return done
}

func (s *step) add(key string, value []byte) {
	s.records = append(s.records, source.Plain{Key: []byte(key), Value: value})
	s.bytes += len(key) + len(value) + recordBytes
}

func (s *step) bury(key string, b []byte, why string) {
	b = bytes.TrimRight(b, "\r\n")
	if len(b) > deadBytesMax {
		why += fmt.Sprintf(" (the first %d bytes are here)", deadBytesMax)
		b = b[:deadBytesMax]
	}
	s.dead = append(s.dead, source.Dead{
		Place: s.place + "." + record.Hex16(int64(len(s.dead))), Key: []byte(key), Value: bytes.Clone(b), Why: why,
	})
	s.bytes += len(b)
}

// again reads the plan of a position, whose append may have been on its way: in the same pieces.
func (r *reader) again(ctx context.Context) error {
	root, err := os.OpenRoot(r.s.dir)
	if err != nil {
		return unread(err, r.s.dir)
	}
	defer func() { _ = root.Close() }()
	s, same := &step{place: r.p.place(), again: true}, true
	for i := range r.p.Plan {
		ok, err := r.readAgain(ctx, root, r.p.Plan[i], s)
		if err != nil {
			return err
		}
		same = same && ok
	}
	if same {
		r.ready, r.gone = s, time.Time{}
		return nil
	}
	if r.gone.IsZero() {
		r.gone = time.Now()
	}
	if time.Since(r.gone) < goneWait {
		return fault.Newf(fault.Unavailable, "wait; Tarn goes on by itself", "a file of %s has changed or gone while it was read", r.s.dir)
	}
	if logged := r.env.Place(r.s.topic); logged.Incarnation == r.p.Incarnation && logged.Place == r.p.place() {
		r.p.apply()
		return nil
	}
	r.happened("files changed or went while they were read; what is there of them is read from where they stood")
	r.p.Plan = nil
	r.p.Step++
	return nil
}

// readAgain reads a planned piece; false where it is not there as it was.
func (r *reader) readAgain(ctx context.Context, root *os.Root, want piece, s *step) (bool, error) {
	f := r.p.numbered(want.File)
	if f == nil {
		return false, nil
	}
	entries, err := list(root, r.s.wanted)
	if err != nil {
		return false, unread(err, r.s.dir)
	}
	for _, e := range entries {
		if (e.device != f.Device || e.inode != f.Inode) && e.name != f.Name || e.size < want.To.Bytes {
			continue
		}
		open, err := e.open(root)
		if err != nil {
			continue
		}
		got, room := piece{File: want.File, From: want.From, To: at{Kinds: want.To.Kinds, Line: want.To.Line}, Last: want.Last, Modified: want.Modified}, &step{place: s.place, dead: s.dead, again: true}
		err = r.read(ctx, open, f.Name, &got, want.To.Bytes, room)
		_ = open.Close()
		if err == nil && got == want {
			s.records, s.dead, s.schema = append(s.records, room.records...), room.dead, room.schema
			return true, nil
		}
	}
	return false, nil
}
