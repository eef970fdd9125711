//go:build duckdb_arrow

package trino

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/sqltext"
)

// Where a statement tells the types of what it computes with, a call is written for these alone. A few words are left then of what goes by
// typeof otherwise, and means the same.

// digitsMax are the most digits of a decimal.
const digitsMax = 38

// numeral is a type of a number.
type numeral struct {
	name             string // INTEGER, DECIMAL, DOUBLE; "" for none
	precision, scale int    // of a decimal, and of an integer as one
}

// integers are the types of whole numbers, the narrower first, with their digits as a decimal.
var integers = []numeral{{"TINYINT", 3, 0}, {"SMALLINT", 5, 0}, {"INTEGER", 10, 0}, {"BIGINT", 19, 0}, {"HUGEINT", 19, 0}}

func numeralOf(kind string) numeral {
	if kind == "DOUBLE" || kind == "FLOAT" {
		return numeral{name: kind}
	}
	for _, n := range integers {
		if n.name == kind {
			return n
		}
	}
	digits, ok := strings.CutPrefix(kind, "DECIMAL(")
	precision, scale, _ := strings.Cut(strings.TrimSuffix(digits, ")"), ",")
	p, err := strconv.Atoi(precision)
	s, err2 := strconv.Atoi(scale)
	if !ok || err != nil || err2 != nil {
		return numeral{}
	}
	return numeral{"DECIMAL", p, s}
}

func (n numeral) String() string {
	if n.name == "DECIMAL" {
		return fmt.Sprintf("DECIMAL(%d,%d)", n.precision, n.scale)
	}
	return n.name
}

func (n numeral) float() bool { return n.name == "DOUBLE" || n.name == "FLOAT" }

func (n numeral) integer() bool { return n.rank() >= 0 }

// rank is the place among the integers, -1 for no such one.
func (n numeral) rank() int {
	return slices.IndexFunc(integers, func(i numeral) bool { return i.name == n.name })
}

// decimal is one of so many digits, as far as there are so many.
func decimal(precision, scale int) numeral {
	return numeral{"DECIMAL", min(digitsMax, precision), scale}
}

// result is the type of an operator's answer; none where it is not known.
func result(operator string, a, b numeral) numeral {
	switch {
	case a.name == "" || b.name == "":
	case a.float() || b.float():
		if a.name == "DOUBLE" || b.name == "DOUBLE" {
			return numeral{name: "DOUBLE"}
		}
		return numeral{name: "FLOAT"}
	case a.integer() && b.integer():
		return integers[max(a.rank(), b.rank())]
	default:
		scale := max(a.scale, b.scale)
		switch operator {
		case "+", "-":
			return decimal(max(a.precision-a.scale, b.precision-b.scale)+1+scale, scale)
		case "*":
			if a.scale+b.scale <= digitsMax {
				return decimal(a.precision+b.precision, a.scale+b.scale)
			}
		case "/":
			return decimal(a.precision+b.scale+max(0, b.scale-a.scale), scale)
		case "%":
			return decimal(min(a.precision-a.scale, b.precision-b.scale)+scale, scale)
		}
	}
	return numeral{}
}

// callKind is the type of a call by those of its arguments; "" where it is not known.
func callKind(name string, args []string) string {
	if name == "count" || name == "count_star" {
		return "BIGINT"
	}
	if slices.Contains([]string{"now", "from_unixtime", "from_unixtime_nanos", "from_iso8601_timestamp", "parse_datetime"}, name) {
		return "TIMESTAMP WITH TIME ZONE"
	}
	if len(args) == 2 {
		switch name {
		case "+", "-", "*", "/", "%", "mod":
			if said := timeKind(name, args[0], args[1]); said != "" {
				return said
			}
			return result(strings.Replace(name, "mod", "%", 1), numeralOf(args[0]), numeralOf(args[1])).String()
		case "round":
			if n := numeralOf(args[0]); n.name == "DECIMAL" {
				return decimal(n.precision+1, n.scale).String()
			}
			return numeralOf(args[0]).String()
		}
	}
	if len(args) != 1 || args[0] == "" {
		return ""
	}
	n := numeralOf(args[0])
	switch name {
	case "min", "max", "any_value", "arbitrary":
		return args[0]
	case "+", "-", "abs":
		return n.String()
	case "sum":
		return sumOf(n).String()
	case "avg":
		if n.integer() {
			return "DOUBLE"
		}
		return n.String()
	case "ceil", "ceiling", "floor", "round":
		return whole(n, 1).String()
	case "truncate":
		return whole(n, 0).String()
	case "to_days", "to_weeks", "to_months", "to_quarters", "to_years", "to_hours", "to_minutes", "to_seconds":
		return "INTERVAL"
	}
	return ""
}

