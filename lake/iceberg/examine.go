//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/duck"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// examiner looks at the snapshots of one table that nobody writes to. What it has seen of a
// file or a manifest it does not look at again.
type examiner struct {
	store *Store
	deep  bool
	cols  []table.Column

	files     map[string]*spoilt // nil for a whole one
	manifests map[string]manifest
	others    bool // a file was met that is not Parquet, which Tarn does not write
}

// manifest is what was found in one.
type manifest struct {
	bad   *spoilt
	files []iceberg.DataFile
}

func (s *Store) examiner(deep bool, cols []table.Column) *examiner {
	return &examiner{store: s, deep: deep, cols: cols, files: map[string]*spoilt{}, manifests: map[string]manifest{}}
}

// health is what an examination of a snapshot found.
type health struct {
	bad []*spoilt
	// lost are the data files among bad. whole tells that nothing else is: the rest of the
	// snapshot can be kept without them.
	lost  []iceberg.DataFile
	whole bool
}

// snapshot examines one; nil, which a table without rows has, is whole.
func (x *examiner) snapshot(ctx context.Context, snap *icetable.Snapshot) (health, error) {
	h := health{whole: true}
	if snap == nil {
		return h, nil
	}
	other := func(err error) error {
		bad, ok := errors.AsType[*spoilt](err)
		if ok {
			h.bad, h.whole = append(h.bad, bad), false
			return nil
		}
		return err
	}
	manifests, err := x.store.manifestsOf(x.store.io(), snap)
	if err != nil {
		return h, other(err)
	}
	dataFiles := 0
	for _, m := range manifests {
		one, err := x.manifest(m)
		if err != nil {
			return h, err
		}
		if one.bad != nil {
			h.bad, h.whole = append(h.bad, one.bad), false
			continue
		}
		for _, df := range one.files {
			bad, err := x.file(ctx, df)
			if err != nil {
				return h, err
			}
			if df.ContentType() == iceberg.EntryContentData {
				dataFiles++
			}
			if bad == nil {
				continue
			}
			h.bad = append(h.bad, bad)
			if df.ContentType() == iceberg.EntryContentData {
				h.lost = append(h.lost, df)
			} else {
				h.whole = false
			}
		}
	}
	if h.whole {
		return h, other(x.store.complete(snap, dataFiles))
	}
	return h, nil
}

// spoilt lists those of the snapshots that are not whole.
func (x *examiner) spoilt(ctx context.Context, snaps []icetable.Snapshot) (ids []int64, err error) {
	for _, snap := range snaps {
		h, err := x.snapshot(ctx, &snap)
		if err != nil {
			return nil, err
		}
		if len(h.bad) > 0 {
			ids = append(ids, snap.SnapshotID)
		}
	}
	return ids, nil
}

func (x *examiner) manifest(m iceberg.ManifestFile) (manifest, error) {
	if known, ok := x.manifests[m.FilePath()]; ok {
		return known, nil
	}
	files, err := x.store.entriesOf(x.store.io(), m)
	bad, is := errors.AsType[*spoilt](err)
	if err != nil && !is {
		return manifest{}, err
	}
	one := manifest{bad: bad, files: files}
	x.manifests[m.FilePath()] = one
	return one, nil
}

func (x *examiner) file(ctx context.Context, df iceberg.DataFile) (*spoilt, error) {
	path, err := x.store.root.Path(df.FilePath())
	if err != nil {
		return nil, err
	}
	if bad, known := x.files[path]; known {
		return bad, nil
	}
	parquet := strings.EqualFold(string(df.FileFormat()), string(iceberg.ParquetFile))
	x.others = x.others || !parquet
	err = weigh(path, df.FileSizeBytes())
	if err == nil && parquet {
		err = ends(path)
	}
	if err == nil && parquet && x.deep {
		err = x.decode(ctx, path, df)
	}
	bad, is := errors.AsType[*spoilt](err)
	if err != nil && !is {
		return nil, err
	}
	x.files[path] = bad
	return bad, nil
}

// ends looks at the four letters that a Parquet file begins and ends with, which one that was
// overwritten by zeros has not.
func ends(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	const magic = "PAR1"
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var first, last [len(magic)]byte
	if _, err := f.ReadAt(first[:], 0); err == nil {
		_, err = f.ReadAt(last[:], info.Size()-int64(len(magic)))
		if err == nil && string(first[:]) == magic && string(last[:]) == magic {
			return nil
		}
	}
	return &spoilt{path, "it is no Parquet file any more"}
}

