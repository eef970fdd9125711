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
	"range": true, "generate_series": true, "unnest": true, "json_each": true, "json_tree": true, "repeat": true, "repeat_row": true,
}

// Allowed tells whether a statement may call this scalar, aggregate or window function.
func Allowed(name string) bool { return functions[strings.ToLower(name)] }

// elsewhere are functions of other engines, with what to write here.
var elsewhere = map[string]string{
	"unix_timestamp": "write epoch(time), in seconds, or epoch_ms(time)", "from_unixtime": "write to_timestamp(seconds)",
	"to_timestamp_ltz": "write to_timestamp(seconds)", "date_format": "write strftime(time, '%Y-%m-%d')", "to_char": "write strftime(time, '%Y-%m-%d')",
	"to_date": "write text::DATE, or strptime(text, '%Y-%m-%d')", "split_index": "write split_part(text, separator, n), which counts from 1",
	"charindex": "write strpos(text, part)", "proctime": hintClock, "mz_now": hintClock, "sysdate": hintClock, "getdate": hintClock, "localtimestamp": hintClock,
	"nvl": "write coalesce(a, b)", "isnull": "write coalesce(a, b)", "nvl2": "write CASE WHEN a IS NULL THEN c ELSE b END", "iff": "write if(condition, a, b)",
}

// Functions are those of Allowed that are called by a name, in order.
func Functions() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(functions)), func(name string) bool { return !beginsWord(rune(name[0])) || name[0] == '_' })
}

// functionHint is what to do about a function that may not be called.
func functionHint(name string, ofTables bool) string {
	known := functions
	if hint := windowHint(name); hint != "" {
		return hint
	}
	if hint := elsewhere[strings.ToLower(name)]; hint != "" {
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
