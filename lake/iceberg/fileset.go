//go:build duckdb_arrow

package iceberg

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
)

// dataFile is one Parquet file of rows. Bounds are Iceberg's serialized smallest and
// greatest values by field id, where the writer gave them.
type dataFile struct {
	path         string
	rows, bytes  int64
	lower, upper map[int][]byte
	noNaN        []int // field ids of the columns of floats that have none, as the writer says
}

// deleteFile is one Parquet file of deleted positions.
type deleteFile struct {
	path        string
	rows, bytes int64
}

// fileSet is what makes one snapshot: its data files in one order, its delete files,
// and which rows those take out. It never changes.
type fileSet struct {
	data    []dataFile
	deletes []deleteFile
	// gone holds, by path of a data file, the positions that are deleted. A position is below 2^32:
	// a Parquet file of more rows is refused when it is read.
	gone map[string]*roaring.Bitmap
}

// with is the set after a commit that added files and deleted positions.
func (f *fileSet) with(added []dataFile, deletes *deleteFile, hits map[string]*roaring.Bitmap) *fileSet {
	next := &fileSet{
		data:    slices.Concat(f.data, added),
		deletes: f.deletes,
		gone:    f.gone,
	}
	if deletes == nil {
		return next
	}
	next.deletes = append(slices.Clip(f.deletes), *deletes)
	next.gone = maps.Clone(f.gone)
	for path, positions := range hits {
		if old := next.gone[path]; old != nil {
			positions = roaring.Or(old, positions)
		}
		next.gone[path] = positions
	}
	return next
}

func (f *fileSet) liveRows() int64 {
	var n int64
	for i := range f.data {
		n += f.data[i].rows - f.deleted(i)
	}
	return n
}

// deleted counts the rows of data file i that are deleted.
func (f *fileSet) deleted(i int) int64 {
	gone := f.gone[f.data[i].path]
	if gone == nil {
		return 0
	}
	return int64(gone.GetCardinality()) //nolint:gosec // below 2^32
}

// live lists the data files that have rows left. A mirror whose rows are changed again and
// again is mostly files that have none.
func (f *fileSet) live() []dataFile {
	out := make([]dataFile, 0, len(f.data))
	for i, d := range f.data {
		if f.deleted(i) < d.rows {
			out = append(out, d)
		}
	}
	return out
}

// readFiles reads a snapshot's manifests and delete files; nil is a table without a snapshot.
func (s *Store) readFiles(ctx context.Context, snap *icetable.Snapshot) (*fileSet, error) {
	out := &fileSet{gone: map[string]*roaring.Bitmap{}}
	if snap == nil {
		return out, nil
	}
	io := s.io()
	manifests, err := s.manifestsOf(io, snap)
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		files, err := s.entriesOf(io, m)
		if err != nil {
			return nil, err
		}
		for _, df := range files {
			if err := out.add(s, df); err != nil {
				return nil, err
			}
		}
	}
	if err := s.complete(snap, len(out.data)); err != nil {
		return nil, err
	}
	if len(out.deletes) > 0 {
		if err := s.readDeletes(ctx, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *fileSet) add(s *Store, df iceberg.DataFile) error {
	path, err := s.root.Path(df.FilePath())
	if err != nil {
		return err
	}
	if df.FilePath() != s.root.URI(path) {
		return fault.Newf(fault.Invalid, "write the table with "+s.root.Prefix()+"/… locations", "%q is no URI as Tarn writes them", df.FilePath())
	}
	if df.FileFormat() != iceberg.ParquetFile || df.ContentType() == iceberg.EntryContentEqDeletes {
		return fault.Newf(fault.Invalid, "rewrite the table with Parquet data files and position deletes (Iceberg v2)",
			"%s is a %s file of kind %s, which Tarn does not read", path, df.FileFormat(), df.ContentType())
	}
	if err := weigh(path, df.FileSizeBytes()); err != nil {
		return err
	}
	if df.ContentType() == iceberg.EntryContentPosDeletes {
		f.deletes = append(f.deletes, newDeleteFile(path, df))
		return nil
	}
	f.data = append(f.data, newDataFile(path, df))
	return nil
}

func newDataFile(path string, df iceberg.DataFile) dataFile {
	out := dataFile{
		path: path, rows: df.Count(), bytes: df.FileSizeBytes(),
		lower: df.LowerBoundValues(), upper: df.UpperBoundValues(),
	}
	for id, n := range df.NaNValueCounts() {
		if n == 0 {
			out.noNaN = append(out.noNaN, id)
		}
	}
	return out
}

func newDeleteFile(path string, df iceberg.DataFile) deleteFile {
	return deleteFile{path: path, rows: df.Count(), bytes: df.FileSizeBytes()}
}

// deletePaths are the native paths of the delete files.
func (f *fileSet) deletePaths() []string {
	out := make([]string, len(f.deletes))
	for i, d := range f.deletes {
		out[i] = d.path
	}
	return out
}

// readDeletes fills gone from the delete files.
func (s *Store) readDeletes(ctx context.Context, f *fileSet) error {
	conn, err := s.duck.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	reader, err := conn.Arrow(ctx, "SELECT file_path::VARCHAR, pos::BIGINT FROM read_parquet("+fileList(f.deletePaths())+duck.NoPartitions+")")
	if err != nil {
		return fmt.Errorf("read delete files: %w", f.suspect(err))
	}
	defer reader.Release()
	for reader.Next() {
		batch := reader.RecordBatch()
		uris, ok := batch.Column(0).(*array.String)
		positions, ok2 := batch.Column(1).(*array.Int64)
		if !ok || !ok2 {
			return fmt.Errorf("read delete files: columns are %s", batch.Schema())
		}
		if err := f.mark(s, uris, positions); err != nil {
			return err
		}
	}
	return f.suspect(reader.Err())
}

// suspect is the package's suspect with this set's files.
func (f *fileSet) suspect(err error) error {
	if err == nil {
		return nil
	}
	files := slices.Clone(f.data)
	for _, d := range f.deletes {
		files = append(files, dataFile{path: d.path, bytes: -1})
	}
	return suspect(err, files...)
}

func (f *fileSet) mark(s *Store, uris *array.String, positions *array.Int64) error {
	var last, path string
	for i := range uris.Len() {
		if uri := uris.Value(i); uri != last {
			var err error
			if path, err = s.root.Path(uri); err != nil {
				return err
			}
			last = strings.Clone(uri)
		}
		if err := markRow(f.gone, path, positions.Value(i)); err != nil {
			return err
		}
	}
	return nil
}

const rowsPerFileMax = 1 << 32

func markRow(gone map[string]*roaring.Bitmap, path string, pos int64) error {
	if pos < 0 || pos >= rowsPerFileMax {
		return fault.Newf(fault.Invalid, "rewrite the table into smaller files", "%s has a deleted row at position %d", path, pos)
	}
	if gone[path] == nil {
		gone[path] = roaring.New()
	}
	gone[path].Add(uint32(pos))
	return nil
}

// fileList renders paths as a list literal of DuckDB.
func fileList(paths []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, p := range paths {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(duck.Quote(p))
	}
	b.WriteByte(']')
	return b.String()
}
