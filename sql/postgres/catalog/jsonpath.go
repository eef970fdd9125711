//go:build duckdb_arrow

package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// pathFunctions are those of jsonb that go by a path: $ with keys, places and [*] behind it, in lax mode.
func pathFunctions() map[string]sqltext.Template {
	return map[string]sqltext.Template{
		"jsonb_path_query":       found("unnest(%s)"),
		"jsonb_path_exists":      found("len(%s) > 0"),
		"jsonb_path_query_first": found("(%s)[1]"),
		"jsonb_path_query_array": found("list_transform([%s], lambda tarn_l: CASE WHEN tarn_l IS NOT NULL THEN " + items("tarn_l") + " END)[1]"),
	}
}

// pathTables are those that answer a row for each thing that is found.
func pathTables() map[string]sqltext.Template {
	return map[string]sqltext.Template{"jsonb_path_query": found("%s")}
}

// found is said of the list of what a literal path finds.
func found(said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 || args[1].Text == nil {
			return "", fault.New(fault.Invalid, "a function of jsonpath takes a json and a path that is no expression here", "write the path as a text, '$.a[*]', without variables")
		}
		list, ok := foundAt("[CAST($1 AS JSON)]", *args[1].Text)
		if !ok {
			return "", fault.Newf(fault.Invalid, "write $ with .key, [n], [last] and [*] behind it; what else is asked goes into the WHERE of the statement", "the jsonpath %s is not read here", *args[1].Text)
		}
		return strings.Replace(said, "%s", "CASE WHEN $1 IS NOT NULL THEN "+list+" END", 1), nil
	}
}

// The steps of a path.
var (
	pathRoot = regexp.MustCompile(`^\s*(?:lax\s+)?\$`)
	pathKey  = regexp.MustCompile(`^\s*\.\s*(?:([A-Za-z_][A-Za-z0-9_]*)|"([^"\\]*)")`)
	pathAll  = regexp.MustCompile(`^\s*\[\s*\*\s*\]`)
	pathItem = regexp.MustCompile(`^\s*\[\s*(last|[0-9]{1,9})\s*\]`)
)

// foundAt is what a path finds in each json of a list; false for a path that has other steps. Lax is to take the items of an array that is
// asked for a key, and what is no array for one of one item.
func foundAt(list, path string) (string, bool) {
	root := pathRoot.FindString(path)
	if root == "" {
		return "", false
	}
	unwrapped := func(list string) string {
		return "flatten(list_transform(" + list + ", lambda tarn_x: CASE WHEN json_type(tarn_x) = 'ARRAY' THEN json_extract(tarn_x, '$[*]') ELSE [tarn_x] END))"
	}
	there := func(list, of string) string {
		return "list_filter(list_transform(" + list + ", lambda tarn_x: " + of + "), lambda tarn_x: tarn_x IS NOT NULL)"
	}
	for rest := path[len(root):]; strings.TrimSpace(rest) != ""; {
		var step []string
		switch {
		case pathAll.MatchString(rest):
			step = pathAll.FindStringSubmatch(rest)
			list = unwrapped(list)
		case pathItem.MatchString(rest):
			step = pathItem.FindStringSubmatch(rest)
			place, alone := step[1], "NULL"
			if place == "last" {
				place = "-1"
			}
			if strings.Trim(place, "0") == "" || place == "-1" {
				alone = "tarn_x"
			}
			list = there(list, fmt.Sprintf("CASE WHEN json_type(tarn_x) = 'ARRAY' THEN json_extract(tarn_x, %s) ELSE %s END", place, alone))
		case pathKey.MatchString(rest):
			step = pathKey.FindStringSubmatch(rest)
			list = there(unwrapped(list), "CASE WHEN json_type(tarn_x) = 'OBJECT' THEN "+at("tarn_x", step[1]+step[2])+" END")
		default:
			return "", false
		}
		if rest = rest[len(step[0]):]; strings.HasPrefix(strings.TrimSpace(rest), "(") {
			return "", false // a method
		}
	}
	return list, true
}

// withoutItem is a json array less the item at a place, from its end where it is negative.
func withoutItem() string {
	const place = "CASE WHEN $2 < 0 THEN tarn_n + $2 ELSE $2 END"
	kept := strings.ReplaceAll(items("list_transform(list_filter(range(tarn_n), lambda tarn_i: tarn_i <> "+place+"), lambda tarn_i: json_extract(tarn_j, tarn_i))"), "tarn_n", length("tarn_j"))
	return "list_transform([CAST($1 AS JSON)], lambda tarn_j: CASE WHEN $2 IS NULL OR tarn_j IS NULL THEN NULL WHEN json_type(tarn_j) = 'ARRAY' THEN " + kept +
		" ELSE cast_to_type(CAST('cannot delete from object using integer index' AS TINYINT), tarn_j) END)[1]"
}

// withoutAll is a json less the keys of a list, or an array less such texts.
func withoutAll(keys string) string {
	return "list_transform([CAST($1 AS JSON)], lambda tarn_j: CASE WHEN " + keys + " IS NULL THEN NULL ELSE CASE json_type(tarn_j) WHEN 'OBJECT' THEN " +
		object("list_transform(list_filter(json_keys(tarn_j), lambda tarn_k: NOT list_contains("+keys+", tarn_k)), lambda tarn_k: "+entry("tarn_k", valueAt("tarn_j", "tarn_k"))+")") +
		" WHEN 'ARRAY' THEN " + items("list_filter(json_extract(tarn_j, '$[*]'), lambda tarn_x: json_type(tarn_x) <> 'VARCHAR' OR NOT list_contains("+keys+", json_extract_string(tarn_x, '$')))") +
		" ELSE cast_to_type(CAST('cannot delete from scalar' AS TINYINT), tarn_j) END END)[1]"
}

