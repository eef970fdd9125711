//go:build duckdb_arrow

package iceberg

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// keyCacheIdle is how long a file's keys are kept after the last look at them, where others need the
// room. A mirror larger than the cache so keeps what it has, and joins the rest.
const keyCacheIdle = 5 * time.Minute

// keyCache holds the whole-number keys of data files in memory, in order: a look-up then costs a walk
// over two sorted lists, where a join would decode the column of the whole table anew. Files never
// change, so there is nothing to keep up to date; what is lost is read again.
type keyCache struct {
	limit int64 // bytes

	mu    sync.Mutex
	bytes int64
	files map[keyColumn]*fileKeys
}

// keyColumn is a column of a data file.
type keyColumn struct {
	path string
	id   int // Iceberg's field id
}

// fileKeys are one file's keys in order, each with its row's position. Nulls are left out.
type fileKeys struct {
	keys []int64
	pos  []uint32
	used time.Time // monotonic
}

const fileKeyBytes = 8 + 4

func newKeyCache(limit int64) keyCache {
	return keyCache{limit: limit, files: map[keyColumn]*fileKeys{}}
}

// get returns the keys of a file; nil if they are not here.
func (c *keyCache) get(at keyColumn) *fileKeys {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files[at]
	if f != nil {
		f.used = time.Now()
	}
	return f
}

// reserve makes room for a file of so many rows, at the cost of files that nobody looks at any more.
func (c *keyCache) reserve(rows int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	need := rows * fileKeyBytes
	if need > c.limit {
		return false
	}
	if c.bytes+need > c.limit {
		before := time.Now().Add(-keyCacheIdle)
		for at, f := range c.files {
			if f.used.Before(before) {
				delete(c.files, at)
				c.bytes -= int64(len(f.keys)) * fileKeyBytes
			}
		}
	}
	if c.bytes+need > c.limit {
		return false
	}
	c.bytes += need
	return true
}

// put keeps what was reserved; nil gives the room back.
func (c *keyCache) put(at keyColumn, rows int64, f *fileKeys) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= rows * fileKeyBytes
	if f == nil || c.files[at] != nil {
		return
	}
	f.used = time.Now()
	c.bytes += int64(len(f.keys)) * fileKeyBytes
	c.files[at] = f
}

// cachedHits finds the rows of sorted keys in the files whose keys are in memory, or come to be; it
// returns the paths of the others.
func (l *lookup) cachedHits(ctx context.Context, paths []string, col table.Column, keys []int64) (rest []string, err error) {
	cache := &l.work.handle.store.keys
	rows := map[string]int64{}
	for _, d := range l.files.data {
		rows[d.path] = d.rows
	}
	var fresh []string
	for _, path := range paths {
		switch f := cache.get(keyColumn{path, col.ID}); {
		case f != nil:
			err = l.probe(path, f, keys)
		case cache.reserve(rows[path]):
			fresh = append(fresh, path)
		default:
			rest = append(rest, path)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(fresh) == 0 {
		return rest, nil
	}
	read, err := readKeys(ctx, l.conn, fresh, col)
	for i, path := range fresh {
		if err != nil {
			cache.put(keyColumn{path, col.ID}, rows[path], nil)
			continue
		}
		cache.put(keyColumn{path, col.ID}, rows[path], read[i])
		err = l.probe(path, read[i], keys)
	}
	return rest, err
}

// probe marks the rows that have one of the sorted keys.
func (l *lookup) probe(path string, f *fileKeys, keys []int64) error {
	at := 0
	for _, k := range keys {
		at += seek(f.keys[at:], k)
		for i := at; i < len(f.keys) && f.keys[i] == k; i++ { // a key once, where nothing is deleted
			if err := markRow(l.hits, path, int64(f.pos[i])); err != nil {
				return err
			}
		}
		if at == len(f.keys) {
			break
		}
	}
	return nil
}

// seek is the index of the first value that is not below k, in steps that grow: the next key is near.
func seek(sorted []int64, k int64) int {
	step := 1
	for step < len(sorted) && sorted[step-1] < k {
		step *= 2
	}
	from, to := step/2, min(step, len(sorted))
	i, _ := slices.BinarySearch(sorted[from:to], k)
	return from + i
}

// readKeys reads the keys of files.
func readKeys(ctx context.Context, conn *duck.Conn, paths []string, col table.Column) ([]*fileKeys, error) {
	out := make([]*fileKeys, len(paths))
	for i := range out {
		out[i] = &fileKeys{}
	}
	for i, path := range paths { // one by one: a result lies in memory whole
		reader, err := conn.Arrow(ctx, "SELECT pos, k0::BIGINT FROM ("+scan([]string{path}, []table.Column{col})+") WHERE k0 IS NOT NULL")
		if err != nil {
			return nil, err
		}
		for reader.Next() {
			batch := reader.RecordBatch()
			pos, ok := batch.Column(0).(*array.Int64)
			keys, ok2 := batch.Column(1).(*array.Int64)
			if !ok || !ok2 {
				reader.Release()
				return nil, fmt.Errorf("read the keys of %s: columns are %s", path, batch.Schema())
			}
			out[i].keys = append(out[i].keys, keys.Int64Values()...)
			for _, p := range pos.Int64Values() {
				out[i].pos = append(out[i].pos, uint32(p)) //nolint:gosec // below rowsPerFileMax, which markRow holds
			}
		}
		err = reader.Err()
		reader.Release()
		if err != nil {
			return nil, err
		}
		out[i].sort()
	}
	return out, nil
}

func (f *fileKeys) sort() {
	if slices.IsSorted(f.keys) {
		return
	}
	order := make([]uint32, len(f.keys))
	for i := range order {
		order[i] = uint32(i) //nolint:gosec // rows of a file
	}
	slices.SortFunc(order, func(a, b uint32) int {
		if f.keys[a] < f.keys[b] {
			return -1
		}
		if f.keys[a] > f.keys[b] {
			return 1
		}
		return 0
	})
	keys, pos := make([]int64, len(order)), make([]uint32, len(order))
	for i, o := range order {
		keys[i], pos[i] = f.keys[o], f.pos[o]
	}
	f.keys, f.pos = keys, pos
}

// oneNumber tells whether a key is one whole number.
func oneNumber(cols []table.Column) bool {
	return len(cols) == 1 && (cols[0].Type == record.Long || cols[0].Type == record.Int)
}
