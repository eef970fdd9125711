//go:build duckdb_arrow

package catalog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// The types of texts with a length, as they are spelled in casts: DuckDB's parser would leave the length out. They are as long as the words for them.
const (
	cutSpelled    = "tarn_vc"   // varchar(n), character varying(n)
	charSpelled   = "t_ch"      // char(n)
	longSpelled   = "tarn_char" // character(n)
	blanksSpelled = "t_bpch"    // bpchar(n)
)

// lengths are those words.
var lengths = map[string]string{"varchar": cutSpelled, "char": charSpelled, "character": longSpelled, "bpchar": blanksSpelled}

// spellLength writes such a word over, which the token is with which the type of a cast begins.
func spellLength(out []byte, tokens []sqltext.Token, i int) {
	if tokens[i].Kind != sqltext.Word {
		return // "char" is another type
	}
	spelled, next := lengths[strings.ToLower(tokens[i].Text)], i+1
	if next < len(tokens) && tokens[next].Is("varying") {
		if spelled != longSpelled {
			return // "char varying" has no room for the word
		}
		spelled, next = cutSpelled+"  ", i+2
	}
	if sized := next < len(tokens) && tokens[next].Is("("); spelled == "" || !sized && spelled != charSpelled && spelled != longSpelled {
		return
	}
	copy(out[tokens[i].Offset:], spelled)
	if next == i+2 {
		copy(out[tokens[i+1].Offset:], strings.Repeat(" ", len(tokens[i+1].Text)))
	}
}

// cut is a cast to a text of n letters at most. Those of char(n) are kept without the blanks behind them, which mean nothing in PostgreSQL either.
func cut(blanks bool) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		n := 1 // of char by itself
		if len(args) == 2 {
			var err error
			if n, err = strconv.Atoi(args[1].Number); err != nil || n < 1 {
				return "", fault.New(fault.Invalid, "length for type varchar must be at least 1", "write varchar(10), say")
			}
		}
		said := "left(" + textOf(args[0], "$1") + ", " + strconv.Itoa(n) + ")"
		if blanks {
			said = "rtrim(" + said + ", ' ')"
		}
		return said, nil
	}
}

// textOf is a value as PostgreSQL writes it.
func textOf(a sqltext.Argument, mark string) string {
	if a.Text != nil {
		return mark
	}
	return cmp.Or(otherText(a, mark), plainText(mark))
}

func plainText(mark string) string { return "CAST(" + mark + " AS VARCHAR)" }

// otherText is a value as PostgreSQL writes it, where DuckDB's text of its type is another; "" elsewhere.
func otherText(a sqltext.Argument, mark string) string {
	if a.Type == "" { // DuckDB tells of no list that it is one
		a.Type = a.Says
	}
	switch {
	case a.Text != nil:
	case a.Type == "DOUBLE", a.Type == "FLOAT":
		return `regexp_replace(` + plainText(mark) + `, '\.0$', '')`
	case a.Type == "BLOB":
		return `'\x' || lower(hex(` + mark + `))`
	case a.Type == "INTERVAL":
		return `regexp_replace(regexp_replace(replace(` + plainText(mark) + `, 'month', 'mon'), '-1 (year|mon|day)\b', '-1 \1s', 'g'), '(-[0-9]+ [a-z]+) ([0-9])', '\1 +\2', 'g')`
	case a.Type == "LIST", strings.HasSuffix(a.Type, "[]") && strings.Count(a.Type, "[") == 1:
		return `CASE WHEN len(` + mark + `) = 0 THEN '{}' ELSE '{' || array_to_string(list_transform(` + mark + `, lambda tarn_x: CASE WHEN tarn_x IS NULL THEN 'NULL' ` +
			`WHEN regexp_full_match(CAST(tarn_x AS VARCHAR), '[^\s{}",\\]+') AND upper(CAST(tarn_x AS VARCHAR)) <> 'NULL' THEN CAST(tarn_x AS VARCHAR) ` +
			`ELSE '"' || replace(replace(CAST(tarn_x AS VARCHAR), '\', '\\'), '"', '\"') || '"' END), ',') || '}' END`
	}
	return ""
}

// toText is a cast to a text.
func toText(args []sqltext.Argument) (string, error) {
	if said := otherText(args[0], "$1"); len(args) == 1 && said != "" {
		return "(" + said + ")", nil
	}
	return "", nil
}

// textAsked tells of which casts to a text the type has to be known.
func textAsked(args []sqltext.Argument) bool {
	if len(args) != 1 || args[0].Text != nil || args[0].Class == "PARAMETER" || args[0].Class == "CONSTANT" {
		return false
	}
	said, _ := toText(args)
	return args[0].Type == "" || said != ""
}

