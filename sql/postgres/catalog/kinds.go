//go:build duckdb_arrow

package catalog

import (
	"slices"
	"strings"

	"tarn/embedded/sqltext"
)

// wholes are the types of whole numbers, the narrower first.
var wholes = []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}

// jsonbKind is the type jsonb, which DuckDB has as it has json.
const jsonbKind = "JSONB"

// jsonbFunctions are those that answer one whatever they are given.
var jsonbFunctions = []string{
	"jsonb_path_query", "jsonb_path_query_array", "jsonb_path_query_first",
	"to_jsonb", "jsonb_build_object", "jsonb_build_array", "jsonb_agg", "jsonb_object_agg", "jsonb_set", "jsonb_insert", "jsonb_strip_nulls", "jsonb_extract_path", "jsonb_array_elements",
}

// tableKinds are the columns of functions in a FROM.
func tableKinds() map[string][]sqltext.KindColumn {
	return map[string][]sqltext.KindColumn{
		"jsonb_each": {{Name: "key", Kind: "VARCHAR"}, {Name: "value", Kind: jsonbKind}}, "jsonb_each_text": {{Name: "key", Kind: "VARCHAR"}, {Name: "value", Kind: "VARCHAR"}},
		"jsonb_path_query":     {{Name: "jsonb_path_query", Kind: jsonbKind}},
		"jsonb_array_elements": {{Name: "value", Kind: jsonbKind}}, "jsonb_array_elements_text": {{Name: "value", Kind: "VARCHAR"}}, "jsonb_object_keys": {{Name: "jsonb_object_keys", Kind: "VARCHAR"}},
	}
}

// ofJSONB is jsonb where an operator on one answers one.
func ofJSONB(name string, args []string) string {
	one := func(i int) bool { return args[i] == jsonbKind }
	switch {
	case name == getSpelled || name == pathSpelled || name == removeSpelled, name == "-":
		if len(args) == 2 && one(0) {
			return jsonbKind
		}
	case name == "||" && len(args) == 2 && (one(0) || one(1)) && (one(0) || args[0] == sqltext.LiteralKind) && (one(1) || args[1] == sqltext.LiteralKind):
		return jsonbKind
	}
	return ""
}

// kindOf is the type of a call by those of its arguments, without width and scale; "" where it is not known.
func kindOf(name string, args []string) string {
	if slices.Contains(jsonbFunctions, name) || ofJSONB(name, args) != "" {
		return jsonbKind
	}
	of := make([]family, len(args))
	for i, a := range args {
		args[i], _, _ = strings.Cut(a, "(")
		of[i] = familyOf(sqltext.Argument{Type: args[i]})
	}
	switch {
	case name == "count" || name == "count_star":
		return "BIGINT"
	case len(args) == 2 && slices.Contains([]string{"+", "-", "*", "/", "//", "%"}, name):
		return operated(args[0], args[1], of[0], of[1])
	case len(args) != 1:
		return ""
	}
	switch name {
	case "min", "max":
		return args[0]
	case "avg":
		if of[0] == integer || of[0] == numeric {
			return "DECIMAL"
		}
		if of[0] == float {
			return "DOUBLE"
		}
	case "sum":
		switch {
		case args[0] == "BIGINT":
			return "HUGEINT"
		case of[0] == integer:
			return "BIGINT"
		case of[0] == numeric || of[0] == float:
			return args[0]
		}
	}
	return ""
}

// operated is the type of an operator on two numbers.
func operated(a, b string, left, right family) string {
	switch {
	case left == other || right == other || left == interval || right == interval:
		return ""
	case a == "DOUBLE" || b == "DOUBLE":
		return "DOUBLE"
	case left == float || right == float:
		if a == b {
			return a
		}
		return ""
	case a == "DECIMAL" || b == "DECIMAL":
		return "DECIMAL"
	}
	n := max(slices.Index(wholes, a), slices.Index(wholes, b))
	if n < 0 || slices.Index(wholes, a) < 0 || slices.Index(wholes, b) < 0 {
		return ""
	}
	return wholes[n]
}
