package record

import "fmt"

// Semantic is how Debezium writes a column's values into a change event and names them in Kafka Connect's
// schema (documentation of the PostgreSQL connector, "Data type mappings"). It is stored by its name.
type Semantic uint8

// The semantics. Plain is what a column's Type says; the comment tells what a Value holds where that surprises.
const (
	Plain                Semantic = iota
	Short                         // a Connect int16
	Decimal                       // TextKind, all digits
	VariableScaleDecimal          // TextKind, all digits
	Days                          // IntKind, or TextKind "infinity"
	MilliTime                     // IntKind, microseconds, as with all times
	MicroTime
	NanoTime
	ZonedTime      // TextKind, in UTC
	MilliTimestamp // IntKind, microseconds, as with all timestamps; or TextKind "infinity", "-infinity"
	MicroTimestamp
	NanoTimestamp
	ZonedTimestamp // IntKind, written with Scale digits of a fraction; or TextKind
	ConnectDate
	ConnectTime
	ConnectTimestamp
	IsoDate
	IsoTime
	IsoTimestamp
	MicroDuration // IntKind, microseconds, a month has 30.4375 days
	Interval      // TextKind, ISO 8601
	UUIDText
	JSONText
	XMLText
	Enum
	Ltree
	Tsvector
	Bits          // BytesKind, the first bit of the source is the last one's highest
	Point         // TextKind, the JSON object that events have
	Array         // TextKind, the JSON array that events have
	Map           // TextKind, the JSON object that events have
	Base64Text    // BytesKind
	Base64URLText // BytesKind
	HexText       // BytesKind
	HStoreText    // TextKind, a JSON object
	semantics
)

// Connect is what Kafka Connect's schema says of a semantic.
type Connect struct {
	Key     string // how Tarn stores it
	Type    string // "int32"; "" as the column's Type
	Name    string // "io.debezium.time.Date"; "" for none, as with a version of 0
	Version int
	Doc     string
}

var connects = [semantics]Connect{
	Short:                {Key: "short", Type: "int16"},
	Decimal:              {"decimal", "bytes", "org.apache.kafka.connect.data.Decimal", 1, ""},
	VariableScaleDecimal: {"variable-scale-decimal", "struct", "io.debezium.data.VariableScaleDecimal", 1, "Variable scaled decimal"},
	Days:                 {"days", "int32", "io.debezium.time.Date", 1, ""},
	MilliTime:            {"milli-time", "int32", "io.debezium.time.Time", 1, ""},
	MicroTime:            {"micro-time", "int64", "io.debezium.time.MicroTime", 1, ""},
	NanoTime:             {"nano-time", "int64", "io.debezium.time.NanoTime", 1, ""},
	ZonedTime:            {"zoned-time", "string", "io.debezium.time.ZonedTime", 1, ""},
	MilliTimestamp:       {"milli-timestamp", "int64", "io.debezium.time.Timestamp", 1, ""},
	MicroTimestamp:       {"micro-timestamp", "int64", "io.debezium.time.MicroTimestamp", 1, ""},
	NanoTimestamp:        {"nano-timestamp", "int64", "io.debezium.time.NanoTimestamp", 1, ""},
	ZonedTimestamp:       {"zoned-timestamp", "string", "io.debezium.time.ZonedTimestamp", 1, ""},
	ConnectDate:          {"connect-date", "int32", "org.apache.kafka.connect.data.Date", 1, ""},
	ConnectTime:          {"connect-time", "int32", "org.apache.kafka.connect.data.Time", 1, ""},
	ConnectTimestamp:     {"connect-timestamp", "int64", "org.apache.kafka.connect.data.Timestamp", 1, ""},
	IsoDate:              {"iso-date", "string", "io.debezium.time.IsoDate", 1, ""},
	IsoTime:              {"iso-time", "string", "io.debezium.time.IsoTime", 1, ""},
	IsoTimestamp:         {"iso-timestamp", "string", "io.debezium.time.IsoTimestamp", 1, ""},
	MicroDuration:        {"micro-duration", "int64", "io.debezium.time.MicroDuration", 1, ""},
	Interval:             {"interval", "string", "io.debezium.time.Interval", 1, ""},
	UUIDText:             {"uuid", "string", "io.debezium.data.Uuid", 1, ""},
	JSONText:             {"json", "string", "io.debezium.data.Json", 1, ""},
	XMLText:              {"xml", "string", "io.debezium.data.Xml", 1, ""},
	Enum:                 {"enum", "string", "io.debezium.data.Enum", 1, ""},
	Ltree:                {"ltree", "string", "io.debezium.data.Ltree", 1, ""},
	Tsvector:             {"tsvector", "string", "io.debezium.data.Tsvector", 1, ""},
	Bits:                 {"bits", "bytes", "io.debezium.data.Bits", 1, ""},
	Point:                {"point", "struct", "io.debezium.data.geometry.Point", 1, "Geometry (POINT)"},
	Array:                {Key: "array", Type: "array"},
	Map:                  {Key: "map", Type: "map"},
	Base64Text:           {Key: "base64", Type: "string"},
	Base64URLText:        {Key: "base64-url", Type: "string"},
	HexText:              {Key: "hex", Type: "string"},
	HStoreText:           {"hstore", "string", "io.debezium.data.Json", 1, ""},
}

// Connect returns what Kafka Connect's schema says of the semantic.
func (s Semantic) Connect() Connect {
	if s >= semantics {
		return Connect{}
	}
	return connects[s]
}

// MarshalText returns the name under which the semantic is stored.
func (s Semantic) MarshalText() ([]byte, error) { return []byte(s.Connect().Key), nil }

// UnmarshalText reads what MarshalText wrote. One of a later Tarn is an error.
func (s *Semantic) UnmarshalText(text []byte) error {
	for i := range connects {
		if connects[i].Key == string(text) {
			*s = Semantic(i) //nolint:gosec // there are few
			return nil
		}
	}
	return fmt.Errorf("a column has the semantic %q, which this Tarn does not know", text)
}
