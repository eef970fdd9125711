// Package pgtype turns the values of PostgreSQL's columns into records': from the text form, which pgoutput and COPY have of
// every type, and from the binary form of the common types. It decides how Debezium would write a column by its settings
// (documentation of Debezium's PostgreSQL connector, "Data type mappings"), and writes nothing itself. It talks to no server.
//
// A value is never altered in silence: what a column's type in the lake cannot hold becomes text in PostgreSQL's own words,
// which the envelope keeps in "_extra".
package pgtype

import (
	"strconv"
	"strings"

	"tarn/embedded/record"
)

// Attr is a column as pg_attribute describes it.
type Attr struct {
	Name     string
	OID      uint32 // of its type
	Typmod   int32  // -1 for none
	NotNull  bool
	Key      int    // 1-based place in the key, 0 for none
	Declared string // format_type
	Default  string // pg_get_expr of its default, "" for none
}

// Codec turns a column's values into records'. It is not changed after it was made, and safe for concurrent use.
type Codec struct {
	// Column is the column as events and tables have it.
	Column record.Column
	// Absent is what events have for the column in a `before` for which the server sent the key alone.
	Absent record.Value

	typ       Type
	item      *Codec // of an array's elements
	nanIsNull bool
	text      func(c *Codec, a *Arena, src []byte) record.Value
	binary    func(c *Codec, a *Arena, src []byte) record.Value // nil where COPY has to cast to text
}

// Text reads the text form. The value may share src, and what it does not share is the arena's.
func (c *Codec) Text(a *Arena, src []byte) record.Value { return c.text(c, a, src) }

// Binary reads what COPY BINARY has of a column that was selected as Select says.
func (c *Codec) Binary(a *Arena, src []byte) record.Value {
	if c.binary == nil {
		return c.text(c, a, src)
	}
	return c.binary(c, a, src)
}

// Select is how a query for COPY BINARY names the column, whose quoted name it is given. concat writes by
// the type's output function, as pgoutput does; a cast to text does not for every type (inet).
func (c *Codec) Select(quoted string) string {
	if c.binary == nil {
		return "CASE WHEN " + quoted + " IS DISTINCT FROM NULL THEN concat(" + quoted + ") END"
	}
	return quoted
}

// Codec makes a column's codec. ok is false for a type that Debezium does not know, which is captured by include.unknown.datatypes
// alone, as text; but a column of the key always is.
func (t Catalog) Codec(a Attr, m Modes) (c *Codec, ok bool) {
	typ, typmod := t.resolve(a.OID, a.Typmod)
	c = &Codec{typ: typ, Column: record.Column{Name: a.Name, Declared: a.Declared, Nullable: !a.NotNull, Key: a.Key}}
	ok = c.base(typ, typmod, m) || t.array(c, typ, typmod, m)
	if !ok {
		c.is(record.String, record.Plain, textText, nil)
		ok = m.Unknown || a.Key > 0
	}
	c.defaults(a)
	return c, ok
}

type reader = func(c *Codec, a *Arena, src []byte) record.Value

func (c *Codec) is(t record.Type, s record.Semantic, text, binary reader) bool {
	c.Column.Type, c.Column.Semantic, c.text, c.binary = t, s, text, binary
	return true
}

// base takes the types that Debezium knows, but arrays.
func (c *Codec) base(t Type, typmod int32, m Modes) bool {
	switch t.OID {
	case boolOID:
		return c.is(record.Boolean, record.Plain, textBool, binaryBool)
	case int2OID:
		return c.is(record.Int, record.Short, textInt, binaryInt)
	case int4OID:
		return c.is(record.Int, record.Plain, textInt, binaryInt)
	case int8OID, oidOID:
		return c.is(record.Long, record.Plain, textInt, binaryInt)
	case float4OID:
		return c.is(record.Float, record.Plain, textFloat32, binaryFloat)
	case float8OID:
		return c.is(record.Double, record.Plain, textFloat64, binaryFloat)
	case numericOID:
		return c.numeric(typmod, m)
	case moneyOID:
		return c.money(m)
	case byteaOID:
		return c.bytea(m)
	case dateOID, timeOID, timestampOID, timestamptzOID, timetzOID, intervalOID:
		return c.time(t.OID, typmod, m)
	case bitOID, varbitOID:
		return c.bits(typmod)
	}
	return c.textual(t, m)
}

