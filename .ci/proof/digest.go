package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// Digest is a result's rows in any order: each row's checksum, and how often it is there.
type Digest struct {
	columns []string
	rows    map[uint64]int
	sample  map[uint64]string
	n       int
}

func newDigest() *Digest { return &Digest{rows: map[uint64]int{}, sample: map[uint64]string{}} }

// Digest reads a query's answer.
func (p *Process) Digest(ctx context.Context, text string) (*Digest, error) {
	d := newDigest()
	return d, p.Arrow(ctx, text, d.add)
}

// DigestStream reads an Arrow IPC stream.
func DigestStream(content []byte) (*Digest, error) {
	in, err := ipc.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	defer in.Release()
	d := newDigest()
	for in.Next() {
		if err := d.add(in.RecordBatch()); err != nil {
			return nil, err
		}
	}
	if err := in.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return d, nil
}

// add takes each row's cells in the order of the columns' names.
func (d *Digest) add(b arrow.RecordBatch) error {
	at := map[string]int{}
	for i, f := range b.Schema().Fields() {
		at[f.Name] = i
	}
	d.columns = slices.Sorted(maps.Keys(at))
	for row := range int(b.NumRows()) {
		h, sample := fnv.New64a(), ""
		for _, name := range d.columns {
			c, err := arrowCell(b.Column(at[name]), row)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			_, _ = fmt.Fprintf(h, "%s\x00", c)
			sample += fmt.Sprintf("%s=%.40q ", name, c)
		}
		d.rows[h.Sum64()]++
		d.n++
		if len(d.sample) < 1<<16 {
			d.sample[h.Sum64()] = sample
		}
	}
	return nil
}

// Differ tells one difference between two digests; "" where there is none.
func (d *Digest) Differ(other *Digest) string {
	if d.n != other.n {
		return fmt.Sprintf("%d rows and %d rows", d.n, other.n)
	}
	if d.n > 0 && !slices.Equal(d.columns, other.columns) {
		return fmt.Sprintf("columns %v and %v", d.columns, other.columns)
	}
	for sum, n := range d.rows {
		if other.rows[sum] == n {
			continue
		}
		theirs := ""
		for s := range other.rows {
			if d.rows[s] == 0 {
				theirs = other.sample[s]
				break
			}
		}
		return fmt.Sprintf("a row is there %d and %d times: %s; only there: %s", n, other.rows[sum], d.sample[sum], theirs)
	}
	return ""
}
