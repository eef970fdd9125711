//go:build duckdb_arrow

package iceberg

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// Iceberg's field ids of a position-delete file's columns.
const (
	fieldFilePath = 2147483546
	fieldPos      = 2147483545
)

// deleteRowsPerBatch bounds the memory of writing a delete file.
const deleteRowsPerBatch = 1 << 16

// writeRows writes the rows as Parquet, synced, with the columns as tx has them.
func (w *work) writeRows(ctx context.Context, tx *icetable.Transaction, rows []arrow.RecordBatch) ([]iceberg.DataFile, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	staged, err := tx.StagedTable()
	if err != nil {
		return nil, err
	}
	schema, err := w.labelled(columns(staged.Schema(), staged.Properties()), rows)
	if err != nil {
		return nil, err
	}
	batches := func(yield func(arrow.RecordBatch, error) bool) {
		for _, b := range rows {
			if !yield(array.NewRecordBatch(schema, b.Columns(), b.NumRows()), nil) {
				return
			}
		}
	}
	bytes := int64(0)
	for _, b := range rows {
		bytes += rowBytes(b)
	}
	quick, err := w.quick(staged.Metadata(), bytes >= compactBytes)
	if err != nil {
		return nil, err
	}
	var out []iceberg.DataFile
	nans := nansOf(schema)
	for df, err := range icetable.WriteRecords(ctx, quick, schema, nans.in(batches), icetable.WithMaxWriteWorkers(1), icetable.WithParquetRowGroupLimit(rowGroupRows)) {
		if err != nil {
			return nil, err
		}
		df, err = w.verbatim(df, nans)
		if err != nil {
			return nil, err
		}
		out = append(out, df)
	}
	return out, nil
}

// How a commit's files are written; its data files unless the table says something else. More effort at compression takes
// 1.3 MB of memory for each writer anew. Dictionaries make a large write a fifth dearer and what reads it a quarter cheaper: files that upkeep may
// leave as they are have some, and those of statements; the small ones of a commit get theirs when they are written anew.
const (
	propCompressionLevel = "write.parquet.compression-level"
	commitCompression    = 1
	propDictionary       = "parquet.enable.dictionary"
)

// quick is the table for the files of a commit, which are written with little effort: upkeep writes small ones
// anew, with more.
func (w *work) quick(meta icetable.Metadata, dictionaries bool) (*icetable.Table, error) {
	props := iceberg.Properties{propCompressionLevel: strconv.Itoa(commitCompression), propDictionary: strconv.FormatBool(dictionaries)}
	maps.Copy(props, meta.Properties())
	meta, err := icetable.UpdateTableMetadata(meta, []icetable.Update{icetable.NewSetPropertiesUpdate(props)}, w.base.location)
	if err != nil {
		return nil, err
	}
	return icetable.New(w.handle.name(), meta, w.base.location, fixedIO(w.io), nil), nil
}

// verbatim names a data file as every engine finds it: the library's writer escapes
// what is no plain character. It also tells which columns have no NaN.
func (w *work) verbatim(df iceberg.DataFile, nans nanColumns) (iceberg.DataFile, error) {
	path, err := w.io.root.Path(df.FilePath())
	if err != nil || len(nans) == 0 && w.io.root.URI(path) == df.FilePath() {
		return df, err
	}
	b, err := iceberg.NewDataFileBuilder(w.base.meta.PartitionSpec(), df.ContentType(), w.io.root.URI(path),
		df.FileFormat(), nil, nil, nil, df.Count(), df.FileSizeBytes())
	if err != nil {
		return nil, err
	}
	b.ColumnSizes(df.ColumnSizes()).ValueCounts(df.ValueCounts()).NullValueCounts(df.NullValueCounts()).NaNValueCounts(nans.none())
	b.LowerBoundValues(df.LowerBoundValues()).UpperBoundValues(df.UpperBoundValues()).SplitOffsets(df.SplitOffsets())
	return b.Build(), nil
}

// labelled is the batches' schema with the field ids of the table's columns, which
// are found by name.
func (w *work) labelled(cols []table.Column, rows []arrow.RecordBatch) (*arrow.Schema, error) {
	first := rows[0].Schema()
	for _, b := range rows[1:] {
		if !b.Schema().Equal(first) {
			return nil, fault.Newf(fault.Internal, "this is a defect of Tarn: please report it", "batches of one commit to %s differ in their columns", w.handle.Ident())
		}
	}
	fields := first.Fields()
	for i, f := range fields {
		col, ok := find(cols, f.Name)
		if !ok {
			return nil, fault.Newf(fault.Invalid, "add the column first", "%s has no column %q", w.handle.Ident(), f.Name)
		}
		fields[i].Metadata = arrow.NewMetadata([]string{table.FieldIDKey}, []string{strconv.Itoa(col.ID)})
	}
	if err := w.required(cols, rows); err != nil {
		return nil, err
	}
	return arrow.NewSchema(fields, nil), w.short(cols, rows)
}

