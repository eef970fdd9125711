package files_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"tarn/embedded/record"
)

// writeParquet writes rows as Parquet, in groups of 1000, under a name that is given at the end.
func writeParquet(t *testing.T, path string, schema *arrow.Schema, rows int, fill func(b *array.RecordBuilder, i int)) {
	t.Helper()
	f, err := os.Create(path + ".tmp")
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(1000)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range rows {
		fill(b, i)
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	if err := w.WriteBuffered(batch); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rename(t, path+".tmp", path)
}

func TestParquet(t *testing.T) {
	r := newRig(t, "format", "parquet")
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "ship", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "teu", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "draft", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "eta", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		{Name: "fee", Type: &arrow.Decimal128Type{Precision: 8, Scale: 2}, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "seal", Type: arrow.BinaryTypes.Binary, Nullable: true},
	}, nil)
	at := time.Date(2026, 11, 29, 8, 0, 0, 5000, time.UTC)
	writeParquet(t, r.path("a.parquet"), schema, 2, func(b *array.RecordBuilder, i int) {
		if i == 1 {
			for _, f := range b.Fields() {
				f.AppendNull()
			}
			return
		}
		b.Field(0).(*array.StringBuilder).Append(`Al "Idrissi"`)
		b.Field(1).(*array.Int32Builder).Append(12)
		b.Field(2).(*array.Float64Builder).Append(7.5)
		b.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(at.UnixMicro()))
		b.Field(4).(*array.Date32Builder).Append(arrow.Date32FromTime(at))
		b.Field(5).(*array.Decimal128Builder).Append(decimal128.FromI64(-1250))
		b.Field(6).(*array.ListBuilder).Append(true)
		b.Field(6).(*array.ListBuilder).ValueBuilder().(*array.StringBuilder).Append("hot")
		b.Field(7).(*array.BinaryBuilder).Append([]byte{0, 255})
	})
	r.until(
		`a.parquet:1={"ship":"Al \"Idrissi\"","teu":12,"draft":7.5,"eta":"2026-11-29T08:00:00.000005Z","day":"2026-11-29","fee":"-12.50","tags":["hot"],"seal":"AP8="}`,
		`a.parquet:2={"ship":null,"teu":null,"draft":null,"eta":null,"day":null,"fee":null,"tags":null,"seal":null}`)
	var types []record.Type
	for _, c := range r.schema().Columns {
		types = append(types, c.Type)
	}
	if got := fmt.Sprint(types); got != "[string int double timestamptz date decimal(8,2) string]" {
		t.Fatalf("got %s", got)
	}
}

// TestParquetInSteps: files of many steps and two schemas, a stop after each append, and one that is no Parquet.
func TestParquetInSteps(t *testing.T) {
	r := newRig(t, "format", "parquet")
	r.stop()
	plain := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	text := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.BinaryTypes.String}}, nil)
	number := func(b *array.RecordBuilder, i int) { b.Field(0).(*array.Int64Builder).Append(int64(i)) }
	writeParquet(t, r.path("a.parquet"), plain, 12_345, number)
	writeParquet(t, r.path("b.parquet"), text, 10, func(b *array.RecordBuilder, i int) { b.Field(0).(*array.StringBuilder).Append(fmt.Sprint(i)) })
	writeParquet(t, r.path("c.parquet"), plain, 5, number)
	write(t, r.path("d.parquet"), "PAR1 nothing of the kind PAR1")
	want := 12_345 + 10 + 5
	r.log.Refuse = func(string) (bool, error) { r.cancel(); return false, nil }
	for end := time.Now().Add(patience); len(r.values()) < want && time.Now().Before(end); {
		r.start()
		r.await(func() bool { return r.runner.Status().State == "stopped" || len(r.values()) == want }, func() any { return len(r.values()) })
		r.stop()
	}
	r.log.Refuse = nil
	r.start()
	r.finds("no whole Parquet file")
	got := map[string]bool{}
	for _, v := range r.values() {
		got[v] = true
	}
	if len(got) != want || len(r.values()) != want || !got[`a.parquet:12345={"n":12344}`] || !got[`b.parquet:10={"n":"9"}`] || !got[`c.parquet:1={"n":0}`] {
		t.Fatalf("%d records, %d of them different, want %d", len(r.values()), len(got), want)
	}
}