// decode reads a file to its end and compares it with what the manifest says of it: rows,
// nulls, and for whole numbers the smallest and the greatest.
func (x *examiner) decode(ctx context.Context, path string, df iceberg.DataFile) error {
	conn, err := x.store.duck.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if df.ContentType() != iceberg.EntryContentData {
		var n int64
		err := conn.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT hash(*COLUMNS(*)) AS h FROM read_parquet("+fileList([]string{path})+duck.NoPartitions+")) WHERE h IS NOT NULL").Scan(&n)
		if err != nil {
			return suspect(err, dataFile{path: path, bytes: -1})
		}
		if n != df.Count() {
			return &spoilt{path, fmt.Sprintf("it has %d rows, and %d in the metadata", n, df.Count())}
		}
		return nil
	}
	var known []table.Column
	for _, c := range x.cols {
		if table.ArrowType(c.Type) != arrow.Null {
			known = append(known, c)
		}
	}
	return x.compare(ctx, conn, path, df, known)
}

func (x *examiner) compare(ctx context.Context, conn *duck.Conn, path string, df iceberg.DataFile, cols []table.Column) error {
	items := []string{"count(*)", "coalesce(bit_xor(hash(f)), 0)::VARCHAR"}
	var rows int64
	var sum string
	counts := make([]int64, len(cols))
	into := []any{&rows, &sum}
	for i := range cols {
		items = append(items, fmt.Sprintf("count(k%d)", i))
		into = append(into, &counts[i])
	}
	query := "SELECT " + strings.Join(items, ", ") + " FROM (" + scan([]string{path}, cols) + ") f"
	if err := conn.QueryRowContext(ctx, query).Scan(into...); err != nil {
		if bad, ok := errors.AsType[*spoilt](suspect(err, dataFile{path: path, bytes: -1})); ok {
			return bad
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if duck.Scarce(err) {
			return err // of which the file is not to blame
		}
		return &spoilt{path, "it cannot be decoded: " + err.Error()}
	}
	if rows != df.Count() {
		return &spoilt{path, fmt.Sprintf("it has %d rows, and %d in the metadata", rows, df.Count())}
	}
	for i, c := range cols {
		if nulls, told := df.NullValueCounts()[c.ID]; told && rows-counts[i] != nulls {
			return &spoilt{path, fmt.Sprintf("column %s has %d nulls, and %d in the metadata", c.Name, rows-counts[i], nulls)}
		}
	}
	return x.bounds(ctx, conn, path, df, cols)
}

func (x *examiner) bounds(ctx context.Context, conn *duck.Conn, path string, df iceberg.DataFile, cols []table.Column) error {
	for i, c := range cols {
		low, told := wholeNumber(df.LowerBoundValues()[c.ID])
		high, told2 := wholeNumber(df.UpperBoundValues()[c.ID])
		if c.Type != record.Int && c.Type != record.Long || !told || !told2 {
			continue
		}
		var least, most *int64
		query := fmt.Sprintf("SELECT min(k%d+0), max(k%d+0) FROM (%s)", i, i, scan([]string{path}, cols))
		if err := conn.QueryRowContext(ctx, query).Scan(&least, &most); err != nil {
			return err
		}
		if least != nil && most != nil && (*least < low || *most > high) {
			return &spoilt{path, fmt.Sprintf("column %s goes from %d to %d, and from %d to %d in the metadata", c.Name, *least, *most, low, high)}
		}
	}
	return nil
}

// named are the paths that a snapshot leads to, as far as they can be read; the error tells
// why they are not all.
func (x *examiner) named(snap *icetable.Snapshot, into map[string]bool) error {
	add := func(uri string) {
		if path, err := x.store.root.Path(uri); err == nil {
			into[path] = true
		}
	}
	add(snap.ManifestList)
	manifests, failed := x.store.manifestsOf(x.store.io(), snap)
	for _, m := range manifests {
		add(m.FilePath())
		one, err := x.manifest(m)
		if err == nil && one.bad != nil {
			err = one.bad
		}
		failed = errors.Join(failed, err)
		for _, df := range one.files {
			add(df.FilePath())
		}
	}
	return failed
}
