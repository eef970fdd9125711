package landing_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/decode"
	"tarn/stream/landing"
)

var update = flag.Bool("update", false, "write the golden files anew")

var fitTypes = []record.Type{
	record.Boolean, record.Int, record.Long, record.Float, record.Double, "decimal(5,2)", record.Date,
	record.Time, record.Timestamp, record.TimestampTZ, record.String, record.Binary, record.UUID,
}

var fitValues = []string{
	`null`, `true`, `false`, `0`, `-0`, `5`, `-5`, `5.0`, `5e0`, `1.5`, `1.25`, `0.1`, `1.005`, `1000`, `16777217`, `2147483648`, `86400000000`, `9007199254740993`, `9223372036854775808`, `1e300`, `1e400`,
	`""`, `"5"`, `"+5"`, `"1.5"`, `"1.500"`, `"15e-1"`, `"true"`, `"NaN"`, `"-Infinity"`, `"x"`, `"\u0035"`, `"AP8="`, `"9b2f0f50-1d7a-4c4e-9c54-8f0f5b1a2c3d"`,
	`"2026-01-02"`, `"0000-01-02"`, `"01:02:03"`, `"01:02:03.0000001"`, `"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05.000000001Z"`, `"2026-01-02T03:04:05+02:00"`, `"2026-01-02 03:04:05"`, `"2026-01-02T03:04"`,
	`{"a": 1}`, `[]`,
}

// TestWhatFitsInLandingAndInPipelines lists, for every type and JSON value, what becomes of it in
// a bronze table without schemas, in a mirror, and in a pipeline that declares the type, as plain
// JSON and as a change event. `extra` is the table's `_extra`, `dead` the dead letters. The readers
// may refuse in different places, for landing knows less, but where two of them take a value it is
// the same: but for a number of a timestamp, which is of milliseconds in plain JSON to a pipeline.
func TestWhatFitsInLandingAndInPipelines(t *testing.T) {
	r := newRig(t)
	r.run()
	bronze, mirror := fitBronze(t, r), fitMirror(t, r)
	var out strings.Builder
	for i, typ := range fitTypes {
		fmt.Fprintf(&out, "%s\n  %-40s %-34s %-34s %-34s %s\n", typ, "JSON", "bronze", "mirror", "pipeline", "pipeline of changes")
		for k, v := range fitValues {
			row := [4]string{bronze[i][k], mirror[i][k], fitPipeline(typ, v, false), fitPipeline(typ, v, true)}
			fmt.Fprintf(&out, "  %-40s %-34s %-34s %-34s %s\n", v, row[0], row[1], row[2], row[3])
			seen := ""
			for n, cell := range row {
				millis := n == 2 && (typ == record.Timestamp || typ == record.TimestampTZ) && v[0] != '"'
				if cell == "extra" || cell == "dead" || millis {
					continue
				}
				if seen != "" && cell != seen {
					t.Errorf("%s from %s is %q", typ, v, row)
				}
				seen = cell
			}
		}
	}
	const golden = "testdata/fits.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	have, expected := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(have), len(expected)) {
		if have[i] != expected[i] {
			t.Errorf("line %d is\n%s\nwant\n%s", i+1, have[i], expected[i])
		}
	}
	if len(have) != len(expected) {
		t.Errorf("%d lines, want %d", len(have), len(expected))
	}
}

func fitColumn(i int) string { return fmt.Sprintf("c%d", i) }

// fitCell is what a landed row has of a column.
func fitCell(row map[string]any, column string) string {
	switch extra, _ := row["_extra"].(string); {
	case row == nil:
		return "dead"
	case strings.Contains(extra, `"`+column+`":`):
		return "extra"
	case row[column] == nil:
		return "null"
	}
	return fmt.Sprint(row[column])
}