// sumOf is the type of a sum; none of an integer, for which there are several.
func sumOf(n numeral) numeral {
	switch n.name {
	case "DECIMAL":
		return decimal(digitsMax, n.scale)
	case "DOUBLE":
		return n
	}
	return numeral{}
}

// whole is the type of a number without its fraction, which may have more digits where it is rounded.
func whole(n numeral, more int) numeral {
	if n.name != "DECIMAL" {
		return n
	}
	return decimal(max(1, n.precision-n.scale+min(more, n.scale)), 0)
}

// timeKind is the type of a sum or a difference of times; "" where it is none.
func timeKind(operator, a, b string) string {
	switch {
	case operator != "+" && operator != "-":
	case b == "INTERVAL" && (a == "DATE" || a == "TIMESTAMP" || a == "TIMESTAMP_MS" || a == "TIMESTAMP WITH TIME ZONE"):
		return a
	case operator == "-" && a == "DATE" && b == "DATE":
		return "INTERVAL"
	}
	return ""
}

// operated is an operator on two numbers, or times, of known types; "" where one is not known.
func operated(operator string, args []sqltext.Argument) string {
	if len(args) != 2 {
		return ""
	}
	if operator == "-" && args[0].Kind == "DATE" && args[1].Kind == "DATE" {
		return "to_days(CAST(CAST($1 AS DATE) - CAST($2 AS DATE) AS INTEGER))"
	}
	kind := timeKind(operator, args[0].Kind, args[1].Kind)
	if args[0].Kind == "TIMESTAMP_S" && args[1].Kind == "INTERVAL" && (operator == "+" || operator == "-") {
		if kind = "TIMESTAMP_MS"; args[1].Name == "to_months" || args[1].Name == "to_years" { // which has no more digits
			kind = args[0].Kind
		}
	}
	if kind != "" {
		return "CAST(($1 " + operator + " $2) AS " + kind + ")"
	}
	a, b := numeralOf(args[0].Kind), numeralOf(args[1].Kind)
	of := result(operator, a, b)
	switch {
	case of.name == "":
		return ""
	case operator == "/" || operator == "%":
		return parted(operator, args, a, b, of)
	case of.name == "DECIMAL":
		left := "$1"
		if of.precision > decimalSmall { // where DuckDB stops
			left = fmt.Sprintf("CAST($1 AS DECIMAL(%d,%d))", digitsMax, a.scale)
		}
		return "CAST((" + left + " " + operator + " $2) AS " + of.String() + ")"
	case of.float() && (a.name == "DECIMAL" || b.name == "DECIMAL" || a.name != b.name):
		return "(" + as("$1", a, of) + " " + operator + " " + as("$2", b, of) + ")"
	case args[0].Class == "CONSTANT" || args[1].Class == "CONSTANT": // which may be narrower in DuckDB
		return "(" + as("$1", a, of) + " " + operator + " " + as("$2", b, of) + ")"
	}
	return "($1 " + operator + " $2)"
}

// decimalSmall are the digits of a decimal that is kept in 64 bits.
const decimalSmall = 18

// as casts what is of another type.
func as(said string, from, to numeral) string {
	if from == to {
		return said
	}
	return "CAST(" + said + " AS " + to.String() + ")"
}

// parted is a quotient or a remainder.
func parted(operator string, args []sqltext.Argument, a, b, of numeral) string {
	switch {
	case of.float():
		return known(args, func(x ...string) string {
			return "CAST(" + ofDoubles(operator, x[0], x[1]) + " AS " + of.String() + ")"
		})
	case operator == "/" && of.name == "DECIMAL":
		return known(args, func(x ...string) string { return exactly(x[0], nonzero(x[0], x[1]), a, b, of, args[0].Lambdaless) })
	}
	said := func(divisor string) string {
		return "CAST(($1 " + operator + " " + divisor + ") AS " + of.String() + ")"
	}
	dividend := ""
	if args[0].Plain() || slices.Contains([]string{"sum", "min", "max"}, args[0].Name) { // it is computed once where it stands twice
		dividend = "$1"
	}
	switch {
	case args[1].Class == "CONSTANT" && strings.Trim(args[1].Number, "0") != "":
		return said("$2")
	case args[1].Plain() || args[1].Lambdaless:
		return said(nonzero(dividend, "$2"))
	}
	return said(within("$2", "tarn_x", nonzero(dividend, "tarn_x")))
}

