package rows_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/ingest/rows"
)

var formats = map[string]func([]byte) ([][]byte, error){"json": rows.JSON, "lines": rows.Lines, "csv": rows.CSV}

func TestRecords(t *testing.T) {
	for _, c := range []struct{ name, format, in, want string }{
		{"an object", "json", ` {"a": 1} `, `{"a": 1}`},
		{"an array", "json", `[{"a":1}, {"b":[{}]}]`, `{"a":1}|{"b":[{}]}`},
		{"an empty array", "json", ` [ ] `, ``},
		{"a mark before it", "json", "\xef\xbb\xbf{}", `{}`},
		{"lines", "lines", "{\"a\":1}\r\n\n  {\"a\":2}", `{"a":1}|{"a":2}`},
		{"no line", "lines", "\n", ``},
		{"csv", "csv", "a,b\n1,x\r\n\n2,\"y, \"\"z\"\"\nw\"\n", `{"a":"1","b":"x"}|{"a":"2","b":"y, \"z\"\nw"}`},
		{"csv without a last end of line", "csv", "a,b\n1,", `{"a":"1","b":""}`},
		{"an empty cell in quotes", "csv", "a\n\"\"\n", `{"a":""}`},
		{"csv with column names alone", "csv", "a,b\n", ``},
		{"nothing", "csv", "", ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := formats[c.format]([]byte(c.in))
			if err != nil || string(bytes.Join(got, []byte("|"))) != c.want {
				t.Fatalf("got %s, %v", bytes.Join(got, []byte("|")), err)
			}
		})
	}
}

func TestBadRecordsAreToldWithTheirPlace(t *testing.T) {
	for _, c := range []struct {
		name, format, in, want string
		line, column           int
	}{
		{"no object", "json", `1`, "record 1", 1, 1},
		{"nothing", "json", ``, "record 1", 1, 1},
		{"a number in an array", "json", "[{},\n  7]", "record 2", 2, 3},
		{"an array that goes on", "json", "[{}", "record 1", 1, 4},
		{"a comma too many", "json", "[{},]", "record 2", 1, 5},
		{"two objects", "json", "{}\n{}", "record 2: more than one value", 2, 1},
		{"broken json", "json", "[{\"é\":tru}]", "record 1: want a value", 1, 7},
		{"no utf-8", "json", "{\"a\":\"\xff\"}", "not UTF-8", 1, 7},
		{"a broken line", "lines", "{}\n{\"a\":}\n{}", "record 2: want a value", 2, 6},
		{"two in a line", "lines", "{} {}", "more than one value in a line", 1, 4},
		{"an object over two lines", "lines", "{\"a\":\n1}", "record 1", 1, 6},
		{"too few cells", "csv", "a,b\n1,2\n3\n", "record 2: 1 cells, want 2", 3, 1},
		{"an open quote", "csv", "a\n\"x\n", "not closed", 2, 1},
		{"a quote in a cell", "csv", "a\nx\"y\n", "record 1: a quote", 2, 2},
		{"more behind a quote", "csv", "a\n\"x\"y\n", "record 1: more behind", 2, 4},
		{"a name twice", "csv", "a,a\n", "column names: column 2", 1, 1},
		{"a nameless column", "csv", "a,\n1,2\n", "column names", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := formats[c.format]([]byte(c.in))
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || !strings.Contains(f.Message, c.want) || f.Hint == "" || f.Line != c.line || f.Column != c.column {
				t.Fatalf("got %+v", f)
			}
		})
	}
	if _, err := rows.Lines(bytes.Repeat([]byte("{}\n"), rows.RecordsMax+1)); fault.CodeOf(err) != fault.TooLarge {
		t.Fatalf("got %v", err)
	}
}

// FuzzRecords: what is taken is what the standard library reads, and nothing panics.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[{"a":[1,{}]},{}]`, "{}\n{\"b\":\"\\u00e9\"}\n", "a,b\n1,\"2\"\"\n\"\r\n", "\xef\xbb\xbfa\nx", "[{},]", "a\n\"x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for name, cut := range formats {
			got, err := cut(in)
			if err != nil {
				if e, ok := errors.AsType[*fault.Error](err); !ok || e.Line < 1 || e.Column < 1 {
					t.Fatalf("%s: no place: %v", name, err)
				}
				continue
			}
			for _, one := range got {
				var object map[string]any
				if err := json.Unmarshal(one, &object); err != nil {
					t.Fatalf("%s: %q: %v", name, one, err)
				}
			}
		}
		if got, err := rows.JSON(in); err == nil && len(got) > 0 {
			if body := bytes.TrimPrefix(in, []byte("\xef\xbb\xbf")); !json.Valid(body) {
				t.Fatalf("%q is no JSON", body)
			}
		}
		sameAsCSV(t, in)
	})
}

// sameAsCSV holds CSV against encoding/csv, which unlike it makes "\n" of "\r\n" in quotes.
func sameAsCSV(t *testing.T, in []byte) {
	got, err := rows.CSV(in)
	if err != nil || bytes.Contains(in, []byte("\r")) {
		return
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(in, []byte("\xef\xbb\xbf"))))
	want, err := r.ReadAll()
	if err != nil {
		t.Fatalf("taken, but %v", err)
	}
	if len(got) != max(len(want)-1, 0) {
		t.Fatalf("%d records, want %d", len(got), len(want)-1)
	}
	for i, one := range got {
		var object map[string]string
		if err := json.Unmarshal(one, &object); err != nil {
			t.Fatal(err)
		}
		wanted := map[string]string{}
		for k, name := range want[0] {
			wanted[name] = want[i+1][k]
		}
		if !reflect.DeepEqual(object, wanted) {
			t.Fatalf("got %v, want %v", object, wanted)
		}
	}
}