// fitBronze lands every value in a column of every type, which only another hand can have made.
func fitBronze(t *testing.T, r *rig) (cells [][]string) {
	top := r.topic(t, "fit.plain", bus.TopicConfig{Partitions: 1, Land: true})
	put := func(list []record.Record) {
		if _, err := top.Partitions()[0].Append(r.ctx, record.Encode(list)); err != nil {
			t.Fatal(err)
		}
		r.settled(t, top)
	}
	put([]record.Record{{Timestamp: 1, Value: []byte(`{"first":1}`)}})
	tab, err := r.lake.Open(r.ctx, table.Ident{Namespace: "bronze", Name: "fit_plain"})
	if err != nil {
		t.Fatal(err)
	}
	var adds []table.Column
	var list []record.Record
	for i, typ := range fitTypes {
		adds = append(adds, table.Column{Name: fitColumn(i), Type: typ})
		for _, v := range fitValues {
			list = append(list, record.Record{Timestamp: 1, Value: fmt.Appendf(nil, `{"%s":%s}`, fitColumn(i), v)})
		}
	}
	if _, err := tab.Commit(r.ctx, table.Change{AddColumns: adds, Owner: landing.Reader}); err != nil {
		t.Fatal(err)
	}
	put(list)
	rows := map[int64]map[string]any{}
	for _, row := range r.lake.rows("bronze.fit_plain") {
		rows[row["_offset"].(int64)] = row
	}
	return fitAll(rows)
}

// fitAll tells the cells of rows that are numbered from 1.
func fitAll(rows map[int64]map[string]any) (cells [][]string) {
	n := int64(0)
	for i := range fitTypes {
		var of []string
		for range fitValues {
			n++
			of = append(of, fitCell(rows[n], fitColumn(i)))
		}
		cells = append(cells, of)
	}
	return cells
}

// fitMirror lands them from a source whose table has such columns.
func fitMirror(t *testing.T, r *rig) (cells [][]string) {
	schema := record.Schema{Source: "src", Database: "port.db", Schema: "main", Table: "fit", Columns: []record.Column{{Name: "id", Type: record.Long, Key: 1}}}
	for i, typ := range fitTypes {
		schema.Columns = append(schema.Columns, record.Column{Name: fitColumn(i), Type: typ, Nullable: true})
	}
	s := newSource(t, r, "port.main.fit", schema)
	var list []record.Record
	for i := range fitTypes {
		for _, v := range fitValues {
			value := fmt.Appendf(nil, `{"op":"c","after":{"id":%d`, len(list)+1)
			for k := range fitTypes {
				cell := "null"
				if k == i {
					cell = v
				}
				value = fmt.Appendf(value, `,"%s":%s`, fitColumn(k), cell)
			}
			list = append(list, record.Record{Timestamp: 1, Key: fmt.Appendf(nil, `{"id":%d}`, len(list)+1), Value: append(value, "}}"...), Headers: s.headers()})
		}
	}
	s.append(t, record.Encode(list))
	r.settled(t, s.topic)
	rows := map[int64]map[string]any{}
	for _, row := range r.lake.rows("silver.fit") {
		rows[row["id"].(int64)] = row
	}
	return fitAll(rows)
}

// fitPipeline decodes them as a pipeline does.
func fitPipeline(typ record.Type, v string, change bool) string {
	d := decode.New([]decode.Column{{Name: "c", Type: typ}})
	var err error
	if change {
		_, err = d.Debezium([]byte(`{"op":"c","after":{"c":` + v + `}}`))
	} else {
		err = d.JSON([]byte(`{"c":` + v + `}`))
	}
	out := d.Arrays()[0]
	defer out.Release()
	switch {
	case err != nil:
		return "dead"
	case out.IsNull(0):
		return "null"
	}
	return value(out)
}

// value is the first cell as the lake in memory tells it.
func value(a arrow.Array) string {
	switch a := a.(type) {
	case *array.Int64:
		return fmt.Sprint(a.Value(0))
	case *array.Int32:
		return fmt.Sprint(a.Value(0))
	}
	return strings.Clone(a.ValueStr(0))
}