// ofTexts is a function that makes one text of values: true is t there.
func ofTexts(name string, from int) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		parts, other := make([]string, len(args)), false
		for i, a := range args {
			mark := "$" + strconv.Itoa(i+1)
			parts[i] = mark
			switch said := otherText(a, mark); {
			case i < from || strings.HasSuffix(a.Type, "]") || a.Type == "LIST":
			case a.Type == "BOOLEAN" || a.Class == "COMPARISON" || a.Class == "CONJUNCTION":
				parts[i], other = "left(CAST("+mark+" AS VARCHAR), 1)", true
			case said != "":
				parts[i], other = said, true
			}
		}
		if !other {
			return "", nil
		}
		return name + "(" + strings.Join(parts, ", ") + ")", nil
	}
}

// joinedTexts is x || y, of which one side may have another text than DuckDB's.
func joinedTexts(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || !slices.ContainsFunc(args, func(a sqltext.Argument) bool { return a.Type == "DOUBLE" || a.Type == "FLOAT" || a.Type == "INTERVAL" }) {
		return "", nil
	}
	return "(" + textOf(args[0], "$1") + ") || (" + textOf(args[1], "$2") + ")", nil
}

// texted is || where it is no list's and no json's.
func texted(of sqltext.Typed) sqltext.Typed {
	const plain = "(CAST($1 AS VARCHAR) || CAST($2 AS VARCHAR))"
	asked := func(args []sqltext.Argument) bool { said, _ := joinedTexts(args); return said != "" }
	out := of
	out.When = func(args []sqltext.Argument) bool { return of.When(args) || asked(args) }
	out.Probe = func(args []sqltext.Argument) (string, error) {
		if !of.When(args) {
			return plain, nil
		}
		return of.Probe(args)
	}
	out.Says = func(args []sqltext.Argument) (string, error) {
		if asked(args) && !of.When(args) {
			return joinedTexts(args)
		}
		return of.Says(args)
	}
	return out
}

// widened is an operator of numbers whose type DuckDB takes from the smaller side: a whole number that is written out is an integer, and a real with
// another number is a double.
func widened(operator string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 {
			return "", nil
		}
		for i, a := range args {
			of, said := args[1-i], []string{"$1", "$2"}
			switch {
			case a.Type == "FLOAT" && (familyOf(of) == integer || familyOf(of) == numeric || of.Number != ""):
				return "(CAST($1 AS DOUBLE) " + operator + " CAST($2 AS DOUBLE))", nil
			case (a.Type == "SMALLINT" || a.Type == "TINYINT") && writtenInteger(of):
				said[1-i] = "CAST(" + said[1-i] + " AS INTEGER)"
				return "(" + said[0] + " " + operator + " " + said[1] + ")", nil
			}
		}
		return "", nil
	}
}

// writtenInteger tells whether a side is a whole number that is written out and has room in an integer.
func writtenInteger(a sqltext.Argument) bool { return a.Number != "" && a.Type == "INTEGER" }

// rounding is a function that PostgreSQL has of doubles and of numerics alone.
func rounding(name string) sqltext.Typed {
	return sqltext.Typed{
		Probe: func(args []sqltext.Argument) (string, error) { return called(name, len(args)), nil },
		When: func(args []sqltext.Argument) bool {
			return len(args) == 1 && args[0].Class != "PARAMETER" || len(args) == 2 && strings.HasPrefix(args[1].Number, "-")
		},
		Says: func(args []sqltext.Argument) (string, error) {
			if len(args) == 2 { // of a number of fewer digits DuckDB makes 0
				if of := familyOf(args[0]); of == numeric || of == integer {
					return "CAST(" + name + "(CAST($1 AS DECIMAL(38,10)), $2) AS DECIMAL(38,0))", nil
				}
				return "", nil
			}
			switch of := familyOf(args[0]); {
			case (of == integer || of == float) && name == "round":
				return "round_even(CAST($1 AS DOUBLE), 0)", nil
			case of == integer || of == float:
				return "CAST(" + name + "(CAST($1 AS DOUBLE)) AS DOUBLE)", nil
			case of == numeric && name == "sign":
				return "CAST(sign($1) AS DECIMAL(1,0))", nil
			case name == "round":
				return round(args)
			}
			return "", nil
		},
	}
}

// integers are the types of whole numbers as numerics, with no more digits than they have, so that there is room for a scale beside them.
var integers = map[string]string{"TINYINT": "DECIMAL(3,0)", "SMALLINT": "DECIMAL(5,0)", "INTEGER": "DECIMAL(10,0)", "BIGINT": "DECIMAL(19,0)", "UTINYINT": "DECIMAL(3,0)", "USMALLINT": "DECIMAL(5,0)", "UINTEGER": "DECIMAL(10,0)"}

