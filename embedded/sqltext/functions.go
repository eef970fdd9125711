package sqltext

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
)

//go:embed functions.txt
var functionsText string

// functions are those of DuckDB that a statement may call: they read nothing but their
// arguments. A function of a newer DuckDB is not among them until somebody has looked at it.
var functions = func() map[string]bool {
	all := map[string]bool{}
	for f := range strings.FieldsSeq(functionsText) {
		all[strings.ToLower(f)] = true
	}
	return all
}()

// tableFunctions may stand in a FROM.
var tableFunctions = map[string]bool{
	"range": true, "generate_series": true, "unnest": true, "json_each": true, "json_tree": true, "repeat": true,
}

// Allowed tells whether a statement may call this scalar, aggregate or window function.
func Allowed(name string) bool { return functions[strings.ToLower(name)] }

// functionHint is what to do about a function that may not be called.
func functionHint(name string, ofTables bool) string {
	known := functions
	if hint := windowHint(name); hint != "" {
		return hint
	}
	if ofTables {
		known = tableFunctions
	}
	if near := Nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
		return "did you mean " + near + "?"
	}
	if ofTables {
		return "a FROM takes tables, and " + strings.Join(slices.Sorted(maps.Keys(tableFunctions)), ", ")
	}
	return "functions that read only their arguments can be used"
}
