package envelope_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

var (
	null    = record.Value{}
	missing = record.Value{Kind: record.Missing}
)

func integer(n int64) record.Value  { return record.Value{Kind: record.IntKind, I: n} }
func double(f float64) record.Value { return record.Value{Kind: record.FloatKind, F: f} }
func text(s string) record.Value    { return record.Value{Kind: record.TextKind, B: []byte(s)} }
func blob(s string) record.Value    { return record.Value{Kind: record.BytesKind, B: []byte(s)} }

func boolean(b bool) record.Value {
	if b {
		return record.Value{Kind: record.BoolKind, I: 1}
	}
	return record.Value{Kind: record.BoolKind}
}

func schema(columns ...record.Column) *record.Schema {
	return &record.Schema{Table: "calls", Columns: columns}
}

var source = envelope.Source{
	Version: "1.0", Connector: "sqlite", Name: "port", TSNanos: 1700000000123000000,
	Snapshot: "false", Database: "port.db", Schema: "main", Table: "calls", Seq: 7,
}

func TestAppendIsDebeziumsShape(t *testing.T) {
	s := schema(
		record.Column{Name: "id", Type: record.Long, Key: 1},
		record.Column{Name: "berth", Type: record.String},
		record.Column{Name: "teu", Type: record.Double})
	got := string(envelope.Append(nil, s, &source, 'u',
		record.Row{integer(1), text("A\"1\n"), double(2)}, record.Row{integer(1), integer(5), double(1e21)}, 1700000000456000000))
	want := `{"before":{"id":1,"berth":"A\"1\n","teu":2.0},` +
		`"after":{"id":1,"berth":null,"teu":1e+21,"_extra":{"berth":{"type":"integer","value":5}}},` +
		`"source":{"version":"1.0","connector":"sqlite","name":"port","ts_ms":1700000000123,"snapshot":"false","db":"port.db","sequence":null,` +
		`"ts_us":1700000000123000,"ts_ns":1700000000123000000,"schema":"main","table":"calls","seq":7},` +
		`"transaction":null,"op":"u","ts_ms":1700000000456,"ts_us":1700000000456000,"ts_ns":1700000000456000000}`
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestMisfitsStandInExtra(t *testing.T) {
	for name, c := range map[string]struct {
		column record.Type
		cell   record.Value
		want   string
	}{
		"text in a long":         {record.Long, text("abc"), `{"type":"text","value":"abc"}`},
		"real in a long":         {record.Long, double(1.5), `{"type":"real","value":1.5}`},
		"infinity in a long":     {record.Long, double(math.Inf(-1)), `{"type":"real","value":"-Infinity"}`},
		"blob in a long":         {record.Long, blob("\x00\xff"), `{"type":"blob","value":"AP8="}`},
		"integer in a double":    {record.Double, integer(math.MinInt64), `{"type":"integer","value":-9223372036854775808}`},
		"too large for an int":   {record.Int, integer(1 << 31), `{"type":"integer","value":2147483648}`},
		"text that is not UTF-8": {record.String, text("a\xff"), `{"type":"text","value":"Yf8=","encoding":"base64"}`},
		"Debezium's placeholder": {record.String, text(envelope.Unavailable), `{"type":"text","value":"__debezium_unavailable_value"}`},
		"text in a binary":       {record.Binary, text("a"), `{"type":"text","value":"a"}`},
		"a type of tomorrow":     {"geometry", boolean(true), `{"type":"boolean","value":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := schema(record.Column{Name: "c", Type: c.column})
			e, err := envelope.Split(envelope.Append(nil, s, &source, 'c', nil, record.Row{c.cell}, 0))
			if err != nil {
				t.Fatal(err)
			}
			row, extra, err := envelope.Decode(s, e.After, nil)
			if err != nil {
				t.Fatal(err)
			}
			if row[0].Kind != record.Null || string(extra) != `{"c":`+c.want+`}` {
				t.Fatalf("row %v, extra %s", row, extra)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	s := schema(
		record.Column{Name: "v", Type: record.Long},
		record.Column{Name: "b", Type: record.String, Key: 2},
		record.Column{Name: "a", Type: record.Long, Key: 1})
	for want, row := range map[string]record.Row{
		`{"a":1,"b":"x"}`: {null, text("x"), integer(1)},
		`{"a":{"type":"text","value":"1"},"b":"x"}`:   {null, text("x"), text("1")},
		`{"a":{"type":"real","value":1.0},"b":"x"}`:   {null, text("x"), double(1)},
		`{"a":null,"b":"{\"type\":\"text\"}"}`:        {null, text(`{"type":"text"}`), null},
		`{"a":1,"b":{"type":"integer","value":1}}`:    {null, integer(1), integer(1)},
		`{"a":1,"b":{"type":"blob","value":"eA=="}}`:  {null, blob("x"), integer(1)},
		`{"a":{"type":"text","value":"1"},"b":"xyz"}`: {null, text("xyz"), text("1")},
	} {
		if got := string(envelope.AppendKey(nil, s, row)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := envelope.AppendKey(nil, schema(record.Column{Name: "v"}), record.Row{null}); got != nil {
		t.Errorf("a table without a key got %s", got)
	}
	if got := string(envelope.AppendKeyRow(nil, s, record.Row{null, text("x"), null}, 7)); got != `{"a":null,"b":"x","_rowid":7}` {
		t.Errorf("got %s", got)
	}
	if got := string(envelope.AppendKeyRow(nil, s, record.Row{null, text("x"), integer(1)}, 7)); got != `{"a":1,"b":"x"}` {
		t.Errorf("got %s", got)
	}
}

func TestSplitAcceptsWhatOthersSend(t *testing.T) {
	want := envelope.Event{Op: 'u', TSMillis: 5, Before: []byte(`{"op":"x","after":1}`), After: []byte(`{"a":[1,{"b":"}"}]}`), Source: []byte(`{}`)}
	plain := `{ "source":{}, "before" : {"op":"x","after":1} ,"after":{"a":[1,{"b":"}"}]},"op":"u","ts_ms":5,"more":"\\"}`
	for name, in := range map[string]string{
		"spaces and another order": plain,
		"with schema":              `{"schema":{"type":"struct"},"payload":` + plain + `}`,
		"escaped names":            strings.Replace(plain, `"op":"u"`, `"\u006fp":"u"`, 1),
	} {
		got, err := envelope.Split([]byte(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for _, in := range []string{
		``, `null`, `[]`, `{`, `{"op"}`, `{"op":}`, `{"op":"u"`, `{"op":"u"}}`, `{"op":"u"} x`, `{"after":{}}`,
		`{"op":"uu"}`, `{"op":1}`, `{"op":"u","after":1}`, `{"op":"u","after":{"a":"}`, `{"op":"u","ts_ms":"x"}`, `{"op":"u",}`, `{"\u00zz":1}`,
	} {
		if e, err := envelope.Split([]byte(in)); err == nil {
			t.Errorf("%s was accepted as %+v", in, e)
		}
	}
}

func TestDecode(t *testing.T) {
	s := schema(
		record.Column{Name: "a", Type: record.Long}, record.Column{Name: "b", Type: record.String},
		record.Column{Name: "c", Type: record.Binary}, record.Column{Name: "d", Type: record.Boolean},
		record.Column{Name: "e", Type: record.Double})
	row, extra, err := envelope.Decode(s, []byte(`{"e":"NaN","x":{"y":[]},"b":"\ud83d\ude00\/","a":null,"c":"__debezium_unavailable_value"}`), nil)
	if err != nil || extra != nil {
		t.Fatal(err, extra)
	}
	if !math.IsNaN(row[4].F) {
		t.Fatalf("got %v", row[4])
	}
	row[4] = null
	if want := (record.Row{null, text("😀/"), missing, missing, null}); !reflect.DeepEqual(row, want) {
		t.Fatalf("got %v, want %v", row, want)
	}
	for _, in := range []string{
		``, `null`, `{"a":1.5}`, `{"a":"1"}`, `{"a":9223372036854775808}`, `{"a":true}`, `{"b":1}`, `{"b":{}}`, "{\"b\":\"\xff\"}",
		`{"c":"*"}`, `{"c":1}`, `{"d":1}`, `{"d":"true"}`, `{"e":"1"}`, `{"e":9007199254740993}`, `{"e":0x1p3}`, `{"e":inf}`, `{"e":1_0}`, `{"e":{}}`, `{"a":1}{`,
	} {
		if row, _, err := envelope.Decode(s, []byte(in), nil); err == nil {
			t.Errorf("%s was accepted as %v", in, row)
		}
	}
}

var types = []record.Type{
	record.Boolean, record.Int, record.Long, record.Float, record.Double, record.Date, record.Time,
	record.Timestamp, record.TimestampTZ, record.String, record.Binary, record.UUID, "decimal(10,2)",
}

func anyCell(t *rapid.T) record.Value {
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return null
	case 1:
		return integer(rapid.Int64().Draw(t, "integer"))
	case 2:
		return double(math.Float64frombits(rapid.Uint64().Draw(t, "bits")))
	case 3:
		return text(rapid.String().Draw(t, "text"))
	case 4:
		return record.Value{Kind: record.TextKind, B: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes as text")}
	case 5:
		return record.Value{Kind: record.BytesKind, B: rapid.SliceOf(rapid.Byte()).Draw(t, "blob")}
	}
	return boolean(rapid.Bool().Draw(t, "bool"))
}

func anySchema(t *rapid.T) *record.Schema {
	names := rapid.SliceOfNDistinct(rapid.OneOf(
		rapid.SampledFrom([]string{"op", "after", "before", "source", "ts_ms", `a"b`, "payload", "ü\\", "", "\x01"}), rapid.String(),
	), 1, 6, func(s string) string { return s }).Draw(t, "names")
	s := schema()
	for i, name := range names {
		s.Columns = append(s.Columns, record.Column{Name: name, Type: rapid.SampledFrom(types).Draw(t, "type"), Key: max(0, min(2, len(names))-i)})
	}
	return s
}

func TestWhatIsRenderedIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySchema(t)
		row := make(record.Row, len(s.Columns))
		for i := range row {
			row[i] = anyCell(t)
		}
		value := envelope.Append(nil, s, &source, 'c', nil, row, 1_000_000)
		if !json.Valid(value) || !utf8.Valid(value) {
			t.Fatalf("no JSON: %s", value)
		}
		key := envelope.AppendKeyRow(nil, s, row, 3)
		if !json.Valid(key) {
			t.Fatalf("no JSON: %s", key)
		}
		if limit := envelope.SizeMax(s, &source, nil, row); len(value)+len(key) > limit {
			t.Fatalf("%d bytes, bound %d", len(value)+len(key), limit)
		}
		e, err := envelope.Split(value)
		if err != nil || e.Op != 'c' || e.Before != nil || e.TSMillis != 1 {
			t.Fatalf("%+v, %v", e, err)
		}
		got, extra, err := envelope.Decode(s, e.After, nil)
		if err != nil {
			t.Fatal(err)
		}
		misfits := readExtra(t, extra)
		for i := range row {
			if m, ok := misfits[s.Columns[i].Name]; ok {
				if got[i].Kind != record.Null || envelope.Fits(s, &s.Columns[i], row[i]) {
					t.Fatalf("column %d is %v and in extra too", i, got[i])
				}
				got[i] = m
			}
			if !same(got[i], row[i]) {
				t.Fatalf("column %d (%s): got %v, want %v in %s", i, s.Columns[i].Type, got[i], row[i], value)
			}
		}
	})
}

// same compares cells to the bit; one NaN is like another.
func same(a, b record.Value) bool {
	if a.Kind == record.FloatKind && b.Kind == record.FloatKind {
		return math.Float64bits(a.F) == math.Float64bits(b.F) || a.F != a.F && b.F != b.F //nolint:gocritic // NaN differs from itself
	}
	return a.Kind == b.Kind && a.I == b.I && string(a.B) == string(b.B)
}

// readExtra reads "_extra" by encoding/json, as a stranger would.
func readExtra(t *rapid.T, extra []byte) map[string]record.Value {
	if extra == nil {
		return nil
	}
	var raw map[string]struct {
		Type, Encoding string
		Value          json.RawMessage
	}
	if err := json.Unmarshal(extra, &raw); err != nil {
		t.Fatalf("%s: %v", extra, err)
	}
	out := map[string]record.Value{}
	for name, m := range raw {
		var s string
		_ = json.Unmarshal(m.Value, &s)
		bytes, _ := base64.StdEncoding.DecodeString(s)
		var v record.Value
		switch m.Type {
		case "integer":
			v.Kind = record.IntKind
			_, _ = fmt.Sscan(string(m.Value), &v.I)
		case "real":
			v = double(map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[s])
			if s == "" {
				_ = json.Unmarshal(m.Value, &v.F)
			}
		case "text":
			if v = text(s); m.Encoding == "base64" {
				v.B = bytes
			}
		case "blob":
			v = record.Value{Kind: record.BytesKind, B: bytes}
		case "boolean":
			v = boolean(string(m.Value) == "true")
		}
		out[name] = v
	}
	return out
}

func TestTwoKeysNeverRenderEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySchema(t)
		a, b := make(record.Row, len(s.Columns)), make(record.Row, len(s.Columns))
		equal := true
		for i := range a {
			a[i], b[i] = anyCell(t), anyCell(t)
			if rapid.Bool().Draw(t, "equal") {
				b[i] = a[i]
			}
			equal = equal && (s.Columns[i].Key == 0 || same(a[i], b[i]))
		}
		ka, kb := envelope.AppendKey(nil, s, a), envelope.AppendKey(nil, s, b)
		if (string(ka) == string(kb)) != equal {
			t.Fatalf("%v and %v render %s and %s", a, b, ka, kb)
		}
	})
}

