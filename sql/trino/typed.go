//go:build duckdb_arrow

package trino

import (
	"fmt"
	"strings"

	"tarn/embedded/sqltext"
)

// What goes by the types of its arguments is written in DuckDB's SQL, for nobody knows them before it binds a statement. typeof(x) is a
// constant by then, and a CASE over it is one of its branches when the statement runs. All of them are bound, so each casts what
// it takes and what it gives: to a type that is named by a text, which may be made of typeof(x).

// to casts an expression to the type that a text names.
func to(x, kind string) string {
	return "cast_to_type(" + x + `, json_transform('null'::JSON, '"' || ` + kind + ` || '"'))`
}

// let names expressions of more than a word, so that what uses them often computes and holds them once.
func let(args []sqltext.Argument, body func(x ...string) string) string {
	said, fields, inner := make([]string, len(args)), make([]string, len(args)), make([]string, len(args))
	simple := true
	for i, a := range args {
		said[i], inner[i] = numberOf(i), fmt.Sprintf("tarn_x.v%d", i)
		fields[i] = fmt.Sprintf("'v%d': %s", i, said[i])
		simple = simple && (a.Class == "CONSTANT" || a.Class == "COLUMN_REF")
	}
	if simple {
		return body(said...)
	}
	return "list_first(list_transform([{" + strings.Join(fields, ", ") + "}], lambda tarn_x: " + body(inner...) + "))"
}

// binary is an operator of two arguments.
func binary(body func(a, b string) string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 {
			return "", nil
		}
		return let(args, func(x ...string) string { return body(x[0], x[1]) }), nil
	}
}

// isFloat, isDecimal tell what the operands of an operator become: a number with one that is of a double, or else of a decimal.
func isFloat(a, b string) string {
	return "(typeof(" + a + ") IN ('FLOAT', 'DOUBLE') OR typeof(" + b + ") IN ('FLOAT', 'DOUBLE'))"
}

func isDecimal(a, b string) string {
	return "concat(typeof(" + a + "), typeof(" + b + ")) LIKE '%DECIMAL(%'"
}

// scale and precision are those of a decimal, and of an integer as one.
func scale(x string) string {
	return "CAST('0' || regexp_extract(typeof(" + x + "), ',([0-9]+)', 1) AS INTEGER)"
}

func precision(x string) string {
	return "CASE typeof(" + x + ") WHEN 'TINYINT' THEN 3 WHEN 'SMALLINT' THEN 5 WHEN 'INTEGER' THEN 10 WHEN 'BIGINT' THEN 19 WHEN 'HUGEINT' THEN 19 ELSE CAST('0' || regexp_extract(typeof(" + x + "), '([0-9]+),', 1) AS INTEGER) END"
}

// decimalOf names a decimal of so many digits, of which there are 38 at most.
func decimalOf(precision, scale string) string {
	return "'DECIMAL(' || least(38, " + precision + ") || ',' || " + scale + " || ')'"
}

// resultOf names the type of an operator's result: of a decimal as it is given, of others as DuckDB has it.
func resultOf(a, b, operator, decimal string) string {
	return "CASE WHEN typeof(" + a + ") = 'INTERVAL' THEN 'INTERVAL' WHEN 'DOUBLE' IN (typeof(" + a + "), typeof(" + b + ")) THEN 'DOUBLE' WHEN " + isFloat(a, b) + " THEN 'FLOAT' WHEN " +
		isDecimal(a, b) + " THEN " + decimal + " ELSE typeof(" + a + " " + operator + " " + b + ") END"
}

// nonzero refuses a divisor of which DuckDB would make null.
func nonzero(b string) string {
	return "CASE WHEN " + b + " = 0 THEN CAST('Division by zero' AS TINYINT) ELSE " + b + " END"
}

// powerOfTen is a text of digits.
func powerOfTen(n string) string { return "('1' || repeat('0', " + n + "))" }

// unscaled is a decimal's digits as a whole number.
func unscaled(x string) string {
	return "CAST(" + to(x, decimalOf("38", scale(x))) + " * CAST(" + powerOfTen(scale(x)) + " AS DECIMAL(38,0)) AS HUGEINT)"
}

// quotient divides decimals: to the larger of their scales, the half away from zero.
func quotient(a, b string) string {
	digits := "greatest(" + scale(a) + ", " + scale(b) + ")"
	n := unscaled(a) + " * CAST(" + powerOfTen(digits+" + "+scale(b)+" - "+scale(a)) + " AS HUGEINT)"
	whole := "list_first(list_transform([{'n': " + n + ", 'd': " + unscaled(b) + "}], lambda tarn_q: sign(tarn_q.n) * sign(tarn_q.d) * ((2 * abs(tarn_q.n) + abs(tarn_q.d)) // (2 * abs(tarn_q.d)))))"
	return "CAST(" + whole + " AS DECIMAL(38,0)) * " + to("('0.' || repeat('0', "+digits+" - 1) || CASE "+digits+" WHEN 0 THEN '' ELSE '1' END)", decimalOf("38", digits))
}

// divided is a / b.
func divided(a, b string) string {
	kind := resultOf(a, b, "/", decimalOf(precision(a)+" + "+scale(b)+" + greatest(0, "+scale(b)+" - "+scale(a)+")", "greatest("+scale(a)+", "+scale(b)+")"))
	double := "CASE CAST(" + b + " AS DOUBLE) WHEN 0 THEN CAST(" + a + " AS DOUBLE) * CAST('Infinity' AS DOUBLE) ELSE CAST(" + a + " AS DOUBLE) / CAST(" + b + " AS DOUBLE) END"
	return "CASE WHEN typeof(" + a + ") <> 'INTERVAL' AND " + isFloat(a, b) + " THEN " + to(double, kind) +
		" WHEN typeof(" + a + ") <> 'INTERVAL' AND " + isDecimal(a, b) + " THEN " + to("("+quotient(a, nonzero(b))+")", kind) + " ELSE " + to("("+a+" / "+nonzero(b)+")", kind) + " END"
}

// remainder is a % b, which is exact of decimals.
func remainder(a, b string) string {
	digits := "greatest(" + scale(a) + ", " + scale(b) + ")"
	kind := resultOf(a, b, "%", decimalOf("least("+precision(a)+" - "+scale(a)+", "+precision(b)+" - "+scale(b)+") + "+digits, digits))
	double := "CASE WHEN CAST(" + b + " AS DOUBLE) = 0 THEN CAST('NaN' AS DOUBLE) ELSE CAST(" + a + " AS DOUBLE) % CAST(" + b + " AS DOUBLE) END"
	return "CASE WHEN " + isFloat(a, b) + " THEN " + to(double, kind) + " ELSE " + to("("+a+" % "+nonzero(b)+")", kind) + " END"
}

// average is avg, which of decimals is one of the same type.
const averageOf = "typeof(min($1))"

var average = "CASE WHEN " + averageOf + " LIKE 'DECIMAL%' THEN " +
	to("("+quotient("sum("+to("$1", "CASE WHEN typeof($1) LIKE 'DECIMAL%' THEN typeof($1) ELSE 'DOUBLE' END")+")", "count($1)")+")", averageKind) + " ELSE " + to("avg($1)", averageKind) + " END"

const averageKind = "CASE WHEN " + averageOf + " LIKE 'DECIMAL%' OR " + averageOf + " = 'FLOAT' THEN " + averageOf + " ELSE typeof(avg($1)) END"
