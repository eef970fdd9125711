package proof

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Cell is a value with its storage class in one spelling, whichever of the database, an
// Arrow column or an envelope it was read from: "n", "i:5", "r:<bits in hex>", "t:text",
// "b:<hex>". Two cells are the same value only if they are the same text.
type Cell string

// Null is the cell without a value.
const Null Cell = "n"

func intCell(v int64) Cell    { return Cell("i:" + strconv.FormatInt(v, 10)) }
func realCell(v float64) Cell { return Cell("r:" + strconv.FormatUint(math.Float64bits(v), 16)) }
func textCell(v string) Cell  { return Cell("t:" + v) }
func blobCell(v []byte) Cell  { return Cell("b:" + hex.EncodeToString(v)) }

// Affinity is what SQLite, and so Tarn's type map, makes of a declared type.
type Affinity byte

// The affinities, by https://sqlite.org/datatype3.html section 3.1.
const (
	Integer Affinity = 'i'
	Real    Affinity = 'r'
	Text    Affinity = 't'
	Blob    Affinity = 'b'
	Numeric Affinity = 'n'
)

// AffinityOf reads a declared type.
func AffinityOf(declared string) Affinity {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(strings.ToUpper(declared), w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return Integer
	case declared == "" || has("CHAR", "CLOB", "TEXT"): // without a type: Tarn takes it for text
		return Text
	case has("BLOB"):
		return Blob
	case has("REAL", "FLOA", "DOUB"): //nolint:misspell // SQLite looks for these four letters
		return Real
	}
	return Numeric
}

// sqliteCell is a value as the driver gave it.
func sqliteCell(v any) (Cell, error) {
	switch v := v.(type) {
	case nil:
		return Null, nil
	case int64:
		return intCell(v), nil
	case float64:
		return realCell(v), nil
	case string:
		return textCell(v), nil
	case []byte:
		return blobCell(v), nil
	}
	return "", fmt.Errorf("the driver gave a %T", v)
}

// arrowCell is row i of an Arrow column.
func arrowCell(a arrow.Array, i int) (Cell, error) {
	if a.IsNull(i) {
		return Null, nil
	}
	switch a := a.(type) {
	case *array.Int64:
		return intCell(a.Value(i)), nil
	case *array.Int32:
		return intCell(int64(a.Value(i))), nil
	case *array.Float64:
		return realCell(a.Value(i)), nil
	case *array.Timestamp:
		return intCell(int64(a.Value(i))), nil // microseconds on every side
	case *array.Boolean:
		if a.Value(i) {
			return intCell(1), nil
		}
		return intCell(0), nil
	case *array.String:
		return textCell(a.Value(i)), nil
	case *array.LargeString:
		return textCell(a.Value(i)), nil
	case *array.Binary:
		return blobCell(a.Value(i)), nil
	case *array.LargeBinary:
		return blobCell(a.Value(i)), nil
	}
	return "", fmt.Errorf("a column of type %s", a.DataType())
}

// jsonCell is a member of an envelope's row, decoded with json.Number.
func jsonCell(aff Affinity, v any) (Cell, error) {
	switch v := v.(type) {
	case nil:
		return Null, nil
	case bool:
		if v {
			return intCell(1), nil
		}
		return intCell(0), nil
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			f, err := v.Float64()
			return realCell(f), err
		}
		n, err := v.Int64()
		return intCell(n), err
	case string:
		if aff == Real {
			f, err := strconv.ParseFloat(v, 64)
			return realCell(f), err
		}
		if aff == Blob {
			b, err := base64.StdEncoding.DecodeString(v)
			return blobCell(b), err
		}
		return textCell(v), nil
	}
	return "", fmt.Errorf("a %T in a row", v)
}

// misfit is one member of `_extra`.
type misfit struct {
	Type     string
	Value    any
	Encoding string
}

func (m misfit) cell() (Cell, error) {
	text, isText := m.Value.(string)
	switch {
	case m.Encoding == "base64" && isText:
		b, err := base64.StdEncoding.DecodeString(text)
		return textCell(string(b)), err
	case m.Type == "text" && isText:
		return textCell(text), nil
	case m.Type == "blob":
		return jsonCell(Blob, m.Value)
	case m.Type == "real":
		return jsonCell(Real, m.Value)
	case m.Type == "integer":
		return jsonCell(Integer, m.Value)
	}
	return "", fmt.Errorf("_extra holds %+v", m)
}

func misfits(text string) (map[string]misfit, error) {
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber()
	var m map[string]misfit
	if err := in.Decode(&m); err != nil {
		return nil, fmt.Errorf("_extra is %.100q: %w", text, err)
	}
	return m, nil
}

// alike spells a cell so that what a column's type may rightly do to it does not count: a
// DECIMAL or NUMERIC column is text in the lake, with its numbers written out.
func alike(aff Affinity, c Cell) Cell {
	if aff != Numeric {
		return c
	}
	if text, ok := strings.CutPrefix(string(c), "t:"); ok {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return intCell(n)
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return c
		}
		c = realCell(f)
	}
	if bits, ok := strings.CutPrefix(string(c), "r:"); ok {
		u, _ := strconv.ParseUint(bits, 16, 64)
		const exact = 1 << 62 // below it a whole float64 is that int64
		if f := math.Float64frombits(u); f == math.Trunc(f) && math.Abs(f) < exact {
			return intCell(int64(f))
		}
	}
	return c
}

// Sum is a checksum of a row's cells in the order of the table's columns.
func (t *Table) Sum(row []Cell) string {
	h := fnv.New64a()
	for i, c := range t.Columns {
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00", c.Name, alike(c.Affinity(), row[i]))
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

// Key spells a row's key; empty for a table without one.
func (t *Table) Key(row []Cell) string {
	var parts []string
	for _, i := range t.keys() {
		parts = append(parts, string(row[i]))
	}
	return strings.Join(parts, "|")
}
