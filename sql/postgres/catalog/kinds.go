//go:build duckdb_arrow

package catalog

import (
	"slices"
	"strings"

	"tarn/embedded/sqltext"
)

// wholes are the types of whole numbers, the narrower first.
var wholes = []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}

// kindOf is the type of a call by those of its arguments, without width and scale; "" where it is not known.
func kindOf(name string, args []string) string {
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
