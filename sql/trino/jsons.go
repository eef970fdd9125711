//go:build duckdb_arrow

package trino

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
)

// jsons are functions of JSON.
var jsons = map[string]map[int]string{
	"json_array_contains": {2: "CASE WHEN json_type($1) = 'ARRAY' THEN coalesce(list_contains(list_transform(json_extract($1, '$[*]'), lambda _j: CASE WHEN json_type(_j) = json_type(to_json($2)) OR json_type(_j) LIKE '%INT%' AND json_type(to_json($2)) LIKE '%INT%' THEN json_extract_string(_j, '$') END), json_extract_string(to_json($2), '$')), false) END"},
	"json_format":         {1: "CAST(json(CAST($1 AS JSON)) AS VARCHAR)"},
	"json_array_length":   {1: "CASE WHEN json_type($1) = 'ARRAY' THEN CAST(json_array_length($1) AS BIGINT) END"},
	"json_size": {2: "CASE json_type(json_extract($1, $2)) WHEN 'OBJECT' THEN CAST(len(json_keys(json_extract($1, $2))) AS BIGINT) WHEN 'ARRAY' THEN CAST(json_array_length(json_extract($1, $2)) AS BIGINT) " +
		"ELSE CASE WHEN json_extract($1, $2) IS NOT NULL THEN 0 END END"},
	"is_json_scalar": {1: "json_type(CAST($1 AS JSON)) NOT IN ('OBJECT', 'ARRAY')"},
}

// jsonPath is a function of JSON whose path may have ["a name"], which is ."a name" to DuckDB.
func jsonPath(text string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 || args[1].Text == nil || !strings.Contains(*args[1].Text, `["`) {
			return text, nil
		}
		path := duck.Quote(strings.NewReplacer(`["`, `."`, `"]`, `"`).Replace(*args[1].Text))
		if text == "" {
			return "json_extract($1, " + path + ")", nil
		}
		return strings.ReplaceAll(text, "$2", path), nil
	}
}

// jsonArray is json_array, which leaves nulls out.
func jsonArray(args []sqltext.Argument) (string, error) {
	if len(args) == 0 {
		return "'[]'", nil
	}
	parts := make([]string, len(args))
	for i := range args {
		parts[i] = "to_json(" + numberOf(i) + ")"
	}
	return "CAST(to_json(list_filter([" + strings.Join(parts, ", ") + "], lambda _j: _j IS NOT NULL)) AS VARCHAR)", nil
}

// jsonObject is json_object of names and values, in the order of the names where the statement tells all of them.
func jsonObject(args []sqltext.Argument) (string, error) {
	if len(args) == 0 {
		return "'{}'", nil
	}
	type member struct{ name, said string }
	var members []member
	for i := 0; i+1 < len(args) && args[i].Text != nil; i += 2 {
		members = append(members, member{*args[i].Text, numberOf(i) + ", " + numberOf(i+1)})
	}
	if 2*len(members) != len(args) {
		return "CAST(json_object" + joined(args, ", ") + " AS VARCHAR)", nil
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	said := make([]string, len(members))
	for i, m := range members {
		if said[i] = m.said; i > 0 && m.name == members[i-1].name {
			return "", unsupported("name each member once", "an object cannot be made with the key %s twice", m.name)
		}
	}
	return "CAST(json_object(" + strings.Join(said, ", ") + ") AS VARCHAR)", nil
}

// jsonParse is json_parse, whose objects have their keys in order, each once. DuckDB keeps them as they are written: those of a text of the
// statement are put in order here.
func jsonParse(args []sqltext.Argument) (string, error) {
	if len(args) == 1 && args[0].Class == "CONSTANT" && args[0].Text != nil {
		return "json(" + duck.Quote(ordered(*args[0].Text)) + ")", nil
	}
	return sqltext.As("json(CAST($1 AS VARCHAR))")(args)
}

// ordered is a text of JSON with its keys in order; what is none stays what it is, for DuckDB to refuse.
func ordered(text string) string {
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber()
	var value any
	if strings.Contains(text, `\ud`) || strings.Contains(text, `\uD`) || in.Decode(&value) != nil { // half a character is lost here
		return text
	}
	if _, err := in.Token(); err != io.EOF {
		return text
	}
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	if to.Encode(value) != nil {
		return text
	}
	return strings.TrimSuffix(out.String(), "\n")
}
