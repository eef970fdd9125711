// Package envelope is Debezium's change event as JSON without schemas: rendered by
// sources, read by landing and pipelines, so that both sides stand beside each
// other. It knows rows and schemas, no database and no table.
//
// A row is an object of its columns in order. A long is a number with all its digits; a
// double is a number that reads back to the same bits and always has a point or an
// exponent, or "NaN", "Infinity", "-Infinity"; binary is base64; decimals, times with a
// zone and uuids are text as the source says them; dates, times and timestamps are
// numbers (days, microseconds).
//
// A cell that does not fit its column's type is null in the row, and the row's last member
// "_extra" says what it was, so that nothing is altered in silence:
//
//	{"id":1,"berth":null,"_extra":{"berth":{"type":"text","value":"abc"}}}
//
// The types are SQLite's words: "integer", "real", "text", "blob" (value in base64) and
// "boolean". Text that is not UTF-8 has its bytes in base64 and one member more,
// "encoding":"base64". Text that happens to be Debezium's placeholder for an unchanged
// value is a misfit too, because it would be read as one.
package envelope

import (
	"math"
	"strconv"
	"unicode/utf8"

	"tarn/embedded/record"
)

// The names that an envelope gives a meaning of its own.
const (
	// Extra is the member of a row object that holds its misfits; no column may have this name.
	Extra = "_extra"
	// Unavailable is Debezium's placeholder for a value that the source did not send.
	Unavailable = "__debezium_unavailable_value"
	// RowID is the member of a key object that tells rows with a null key apart.
	RowID = "_rowid"
)

// Source is the envelope's member "source".
type Source struct {
	Version   string // Tarn's
	Connector string // "sqlite"
	Name      string // topic.prefix
	TSNanos   int64  // of the change in the source, since 1970
	Snapshot  string // "true", "first", "first_in_data_collection", "last_in_data_collection", "last", "false"
	Database  string
	Schema    string // "" leaves the member out
	Table     string
	Seq       int64 // the connector's own place
	// Postgres is where a change stands in PostgreSQL's log, in place of Seq.
	Postgres *PostgresPlace
	// Transaction is the change's; nil where transactions are not told.
	Transaction *Transaction
}

// Transaction is an event's place in its transaction.
type Transaction struct {
	ID         string
	Order      int64 // among the transaction's events, from 1
	TableOrder int64 // among those of its table
}

// Event is one envelope taken apart; the slices share the value's bytes.
type Event struct {
	Op       byte
	TSMillis int64
	Before   []byte // a JSON object, or nil for null
	After    []byte
	Source   []byte
}

// Fits tells whether a cell is rendered in its column, and not as a misfit in Extra.
// Null and Missing fit every column.
func Fits(s *record.Schema, c *record.Column, v record.Value) bool {
	switch {
	case v.Kind == record.Null, v.Kind == record.Missing:
		return true
	case (v.Kind == record.TextKind || v.Kind == record.BytesKind) && isMissing(s, c, v):
		return false
	case c.Semantic != record.Plain:
		return semanticFits(c, v)
	}
	return plainFits(c, v)
}

// plainFits is Fits for a column without a semantic.
func plainFits(c *record.Column, v record.Value) bool {
	switch v.Kind {
	case record.BoolKind:
		return c.Type == record.Boolean
	case record.FloatKind:
		return c.Type == record.Double || c.Type == record.Float && short(v.F)
	case record.BytesKind:
		return c.Type == record.Binary
	case record.IntKind:
		switch c.Type {
		case record.Long, record.Time, record.Timestamp:
			return true
		case record.Int, record.Date:
			return v.I >= math.MinInt32 && v.I <= math.MaxInt32
		}
		return false
	case record.TextKind:
		return textual(c.Type) && utf8.Valid(v.B)
	}
	return false
}

// short tells whether 32 bits hold a number.
func short(f float64) bool { return float64(float32(f)) == f || math.IsNaN(f) }

// textual tells whether values of a type are text in the envelope and in a Value.
func textual(t record.Type) bool {
	switch t {
	case record.Boolean, record.Int, record.Long, record.Float, record.Double,
		record.Date, record.Time, record.Timestamp, record.Binary:
		return false
	}
	return true
}

// Append renders one event onto dst, as a Form does, which is for many.
func Append(dst []byte, s *record.Schema, src *Source, op byte, before, after record.Row, tsNanos int64) []byte {
	return NewForm(s, src).Append(dst, src, op, before, after, tsNanos)
}

