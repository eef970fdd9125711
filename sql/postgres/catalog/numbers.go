//go:build duckdb_arrow

package catalog

import (
	"slices"

	"tarn/embedded/sqltext"
)

// byZero ends a statement that divides by zero, of which DuckDB would make null; the door knows the text. It has the type of the
// right side, so that the result keeps its own.
const byZero = "cast_to_type(CAST('division by zero' AS TINYINT), $2)"

// divided is an operator whose right side may not be zero. A parameter is compared with nothing, so that its type stays what the
// left side makes of it.
func divided(operator string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		switch {
		case len(args) != 2:
			return "", nil
		case args[1].Class == "PARAMETER":
			return "coalesce($1 " + operator + " $2, CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN cast_to_type(CAST('division by zero' AS TINYINT), $1 " + operator + " $2) END)", nil
		}
		return "($1 " + operator + " CASE WHEN $2 = 0 THEN " + byZero + " ELSE $2 END)", nil
	}
}

// round rounds a double's half to the even number, and a numeric's away from zero.
func round(args []sqltext.Argument) (string, error) {
	if len(args) != 1 || args[0].Class == "PARAMETER" {
		return "", nil
	}
	return "CASE WHEN typeof($1) IN ('DOUBLE', 'FLOAT') THEN cast_to_type(round_even(CAST($1 AS DOUBLE), 0), round($1)) ELSE round($1) END", nil
}

// sizePretty is pg_size_pretty: the largest unit of which there are ten, halves rounded up.
const sizePretty = "list_transform([CAST($1 AS BIGINT)], lambda tarn_n: CASE WHEN abs(tarn_n) < 10240 THEN tarn_n || ' bytes' WHEN abs(tarn_n >> 9) < 20479 THEN ((tarn_n >> 9) + 1) // 2 || ' kB' " +
	"WHEN abs(tarn_n >> 19) < 20479 THEN ((tarn_n >> 19) + 1) // 2 || ' MB' WHEN abs(tarn_n >> 29) < 20479 THEN ((tarn_n >> 29) + 1) // 2 || ' GB' " +
	"WHEN abs(tarn_n >> 39) < 20479 THEN ((tarn_n >> 39) + 1) // 2 || ' TB' ELSE ((tarn_n >> 49) + 1) // 2 || ' PB' END)[1]"

// sized is the size of a table, by its OID or its name; a further argument says which of its forks, of which there is one.
func sized([]sqltext.Argument) (string, error) {
	return "(SELECT max(tarn_bytes) FROM pg_catalog.tarn_names WHERE tarn_kind = '" + ofClass + "' AND CAST($1 AS VARCHAR) IN (CAST(tarn_oid AS VARCHAR), tarn_name, tarn_full))", nil
}

// vectors are the columns whose items PostgreSQL counts from 0.
var vectors = []string{"indkey", "indclass", "indoption", "indcollation", "proargtypes"}

// vector is a list's item by its place.
func vector(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && slices.Contains(vectors, args[0].Column) {
		return "array_extract($1, $2 + 1)", nil
	}
	return "", nil
}
