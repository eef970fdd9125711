package envelope

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"tarn/embedded/record"
)

// appendCell renders a cell by its kind. Text must be UTF-8.
func appendCell(dst []byte, c *record.Column, v record.Value) []byte {
	switch v.Kind {
	case record.IntKind:
		return strconv.AppendInt(dst, v.I, 10)
	case record.BoolKind:
		return strconv.AppendBool(dst, v.I != 0)
	case record.FloatKind:
		return appendDouble(dst, v.F, bitsOf(c.Type))
	case record.TextKind:
		return AppendText(dst, v.B)
	case record.BytesKind:
		return appendBase64(dst, v.B)
	}
	return append(dst, "null"...)
}

// bitsOf is the size of a column's floating numbers.
func bitsOf(t record.Type) int {
	if t == record.Float {
		return 32
	}
	return 64
}

// appendDouble renders the shortest text that reads back to the same bits; a point or an
// exponent keeps it a double for readers that guess.
func appendDouble(dst []byte, f float64, size int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, size)
	if bytes.ContainsAny(dst[at:], ".e") {
		return dst
	}
	return append(dst, ".0"...)
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

const hexDigits = "0123456789ABCDEF"

// AppendText renders a text, which is UTF-8, as a JSON string.
func AppendText[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(append(dst, s[from:i]...), '\\')
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, c)
		case '\n':
			dst = append(dst, 'n')
		case '\r':
			dst = append(dst, 'r')
		case '\t':
			dst = append(dst, 't')
		case '\b':
			dst = append(dst, 'b')
		case '\f':
			dst = append(dst, 'f')
		default:
			dst = append(dst, 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// appendName renders the name of a column or a table. Bytes that are not UTF-8, which no
// sane name has, become U+FFFD.
func appendName(dst []byte, name string) []byte {
	return AppendText(dst, strings.ToValidUTF8(name, "\uFFFD"))
}

// escapes bounds the bytes that escaping, or base64 in Extra, adds to a text.
func escapes(s []byte) int {
	n := 0
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			n += 5
		}
	}
	return n
}
