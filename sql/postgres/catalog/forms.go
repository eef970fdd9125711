//go:build duckdb_arrow

package catalog

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// formFunctions are functions of PostgreSQL, and what spell makes of forms that DuckDB's parser does not take.
func formFunctions() map[string]sqltext.Template {
	all := map[string]sqltext.Template{
		similarSpelled: similar("regexp_full_match($1, %s)"), "!" + similarSpelled: similar("NOT regexp_full_match($1, %s)"),
		"overlay": overlay, "to_number": toNumber, "width_bucket": widthBucket, "array_to_string": joined, "num_nulls": counted(""), "num_nonnulls": counted("NOT "),
		"array_positions": sqltext.As("list_transform(list_filter(range(1, len($1) + 1), lambda tarn_i: $1[tarn_i] IS NOT DISTINCT FROM $2), lambda tarn_i: CAST(tarn_i AS INTEGER))"),
		"array_position":  arrayPosition,
		"array_replace":   sqltext.As("list_transform($1, lambda tarn_x: CASE WHEN tarn_x IS NOT DISTINCT FROM $2 THEN $3 ELSE tarn_x END)"),
		"array_ndims":     sqltext.As("CASE WHEN len($1) > 0 THEN CAST((length(typeof($1)) - length(replace(typeof($1), '[]', ''))) // 2 AS INTEGER) END"),
		"array_dims":      sqltext.As("CASE WHEN typeof($1) LIKE '%[][]' THEN CAST(cast_to_type(CAST('only the first dimension of a list is told' AS TINYINT), 0) AS VARCHAR) WHEN len($1) > 0 THEN '[1:' || len($1) || ']' END"),
		"array_fill":      sqltext.As("list_transform(range($2[1]), lambda tarn_i: $1)"),
		"trim_array":      sqltext.As("list_slice($1, 1, len($1) - $2)"),
		"date_bin":        sqltext.As("time_bucket(CAST($1 AS INTERVAL), $2, $3)"),
		"overlaps":        sqltext.As("least($1, $2) < greatest($3, $4) AND least($3, $4) < greatest($1, $2) OR least($1, $2) = least($3, $4)"),
		"regexp_substr":   sqltext.As("nullif(regexp_extract($1, $2), '')"),
		"convert_from":    converted("decode($1)"), "convert_to": converted("encode($1)"),
		"localtimestamp": sqltext.Whatever("CAST(now() AS TIMESTAMP)"),
		"pg_typeof":      typeOf,
	}
	for word, of := range quantified {
		all[of+"@"] = quantifier(compared[word], "WHEN list_bool_or(tarn_t) THEN true", "false")
		all[of+"&"] = quantifier(compared[word], "WHEN NOT list_bool_and(tarn_t) THEN false", "true")
	}
	return all
}

// quantified are the operators that stand before ANY and ALL of a list, without blanks, as spell writes them: @ behind one for ANY, & for ALL.
var quantified = map[string]string{
	"like": "~~", "notlike": "!~~", "ilike": "~~*", "notilike": "!~~*", "~": "~|", "!~": "!~|", "~*": "~*|", "!~*": "!~*|",
}

// compared is what they ask of one item.
var compared = map[string]string{
	"like": `like_escape($1, tarn_p, '\')`, "notlike": `not_like_escape($1, tarn_p, '\')`, "ilike": `ilike_escape($1, tarn_p, '\')`, "notilike": `not_ilike_escape($1, tarn_p, '\')`,
	"~": "regexp_matches($1, tarn_p)", "!~": "NOT regexp_matches($1, tarn_p)", "~*": "regexp_matches($1, tarn_p, 'i')", "!~*": "NOT regexp_matches($1, tarn_p, 'i')",
}

// quantifier compares with each item: what decides, what is answered where none does and none is null.
func quantifier(compared, decided, otherwise string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		return "list_transform([list_transform(" + textsOf(args, 1) + ", lambda tarn_p: " + compared + ")], lambda tarn_t: CASE " + decided + " WHEN len(tarn_t) = 0 OR list_count(tarn_t) = len(tarn_t) THEN " + otherwise + " END)[1]", nil
	}
}

// textsOf is an argument as a list of texts, which may be a literal one, '{a,b}'.
func textsOf(args []sqltext.Argument, i int) string {
	if i < len(args) {
		if written, ok := writtenTexts(args[i].Text); ok {
			return written
		}
	}
	return "CAST($" + strconv.Itoa(i+1) + " AS VARCHAR[])"
}

// writtenTexts is a literal list of texts; false for what is none.
func writtenTexts(text *string) (string, bool) {
	if text == nil {
		return "", false
	}
	written, ok := List(*text)
	return "CAST(" + duck.Quote(written) + " AS VARCHAR[])", ok
}

// similarSpelled is written for SIMILAR TO, which DuckDB's parser takes for a regular expression.
const similarSpelled = "~~^"

