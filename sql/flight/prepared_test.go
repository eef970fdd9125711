//go:build duckdb_arrow

package flight_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tarn/sql/cell"
)

// bound runs a statement with a row of values.
func bound(t *testing.T, c *flightsql.Client, text string, row arrow.RecordBatch) ([][]string, *arrow.Schema, error) {
	t.Helper()
	p, err := c.Prepare(t.Context(), text)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	p.SetParameters(row)
	info, err := p.Execute(t.Context())
	if err != nil {
		return nil, nil, err
	}
	schema, rows, _, err := read(t, c, info)
	return rows, schema, err
}

// TestParametersOfAllTypes binds what DuckDB gave: each value comes back as it was, of the type that it had.
func TestParametersOfAllTypes(t *testing.T) {
	c := connect(t, open(t).addr)
	for _, v := range values {
		info, err := c.Execute(t.Context(), "SELECT "+v.expression+" AS v")
		if err != nil {
			t.Fatal(v.expression, err)
		}
		r, err := c.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
		if err != nil || !r.Next() {
			t.Fatal(v.expression, err)
		}
		row := r.RecordBatch()
		want := string(cell.AppendJSON(nil, row.Column(0), 0))
		text := "SELECT $1 AS v"
		if v.name == "UUID" || v.name == "JSON" {
			text = "SELECT $1::" + v.name + " AS v" // a text in Arrow
		}
		rows, schema, err := bound(t, c, text, row)
		if err != nil || len(rows) != 1 || rows[0][0] != want {
			t.Errorf("%s: %v %v, want %s", v.expression, rows, err, want)
		} else if v.name != "" && v.expression[len(v.expression)-1] != ')' && !arrow.TypeEqual(schema.Field(0).Type, row.Column(0).DataType()) {
			t.Errorf("%s: type %s", v.expression, schema.Field(0).Type)
		}
		r.Release()
	}
}

func TestPrepared(t *testing.T) {
	h := open(t)
	c := connect(t, h.addr)
	p, err := c.Prepare(t.Context(), "SELECT name, berths + $2 AS n FROM ports WHERE name = $1")
	if err != nil {
		t.Fatal(err)
	}
	if p.ParameterSchema().NumFields() != 2 || p.DatasetSchema().NumFields() != 2 {
		t.Fatal(p.ParameterSchema(), p.DatasetSchema())
	}
	if _, err := p.Execute(t.Context()); status.Code(err) != codes.InvalidArgument {
		t.Error("without values:", err)
	}
	fields := []arrow.Field{{Name: "a", Type: arrow.BinaryTypes.String}, {Name: "b", Type: arrow.PrimitiveTypes.Float64, Nullable: true}}
	for _, values := range []struct {
		name string
		n    float64
		want []string
	}{{"Tanger Med", 0.5, []string{`"Tanger Med"`, "8.5"}}, {"Tanger Med", 2, []string{`"Tanger Med"`, "10"}}, {"it's\n", 1, nil}} {
		p.SetParameters(row(fields, func(b *array.RecordBuilder) {
			b.Field(0).(*array.StringBuilder).Append(values.name)
			b.Field(1).(*array.Float64Builder).Append(values.n)
		}))
		info, err := p.Execute(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, rows, _, err := read(t, c, info)
		switch {
		case err != nil:
			t.Error(err)
		case values.want == nil && len(rows) != 0, values.want != nil && (len(rows) != 1 || rows[0][1] != values.want[1]):
			t.Errorf("%v: %v", values, rows)
		}
	}
	two := row(fields, func(b *array.RecordBuilder) {
		b.Field(0).(*array.StringBuilder).AppendValues([]string{"a", "b"}, nil)
		b.Field(1).(*array.Float64Builder).AppendValues([]float64{1, 2}, nil)
	})
	p.SetParameters(two)
	if _, err := p.Execute(t.Context()); status.Code(err) != codes.InvalidArgument {
		t.Error("two rows:", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Execute(t.Context()); err == nil {
		t.Error("closed, and run all the same")
	}
}

// TestBoundValuesAreCounted binds a value of 900 KB to one statement after the other: they fill the memory of all.
func TestBoundValuesAreCounted(t *testing.T) {
	c := connect(t, open(t).addr)
	value := func(n int) arrow.RecordBatch {
		return row([]arrow.Field{{Name: "a", Type: arrow.BinaryTypes.String}}, func(b *array.RecordBuilder) {
			b.Field(0).(*array.StringBuilder).Append(strings.Repeat("x", n))
		})
	}
	for n := 0; ; n++ {
		p, err := c.Prepare(t.Context(), "SELECT length($1) AS n")
		if err != nil {
			t.Fatal(err)
		}
		p.SetParameters(value(900_000))
		_, err = p.Execute(t.Context())
		if status.Code(err) == codes.Unavailable && n > 10 {
			p.SetParameters(value(10))
			if _, err = p.Execute(t.Context()); err != nil {
				t.Error("a smaller value is refused:", err)
			}
			break
		}
		if err != nil || n > 40 {
			t.Fatalf("value %d: %v", n, err)
		}
	}
}

func row(fields []arrow.Field, fill func(*array.RecordBuilder)) arrow.RecordBatch {
	return oneRow(fields, fill)
}

// Text is cast to what the statement wants, so that '2026-01-02' compares with a date; a number keeps its own type.
func TestTextsAreCast(t *testing.T) {
	c := connect(t, open(t).addr)
	text := func(s string) arrow.RecordBatch {
		return row([]arrow.Field{{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true}}, func(b *array.RecordBuilder) { b.Field(0).(*array.StringBuilder).Append(s) })
	}
	for _, q := range []struct {
		text, value, want string
	}{
		{"SELECT DATE '2026-01-02' = $1", "2026-01-02", "true"},
		{"SELECT $1::INTEGER[]", "[1, 2]", "[1,2]"},
		{"SELECT $1::DECIMAL(10, 2)", "1.50", `"1.50"`},
		{"SELECT length($1)", `a'b\`, "4"},
		{"SELECT 'x' WHERE 5 > $1", "4", `"x"`},
	} {
		rows, _, err := bound(t, c, q.text, text(q.value))
		if err != nil || len(rows) != 1 || rows[0][0] != q.want {
			t.Errorf("%s with %s: %v %v", q.text, q.value, rows, err)
		}
	}
	if _, _, err := bound(t, c, "SELECT $1::DATE", text("no date")); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	one := row([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int32}}, func(b *array.RecordBuilder) { b.Field(0).(*array.Int32Builder).Append(41) })
	for _, q := range []string{"SELECT ? + 1", "SELECT $1 + 1", "SELECT CASE WHEN '?' = '?' THEN ? + 1 END"} { // of which nothing is known before
		if rows, _, err := bound(t, c, q, one); err != nil || rows[0][0] != "42" {
			t.Error(q, rows, err)
		}
	}
	if _, err := c.Prepare(t.Context(), "SELECT ?, $1"); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	null := row([]arrow.Field{{Name: "a", Type: arrow.Null, Nullable: true}}, func(b *array.RecordBuilder) { b.Field(0).AppendNull() })
	if rows, _, err := bound(t, c, "SELECT $1 IS NULL", null); err != nil || rows[0][0] != "true" {
		t.Error(rows, err)
	}
	large := row([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, func(b *array.RecordBuilder) { b.Field(0).(*array.Int64Builder).Append(5_000_000_000) })
	if rows, _, err := bound(t, c, "SELECT 1::INTEGER < $1", large); err != nil || rows[0][0] != "true" {
		t.Error(rows, err)
	}
}
