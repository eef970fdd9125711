package sqlite

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"tarn/embedded/record"
)

// typeOf maps a declared type by SQLite's rules of affinity (datatype3.html, section 3.1):
// INTEGER to long, REAL to double, TEXT to string, BLOB to binary. A column without a type
// is string, for that is what such columns mostly hold. NUMERIC is string too, because a double would not hold its decimals, and numeric tells that numbers in
// it are rendered as text; BOOL is long, as SQLite stores it.
func typeOf(declared string, strict bool) (t record.Type, numeric bool) {
	d := strings.ToUpper(declared)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(d, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return record.Long, false
	case d == "", has("CHAR", "CLOB", "TEXT"), strict && d == "ANY":
		return record.String, false
	case has("BLOB"):
		return record.Binary, false
	case has("REAL", "FLOA", "DOUB"): //nolint:misspell // SQLite looks for these letters
		return record.Double, false
	case strings.HasPrefix(d, "BOOL"):
		return record.Long, false
	}
	return record.String, true
}

// numericColumns tells for each column whether its numbers are rendered as text.
func (d *definition) numericColumns() []bool {
	out := make([]bool, len(d.Columns))
	for i, c := range d.Columns {
		_, out[i] = typeOf(c.Declared, d.Strict)
	}
	return out
}

// value makes a cell of what the driver read. Nothing is lost: a number in a NUMERIC
// column becomes the text of the same number.
func value(v any, numeric bool) record.Value {
	switch v := v.(type) {
	case int64:
		if numeric {
			return record.Value{Kind: record.TextKind, B: strconv.AppendInt(nil, v, 10)}
		}
		return record.Value{Kind: record.IntKind, I: v}
	case float64:
		if numeric {
			return record.Value{Kind: record.TextKind, B: decimal(v)}
		}
		return record.Value{Kind: record.FloatKind, F: v}
	case string:
		return record.Value{Kind: record.TextKind, B: []byte(v)}
	case []byte:
		return record.Value{Kind: record.BytesKind, B: bytes.Clone(v)}
	}
	return record.Value{}
}

// The doubles between which decimal writes no exponent.
const (
	plainMin = 1e-7
	plainMax = 1e21
)

// decimal is the shortest decimal that reads back to the same double.
func decimal(f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return []byte("Infinity")
	case math.IsInf(f, -1):
		return []byte("-Infinity")
	}
	if a := math.Abs(f); a != 0 && (a < plainMin || a >= plainMax) {
		return strconv.AppendFloat(nil, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(nil, f, 'f', -1, 64)
}

// same tells whether two cells are the same to the bit.
func same(a, b any) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case int64:
		y, ok := b.(int64)
		return ok && x == y
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	case string:
		y, ok := b.(string)
		return ok && x == y
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	}
	return false
}

// sizeOf is about the memory that a cell takes.
func sizeOf(v any) int {
	const plain = 16
	switch v := v.(type) {
	case string:
		return plain + len(v)
	case []byte:
		return plain + len(v)
	}
	return plain
}

// cellText carries a cell of a key in a position: a letter for its kind, then the cell.
func cellText(v any) string {
	switch v := v.(type) {
	case int64:
		return "i" + strconv.FormatInt(v, 10)
	case float64:
		return "f" + strconv.FormatUint(math.Float64bits(v), 16)
	case string:
		return "t" + strconv.QuoteToASCII(v)
	case []byte:
		return fmt.Sprintf("b%x", v)
	}
	return "n"
}

// parseCell reads what cellText wrote.
func parseCell(s string) (any, error) {
	if s == "" {
		return nil, fmt.Errorf("read a position: empty cell")
	}
	switch s[0] {
	case 'i':
		return strconv.ParseInt(s[1:], 10, 64)
	case 'f':
		bits, err := strconv.ParseUint(s[1:], 16, 64)
		return math.Float64frombits(bits), err
	case 't':
		return strconv.Unquote(s[1:])
	case 'b':
		out := make([]byte, (len(s)-1)/2)
		_, err := fmt.Sscanf(s[1:], "%x", &out)
		if len(s) == 1 {
			err = nil
		}
		return out, err
	}
	return nil, nil
}