func appendTransaction(dst []byte, t *Transaction) []byte {
	if t == nil {
		return append(dst, "null"...)
	}
	dst = AppendText(append(dst, `{"id":`...), t.ID)
	dst = strconv.AppendInt(append(dst, `,"total_order":`...), t.Order, 10)
	dst = strconv.AppendInt(append(dst, `,"data_collection_order":`...), t.TableOrder, 10)
	return append(dst, '}')
}

// AppendValue renders a cell that fits its column.
func AppendValue(dst []byte, s *record.Schema, c *record.Column, v record.Value) []byte {
	switch {
	case v.Kind == record.Missing:
		return appendMissing(dst, s, c)
	case v.Kind == record.Null:
		return append(dst, "null"...)
	case c.Semantic != record.Plain:
		return appendSemantic(dst, c, v)
	}
	return appendCell(dst, c, v)
}

func appendExtra(dst []byte, s *record.Schema, row record.Row) []byte {
	dst = append(dst, `,"`+Extra+`":`...)
	open := byte('{')
	for i := range s.Columns {
		if Fits(s, &s.Columns[i], row[i]) {
			continue
		}
		dst = append(dst, open)
		open = ','
		dst = appendName(dst, s.Columns[i].Name)
		dst = append(dst, ':')
		dst = appendMisfit(dst, row[i])
	}
	return append(dst, '}')
}

// kindNames are SQLite's words for what a cell holds.
var kindNames = [...]string{
	record.Null: "null", record.IntKind: "integer", record.FloatKind: "real", record.TextKind: "text",
	record.BytesKind: "blob", record.BoolKind: "boolean", record.Missing: "missing",
}

// appendMisfit renders a cell with its type beside it.
func appendMisfit(dst []byte, v record.Value) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, kindNames[v.Kind]...)
	dst = append(dst, `","value":`...)
	if v.Kind == record.TextKind && !utf8.Valid(v.B) {
		dst = appendBase64(dst, v.B)
		return append(dst, `,"encoding":"base64"}`...)
	}
	dst = appendCell(dst, &record.Column{}, v)
	return append(dst, '}')
}

// AppendKey renders the key object of a row, {"id":1}, in the order of the key; dst as it
// was for a table without a key. A misfit is rendered in its place as in Extra,
// {"id":{"type":"text","value":"x"}}, and a null as null, so that two keys are the same
// bytes only when they are the same cells.
func AppendKey(dst []byte, s *record.Schema, row record.Row) []byte {
	out, _ := NewForm(s, &Source{}).appendKey(dst, row)
	return out
}

// AppendKeyRow is AppendKey for a source in which several rows may have the same null in
// their key: a key with a null gets the source's own id of the row as its last member,
// {"id":null,"_rowid":7}, so that no two rows share a key.
func AppendKeyRow(dst []byte, s *record.Schema, row record.Row, rowID int64) []byte {
	return NewForm(s, &Source{}).AppendKeyRow(dst, row, rowID)
}

// The bytes of an event beside its rows and names, rounded up, and of one cell that is no text.
const (
	frameBytes = 512
	plainBytes = 32
	extraBytes = 64
	// placeBytes are those of a place in PostgreSQL's log and of a transaction.
	placeBytes = 320
)

// SizeMax is a bound, not far off, of the bytes that one event, its key and its headers take.
func SizeMax(s *record.Schema, src *Source, before, after record.Row) int {
	n := frameBytes + len(src.Version) + len(src.Name) + 2*len(src.Database) + 2*len(src.Table)
	if src.Postgres != nil {
		n += placeBytes
	}
	for _, row := range []record.Row{before, after} {
		for i := range row {
			c := &s.Columns[i]
			cell := len(c.Name) + 4 + plainBytes + cellBytes(s, c, row[i])
			if c.Key > 0 {
				cell *= 2
			}
			n += cell
		}
	}
	return n
}

// cellBytes are those of a cell beside plainBytes.
func cellBytes(s *record.Schema, c *record.Column, v record.Value) (n int) {
	switch v.Kind {
	case record.TextKind:
		n = len(v.B) + escapes(v.B)
	case record.BytesKind:
		n = len(v.B)*4/3 + 4
		if c.Semantic == record.HexText {
			n = 2 * len(v.B)
		}
	case record.Missing:
		return unavailableBytes * len(placeholder(s))
	}
	if !Fits(s, c, v) {
		n += extraBytes + len(c.Name) + len(v.B)/2
	}
	return n
}
