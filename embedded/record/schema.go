package record

import "encoding/json"

// Type is a column's type, in Iceberg's words, as records of sources and tables
// share it. "decimal(p,s)" carries its numbers.
type Type string

// The plain types.
const (
	Boolean     Type = "boolean"
	Int         Type = "int"
	Long        Type = "long"
	Float       Type = "float"
	Double      Type = "double"
	Date        Type = "date"
	Time        Type = "time"
	Timestamp   Type = "timestamp"   // without zone, microseconds
	TimestampTZ Type = "timestamptz" // an instant, microseconds
	String      Type = "string"
	Binary      Type = "binary"
	UUID        Type = "uuid"
)

// Column is one column of a source table. Declared is the source's own words for
// the type ("DECIMAL(10,2)", "VARCHAR(20)").
type Column struct {
	Name     string `json:"name"`
	Type     Type   `json:"type"`
	Declared string `json:"declared,omitempty"`
	Nullable bool   `json:"nullable"`
	Key      int    `json:"key,omitempty"` // 1-based place in the primary key, 0 for none
	// Semantic is how change events write the values, where Type alone does not say it.
	Semantic Semantic `json:"semantic,omitempty"`
	// Scale is of Decimal the digits behind the point, which events leave out, and of ZonedTimestamp those of a fraction.
	Scale int `json:"scale,omitempty"`
	// Params are those of Connect's schema, in its order.
	Params []Param `json:"params,omitempty"`
	// Default is the column's default as events write it; nil where it has none, or none that is a plain value.
	Default json.RawMessage `json:"default,omitempty"`
	// Items are the elements of an array.
	Items *Column `json:"items,omitempty"`
}

// Param is a parameter of a Connect schema.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Schema is an immutable description of a source table's records. It is stored
// and synced in meta, under its id, before the first record names it (rule 6).
type Schema struct {
	ID       int64    `json:"id"`
	Source   string   `json:"source"`   // the source's id
	Database string   `json:"database"` // as the source names it
	Schema   string   `json:"schema"`   // "main" in SQLite
	Table    string   `json:"table"`
	Columns  []Column `json:"columns"`
	// Unavailable is what events write for a value that the source did not send; "" is Debezium's word for it.
	Unavailable string `json:"unavailable,omitempty"`
}

// Keys returns the indexes of the key columns in key order; empty for a table
// without a key.
func (s *Schema) Keys() []int {
	var keys []int
	for n := 1; ; n++ {
		found := false
		for i := range s.Columns {
			if s.Columns[i].Key == n {
				keys, found = append(keys, i), true
			}
		}
		if !found {
			return keys
		}
	}
}

// Kind tells what a Value holds.
type Kind uint8

// The kinds. Missing is not null: the source did not say (an unchanged TOAST).
const (
	Null Kind = iota
	IntKind
	FloatKind
	TextKind
	BytesKind
	BoolKind
	Missing
)

// Value is one cell as a source read it, before it is rendered. Only the field of
// its Kind counts: I for IntKind and BoolKind (0 or 1), F for FloatKind, B for
// TextKind (UTF-8) and BytesKind.
type Value struct {
	Kind Kind
	I    int64
	F    float64
	B    []byte
}

// Row is a row's cells in the order of its schema's columns; nil means no row (the
// before of an insert, the after of a delete).
type Row []Value
