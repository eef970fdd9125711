package decode_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/lake/table"
	"tarn/stream/decode"
)

// show renders one cell of an array to the bit.
func show(a arrow.Array, i int) string {
	if _, nothing := a.(*array.Null); nothing || a.IsNull(i) {
		return "null"
	}
	switch a := a.(type) {
	case *array.Float64:
		if v := a.Value(i); v == v { //nolint:gocritic // NaN differs from itself
			return fmt.Sprintf("%x", math.Float64bits(v))
		}
		return "NaN"
	case *array.Float32:
		if v := a.Value(i); v == v { //nolint:gocritic // NaN differs from itself
			return fmt.Sprintf("%x", math.Float32bits(v))
		}
		return "NaN"
	case *array.Decimal128:
		return a.Value(i).BigInt().String()
	case *array.Date32:
		return fmt.Sprint(int32(a.Value(i)))
	case *array.Time64:
		return fmt.Sprint(int64(a.Value(i)))
	case *array.Timestamp:
		return fmt.Sprint(int64(a.Value(i)))
	case *array.Binary:
		return fmt.Sprintf("%x", a.Value(i))
	case *extensions.UUIDArray:
		return a.Value(i).String()
	}
	return a.ValueStr(i)
}

// rows takes what the decoder holds, row by row.
func rows(t testing.TB, d *decode.Decoder) (out [][]string) {
	t.Helper()
	n := d.Rows()
	arrays := d.Arrays()
	if d.Rows() != 0 {
		t.Fatal("rows are left")
	}
	out = make([][]string, n)
	for _, a := range arrays {
		if a.Len() != n {
			t.Fatalf("a column of %d, want %d", a.Len(), n)
		}
		for i := range n {
			out[i] = append(out[i], show(a, i))
		}
		a.Release()
	}
	return out
}

// one decodes a single value into a column; "" and the error where it does not fit.
func one(t testing.TB, typ record.Type, value string, read func(*decode.Decoder, []byte) error) (string, error) {
	t.Helper()
	d := decode.New([]decode.Column{{Name: "v", Type: typ}})
	err := read(d, []byte(value))
	got := rows(t, d)
	if err != nil {
		if len(got) > 0 {
			t.Fatalf("%s: %v, and yet a row: %v", value, err, got)
		}
		return "", err
	}
	if len(got) != 1 {
		t.Fatalf("%s: %d rows", value, len(got))
	}
	return got[0][0], nil
}

func plain(d *decode.Decoder, value []byte) error { return d.JSON(value) }

func double(f float64) string { return fmt.Sprintf("%x", math.Float64bits(f)) }
func float(f float32) string  { return fmt.Sprintf("%x", math.Float32bits(f)) }

