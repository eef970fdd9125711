//go:build duckdb_arrow

package trino

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// ViewDialect is what views are marked with that are made by statements of Trino's.
const ViewDialect = "trino"

// Words are Trino's functions, in DuckDB's: those that it has by another name or not at all, and those of the same name
// that do something else, which would otherwise be a difference that nobody is told of.
func Words() *sqltext.Dialect {
	d := &sqltext.Dialect{
		Functions: map[string]sqltext.Template{}, Types: map[string]string{"varbinary": "BLOB"},
		Column: func(i int, _ string) string { return fmt.Sprintf("_col%d", i) },
	}
	for name, text := range written {
		d.Functions[name] = sqltext.As(text)
	}
	for _, family := range []map[string]map[int]string{byArity, lists, mapped, texts, times, jsons} {
		for name, texts := range family {
			d.Functions[name] = func(args []sqltext.Argument) (string, error) {
				if text, ok := texts[len(args)]; ok {
					return text, nil
				}
				return "", unsupported("", "%s cannot be called with %d arguments here", name, len(args))
			}
		}
	}
	maps.Copy(d.Functions, made)
	maps.Copy(d.Functions, domain())
	d.Comparisons = compared()
	for name, said := range comparisons {
		d.Comparisons[name] = inUTCAsWell(said, d.Comparisons[name])
	}
	d.Comparisons["COMPARE_BETWEEN"] = inUTCAsWell("", func([]sqltext.Argument) (string, error) { return "", nil })
	d.Within, d.Through, d.Unnest = zones(), through, unnested
	d.Casts, d.Kind, d.Common = casts(), callKind, instants
	d.Functions["date_diff"] = dateDiff(func(x string) string { return "timezone('UTC', " + x + ")" })
	return d
}

