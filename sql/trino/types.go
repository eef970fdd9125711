package trino

import (
	"encoding/json"
	"strconv"
	"strings"

	"tarn/embedded/sqltext"
)

// typ is a type of Trino's.
type typ struct {
	raw     string // array, decimal, timestamp with time zone
	numbers []int  // of decimal(10,2)
	of      []typ  // elements of an array, key and value of a map, fields of a row
	names   []string
}

// The bounds that a type has in Trino where it names none.
const varcharMax = 2147483647

// plainTypes are Trino's names for DuckDB's types that have no parts. What is wider in DuckDB than any of Trino's has the
// widest: HUGEINT is what DuckDB adds BIGINTs up in, of which Trino makes a bigint.
var plainTypes = map[string]typ{
	"BOOLEAN": {raw: "boolean"}, "TINYINT": {raw: "tinyint"}, "SMALLINT": {raw: "smallint"}, "INTEGER": {raw: "integer"}, "BIGINT": {raw: "bigint"}, "HUGEINT": {raw: "bigint"},
	"UTINYINT": {raw: "smallint"}, "USMALLINT": {raw: "integer"}, "UINTEGER": {raw: "bigint"}, "UBIGINT": {raw: "decimal", numbers: []int{20, 0}},
	"UHUGEINT": {raw: "decimal", numbers: []int{38, 0}}, "BIGNUM": {raw: "varchar"}, "FLOAT": {raw: "real"}, "DOUBLE": {raw: "double"}, "VARCHAR": {raw: "varchar"}, "BLOB": {raw: "varbinary"},
	"DATE": {raw: "date"}, "TIME": {raw: "time", numbers: []int{6}}, "TIME_NS": {raw: "time", numbers: []int{9}},
	"TIMESTAMP": {raw: "timestamp", numbers: []int{6}}, "TIMESTAMP_S": {raw: "timestamp", numbers: []int{0}},
	"TIMESTAMP_MS": {raw: "timestamp", numbers: []int{3}}, "TIMESTAMP_NS": {raw: "timestamp", numbers: []int{9}}, "TIMESTAMP WITH TIME ZONE": {raw: "timestamp with time zone", numbers: []int{6}},
	"INTERVAL": {raw: "interval day to second"}, "UUID": {raw: "uuid"}, "JSON": {raw: "json"}, "NULL": {raw: "unknown"}, `"NULL"`: {raw: "unknown"}, "BIT": {raw: "varchar"},
}

// typeNamed is the type of one of DuckDB's names, such as STRUCT(a INTEGER, b VARCHAR[])[]; what Trino has no type for is text.
func typeNamed(name string) typ {
	name = strings.TrimSpace(name)
	if t, ok := plainTypes[name]; ok {
		return t
	}
	if strings.HasSuffix(name, "]") {
		if open := strings.LastIndexByte(name, '['); open > 0 {
			return typ{raw: "array", of: []typ{typeNamed(name[:open])}}
		}
	}
	head, inner, _ := strings.Cut(name, "(")
	parts := typeParts(strings.TrimSuffix(inner, ")"))
	switch head {
	case "DECIMAL":
		if len(parts) == 2 {
			precision, _ := strconv.Atoi(parts[0])
			scale, _ := strconv.Atoi(strings.TrimSpace(parts[1]))
			return typ{raw: "decimal", numbers: []int{precision, scale}}
		}
	case "MAP":
		if len(parts) == 2 {
			return typ{raw: "map", of: []typ{typeNamed(parts[0]), typeNamed(parts[1])}}
		}
	case "STRUCT":
		t := typ{raw: "row"}
		for _, part := range parts {
			field, of := fieldOf(strings.TrimSpace(part))
			t.names, t.of = append(t.names, field), append(t.of, typeNamed(of))
		}
		return t
	}
	return typ{raw: "varchar"}
}

// fieldOf cuts a field of a STRUCT into its name, which is "" where there is none, and its type.
func fieldOf(part string) (name, of string) {
	tokens, err := sqltext.Lex(part)
	if err != nil || len(tokens) < 2 {
		return "", part
	}
	if after := tokens[1]; tokens[0].Kind == sqltext.Quoted || after.Kind == sqltext.Word && after.Text != "WITH" || after.Kind == sqltext.Quoted {
		return tokens[0].Name(), strings.TrimSpace(part[after.Offset:])
	}
	return "", part
}

