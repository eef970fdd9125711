//go:build duckdb_arrow

package catalog

import (
	"fmt"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// timeWords are PostgreSQL's patterns of times, the longer before those that they begin with.
var timeWords = []struct{ word, of string }{
	{"YYYY", "%Y"},
	{"YY", "%y"},
	{"MM", "%m"},
	{"Month", "%B"},
	{"Mon", "%b"},
	{"DDD", "%j"},
	{"DD", "%d"},
	{"Day", "%A"},
	{"Dy", "%a"},
	{"HH24", "%H"},
	{"HH12", "%I"},
	{"HH", "%I"},
	{"MI", "%M"},
	{"SS", "%S"},
	{"MS", "%g"},
	{"US", "%f"},
	{"AM", "%p"},
	{"PM", "%p"},
	{"TZ", "%Z"},
	{"IYYY", "%G"},
	{"IW", "%V"},
	{"ID", "%u"},
}

// timeFormat is a pattern of PostgreSQL as strftime has it.
func timeFormat(pattern string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		rest := pattern[i:]
		if strings.HasPrefix(rest, `"`) {
			if end := strings.IndexByte(rest[1:], '"'); end >= 0 {
				b.WriteString(strings.ReplaceAll(rest[1:end+1], "%", "%%"))
				i += end + 2
				continue
			}
		}
		if bare, ok := strings.CutPrefix(rest, "FM"); ok {
			i, rest = i+2, bare
			if of, n := timeWord(rest); n > 0 && (of == "%B" || of == "%A") {
				b.WriteString(of)
				i += n
				continue
			} else if n > 0 && len(of) == 2 && strings.Contains("mdHIMS", of[1:]) {
				b.WriteString("%-" + of[1:])
				i += n
				continue
			}
		}
		of, n := timeWord(rest)
		switch {
		case n > 0 && (of == "%B" || of == "%A"):
			return "", fault.Newf(fault.Invalid, "write FM before it, which leaves out the blanks", "to_char cannot fill %s with blanks", rest[:n])
		case n > 0:
			b.WriteString(of)
			i += n
		case rest[0] >= 'A' && rest[0] <= 'Z' && rest[0] != 'T' || rest[0] >= 'a' && rest[0] <= 'z':
			return "", fault.Newf(fault.Invalid, "take YYYY, MM, DD, HH24, MI, SS, MS, US, Mon, FMMonth, FMDay, Dy, AM, IW; texts stand in double quotes", "there is no pattern %q of times here", rest)
		default:
			b.WriteString(strings.ReplaceAll(rest[:1], "%", "%%"))
			i++
		}
	}
	return b.String(), nil
}

func timeWord(rest string) (of string, n int) {
	for _, w := range timeWords {
		if len(w.word) > n && (strings.HasPrefix(rest, w.word) || !strings.ContainsAny(w.word, "abcdefghijklmnopqrstuvwxyz") && strings.HasPrefix(rest, strings.ToLower(w.word))) {
			of, n = w.of, len(w.word)
		}
	}
	return of, n
}

// numeric tells whether a pattern is one of numbers.
func numeric(pattern string) bool {
	return strings.ContainsAny(pattern, "90") && strings.Trim(pattern, "90.,GDFM") == ""
}

func toChar(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[1].Text == nil {
		return "", fault.New(fault.Invalid, "to_char takes a pattern that is no expression", "write it as a text")
	}
	pattern := *args[1].Text
	if numeric(pattern) {
		return numberChar(pattern)
	}
	of, err := timeFormat(pattern)
	return "strftime($1, " + duck.Quote(of) + ")", err
}

// numberChar writes a number by a pattern such as FM999,990.00. Without FM a place is kept for the sign, and what is
// not filled is blank.
func numberChar(pattern string) (string, error) {
	bare, trimmed := strings.CutPrefix(pattern, "FM")
	bare = strings.NewReplacer("G", ",", "D", ".").Replace(bare)
	whole, fraction, point := strings.Cut(bare, ".")
	digits, grouped := strings.ReplaceAll(whole, ",", ""), strings.Contains(whole, ",")
	zeros := strings.Index(digits, "0") // from there on digits are filled
	switch {
	case strings.Contains(fraction, ",") || strings.Contains(bare, "FM"):
		return "", fault.Newf(fault.Invalid, "such as FM999,990.00", "there is no pattern %q of numbers here", pattern)
	case trimmed && strings.Contains(fraction, "9"):
		return "", fault.Newf(fault.Invalid, "write 0 for each digit behind the point", "to_char cannot leave out digits as %q says", pattern)
	case grouped && zeros >= 0 && len(digits)-zeros > 1:
		return "", fault.Newf(fault.Invalid, "write 0 for the last digit before the point alone", "to_char cannot fill groups with zeros as %q says", pattern)
	case len(digits)+len(fraction) > 38:
		return "", fault.New(fault.Invalid, "to_char writes at most 38 digits", "take fewer")
	}
	body := "CAST(abs(tarn_n) AS VARCHAR)"
	switch {
	case grouped:
		body = "reverse(rtrim(regexp_replace(reverse(split_part(" + body + ", '.', 1)), '([0-9]{3})', '\\1,', 'g'), ','))"
		if len(fraction) > 0 {
			body += fmt.Sprintf(" || right(CAST(abs(tarn_n) AS VARCHAR), %d)", len(fraction)+1)
		}
	case zeros >= 0 && len(digits)-zeros > 1:
		width := len(digits) - zeros
		if len(fraction) > 0 {
			width += 1 + len(fraction)
		}
		body = fmt.Sprintf("repeat('0', %d - length(%s)) || %s", width, body, body)
	}
	if zeros < 0 && point {
		body = "regexp_replace(" + body + ", '^0\\.', '.')"
	}
	over := strings.NewReplacer("9", "#", "0", "#").Replace(bare)
	said := fmt.Sprintf("CASE WHEN tarn_n < 0 THEN '-' ELSE '' END || CASE WHEN abs(tarn_n) >= 1%s THEN '%s' ELSE %s END", strings.Repeat("0", len(digits)), over, body)
	if !trimmed {
		said = fmt.Sprintf("lpad(%s, %d, ' ')", said, len(bare)+1)
	}
	// The lambda has the number once, rounded: what it is made of may be large.
	return fmt.Sprintf("list_transform([CAST($1 AS DECIMAL(38,%d))], lambda tarn_n: %s)[1]", len(fraction), said), nil
}

// dated is a function that reads a time by a pattern.
func dated(said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 || args[1].Text == nil {
			return "", fault.New(fault.Invalid, "the pattern of a time is no expression", "write it as a text")
		}
		of, err := timeFormat(*args[1].Text)
		return fmt.Sprintf(said, duck.Quote(of)), err
	}
}

func toTimestamp(args []sqltext.Argument) (string, error) {
	if len(args) == 1 {
		return "", nil
	}
	return dated("CAST(strptime($1, %s) AS TIMESTAMP WITH TIME ZONE)")(args)
}

// datePart has what is beneath a second, and beneath a millisecond, which DuckDB leaves out.
func datePart(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && args[0].Text != nil {
		switch strings.ToLower(*args[0].Text) {
		case "second", "seconds", "sec", "secs", "s":
			return "date_part('microseconds', $2) / 1e6", nil
		case "millisecond", "milliseconds", "msec", "msecs", "ms":
			return "date_part('microseconds', $2) / 1e3", nil
		}
	}
	return "CAST(date_part($1, $2) AS DOUBLE)", nil
}
