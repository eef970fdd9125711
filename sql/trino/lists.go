//go:build duckdb_arrow

package trino

import (
	"fmt"
	"strconv"
	"strings"

	"tarn/embedded/sqltext"
)

// Names in these texts begin with a line, so that a statement's own columns are not taken for them.

// lists are functions of arrays.
var lists = map[string]map[int]string{
	"array_histogram":   {1: "list_extract(list_transform([list_histogram($1)], lambda _h: map(map_keys(_h), list_transform(map_values(_h), lambda _n: CAST(_n AS BIGINT)))), 1)"},
	"contains_sequence": {2: "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN len($2) = 0 OR coalesce(list_bool_or(list_transform(range(1, len($1) - len($2) + 2), lambda _i: list_slice($1, _i, _i + len($2) - 1) = $2)), false) END"},
	"flatten":           {1: "flatten(list_filter($1, lambda _x: _x IS NOT NULL))"},
	"ngrams":            {2: "CASE WHEN $2 >= len($1) THEN [$1] ELSE list_transform(range(1, len($1) - $2 + 2), lambda _i: list_slice($1, _i, _i + $2 - 1)) END"},
	"shuffle":           {1: "list_transform(list_sort(list_transform($1, lambda _x: struct_pack(r := random(), x := _x))), lambda _p: struct_extract(_p, 'x'))"},
	"trim_array":        {2: "CASE WHEN $2 > len($1) OR $2 < 0 THEN cast_to_type(" + raised("size must not exceed array cardinality") + ", $1) ELSE list_slice($1, 1, len($1) - $2) END"},
	"zip_with":          {3: "list_transform(list_zip($1, $2), lambda _p: applied($3, struct_extract(_p, 1), struct_extract(_p, 2)))"},
	"array_sort": {
		1: "list_sort($1, 'ASC', 'NULLS LAST')",
		2: "list_transform(list_sort(list_transform($1, lambda _x, _i: struct_pack(r := len(list_filter($1, lambda _y, _j: applied($2, _y, _x) < 0 OR applied($2, _y, _x) = 0 AND _j < _i)), i := _i))), lambda _p: list_extract($1, struct_extract(_p, 'i')))",
	},
	"reduce": {4: "list_transform([struct_extract(list_reduce(list_prepend(struct_pack(s := $2, x := CASE WHEN false THEN list_extract($1, 1) END), list_transform($1, lambda _x: struct_pack(s := CASE WHEN false THEN $2 END, x := _x)))," +
		" lambda _a, _b: struct_pack(s := applied($3, struct_extract(_a, 's'), struct_extract(_b, 'x')), x := struct_extract(_b, 'x'))), 's')], $4)[1]"},
	"reduce_agg": {4: "list_reduce(list_prepend(struct_pack(s := $2, x := CASE WHEN false THEN any_value($1) END), list_transform(list_filter(array_agg($1), lambda _x: _x IS NOT NULL), lambda _x: struct_pack(s := CASE WHEN false THEN $2 END, x := _x)))," +
		" lambda _a, _b: struct_pack(s := applied($3, struct_extract(_a, 's'), struct_extract(_b, 'x')), x := struct_extract(_b, 'x'))).s"},
	"cosine_distance":    {2: "1 - list_cosine_similarity($1, $2)"},
	"euclidean_distance": {2: "list_distance($1, $2)"},
	"dot_product":        {2: "list_inner_product($1, $2)"},
}

// keyed are the distinct keys of a list of entries, with all values of each, in the order of the entries.
const keyed = "map(list_filter(%[1]s, lambda _k, _i: list_position(%[1]s, _k) = _i), list_transform(list_filter(%[1]s, lambda _k, _i: list_position(%[1]s, _k) = _i), " +
	"lambda _k: list_transform(list_filter(list_zip(%[1]s, %[2]s), lambda _p: struct_extract(_p, 1) = _k), lambda _p: struct_extract(_p, 2))))"

