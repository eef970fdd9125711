//go:build duckdb_arrow

package trino

import (
	"fmt"
	"strings"

	"tarn/embedded/sqltext"
)

// casts are those that mean something else in Trino.
func casts() map[string]sqltext.Template {
	out := map[string]sqltext.Template{
		"varchar": func(args []sqltext.Argument) (string, error) {
			if said, ok := textKnown(args); ok {
				return said, nil
			}
			return unary(textOf)(args)
		}, "timestamp with time zone": cast(instantOf),
		"json": cast(jsonOf),
	}
	for _, whole := range []string{"tinyint", "smallint", "integer", "bigint"} {
		out[whole] = func(args []sqltext.Argument) (string, error) {
			if wholes[args[0].Name] {
				return "", nil
			}
			if said, ok := wholeKnown(args, strings.ToUpper(whole)); ok {
				return said, nil
			}
			return let(args, func(x ...string) string { return wholeOf(x[0], strings.ToUpper(whole)) }), nil
		}
	}
	for _, kind := range []string{"TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"} { // DuckDB casts none of them to another
		out[strings.ToLower(kind)] = func(args []sqltext.Argument) (string, error) {
			if args[0].Text != nil || args[0].Kind != "" && !strings.HasPrefix(args[0].Kind, "TIMESTAMP_") || args[0].Kind == kind {
				return "", nil
			}
			return "CAST(CAST($1 AS TIMESTAMP) AS " + kind + ")", nil
		}
	}
	return out
}

// unary is a cast of what is no literal text.
func unary(body func(x string) string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if args[0].Text != nil || args[0].Lambdaless {
			return "", nil
		}
		return cast(body)(args)
	}
}

// cast is of one argument.
func cast(body func(x string) string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 1 {
			return "", nil
		}
		return let(args, func(x ...string) string { return body(x[0]) }), nil
	}
}

// wholes are functions whose numbers have no fraction.
var wholes = map[string]bool{"count": true, "length": true, "trunc": true, "round": true, "floor": true, "ceil": true, "ceiling": true, "year": true, "month": true, "day": true}

// wholeOf is a cast to an integer: the half goes away from zero, and a text has no fraction.
func wholeOf(x, kind string) string {
	text := "CAST(" + x + " AS VARCHAR)"
	return "CASE WHEN typeof(" + x + ") IN ('DOUBLE', 'FLOAT') THEN CAST(round(CAST(" + x + " AS DOUBLE)) AS " + kind + ")" +
		" WHEN typeof(" + x + ") = 'VARCHAR' AND NOT regexp_full_match(" + text + `, '\s*[+-]?[0-9]+\s*') THEN ` + failed("'Cannot cast ''' || "+text+" || ''' to "+kind+"'") +
		" WHEN typeof(" + x + ") = 'JSON' AND json_type(to_json(" + x + ")) = 'DOUBLE' THEN CAST(round(CAST(" + text + " AS DOUBLE)) AS " + kind + ") ELSE CAST(" + x + " AS " + kind + ") END"
}

// jsonOf is a cast to JSON, in which a decimal has its digits.
func jsonOf(x string) string {
	return "CASE WHEN typeof(" + x + ") LIKE 'DECIMAL%' THEN CAST(CAST(" + x + " AS VARCHAR) AS JSON) ELSE to_json(" + x + ") END"
}

// textOf is a cast to varchar.
func textOf(x string) string {
	text := "CAST(" + x + " AS VARCHAR)"
	return "CASE typeof(" + x + ") WHEN 'TIMESTAMP' THEN " + withFraction(text, 6) + " WHEN 'TIME' THEN " + withFraction(text, 6) + " WHEN 'TIMESTAMP_MS' THEN " + withFraction(text, 3) + " WHEN 'TIMESTAMP_NS' THEN " + withFraction(text, 9) +
		" WHEN 'TIMESTAMP WITH TIME ZONE' THEN " + within("replace("+text+", '+00', '')", "tarn_t", withFraction("tarn_t", 6)+" || ' UTC'") +
		" WHEN 'DOUBLE' THEN " + scientific(text) + " WHEN 'FLOAT' THEN " + scientific(text) + " WHEN 'JSON' THEN json_extract_string(to_json(" + x + "), '$') ELSE " + text + " END"
}

// fractions are how many digits the texts of times have behind the point, by their types.
var fractions = map[string]int{"TIMESTAMP": 6, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9}

// withFraction is the text of a time with so many digits behind the point.
func withFraction(text string, digits int) string {
	return fmt.Sprintf("split_part(%[1]s, '.', 1) || '.' || rpad(split_part(%[1]s, '.', 2), %[2]d, '0')", text, digits)
}

// scientific writes the text of a double with one digit before the point and an exponent.
func scientific(text string) string {
	digits := "replace(split_part(tarn_d, 'e', 1), '.', '')" // all of them
	power := "coalesce(CAST(nullif(split_part(tarn_d, 'e', 2), '') AS INTEGER), 0)"
	shown := within("{'d': rtrim(ltrim("+digits+", '0'), '0'), 'e': "+power+" + length(split_part(split_part(tarn_d, 'e', 1), '.', 1)) - 1 - (length("+digits+") - length(ltrim("+digits+", '0')))}", "tarn_e",
		"CASE tarn_e.d WHEN '' THEN '0' ELSE tarn_e.d[1] || '.' || CASE tarn_e.d[2:] WHEN '' THEN '0' ELSE tarn_e.d[2:] END END || 'E' || CASE tarn_e.d WHEN '' THEN 0 ELSE tarn_e.e END")
	return within("ltrim("+text+", '-')", "tarn_d", "CASE tarn_d WHEN 'nan' THEN 'NaN' ELSE CASE WHEN starts_with("+text+", '-') THEN '-' ELSE '' END || CASE tarn_d WHEN 'inf' THEN 'Infinity' ELSE "+shown+" END END")
}