// similar matches the whole of a text with a pattern of SQL's.
func similar(said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 {
			return "", nil
		}
		if args[1].Text == nil {
			return "", fault.New(fault.Invalid, "SIMILAR TO takes a pattern that is no expression", "write the pattern as a text, or take ~")
		}
		return strings.Replace(said, "%s", duck.Quote(similarPattern(*args[1].Text)), 1), nil
	}
}

// similarPattern is a pattern of SQL's as a regular expression: % and _ are those of LIKE, what | * + ? {} () and [] mean they mean there, too.
func similarPattern(pattern string) string {
	var b strings.Builder
	b.WriteString("(?s)")
	in := false // brackets
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case in:
			in = c != ']'
			b.WriteByte(c)
		case c == '[':
			in = true
			b.WriteByte(c)
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteByte('.')
		case c == '.' || c == '^' || c == '$' || c == '\\':
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// overlay puts a text in the place of a part of another.
func overlay(args []sqltext.Argument) (string, error) {
	long := "length($2)"
	if len(args) == 4 {
		long = "$4"
	} else if len(args) != 3 {
		return "", nil
	}
	return "substr($1, 1, $3 - 1) || $2 || substr($1, $3 + " + long + ")", nil
}

// toNumber reads what to_char writes: of the format only how many digits are behind the point is asked for.
func toNumber(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[1].Text == nil || strings.Trim(strings.ToUpper(*args[1].Text), "90.,DGSLFM$ ") != "" {
		return "", fault.New(fault.Invalid, "to_number takes a literal format of 9, 0, D, G, S, L, $, comma and point here", "write one such as '9,999.99', or cast the text to numeric")
	}
	format := strings.ReplaceAll(strings.ToUpper(*args[1].Text), "D", ".")
	_, behind, _ := strings.Cut(format, ".")
	scale := strings.Count(behind, "9") + strings.Count(behind, "0")
	return "CAST(regexp_replace($1, '[^0-9.+-]', '', 'g') AS DECIMAL(38," + strconv.Itoa(min(scale, 38)) + "))", nil
}

// widthBucket is the number of the equal parts of a range, or of the parts between thresholds, in which a number is.
func widthBucket(args []sqltext.Argument) (string, error) {
	switch len(args) {
	case 2:
		return "CAST(len(list_filter($2, lambda tarn_x: tarn_x <= $1)) AS INTEGER)", nil
	case 4:
		const x, low, high, n = "CAST($1 AS DOUBLE)", "CAST($2 AS DOUBLE)", "CAST($3 AS DOUBLE)", "CAST($4 AS INTEGER)"
		return "CASE WHEN " + low + " < " + high + " THEN CASE WHEN " + x + " < " + low + " THEN 0 WHEN " + x + " >= " + high + " THEN " + n + " + 1 ELSE CAST(floor((" + x + " - " + low + ") * " + n + " / (" + high + " - " + low + ")) AS INTEGER) + 1 END" +
			" WHEN " + low + " > " + high + " THEN CASE WHEN " + x + " > " + low + " THEN 0 WHEN " + x + " <= " + high + " THEN " + n + " + 1 ELSE CAST(floor((" + low + " - " + x + ") * " + n + " / (" + low + " - " + high + ")) AS INTEGER) + 1 END" +
			" WHEN " + low + " = " + high + " THEN CAST(cast_to_type(CAST('lower bound cannot equal upper bound' AS TINYINT), 0) AS INTEGER) END", nil
	}
	return "", nil
}

// joined writes what its third argument says for a null.
func joined(args []sqltext.Argument) (string, error) {
	if len(args) == 3 {
		return "array_to_string(list_transform($1, lambda tarn_x: coalesce(CAST(tarn_x AS VARCHAR), $3)), $2)", nil
	}
	return "", nil
}

// arrayPosition is the place of the first item, from that of its third argument on.
func arrayPosition(args []sqltext.Argument) (string, error) {
	if len(args) == 3 {
		return "CAST(list_filter(range(greatest($3, 1), len($1) + 1), lambda tarn_i: $1[tarn_i] IS NOT DISTINCT FROM $2)[1] AS INTEGER)", nil
	}
	return sqltext.As("nullif(list_position($1, $2), 0)")(args)
}

// counted is how many of the arguments are null, or are not.
func counted(not string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		said := []string{"0"}
		for i := range args {
			said = append(said, "CAST("+not+"($"+strconv.Itoa(i+1)+" IS NULL) AS INTEGER)")
		}
		return "(" + strings.Join(said, " + ") + ")", nil
	}
}

// converted is a text from or to bytes of UTF-8, the only encoding here.
func converted(said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 || args[1].Text == nil || !slices.Contains([]string{"UTF8", "UTF-8", "UNICODE"}, strings.ToUpper(*args[1].Text)) {
			return "", fault.New(fault.Invalid, "there is no such encoding", "take UTF8")
		}
		return said, nil
	}
}

