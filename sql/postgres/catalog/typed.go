//go:build duckdb_arrow

package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tarn/embedded/sqltext"
)

// typed are the calls whose meaning goes by the types of their arguments.
func typed() map[string]sqltext.Typed {
	division := sqltext.Typed{Probe: either("($1 * $2)"), Says: divide}
	all := map[string]sqltext.Typed{
		"/": division, "//": division,
		"*":          {Probe: either("($1 * $2)"), Says: product, When: func(args []sqltext.Argument) bool { return quotients(args) || narrow(args) || besideText(args) }},
		"+":          {Probe: either("($1 + $2)"), Says: plus, When: func(args []sqltext.Argument) bool { return narrow(args) || besideText(args) }},
		"-":          {Probe: lessened, Says: minus},
		"||":         texted(concatenation()),
		"avg":        {Probe: probe(1, "(any_value($1) * 1.0)"), Says: average},
		"sum":        {Probe: probe(1, "sum($1)"), Says: sum, Rough: true},
		"date_trunc": {Probe: probe(2, "date_trunc($1, $2)"), Says: dateTrunc},
	}
	for _, name := range []string{"ceil", "ceiling", "floor", "round", "sign", "trunc"} {
		all[name] = rounding(name)
	}
	for name, of := range deviations {
		all[name] = sqltext.Typed{Probe: probe(1, "(any_value($1) * 1.0)"), Says: deviation(name, of[0], of[1])}
	}
	return all
}

// probe is one of a call with so many arguments.
func probe(n int, said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != n {
			return "", nil
		}
		return said, nil
	}
}

// either is a probe of an operator: a literal on one side has the type of the other.
func either(said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) == 2 && (args[0].Text != nil || args[1].Text != nil) {
			return "coalesce($1, $2)", nil
		}
		return probe(2, said)(args)
	}
}

// family is what of a type the dialect goes by.
type family uint8

const (
	other family = iota
	integer
	numeric
	float
	interval
)

func familyOf(a sqltext.Argument) family {
	switch of, _, _ := strings.Cut(a.Type, "("); of { // of a column it has width and scale
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
		return integer
	case "DECIMAL", "HUGEINT", "UBIGINT":
		return numeric
	case "FLOAT", "DOUBLE":
		return float
	case "INTERVAL":
		return interval
	}
	return other
}

// divide is a numeric where one side is, and of an interval an interval.
func divide(args []sqltext.Argument) (string, error) {
	if len(args) != 2 {
		return "", nil
	}
	left, right := familyOf(args[0]), familyOf(args[1])
	if said, err := ofOther(args, divide); said != "" || err != nil {
		return said, err
	}
	switch {
	case left == interval && (right == integer || right == numeric || right == float):
		return byNumber, nil
	case left == numeric && (right == numeric || right == integer) || left == integer && right == numeric:
		return quotient("$1", "$2", args[0].Type, args[0].Plain() && args[1].Plain()), nil
	case narrow(args) && (left == float || right == float) && args[0].Type != args[1].Type:
		said, err := divided("/")(args)
		return strings.NewReplacer("$1", "CAST($1 AS DOUBLE)", "$2", "CAST($2 AS DOUBLE)").Replace(said), err
	case narrow(args) && left == integer && right == integer && (writtenInteger(args[0]) || writtenInteger(args[1])) && args[0].Type != args[1].Type && args[0].Type != "BIGINT" && args[1].Type != "BIGINT":
		return "(CAST($1 AS INTEGER) // CASE WHEN $2 = 0 THEN CASE WHEN $1 IS NOT NULL THEN " + byZero + " END ELSE $2 END)", nil
	case left == integer && right == integer && args[0].Name != "/":
		return "($1 // CASE WHEN $2 = 0 THEN CASE WHEN $1 IS NOT NULL THEN " + byZero + " END ELSE $2 END)", nil
	}
	return divided("/")(args)
}

// The scales of what a division of numerics gives, which the door cuts to what PostgreSQL shows: with 19 there is room for whatever a BIGINT holds.
const (
	quotientScale     = 20
	quotientScaleLong = 19
)