// known is let of arguments, of which a plain one may stand there more than once.
func known(args []sqltext.Argument, body func(x ...string) string) string {
	if slices.ContainsFunc(args, func(a sqltext.Argument) bool { return !a.Plain() }) {
		return let(args, body)
	}
	return body(numbersOf(args)...)
}

// exactly divides decimals, the half away from zero.
func exactly(left, right string, a, b, of numeral, lambdaless bool) string {
	unscaled := func(x string, scale int) string {
		if scale == 0 {
			return "CAST(" + x + " AS HUGEINT)"
		}
		return fmt.Sprintf("CAST(CAST(%s AS DECIMAL(%d,%d)) * CAST('1%s' AS DECIMAL(%[2]d,0)) AS HUGEINT)", x, digitsMax, scale, strings.Repeat("0", scale))
	}
	n, d := unscaled(left, a.scale), unscaled(right, b.scale)
	if more := of.scale + b.scale - a.scale; more > 0 {
		n = "(" + n + " * CAST('1" + strings.Repeat("0", more) + "' AS HUGEINT))"
	}
	said := halved(n, d, lambdaless)
	if of.scale > 0 {
		said += fmt.Sprintf(" * CAST('0.%s1' AS DECIMAL(%d,%d))", strings.Repeat("0", of.scale-1), digitsMax, of.scale)
	}
	return "CAST((" + said + ") AS " + of.String() + ")"
}

// averaged is avg of a number of a known type; false where it is not known.
func averaged(a sqltext.Argument) (string, bool) {
	switch n := numeralOf(a.Kind); {
	case n.integer() || n.name == "DOUBLE":
		return "", true
	case n.name == "FLOAT":
		return "CAST(avg($1) AS FLOAT)", true
	case n.name == "DECIMAL":
		return exactly("sum($1)", "count($1)", n, numeralOf("BIGINT"), n, a.Lambdaless), true
	}
	return "", false
}

// shortened is a function of one number of a known type, that leaves no fraction.
func shortened(name string, more int, kind string) string {
	n := numeralOf(kind)
	switch {
	case n.name == "":
		return ""
	case n.integer():
		return "CAST($1 AS " + n.name + ")"
	}
	return "CAST(" + name + "($1) AS " + whole(n, more).String() + ")"
}

// wholeKnown is a cast to an integer of what is of a known type; false where that is not known.
func wholeKnown(args []sqltext.Argument, to string) (string, bool) {
	switch kind := args[0].Kind; {
	case numeralOf(kind).float():
		return "CAST(round(CAST($1 AS DOUBLE)) AS " + to + ")", true
	case numeralOf(kind).name != "" || kind == "BOOLEAN":
		return "", true
	case kind == "VARCHAR":
		return known(args, func(x ...string) string {
			return "CASE WHEN NOT regexp_full_match(" + x[0] + `, '\s*[+-]?[0-9]+\s*') THEN ` + failed("'Cannot cast ''' || "+x[0]+" || ''' to "+to+"'") + " ELSE CAST(" + x[0] + " AS " + to + ") END"
		}), true
	}
	return "", false
}

// textKnown is a cast to a varchar of what is of a known type; false where that is not known, or written in another way.
func textKnown(args []sqltext.Argument) (string, bool) {
	switch kind := args[0].Kind; {
	case args[0].Lambdaless:
		return "", false
	case numeralOf(kind).float():
		return known(args, func(x ...string) string { return scientific("CAST(" + x[0] + " AS VARCHAR)") }), true
	case numeralOf(kind).name != "" || slices.Contains([]string{"VARCHAR", "BOOLEAN", "DATE", "UUID", "TIMESTAMP_S"}, kind):
		return "", true
	case fractions[kind] > 0:
		return known(args, func(x ...string) string { return withFraction("CAST("+x[0]+" AS VARCHAR)", fractions[kind]) }), true
	}
	return "", false
}
