//go:build duckdb_arrow

package flight

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// The numbers of types are XDBC's, those of Flight SQL's XdbcDataType.
const (
	xdbcInterval  = 10
	xdbcDatetime  = 9
	xdbcBoolean   = -7
	xdbcTinyint   = -6
	xdbcBigint    = -5
	xdbcVarbinary = -3
	xdbcDecimal   = 3
	xdbcInteger   = 4
	xdbcSmallint  = 5
	xdbcReal      = 7
	xdbcDouble    = 8
	xdbcVarchar   = 12
	xdbcDate      = 91
	xdbcTime      = 92
	xdbcTimestamp = 93
)

// sqlType is a type as GetXdbcTypeInfo tells of it.
type sqlType struct {
	name     string
	number   int32
	size     int32  // digits, or characters; 0 for no limit
	quote    string // around its literals
	params   []string
	unsigned bool
	scale    int32 // the most digits behind the point
	radix    int32 // 0 for what is no number
	subcode  int32 // of times
}

var sqlTypes = []sqlType{
	{name: "BOOLEAN", number: xdbcBoolean, size: 1},
	{name: "TINYINT", number: xdbcTinyint, size: 3, radix: 10},
	{name: "UTINYINT", number: xdbcTinyint, size: 3, radix: 10, unsigned: true},
	{name: "BIGINT", number: xdbcBigint, size: 19, radix: 10},
	{name: "UBIGINT", number: xdbcBigint, size: 20, radix: 10, unsigned: true},
	{name: "BLOB", number: xdbcVarbinary, quote: "'"},
	{name: "DECIMAL", number: xdbcDecimal, size: 38, params: []string{"precision", "scale"}, radix: 10, scale: 38},
	{name: "HUGEINT", number: xdbcDecimal, size: 39, radix: 10},
	{name: "INTEGER", number: xdbcInteger, size: 10, radix: 10},
	{name: "UINTEGER", number: xdbcInteger, size: 10, radix: 10, unsigned: true},
	{name: "SMALLINT", number: xdbcSmallint, size: 5, radix: 10},
	{name: "USMALLINT", number: xdbcSmallint, size: 5, radix: 10, unsigned: true},
	{name: "FLOAT", number: xdbcReal, size: 24, radix: 2},
	{name: "DOUBLE", number: xdbcDouble, size: 53, radix: 2},
	{name: "INTERVAL", number: xdbcInterval, size: 38, quote: "'"},
	{name: "VARCHAR", number: xdbcVarchar, quote: "'"},
	{name: "UUID", number: xdbcVarchar, size: 36, quote: "'"},
	{name: "JSON", number: xdbcVarchar, quote: "'"},
	{name: "DATE", number: xdbcDate, size: 10, quote: "'", subcode: 1},
	{name: "TIME", number: xdbcTime, size: 15, quote: "'", scale: 6, subcode: 2},
	{name: "TIMESTAMP", number: xdbcTimestamp, size: 26, quote: "'", scale: 6, subcode: 3},
	{name: "TIMESTAMP WITH TIME ZONE", number: xdbcTimestamp, size: 32, quote: "'", scale: 6, subcode: 3},
}

// GetFlightInfoXdbcTypeInfo is of DoGetXdbcTypeInfo.
func (s *service) GetFlightInfoXdbcTypeInfo(_ context.Context, _ flightsql.GetXdbcTypeInfo, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.XdbcTypeInfo)
}

// DoGetXdbcTypeInfo lists the types, or those of a number.
func (s *service) DoGetXdbcTypeInfo(_ context.Context, c flightsql.GetXdbcTypeInfo) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema_ref.XdbcTypeInfo)
	defer b.Release()
	for _, t := range sqlTypes {
		if c.GetDataType() == nil || *c.GetDataType() == t.number {
			t.append(b)
		}
	}
	out := make(chan arrowflight.StreamChunk, 1)
	out <- arrowflight.StreamChunk{Data: b.NewRecordBatch()}
	close(out)
	return schema_ref.XdbcTypeInfo, out, nil
}

func (t *sqlType) append(b *array.RecordBuilder) {
	text := func(i int, v string) {
		if v == "" {
			b.Field(i).AppendNull()
		} else {
			b.Field(i).(*array.StringBuilder).Append(v)
		}
	}
	number := func(i int, v int32, known bool) {
		if known {
			b.Field(i).(*array.Int32Builder).Append(v)
		} else {
			b.Field(i).AppendNull()
		}
	}
	truth := func(i int, v bool) { b.Field(i).(*array.BooleanBuilder).Append(v) }
	text(0, t.name)
	number(1, t.number, true)
	number(2, t.size, t.size > 0)
	text(3, t.quote)
	text(4, t.quote)
	params := b.Field(5).(*array.ListBuilder)
	params.Append(len(t.params) > 0)
	for _, p := range t.params {
		params.ValueBuilder().(*array.StringBuilder).Append(p)
	}
	number(6, 1, true) // may be null
	truth(7, t.number == xdbcVarchar)
	number(8, 3, true) // in any condition
	if t.radix == 0 {
		b.Field(9).AppendNull()
	} else {
		truth(9, t.unsigned)
	}
	truth(10, false)
	truth(11, false)
	text(12, t.name)
	number(13, 0, t.scale > 0)
	number(14, t.scale, t.scale > 0)
	kind := t.number
	if t.subcode > 0 {
		kind = xdbcDatetime
	}
	number(15, kind, true)
	number(16, t.subcode, t.subcode > 0)
	number(17, t.radix, t.radix > 0)
	b.Field(18).AppendNull()
}
