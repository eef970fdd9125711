package envelope

import (
	"maps"
	"slices"
	"strconv"
)

// Notification is what a connector tells of its snapshots (Debezium's documentation, "Debezium notifications").
type Notification struct {
	ID        string
	Aggregate string // Initial Snapshot, Incremental Snapshot
	Type      string // STARTED, COMPLETED and others
	Data      map[string]string
	TSMillis  int64
}

// AppendNotificationKey renders the key of a notification's record.
func AppendNotificationKey(dst []byte, n *Notification) []byte {
	return append(AppendText(append(dst, `{"id":`...), n.ID), '}')
}

// AppendNotification renders a notification; its data is in the order of names, which in Debezium is that of a hash table.
func AppendNotification(dst []byte, n *Notification) []byte {
	dst = AppendText(append(dst, `{"id":`...), n.ID)
	dst = AppendText(append(dst, `,"type":`...), n.Type)
	dst = AppendText(append(dst, `,"aggregate_type":`...), n.Aggregate)
	dst = append(dst, `,"additional_data":{`...)
	for i, name := range slices.Sorted(maps.Keys(n.Data)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendText(append(AppendText(dst, name), ':'), n.Data[name])
	}
	return append(strconv.AppendInt(append(dst, `},"timestamp":`...), n.TSMillis, 10), '}')
}

// NotificationFrame is the frame of these records.
func NotificationFrame() Frame {
	key := field{kind: "struct", name: "io.debezium.connector.common.NotificationKey", version: 1, fields: []field{{kind: "string", field: "id"}}}
	value := field{kind: "struct", name: "io.debezium.connector.common.Notification", version: 1, fields: []field{
		{kind: "string", field: "id"},
		{kind: "string", field: "type"},
		{kind: "string", field: "aggregate_type"},
		{kind: "map", values: &field{kind: "string"}, optional: true, field: "additional_data"},
		{kind: "int64", field: "timestamp"},
	}}
	return Frame{key.frame(), value.frame()}
}
