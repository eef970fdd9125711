package sqltext

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
)

// columnTypes are the words that a declaration may use, as DuckDB's for what a column of the
// lake can hold. A smaller integer is kept in a larger one, and JSON as its text.
var columnTypes = map[string]string{
	"BOOLEAN": "BOOLEAN", "BOOL": "BOOLEAN",
	"TINYINT": "INTEGER", "SMALLINT": "INTEGER", "INT": "INTEGER", "INTEGER": "INTEGER", "INT1": "INTEGER", "INT2": "INTEGER", "INT4": "INTEGER",
	"BIGINT": "BIGINT", "INT8": "BIGINT", "LONG": "BIGINT",
	"FLOAT": "FLOAT", "REAL": "FLOAT", "FLOAT4": "FLOAT", "DOUBLE": "DOUBLE", "FLOAT8": "DOUBLE",
	"DECIMAL": "DECIMAL", "NUMERIC": "DECIMAL", "DEC": "DECIMAL",
	"DATE": "DATE", "TIME": "TIME", "TIMESTAMP": "TIMESTAMP", "DATETIME": "TIMESTAMP",
	"TIMESTAMPTZ": "TIMESTAMPTZ", "TIMESTAMP_LTZ": "TIMESTAMPTZ",
	"STRING": "VARCHAR", "VARCHAR": "VARCHAR", "TEXT": "VARCHAR", "CHAR": "VARCHAR", "CHARACTER": "VARCHAR", "JSON": "VARCHAR", "JSONB": "VARCHAR",
	"BYTES": "BLOB", "BLOB": "BLOB", "BYTEA": "BLOB", "BINARY": "BLOB", "VARBINARY": "BLOB",
	"UUID": "UUID",
}

// temporaryTypes are what the columns of a temporary table are beyond those of the lake: DuckDB holds them.
var temporaryTypes = map[string]string{
	"TINYINT": "TINYINT", "INT1": "TINYINT", "SMALLINT": "SMALLINT", "INT2": "SMALLINT", "HUGEINT": "HUGEINT", "INTERVAL": "INTERVAL", "JSON": "JSON", "JSONB": "JSON",
}

// nestedTypes can be declared as their JSON.
var nestedTypes = []string{"ROW", "STRUCT", "ARRAY", "MAP", "MULTISET", "RAW", "LIST"}

const (
	decimalDigitsMax = 38
	timeDigitsMax    = 6 // a time is kept in microseconds
)

// dataType reads the type of a column and returns DuckDB's word for it.
func (r *Reader) dataType() (string, error) {
	t := r.Peek()
	if t.Kind != Word && t.Kind != Quoted {
		return "", r.Fault("the column's type")
	}
	word := strings.ToUpper(t.Name())
	if slices.Contains(nestedTypes, word) {
		return "", r.wrong("declare it JSON, and take its parts with json_extract in the SELECT", "a column cannot be a %s", word)
	}
	kind, ok := columnTypes[word]
	if own, is := temporaryTypes[word]; is && r.temporary {
		kind, ok = own, true
	}
	if !ok {
		hint := "write BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(p, s), DATE, TIME, TIMESTAMP, TIMESTAMPTZ, STRING, BYTES, UUID or JSON"
		if near := Nearest(word, slices.Sorted(maps.Keys(columnTypes))); near != "" {
			hint = "did you mean " + near + "?"
		}
		if strings.HasSuffix(strings.ToUpper(t.Name()), "SERIAL") {
			hint = "write BIGINT, and give its numbers with the rows: there are no sequences here"
		}
		return "", r.wrong(hint, "there is no type %s for a column", t.Name())
	}
	r.Next()
	switch word {
	case "DOUBLE":
		r.Take("PRECISION")
	}
	one := (word == "CHAR" || word == "CHARACTER") && !r.Take("VARYING")
	numbers, err := r.numbers()
	if err != nil {
		return "", err
	}
	if kind, err = r.sized(kind, word, numbers, t); err != nil {
		return "", err
	}
	r.length = 0
	switch {
	case kind == "VARCHAR" && len(numbers) == 1:
		r.length = numbers[0]
	case one && len(numbers) == 0:
		r.length = 1
	}
	if kind == "TIMESTAMP" || kind == "TIME" {
		if kind, err = r.zone(kind); err != nil {
			return "", err
		}
	}
	if r.temporary && r.Take("[", "]") {
		return kind + "[]", nil
	}
	if r.Peek().Is("[") {
		return "", r.wrong("declare it JSON, and take its parts with json_extract in the SELECT", "a column cannot be a list")
	}
	return kind, nil
}

// zone reads WITH TIME ZONE and its like. WITH ends no column, so it needs no more than a look.
func (r *Reader) zone(kind string) (string, error) {
	switch at := r.Peek(); {
	case r.Take("WITHOUT", "TIME", "ZONE"):
	case r.Take("WITH", "LOCAL", "TIME", "ZONE"), r.Take("WITH", "TIME", "ZONE"):
		if kind == "TIME" {
			return "", At(fault.New(fault.Invalid, "a time of day cannot have a zone", "declare it TIME or TIMESTAMPTZ"), r.text, at.Offset)
		}
		return "TIMESTAMPTZ", nil
	}
	return kind, nil
}

// numbers reads (n [, m]) behind a type.
func (r *Reader) numbers() ([]int, error) {
	if !r.Take("(") {
		return nil, nil
	}
	var out []int
	for {
		n, err := strconv.Atoi(r.Peek().Text)
		if err != nil || n < 0 || len(out) == 2 {
			return nil, r.Fault("a whole number")
		}
		r.Next()
		out = append(out, n)
		if r.Take(")") {
			return out, nil
		}
		if !r.Take(",") {
			return nil, r.Fault("a comma or )")
		}
	}
}

// sized holds the numbers of a type against what it can be.
func (r *Reader) sized(kind, word string, numbers []int, at Token) (string, error) {
	bad := func(hint, format string, args ...any) (string, error) {
		return "", At(fault.Newf(fault.Invalid, hint, format, args...), r.text, at.Offset)
	}
	switch kind {
	case "DECIMAL":
		switch {
		case len(numbers) == 0:
			return bad("write DECIMAL(18, 3), say: digits in all, and behind the point", "%s does not say how many digits it has", word)
		case len(numbers) == 1:
			numbers = append(numbers, 0)
		}
		if numbers[0] < 1 || numbers[0] > decimalDigitsMax || numbers[1] > numbers[0] {
			return bad("write DECIMAL(18, 3), say: 38 digits at most", "there is no %s(%d, %d)", word, numbers[0], numbers[1])
		}
		return "DECIMAL(" + strconv.Itoa(numbers[0]) + "," + strconv.Itoa(numbers[1]) + ")", nil
	case "TIMESTAMP", "TIMESTAMPTZ", "TIME":
		if len(numbers) > 1 || len(numbers) == 1 && numbers[0] > timeDigitsMax {
			return bad("write "+word+"(6)", "a time is kept in microseconds, not finer")
		}
	case "VARCHAR", "BLOB":
		if len(numbers) > 1 {
			return bad("write one number", "%s has one length", word)
		}
		if len(numbers) == 1 && numbers[0] == 0 {
			return bad("write one that is greater", "%s has a length of 0", word)
		}
	default:
		if len(numbers) > 0 {
			return bad("leave the number out", "%s takes no number", word)
		}
	}
	return kind, nil
}