// remainder is x % y.
func remainder(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && (args[0].Type == "SMALLINT" && writtenInteger(args[1]) || args[1].Type == "SMALLINT" && writtenInteger(args[0])) {
		return "(CAST($1 AS INTEGER) % CASE WHEN $2 = 0 THEN " + byZero + " ELSE $2 END)", nil
	}
	if said, err := ofOther(args, divided("%")); said != "" || err != nil {
		return said, err
	}
	return divided("%")(args)
}

// exactDigits are the most of a number with an exponent that is a numeric: very large ones and very small ones have room beside each other as doubles alone.
const exactDigits = 18

// exact is a number with an exponent as PostgreSQL has it: a numeric, where it has no more digits than that.
func exact(number string) string {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return ""
	}
	said := strconv.FormatFloat(v, 'f', -1, 64)
	if digits := len(strings.ReplaceAll(said, ".", "")); digits > exactDigits {
		return ""
	} else if !strings.Contains(said, ".") {
		return fmt.Sprintf("CAST(%s AS DECIMAL(%d,0))", said, digits)
	}
	return said
}

// bytesText are bytes in PostgreSQL's form, of which DuckDB would take but the first for bytes.
var bytesText = regexp.MustCompile(`^\\x([0-9A-Fa-f]{2})*$`)

// bytesOf are the bytes that a text says, $1.
const bytesOf = `CASE WHEN regexp_full_match($1, '\\x([0-9A-Fa-f]{2})*') THEN unhex(substr($1, 3)) ELSE CAST($1 AS BLOB) END`

// toBytes is a cast to bytes.
func toBytes(args []sqltext.Argument) (string, error) {
	if args[0].Text != nil && bytesText.MatchString(*args[0].Text) {
		return "unhex(" + duck.Quote((*args[0].Text)[2:]) + ")", nil
	}
	return "", nil
}

// comparisons are the operators that compare, as DuckDB calls them.
var comparisons = map[string]string{
	"COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_LESSTHANOREQUALTO": "<=", "COMPARE_GREATERTHAN": ">", "COMPARE_GREATERTHANOREQUALTO": ">=",
}

// comparedBytes are those of a column of bytes with a literal text.
func comparedBytes() map[string]sqltext.Template {
	all := map[string]sqltext.Template{}
	for name, operator := range comparisons {
		all[name] = func(args []sqltext.Argument) (string, error) {
			said := []string{"$1", "$2"}
			for i, a := range args {
				if of := args[1-i]; cmp.Or(of.Type, of.Says, of.Kind) != "BLOB" || a.Text == nil || !bytesText.MatchString(*a.Text) {
					continue
				}
				said[i] = "unhex(" + duck.Quote((*a.Text)[2:]) + ")"
				return "(" + said[0] + " " + operator + " " + said[1] + ")", nil
			}
			return "", nil
		}
	}
	return all
}

var (
	beforeChrist = regexp.MustCompile(`(?i)[0-9]\s*BC\s*$`)
	withoutSecs  = regexp.MustCompile(`^(\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2})(\s*[+-][0-9:]+\s*)$`)
)

// toTime is a cast of a literal text to a date or a time.
func toTime(typ string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		switch text := args[0].Text; {
		case text == nil:
		case beforeChrist.MatchString(*text):
			return "", fault.New(fault.Invalid, "dates before Christ are not read here: the years are counted otherwise", "take one from the year 1 on")
		case strings.HasPrefix(typ, "TIMESTAMP") && withoutSecs.MatchString(*text):
			return "CAST(" + duck.Quote(withoutSecs.ReplaceAllString(*text, "$1:00$2")) + " AS " + typ + ")", nil
		}
		return "", nil
	}
}

// regexpReplace has \& for the whole of what is found.
func regexpReplace(args []sqltext.Argument) (string, error) {
	if len(args) < 3 || args[2].Text == nil || !strings.Contains(*args[2].Text, `\&`) {
		return "", nil
	}
	marks := []string{"$1", "$2", duck.Quote(strings.ReplaceAll(*args[2].Text, `\&`, `\0`))}
	for i := 3; i < len(args); i++ {
		marks = append(marks, "$"+strconv.Itoa(i+1))
	}
	return "regexp_replace(" + strings.Join(marks, ", ") + ")", nil
}

// splitPart by nothing is the whole text.
func splitPart(args []sqltext.Argument) (string, error) {
	if len(args) == 3 && args[1].Text != nil && *args[1].Text == "" {
		return "CASE WHEN abs($3) = 1 THEN $1 ELSE '' END", nil
	}
	return "", nil
}

// timezone of a date is that of its midnight in the session's zone.
func timezone(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && args[1].Type == "DATE" {
		return "timezone($1, CAST($2 AS TIMESTAMPTZ))", nil
	}
	return "", nil
}