// quotient is left / right as PostgreSQL has it of numerics: sixteen digits that tell something, rounded in groups of four, and twenty behind the point below 1.
// A double gives the first digits, and what is left over is divided once more. Where the sides are simple they are written out, else computed once.
func quotient(left, right, leftType string, simple bool) string {
	scale := quotientScale
	if leftType == "BIGINT" || leftType == "HUGEINT" || leftType == "UBIGINT" {
		scale = quotientScaleLong
	}
	target := fmt.Sprintf("DECIMAL(38,%d)", scale)
	a, b, q := "struct_extract(tarn_t, 'a')", "struct_extract(tarn_t, 'b')", "struct_extract(tarn_t, 'q')"
	if simple {
		a, b, q = left, right, "(CAST("+left+" AS DOUBLE) / CAST("+right+" AS DOUBLE))"
	}
	rounded := func(digits int) string {
		first := "CAST(" + q + " AS DECIMAL(38,8))"
		return fmt.Sprintf("CAST(%s + CAST(CAST(%s - %s * %s AS DOUBLE) / CAST(%s AS DOUBLE) AS DECIMAL(38,%d)) AS %s)", first, a, first, b, b, digits, target)
	}
	said := "CASE WHEN " + b + " = 0 THEN CASE WHEN " + a + " IS NOT NULL THEN cast_to_type(CAST('division by zero' AS TINYINT), CAST(0 AS " + target + ")) END" +
		" WHEN abs(" + q + ") < 1 OR abs(" + q + ") < 2 AND " + leads(a) + " = " + leads(b) + " THEN " + rounded(scale) +
		" WHEN abs(" + q + ") < 10000 OR abs(" + q + ") < 20000 AND " + leads(a) + " = " + leads(b) + " THEN " + rounded(16) + " WHEN abs(" + q + ") < 100000000 THEN " + rounded(12) + " ELSE " + rounded(8) + " END"
	if simple {
		return said
	}
	return "list_transform([{'a': " + left + ", 'b': " + right + ", 'q': CAST(" + left + " AS DOUBLE) / CAST(" + right + " AS DOUBLE)}], lambda tarn_t: " + said + ")[1]"
}

// leads are the first of the four digits in which PostgreSQL holds a number: where those of both sides are the same, a quotient has one more such group.
func leads(x string) string {
	return "floor(round(abs(" + x + ") / pow(10000, floor(log10(greatest(abs(" + x + "), 1e-40)) / 4)), 6))"
}

// quotients tells whether both sides of a product hold a division.
func quotients(args []sqltext.Argument) bool {
	return len(args) == 2 && args[0].Holds("/", "//", "avg") && args[1].Holds("/", "//", "avg")
}

// ofQuotients is a product of two numbers that divisions gave, of which DuckDB would have forty digits behind the point.
func ofQuotients(args []sqltext.Argument) (string, error) {
	if familyOf(args[0]) == numeric && familyOf(args[1]) == numeric {
		return fmt.Sprintf("CAST(CAST($1 AS DOUBLE) * CAST($2 AS DOUBLE) AS DECIMAL(38,%d))", quotientScale), nil
	}
	return "", nil
}

// byNumber divides an interval: what is left over of months is days, and what is left over of days is time.
var byNumber = func() string {
	const days, rest = "round((#m - trunc(#m)) * 30, 6)", "round((#d - trunc(#d) + @ - trunc(@)) * 86400, 6)"
	said := "to_months(CAST(trunc(#m) AS INTEGER)) + to_days(CAST(trunc(#d) + trunc(@) + trunc(" + rest + " / 86400) AS INTEGER)) + " +
		"to_microseconds(CAST(round_even(#u + (" + rest + " - 86400 * trunc(" + rest + " / 86400)) * 1000000, 0) AS BIGINT))"
	said = strings.NewReplacer("#m", "(struct_extract(tarn_t, 'm') / struct_extract(tarn_t, 'n'))", "#d", "(struct_extract(tarn_t, 'd') / struct_extract(tarn_t, 'n'))",
		"#u", "(struct_extract(tarn_t, 'u') / struct_extract(tarn_t, 'n'))").Replace(strings.ReplaceAll(said, "@", days))
	return "list_transform([{'m': CAST(date_part('year', $1) * 12 + date_part('month', $1) AS DOUBLE), 'd': CAST(date_part('day', $1) AS DOUBLE), " +
		"'u': CAST(date_part('hour', $1) * 3600000000 + date_part('minute', $1) * 60000000 + date_part('microseconds', $1) AS DOUBLE), 'n': CAST($2 AS DOUBLE)}], " +
		"lambda tarn_t: CASE WHEN struct_extract(tarn_t, 'n') = 0 THEN cast_to_type(CAST('division by zero' AS TINYINT), to_days(1)) ELSE " + said + " END)[1]"
}()

