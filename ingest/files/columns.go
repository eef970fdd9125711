package files

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/jsonscan"
)

// columnType is a declared type.
type columnType struct {
	t                record.Type
	precision, scale int // of a decimal
}

// typeWords are the types that columns declares, beside decimal(p,s).
var typeWords = map[string]record.Type{
	"boolean": record.Boolean, "int": record.Int, "long": record.Long, "double": record.Double, "string": record.String,
	"date": record.Date, "timestamp": record.TimestampTZ, "uuid": record.UUID,
}

const typeHint = "write name:type, …; the types are boolean, int, long, double, decimal(p,s), string, date, timestamp, uuid"

var decimalWord = regexp.MustCompile(`^decimal\((\d{1,2}),(\d{1,2})\)$`)

// column is one that is declared.
type column struct {
	name string
	columnType
}

// columnsOf reads "name:type, name:decimal(10,2)".
func columnsOf(text string) ([]column, error) {
	var out []column
	for text = strings.TrimSpace(text); text != ""; {
		name, rest, ok := strings.Cut(text, ":")
		word, _ := rest, ""
		end := strings.IndexByte(rest, ',')
		if open := strings.IndexByte(rest, '('); open >= 0 && open < end {
			if end = strings.IndexByte(rest, ')') + 1; end > 0 && end < len(rest) && rest[end] != ',' {
				return nil, fmt.Errorf("has %q behind a type", rest[end:])
			}
		}
		if text = ""; end >= 0 && end < len(rest) {
			word, text = rest[:end], strings.TrimSpace(rest[end+1:])
		}
		name, word = strings.TrimSpace(name), strings.ReplaceAll(strings.ToLower(word), " ", "")
		c := column{name, columnType{t: typeWords[word]}}
		if m := decimalWord.FindStringSubmatch(word); m != nil {
			c.precision, _ = strconv.Atoi(m[1])
			c.scale, _ = strconv.Atoi(m[2])
			if c.precision >= 1 && c.precision <= 38 && c.scale <= c.precision {
				c.t = record.Type(fmt.Sprintf("decimal(%d,%d)", c.precision, c.scale))
			}
		}
		if !ok || name == "" || c.t == "" {
			return nil, fmt.Errorf("has %q for column %q", word, name)
		}
		out = append(out, c)
	}
	return out, nil
}

// timeLayouts are the forms of a timestamp; one without a zone is in UTC.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04", "02/Jan/2006:15:04:05 -0700",
}

// append renders a cell of a declared type. An empty one is null, but for a text.
func (c *columnType) append(dst, cell []byte) (_ []byte, why string) {
	if c.t == record.String {
		return envelope.AppendText(dst, cell), ""
	}
	text := string(bytes.TrimSpace(cell))
	if text == "" {
		return append(dst, "null"...), ""
	}
	switch c.t {
	case record.Int, record.Long:
		bits := 64
		if c.t == record.Int {
			bits = 32
		}
		if n, err := strconv.ParseInt(text, 10, bits); err == nil {
			return strconv.AppendInt(dst, n, 10), ""
		}
	case record.Double:
		if number.MatchString(text) {
			if _, err := strconv.ParseFloat(text, 64); err == nil {
				return append(dst, text...), ""
			}
		}
	case record.Boolean:
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil {
			return strconv.AppendBool(dst, b), ""
		}
	case record.Date:
		if _, ok := jsonscan.Date([]byte(text)); ok {
			return envelope.AppendText(dst, text), ""
		}
	case record.TimestampTZ:
		for _, layout := range timeLayouts {
			if at, err := time.Parse(layout, text); err == nil {
				return envelope.AppendText(dst, at.UTC().Format(time.RFC3339Nano)), ""
			}
		}
	case record.UUID:
		if uuidText.MatchString(text) {
			return envelope.AppendText(dst, text), ""
		}
	default:
		if exact(text, c.precision, c.scale) {
			return envelope.AppendText(dst, text), ""
		}
	}
	return dst, fmt.Sprintf("%.100q is no %s", text, c.t)
}

// exact tells whether a decimal column holds the text without rounding.
func exact(text string, precision, scale int) bool {
	if point := strings.IndexByte(text, '.'); point >= 0 && len(text)-point-1 > scale || strings.ContainsAny(text, "eE") {
		return false
	}
	_, ok := jsonscan.Decimal([]byte(text), precision, scale)
	return ok
}

var (
	integer  = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)
	number   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)
	uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
)

// The kinds of cells that are told by looking at some.
const (
	unknownCells = '?'
	longCells    = 'l'
	doubleCells  = 'd'
	booleanCells = 'b'
	textCells    = 's'
)

// kindOf is the kind of one cell.
func kindOf(cell []byte) byte {
	switch {
	case len(cell) == 0:
		return unknownCells
	case integer.Match(cell):
		return longCells
	case number.Match(cell):
		return doubleCells
	case string(cell) == "true" || string(cell) == "false":
		return booleanCells
	}
	return textCells
}

// both is the kind of a column with cells of both kinds.
func both(a, b byte) byte {
	switch {
	case a == b || b == unknownCells:
		return a
	case a == unknownCells:
		return b
	case a == longCells && b == doubleCells, a == doubleCells && b == longCells:
		return doubleCells
	}
	return textCells
}

// appendAs renders a cell of a column of that kind; one of another kind stays a text, which landing
// keeps beside the column.
func appendAs(dst []byte, kind byte, cell []byte) []byte {
	switch got := kindOf(cell); {
	case kind == textCells:
	case got == unknownCells:
		return append(dst, "null"...)
	case got == kind, kind == doubleCells && got == longCells:
		return append(dst, cell...)
	}
	return envelope.AppendText(dst, cell)
}
