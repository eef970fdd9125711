package envelope

import (
	"strconv"

	"tarn/embedded/record"
)

// Boundary is an event of the topic <prefix>.transaction, which provide.transaction.metadata asks for. Its key is BoundaryKey.
type Boundary struct {
	ID       string
	End      bool
	Events   int64         // of an End: how many events the transaction has
	Tables   []TableEvents // of an End
	TSMillis int64         // of the commit
}

// TableEvents is how many events a transaction has of a table, "public.calls".
type TableEvents struct {
	Table  string
	Events int64
}

// AppendBoundary renders the event.
func AppendBoundary(dst []byte, b *Boundary) []byte {
	status := "BEGIN"
	if b.End {
		status = "END"
	}
	dst = AppendText(append(dst, `{"status":`...), status)
	dst = AppendText(append(dst, `,"id":`...), b.ID)
	if !b.End {
		dst = append(dst, `,"event_count":null,"data_collections":null`...)
	} else {
		dst = strconv.AppendInt(append(dst, `,"event_count":`...), b.Events, 10)
		dst = append(dst, `,"data_collections":[`...)
		for i, t := range b.Tables {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendName(append(dst, `{"data_collection":`...), t.Table)
			dst = append(strconv.AppendInt(append(dst, `,"event_count":`...), t.Events, 10), '}')
		}
		dst = append(dst, ']')
	}
	return append(strconv.AppendInt(append(dst, `,"ts_ms":`...), b.TSMillis, 10), '}')
}

// AppendBoundaryKey renders the event's key.
func AppendBoundaryKey(dst []byte, b *Boundary) []byte {
	return append(AppendText(append(dst, `{"id":`...), b.ID), '}')
}

// BoundaryFrame is the frame of these events.
func BoundaryFrame() Frame {
	key := field{kind: "struct", name: "io.debezium.connector.common.TransactionMetadataKey", version: 1, fields: []field{{kind: "string", field: "id"}}}
	table := field{
		kind: "struct", optional: true, name: "event.collection", version: 1,
		fields: []field{{kind: "string", field: "data_collection"}, {kind: "int64", field: "event_count"}},
	}
	value := field{
		kind: "struct", name: "io.debezium.connector.common.TransactionMetadataValue", version: 1,
		fields: []field{
			{kind: "string", field: "status"},
			{kind: "string", field: "id"},
			{kind: "int64", optional: true, field: "event_count"},
			{kind: "array", items: &table, optional: true, field: "data_collections"},
			{kind: "int64", field: "ts_ms"},
		},
	}
	return Frame{key.frame(), value.frame()}
}

// AppendMessage renders the event of a pg_logical_emit_message for the topic <prefix>.message, with op m. The source has no table.
func AppendMessage(dst []byte, src *Source, prefix string, content []byte, tsNanos int64) []byte {
	dst = strconv.AppendInt(append(dst, `{"op":"m","ts_ms":`...), floorDiv(tsNanos, nanosPerMilli), 10)
	dst = NewForm(&record.Schema{}, src).appendSource(append(dst, `,"source":`...), src)
	dst = appendTransaction(append(dst, `,"transaction":`...), src.Transaction)
	dst = appendName(append(dst, `,"message":{"prefix":`...), prefix)
	dst = appendBase64(append(dst, `,"content":`...), content)
	return append(dst, "}}"...)
}

// AppendMessageKey renders the event's key.
func AppendMessageKey(dst []byte, prefix string) []byte {
	return append(appendName(append(dst, `{"prefix":`...), prefix), '}')
}

// MessageFrame is the frame of these events.
func MessageFrame() Frame {
	const name = "io.debezium.connector.postgresql.Message"
	prefix := field{kind: "string", optional: true, field: "prefix"}
	key := field{kind: "struct", name: name + "Key", version: 1, fields: []field{prefix}}
	value := field{kind: "struct", name: name + "Value", version: 1, fields: []field{
		{kind: "string", field: "op"},
		{kind: "int64", optional: true, field: "ts_ms"},
		sourceField(&record.Schema{}, true), transactionField,
		{kind: "struct", name: name, version: 1, field: "message", fields: []field{prefix, {kind: "bytes", optional: true, field: "content"}}},
	}}
	return Frame{key.frame(), value.frame()}
}

// HeartbeatFrame is the frame of the records of the topic of heartbeats, {"ts_ms":…} under {"serverName":…}.
func HeartbeatFrame() Frame {
	key := field{kind: "struct", name: "io.debezium.connector.common.ServerNameKey", version: 1, fields: []field{{kind: "string", field: "serverName"}}}
	value := field{kind: "struct", name: "io.debezium.connector.common.Heartbeat", version: 1, fields: []field{{kind: "int64", field: "ts_ms"}}}
	return Frame{key.frame(), value.frame()}
}
