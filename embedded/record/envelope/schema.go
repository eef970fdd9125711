package envelope

import (
	"bytes"
	"strconv"

	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
)

// Frame writes keys and values as Connect's JsonConverter does with schemas.enable: {"schema":…,"payload":…}. Its two texts are
// what stands before the payload, behind which comes a brace; nil for bare payloads. One is made once for a schema.
type Frame struct{ Key, Value []byte }

// FrameOf is the frame of a table's change events. The topic names the schemas; postgres tells whose source block they have.
func FrameOf(s *record.Schema, topic string, postgres bool) Frame {
	var key []field
	for _, i := range s.Keys() {
		key = append(key, columnField(&s.Columns[i]))
	}
	columns := make([]field, len(s.Columns))
	for i := range s.Columns {
		columns[i] = columnField(&s.Columns[i])
	}
	row := field{kind: "struct", fields: columns, optional: true, name: topic + ".Value"}
	before, after := row, row
	before.field, after.field = "before", "after"
	source := sourceField(s, postgres)
	value := field{kind: "struct", name: topic + ".Envelope", version: 2, fields: append([]field{
		before, after, source, transactionField, {kind: "string", field: "op"},
	}, times...)}
	f := Frame{Value: value.frame()}
	if len(key) > 0 {
		f.Key = (&field{kind: "struct", fields: key, name: topic + ".Key"}).frame()
	}
	return f
}

// Wrap puts a payload into a frame's text; with an empty one, or without a payload, it is the payload.
func Wrap(frame, payload []byte) []byte {
	if frame == nil || payload == nil {
		return payload
	}
	out := make([]byte, 0, len(frame)+len(payload)+1)
	return append(append(append(out, frame...), payload...), '}')
}

// framed begins a text that a Frame made; no key object does, in which a misfit's "type" is no struct.
const framed = `{"schema":{"type":"struct"`

// KeyPayload is a record's key without the schema that stands before it, if one does.
func KeyPayload(key []byte) []byte {
	if !bytes.HasPrefix(key, []byte(framed)) {
		return key
	}
	var s jsonscan.Scanner
	s.Reset(key)
	payload := key
	for more := s.Open(); more; more = s.More() {
		name := string(plain(s.Name()))
		if v := s.Value(); name == "payload" {
			payload = v.Raw
		}
	}
	if s.End() != nil {
		return key
	}
	return payload
}

// field is a schema of Connect, and the name that it has in a struct.
type field struct {
	kind     string
	fields   []field // of a struct
	items    *field  // of an array
	values   *field  // of a map with texts as keys
	optional bool
	name     string
	version  int
	doc      string
	params   []record.Param
	def      []byte // the default as JSON
	field    string
}

func (f *field) frame() []byte {
	return append(f.append([]byte(`{"schema":`)), `,"payload":`...)
}

