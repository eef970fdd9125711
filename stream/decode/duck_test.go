package decode_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/lake/table"
	"tarn/stream/decode"
)

// TestDuckDBReadsTheArrays loads them as a tick does: the arrays' buffers are Go's own slices, of which DuckDB
// gets the addresses, also where there is nothing in them.
func TestDuckDBReadsTheArrays(t *testing.T) {
	in, err := duck.Open(t.Context(), duck.Options{Threads: 1, MemoryBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	conn, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	columns := everyColumn[:len(everyColumn)-1] // all but the one of no type
	const full = `{"b":true,"i":1,"l":-2,"f":1.5,"d":2.5,"m":"1.5","n":3,"day":1,"t":5,"ts":5,"tz":"2026-01-01T00:00:00Z","s":"é","x":"AP8=","u":"9b2f0f50-1d7a-4c4e-9c54-8f0f5b1a2c3d"}`
	for name, values := range map[string][]string{
		"none": {}, "nulls": {`{}`, `{}`}, "empty texts": {`{"s":"","x":""}`}, "full": {full}, "mixed": {`{}`, full, `{"s":""}`, full},
		"many": strings.Split(strings.Repeat(full+"\n{}\n", 5000)+full, "\n"),
	} {
		d := decode.New(columns)
		for _, v := range values {
			if err := d.JSON([]byte(v)); err != nil {
				t.Fatal(err)
			}
		}
		var fields []arrow.Field
		for _, c := range columns {
			fields = append(fields, arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true})
		}
		n := d.Rows()
		schema, arrays := arrow.NewSchema(fields, nil), d.Arrays()
		want := make([]string, n)
		for i := range n {
			for _, a := range arrays {
				want[i] += show(a, i) + " "
			}
		}
		batch := array.NewRecordBatch(schema, arrays, int64(n))
		if err := conn.Load(t.Context(), "loaded", schema, []arrow.RecordBatch{batch}); err != nil {
			t.Fatal(name, err)
		}
		var got []string
		r, err := conn.Arrow(t.Context(), "SELECT * REPLACE (CAST(u AS VARCHAR) AS u, epoch_us(tz) AS tz) FROM loaded ORDER BY rowid")
		if err != nil {
			t.Fatal(name, err)
		}
		for r.Next() {
			b := r.RecordBatch()
			for i := range int(b.NumRows()) {
				row := ""
				for _, a := range b.Columns() {
					row += show(a, i) + " "
				}
				got = append(got, row)
			}
		}
		r.Release()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: DuckDB has %.600q, want %.600q", name, got, want)
		}
		batch.Release()
		if err := conn.Exec(t.Context(), "DROP TABLE loaded"); err != nil {
			t.Fatal(err)
		}
	}
}
