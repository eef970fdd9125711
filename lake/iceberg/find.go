//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/lake/table"
)

// Find implements table.Table. The keys are looked up as those of an upsert are; then the named columns are read of the
// files that hold them, where DuckDB joins the rows' places, so that only what is asked for leaves it.
func (h *handle) Find(ctx context.Context, keys []arrow.RecordBatch, names []string, each func(arrow.RecordBatch) error) error {
	st, err := h.refresh(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	release := h.store.lease(st, st.meta.CurrentSnapshot())
	defer release()
	cols, err := h.named(st, names)
	if err != nil {
		return err
	}
	files, err := st.fileSet(ctx, h.store)
	if err != nil {
		return fmt.Errorf("read the files of %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), err))
	}
	if len(files.data) == 0 {
		return nil
	}
	conn, err := h.store.duck.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	l := &lookup{conn: conn, work: &work{handle: h, base: st}, files: files, hits: map[string]*roaring.Bitmap{}}
	if err = l.byKeys(ctx, keys); err == nil {
		l.dropDeleted()
		err = l.read(ctx, cols, each)
	}
	if err != nil {
		return fmt.Errorf("find rows of %s: %w", h.Ident(), h.store.damagedBy(h.Ident(), files.suspect(err)))
	}
	return nil
}

// read reads columns of the rows that were hit.
func (l *lookup) read(ctx context.Context, cols []table.Column, each func(arrow.RecordBatch) error) (err error) {
	if len(l.hits) == 0 {
		return nil
	}
	paths := slices.Sorted(maps.Keys(l.hits))
	places := l.places(paths)
	defer places.Release()
	defer func() {
		err = errors.Join(err, l.conn.Exec(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS "+keysTable))
	}()
	if err := l.conn.Load(ctx, keysTable, places.Schema(), []arrow.RecordBatch{places}); err != nil {
		return err
	}
	named := make([]string, len(cols))
	for i := range cols {
		named[i] = fmt.Sprintf("f.k%d", i)
	}
	reader, err := l.conn.Arrow(ctx, "SELECT "+strings.Join(named, ", ")+" FROM ("+scan(paths, cols)+") f SEMI JOIN "+keysTable+" k ON f.fi = k.fi AND f.pos = k.pos")
	if err != nil {
		return err
	}
	defer reader.Release()
	for reader.Next() {
		if err := each(reader.RecordBatch()); err != nil {
			return err
		}
	}
	return reader.Err()
}

// places are the hits by their file's index in paths.
func (l *lookup) places(paths []string) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "fi", Type: arrow.PrimitiveTypes.Int64}, {Name: "pos", Type: arrow.PrimitiveTypes.Int64},
	}, nil))
	defer b.Release()
	for i, path := range paths {
		for at := l.hits[path].Iterator(); at.HasNext(); {
			b.Field(0).(*array.Int64Builder).Append(int64(i))         //nolint:forcetypeassert // as the schema says
			b.Field(1).(*array.Int64Builder).Append(int64(at.Next())) //nolint:forcetypeassert // as the schema says
		}
	}
	return b.NewRecordBatch()
}
