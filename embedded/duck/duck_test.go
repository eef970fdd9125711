//go:build duckdb_arrow

package duck_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
)

// A registered Arrow view answers "SELECT c" with column a; through Load each
// permutation and subset of the columns is right, twice over.
func TestLoadKeepsColumns(t *testing.T) {
	ctx := t.Context()
	_, conn := opened(t, duck.Options{Threads: 2, MemoryBytes: 64 << 20})

	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64},
		{Name: "b", Type: arrow.BinaryTypes.String},
		{Name: "c", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
	b.Field(1).(*array.StringBuilder).AppendValues([]string{"x", "y"}, nil)
	b.Field(2).(*array.Float64Builder).AppendValues([]float64{1.5, 2.5}, nil)
	batch := b.NewRecordBatch()
	if err := conn.Load(ctx, "t", schema, []arrow.RecordBatch{batch, batch}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"SELECT sum(c) FROM t":                              "8",
		"SELECT string_agg(b, '' ORDER BY a) FROM t":        "xxyy",
		"SELECT max(c) || min(b) FROM (SELECT c, b FROM t)": "2.5x",
		"SELECT count(*) || ':' || sum(a) FROM t":           "4:6",
	} {
		for range 2 {
			var got string
			if err := conn.QueryRowContext(ctx, query).Scan(&got); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			if got != want {
				t.Errorf("%s = %s, want %s", query, got, want)
			}
		}
	}
}
