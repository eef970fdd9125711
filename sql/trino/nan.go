//go:build duckdb_arrow

package trino

import (
	"slices"

	"tarn/embedded/sqltext"
)

// NaN is equal to nothing in Trino, and neither more nor less than anything; to DuckDB it is equal to itself and more than all. It is told
// of columns of tables and casts, whose types are known.

// comparisons are the operators that NaN changes, by DuckDB's names of them.
var comparisons = map[string]string{
	"COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_GREATERTHAN": ">", "COMPARE_GREATERTHANOREQUALTO": ">=", "COMPARE_LESSTHAN": "<", "COMPARE_LESSTHANOREQUALTO": "<=",
}

// compared are the comparisons, each with what NaN makes of it beside DuckDB's own.
func compared() map[string]sqltext.Template {
	out := map[string]sqltext.Template{}
	for name, said := range comparisons {
		out[name] = func(args []sqltext.Argument) (string, error) {
			larger := 0 // the side that DuckDB takes for the larger one where it is NaN
			if said[0] == '<' && said != "<>" {
				larger = 1
			}
			both := said == "=" || said == "<>"
			if !float(args[larger]) || both && !float(args[1]) {
				return "", nil
			}
			nan := "coalesce(isnan(TRY_CAST(" + numberOf(larger) + " AS DOUBLE)), false)" // another column may have the name
			if said == "<>" {
				return "$1 <> $2 OR $1 IS NOT NULL AND $2 IS NOT NULL AND " + nan, nil
			}
			guard := " AND NOT " + nan
			if other := args[1-larger]; other.Class != "CONSTANT" {
				guard = " AND (NOT " + nan + " OR " + numberOf(1-larger) + " IS NULL)"
			}
			return "$1 " + said + " $2" + guard, nil
		}
	}
	return out
}

// float tells whether an argument is known to be a number that may be NaN.
func float(a sqltext.Argument) bool {
	return a.Type == "DOUBLE" || a.Type == "FLOAT" || a.Name == "nan" || slices.Contains(outside, a.Name)
}

// largest is max, which is NaN where nothing else is.
func largest(args []sqltext.Argument) (string, error) {
	if len(args) != 1 || !float(args[0]) {
		return "", nil
	}
	return "coalesce(max(CASE WHEN NOT coalesce(isnan(TRY_CAST($1 AS DOUBLE)), false) THEN $1 END), max($1))", nil
}

// outside are the functions of domain.
var outside = []string{"sqrt", "asin", "acos", "ln", "log10", "log2"}

// domain are functions of numbers that DuckDB refuses where they have no value, of which Trino makes NaN or an infinity.
func domain() map[string]sqltext.Template {
	const nan = "CAST('NaN' AS DOUBLE)"
	out := map[string]sqltext.Template{
		"sqrt": cast(func(x string) string { return "CASE WHEN " + x + " < 0 THEN " + nan + " ELSE sqrt(" + x + ") END" }),
	}
	for _, name := range outside[3:] {
		out[name] = cast(func(x string) string {
			return "CASE WHEN " + x + " = 0 THEN CAST('-Infinity' AS DOUBLE) WHEN " + x + " < 0 THEN " + nan + " ELSE " + name + "(" + x + ") END"
		})
	}
	for _, name := range outside[1:3] {
		out[name] = cast(func(x string) string {
			return "CASE WHEN " + x + " BETWEEN -1 AND 1 THEN " + name + "(" + x + ") WHEN " + x + " IS NOT NULL THEN " + nan + " END"
		})
	}
	return out
}
