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
	return "cast_to_type(" + x + `, json_transform('null'::JSON, to_json(` + kind + `)))`
}

// let names expressions of more than a word, so that what uses them often computes and holds them once.
func let(args []sqltext.Argument, body func(x ...string) string) string {
	said, inner := make([]string, len(args)), make([]string, len(args))
	var fields []string
	simple := true
	for i, a := range args {
		said[i], inner[i] = numberOf(i), numberOf(i)
		if a.Class != "CONSTANT" {
			fields = append(fields, said[i])
			inner[i] = fmt.Sprintf("struct_extract_at(tarn_x, %d)", len(fields))
		}
		simple = simple && (a.Class == "CONSTANT" || a.Class == "COLUMN_REF") || a.Lambdaless
	}
	if simple {
		return body(said...)
	}
	return within("row("+strings.Join(fields, ", ")+")", "tarn_x", body(inner...))
}

// within is an expression that holds a value under a name.
func within(value, name, body string) string {
	return "list_first(list_transform([" + value + "], lambda " + name + ": " + body + "))"
}

// failed is an expression that fails with a message, which is SQL.
func failed(message string) string { return "CAST(" + message + " AS TINYINT)" }

// failing fails where it is computed, and has the type of a value.
func failing(value, message string) string {
	return "CASE WHEN " + failed(message) + " IS NULL THEN " + value + " END"
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

// scale and precision are those of a decimal, and of an integer as one. They are cut out of DECIMAL(p,s) without a regular expression, which
// would be compiled for each.
func scale(x string) string {
	return "coalesce(TRY_CAST(rtrim(split_part(typeof(" + x + "), ',', 2), ')') AS INTEGER), 0)"
}

func precision(x string) string {
	return "CASE typeof(" + x + ") WHEN 'TINYINT' THEN 3 WHEN 'SMALLINT' THEN 5 WHEN 'INTEGER' THEN 10 WHEN 'BIGINT' THEN 19 WHEN 'HUGEINT' THEN 19 ELSE coalesce(TRY_CAST(substr(split_part(typeof(" + x + "), ',', 1), 9) AS INTEGER), 0) END"
}

// decimalOf names a decimal of so many digits, of which there are 38 at most.
func decimalOf(precision, scale string) string {
	return "'DECIMAL(' || least(38, " + precision + ") || ',' || (" + scale + ") || ')'"
}

// resultOf names the type of an operator's result: of a decimal as it is given, of others as DuckDB has it.
func resultOf(a, b, operator, decimal string) string {
	return "CASE WHEN typeof(" + a + ") = 'INTERVAL' THEN 'INTERVAL' WHEN 'DOUBLE' IN (typeof(" + a + "), typeof(" + b + ")) THEN 'DOUBLE' WHEN " + isFloat(a, b) + " THEN 'FLOAT' WHEN " +
		isDecimal(a, b) + " THEN " + decimal + " ELSE typeof(" + a + " " + operator + " " + b + ") END"
}

// nonzero refuses a divisor of which DuckDB would make null, unless what it divides is null; that is "" where it is not told.
func nonzero(a, b string) string {
	zero := b + " = 0"
	if a != "" {
		zero += " AND " + a + " IS NOT NULL"
	}
	return "CASE WHEN " + zero + " THEN " + failed("'Division by zero'") + " ELSE " + b + " END"
}

// powerOfTen is a text of digits.
func powerOfTen(n string) string { return "('1' || repeat('0', " + n + "))" }

// unscaled is a decimal's digits as a whole number.
func unscaled(x string) string {
	return "CAST(" + to(x, decimalOf("38", scale(x))) + " * CAST(" + powerOfTen(scale(x)) + " AS DECIMAL(38,0)) AS HUGEINT)"
}

// quotient divides decimals: to the larger of their scales, the half away from zero.
func quotient(a, b string, lambdaless bool) string {
	digits := "greatest(" + scale(a) + ", " + scale(b) + ")"
	n := unscaled(a) + " * CAST(" + powerOfTen(digits+" + "+scale(b)+" - "+scale(a)) + " AS HUGEINT)"
	return halved("("+n+")", unscaled(b), lambdaless) + " * " + to("CASE "+digits+" WHEN 0 THEN '1' ELSE '0.' || repeat('0', "+digits+" - 1) || '1' END", decimalOf("38", digits))
}

// halved divides whole numbers, the half away from zero; each is computed once, but where there are no lambdas.
func halved(n, d string, lambdaless bool) string {
	half := func(n, d string) string {
		return fmt.Sprintf("sign(%[1]s) * sign(%[2]s) * ((2 * abs(%[1]s) + abs(%[2]s)) // (2 * abs(%[2]s)))", n, d)
	}
	said := half(n, d)
	if !lambdaless {
		said = within("row("+n+", "+d+")", "tarn_q", half("struct_extract_at(tarn_q, 1)", "struct_extract_at(tarn_q, 2)"))
	}
	return "CAST(" + said + " AS DECIMAL(38,0))"
}

// ofDoubles is a / b or a % b of doubles, of which DuckDB makes null by zero.
func ofDoubles(operator, a, b string) string {
	a, b = "CAST("+a+" AS DOUBLE)", "CAST("+b+" AS DOUBLE)"
	none := a + " * CAST('Infinity' AS DOUBLE)"
	if operator == "%" {
		none = "CAST('NaN' AS DOUBLE)"
	}
	return "CASE WHEN " + b + " = 0 THEN " + none + " ELSE " + a + " " + operator + " " + b + " END"
}

// divided is a / b.
func divided(args []sqltext.Argument) (string, error) {
	if said := operated("/", args); said != "" {
		return said, nil
	}
	return binary(func(a, b string) string { return divide(a, b, args[0].Lambdaless) })(args)
}

func divide(a, b string, lambdaless bool) string {
	kind := resultOf(a, b, "/", decimalOf(precision(a)+" + "+scale(b)+" + greatest(0, "+scale(b)+" - "+scale(a)+")", "greatest("+scale(a)+", "+scale(b)+")"))
	return "CASE WHEN typeof(" + a + ") <> 'INTERVAL' AND " + isFloat(a, b) + " THEN " + to(ofDoubles("/", a, b), kind) +
		" WHEN typeof(" + a + ") <> 'INTERVAL' AND " + isDecimal(a, b) + " THEN " + to("("+quotient(a, nonzero(a, b), lambdaless)+")", kind) + " ELSE " + to("("+a+" / "+nonzero(a, b)+")", kind) + " END"
}

// modulo is a % b.
func modulo(args []sqltext.Argument) (string, error) {
	if said := operated("%", args); said != "" {
		return said, nil
	}
	return binary(remainder)(args)
}

// remainder is a % b, which is exact of decimals.
func remainder(a, b string) string {
	digits := "greatest(" + scale(a) + ", " + scale(b) + ")"
	kind := resultOf(a, b, "%", decimalOf("least("+precision(a)+" - "+scale(a)+", "+precision(b)+" - "+scale(b)+") + "+digits, digits))
	return "CASE WHEN " + isFloat(a, b) + " THEN " + to(ofDoubles("%", a, b), kind) + " ELSE " + to("("+a+" % "+nonzero(a, b)+")", kind) + " END"
}

// average is avg, which of decimals is one of the same type.
func average(args []sqltext.Argument) (string, error) {
	if len(args) != 1 {
		return "", nil
	}
	if said, ok := averaged(args[0]); ok {
		return said, nil
	}
	sum := "sum(" + to("$1", "CASE WHEN typeof($1) LIKE 'DECIMAL%' THEN typeof($1) ELSE 'DOUBLE' END") + ")"
	if args[0].Class == "COLUMN_REF" || args[0].Lambdaless {
		return averageOf(sum, "count($1)", "min($1)", "avg($1)", args[0].Lambdaless), nil
	}
	at := func(i int) string { return fmt.Sprintf("struct_extract_at(tarn_x, %d)", i) }
	return within("row("+sum+", count($1), min($1), avg($1))", "tarn_x", averageOf(at(1), at(2), at(3), at(4), false)), nil
}

func averageOf(sum, count, one, mean string, lambdaless bool) string {
	kind := "CASE WHEN typeof(" + one + ") LIKE 'DECIMAL%' OR typeof(" + one + ") = 'FLOAT' THEN typeof(" + one + ") ELSE typeof(" + mean + ") END"
	return "CASE WHEN typeof(" + one + ") LIKE 'DECIMAL%' THEN " + to("("+quotient(sum, count, lambdaless)+")", kind) + " ELSE " + to(mean, kind) + " END"
}

// arithmetic is +, - or *: decimals get as many digits as may come, where DuckDB stops at 18, dates are an interval apart, and a date stays one.
func arithmetic(operator string) sqltext.Template {
	typed := binary(func(a, b string) string {
		said := "(" + a + " " + operator + " " + b + ")"
		width := precision(a) + " + " + precision(b)
		if operator != "*" {
			width = "greatest(" + precision(a) + " - " + scale(a) + ", " + precision(b) + " - " + scale(b) + ") + 1 + " + scale(said)
		}
		kind := "replace(replace(typeof" + said + ", 'DECIMAL(18,', 'DECIMAL(' || least(38, " + width + `) || ','), '"NULL"', 'INTEGER')`
		wide := to(a, "CASE WHEN typeof"+said+" LIKE 'DECIMAL(18,%' THEN 'DECIMAL(38,' || "+scale(a)+" || ')' ELSE replace(typeof("+a+`), '"NULL"', 'INTEGER') END`)
		if operator == "*" {
			return to("("+wide+" * "+b+")", kind)
		}
		sides := "concat(typeof(" + a + "), typeof(" + b + "))"
		kind = "CASE " + sides + " WHEN 'DATEDATE' THEN 'INTERVAL' WHEN 'DATEINTERVAL' THEN 'DATE' ELSE " + kind + " END"
		sum := to("("+wide+" "+operator+" "+b+")", kind)
		if operator == "+" {
			return sum
		}
		return "CASE " + sides + " WHEN 'DATEDATE' THEN " + to("to_days(CAST(CAST("+a+" AS DATE) - CAST("+b+" AS DATE) AS INTEGER))", kind) + " ELSE " + sum + " END"
	})
	return func(args []sqltext.Argument) (string, error) {
		if said, err := afterDays(operator)(args); said != "" || err != nil || len(args) != 2 {
			return said, err
		}
		if said := operated(operator, args); said != "" {
			if args[0].Lambdaless && args[0].Kind != "DATE" { // where it is compared, as many digits as DuckDB has are enough
				return "", nil
			}
			return said, nil
		}
		if !args[0].Lambdaless {
			return typed(args)
		}
		if operator != "-" { // where it is compared, as many digits as DuckDB has are enough
			return "", nil
		}
		kind := "CASE concat(typeof($1), typeof($2)) WHEN 'DATEDATE' THEN 'INTERVAL' ELSE typeof($1 - $2) END"
		return "CASE concat(typeof($1), typeof($2)) WHEN 'DATEDATE' THEN " + to("to_days(CAST(CAST($1 AS DATE) - CAST($2 AS DATE) AS INTEGER))", kind) + " ELSE " + to("($1 - $2)", kind) + " END", nil
	}
}
