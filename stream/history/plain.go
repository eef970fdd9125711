package history

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/lake/table"
	"tarn/stream/decode"
	"tarn/stream/landing"
)

// The columns that each row of a plain bronze table has, in the order in which they are read.
var plainColumns = []string{partitionColumn, offsetColumn, timeColumn, keyColumn, extraColumn, landing.ValueColumn}

// eventTexts are the members of a change event in which there may be texts that are read as they stand.
var eventTexts = []string{"before", "after", "payload"}

// readLog is the way out.
const readLog = "read what the log still has: scan.startup.mode = 'log'"

// object makes the JSON object of a record again of its columns.
type object struct {
	members []member
	texts   []string // members whose text is read as it stands, were it an object or a list
	events  bool
}

type member struct {
	name []byte // quoted, with its colon
	json bool   // the column holds JSON text
}

// plain prepares to read a topic whose records' members are columns. The text of a number with a fraction is gone: it is a
// double there.
func (h *History) plain() error {
	o := &object{events: h.Events}
	h.names = slices.Clone(plainColumns)
	if o.texts = eventTexts; !h.Events {
		o.texts = nil
		for _, c := range h.Columns {
			if c.Type == record.String {
				o.texts = append(o.texts, c.Name)
			}
		}
	}
	for _, c := range h.table.Columns() {
		if landing.IsPlainOwn(strings.ToLower(c.Name)) {
			continue
		}
		readable, err := h.holds(c)
		if err != nil {
			return err
		}
		if readable {
			o.members = append(o.members, member{append(envelope.AppendText(nil, landing.SourceName(c)), ':'), landing.IsJSON(&c)})
			h.names = append(h.names, c.Name)
		}
	}
	h.record = o.record
	return nil
}

// holds tells whether the values of a column of bronze can be told, and refuses one in which what a declared column reads is not
// as it was.
func (h *History) holds(c table.Column) (readable bool, err error) {
	name := landing.SourceName(c)
	at := slices.IndexFunc(h.Columns, func(d decode.Column) bool { return d.Name == name })
	_, _, decimal := table.Decimal(c.Type)
	switch c.Type {
	case record.Boolean, record.Int, record.Long, record.Double, record.String, record.Date, record.TimestampTZ:
		readable = true
	default:
		readable = decimal
	}
	if h.Events {
		if !readable && slices.Contains(eventTexts, name) {
			return false, h.refuse(readLog, "column %s is %s there", name, c.Type)
		}
		return readable, nil
	}
	if at < 0 {
		return readable, nil
	}
	as, same := h.Columns[at].Type, readable
	switch c.Type {
	case record.Double, record.Date:
		same = as == c.Type
	case record.TimestampTZ:
		same = as == record.TimestampTZ || as == record.Timestamp
	default:
		if decimal {
			_, _, same = table.Decimal(as)
		}
	}
	if !same {
		return false, h.refuse(fmt.Sprintf("declare it as it is there, if its values are of that type; or %s", readLog),
			"column %s is %s there, so that its text may not be that of the records, and is read as %s", name, c.Type, as)
	}
	return readable, nil
}

// record is a row as the record that it was, but for headers, and in its value for blanks, the order of members and those
// that are null.
func (o *object) record(b arrow.RecordBatch, row int) (*record.Record, error) {
	times, ok := b.Column(2).(*array.Timestamp)
	extras, ok2 := b.Column(4).(*array.String)
	values, ok3 := b.Column(5).(*array.Binary)
	keys, ok4 := b.Column(3).(*array.String)
	if !ok || !ok2 || !ok3 || !ok4 {
		return nil, fmt.Errorf("its columns are %s", b.Schema())
	}
	r := &record.Record{Timestamp: int64(times.Value(row)) / 1000}
	if keys.IsValid(row) {
		r.Key = keyOf(keys.Value(row))
	}
	if values.IsValid(row) {
		r.Value = slices.Clone(values.Value(row))
		return r, nil
	}
	value := []byte{'{'}
	for i, m := range o.members {
		column := b.Column(len(plainColumns) + i)
		if column.IsNull(row) {
			continue
		}
		value = append(value, m.name...)
		var err error
		if value, err = appendCell(value, column, row, m.json); err != nil {
			return nil, err
		}
		value = append(value, ',')
	}
	if extras.IsValid(row) {
		var err error
		if value, err = o.extra(value, extras.Value(row)); err != nil {
			return nil, err
		}
	} else if len(value) == 1 {
		if o.events {
			return r, nil // a tombstone: an object without members would be no change event, and has no row either
		}
		return nil, errors.New("nothing tells whether it was an object without values or no value at all")
	}
	r.Value = append(value[:max(1, len(value)-1)], '}')
	return r, nil
}

// extra appends the members that did not fit their columns, each with a comma behind it. Blanks in them are gone.
func (o *object) extra(value []byte, text string) ([]byte, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return nil, fmt.Errorf("read its %s: %w", extraColumn, err)
	}
	for name, raw := range members {
		if len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') && slices.Contains(o.texts, name) {
			return nil, fmt.Errorf("member %s is in %s, where the blanks of its text are gone", name, extraColumn)
		}
		value = append(append(append(envelope.AppendText(value, name), ':'), raw...), ',')
	}
	return value, nil
}

// appendCell renders a cell as landing has read it.
func appendCell(dst []byte, column arrow.Array, row int, isJSON bool) ([]byte, error) {
	switch c := column.(type) {
	case *array.Boolean:
		return strconv.AppendBool(dst, c.Value(row)), nil
	case *array.Int64:
		return strconv.AppendInt(dst, c.Value(row), 10), nil
	case *array.Float64:
		return strconv.AppendFloat(dst, c.Value(row), 'e', -1, 64), nil // with an exponent, or every digit would have to be there
	case *array.Int32:
		return strconv.AppendInt(dst, int64(c.Value(row)), 10), nil
	case *array.Date32:
		return c.Value(row).ToTime().AppendFormat(dst, `"2006-01-02"`), nil
	case *array.Timestamp:
		return time.UnixMicro(int64(c.Value(row))).UTC().AppendFormat(dst, `"2006-01-02T15:04:05.999999Z"`), nil
	case *array.Decimal128:
		return fmt.Appendf(dst, "%q", c.ValueStr(row)), nil
	case *array.String:
		if isJSON {
			return append(dst, c.Value(row)...), nil
		}
		return envelope.AppendText(dst, c.Value(row)), nil
	}
	return nil, fmt.Errorf("a column is %s", column.DataType())
}

// keyOf is a key of which bronze has the text, or the bytes in hex.
func keyOf(text string) []byte {
	if digits, ok := strings.CutPrefix(text, `\x`); ok {
		if b, err := hex.DecodeString(digits); err == nil {
			return b
		}
	}
	return []byte(text)
}