// written are calls that are always written in one way.
var written = map[string]string{
	"arbitrary": "any_value($1)", "every": "bool_and($1)", "geometric_mean": "geomean($1)",
	"map_agg": "map(array_agg($1), array_agg($2))", "set_agg": "array_agg(DISTINCT $1)",
	"count_if": "count(CASE WHEN $1 THEN 1 END)",

	"array_distinct":         "list_filter($1, lambda _dx, _di: list_position($1, _dx) = _di)",
	"array_except":           "list_filter($1, lambda _ex, _ei: list_position($1, _ex) = _ei AND list_position($2, _ex) IS NULL)",
	"array_intersect":        "list_filter($1, lambda _tx, _ti: list_position($1, _tx) = _ti AND list_position($2, _tx) IS NOT NULL)",
	"array_union":            "list_filter(list_concat($1, $2), lambda _ux, _ui: list_position(list_concat($1, $2), _ux) = _ui)",
	"array_max":              "CASE WHEN list_count($1) = len($1) THEN list_max($1) END",
	"array_min":              "CASE WHEN list_count($1) = len($1) THEN list_min($1) END",
	"array_position":         "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN CAST(coalesce(list_position($1, $2), 0) AS BIGINT) END",
	"array_remove":           "CASE WHEN $2 IS NOT NULL THEN list_filter($1, lambda _rx: _rx IS NULL OR _rx <> $2) END",
	"array_sum":              "coalesce(list_sum($1), 0)",
	"arrays_overlap":         "CASE WHEN list_has_any($1, $2) THEN true WHEN len($1) = 0 OR len($2) = 0 OR list_count($1) = len($1) AND list_count($2) = len($2) THEN false END",
	"contains":               "CASE WHEN list_contains($1, $2) THEN true WHEN $2 IS NOT NULL AND list_count($1) = len($1) THEN false END",
	"filter":                 "list_filter($1, $2)",
	"transform":              "list_transform($1, $2)",
	"any_match":              "CASE WHEN list_contains(list_transform($1, $2), true) THEN true WHEN list_count(list_transform($1, $2)) = len($1) THEN false END",
	"all_match":              "CASE WHEN list_contains(list_transform($1, $2), false) THEN false WHEN list_count(list_transform($1, $2)) = len($1) THEN true END",
	"none_match":             "CASE WHEN list_contains(list_transform($1, $2), true) THEN false WHEN list_count(list_transform($1, $2)) = len($1) THEN true END",
	"repeat":                 "list_resize([$1], CAST($2 AS BIGINT), $1)",
	"slice":                  "list_slice($1, CASE WHEN $2 < 0 THEN len($1) + $2 + 1 ELSE $2 END, CASE WHEN $2 < 0 THEN len($1) + $2 + 1 ELSE $2 END + $3 - 1)",
	"day_of_month":           "day($1)",
	"day_of_week":            "isodow($1)",
	"dow":                    "isodow($1)",
	"day_of_year":            "dayofyear($1)",
	"doy":                    "dayofyear($1)",
	"week_of_year":           "week($1)",
	"year_of_week":           "isoyear($1)",
	"yow":                    "isoyear($1)",
	"millisecond":            "millisecond($1) % 1000",
	"last_day_of_month":      "last_day($1)",
	"date_trunc":             "cast_to_type(date_trunc($1, $2), $2)",
	"to_unixtime":            "epoch($1)",
	"from_iso8601_timestamp": "CAST($1 AS TIMESTAMPTZ)",
	"from_iso8601_date":      "CAST($1 AS DATE)",
	"date":                   "CAST($1 AS DATE)",

	"e": "exp(1)", "nan": "CAST('NaN' AS DOUBLE)", "infinity": "CAST('Infinity' AS DOUBLE)", "is_nan": "isnan($1)", "is_infinite": "isinf($1)", "is_finite": "isfinite($1)",

	"bitwise_left_shift": "($1 << $2)", "to_base": "lower(to_base($1, $2))",

	"codepoint": "unicode($1)", "levenshtein_distance": "levenshtein($1, $2)",
	"split_part":   "CASE WHEN $3 <= len(string_split($1, $2)) THEN split_part($1, $2, $3) END",
	"to_utf8":      "encode($1)",
	"from_utf8":    "decode($1)",
	"md5":          "unhex(md5($1))",
	"sha1":         "unhex(sha1($1))",
	"sha256":       "unhex(sha256($1))",
	"to_hex":       "hex($1)",
	"from_hex":     "unhex($1)",
	"url_encode":   "replace(url_encode($1), '%20', '+')",
	"url_decode":   "url_decode(replace($1, '+', '%20'))",
	"regexp_like":  "regexp_matches($1, $2)",
	"regexp_split": "regexp_split_to_array($1, $2)",
	"regexp_count": "len(regexp_extract_all($1, $2))",

	"version": "'" + serverVersion + "'",
}

// byArity are calls that are written by how many arguments they have.
var byArity = map[string]map[int]string{
	"approx_distinct":   {1: "approx_count_distinct($1)", 2: "approx_count_distinct($1)"},
	"approx_percentile": {2: "approx_quantile($1, $2)"},
	"array_join":        {2: "array_to_string($1, $2)", 3: "array_to_string(list_transform($1, lambda _jx: coalesce(CAST(_jx AS VARCHAR), $3)), $2)"},
	"if":                {2: "CASE WHEN $1 THEN $2 END", 3: "CASE WHEN $1 THEN $2 ELSE $3 END"},
	"max_by":            {2: "arg_max_null($1, $2)", 3: "arg_max($1, $2, $3)"},
	"min_by":            {2: "arg_min_null($1, $2)", 3: "arg_min($1, $2, $3)"},
	"random":            {0: "", 1: "CAST(floor(random() * $1) AS BIGINT)", 2: "CAST(floor(random() * ($2 - $1)) AS BIGINT) + $1"},
	"rand":              {0: "random()", 1: "CAST(floor(random() * $1) AS BIGINT)", 2: "CAST(floor(random() * ($2 - $1)) AS BIGINT) + $1"},
	"replace":           {2: "replace($1, $2, '')", 3: ""},
	"regexp_extract":    {2: "CASE WHEN regexp_matches($1, $2) THEN regexp_extract($1, $2) END", 3: "CASE WHEN regexp_matches($1, $2) THEN regexp_extract($1, $2, $3) END"},
	"substr":            {2: "CASE WHEN $2 = 0 OR $2 < -length($1) THEN '' ELSE substr($1, $2) END", 3: "CASE WHEN $2 = 0 OR $2 < -length($1) OR $3 < 0 THEN '' ELSE substr($1, $2, $3) END"},
	"substring":         {2: "CASE WHEN $2 = 0 OR $2 < -length($1) THEN '' ELSE substr($1, $2) END", 3: "CASE WHEN $2 = 0 OR $2 < -length($1) OR $3 < 0 THEN '' ELSE substr($1, $2, $3) END"},
}