func TestWhatFitsAColumn(t *testing.T) {
	const id = "9b2f0f50-1d7a-4c4e-9c54-8f0f5b1a2c3d"
	for typ, values := range map[record.Type]map[string]string{ // JSON value -> cell
		record.Boolean: {`true`: "true", `false`: "false"},
		record.Int:     {`1`: "1", `-0`: "0", `1e3`: "1000", `2.0`: "2", `"5"`: "5", `"-5e0"`: "-5", `2147483647`: "2147483647", `-2147483648`: "-2147483648"},
		record.Long: {
			`1`: "1", `-5`: "-5", `1e3`: "1000", `2.0`: "2", `"5"`: "5", `9223372036854775807`: "9223372036854775807", `-9223372036854775808`: "-9223372036854775808",
			`"9223372036854775807"`: "9223372036854775807", `"\u0035"`: "5", `100e-2`: "1",
		},
		record.Float: {`1`: float(1), `0.1`: float(0.1), `"0.1"`: float(0.1), `16777216`: float(16777216), `"NaN"`: "NaN", `"Infinity"`: float(float32(math.Inf(1)))},
		record.Double: {
			`1`: double(1), `-0`: double(math.Copysign(0, -1)), `0.1`: double(0.1), `1e23`: double(1e23), `9007199254740992`: double(9007199254740992), `9007199254740994`: double(9007199254740994),
			`"1.5"`: double(1.5), `"NaN"`: "NaN", `"Infinity"`: double(math.Inf(1)), `"-Infinity"`: double(math.Inf(-1)), `100000000000000000000`: double(1e20),
		},
		"decimal(5,2)":     {`1`: "100", `1.5`: "150", `1.500`: "150", `"1.5"`: "150", `-999.99`: "-99999", `1e2`: "10000", `12e-2`: "12", `0e-99`: "0"},
		"decimal(38,0)":    {`99999999999999999999999999999999999999`: "99999999999999999999999999999999999999", `-1e37`: "-10000000000000000000000000000000000000"},
		record.Date:        {`"2026-01-02"`: "20455", `20455`: "20455", `"0001-01-01"`: "-719162", `"9999-12-31"`: "2932896", `2e1`: "20"},
		record.Time:        {`"01:02:03"`: "3723000000", `"23:59:59.999999"`: "86399999999", `"00:00:00.000001000"`: "1", `5`: "5", `0`: "0"},
		record.Timestamp:   {`"2026-01-01T00:00:00.000Z"`: "1767225600000000", `"2026-01-01 00:00:00"`: "1767225600000000", `"2026-01-01T01:00:00.000001+01:00"`: "1767225600000001", `1767225600001`: "1767225600001000", `-1`: "-1000"},
		record.TimestampTZ: {`"2026-01-01T00:00:00.000Z"`: "1767225600000000", `"2026-01-01 00:00:00"`: "1767225600000000", `"2025-12-31 19:00-05"`: "1767225600000000", `1767225600001`: "1767225600001000"},
		record.String:      {`"x"`: "x", `""`: "", `"\u00e9\n"`: "é\n", `1.50`: "1.50", `true`: "true", `{"a": [1]}`: `{"a": [1]}`, `[1, "\n"]`: `[1, "\n"]`, `"` + envelope.Unavailable + `"`: envelope.Unavailable},
		record.Binary:      {`"AP8="`: "00ff", `""`: "", `"\u0041P8="`: "00ff"},
		record.UUID:        {`"` + id + `"`: id},
		"foreign":          {},
	} {
		values[`null`] = "null"
		for value, want := range values {
			got, err := one(t, typ, `{"v":`+value+`}`, plain)
			if err != nil || got != want {
				t.Errorf("%s from %s: got %q, want %q, %v", typ, value, got, want, err)
			}
		}
		if got, err := one(t, typ, `{"w":1}`, plain); err != nil || got != "null" {
			t.Errorf("%s from nothing: %q, %v", typ, got, err)
		}
	}
}

func TestWhatDoesNotFitIsAnError(t *testing.T) {
	for typ, values := range map[record.Type][]string{
		record.Boolean:     {`1`, `"true"`, `{}`, `[]`},
		record.Int:         {`2147483648`, `-2147483649`, `1.5`, `"1.5"`, `""`, `" 1"`, `"+1"`, `"007"`, `"1_0"`, `true`, `{}`, `[1]`},
		record.Long:        {`9223372036854775808`, `-9223372036854775809`, `1e19`, `1e-1`, `"x"`, `true`, `{}`},
		record.Float:       {`16777217`, `1e39`, `"x"`, `"inf"`, `"0x1p3"`, `true`, `[]`},
		record.Double:      {`9007199254740993`, `1e400`, `"1_0"`, `""`, `"nan"`, `"0x1p3"`, `"9007199254740993"`, `false`, `{}`},
		"decimal(5,2)":     {`1.005`, `1000`, `"x"`, `""`, `1e3`, `true`, `{}`},
		record.Date:        {`"2026-02-29"`, `"2026-1-1"`, `"2026-01-01T00:00:00"`, `1.5`, `2932897`, `-719163`, `"20455"`, `true`},
		record.Time:        {`"24:00:00"`, `"12:00"`, `"12:00:00.0000001"`, `-1`, `86400000000`, `"12:00:00Z"`, `true`},
		record.Timestamp:   {`"2026-01-01T00:00:00.0000001"`, `"0000-12-31T23:59:59Z"`, `"2026-01-01"`, `9e18`, `9223372036854775807`, `253402300800000`, `1.5`, `"1767225600001"`, `true`, `{}`},
		record.TimestampTZ: {`"x"`, `"9999-12-31T23:59:59-01:00"`, `[]`},
		record.Binary:      {`"*"`, `"AP8"`, `1`, `{}`},
		record.UUID:        {`"x"`, `1`},
		"foreign":          {`1`, `"x"`},
	} {
		for _, value := range values {
			got, err := one(t, typ, `{"v":`+value+`}`, plain)
			if err == nil {
				t.Errorf("%s took %s as %s", typ, value, got)
			} else if s := err.Error(); !strings.Contains(s, "column v") || !strings.Contains(s, string(typ)) || !strings.Contains(s, value) {
				t.Errorf("%s from %s: %v", typ, value, err)
			}
		}
	}
	_, err := one(t, record.Long, `{"v":"`+strings.Repeat("é", 1000)+`"}`, plain)
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("got %v", err)
	}
	for _, value := range []string{``, `null`, `[]`, `1`, `{"v":1`, `{"v":1}x`, `{"w":tru,"v":1}`, "{\"w\":\"\xff\",\"v\":1}", `{"w":{"x":[1,]},"v":1}`, `{"v":1,}`, `{"w":"\q"}`} {
		if got, err := one(t, record.Long, value, plain); err == nil {
			t.Errorf("%q was taken as %s", value, got)
		}
	}
}