// narrow tells whether one side of an operator is of a type that is smaller than PostgreSQL's for what comes of it.
func narrow(args []sqltext.Argument) bool {
	return slices.ContainsFunc(args, func(a sqltext.Argument) bool { return a.Type == "SMALLINT" || a.Type == "TINYINT" || a.Type == "FLOAT" })
}

// product is x * y.
func product(args []sqltext.Argument) (string, error) {
	if quotients(args) {
		return ofQuotients(args)
	}
	return operator("*")(args)
}

// lessened is a probe of a - b, of which a json has the type of its left side.
func lessened(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && isJSON(args[0]) {
		return "CASE WHEN $2 IS NULL THEN $1 ELSE $1 END", nil
	}
	return either("($1 - $2)")(args)
}

// minus of dates is a number of days, and of a json and a text the json without that key.
func minus(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && (isJSON(args[0]) || args[0].Type == "JSON") {
		switch keys, list := writtenTexts(args[1].Cast); {
		case args[1].Text != nil:
			return without(), nil
		case familyOf(args[1]) == integer:
			return withoutItem(), nil
		case args[1].Says == "VARCHAR[]" && list:
			return withoutAll(keys), nil
		case args[1].Says == "LIST" || args[1].Says == "VARCHAR[]" || args[1].Type == "VARCHAR[]" || args[1].Type == "LIST":
			return withoutAll("CAST($2 AS VARCHAR[])"), nil
		}
	}
	date := func(a sqltext.Argument) bool { return a.Type == "DATE" || a.Text != nil }
	if len(args) == 2 && date(args[0]) && date(args[1]) && (args[0].Type != args[1].Type || args[0].Type == "DATE") {
		return "CAST(CAST($1 AS DATE) - CAST($2 AS DATE) AS INTEGER)", nil
	}
	if besideText(args) && strings.HasPrefix(args[0].Type+args[1].Type, "TIMESTAMP") {
		return "(CAST($1 AS " + args[0].Type + args[1].Type + ") - CAST($2 AS " + args[0].Type + args[1].Type + "))", nil
	}
	return operator("-")(args)
}

// average of whole numbers and numerics is a numeric.
func average(args []sqltext.Argument) (string, error) {
	if len(args) == 1 {
		if of := familyOf(args[0]); of == integer || of == numeric {
			return quotient("sum($1)", "count($1)", args[0].Type, false), nil
		}
	}
	return "", nil
}

// sum has PostgreSQL's types: of integers a bigint, of a real a real.
func sum(args []sqltext.Argument) (string, error) {
	if len(args) == 1 {
		switch args[0].Type {
		case "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT":
			return "CAST(sum($1) AS BIGINT)", nil
		case "FLOAT":
			return "CAST(sum($1) AS FLOAT)", nil
		}
	}
	return "", nil
}

// deviations are the aggregates of how far values are from each other: by how much less than their number is divided, and whether the root is taken.
var deviations = map[string][2]bool{
	"var_samp": {true, false}, "variance": {true, false}, "var_pop": {false, false},
	"stddev_samp": {true, true}, "stddev": {true, true}, "stddev_pop": {false, true},
}

// deviation is a numeric of whole numbers and numerics, exact of those of at most 32 bits, whose squares have room.
func deviation(name string, sample, root bool) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 1 {
			return "", nil
		}
		switch args[0].Type {
		case "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT":
			n := "count($1)"
			if sample {
				n = "nullif(count($1) - 1, 0)"
			}
			const x = "CAST($1 AS HUGEINT)"
			variance := quotient("(count($1) * sum("+x+" * "+x+") - sum($1) * sum($1))", "(count($1) * "+n+")", "INTEGER", false)
			if !root {
				return variance, nil
			}
			return "list_transform([" + variance + "], lambda tarn_v: CAST(CAST(sqrt(tarn_v) AS DECIMAL(38,8)) + CASE WHEN tarn_v = 0 THEN 0 ELSE CAST(CAST(tarn_v - CAST(sqrt(tarn_v) AS DECIMAL(38,8)) * CAST(sqrt(tarn_v) AS DECIMAL(38,8)) AS DOUBLE) / (2 * sqrt(tarn_v)) AS DECIMAL(38,16)) END AS DECIMAL(38,16)))[1]", nil
		case "DECIMAL":
			return "CAST(" + name + "($1) AS DECIMAL(38,16))", nil
		case "BIGINT", "HUGEINT":
			if root {
				return "CAST(" + name + "($1) AS DECIMAL(38,16))", nil
			}
		}
		return "", nil
	}
}

