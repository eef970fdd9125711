//go:build duckdb_arrow

package postgres

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// The bounds of what is written in jsonb's form: what is beyond them is written as it is.
const (
	jsonbDepthMax  = 512
	jsonbDigitsMax = 131_072 // of a number, before its point and behind it
)

// jsonbVersion begins a jsonb in binary.
const jsonbVersion = 1

// appendJSONB writes a json as PostgreSQL writes a jsonb: a blank behind each colon and comma, the keys of an object by their length and then
// by their bytes, the last of those that are there twice, numbers without an exponent.
func appendJSONB(b, text []byte) []byte {
	w := jsonbWriter{out: b, in: text}
	if w.blanks(); !w.value(0) {
		return append(b, text...)
	}
	if w.blanks(); len(w.in) > 0 {
		return append(b, text...)
	}
	return w.out
}

// jsonbWriter reads from in and writes to out.
type jsonbWriter struct{ in, out []byte }

func (w *jsonbWriter) blanks() { w.in = bytes.TrimLeft(w.in, " \t\r\n") }

// takes takes a letter, and the blanks behind it.
func (w *jsonbWriter) takes(c byte) bool {
	if len(w.in) == 0 || w.in[0] != c {
		return false
	}
	w.in = w.in[1:]
	w.blanks()
	return true
}

// value writes one value; false where it is none.
func (w *jsonbWriter) value(depth int) bool {
	if depth > jsonbDepthMax || len(w.in) == 0 {
		return false
	}
	switch c := w.in[0]; {
	case c == '{':
		return w.object(depth)
	case c == '[':
		return w.array(depth)
	case c == '"':
		text, ok := w.text()
		if ok {
			w.out = appendJSONText(w.out, text)
		}
		return ok
	case c == '-' || c >= '0' && c <= '9':
		return w.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(w.in, []byte(word)) {
			w.in, w.out = w.in[len(word):], append(w.out, word...)
			return true
		}
	}
	return false
}

func (w *jsonbWriter) array(depth int) bool {
	w.takes('[')
	w.out = append(w.out, '[')
	for n := 0; !w.takes(']'); n++ {
		if n > 0 {
			if !w.takes(',') {
				return false
			}
			w.out = append(w.out, ", "...)
		}
		if !w.value(depth + 1) {
			return false
		}
		w.blanks()
	}
	w.out = append(w.out, ']')
	return true
}

// object writes the members as they come, and sorts what it has written.
func (w *jsonbWriter) object(depth int) bool {
	type member struct {
		key        string
		start, end int // of what was written of it
	}
	var all []member
	w.takes('{')
	begin := len(w.out)
	for n := 0; !w.takes('}'); n++ {
		if n > 0 && !w.takes(',') {
			return false
		}
		key, ok := w.text()
		if w.blanks(); !ok || !w.takes(':') {
			return false
		}
		at := len(w.out)
		w.out = append(appendJSONText(w.out, key), ": "...)
		if !w.value(depth + 1) {
			return false
		}
		all = append(all, member{key, at, len(w.out)})
		w.blanks()
	}
	slices.SortStableFunc(all, func(a, b member) int {
		if len(a.key) != len(b.key) {
			return len(a.key) - len(b.key)
		}
		return strings.Compare(a.key, b.key)
	})
	written := slices.Clone(w.out[begin:])
	w.out = append(w.out[:begin], '{')
	for i, m := range all {
		if i+1 < len(all) && all[i+1].key == m.key {
			continue
		}
		if len(w.out) > begin+1 {
			w.out = append(w.out, ", "...)
		}
		w.out = append(w.out, written[m.start-begin:m.end-begin]...)
	}
	w.out = append(w.out, '}')
	return true
}

// text reads a text.
func (w *jsonbWriter) text() (string, bool) {
	if len(w.in) == 0 || w.in[0] != '"' {
		return "", false
	}
	plain := true
	for i := 1; i < len(w.in); i++ {
		switch w.in[i] {
		case '\\':
			plain = false
			i++
		case '"':
			said := w.in[:i+1]
			w.in = w.in[i+1:]
			if plain {
				return string(said[1:i]), true
			}
			var out string
			err := json.Unmarshal(said, &out)
			return out, err == nil
		}
	}
	return "", false
}

// appendJSONText writes a text with the escapes that PostgreSQL writes.
func appendJSONText(b []byte, text string) []byte {
	b = append(b, '"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		case strings.IndexByte("\b\f\n\r\t", c) >= 0:
			b = append(b, '\\', "bfnrt"[strings.IndexByte("\b\f\n\r\t", c)])
		default:
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	return append(b, '"')
}

// number writes a number as a numeric: as many digits behind the point as were written, less its exponent.
func (w *jsonbWriter) number() bool {
	n := 0
	for n < len(w.in) && strings.IndexByte("+-.eE0123456789", w.in[n]) >= 0 {
		n++
	}
	said := string(w.in[:n])
	w.in = w.in[n:]
	mantissa, power, _ := strings.Cut(strings.ToLower(said), "e")
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || max(exponent, -exponent) > jsonbDigitsMax {
			return false
		}
	}
	digits, scale := whole+fraction, len(fraction)-exponent
	if scale < 0 {
		digits, scale = digits+strings.Repeat("0", -scale), 0
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	if strings.HasPrefix(mantissa, "-") && strings.Trim(digits, "0") != "" {
		w.out = append(w.out, '-')
	}
	before := strings.TrimLeft(digits[:len(digits)-scale], "0")
	if before == "" {
		before = "0"
	}
	w.out = append(w.out, before...)
	if scale > 0 {
		w.out = append(append(w.out, '.'), digits[len(digits)-scale:]...)
	}
	return whole != ""
}