// mapped are functions of maps.
var mapped = map[string]map[int]string{
	"map":              {0: "map([], [])", 2: ""},
	"map_filter":       {2: "map_from_entries(list_filter(map_entries($1), lambda _e: applied($2, struct_extract(_e, 'key'), struct_extract(_e, 'value'))))"},
	"transform_keys":   {2: "map_from_entries(list_transform(map_entries($1), lambda _e: struct_pack(k := applied($2, struct_extract(_e, 'key'), struct_extract(_e, 'value')), v := struct_extract(_e, 'value'))))"},
	"transform_values": {2: "map_from_entries(list_transform(map_entries($1), lambda _e: struct_pack(k := struct_extract(_e, 'key'), v := applied($2, struct_extract(_e, 'key'), struct_extract(_e, 'value')))))"},
	"map_zip_with": {3: "map_from_entries(list_transform(list_concat(map_keys($1), list_filter(map_keys($2), lambda _k: NOT map_contains($1, _k))), " +
		"lambda _k: struct_pack(k := _k, v := applied($3, _k, map_extract_value($1, _k), map_extract_value($2, _k)))))"},
	"multimap_from_entries": {1: fmt.Sprintf(keyed, "list_transform($1, lambda _e: struct_extract(_e, 1))", "list_transform($1, lambda _e: struct_extract(_e, 2))")},
	"multimap_agg":          {2: fmt.Sprintf(keyed, "array_agg($1)", "array_agg($2)")},
	"map_union":             {1: "list_reduce(list_filter(array_agg($1), lambda _m: _m IS NOT NULL), lambda _a, _b: map_concat(_a, _b))"},
	"histogram":             {1: "list_extract(list_transform([histogram($1)], lambda _h: map(map_keys(_h), list_transform(map_values(_h), lambda _n: CAST(_n AS BIGINT)))), 1)"},
	"approx_most_frequent": {3: "map_from_entries(list_transform(list_slice(list_reverse_sort(list_transform(map_entries(histogram($2)), lambda _e: struct_pack(n := CAST(struct_extract(_e, 'value') AS BIGINT), k := struct_extract(_e, 'key')))), 1, $1), " +
		"lambda _e: struct_pack(k := struct_extract(_e, 'k'), v := struct_extract(_e, 'n'))))"},
	"split_to_map": {3: "CASE WHEN $1 = '' THEN CAST(map([], []) AS MAP(VARCHAR, VARCHAR)) ELSE map_from_entries(list_transform(string_split($1, $2), lambda _e: struct_pack(k := split_part(_e, $3, 1), v := substr(_e, strpos(_e, $3) + length($3))))) END"},
	"split_to_multimap": {3: "CASE WHEN $1 = '' THEN CAST(map([], []) AS MAP(VARCHAR, VARCHAR[])) ELSE " +
		fmt.Sprintf(keyed, "list_transform(string_split($1, $2), lambda _e: split_part(_e, $3, 1))", "list_transform(string_split($1, $2), lambda _e: substr(_e, strpos(_e, $3) + length($3)))") + " END"},
}

// ofMaps are functions that answer a map.
var ofMaps = map[string]bool{
	"map": true, "map_from_entries": true, "map_concat": true, "map_filter": true, "map_agg": true, "map_union": true, "map_zip_with": true, "multimap_agg": true, "multimap_from_entries": true,
	"transform_keys": true, "transform_values": true, "histogram": true, "array_histogram": true, "split_to_map": true, "split_to_multimap": true, "approx_most_frequent": true,
}

// isMap tells whether an argument is known to be a map.
func isMap(a sqltext.Argument) bool { return ofMaps[a.Name] || strings.HasPrefix(a.Type, "MAP") }

// ofLists are functions that answer an array.
var ofLists = map[string]bool{
	"list_value": true, "array_agg": true, "array_distinct": true, "array_except": true, "array_intersect": true, "array_union": true, "array_remove": true, "array_sort": true, "combinations": true, "filter": true,
	"flatten": true, "map_keys": true, "map_values": true, "map_entries": true, "ngrams": true, "regexp_extract_all": true, "regexp_split": true, "repeat": true, "sequence": true, "shuffle": true, "slice": true,
	"split": true, "transform": true, "trim_array": true, "zip": true, "zip_with": true,
}

// isList tells whether an argument is known to be an array.
func isList(a sqltext.Argument) bool {
	return ofLists[a.Name] || strings.HasSuffix(a.Type, "]") || a.Type == "LIST"
}