// instantOf is a cast to a timestamp with a zone: DuckDB takes no blank before an offset.
func instantOf(x string) string {
	return "CASE WHEN typeof(" + x + ") = 'VARCHAR' THEN CAST(regexp_replace(CAST(" + x + ` AS VARCHAR), '\s+([+-][0-9])', '\1') AS TIMESTAMPTZ) ELSE CAST(` + x + " AS TIMESTAMPTZ) END"
}

// cut is CAST(x AS varchar(n)): a text is cut, what is none has to fit.
func cut(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[0].Lambdaless {
		return "substr(CAST($1 AS VARCHAR), 1, $2)", nil
	}
	return let(args, func(x ...string) string {
		text := "CAST(" + x[0] + " AS VARCHAR)"
		return "CASE WHEN typeof(" + x[0] + ") = 'VARCHAR' THEN substr(" + text + ", 1, " + x[1] + ") ELSE " + within(textOf(x[0]), "tarn_v",
			"CASE WHEN length(tarn_v) > "+x[1]+" THEN "+failing("''", "'Cannot cast ' || tarn_v || ' to varchar(' || "+x[1]+" || ')'")+" ELSE tarn_v END") + " END"
	}), nil
}

// subscript is a[b], which must be there. What fails depends on the value, and stands within no AND: DuckDB would compute it beforehand.
func subscript(a, b string) string {
	number, at, length := "TRY_CAST("+b+" AS BIGINT)", "("+a+")["+b+"]", "json_array_length(to_json("+a+"))"
	fails := func(message string) string {
		return failing(at, message+" || substr(CAST("+a+" AS VARCHAR), 1, 0)")
	}
	return "CASE WHEN typeof(" + a + ") LIKE '%]' THEN CASE WHEN " + number + " <= 0 THEN " +
		fails("CASE "+number+" WHEN 0 THEN 'SQL array indices start at 1' ELSE 'Array subscript is negative: ' || "+number+" END") +
		" WHEN " + at + " IS NULL AND " + number + " > " + length + " THEN " + fails("'Array subscript must be less than or equal to array length: ' || "+number+" || ' > ' || "+length) + " ELSE " + at + " END" +
		" WHEN typeof(" + a + ") LIKE 'MAP(%' THEN CASE WHEN " + at + " IS NULL AND NOT list_contains(json_keys(to_json(" + a + ")), CAST(" + b + " AS VARCHAR)) THEN " +
		fails("'Key not present in map: ' || CAST("+b+" AS VARCHAR)") + " ELSE " + at + " END ELSE " + at + " END"
}

// elementAt is null where nothing is.
func elementAt(a, b string) string {
	at := "(" + a + ")[" + b + "]"
	return "CASE WHEN typeof(" + a + ") LIKE '%]' THEN CASE WHEN TRY_CAST(" + b + " AS BIGINT) = 0 THEN " + failing(at, "'SQL array indices start at 1' || substr(CAST("+a+" AS VARCHAR), 1, 0)") + " ELSE " + at + " END ELSE " + at + " END"
}

// sequence is of whole numbers, days or moments.
func sequence(args []sqltext.Argument) (string, error) {
	if len(args) != 2 && len(args) != 3 {
		return "", unsupported("", "sequence cannot be called with %d arguments here", len(args))
	}
	return let(args, func(x ...string) string {
		moments := "(typeof(" + x[0] + ") = 'DATE' OR typeof(" + x[0] + ") LIKE 'TIMESTAMP%')"
		kind := "CASE WHEN " + moments + " THEN typeof(" + x[0] + ") || '[]' ELSE 'BIGINT[]' END"
		from, until := "CAST("+x[0]+" AS BIGINT)", "CAST("+x[1]+" AS BIGINT)"
		step := "CASE WHEN " + x[0] + " <= " + x[1] + " THEN 1 ELSE -1 END"
		pace := "to_days(" + step + ")"
		if len(x) == 3 {
			step, pace = "CAST("+x[2]+" AS BIGINT)", "CAST("+x[2]+" AS INTERVAL)"
		}
		moment := func(of string) string {
			return to(of, "CASE typeof("+x[0]+") WHEN 'TIMESTAMP WITH TIME ZONE' THEN typeof("+x[0]+") ELSE 'TIMESTAMP' END")
		}
		return "CASE WHEN " + moments + " THEN " + to("generate_series("+moment(x[0])+", "+moment(x[1])+", "+pace+")", kind) +
			" WHEN sign(" + until + " - " + from + ") * sign(" + step + ") < 0 THEN " +
			failing(to("[]", kind), "'sequence stop value should be greater than or equal to start value if step is greater than zero, and less than or equal to it otherwise'") +
			" ELSE " + to("generate_series("+from+", "+until+", "+step+")", kind) + " END"
	}), nil
}