// textual takes the types whose values are text.
func (c *Codec) textual(t Type, m Modes) bool {
	semantic, binary := record.Plain, textText
	switch t.OID {
	case textOID, varcharOID, bpcharOID, nameOID, charOID:
	case inetOID, cidrOID, macaddrOID, macaddr8OID, int4rangeOID, int8rangeOID, numrangeOID, tsrangeOID, tstzrangeOID, daterangeOID:
		binary = nil
	case uuidOID:
		return c.is(record.UUID, record.UUIDText, textText, binaryUUID)
	case jsonOID:
		semantic = record.JSONText
	case jsonbOID:
		semantic, binary = record.JSONText, binaryJSONB
	case xmlOID:
		semantic, binary = record.XMLText, nil
	case tsvectorOID:
		semantic, binary = record.Tsvector, nil
	case pointOID:
		return c.is(record.String, record.Point, textPoint, binaryPoint)
	default:
		return c.extension(t, m)
	}
	return c.is(record.String, semantic, textText, binary)
}

// extension takes types that have no oid of their own for ever.
func (c *Codec) extension(t Type, m Modes) bool {
	switch {
	case t.Kind == 'e':
		c.Column.Params = []record.Param{{Name: "allowed", Value: strings.Join(t.Labels, ",")}}
		return c.is(record.String, record.Enum, textText, textText)
	case t.Kind != 'b' || t.Elem != 0:
		return false
	}
	switch t.Name {
	case "citext":
		return c.is(record.String, record.Plain, textText, nil)
	case "ltree":
		return c.is(record.String, record.Ltree, textText, nil)
	case "hstore":
		if m.HStore == "map" {
			return c.is(record.String, record.Map, textHStore, nil)
		}
		return c.is(record.String, record.HStoreText, textHStore, nil)
	}
	return false
}

// array takes arrays of types that are known, but those of which Debezium's driver makes nothing.
func (t Catalog) array(c *Codec, typ Type, typmod int32, m Modes) bool {
	if typ.Elem == 0 || t[typ.Elem].Kind == 'd' {
		return false
	}
	switch typ.Elem {
	case intervalOID, moneyOID, pointOID, xmlOID, nameOID, bitOID, varbitOID:
		return false
	}
	if typ.Elem == byteaOID && m.Binary == "base64-url-safe" {
		m.Binary = "base64" // as Debezium has elements
	}
	item := &Codec{typ: t[typ.Elem], Column: record.Column{Nullable: t[typ.Elem].Kind != 'e'}}
	if item.typ.OID == 0 || !item.base(item.typ, typmod, m) {
		return false
	}
	c.item, c.Column.Items = item, &item.Column
	return c.is(record.String, record.Array, textArray, nil)
}

// The digits of a decimal that a table holds, and those of money: 64 bits.
const (
	precisionMax   = 38
	moneyPrecision = 19
	moneyScale     = 2
)

func decimalType(precision, scale int) record.Type {
	return record.Type("decimal(" + strconv.Itoa(precision) + "," + strconv.Itoa(scale) + ")")
}