// append renders the schema in the order of JsonConverter.asJsonSchema.
func (f *field) append(dst []byte) []byte {
	dst = AppendText(append(dst, `{"type":`...), f.kind)
	switch {
	case f.items != nil:
		dst = f.items.append(append(dst, `,"items":`...))
	case f.values != nil:
		dst = append(dst, `,"keys":{"type":"string","optional":false},"values":`...)
		dst = f.values.append(dst)
	case f.kind == "struct":
		dst = append(dst, `,"fields":[`...)
		for i := range f.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = f.fields[i].append(dst)
		}
		dst = append(dst, ']')
	}
	dst = strconv.AppendBool(append(dst, `,"optional":`...), f.optional)
	if f.name != "" {
		dst = appendName(append(dst, `,"name":`...), f.name)
	}
	if f.version > 0 {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(f.version), 10)
	}
	if f.doc != "" {
		dst = AppendText(append(dst, `,"doc":`...), f.doc)
	}
	for i, p := range f.params {
		if i == 0 {
			dst = append(dst, `,"parameters":{`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendName(append(appendName(dst, p.Name), ':'), p.Value)
		if i == len(f.params)-1 {
			dst = append(dst, '}')
		}
	}
	if f.def != nil {
		dst = append(append(dst, `,"default":`...), f.def...)
	}
	if f.field != "" {
		dst = appendName(append(dst, `,"field":`...), f.field)
	}
	return append(dst, '}')
}

// columnField is the schema of a column.
func columnField(c *record.Column) field {
	semantic := c.Semantic
	if semantic == record.Plain {
		semantic = natural(c.Type)
	}
	of := semantic.Connect()
	f := field{
		kind: of.Type, optional: c.Nullable, name: of.Name, version: of.Version, doc: of.Doc,
		params: c.Params, def: c.Default, field: c.Name,
	}
	switch semantic {
	case record.Plain:
		f.kind = plainKind(c.Type)
	case record.VariableScaleDecimal:
		f.fields = []field{{kind: "int32", field: "scale"}, {kind: "bytes", field: "value"}}
	case record.Point:
		f.fields = []field{
			{kind: "double", field: "x"},
			{kind: "double", field: "y"},
			{kind: "bytes", optional: true, field: "wkb"},
			{kind: "int32", optional: true, field: "srid"},
		}
	case record.Array:
		if c.Items != nil {
			items := columnField(c.Items)
			f.items = &items
		}
	case record.Map:
		f.values = &field{kind: "string", optional: true}
	}
	return f
}

// natural is the semantic of a column that is written as its type says.
func natural(t record.Type) record.Semantic {
	switch t {
	case record.Date:
		return record.Days
	case record.Time:
		return record.MicroTime
	case record.Timestamp:
		return record.MicroTimestamp
	case record.TimestampTZ:
		return record.ZonedTimestamp
	case record.UUID:
		return record.UUIDText
	}
	return record.Plain
}

func plainKind(t record.Type) string {
	switch t {
	case record.Boolean:
		return "boolean"
	case record.Int:
		return "int32"
	case record.Long:
		return "int64"
	case record.Float:
		return "float"
	case record.Double:
		return "double"
	case record.Binary:
		return "bytes"
	}
	return "string"
}

var (
	times = []field{
		{kind: "int64", optional: true, field: "ts_ms"}, {kind: "int64", optional: true, field: "ts_us"}, {kind: "int64", optional: true, field: "ts_ns"},
	}
	transactionField = field{
		kind: "struct", optional: true, name: "event.block", version: 1, field: "transaction",
		fields: []field{{kind: "string", field: "id"}, {kind: "int64", field: "total_order"}, {kind: "int64", field: "data_collection_order"}},
	}
)

// sourceField is the schema of the source block that a Form renders.
func sourceField(s *record.Schema, postgres bool) field {
	snapshot := record.Semantic.Connect(record.Enum)
	fields := []field{
		{kind: "string", field: "version"},
		{kind: "string", field: "connector"},
		{kind: "string", field: "name"},
		{kind: "int64", field: "ts_ms"},
		{
			kind: snapshot.Type, optional: true, name: snapshot.Name, version: snapshot.Version, def: []byte(`"false"`), field: "snapshot",
			params: []record.Param{{Name: "allowed", Value: "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"}},
		},
		{kind: "string", field: "db"},
		{kind: "string", optional: true, field: "sequence"},
		{kind: "int64", optional: true, field: "ts_us"},
		{kind: "int64", optional: true, field: "ts_ns"},
	}
	if postgres || s.Schema != "" {
		fields = append(fields, field{kind: "string", field: "schema"})
	}
	fields = append(fields, field{kind: "string", field: "table"})
	if !postgres {
		return field{kind: "struct", fields: append(fields, field{kind: "int64", field: "seq"}), name: "tarn.Source", version: 1, field: "source"}
	}
	return field{kind: "struct", name: "io.debezium.connector.postgresql.Source", version: 1, field: "source", fields: append(
		fields,
		field{kind: "int64", optional: true, field: "txId"}, field{kind: "int64", optional: true, field: "lsn"}, field{kind: "int64", optional: true, field: "xmin"},
		field{kind: "string", optional: true, field: "origin"}, field{kind: "int64", optional: true, field: "origin_lsn"},
	)}
}
