package sqltext

import (
	_ "embed"
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
