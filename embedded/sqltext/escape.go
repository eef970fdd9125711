package sqltext

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errEscape = errors.New("a backslash with what it cannot stand before")

// unescaped is what is between the quotes of E'…', in PostgreSQL's words (section 4.1.2.2 of its manual): \b \f \n \r \t, \o \oo \ooo,
// \xh \xhh, \uXXXX, \UXXXXXXXX, and any other character behind a backslash for itself.
func unescaped(text string) (string, error) {
	var b strings.Builder
	for {
		at := strings.IndexAny(text, `\'`)
		if at < 0 {
			b.WriteString(text)
			if !utf8.ValidString(b.String()) || strings.ContainsRune(b.String(), 0) {
				return "", errEscape
			}
			return b.String(), nil
		}
		b.WriteString(text[:at])
		rest := text[at+1:]
		if rest == "" {
			return "", errEscape
		}
		said, n, err := "'", 1, error(nil) // two of them
		if text[at] == '\\' {
			said, n, err = escape(rest)
		}
		if err != nil {
			return "", err
		}
		b.WriteString(said)
		text = rest[n:]
	}
}

// escape is what stands behind a backslash, and how long it is.
func escape(rest string) (said string, n int, err error) {
	c := rest[0]
	switch {
	case strings.IndexByte("bfnrt", c) >= 0:
		return string("\b\f\n\r\t"[strings.IndexByte("bfnrt", c)]), 1, nil
	case c >= '0' && c <= '7':
		n := digits(rest, 3, "01234567")
		v, _ := strconv.ParseUint(rest[:n], 8, 16)
		return string([]byte{byte(v)}), n, nil //nolint:gosec // as PostgreSQL cuts it
	case c == 'x' && digits(rest[1:], 2, hexDigits) > 0:
		n := digits(rest[1:], 2, hexDigits)
		v, _ := strconv.ParseUint(rest[1:1+n], 16, 8)
		return string([]byte{byte(v)}), 1 + n, nil
	case c == 'u' || c == 'U':
		wide := 4
		if c == 'U' {
			wide = 8
		}
		if digits(rest[1:], wide, hexDigits) < wide {
			return "", 0, errEscape
		}
		v, _ := strconv.ParseUint(rest[1:1+wide], 16, 32)
		if !utf8.ValidRune(rune(v)) { //nolint:gosec // 32 bits, and judged
			return "", 0, errEscape
		}
		return string(rune(v)), 1 + wide, nil //nolint:gosec // as above
	}
	_, n = utf8.DecodeRuneInString(rest)
	return rest[:n], n, nil
}

const hexDigits = "0123456789abcdefABCDEF"

// digits is how many of a text's first characters are of a set, up to most.
func digits(text string, most int, of string) (n int) {
	for n < min(most, len(text)) && strings.IndexByte(of, text[n]) >= 0 {
		n++
	}
	return n
}
