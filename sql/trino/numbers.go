//go:build duckdb_arrow

package trino

import "tarn/embedded/sqltext"

// rounded is a function of a number that leaves no fraction: integers stay what they are, and a decimal has the digits that are left of it.
// more is how many others it may get.
func rounded(name string, more func(x string) string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) == 2 && name == "trunc" {
			return "cast_to_type(trunc($1, $2), $1)", nil
		}
		if len(args) != 1 {
			return "", unsupported("", "%s cannot be called with %d arguments here", name, len(args))
		}
		upTo := 1
		if name == "trunc" {
			upTo = 0
		}
		if said := shortened(name, upTo, args[0].Kind); said != "" {
			return said, nil
		}
		return let(args, func(x ...string) string {
			said := name + "(" + x[0] + ")"
			return to(said, "CASE WHEN typeof("+x[0]+") LIKE 'DECIMAL%' THEN "+decimalOf("greatest(1, "+precision(x[0])+" - "+scale(x[0])+" + "+more(x[0])+")", "0")+
				" WHEN typeof("+x[0]+") LIKE '%INT%' THEN typeof("+x[0]+") ELSE typeof("+said+") END")
		}), nil
	}
}

// oneMore is of what rounds up, where there is a fraction.
func oneMore(x string) string { return "least(1, " + scale(x) + ")" }

func noMore(string) string { return "0" }

// round of two arguments keeps the digits behind the point.
func round(args []sqltext.Argument) (string, error) {
	if len(args) != 2 {
		return rounded("round", oneMore)(args)
	}
	if kind := callKind("round", []string{args[0].Kind, args[1].Kind}); kind != "" {
		return "CAST(round($1, $2) AS " + kind + ")", nil
	}
	return let(args, func(x ...string) string {
		said := "round(" + x[0] + ", " + x[1] + ")"
		return to(said, "CASE WHEN typeof("+x[0]+") LIKE 'DECIMAL%' THEN "+decimalOf(precision(x[0])+" + 1", scale(x[0]))+" ELSE typeof("+said+") END")
	}), nil
}

// sign has the type of its number.
func sign(x string) string {
	said := "CASE WHEN typeof(" + x + ") IN ('DOUBLE', 'FLOAT') AND isnan(CAST(" + x + " AS DOUBLE)) THEN CAST(" + x + " AS DOUBLE) ELSE sign(" + x + ") END"
	return to(said, "CASE WHEN typeof("+x+") LIKE 'DECIMAL%' THEN 'DECIMAL(1,0)' ELSE replace(typeof("+x+`), '"NULL"', 'TINYINT') END`)
}
