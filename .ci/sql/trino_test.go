//go:build duckdb_arrow

package sql_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"tarn/.ci/sql/trino"
	"tarn/sql/cell"
)

// overTrino reads rows, whose cells are as the JSON of /api/sql has them.
func overTrino(t *testing.T, c trino.Client, text string) (out answer) {
	t.Helper()
	got, err := c.Ask(t.Context(), text)
	if refusal := (*trino.Refusal)(nil); errors.As(err, &refusal) {
		return answer{refused: true}
	} else if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, c := range got.Columns {
		out.columns = append(out.columns, c.Name+" "+c.Type)
	}
	for _, row := range got.Rows {
		cells := make([]string, len(row))
		for i, raw := range row {
			cells[i] = string(untrino(t, got.Columns[i].Signature, raw))
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

// What Trino writes otherwise than JSON of /api/sql: a blank before the time of a day, zeros at its end, a zone's name.
var trinoTime = regexp.MustCompile(`^"(?:([+-]?\d+-\d\d-\d\d) )?(\d\d:\d\d:\d\d)(\.\d+)?( UTC)?"$`)

// untrino writes a value of Trino's as /api/sql has it.
func untrino(t *testing.T, s trino.Signature, raw json.RawMessage) json.RawMessage {
	t.Helper()
	if string(raw) == "null" {
		return raw
	}
	parts := func(into any) {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s of %s: %v", raw, s.RawType, err)
		}
	}
	inner := func(i int) (of trino.Signature) {
		if err := json.Unmarshal(s.Arguments[i].Value, &of); err != nil {
			t.Fatal(err)
		}
		return of
	}
	switch s.RawType {
	case "decimal":
		if string(s.Arguments[0].Value) == "20" && string(s.Arguments[1].Value) == "0" { // a UBIGINT
			return raw[1 : len(raw)-1]
		}
	case "double", "real":
		if raw[0] != '"' {
			return json.RawMessage(shortest(string(raw)))
		}
	case "timestamp", "time", "timestamp with time zone":
		m := trinoTime.FindStringSubmatch(string(raw))
		if m == nil {
			t.Fatalf("%s is no %s", raw, s.RawType)
		}
		out := m[2] + strings.TrimRight(strings.TrimRight(m[3], "0"), ".") + strings.Replace(m[4], " UTC", "Z", 1)
		if m[1] != "" {
			out = m[1] + "T" + out
		}
		return json.RawMessage(`"` + out + `"`)
	case "array":
		var all []json.RawMessage
		parts(&all)
		for i := range all {
			all[i] = untrino(t, inner(0), all[i])
		}
		return joined("[", all, "]")
	case "row":
		var all []json.RawMessage
		parts(&all)
		for i := range all {
			var field trino.NamedType
			if err := json.Unmarshal(s.Arguments[i].Value, &field); err != nil {
				t.Fatal(err)
			}
			all[i] = json.RawMessage(`"` + field.FieldName.Name + `":` + string(untrino(t, field.Type, all[i])))
		}
		return joined("{", all, "}")
	}
	if raw[0] == '"' {
		var text string
		parts(&text)
		return cell.AppendQuoted(nil, text)
	}
	return raw
}

func joined(open string, parts []json.RawMessage, closing string) json.RawMessage {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = string(p)
	}
	return json.RawMessage(open + strings.Join(texts, ",") + closing)
}

// TestMetadataTablesOfIceberg are those that Trino's connector has of a table: what Tarn knows of its snapshots and files.
func TestMetadataTablesOfIceberg(t *testing.T) {
	c := trino.Client{Address: tarn(t)["trino"], User: "me", Catalog: "lake", Schema: "gold"}
	for _, s := range []struct{ text, want string }{
		{"CREATE TABLE told AS SELECT 1 AS x", ""},
		{"INSERT INTO told VALUES 2, 3", ""},
		{`SELECT count(*) > 1, count(parent_id) > 0, max(CAST(element_at(summary, 'total-records') AS integer)) FROM "told$snapshots"`, "true true 3"},
		{`SELECT count(*) > 1 FROM gold."told$history" h WHERE h.is_current_ancestor`, "true"},
		{`SELECT sum(record_count), min(content) FROM lake.gold."told$files"`, "3 0"},
		{`SELECT name, type FROM "told$refs"`, `"main" "BRANCH"`},
		{"ANALYZE told", ""},
		{"ALTER TABLE told EXECUTE optimize", ""},
		{"SELECT sum(x) FROM told", "6"},
	} {
		got, err := c.Ask(t.Context(), s.text)
		if err != nil {
			t.Fatalf("%s: %v", s.text, err)
		}
		var cells []string
		for _, row := range got.Rows {
			for _, cell := range row {
				cells = append(cells, string(cell))
			}
		}
		if answer := strings.Join(cells, " "); s.want != "" && answer != s.want {
			t.Errorf("%s: got %s, want %s", s.text, answer, s.want)
		}
	}
}
