package pgtype_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/cdc/postgres/pgtype"
)

// recording is modes.json: a row with a column of nearly every type, as PostgreSQL 15 has it in text, and what Debezium
// 3.5.0.Final streams of it under several settings.
type recording struct {
	Types   []string
	Columns []struct {
		Name, Text string
		OID        uint32
		Typmod     int32
	}
	Modes []struct {
		Settings map[string]string
		Values   map[string]struct{ Schema, Value json.RawMessage }
	}
}

func readRecording(t testing.TB) (out recording) {
	t.Helper()
	f, err := os.Open("../testdata/modes.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// better tells whether Tarn differs from Debezium in a column of the recording on purpose: docs/compat/debezium.md.
func better(name string, m pgtype.Modes) bool {
	switch name {
	case "nneg", // a scale below 0 is taken for 2046
		"nm",   // a name is null while streaming
		"a2d",  // the elements of a second dimension are null
		"n1",   // a zero loses its scale
		"hs",   // keys come in the order of a Java HashMap
		"adom": // an array of a domain is an array of bytes
		return true
	case "ts", "tsbc": // nanoseconds wrap round
		return m.Time == "nanoseconds"
	case "t24": // the end of a day is its beginning
		return m.Time == "isostring"
	case "tsinf": // infinity is a number, or a date, like another
		return m.Time == "nanoseconds" || m.Time == "isostring" || m.Time == "connect"
	}
	return false
}

func TestEveryModeIsAsDebeziumHasIt(t *testing.T) {
	all := readRecording(t)
	types := pgtype.Catalog{}
	for _, row := range all.Types {
		if err := types.Add(bytes.Split([]byte(row), []byte{'|'})); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range all.Modes {
		m, bad := pgtype.ParseModes(func(key, other string) string {
			if v, ok := mode.Settings[key]; ok {
				return v
			}
			return other
		})
		if bad != "" {
			t.Fatal(bad)
		}
		compared := 0
		for _, c := range all.Columns {
			codec, known := types.Codec(pgtype.Attr{Name: c.Name, OID: c.OID, Typmod: c.Typmod}, m)
			want, captured := mode.Values[c.Name]
			// What Debezium does not know it has as bytes; Tarn has text.
			unknown := m.Unknown && captured && codec.Column.Semantic == record.Plain && codec.Column.Type == record.String && want.Value[0] == '"' && string(want.Value) != quoted(c.Text)
			if better(c.Name, m) || c.Name == "id" || unknown {
				continue
			}
			if known != captured && !m.Unknown {
				t.Errorf("%v: column %s is captured: %t", mode.Settings, c.Name, known)
			}
			if !known || !captured {
				continue
			}
			compared++
			checkColumn(t, mode.Settings, codec, c.Name, c.Text, want.Schema, want.Value)
		}
		if compared < 60 {
			t.Errorf("%v: %d columns were compared", mode.Settings, compared)
		}
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func checkColumn(t *testing.T, settings map[string]string, codec *pgtype.Codec, name, text string, schema, value json.RawMessage) {
	t.Helper()
	s := &record.Schema{Table: "x", Columns: []record.Column{codec.Column}}
	v := codec.Text(&pgtype.Arena{}, []byte(text))
	event := envelope.Append(nil, s, &envelope.Source{}, 'c', nil, record.Row{v}, 0)
	e, err := envelope.Split(event)
	if err != nil {
		t.Fatal(err)
	}
	var row, wantValue any
	if err := json.Unmarshal(e.After, &row); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(value, &wantValue); err != nil {
		t.Fatal(err)
	}
	if got := row.(map[string]any)[name]; !reflect.DeepEqual(got, wantValue) { //nolint:forcetypeassert // an object
		t.Errorf("%v: %s of %q is %v, want %v", settings, name, text, got, wantValue)
	}
	frame := envelope.Wrap(envelope.FrameOf(s, "t", true).Value, []byte("{}"))
	var got struct {
		Schema struct {
			Fields []struct{ Fields []any }
		}
	}
	if err := json.Unmarshal(frame, &got); err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(schema, &want); err != nil {
		t.Fatal(err)
	}
	if have := got.Schema.Fields[0].Fields[0]; !reflect.DeepEqual(have, want) && name != "dt" {
		t.Errorf("%v: the schema of %s is\n%v, want\n%v", settings, name, have, want)
	}
	back, _, err := envelope.Decode(s, e.After, nil)
	if err != nil || !same(back[0], v) && codec.Column.Semantic != record.ConnectTime && codec.Column.Semantic != record.ConnectTimestamp {
		t.Errorf("%v: %s of %q: %+v is read back as %+v, %v", settings, name, text, v, back, err)
	}
}
