//go:build duckdb_arrow

package catalog

import (
	"fmt"
	"strconv"
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
		case strings.HasPrefix(rest, "IDDD"):
			return "", fault.New(fault.Invalid, "there is no pattern IDDD of times here", "take DDD, IYYY and IW")
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

// ofNumbers tells whether a pattern is one of numbers.
func ofNumbers(pattern string) bool {
	return strings.ContainsAny(pattern, "90") && strings.Trim(pattern, "90.,GDFM") == ""
}

func toChar(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[1].Text == nil {
		return "", fault.New(fault.Invalid, "to_char takes a pattern that is no expression", "write it as a text")
	}
	pattern := *args[1].Text
	if ofNumbers(pattern) {
		return numberChar(pattern)
	}
	return timeChar(pattern)
}

// charWords are the patterns that strftime has none for. With blanks a name is filled up to nine letters, unless FM is before it.
var charWords = []struct {
	word, said string
	blanks     bool
}{
	{"MONTH", "upper(strftime($1, '%B'))", true},
	{"Month", "strftime($1, '%B')", true},
	{"month", "lower(strftime($1, '%B'))", true},
	{"DAY", "upper(strftime($1, '%A'))", true},
	{"Day", "strftime($1, '%A')", true},
	{"day", "lower(strftime($1, '%A'))", true},
	{"MON", "upper(strftime($1, '%b'))", false},
	{"mon", "lower(strftime($1, '%b'))", false},
	{"DY", "upper(strftime($1, '%a'))", false},
	{"dy", "lower(strftime($1, '%a'))", false},
	{"am", "lower(strftime($1, '%p'))", false},
	{"pm", "lower(strftime($1, '%p'))", false},
	{"WW", "lpad(CAST((dayofyear($1) - 1) // 7 + 1 AS VARCHAR), 2, '0')", false},
	{"W", "CAST((day($1) - 1) // 7 + 1 AS VARCHAR)", false},
	{"Q", "CAST(quarter($1) AS VARCHAR)", false},
	{"D", "CAST(dayofweek($1) + 1 AS VARCHAR)", false},
}

// timeChar writes a time by a pattern: what strftime has, and between it what it has not.
func timeChar(pattern string) (string, error) {
	var parts []string
	plain := ""
	flush := func() error {
		if plain == "" {
			return nil
		}
		of, err := timeFormat(plain)
		parts, plain = append(parts, "strftime($1, "+duck.Quote(of)+")"), ""
		return err
	}
	for i := 0; i < len(pattern); {
		rest := pattern[i:]
		if end := strings.IndexByte(rest[1:], '"'); rest[0] == '"' && end >= 0 {
			plain, i = plain+rest[:end+2], i+end+2
			continue
		}
		bare, filled := strings.CutPrefix(rest, "FM")
		_, known := timeWord(bare)
		special := -1
		for n, w := range charWords {
			if strings.HasPrefix(bare, w.word) && (len(w.word) > known || w.blanks || known == 2 && w.word == strings.ToLower(bare[:2])) {
				special = n
				break
			}
		}
		if special < 0 {
			n := max(known, 1)
			if filled {
				n += len("FM")
			}
			n = min(n, len(rest))
			plain, i = plain+rest[:n], i+n
			continue
		}
		if err := flush(); err != nil {
			return "", err
		}
		w := charWords[special]
		said := w.said
		if w.blanks && !filled {
			said = "rpad(" + said + ", 9, ' ')"
		}
		parts, i = append(parts, said), i+len(rest)-len(bare)+len(w.word)
	}
	if err := flush(); err != nil {
		return "", err
	}
	if len(parts) == 0 {
		return "strftime($1, '')", nil
	}
	return "(" + strings.Join(parts, " || ") + ")", nil
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

// partSpelled is how date_part is written over, as long but for a blank.
const partSpelled = "datepart"

// datePart has what is beneath a second, and beneath a millisecond, which DuckDB leaves out.
func datePart(args []sqltext.Argument) (string, error) {
	if said, _ := extract(args); said != "" {
		return "CAST(" + said + " AS DOUBLE)", nil
	}
	return "CAST(date_part($1, $2) AS DOUBLE)", nil
}

// extract is a number with as many digits behind the point as its part has.
func extract(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[0].Text == nil {
		return "", nil
	}
	switch strings.ToLower(*args[0].Text) {
	case "second", "seconds", "sec", "secs", "s":
		return "CAST(date_part('microseconds', $2) * 0.000001 AS DECIMAL(18,6))", nil
	case "millisecond", "milliseconds", "msec", "msecs", "ms":
		return "CAST(date_part('microseconds', $2) * 0.001 AS DECIMAL(18,3))", nil
	case "epoch":
		return "CAST(date_part('epoch', $2) AS DECIMAL(18,6))", nil
	case "julian":
		return "", nil
	}
	return "CAST(date_part($1, $2) AS DECIMAL(10,0))", nil
}

// wholeSeconds is how far from 1970 a quotient of an epoch and a whole number of at most 32 bits is never rounded to the next whole number.
const wholeSeconds = 20_000_000_000

// epochFloored is extract(epoch from t) / n within floor, which asks for its whole part alone: that of whole seconds is the same, and has no forty digits,
// of which DuckDB takes off those behind the point bit by bit.
func epochFloored(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[0].Name != "date_part" || !args[0].Plain() || !writtenInteger(args[1]) {
		return "", nil
	}
	part := args[0].Given(0)
	n, _ := strconv.Atoi(args[1].Number) // 0 of what is none, or too large
	if n <= 0 || part == nil || !strings.EqualFold(*part, "epoch") {
		return "", nil
	}
	const seconds = "CAST(floor($1) AS BIGINT)"
	return fmt.Sprintf("CASE WHEN abs($1) >= %d THEN CAST(floor(%s) AS DECIMAL(38,0)) ELSE CAST(%[3]s // $2 - CAST(%[3]s %% $2 < 0 AS BIGINT) AS DECIMAL(38,0)) END",
		wholeSeconds, quotient("$1", "$2", "DECIMAL", true), seconds), nil
}