// made are calls whose form goes by their arguments.
var made = map[string]sqltext.Template{
	"/": divided, "%": modulo, "mod": modulo, "avg": average, "+": arithmetic("+"), "-": arithmetic("-"), "*": arithmetic("*"), "ceil": rounded("ceil", oneMore), "ceiling": rounded("ceil", oneMore), "floor": rounded("floor", oneMore), "truncate": rounded("trunc", noMore), "round": round, "sign": cast(sign),
	"array_extract": binary(subscript), "element_at": binary(elementAt), cutFunction: cut,
	"concat": func(args []sqltext.Argument) (string, error) { // DuckDB's leaves out nulls
		if len(args) == 0 {
			return "", errNone("concat")
		}
		return joined(args, " || "), nil
	},
	"max": largest, "hour": sqltext.As("hour($1) % 24"), // an interval of hours may have days of them
	"greatest":    ofAll("greatest"),
	"least":       ofAll("least"),
	"date_add":    dateAdd,
	"date_format": func(args []sqltext.Argument) (string, error) { return formatted("strftime", args) },
	"date_parse":  dateParse,
	"date_part":   datePart,
	"cardinality": cardinality, "cosine_similarity": cosineSimilarity, "combinations": combinations, "concat_ws": concatWS, "from_unixtime": fromUnixtime, "at_timezone": atTimezone, "timezone": timezone,
	"with_timezone": withTimezone, "at_zone": sqltext.As("$1"), "format_datetime": jodaFormatted("strftime($1, %s)"), "parse_datetime": jodaFormatted("CAST(strptime($1, %s) AS TIMESTAMPTZ)"),
	"json_array": jsonArray, "json_object": jsonObject, "json_array_otherwise": func(args []sqltext.Argument) (string, error) {
		return "CAST(json_array" + joined(args, ", ") + " AS VARCHAR)", nil
	},
	"json_parse": jsonParse, "reverse": reverse, "||": concatOperator, "sequence": sequence, "json_extract": jsonPath(""), "json_extract_scalar": jsonPath("CASE WHEN json_type(json_extract($1, $2)) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string($1, $2) END"),
	"normalize":      normalize,
	"format":         format,
	"zip":            renamed("list_zip"),
	"regexp_replace": regexpReplace,
	"typeof": func(args []sqltext.Argument) (string, error) {
		if len(args) == 1 && args[0].Text != nil && args[0].Class == "CONSTANT" {
			return duck.Quote(fmt.Sprintf("varchar(%d)", utf8.RuneCountInString(*args[0].Text))), nil
		}
		return sqltext.As(typeofText)(args)
	},
}

// renamed is a function of any number of arguments by another name.
func renamed(name string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) { return name + joined(args, ", "), nil }
}

func numberOf(i int) string { return fmt.Sprintf("$%d", i+1) }

func joined(args []sqltext.Argument, by string) string {
	return "(" + strings.Join(numbersOf(args), by) + ")"
}

func numbersOf(args []sqltext.Argument) []string {
	numbers := make([]string, len(args))
	for i := range args {
		numbers[i] = numberOf(i)
	}
	return numbers
}

// errNone refuses a call without arguments.
func errNone(name string) error {
	return failure{"FUNCTION_NOT_FOUND", fault.Newf(fault.Invalid, "give it some", "Unexpected parameters () for function %s", name)}
}

// ofAll is null where one of the arguments is.
func ofAll(name string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) == 0 {
			return "", errNone(name)
		}
		return "CASE WHEN " + strings.Join(numbersOf(args), " IS NOT NULL AND ") + " IS NOT NULL THEN " + name + joined(args, ", ") + " END", nil
	}
}

// dayUnits are the functions as which DuckDB reads INTERVAL '1' DAY and longer ones.
var dayUnits = map[string]bool{"to_days": true, "to_weeks": true, "to_months": true, "to_quarters": true, "to_years": true}