// cardinality is of an array or a map: where nothing tells which, it goes by the value as JSON, which both can be.
func cardinality(args []sqltext.Argument) (string, error) {
	switch {
	case len(args) != 1:
		return "", unsupported("", "cardinality takes one argument")
	case isMap(args[0]):
		return "CAST(len(map_keys($1)) AS BIGINT)", nil
	case isList(args[0]):
		return "CAST(len($1) AS BIGINT)", nil
	}
	return "CASE WHEN typeof($1) LIKE 'MAP(%' THEN CAST(len(json_keys(to_json($1))) AS BIGINT) ELSE CAST(json_array_length(to_json($1)) AS BIGINT) END", nil
}

func cosineSimilarity(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && isMap(args[0]) {
		norm := func(of string) string {
			return "sqrt(list_sum(list_transform(map_values(" + of + "), lambda _v: _v * _v)))"
		}
		return "list_sum(list_transform(map_keys($1), lambda _k: coalesce(map_extract_value($1, _k) * map_extract_value($2, _k), 0))) / (" + norm("$1") + " * " + norm("$2") + ")", nil
	}
	return "list_cosine_similarity($1, $2)", nil
}

// combinationsMax is how many elements a combination may have, as in Trino.
const combinationsMax = 5

// combinations writes a loop for each element, the last outermost.
func combinations(args []sqltext.Argument) (string, error) {
	n := -1
	if len(args) == 2 && args[1].Number != "" {
		n, _ = strconv.Atoi(args[1].Number)
	}
	if n < 0 || n > combinationsMax {
		return "", unsupported("write it as a number", "how many elements combinations takes must be in the statement, from 0 to %d", combinationsMax)
	}
	if n == 0 {
		return "[list_slice($1, 1, 0)]", nil
	}
	picked := make([]string, n)
	for i := range picked {
		picked[i] = fmt.Sprintf("list_extract($1, _c%d)", i+1)
	}
	text := "[[" + strings.Join(picked, ", ") + "]]"
	for i := range n {
		last := "len($1) + 1"
		if i < n-1 {
			last = fmt.Sprintf("_c%d", i+2)
		}
		text = fmt.Sprintf("flatten(list_transform(range(1, %s), lambda _c%d: %s))", last, i+1, text)
	}
	return text, nil
}

// concatOperator is x || y, where one of them may be an element of the other.
func concatOperator(args []sqltext.Argument) (string, error) {
	switch {
	case len(args) != 2 || isList(args[0]) == isList(args[1]):
	case isList(args[0]) && args[1].Class == "CONSTANT":
		return "$1 || [$2]", nil
	case isList(args[1]) && args[0].Class == "CONSTANT":
		return "[$1] || $2", nil
	}
	return "", nil
}

// reverse is of a text or an array.
func reverse(args []sqltext.Argument) (string, error) {
	if len(args) == 1 && isList(args[0]) {
		return "list_reverse($1)", nil
	}
	return "", nil
}

// unnested is UNNEST of arrays and maps, side by side: a map has two columns, as many as a row has fields an array of rows. What is
// not known by its type goes by how many columns the statement names. "" leaves the one array to DuckDB.
func unnested(args []sqltext.Argument, columns int, ordinal bool) string {
	if ordinal {
		columns--
	}
	if len(args) == 0 || len(args) == 1 && !ordinal && !isMap(args[0]) && columns < 2 && !strings.HasPrefix(args[0].Type, "STRUCT(") {
		return ""
	}
	items, lengths := []string{}, []string{"0"}
	for i, a := range args {
		n := numberOf(i)
		switch {
		case isMap(a):
			items = append(items, "unnest(map_keys("+n+"))", "unnest(map_values("+n+"))")
			n = "map_keys(" + n + ")"
		case strings.HasPrefix(a.Type, "STRUCT("), len(args) == 1 && columns > 1:
			items = append(items, "unnest("+n+", max_depth := 2)")
		default:
			items = append(items, "unnest("+n+")")
		}
		lengths = append(lengths, "coalesce(len("+n+"), 0)")
	}
	if ordinal {
		items = append(items, "unnest(range(1, greatest("+strings.Join(lengths, ", ")+") + 1))")
	}
	return "SELECT " + strings.Join(items, ", ")
}