// dateTrunc of a date is a time with a zone.
func dateTrunc(args []sqltext.Argument) (string, error) {
	if len(args) != 2 {
		return "", nil
	}
	at, said := "$2", ""
	if args[1].Type == "DATE" {
		at = "CAST($2 AS TIMESTAMPTZ)"
		said = "date_trunc($1, " + at + ")"
	}
	if (args[1].Type == "DATE" || strings.HasPrefix(args[1].Type, "TIMESTAMP")) && args[0].Text != nil && slices.Contains([]string{"century", "millennium"}, strings.ToLower(*args[0].Text)) { // which begin with the year 1
		said = "(date_trunc($1, " + at + " - INTERVAL 1 YEAR) + INTERVAL 1 YEAR)"
	}
	return said, nil
}

// plainNumber has the digits before and behind the point.
var plainNumber = regexp.MustCompile(`^\s*[+-]?([0-9]+)(?:\.([0-9]*))?\s*$`)

// toNumeric is a cast to a numeric of no precision and scale: it keeps all digits, of what has an unknown number of them fifteen.
func toNumeric(args []sqltext.Argument) (string, error) {
	a := args[0]
	switch of := familyOf(a); {
	case a.Type == "DECIMAL":
		return "coalesce($1, NULL)", nil // not $1 alone, which may be such a cast itself
	case of == integer:
		return "CAST($1 AS " + integers[a.Type] + ")", nil
	case of == numeric:
		return "CAST($1 AS DECIMAL(38,0))", nil
	}
	if a.Text != nil {
		if m := plainNumber.FindStringSubmatch(*a.Text); m != nil && len(m[1])+len(m[2]) <= 38 {
			return fmt.Sprintf("CAST($1 AS DECIMAL(%d,%d))", max(1, len(m[1])+len(m[2])), len(m[2])), nil
		}
	}
	switch a.Type {
	case "DOUBLE":
		return telling(15, a), nil
	case "FLOAT":
		return telling(6, a), nil
	}
	return "CAST($1 AS DECIMAL(38,15))", nil
}

// telling is a real or a double as a numeric, of which so many digits tell something. DuckDB takes microseconds to read a numeric of 38 digits, so
// they are read as a whole number #m, of which #s are behind the point, and what is before it and behind it are numerics by themselves.
func telling(digits int, a sqltext.Argument) string {
	const unit = "CAST(0.000000000000001 AS DECIMAL(15,15))"
	said := "CASE WHEN #s <= 0 THEN CAST(CAST(#m AS DECIMAL(38,0)) * CAST(pow(10, -#s) AS DECIMAL(23,0)) AS DECIMAL(38,15)) " +
		"WHEN #s <= 15 THEN CAST(CAST(#m // #p AS DECIMAL(38,15)) + CAST((#m % #p) * CAST(pow(10, 15 - #s) AS BIGINT) AS DECIMAL(18,0)) * " + unit + " AS DECIMAL(38,15)) " +
		"ELSE CAST(CAST(round(#m / pow(10, #s - 15)) AS DECIMAL(18,0)) * " + unit + " AS DECIMAL(38,15)) END"
	written := fmt.Sprintf("printf('%%.%de', CAST($1 AS DOUBLE))", digits-1)
	whole := "CAST(replace(split_part(" + written + ", 'e', 1), '.', '') AS BIGINT)"
	behind := fmt.Sprintf("(%d - CAST(replace(split_part(%s, 'e', 2), '+', '') AS INTEGER))", digits-1, written)
	m, s := "struct_extract(tarn_n, 'm')", "struct_extract(tarn_n, 's')"
	if a.Lambdaless {
		m, s = whole, behind
	}
	said = strings.NewReplacer("#m", m, "#s", s, "#p", "CAST(pow(10, "+s+") AS BIGINT)").Replace(said)
	if a.Lambdaless {
		return said
	}
	return "list_transform([{'m': " + whole + ", 's': " + behind + "}], lambda tarn_n: " + said + ")[1]"
}