func FuzzSplitAndDecode(f *testing.F) {
	s := schema(
		record.Column{Name: "a", Type: record.Long, Key: 1}, record.Column{Name: "b", Type: record.String},
		record.Column{Name: "c", Type: record.Binary}, record.Column{Name: "d", Type: record.Double}, record.Column{Name: "op", Type: record.Boolean})
	row := record.Row{integer(1), text("x\n"), blob("y"), double(0.1), boolean(true)}
	f.Add(envelope.Append(nil, s, &source, 'u', row, row, 1))
	f.Add([]byte(`{"payload":{"op":"c","after":{"a":1,"_extra":{"b":{"type":"blob","value":"AA=="}}}}}`))
	f.Add([]byte(`{"op":"c","after":{"b":"\ud83d\ude00\uDC00\u0000"}}`))
	f.Add([]byte(`{"op":"d","before":{"d":"-Infinity","c":"__debezium_unavailable_value"},"x":"\`))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := envelope.Split(in)
		if err != nil || e.After == nil {
			return
		}
		row, _, err := envelope.Decode(s, e.After, nil)
		if err != nil {
			return
		}
		// What was read is rendered and read again as it was.
		value := envelope.Append(nil, s, &source, e.Op, nil, row, e.TSMillis*1_000_000)
		if !json.Valid(value) {
			t.Fatalf("no JSON: %q", value)
		}
		again, err := envelope.Split(value)
		if err != nil {
			t.Fatal(err)
		}
		got, extra, err := envelope.Decode(s, again.After, nil)
		if err != nil || extra != nil || len(got) != len(row) {
			t.Fatalf("%v, %s", err, extra)
		}
		for i := range row {
			if !same(got[i], row[i]) {
				t.Fatalf("column %d: %v is read again as %v", i, row[i], got[i])
			}
		}
	})
}

func BenchmarkEnvelope(b *testing.B) {
	s := schema(
		record.Column{Name: "id", Type: record.Long, Key: 1}, record.Column{Name: "container", Type: record.String},
		record.Column{Name: "vessel", Type: record.String}, record.Column{Name: "weight", Type: record.Double})
	row := record.Row{integer(123456), text("TCLU0001234"), text("Marta \"II\""), double(12.5)}
	value := envelope.Append(nil, s, &source, 'u', row, row, 1)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = envelope.Append(dst[:0], s, &source, 'u', row, row, 1)
		}
	})
	b.Run("split and decode", func(b *testing.B) {
		b.ReportAllocs()
		var out record.Row
		for b.Loop() {
			e, err := envelope.Split(value)
			if err != nil {
				b.Fatal(err)
			}
			if out, _, err = envelope.Decode(s, e.After, out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
