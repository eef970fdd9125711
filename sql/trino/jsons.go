//go:build duckdb_arrow

package trino

import (
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

// jsonObject is json_object of names and values.
func jsonObject(args []sqltext.Argument) (string, error) {
	if len(args) == 0 {
		return "'{}'", nil
	}
	return "CAST(json_object" + joined(args, ", ") + " AS VARCHAR)", nil
}