// short refuses a text that is longer than its column takes.
func (w *work) short(cols []table.Column, rows []arrow.RecordBatch) error {
	for _, col := range cols {
		if col.Length <= 0 {
			continue
		}
		for _, b := range rows {
			for _, at := range b.Schema().FieldIndices(col.Name) {
				texts, ok := b.Column(at).(array.StringLike)
				for i := 0; ok && i < texts.Len(); i++ {
					if text := texts.Value(i); texts.IsValid(i) && len(text) > col.Length && utf8.RuneCountInString(text) > col.Length {
						return fault.Newf(fault.Invalid, "shorten it, or write it to a column that takes longer ones",
							"a text for column %q of %s is longer than its %d characters", col.Name, w.handle.Ident(), col.Length)
					}
				}
			}
		}
	}
	return nil
}

// required refuses a null where none may be: the Parquet writer takes what lies in the
// cell for its value, without a word.
func (w *work) required(cols []table.Column, rows []arrow.RecordBatch) error {
	for _, col := range cols {
		if !col.Required {
			continue
		}
		for _, b := range rows {
			at := b.Schema().FieldIndices(col.Name)
			if len(at) == 0 || b.Column(at[0]).NullN() > 0 {
				return fault.Newf(fault.Invalid, "give every row a value of that column, or write to a table where it may be null",
					"null in column %q of %s, which is required", col.Name, w.handle.Ident())
			}
		}
	}
	return nil
}

var deleteSchema = arrow.NewSchema([]arrow.Field{
	{Name: "file_path", Type: arrow.BinaryTypes.String, Metadata: fieldID(fieldFilePath)},
	{Name: "pos", Type: arrow.PrimitiveTypes.Int64, Metadata: fieldID(fieldPos)},
}, nil)

func fieldID(id int) arrow.Metadata {
	return arrow.NewMetadata([]string{table.FieldIDKey}, []string{strconv.Itoa(id)})
}

// writeDeletes writes one position-delete file, synced, in the order that the format
// asks for: by path, then by position. No hits make no file.
func (w *work) writeDeletes(ctx context.Context, hits map[string]*roaring.Bitmap) (iceberg.DataFile, error) {
	if len(hits) == 0 {
		return nil, nil
	}
	dir, err := w.io.root.Path(w.base.meta.Location())
	if err != nil {
		return nil, err
	}
	uri := w.io.root.URI(filepath.Join(dir, "data", uuid.NewString()+"-deletes.parquet"))
	paths := slices.Sorted(maps.Keys(hits))
	rows, err := w.writePositions(ctx, uri, paths, hits)
	if err != nil {
		return nil, err
	}
	path, err := w.io.root.Path(uri)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	b, err := iceberg.NewDataFileBuilder(w.base.meta.PartitionSpec(), iceberg.EntryContentPosDeletes, uri,
		iceberg.ParquetFile, nil, nil, nil, rows, info.Size())
	if err != nil {
		return nil, err
	}
	// Where both bounds are the same they name the only data file, as every engine knows. The field that
	// would name it too makes the library look for it in all manifests with each commit.
	first, last := w.io.root.URI(paths[0]), w.io.root.URI(paths[len(paths)-1])
	b.LowerBoundValues(map[int][]byte{fieldFilePath: []byte(first)})
	b.UpperBoundValues(map[int][]byte{fieldFilePath: []byte(last)})
	return b.Build(), nil
}

func (w *work) writePositions(ctx context.Context, uri string, paths []string, hits map[string]*roaring.Bitmap) (rows int64, err error) {
	file, err := w.io.Create(uri)
	if err != nil {
		return 0, err
	}
	defer func() { // which syncs it; the Parquet writer would close it too if it could
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	writer, err := pqarrow.NewFileWriter(deleteSchema, struct{ io.Writer }{file},
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(commitCompression)), pqarrow.DefaultWriterProps())
	if err != nil {
		return 0, err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, deleteSchema)
	defer b.Release()
	names, _ := b.Field(0).(*array.StringBuilder)
	positions, _ := b.Field(1).(*array.Int64Builder)
	flush := func() error {
		batch := b.NewRecordBatch()
		defer batch.Release()
		rows += batch.NumRows()
		return writer.WriteBuffered(batch)
	}
	for _, path := range paths {
		name := w.io.root.URI(path)
		for at := hits[path].Iterator(); at.HasNext(); {
			names.Append(name)
			positions.Append(int64(at.Next()))
			if positions.Len() == deleteRowsPerBatch {
				if err := flush(); err != nil {
					return 0, err
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	if err := flush(); err != nil {
		return 0, err
	}
	return rows, writer.Close()
}

// filled drops batches without rows.
func filled(batches []arrow.RecordBatch) []arrow.RecordBatch {
	return slices.DeleteFunc(slices.Clone(batches), func(b arrow.RecordBatch) bool { return b.NumRows() == 0 })
}
