// Package envelope is Debezium's change event as JSON without schemas: rendered by
// sources, read by landing and pipelines, so that both sides stand beside each
// other. It knows rows and schemas, no database and no table.
//
// A cell that does not fit its column's type is null in the row, and the row's member
// "_extra" holds {"column": {"type": "text", "value": …}} for it.
package envelope

import "tarn/embedded/record"

// Source is the envelope's member "source".
type Source struct {
	Version   string // Tarn's
	Connector string // "sqlite"
	Name      string // topic.prefix
	TSMillis  int64  // of the change in the source
	Snapshot  string // "true", "first", "last", "false"
	Database  string
	Schema    string // "" leaves the member out
	Table     string
	Seq       int64 // the connector's own place
}

// Event is one envelope taken apart; the slices share the value's bytes.
type Event struct {
	Op       byte
	TSMillis int64
	Before   []byte // a JSON object, or nil for null
	After    []byte
	Source   []byte
}

// Append renders one event onto dst. Rows may be nil.
func Append(dst []byte, s *record.Schema, src *Source, op byte, before, after record.Row, tsMillis int64) []byte {
	panic("envelope: being built")
}

// AppendKey renders the key object of a row, {"id":1}; nil for a table without a key.
func AppendKey(dst []byte, s *record.Schema, row record.Row) []byte {
	panic("envelope: being built")
}

// Split takes an envelope apart without decoding rows. It accepts {"schema":…,"payload":…} too.
func Split(value []byte) (Event, error) { panic("envelope: being built") }

// Decode reads a row object into cells by the schema, in column order; an absent column or
// the placeholder __debezium_unavailable_value is record.Missing. extra is the raw object of "_extra", nil without.
// The row's memory is used again when it is large enough.
func Decode(s *record.Schema, object []byte, row record.Row) (out record.Row, extra []byte, err error) {
	panic("envelope: being built")
}
