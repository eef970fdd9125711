//go:build duckdb_arrow

package iceberg

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
)

const (
	readRowsMax    = 100_000 // values of a span's column that one reading looks through
	readFixedBytes = 16      // about what a cell takes that is neither text nor binary
)

// reading is one reading of a span.
type reading struct {
	conn  *duck.Conn
	names []string
	cols  []table.Column // those named, and the span's if it is not among them
	at    int            // the span's column in cols
	files []dataFile     // that may hold rows of the span
	gone  map[string]*roaring.Bitmap
	span  table.Span
}

// Rows implements table.Table. The memory that it takes is bounded by bytesMax and by one row group.
func (h *handle) Rows(ctx context.Context, names []string, s table.Span, bytesMax int, each func(arrow.RecordBatch) error) (next int64, err error) {
	st, err := h.refresh(ctx)
	if err != nil {
		return s.From, err
	}
	release := h.store.lease(st, st.meta.CurrentSnapshot())
	defer release()
	files, err := st.fileSet(ctx, h.store)
	if err != nil {
		return s.From, fmt.Errorf("read the files of %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), err))
	}
	r, err := h.reading(st, files, names, s)
	if err != nil || len(r.files) == 0 {
		return s.To, err
	}
	if r.conn, err = h.store.duck.Conn(ctx); err != nil {
		return s.From, err
	}
	defer func() { _ = r.conn.Close() }()
	from, to, err := r.portion(ctx, bytesMax)
	if err == nil && from < to {
		err = r.rows(ctx, from, to, each)
	}
	if err != nil {
		return s.From, fmt.Errorf("read rows of %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), files.suspect(err)))
	}
	return to, nil
}

func (h *handle) reading(st *state, files *fileSet, names []string, s table.Span) (*reading, error) {
	r := &reading{names: names, gone: files.gone, span: s, at: slices.Index(names, s.Column)}
	if r.at < 0 {
		r.at, names = len(names), append(slices.Clip(names), s.Column)
	}
	cols, err := h.named(st, names)
	if err != nil {
		return nil, err
	}
	r.cols = cols
	if is := r.cols[r.at].Type; is != record.Long && is != record.Int {
		return nil, fault.Newf(fault.Invalid, "name a column of whole numbers", "column %s of %s is %s", s.Column, h.Ident(), is)
	}
	for _, f := range files.live() {
		if low, high := r.bounds(f); low < s.To && high >= s.From {
			r.files = append(r.files, f)
		}
	}
	return r, nil
}

// bounds are the smallest and the greatest value of the span's column in a file, or what the
// span lets pass where they are not known.
func (r *reading) bounds(f dataFile) (low, high int64) {
	low, ok := wholeNumber(f.lower[r.cols[r.at].ID])
	high, ok2 := wholeNumber(f.upper[r.cols[r.at].ID])
	if !ok || !ok2 {
		return r.span.From, r.span.To
	}
	return low, high
}

// portion finds the part of the span that is read now: from the first row on, as far as
// the bytes allow.
func (r *reading) portion(ctx context.Context, bytesMax int) (from, to int64, err error) {
	for from = r.first(r.span.From); from < r.span.To; from = r.first(to) {
		to = min(from+readRowsMax, r.span.To)
		next, some, err := r.measure(ctx, from, to, int64(bytesMax))
		if err != nil || some {
			return from, next, err
		}
	}
	return r.span.To, r.span.To, nil
}

// measure tells before which value the bytes are used up, and whether there are rows before
// it. Texts are measured where they lie: only numbers come out.
func (r *reading) measure(ctx context.Context, from, to, bytesMax int64) (next int64, some bool, err error) {
	sizes := []string{strconv.Itoa(readFixedBytes * len(r.cols))}
	for i, c := range r.cols {
		switch c.Type {
		case record.String:
			sizes = append(sizes, fmt.Sprintf("coalesce(strlen(k%d), 0)", i))
		case record.Binary:
			sizes = append(sizes, fmt.Sprintf("coalesce(octet_length(k%d), 0)", i))
		}
	}
	rows, err := r.conn.QueryContext(ctx, fmt.Sprintf("SELECT k%[1]d::BIGINT, sum(%[2]s)::BIGINT FROM (%[3]s) WHERE %[4]s GROUP BY k%[1]d ORDER BY k%[1]d",
		r.at, strings.Join(sizes, " + "), scan(r.paths(from, to), r.cols), r.within(from, to)))
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = rows.Close() }()
	var total, value, bytes int64
	for rows.Next() {
		if err := rows.Scan(&value, &bytes); err != nil {
			return 0, false, err
		}
		if total += bytes; some && total > bytesMax {
			return value, true, nil
		}
		some = true
	}
	return to, some, rows.Err()
}

func (r *reading) within(from, to int64) string {
	return fmt.Sprintf("k%[1]d >= %[2]d AND k%[1]d < %[3]d", r.at, from, to)
}

// first is the first value from one on that a file may hold.
func (r *reading) first(from int64) int64 {
	first := r.span.To
	for _, f := range r.files {
		if low, high := r.bounds(f); high >= from {
			first = min(first, max(low, from))
		}
	}
	return first
}

func (r *reading) paths(from, to int64) (paths []string) {
	for _, f := range r.files {
		if low, high := r.bounds(f); low < to && high >= from {
			paths = append(paths, f.path)
		}
	}
	return paths
}

func (r *reading) rows(ctx context.Context, from, to int64, each func(arrow.RecordBatch) error) error {
	paths := r.paths(from, to)
	reader, err := r.conn.Arrow(ctx, fmt.Sprintf("SELECT * FROM (%s) WHERE %s ORDER BY k%d", scan(paths, r.cols), r.within(from, to), r.at))
	if err != nil {
		return err
	}
	defer reader.Release()
	for reader.Next() {
		batch, err := r.named(ctx, paths, reader.RecordBatch())
		if err != nil {
			return err
		}
		if batch.NumRows() > 0 {
			err = each(batch)
		}
		batch.Release()
		if err != nil {
			return err
		}
	}
	return reader.Err()
}

// named leaves deleted rows out, and of the rest the row's place, which comes first, and
// whatever was not asked for.
func (r *reading) named(ctx context.Context, paths []string, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	index, ok := batch.Column(0).(*array.Int64)
	pos, ok2 := batch.Column(1).(*array.Int64)
	if !ok || !ok2 {
		return nil, fmt.Errorf("columns are %s", batch.Schema())
	}
	const before = 2
	fields := make([]arrow.Field, len(r.names))
	for i, name := range r.names {
		fields[i] = arrow.Field{Name: name, Type: batch.Schema().Field(before + i).Type, Nullable: true}
	}
	out := array.NewRecordBatch(arrow.NewSchema(fields, nil), batch.Columns()[before:before+len(r.names)], batch.NumRows())
	if len(r.gone) == 0 {
		return out, nil
	}
	defer out.Release()
	return only(ctx, out, func(i int64) bool {
		gone := r.gone[paths[index.Value(int(i))]]
		return gone == nil || !gone.Contains(uint32(pos.Value(int(i)))) //nolint:gosec // below rowsPerFileMax
	})
}
