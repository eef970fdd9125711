//go:build duckdb_arrow

package iceberg

import (
	"slices"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// TestProbe holds the walk over two sorted lists to a look at each pair.
func TestProbe(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := &fileKeys{keys: rapid.SliceOfN(rapid.Int64Range(-40, 40), 0, 60).Draw(r, "file")}
		for i := range f.keys {
			f.pos = append(f.pos, uint32(i)) //nolint:gosec // small
		}
		rows := slices.Clone(f.keys)
		f.sort()
		keys := rapid.SliceOfN(rapid.Int64Range(-50, 50), 0, 60).Draw(r, "keys")
		slices.Sort(keys)
		l := &lookup{hits: map[string]*roaring.Bitmap{}}
		if err := l.probe("f", f, keys); err != nil {
			r.Fatal(err)
		}
		for pos, key := range rows {
			hit := l.hits["f"] != nil && l.hits["f"].Contains(uint32(pos)) //nolint:gosec // small
			if hit != slices.Contains(keys, key) {
				r.Fatalf("row %d has key %d, hit %v; keys %v", pos, key, hit, keys)
			}
		}
	})
}

// TestKeyCacheIsBounded: a file that finds no room is left to the join, and one that nobody looks at
// makes room.
func TestKeyCacheIsBounded(t *testing.T) {
	c := newKeyCache(10 * fileKeyBytes)
	fill := func(path string, rows int64) bool {
		if !c.reserve(rows) {
			return false
		}
		c.put(keyColumn{path, 1}, rows, &fileKeys{keys: make([]int64, rows), pos: make([]uint32, rows)})
		return true
	}
	if !fill("a", 6) || fill("b", 5) || fill("c", 11) || !fill("d", 4) || c.bytes != c.limit {
		t.Fatalf("%d bytes of %d", c.bytes, c.limit)
	}
	c.files[keyColumn{"a", 1}].used = time.Now().Add(-2 * keyCacheIdle)
	if !fill("b", 5) || c.get(keyColumn{"a", 1}) != nil || c.get(keyColumn{"a", 2}) != nil || c.get(keyColumn{"b", 1}) == nil || c.bytes != 9*fileKeyBytes {
		t.Fatalf("%d bytes of %d", c.bytes, c.limit)
	}
	reserved := c.reserve(1)
	c.put(keyColumn{"e", 1}, 1, nil)
	if !reserved || c.bytes != 9*fileKeyBytes {
		t.Fatalf("%d bytes after a file that could not be read", c.bytes)
	}
}