func (c *Codec) numeric(typmod int32, m Modes) bool {
	if m.Decimal == "double" {
		return c.is(record.Double, record.Plain, textFloat64, binaryNumeric)
	}
	c.nanIsNull = m.Special != "extra" && m.Decimal != "string"
	semantic := record.VariableScaleDecimal
	if typmod < 0 {
		if m.Decimal == "string" {
			semantic = record.Plain
		}
		return c.is(record.String, semantic, textNumeric, binaryNumeric)
	}
	precision := int(typmod-4) >> 16
	scale := (int(typmod-4)&0x7ff ^ 1024) - 1024 // eleven bits, signed
	declared := precision
	if scale < 0 {
		precision, scale = precision-scale, 0
	}
	precision = max(precision, scale)
	typ := decimalType(precision, scale)
	if precision > precisionMax {
		typ = record.String
	}
	if m.Decimal == "string" {
		return c.is(typ, record.Plain, textNumeric, binaryNumeric)
	}
	c.Column.Scale = scale
	c.Column.Params = []record.Param{{Name: "scale", Value: strconv.Itoa(scale)}, {Name: "connect.decimal.precision", Value: strconv.Itoa(declared)}}
	return c.is(typ, record.Decimal, textNumeric, binaryNumeric)
}

// money is text in COPY too: its binary form does not say where the point is.
func (c *Codec) money(m Modes) bool {
	c.Column.Scale = moneyScale
	switch m.Decimal {
	case "double":
		return c.is(record.Double, record.Plain, textMoney, nil)
	case "string":
		return c.is(decimalType(moneyPrecision, moneyScale), record.Plain, textMoney, nil)
	}
	c.Column.Params = []record.Param{{Name: "scale", Value: strconv.Itoa(moneyScale)}}
	return c.is(decimalType(moneyPrecision, moneyScale), record.Decimal, textMoney, nil)
}

func (c *Codec) bytea(m Modes) bool {
	semantic := record.Plain
	switch m.Binary {
	case "base64":
		semantic = record.Base64Text
	case "base64-url-safe":
		semantic = record.Base64URLText
	case "hex":
		semantic = record.HexText
	}
	return c.is(record.Binary, semantic, textBytes, binaryBytes)
}

func (c *Codec) bits(length int32) bool {
	if length == 1 {
		return c.is(record.Boolean, record.Plain, textBool, binaryBits)
	}
	if length < 0 {
		length = 1<<31 - 1
	}
	c.Column.Params = []record.Param{{Name: "length", Value: strconv.Itoa(int(length))}}
	return c.is(record.Binary, record.Bits, textBits, binaryBits)
}

// microDigits are the digits of a fraction that a type without a precision has.
const microDigits = 6

func (c *Codec) time(oid uint32, typmod int32, m Modes) bool {
	digits := int(typmod)
	if typmod < 0 || typmod > microDigits {
		digits = microDigits
	}
	switch oid {
	case dateOID:
		return c.is(record.Date, pick(m.Time, record.Days, record.ConnectDate, record.IsoDate), textDate, binaryDate)
	case timeOID:
		s := pick(m.Time, record.MicroTime, record.ConnectTime, record.IsoTime)
		if m.Time == "nanoseconds" {
			s = record.NanoTime
		} else if digits <= 3 && (m.Time == "" || m.Time == "adaptive") {
			s = record.MilliTime
		}
		return c.is(record.Time, s, textTime, binaryTime)
	case timestampOID:
		s := pick(m.Time, record.MicroTimestamp, record.ConnectTimestamp, record.IsoTimestamp)
		if m.Time == "nanoseconds" {
			s = record.NanoTimestamp
		} else if digits <= 3 && (m.Time == "" || m.Time == "adaptive" || m.Time == "adaptive_time_microseconds") {
			s = record.MilliTimestamp
		}
		return c.is(record.Timestamp, s, textTimestamp, binaryTimestamp)
	case timestamptzOID:
		c.Column.Scale = digits
		return c.is(record.TimestampTZ, record.ZonedTimestamp, textTimestampTZ, binaryTimestamp)
	case timetzOID:
		return c.is(record.String, record.ZonedTime, textTimeTZ, binaryTimeTZ)
	}
	if m.Interval == "string" {
		return c.is(record.String, record.Interval, textInterval, binaryInterval)
	}
	return c.is(record.Long, record.MicroDuration, textInterval, binaryInterval)
}

// pick is the semantic of a mode of time.
func pick(mode string, adaptive, connect, iso record.Semantic) record.Semantic {
	switch mode {
	case "connect":
		return connect
	case "isostring":
		return iso
	}
	return adaptive
}