func TestMembersInAnyOrderAndTheLastOfAName(t *testing.T) {
	d := decode.New([]decode.Column{{"a", record.Long}, {"b\"é", record.String}, {"c", record.Double}, {"", record.Boolean}})
	for _, value := range []string{
		`{"a":1,"b\"é":"x","c":0.5,"":true}`,
		` { "c" : 0.5 , "x":{"a":9}, "b\u0022\u00e9" : "x" , "":true, "\u0061" : 1 } `,
		`{"a":"no","a":1,"b\"é":"y","c":0.5,"":true,"b\"é":"x"}`,
	} {
		if err := d.JSON([]byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.JSON([]byte(`{"a":1,"a":"no"}`)); err == nil {
		t.Fatal("the first of two was taken")
	}
	if err := d.JSON([]byte(`{"a":1,"a":null}`)); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat(fmt.Sprint([]string{"1", "x", double(0.5), "true"})+" ", 3) + "[null null null null]"
	if got := fmt.Sprint(rows(t, d)); got != "["+want+"]" {
		t.Fatalf("got %s", got)
	}
}

func TestTimeIsOfTheLastRow(t *testing.T) {
	d := decode.New([]decode.Column{{"a", record.Timestamp}, {"b", record.TimestampTZ}, {"c", record.Long}})
	if _, ok := d.Time(0); ok {
		t.Fatal("a time before the first row")
	}
	if err := d.JSON([]byte(`{"a":5,"b":"1970-01-01T00:00:01Z","c":7}`)); err != nil {
		t.Fatal(err)
	}
	a, okA := d.Time(0)
	b, okB := d.Time(1)
	if _, ok := d.Time(2); ok || !okA || !okB || a != 5000 || b != 1_000_000 {
		t.Fatal(a, b, okA, okB, ok)
	}
	if err := d.JSON([]byte(`{"c":7}`)); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Time(0); ok {
		t.Fatal("a time of null")
	}
}

// TestUpdatesOfAKey holds which updates move a row to another key, and that the row of before is read then.
func TestUpdatesOfAKey(t *testing.T) {
	d := decode.New([]decode.Column{{"id", record.Long}, {"sub", record.String}, {"n", record.Long}})
	for _, c := range []struct {
		value   string
		rekeyed bool
		rows    string
	}{
		{`{"op":"u","before":{"id":1,"sub":"x","n":5},"after":{"n":6,"sub":"x","id":1}}`, false, "[[1 x 6]]"},
		{`{"op":"u","before":{"id":1,"sub":"x","n":5},"after":{"id":2,"sub":"x","n":5}}`, true, "[[2 x 5] [1 x 5]]"},
		{`{"op":"u","before":{"id":1,"sub":null},"after":{"id":1,"sub":"x"}}`, true, "[[1 x null] [1 null null]]"},
		{`{"payload":{"after":{"\u0069d":2,"sub":"x"},"before":{"id":1,"s\u0075b":"x"},"op":"u"}}`, true, "[[2 x null] [1 x null]]"},
		{`{"op":"u","before":{"id":1},"after":{"id":2,"sub":"x"}}`, false, "[[2 x null]]"},
		{`{"op":"u","before":null,"after":{"id":2,"sub":"x"}}`, false, "[[2 x null]]"},
		{`{"op":"c","before":{"id":1,"sub":"x"},"after":{"id":2,"sub":"x"}}`, false, "[[2 x null]]"},
	} {
		if _, err := d.Debezium([]byte(c.value)); err != nil {
			t.Fatal(err)
		}
		rekeyed := d.Rekeyed([]int{0, 1})
		if rekeyed {
			if err := d.Before(); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(rows(t, d)); got != c.rows || rekeyed != c.rekeyed {
			t.Errorf("%s: %s, rekeyed %t", c.value, got, rekeyed)
		}
	}
}

func TestChangeEvents(t *testing.T) {
	d := decode.New([]decode.Column{{"id", record.Long}, {"at", record.Timestamp}, {"note", record.String}})
	const before, after = `{"id":1,"at":null,"note":"old"}`, `{"id":1,"at":5,"note":null,"_extra":{"note":{"type":"blob","value":"AA=="}}}`
	for _, c := range []struct {
		value string
		op    byte
		row   string
	}{
		{`{"before":null,"after":` + after + `,"source":{"op":"x","after":1},"op":"c","ts_ms":1}`, 'c', "[[1 5 null]]"},
		{`{"op":"u","after":` + after + `,"before":` + before + `}`, 'u', "[[1 5 null]]"},
		{`{"before":` + before + `,"after":null,"op":"d"}`, 'd', "[[1 null old]]"},
		{`{"schema":{"fields":[]},"payload":{"before":null,"after":` + before + `,"op":"r"}}`, 'r', "[[1 null old]]"},
		{`{"before":null,"after":null,"op":"t"}`, 't', "[]"},
		{`{"op":"m","message":{}}`, 'm', "[]"},
	} {
		op, err := d.Debezium([]byte(c.value))
		if got := fmt.Sprint(rows(t, d)); err != nil || op != c.op || got != c.row {
			t.Errorf("%s: got %c %s, %v", c.value, op, got, err)
		}
	}
	if op, err := d.Debezium(nil); op != 0 || err != nil || d.Rows() != 0 {
		t.Errorf("a tombstone is %c, %v", op, err)
	}
	for _, value := range []string{
		``, `null`, `{}`, `{"op":"c"}`, `{"op":"c","after":null}`, `{"op":"d","after":` + after + `}`, `{"op":"x","after":` + after + `}`, `{"op":"c","after":[]}`,
		`{"op":"c","after":{"id":"x"}}`, `{"op":"c","after":` + after + `,"source":{"x":tru}}`, `{"before":{"id":1,},"op":"c","after":` + after + `}`, "{\"before\":{\"id\":\"\xff\"},\"op\":\"c\",\"after\":{}}",
		`{"payload":{"op":"c"}}`, `{"op":"c","after":{"note":"` + envelope.Unavailable + `"}}`,
	} {
		if op, err := d.Debezium([]byte(value)); err == nil || d.Rows() != 0 {
			t.Errorf("%s was taken: %c", value, op)
		}
	}
}

// TestWhatASourceWritesIsReadBack decodes what envelope renders.
func TestWhatASourceWritesIsReadBack(t *testing.T) {
	s := &record.Schema{Table: "t"}
	var columns []decode.Column
	add := func(name string, typ record.Type) {
		s.Columns = append(s.Columns, record.Column{Name: name, Type: typ})
		columns = append(columns, decode.Column{Name: name, Type: typ})
	}
	add("a", record.Long)
	add("b", record.Double)
	add("c", record.Binary)
	add("d", record.Timestamp)
	add("e", record.TimestampTZ)
	add("f", "decimal(10,2)")
	add("g", record.Boolean)
	text := func(s string) record.Value { return record.Value{Kind: record.TextKind, B: []byte(s)} }
	row := record.Row{
		{Kind: record.IntKind, I: math.MinInt64},
		{Kind: record.FloatKind, F: math.Inf(-1)},
		{Kind: record.BytesKind, B: []byte{0, 255}},
		{Kind: record.IntKind, I: -5},
		text("2026-01-01T02:00:00.000001+02:00"), text("12.5"),
		{Kind: record.BoolKind, I: 1},
	}
	d := decode.New(columns)
	if op, err := d.Debezium(envelope.Append(nil, s, &envelope.Source{}, 'u', row, row, 1)); op != 'u' || err != nil {
		t.Fatal(op, err)
	}
	want := fmt.Sprint([][]string{{"-9223372036854775808", double(math.Inf(-1)), "00ff", "-5", "1767225600000001", "1250", "true"}})
	if got := fmt.Sprint(rows(t, d)); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// TestEventsAreReadByTheirSchema decodes values that Debezium's semantics write otherwise than the column's type says.
func TestEventsAreReadByTheirSchema(t *testing.T) {
	s := &record.Schema{Table: "t", Columns: []record.Column{
		{Name: "a", Type: "decimal(10,2)", Semantic: record.Decimal, Scale: 2},
		{Name: "b", Type: record.String, Semantic: record.VariableScaleDecimal},
		{Name: "c", Type: record.Timestamp, Semantic: record.MilliTimestamp},
		{Name: "d", Type: record.Time, Semantic: record.NanoTime},
		{Name: "e", Type: record.Binary, Semantic: record.HexText},
		{Name: "f", Type: record.Date, Semantic: record.IsoDate},
		{Name: "g", Type: record.String, Semantic: record.Array, Items: &record.Column{Type: record.String}},
	}}
	var columns []decode.Column
	for _, c := range s.Columns {
		columns = append(columns, decode.Column{Name: c.Name, Type: c.Type})
	}
	text := func(s string) record.Value { return record.Value{Kind: record.TextKind, B: []byte(s)} }
	row := record.Row{
		text("-12.30"), text("123456789012345678901234567890.5"),
		{Kind: record.IntKind, I: 1795439655123000},
		{Kind: record.IntKind, I: 5},
		{Kind: record.BytesKind, B: []byte{0, 255}},
		{Kind: record.IntKind, I: 20780},
		text(`["a"]`),
	}
	d := decode.New(columns)
	d.As(s)
	if _, err := d.Debezium(envelope.Append(nil, s, &envelope.Source{}, 'c', nil, row, 1)); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([][]string{{"-1230", "123456789012345678901234567890.5", "1795439655123000", "5", "00ff", "20780", `["a"]`}})
	if got := fmt.Sprint(rows(t, d)); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	for i := range row {
		left := append(record.Row{}, row...)
		left[i] = record.Value{Kind: record.Missing}
		if _, err := d.Debezium(envelope.Append(nil, s, &envelope.Source{}, 'u', nil, left, 1)); err == nil || !strings.Contains(err.Error(), "did not send the value") {
			t.Errorf("column %s was not sent: %v", s.Columns[i].Name, err)
		}
	}
}

func TestNoRowTakesMemoryOfItsOwn(t *testing.T) {
	d := decode.New(bidColumns)
	plain, escaped := []byte(bid), []byte(bidEscaped)
	fill := func() {
		for range 1000 {
			if err := d.JSON(plain); err != nil {
				t.Fatal(err)
			}
			if err := d.JSON(escaped); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range d.Arrays() {
			a.Release()
		}
	}
	if n := testing.AllocsPerRun(5, fill); n > 200 {
		t.Fatalf("%v allocations for 2000 rows", n)
	}
}

func TestTypesAreThoseOfTables(t *testing.T) {
	d := decode.New(everyColumn)
	for i, a := range d.Arrays() {
		if want := table.ArrowType(everyColumn[i].Type); !arrow.TypeEqual(a.DataType(), want) {
			t.Errorf("%s is %s, want %s", everyColumn[i].Type, a.DataType(), want)
		}
		a.Release()
	}
}

const bid = `{"auction":3900,"bidder":3412,"price":169803,"channel":"Facebook","url":"https://www.nexmark.com/abcde/item.htm?query=1","dateTime":"2026-01-01T00:00:12.345Z","extra":"abcdefghijabcdefghijabcdefghij"}`

const bidEscaped = `{"auction":3900,"bidder":3412,"price":1.5e2,"channel":"Face\u0062ook","url":"https:\/\/www.nexmark.com/abcde/item.htm?query=1","dateTime":"2026-01-01T00:00:12.345Z","extra":{"a":["b"]}}`

var bidColumns = []decode.Column{
	{"auction", record.Long},
	{"bidder", record.Long},
	{"price", record.Long},
	{"channel", record.String},
	{"url", record.String},
	{"dateTime", record.Timestamp},
	{"extra", record.String},
}

// order is the row of the measured change events: ten columns, 679 bytes with `before` null.
var orderColumns = []decode.Column{
	{"id", record.Int},
	{"customer", record.String},
	{"amount", "decimal(12,2)"},
	{"created", record.Timestamp},
	{"day", record.Date},
	{"flag", record.Boolean},
	{"note", record.String},
	{"doc", record.String},
	{"score", record.Double},
	{"updated", record.TimestampTZ},
}

const (
	orderRow = `{"id":123456,"customer":"Anna \"Annie\" M\u00fcller","amount":"12345.67","created":1767225600123456,"day":20454,"flag":true,"note":null,"doc":"{\"k\":[1,2,3],\"s\":\"x\"}","score":0.123456789,"updated":"2026-01-01T00:00:00.123456Z"}`
	tail     = `,"source":{"version":"3.0.0.Final","connector":"postgresql","name":"shop","ts_ms":1767225600000,"snapshot":"false","db":"shop","sequence":"[\"24023128\",\"24023128\"]","ts_us":1767225600000000,"ts_ns":1767225600000000000,"schema":"public","table":"orders","txId":555,"lsn":24023128,"xmin":null},"transaction":null,"op":"u","ts_ms":1767225600100,"ts_us":1767225600100000,"ts_ns":1767225600100000000}`
	order    = `{"before":null,"after":` + orderRow + tail
	orderOld = `{"before":` + orderRow + `,"after":` + orderRow + tail
)

func BenchmarkBid(b *testing.B) {
	value := []byte(bid)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(value)))
		d := decode.New(bidColumns)
		cpu(b, func() {
			for b.Loop() {
				if err := d.JSON(value); err != nil {
					b.Fatal(err)
				}
				release(d)
			}
		})
	})
	b.Run("decode three columns", func(b *testing.B) {
		b.ReportAllocs()
		d := decode.New([]decode.Column{bidColumns[0], bidColumns[2], bidColumns[5]})
		cpu(b, func() {
			for b.Loop() {
				if err := d.JSON(value); err != nil {
					b.Fatal(err)
				}
				release(d)
			}
		})
	})
	b.Run("decode escapes", func(b *testing.B) {
		b.ReportAllocs()
		d := decode.New(bidColumns)
		value := []byte(bidEscaped)
		cpu(b, func() {
			for b.Loop() {
				if err := d.JSON(value); err != nil {
					b.Fatal(err)
				}
				release(d)
			}
		})
	})
	b.Run("encoding_json", func(b *testing.B) {
		b.ReportAllocs()
		cpu(b, func() {
			for b.Loop() {
				var v struct {
					Auction, Bidder, Price        int64
					Channel, URL, DateTime, Extra string
				}
				if err := json.Unmarshal(value, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// cpu reports the process's own time for each of the rows, which a busy machine does not stretch.
func cpu(b *testing.B, run func()) {
	b.Helper()
	spent := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := spent()
	run()
	b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op")
}

// release empties the decoder as often as a tick would.
func release(d *decode.Decoder) {
	if d.Rows() < 20_000 {
		return
	}
	for _, a := range d.Arrays() {
		a.Release()
	}
}

func BenchmarkChangeEvent(b *testing.B) {
	for name, text := range map[string]string{"before null": order, "before full": orderOld} {
		b.Run(name, func(b *testing.B) {
			value := []byte(text)
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			d := decode.New(orderColumns)
			cpu(b, func() {
				for b.Loop() {
					if _, err := d.Debezium(value); err != nil {
						b.Fatal(err)
					}
					release(d)
				}
			})
		})
	}
	b.Run("encoding_json", func(b *testing.B) {
		b.ReportAllocs()
		type row struct {
			ID                                   *int32
			Customer, Amount, Note, Doc, Updated *string
			Created                              *int64
			Day                                  *int32
			Flag                                 *bool
			Score                                *float64
		}
		cpu(b, func() {
			for b.Loop() {
				var v struct {
					Before, After *row
					Op            string
				}
				if err := json.Unmarshal([]byte(order), &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
