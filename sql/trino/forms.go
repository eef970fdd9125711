package trino

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"tarn/embedded/sqltext"
)

// insert writes a text at a place of the statement, in front of what stands there.
func (r *rewriter) insert(offset int, text string) {
	if r.from < offset {
		r.b.WriteString(r.source[r.from:offset])
		r.from = offset
	}
	r.b.WriteString(text)
	r.pieces = append(r.pieces, piece{r.from, r.b.Len()})
}

// afterValues are the words that end the rows of VALUES.
var afterValues = map[string]bool{"order": true, "limit": true, "offset": true, "fetch": true, "union": true, "except": true, "intersect": true}

// values puts parentheses around the rows of VALUES that have none, and takes ROW off those that are whole rows.
func (r *rewriter) values(i int) {
	start := i + 1
	row := func(end int) {
		switch {
		case start >= end, r.are(start, "(") && r.closing(start) == end-1:
		case r.are(start, "row", "(") && r.closing(start+1) == end-1:
			r.instead[start] = ""
		default:
			r.before[start] += "("
			r.after[end-1] += ")"
		}
	}
	depth := 0
	at := start
	for ; at < len(r.tokens); at++ {
		t := r.at(at)
		switch {
		case t.Is("("):
			if last := r.closing(at); last > 0 {
				at = last
			}
			continue
		case t.Is("["), t.Is("{"):
			depth++
		case t.Is("]"), t.Is("}"):
			depth--
		case depth == 0 && t.Is(","):
			row(at)
			start = at + 1
			continue
		}
		if depth == 0 && (t.Is(")") || t.Is(";") || t.Kind == sqltext.Word && afterValues[strings.ToLower(t.Text)]) {
			break
		}
	}
	row(at)
}

// clocks are the functions of the time that may say how many digits they have, which is six here.
var clocks = map[string]string{"current_timestamp": "now()", "localtimestamp": "current_localtimestamp()", "localtime": "CAST(current_localtimestamp() AS TIME)"}

func (r *rewriter) clock(i int, name string) int {
	switch {
	case r.are(i-1, "."), r.are(i-1, "as"):
		return 0
	case r.are(i+1, "(") && r.at(i+2).Kind == sqltext.Number && r.are(i+3, ")"):
		return r.put(i, i+4, clocks[name])
	case !r.are(i+1, "("):
		return r.put(i, i+1, clocks[name])
	}
	return 0
}

// unicodeText is U&'…', with UESCAPE or without: \00e9 and \+01F600 are characters.
func (r *rewriter) unicodeText(i int) (int, error) {
	text, escape, n := r.at(i+2).Value(), "\\", 3
	if r.are(i+3, "uescape") && r.at(i+4).Kind == sqltext.String {
		escape, n = r.at(i+4).Value(), 5
	}
	var out strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, escape)
		out.WriteString(before)
		if text = rest; !found {
			break
		}
		if strings.HasPrefix(text, escape) {
			out.WriteString(escape)
			text = text[len(escape):]
			continue
		}
		digits := 4
		if strings.HasPrefix(text, "+") {
			text, digits = text[1:], 6
		}
		code := text[:min(digits, len(text))]
		number, err := strconv.ParseUint(code, 16, 32)
		if err != nil || len(code) < digits || !utf8.ValidRune(rune(number)) {
			return 0, unsupported("write four hexadecimal digits, or a plus and six", "%s%s is no character", escape, code)
		}
		out.WriteRune(rune(number))
		text = text[digits:]
	}
	return r.put(i, i+n, sqltext.Literal(out.String())), nil
}

// intervalUnits are those of INTERVAL '…' a TO b, the largest first.
var intervalUnits = []string{"year", "month", "day", "hour", "minute", "second"}

func unitAt(t sqltext.Token) int {
	for i, u := range intervalUnits {
		if t.Is(u) {
			return i
		}
	}
	return -1
}

// interval is INTERVAL '1-2' YEAR TO MONTH, INTERVAL '1 02:03' DAY TO MINUTE, and INTERVAL -'3' DAY: DuckDB has the plain one alone.
func (r *rewriter) interval(i int) (int, error) {
	sign, at := "", i+1
	if r.are(at, "-") || r.are(at, "+") {
		sign = strings.Trim(r.at(at).Text, "+")
		at++
	}
	first := unitAt(r.at(at + 1))
	if r.at(at).Kind != sqltext.String || first < 0 {
		return 0, nil
	}
	text, last, end := strings.TrimSpace(r.at(at).Value()), first, at+2
	if r.are(at+2, "to") && unitAt(r.at(at+3)) > first {
		last, end = unitAt(r.at(at+3)), at+4
	}
	if sign == "" && last == first {
		return 0, nil
	}
	if strings.HasPrefix(text, "-") {
		text = text[1:]
		if sign == "" {
			sign = "-"
		} else {
			sign = ""
		}
	}
	parts := strings.FieldsFunc(text, func(c rune) bool { return c == '-' || c == ' ' || c == ':' })
	if len(parts) == 0 || len(parts) > last-first+1 {
		return 0, unsupported("write INTERVAL '1-2' YEAR TO MONTH, say", "%q is no interval", text)
	}
	said := make([]string, len(parts))
	for n, p := range parts {
		said[n] = sign + p + " " + intervalUnits[first+n] + "s"
	}
	return r.put(i, end, "INTERVAL "+sqltext.Literal(strings.Join(said, " "))), nil
}

// nulls is IGNORE NULLS or RESPECT NULLS behind a call, which DuckDB has within it.
func (r *rewriter) nulls(i int) int {
	switch {
	case r.are(i+1, "ignore", "nulls", "over"):
		return r.put(i, i+3, " IGNORE NULLS)")
	case r.are(i+1, "respect", "nulls", "over"):
		return r.put(i, i+3, ")")
	}
	return 0
}

// overflow takes ON OVERFLOW … off the arguments of LISTAGG: texts have no bound here.
func (r *rewriter) overflow(i, last int) {
	for at := i; at < last; at = r.beyond(at) {
		if r.are(at, "on", "overflow") {
			for ; at < last; at++ {
				r.instead[at] = ""
			}
		}
	}
}

// members writes the arguments of JSON_OBJECT and JSON_ARRAY as those of a function.
func (r *rewriter) members(i int, name string) {
	last := r.closing(i + 1)
	depth := 0
	for at := i + 2; at < last; at++ {
		t := r.at(at)
		switch {
		case t.Is("("):
			if end := r.closing(at); end > 0 {
				at = end
			}
			continue
		case t.Is("["), t.Is("{"):
			depth++
		case t.Is("]"), t.Is("}"):
			depth--
		case depth > 0:
		case t.Is("key") && (r.are(at-1, "(") || r.are(at-1, ",")) && !r.are(at+1, ":"):
			r.instead[at] = ""
		case name == "json_object" && (t.Is("value") && !r.are(at-1, ",") && !r.are(at-1, "(") || t.Is(":") && !r.are(at+1, ":") && !r.are(at-1, ":")):
			r.instead[at] = ", "
		case r.are(at, "null", "on", "null"), r.are(at, "absent", "on", "null"):
			if t.Is("absent") == (name == "json_object") {
				r.instead[i] = name + "_otherwise"
			}
			r.instead[at], r.instead[at+1], r.instead[at+2] = "", "", ""
			at += 2
		}
	}
}

// beyond is the token behind one, or behind the parentheses that open with it.
func (r *rewriter) beyond(i int) int {
	if last := r.closing(i); last > i {
		return last + 1
	}
	return i + 1
}
