package sqltext

import (
	"slices"
	"strings"
)

// reserved are the words that DuckDB reads as the name of a column only in quotes.
var reserved = strings.Fields(`all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check collate collation
	column concurrently constraint create cross default deferrable desc describe distinct do else end except false fetch for foreign
	freeze from full glob grant group having ilike in initially inner intersect into is isnull join lambda lateral leading left like
	limit natural not notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary
	qualify references returning right select semi show similar some summarize symmetric table tablesample then to trailing true union
	unique unpack unpivot using variadic verbose when where window with`)

// Name writes a name, of one part or of several, as SQL reads it: bare where it may be.
func Name(parts ...string) string {
	out := make([]string, len(parts))
	for i, part := range parts {
		out[i] = part
		if !unquoted(part) {
			out[i] = quoted(part)
		}
	}
	return strings.Join(out, ".")
}

// Dotted writes the name of a table, or of another thing, whose schema may stand before a dot.
func Dotted(name string) string { return Name(strings.SplitN(name, ".", 2)...) }

func unquoted(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && !slices.Contains(reserved, name)
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal is a text as statements have it.
func Literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