// afterDays keeps a date a date, of which DuckDB makes a timestamp.
func afterDays(operator string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) == 2 && dayUnits[args[1].Name] {
			return "cast_to_type($1 " + operator + " $2, $1)", nil
		}
		return "", nil
	}
}

// units are those of date_add, with DuckDB's function for so many of them.
var units = map[string]string{
	"millisecond": "to_milliseconds", "second": "to_seconds", "minute": "to_minutes", "hour": "to_hours",
	"day": "to_days", "week": "to_weeks", "month": "to_months", "quarter": "to_quarters", "year": "to_years",
}

func dateAdd(args []sqltext.Argument) (string, error) {
	if len(args) != 3 || args[0].Text == nil || units[strings.ToLower(*args[0].Text)] == "" {
		return "", unsupported("write date_add('day', 1, x)", "date_add takes its unit as a text: millisecond, second, minute, hour, day, week, month, quarter or year")
	}
	unit := units[strings.ToLower(*args[0].Text)]
	number := "CAST($2 AS INTEGER)"
	if !dayUnits[unit] {
		number = "$2"
	}
	return "cast_to_type($3 + " + unit + "(" + number + "), $3)", nil
}

// datePart is EXTRACT: Trino's weeks begin on Monday.
func datePart(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && args[0].Text != nil {
		switch strings.ToLower(*args[0].Text) {
		case "dow", "dayofweek", "day_of_week", "weekday":
			return "isodow($2)", nil
		case "hour":
			return "hour($2) % 24", nil
		case "day_of_year":
			return "dayofyear($2)", nil
		case "yow", "year_of_week":
			return "isoyear($2)", nil
		}
	}
	return "", nil
}

// formats are MySQL's letters, which Trino has, in those of strftime.
var formats = map[byte]string{
	'a': "%a", 'b': "%b", 'c': "%-m", 'd': "%d", 'e': "%-d", 'f': "%f", 'H': "%H", 'h': "%I", 'I': "%I", 'i': "%M", 'j': "%j", 'k': "%-H", 'l': "%-I", 'M': "%B", 'm': "%m",
	'p': "%p", 'r': "%I:%M:%S %p", 'S': "%S", 's': "%S", 'T': "%H:%M:%S", 'v': "%V", 'W': "%A", 'x': "%G", 'Y': "%Y", 'y': "%y", '%': "%%",
}

func formatted(name string, args []sqltext.Argument) (string, error) {
	if len(args) == 2 && args[1].Text == nil && name == "strftime" {
		return formatColumn(), nil
	}
	if len(args) != 2 || args[1].Text == nil {
		return "", unsupported("write it as a text", "the format of a date must be in the statement")
	}
	var out strings.Builder
	text := *args[1].Text
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		known, ok := formats[text[i]]
		if !ok {
			return "", unsupported("use one of %a %b %c %d %e %f %H %h %i %j %k %l %M %m %p %r %S %s %T %v %W %x %Y %y", "the format %%%c of a date is not known here", text[i])
		}
		out.WriteString(known)
	}
	return name + "($1, " + duck.Quote(out.String()) + ")", nil
}

// dateParse has three digits behind the seconds.
func dateParse(args []sqltext.Argument) (string, error) {
	said, err := formatted("strptime", args)
	if err != nil {
		return "", err
	}
	return "CAST(" + said + " AS TIMESTAMP_MS)", nil
}

var specifier = regexp.MustCompile(`%([0-9]+\$)?([-0,+ ]*[0-9]*(?:\.[0-9]+)?)([a-zA-Z%])`)

// normalize is of NFC, the form that DuckDB has.
func normalize(args []sqltext.Argument) (string, error) {
	if len(args) == 1 || len(args) == 2 && args[1].Column == "nfc" {
		return "nfc_normalize($1)", nil
	}
	return "", unsupported("write NFC", "the forms NFD, NFKC and NFKD are not known here")
}

// formatAs are the types as which printf takes a value, by what its place asks for.
var formatAs = map[string]string{"s": "VARCHAR", "b": "VARCHAR", "d": "BIGINT", "x": "BIGINT", "X": "BIGINT", "o": "BIGINT", "f": "DOUBLE", "e": "DOUBLE"}