// The parts of an interval while it is worked on.
const (
	monthsOf, daysOf, microsOf = "struct_extract(tarn_i, 'm')", "struct_extract(tarn_i, 'd')", "struct_extract(tarn_i, 'u')"
	dayMicros                  = "86400000000"
)

// carried takes whole units of a smaller part into the next larger one.
var (
	hoursCarried = parts(monthsOf, daysOf+" + ("+microsOf+" - "+microsOf+" % "+dayMicros+") // "+dayMicros, microsOf+" % "+dayMicros)
	daysCarried  = parts(monthsOf+" + ("+daysOf+" - "+daysOf+" % 30) // 30", daysOf+" % 30", microsOf)
)

func parts(months, days, micros string) string {
	return "{'m': " + months + ", 'd': " + days + ", 'u': " + micros + "}"
}

// signed gives a smaller part the sign of the larger: less and more are the conditions that one of that is taken, or given back.
func signed(less, more, unit string) string {
	return "CASE WHEN " + less + " THEN -" + unit + " WHEN " + more + " THEN " + unit + " ELSE 0 END"
}

// intervals are the functions that make and even out intervals.
func intervals() map[string]sqltext.Template {
	hours := [2]string{daysOf + " > 0 AND " + microsOf + " < 0", daysOf + " < 0 AND " + microsOf + " > 0"}
	days := [2]string{monthsOf + " > 0 AND " + daysOf + " < 0", monthsOf + " < 0 AND " + daysOf + " > 0"}
	all := [2]string{
		monthsOf + " > 0 AND (" + daysOf + " < 0 OR " + daysOf + " = 0 AND " + microsOf + " < 0)",
		monthsOf + " < 0 AND (" + daysOf + " > 0 OR " + daysOf + " = 0 AND " + microsOf + " > 0)",
	}
	hoursSigned := parts(monthsOf, daysOf+" + "+signed(hours[0], hours[1], "1"), microsOf+" - "+signed(hours[0], hours[1], dayMicros))
	daysSigned := func(c [2]string) string {
		return parts(monthsOf+" + "+signed(c[0], c[1], "1"), daysOf+" - "+signed(c[0], c[1], "30"), microsOf)
	}
	return map[string]sqltext.Template{
		"make_interval":    makeInterval,
		"justify_hours":    justified(hoursCarried, hoursSigned),
		"justify_days":     justified(daysCarried, daysSigned(days)),
		"justify_interval": justified(hoursCarried, daysCarried, daysSigned(all), hoursSigned),
	}
}

// justified is an interval after so many steps. What is of another type cannot be multiplied, as it is no interval.
func justified(steps ...string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		of := "($1 * 1)"
		if len(args) == 1 && (args[0].Text != nil || args[0].Null && args[0].Class == "CONSTANT") {
			of = "CAST($1 AS INTERVAL)"
		}
		said := "[" + parts("date_part('year', "+of+") * 12 + date_part('month', "+of+")", "date_part('day', "+of+")",
			"date_part('hour', "+of+") * 3600000000 + date_part('minute', "+of+") * 60000000 + date_part('microseconds', "+of+")") + "]"
		for _, step := range steps {
			said = "list_transform(" + said + ", lambda tarn_i: " + step + ")"
		}
		said = "list_transform(" + said + ", lambda tarn_i: to_months(CAST(" + monthsOf + " AS INTEGER)) + to_days(CAST(" + daysOf + " AS INTEGER)) + to_microseconds(" + microsOf + "))[1]"
		return sqltext.As(said)(args)
	}
}

// intervalParts are the arguments of make_interval.
var intervalParts = []struct{ name, said string }{
	{"years", "to_years(CAST(# AS INTEGER))"},
	{"months", "to_months(CAST(# AS INTEGER))"},
	{"weeks", "to_days(7 * CAST(# AS INTEGER))"},
	{"days", "to_days(CAST(# AS INTEGER))"},
	{"hours", "to_hours(CAST(# AS INTEGER))"},
	{"mins", "to_minutes(CAST(# AS INTEGER))"},
	{"secs", "to_microseconds(CAST(round_even(CAST(# AS DOUBLE) * 1000000, 0) AS BIGINT))"},
}

// makeInterval adds up what is given, by its place or its name.
func makeInterval(args []sqltext.Argument) (string, error) {
	said, given := "to_days(0)", map[int]bool{}
	for i, a := range args {
		part := i
		if a.As != "" {
			for part = range intervalParts {
				if intervalParts[part].name == strings.ToLower(a.As) {
					break
				}
			}
		}
		if part >= len(intervalParts) || given[part] || a.As != "" && intervalParts[part].name != strings.ToLower(a.As) {
			return "", fault.New(fault.Invalid, "make_interval takes years, months, weeks, days, hours, mins and secs, each once", "write make_interval(days => 10)")
		}
		given[part] = true
		said += " + " + strings.ReplaceAll(intervalParts[part].said, "#", fmt.Sprintf("$%d", i+1))
	}
	return "(" + said + ")", nil
}

// added are the functions of this file.
func added() map[string]sqltext.Template {
	all := intervals()
	maps.Copy(all, pathFunctions())
	all[symmetricSpelled] = func([]sqltext.Argument) (string, error) {
		return "", fault.New(fault.Syntax, "SYMMETRIC stands before one value", "put what is behind BETWEEN SYMMETRIC into parentheses")
	}
	all[tiesSpelled] = func([]sqltext.Argument) (string, error) {
		return "", fault.New(fault.Invalid, "WITH TIES stands behind one SELECT with its ORDER BY here", "put the query into a FROM: SELECT * FROM (…) q ORDER BY … FETCH FIRST n ROWS WITH TIES")
	}
	return all
}