// typeOf names the type of an expression as PostgreSQL does.
func typeOf(args []sqltext.Argument) (string, error) {
	if len(args) != 1 {
		return "", nil
	}
	if args[0].Text != nil && args[0].Class == "CONSTANT" {
		return "'unknown'", nil
	}
	return `list_transform([typeof($1)], lambda tarn_t: CASE WHEN starts_with(tarn_t, 'DECIMAL') THEN 'numeric' || CASE WHEN ends_with(tarn_t, ']') THEN '[]' ELSE '' END ELSE ` +
		`coalesce(MAP {'INTEGER': 'integer', 'VARCHAR': 'text', 'DOUBLE': 'double precision', 'FLOAT': 'real', 'HUGEINT': 'numeric', 'UBIGINT': 'numeric', 'BLOB': 'bytea', 'TIMESTAMP': 'timestamp without time zone', ` +
		`'TIME': 'time without time zone', 'JSON': 'jsonb'}[regexp_replace(tarn_t, '\[\]$', '')], lower(regexp_replace(tarn_t, '\[\]$', ''))) || CASE WHEN ends_with(tarn_t, '[]') THEN '[]' ELSE '' END END)[1]`, nil
}

// unnested gives an item of each list a row, until the longest ends.
func unnested(args []sqltext.Argument, _ int, ordinal bool) string {
	if len(args) == 0 || len(args) == 1 && !ordinal {
		return ""
	}
	var items, lengths []string
	for i, a := range args {
		mark := "$" + strconv.Itoa(i+1)
		if written, ok := writtenTexts(a.Text); ok {
			mark = written
		}
		items, lengths = append(items, "unnest("+mark+") AS unnest"), append(lengths, "coalesce(len("+mark+"), 0)")
	}
	if ordinal {
		items = append(items, "unnest(range(1, greatest(0, "+strings.Join(lengths, ", ")+") + 1)) AS ordinality")
	}
	return "SELECT " + strings.Join(items, ", ")
}

// concatenation is || where one side is known for a list or a json; that of texts is DuckDB's.
func concatenation() sqltext.Typed {
	many := func(a sqltext.Argument) bool {
		return a.Says == "LIST" || a.Type == "LIST" || strings.HasSuffix(cmp.Or(a.Type, a.Says), "[]") || slices.Contains([]string{"array_agg", "list_value", "array_append", "array_remove", "string_to_array"}, a.Name)
	}
	one := func(a sqltext.Argument) bool {
		return a.Text != nil || !many(a) && (a.Type != "" && a.Type != "NULL" || a.Says != "")
	}
	return sqltext.Typed{
		When: func(args []sqltext.Argument) bool {
			return len(args) == 2 && slices.ContainsFunc(args, func(a sqltext.Argument) bool { return many(a) || isJSON(a) || jsonObject(a) })
		},
		Probe: func(args []sqltext.Argument) (string, error) {
			if many(args[0]) || isJSON(args[0]) && !many(args[1]) {
				return "CASE WHEN $2 IS NULL THEN $1 ELSE $1 END", nil
			}
			return "CASE WHEN $1 IS NULL THEN $2 ELSE $2 END", nil
		},
		Says: func(args []sqltext.Argument) (string, error) {
			left, right := many(args[0]), many(args[1])
			switch {
			case isJSON(args[0]) && mayBeJSON(args[1]), isJSON(args[1]) && mayBeJSON(args[0]):
				return concatenated(), nil
			case !left && !right && (jsonObject(args[0]) && mayBeJSON(args[1]) || jsonObject(args[1]) && mayBeJSON(args[0])):
				return "CASE WHEN typeof($1) = 'JSON' OR typeof($2) = 'JSON' THEN CAST(" + concatenated() + " AS VARCHAR) ELSE $1 || $2 END", nil
			case left && right:
				return "", nil
			case left && args[1].Text != nil && strings.HasPrefix(*args[1].Text, "{"), right && args[0].Text != nil && strings.HasPrefix(*args[0].Text, "{"):
				for i, a := range args {
					if a.Text == nil {
						continue
					}
					if written, ok := List(*a.Text); ok {
						return strings.Replace("list_concat($1, $2)", "$"+strconv.Itoa(i+1), "cast_to_type("+duck.Quote(written)+", $"+strconv.Itoa(2-i)+")", 1), nil
					}
				}
			case left && one(args[1]):
				return "list_append($1, $2)", nil
			case right && one(args[0]):
				return "list_prepend($1, $2)", nil
			case left || right:
				return "list_concat($1, $2)", nil
			}
			return "", nil
		},
	}
}

// mayBeJSON tells whether an argument that is not known for a json may be one: DuckDB tells of both json and text that they are texts.
func mayBeJSON(a sqltext.Argument) bool {
	return isJSON(a) || a.Text != nil && a.Says == "" || a.Says == "" && (a.Type == "VARCHAR" || a.Type == "")
}

// jsonObject tells whether an argument is a literal that reads like an object of json.
func jsonObject(a sqltext.Argument) bool {
	return a.Text != nil && strings.HasPrefix(*a.Text, `{"`) && json.Valid([]byte(*a.Text))
}