// typeParts cuts at the commas outside of parentheses and quotes.
func typeParts(list string) (out []string) {
	tokens, err := sqltext.Lex(list)
	if err != nil {
		return nil
	}
	depth, from := 0, 0
	for _, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth == 0 && t.Is(","):
			out = append(out, list[from:t.Offset])
			from = t.Offset + 1
		}
	}
	return append(out, list[from:])
}

// String is the type as DESCRIBE and the catalogs have it: decimal(10,2).
func (t typ) String() string { return t.written(",") }

// protocol is the type as an answer's columns have it: decimal(10, 2).
func (t typ) protocol() string { return t.written(", ") }

func (t typ) written(comma string) string {
	if comma == ", " && strings.HasPrefix(t.raw, "interval ") { // as the protocol has it
		return strings.ToUpper(t.raw)
	}
	numbers := make([]string, len(t.numbers))
	for i, n := range t.numbers {
		numbers[i] = strconv.Itoa(n)
	}
	arguments := ""
	if len(numbers) > 0 {
		arguments = "(" + strings.Join(numbers, comma) + ")"
	}
	if kind, zone, zoned := strings.Cut(t.raw, " with "); zoned {
		return kind + arguments + " with " + zone
	}
	if len(t.of) == 0 {
		return t.raw + arguments
	}
	parts := make([]string, len(t.of))
	for i, of := range t.of {
		parts[i] = of.written(comma)
		if t.names != nil && t.names[i] != "" {
			parts[i] = rowName(t.names[i]) + " " + parts[i]
		}
	}
	return t.raw + "(" + strings.Join(parts, ", ") + ")"
}

// rowName is the name of a field as a row's type has it.
func rowName(name string) string {
	for i, r := range name {
		if (r < 'a' || r > 'z') && r != '_' && (i == 0 || r < '0' || r > '9') {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}

// signature is the type as the protocol has it, with its arguments apart (ClientTypeSignature).
type signature struct {
	RawType   string     `json:"rawType"`
	Arguments []argument `json:"arguments"`
}

type argument struct {
	Kind  string `json:"kind"`
	Value any    `json:"value"`
}

type namedType struct {
	FieldName *fieldName `json:"fieldName,omitempty"`
	Type      signature  `json:"typeSignature"`
}

type fieldName struct {
	Name string `json:"name"`
}

func (t typ) signature() signature {
	s := signature{RawType: t.raw, Arguments: []argument{}}
	for _, n := range t.numbers {
		s.Arguments = append(s.Arguments, argument{"LONG", n})
	}
	if t.raw == "varchar" && len(t.numbers) == 0 {
		s.Arguments = append(s.Arguments, argument{"LONG", varcharMax})
	}
	for i, of := range t.of {
		if t.raw != "row" {
			s.Arguments = append(s.Arguments, argument{"TYPE", of.signature()})
			continue
		}
		field := namedType{Type: of.signature()}
		if t.names[i] != "" {
			field.FieldName = &fieldName{t.names[i]}
		}
		s.Arguments = append(s.Arguments, argument{"NAMED_TYPE", field})
	}
	return s
}

// legacy is the type for a client that does not know how many digits a time has: it has three, and says none.
func (t typ) legacy() typ {
	if strings.HasPrefix(t.raw, "time") {
		t.numbers = nil
	}
	if len(t.of) > 0 {
		of := make([]typ, len(t.of))
		for i := range t.of {
			of[i] = t.of[i].legacy()
		}
		t.of = of
	}
	return t
}

// column is one of an answer, as the protocol has it.
type column struct {
	Name      string    `json:"name"`
	Type      string    `json:"type"`
	Signature signature `json:"typeSignature"`
}

func columnsJSON(names []string, types []typ) []byte {
	out := make([]column, len(names))
	for i, t := range types {
		out[i] = column{names[i], t.protocol(), t.signature()}
	}
	b, err := json.Marshal(out)
	if err != nil { // never for texts and numbers
		return []byte("[]")
	}
	return b
}

// size is how many bytes a value has, 0 where they differ.
func (t typ) size() int64 {
	switch t.raw {
	case "boolean", "tinyint":
		return 1
	case "smallint":
		return 2
	case "integer", "real", "date":
		return 4
	case "bigint", "double", "timestamp", "time":
		return 8
	case "uuid":
		return 16
	}
	return 0
}
