//go:build duckdb_arrow

package iceberg

import (
	"cmp"
	"fmt"
	"slices"
)

// What compaction works by. A commit each second makes small files and delete files; each one costs
// every later look-up and query some tenths of a millisecond.
const (
	compactBytes     = 16 << 20 // a data file below this is small
	smallFilesMax    = 50       // as many small files are put together
	deleteFilesMax   = 20       // as many delete files are made one
	dirtyShare       = 10       // a file is written anew when more than one row in so many is deleted
	tierBytes        = 1 << 20  // below this all small files go together, whatever their sizes
	targetBytes      = 128 << 20
	targetBytesKeyed = 64 << 20 // of a table with keys, whose files are written anew more often
)

// plan is what one compaction does to a table: bins of data files, each of which becomes one file, in
// a commit of its own. An empty bin is the delete files alone.
type plan struct {
	bins [][]dataFile
}

// due says why upkeep should compact the files of a snapshot; "" if there is no need.
func (f *fileSet) due() string {
	if n := len(f.deletes); n >= deleteFilesMax {
		return fmt.Sprintf("%d delete files", n)
	}
	small := 0
	for i, d := range f.data {
		if d.bytes < compactBytes {
			small++
		} else if gone := f.deleted(i); gone*dirtyShare > d.rows {
			return fmt.Sprintf("%d of %d rows of a file are deleted", gone, d.rows)
		}
	}
	if small < smallFilesMax {
		return ""
	}
	return fmt.Sprintf("%d small files", small)
}

// compaction plans what upkeep does by itself; with whole all small files and all files with deleted
// rows are written anew.
func (f *fileSet) compaction(small, target int64, whole bool) plan {
	chosen := map[string]bool{}
	for i, d := range f.data {
		if gone := f.deleted(i); gone == d.rows || gone > 0 && (whole || d.bytes >= small && gone*dirtyShare > d.rows) {
			chosen[d.path] = true
		}
	}
	for _, d := range f.tier(small, whole) {
		chosen[d.path] = true
	}
	var p plan
	var bin []dataFile
	var bytes int64
	flush := func() {
		if len(bin) > 1 || len(bin) == 1 && f.gone[bin[0].path] != nil {
			p.bins = append(p.bins, bin)
		}
		bin, bytes = nil, 0
	}
	for i, d := range f.data { // in their order, which is that of their offsets
		if !chosen[d.path] {
			continue
		}
		live := f.liveBytes(i)
		if bytes+live > target {
			flush()
		}
		bin, bytes = append(bin, d), bytes+live
	}
	flush()
	if len(p.bins) == 0 && (len(f.deletes) >= deleteFilesMax || whole && len(f.deletes) > 1) {
		p.bins = [][]dataFile{nil}
	}
	return p
}

// tier picks small files to put together: by size, as long as the next one is not larger than all
// before it. So a row is written anew once for each doubling of its file, not with each round.
func (f *fileSet) tier(small int64, whole bool) []dataFile {
	type sized struct {
		dataFile
		live int64
	}
	var files []sized
	for i, d := range f.data {
		if d.bytes < small && f.deleted(i) < d.rows {
			files = append(files, sized{d, f.liveBytes(i)})
		}
	}
	slices.SortStableFunc(files, func(a, b sized) int { return cmp.Compare(a.live, b.live) })
	var out []dataFile
	var sum int64
	for _, s := range files {
		enough := len(files) < smallFilesMax || len(out) >= smallFilesMax/2
		if !whole && enough && s.live > max(sum, tierBytes) {
			break
		}
		out, sum = append(out, s.dataFile), sum+s.live
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// liveBytes is about what the live rows of data file i take.
func (f *fileSet) liveBytes(i int) int64 {
	d := f.data[i]
	if d.rows == 0 {
		return 0
	}
	return int64(float64(d.bytes) * float64(d.rows-f.deleted(i)) / float64(d.rows))
}
