package pgtype_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/cdc/postgres/pgtype"
)

// catalog is what CatalogQuery gives of the types of the tests.
func catalog(t testing.TB) pgtype.Catalog {
	t.Helper()
	c := pgtype.Catalog{}
	for row := range strings.SplitSeq(strings.TrimSpace(types), "\n") {
		var cells [][]byte
		for cell := range strings.SplitSeq(row, "|") {
			cells = append(cells, []byte(cell))
		}
		if err := c.Add(cells); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

const types = `
16|bool|b|0|0|-1|{}
17|bytea|b|0|0|-1|{}
18|char|b|0|0|-1|{}
19|name|b|0|0|-1|{}
20|int8|b|0|0|-1|{}
21|int2|b|0|0|-1|{}
23|int4|b|0|0|-1|{}
25|text|b|0|0|-1|{}
26|oid|b|0|0|-1|{}
114|json|b|0|0|-1|{}
142|xml|b|0|0|-1|{}
600|point|b|0|0|-1|{}
603|box|b|0|0|-1|{}
650|cidr|b|0|0|-1|{}
700|float4|b|0|0|-1|{}
701|float8|b|0|0|-1|{}
774|macaddr8|b|0|0|-1|{}
790|money|b|0|0|-1|{}
829|macaddr|b|0|0|-1|{}
869|inet|b|0|0|-1|{}
1042|bpchar|b|0|0|-1|{}
1043|varchar|b|0|0|-1|{}
1082|date|b|0|0|-1|{}
1083|time|b|0|0|-1|{}
1114|timestamp|b|0|0|-1|{}
1184|timestamptz|b|0|0|-1|{}
1186|interval|b|0|0|-1|{}
1266|timetz|b|0|0|-1|{}
1560|bit|b|0|0|-1|{}
1562|varbit|b|0|0|-1|{}
1700|numeric|b|0|0|-1|{}
2950|uuid|b|0|0|-1|{}
3614|tsvector|b|0|0|-1|{}
3802|jsonb|b|0|0|-1|{}
3904|int4range|r|0|0|-1|{}
3906|numrange|r|0|0|-1|{}
3908|tsrange|r|0|0|-1|{}
3910|tstzrange|r|0|0|-1|{}
3912|daterange|r|0|0|-1|{}
3926|int8range|r|0|0|-1|{}
1000|_bool|b|16|0|-1|{}
1001|_bytea|b|17|0|-1|{}
1005|_int2|b|21|0|-1|{}
1007|_int4|b|23|0|-1|{}
1009|_text|b|25|0|-1|{}
1016|_int8|b|20|0|-1|{}
1021|_float4|b|700|0|-1|{}
1022|_float8|b|701|0|-1|{}
1182|_date|b|1082|0|-1|{}
1183|_time|b|1083|0|-1|{}
1115|_timestamp|b|1114|0|-1|{}
1185|_timestamptz|b|1184|0|-1|{}
1231|_numeric|b|1700|0|-1|{}
2951|_uuid|b|2950|0|-1|{}
90000|mood|e|0|0|-1|{sad,ok,happy}
90001|_mood|b|90000|0|-1|{}
90002|posint|d|0|23|-1|{}
90003|citext|b|0|0|-1|{}
90004|hstore|b|0|0|-1|{}
90005|ltree|b|0|0|-1|{}
90006|addr|c|0|0|-1|{}
90007|money2|d|0|1700|786438|{}
90008|_hstore|b|90004|0|-1|{}`

// column is a column with a value in PostgreSQL's text form, and what Debezium 3.5 writes of it.
type column struct {
	name    string
	oid     uint32
	typmod  int32
	text    string
	payload string
}

func numericMod(precision, scale int32) int32 { return precision<<16 | scale&0x7ff + 4 }

// workload are the columns of table t of Debezium's recorded workload.
var workload = []column{
	{"i2", 21, -1, "1", `1`},
	{"i4", 23, -1, "2", `2`},
	{"i8", 20, -1, "-9223372036854775808", `-9223372036854775808`},
	{"f4", 700, -1, "1.1", `1.1`},
	{"f8", 701, -1, "1e+308", `1e+308`},
	{"nan", 701, -1, "NaN", `"NaN"`},
	{"n", 1700, -1, "123.4567", `{"scale":4,"value":"EtaH"}`},
	{"tiny", 1700, -1, "-0.00001", `{"scale":5,"value":"/w=="}`},
	{"n102", 1700, numericMod(10, 2), "12.30", `"BM4="`},
	{"least", 1700, numericMod(10, 2), "-99999999.99", `"/av0HAE="`},
	{"n50", 1700, numericMod(5, 0), "99", `"Yw=="`},
	{"n40", 1700, numericMod(40, 10), "123456789012345678901234567890.0123456789", `"A6DJIHXA2/O4rLxflowE1RU="`},
	{"m", 790, -1, "$1,234.50", `"AeI6"`},
	{"mneg", 790, -1, "-$1,234.56", `"/h3A"`},
	{"b", 16, -1, "t", `true`},
	{"c", 1042, 9, "ab   ", `"ab   "`},
	{"tx", 25, -1, "tëxt \"q\"\\n", `"tëxt \"q\"\\n"`},
	{"by", 17, -1, `\xdeadbeef`, `"3q2+7w=="`},
	{"d", 1082, -1, "2026-11-23", `20780`},
	{"dbc", 1082, -1, "0044-03-15 BC", `-735160`},
	{"dfar", 1082, -1, "12026-01-02", `3672880`},
	{"dinf", 1082, -1, "infinity", `-2147472692`},
	{"dminus", 1082, -1, "-infinity", `-2147472691`},
	{"t", 1083, -1, "13:14:15.123456", `47655123456`},
	{"t24", 1083, -1, "24:00:00", `86400000000`},
	{"t3", 1083, 3, "13:14:15.123", `47655123`},
	{"tz", 1266, -1, "13:14:15.5+02", `"11:14:15.5Z"`},
	{"ttz0", 1266, 0, "03:04:06-03:30", `"06:34:06Z"`},
	{"ts", 1114, -1, "2026-11-23 13:14:15.123456", `1795439655123456`},
	{"tsbc", 1114, -1, "0044-03-15 12:00:00 BC", `-63517780800000000`},
	{"tsinf", 1114, -1, "infinity", `9223372036825200000`},
	{"tsminus", 1114, 3, "-infinity", `-9223372036832400`},
	{"ts3", 1114, 3, "2026-11-23 13:14:15.123", `1795439655123`},
	{"ts4", 1114, 4, "2026-01-02 03:04:05.1234", `1767323045123400`},
	{"tstz", 1184, -1, "2026-11-23 13:14:15.123456+02", `"2026-11-23T11:14:15.123456Z"`},
	{"tz0", 1184, -1, "2026-01-02 03:04:05+00", `"2026-01-02T03:04:05.000000Z"`},
	{"tz3", 1184, 3, "2026-01-02 03:04:05.6+00", `"2026-01-02T03:04:05.600Z"`},
	{"tzz", 1184, 0, "2026-01-02 03:04:05+00", `"2026-01-02T03:04:05Z"`},
	{"tzbc", 1184, -1, "0044-03-15 12:00:00+00 BC", `"-0043-03-15T12:00:00.000000Z"`},
	{"tzinf", 1184, -1, "-infinity", `"-infinity"`},
	{"iv", 1186, -1, "1 year 2 mons 3 days 04:05:06.789", `37091106789000`},
	{"ivneg", 1186, -1, "-1 mons +2 days -00:00:01", `-2457001000000`},
	{"u", 2950, -1, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
	{"jb", 3802, -1, `{"b": [1, 2]}`, `"{\"b\": [1, 2]}"`},
	{"e", 90000, -1, "ok", `"ok"`},
	{"ia", 1007, -1, "{1,2,NULL}", `[1,2,null]`},
	{"none", 1007, -1, "{}", `[]`},
	{"ta", 1009, -1, `{a,"b c",NULL,"NULL","q\"\\"}`, `["a","b c",null,"NULL","q\"\\"]`},
	{"na", 1231, numericMod(10, 2), "{1.25,2.50}", `["fQ==","APo="]`},
	{"an", 1231, -1, "{1.5,2,NULL}", `[{"scale":1,"value":"Dw=="},{"scale":0,"value":"Ag=="},null]`},
	{"af4", 1021, -1, "{1.5,NULL,NaN}", `[1.5,null,"NaN"]`},
	{"aby", 1001, -1, `{"\\x01ff"}`, `["Af8="]`},
	{"atstz", 1185, -1, `{"2026-01-02 03:04:05+00"}`, `["2026-01-02T03:04:05.000000Z"]`},
	{"ea", 90001, -1, "{sad,happy}", `["sad","happy"]`},
	{"dom", 90002, -1, "5", `5`},
	{"ip", 869, -1, "10.0.0.1/24", `"10.0.0.1/24"`},
	{"bt", 1560, 1, "1", `true`},
	{"b8", 1560, 8, "10101010", `"qg=="`},
	{"b9", 1560, 9, "101010101", `"VQE="`},
	{"vb", 1562, 10, "101", `"BQ=="`},
	{"pt", 600, -1, "(1,2)", `{"x":1.0,"y":2.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA","srid":null}`},
	{"tsr", 3910, -1, `["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")`, `"[\"2026-01-01 00:00:00+00\",\"2026-02-01 00:00:00+00\")"`},
	{"hs", 90004, -1, `"a"=>"1", "b"=>NULL`, `"{\"a\":\"1\",\"b\":null}"`},
	{"ci", 90003, -1, "CiText", `"CiText"`},
	{"tsv", 3614, -1, "'a' 'cat' 'fat'", `"'a' 'cat' 'fat'"`},
	{"dm", 90007, -1, "12.34", `"BNI="`},
	{"o", 26, -1, "1234", `1234`},
}

func TestValuesAreAsDebeziumWritesThem(t *testing.T) {
	types := catalog(t)
	for _, c := range workload {
		codec, ok := types.Codec(pgtype.Attr{Name: c.name, OID: c.oid, Typmod: c.typmod}, pgtype.Modes{})
		if !ok {
			t.Fatalf("%s is not captured", c.name)
		}
		s := &record.Schema{Table: "t", Columns: []record.Column{codec.Column}}
		v := codec.Text(&pgtype.Arena{}, []byte(c.text))
		value := envelope.Append(nil, s, &envelope.Source{Postgres: &envelope.PostgresPlace{}}, 'c', nil, record.Row{v}, 0)
		e, err := envelope.Split(value)
		if err != nil {
			t.Errorf("%s: %v in %s", c.name, err, value)
			continue
		}
		if want := `{"` + c.name + `":` + c.payload + `}`; string(e.After) != want {
			t.Errorf("got %s, want %s", e.After, want)
			continue
		}
		row, extra, err := envelope.Decode(s, e.After, nil)
		if err != nil || extra != nil {
			t.Errorf("%s: %v, %s", c.name, err, extra)
			continue
		}
		if !same(row[0], v) {
			t.Errorf("%s: %v is read back as %v", c.name, v, row[0])
		}
	}
}

// same compares values; a NaN is like another.
func same(a, b record.Value) bool {
	if a.Kind == record.FloatKind && a.F != a.F { //nolint:gocritic // NaN differs from itself
		return b.Kind == record.FloatKind && b.F != b.F
	}
	return a.Kind == b.Kind && a.I == b.I && a.F == b.F && bytes.Equal(a.B, b.B)
}

func TestSchemasAreStoredWithTheirSemantics(t *testing.T) {
	types := catalog(t)
	var s record.Schema
	for _, c := range workload {
		codec, _ := types.Codec(pgtype.Attr{Name: c.name, OID: c.oid, Typmod: c.typmod}, pgtype.Modes{})
		s.Columns = append(s.Columns, codec.Column)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got record.Schema
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, s) {
		t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, s)
	}
}