// format is Java's, of the specifiers that printf has as well.
func format(args []sqltext.Argument) (string, error) {
	if len(args) == 0 || args[0].Text == nil {
		return "", unsupported("write it as a text", "the format must be in the statement")
	}
	next, most, out := 1, 0, []string{duck.Quote(specifier.ReplaceAllStringFunc(*args[0].Text, func(m string) string {
		p := specifier.FindStringSubmatch(m)
		if p[3] == "b" {
			p[3] = "s"
		}
		return "%" + p[2] + p[3]
	}))}
	for _, m := range specifier.FindAllStringSubmatch(*args[0].Text, -1) {
		if m[3] == "%" {
			continue
		}
		at := next
		if m[1] != "" {
			at, _ = strconv.Atoi(m[1][:len(m[1])-1])
		} else {
			next++
		}
		as := formatAs[m[3]]
		if as == "" {
			return "", unsupported("use %s, %d, %x, %o, %b, %f or %e", "the format %s is not known here", m[0])
		}
		most = max(most, at)
		out = append(out, "CAST("+numberOf(at)+" AS "+as+")")
	}
	if rest := specifier.ReplaceAllString(*args[0].Text, ""); strings.Contains(rest, "%") {
		return "", unsupported("use %s, %d, %x, %f or %e", "the format %s is not known here", *args[0].Text)
	}
	if most != len(args)-1 {
		return "", failure{"INVALID_FUNCTION_ARGUMENT", fault.Newf(fault.Invalid, "give one for each", "the format takes %d values, not %d", most, len(args)-1)}
	}
	return "printf(" + strings.Join(out, ", ") + ")", nil
}

var group = regexp.MustCompile(`\\(.)|\$([0-9])`)

// regexpReplace replaces all, and has $1 for a group.
func regexpReplace(args []sqltext.Argument) (string, error) {
	if len(args) == 2 {
		return "regexp_replace($1, $2, '', 'g')", nil
	}
	if len(args) == 3 && args[1].Text != nil && args[2].Class == "LAMBDA" {
		return replacedBy(*args[1].Text)
	}
	if len(args) != 3 || args[2].Text == nil {
		return "", unsupported("write it as a text", "what regexp_replace puts in place must be in the statement, and the pattern before a lambda")
	}
	said, pattern := *args[2].Text, "$2"
	if namedGroup.MatchString(said) {
		if args[1].Text == nil {
			return "", unsupported("write $1, its number", "a group has a name only where the pattern is a text of the statement")
		}
		bare, numbers, _ := captured(*args[1].Text)
		pattern = duck.Quote(bare)
		for _, m := range namedGroup.FindAllStringSubmatch(said, -1) {
			if numbers[m[1]] == 0 || numbers[m[1]] > 9 {
				return "", failure{"INVALID_FUNCTION_ARGUMENT", fault.Newf(fault.Invalid, "name one of the pattern, of the first nine", "there is no group %s", m[1])}
			}
			said = strings.ReplaceAll(said, m[0], fmt.Sprintf("$%d", numbers[m[1]]))
		}
	}
	with := group.ReplaceAllStringFunc(said, func(m string) string {
		if m[0] == '\\' {
			return m[1:]
		}
		return `\` + m[1:]
	})
	return "regexp_replace($1, " + pattern + ", " + duck.Quote(with) + ", 'g')", nil
}

// typeofText is typeof: of DuckDB's types the names that Trino has.
var typeofText = func() string {
	var b strings.Builder
	b.WriteString("CASE typeof($1)")
	for _, name := range []string{"INTEGER", "BIGINT", "HUGEINT", "VARCHAR", "DOUBLE", "FLOAT", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME", "BLOB", "INTERVAL", "TIMESTAMP_MS", "TIMESTAMP_S", "TIMESTAMP_NS", `"NULL"`} {
		b.WriteString(" WHEN " + duck.Quote(name) + " THEN " + duck.Quote(typeNamed(name).String()))
	}
	b.WriteString(` ELSE lower(regexp_replace(typeof($1), '^(.*)\[\]$', 'array(\1)')) END`)
	return b.String()
}()
