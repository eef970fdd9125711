//go:build duckdb_arrow

package iceberg

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// propKeys lists the field ids of the key columns. Iceberg's identifier fields must be
// required and no floats, which a source's keys need not be, so they carry the key only
// where they can.
const propKeys = "tarn.keys"

var plainTypes = map[record.Type]iceberg.Type{
	record.Boolean:     iceberg.PrimitiveTypes.Bool,
	record.Int:         iceberg.PrimitiveTypes.Int32,
	record.Long:        iceberg.PrimitiveTypes.Int64,
	record.Float:       iceberg.PrimitiveTypes.Float32,
	record.Double:      iceberg.PrimitiveTypes.Float64,
	record.Date:        iceberg.PrimitiveTypes.Date,
	record.Time:        iceberg.PrimitiveTypes.Time,
	record.Timestamp:   iceberg.PrimitiveTypes.Timestamp,
	record.TimestampTZ: iceberg.PrimitiveTypes.TimestampTz,
	record.String:      iceberg.PrimitiveTypes.String,
	record.Binary:      iceberg.PrimitiveTypes.Binary,
	record.UUID:        iceberg.PrimitiveTypes.UUID,
}

func icebergType(t record.Type) (iceberg.Type, error) {
	if plain, ok := plainTypes[t]; ok {
		return plain, nil
	}
	if precision, scale, ok := table.Decimal(t); ok {
		return iceberg.DecimalTypeOf(precision, scale), nil
	}
	return nil, fault.Newf(fault.Invalid, "use one of boolean, int, long, float, double, decimal(p,s), date, time, timestamp, timestamptz, string, binary, uuid",
		"%q is no column type of the lake", t)
}

// recordType is the type in record's words; a type that record does not know keeps
// Iceberg's, so that a reader can name what it cannot read.
func recordType(t iceberg.Type) record.Type {
	if d, ok := t.(iceberg.DecimalType); ok {
		return table.DecimalType(d.Precision(), d.Scale())
	}
	return record.Type(t.String())
}

func newSchema(cols []table.Column) (*iceberg.Schema, error) {
	fields := make([]iceberg.NestedField, len(cols))
	var keys []int
	identify := true
	seen := map[string]bool{}
	for i, c := range cols {
		t, err := icebergType(c.Type)
		if err != nil {
			return nil, err
		}
		if c.Name == "" || seen[c.Name] {
			return nil, fault.Newf(fault.Invalid, "give every column a name of its own", "column %d is named %q", i+1, c.Name)
		}
		seen[c.Name] = true
		fields[i] = iceberg.NestedField{ID: i + 1, Name: c.Name, Type: t, Required: c.Required, Doc: c.Doc}
		if c.Key {
			keys = append(keys, i+1)
			identify = identify && c.Required && c.Type != record.Float && c.Type != record.Double
		}
	}
	if !identify {
		keys = nil
	}
	return iceberg.NewSchemaWithIdentifiers(0, keys, fields...), nil
}

// keyProperty is the value of propKeys for columns in the order of a new table, whose
// ids count from 1.
func keyProperty(cols []table.Column) string {
	var ids []string
	for i, c := range cols {
		if c.Key {
			ids = append(ids, strconv.Itoa(i+1))
		}
	}
	return strings.Join(ids, ",")
}

func columns(sc *iceberg.Schema, props iceberg.Properties) []table.Column {
	keys := sc.IdentifierFieldIDs
	if listed, ok := props[propKeys]; ok {
		keys = nil
		for s := range strings.SplitSeq(listed, ",") {
			if id, err := strconv.Atoi(s); err == nil {
				keys = append(keys, id)
			}
		}
	}
	cols := make([]table.Column, sc.NumFields())
	for i, f := range sc.Fields() {
		id := strconv.Itoa(f.ID)
		length, _ := strconv.Atoi(props[table.PropLength+id]) // 0 where there is none
		cols[i] = table.Column{
			ID: f.ID, Name: f.Name, Type: recordType(f.Type),
			Required: f.Required, Key: slices.Contains(keys, f.ID), Doc: f.Doc, Length: length, Default: props[table.PropDefault+id],
		}
	}
	return cols
}
