package landing

import (
	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
	"tarn/lake/table"
)

// field is one member of a JSON object. Its value shares the record's bytes.
type field struct {
	*member
	v jsonscan.Value
}

// member is a name that fields have, with what the commit in hand found out about it.
type member struct {
	name   string
	quoted string
	record int // the last record with a field of this name, and where that is
	at     int
	known  bool // the table has a column for it
	// declared is its type where a schema tells it, "" where the values do.
	declared record.Type
	added    int // its place among the columns that the commit adds, -1 for none
	column   int // its column, -1 for none
}

// fields takes the values of records apart.
type fields struct {
	scan    jsonscan.Scanner
	members map[string]*member
	room    []field // of the records that come; whole pieces of it are given away
	before  []field // of the record before, in whose order most records are
	records int
}

// roomFields is how many fields are allocated at once.
const roomFields = 1024

func newFields() fields { return fields{members: map[string]*member{}} }

// of takes a JSON object apart in its order; false for anything else. Of two members of one
// name the last counts, in the place of the first.
func (s *fields) of(value []byte) ([]field, bool) {
	s.records++
	if cap(s.room)-len(s.room) <= len(s.before) {
		s.room = make([]field, 0, max(roomFields, 2*len(s.before)))
	}
	from, in := len(s.room), &s.scan
	in.Reset(value)
	for more := in.Open(); more; more = in.More() {
		m := s.next(len(s.room) - from)
		v := in.Value()
		if v.Kind == jsonscan.Invalid {
			break
		}
		if m.record == s.records {
			s.room[m.at].v = *v
			continue
		}
		m.record, m.at = s.records, len(s.room)
		s.room = append(s.room, field{m, *v})
	}
	if in.End() != nil {
		s.room = s.room[:from]
		return nil, false
	}
	s.before = s.room[from:len(s.room):len(s.room)]
	return s.before, true
}

// named is the member of a name.
func (s *fields) named(name string) *member {
	m, ok := s.members[name]
	if !ok {
		m = &member{name: name, quoted: jsonscan.Quoted(name)}
		s.members[name] = m
	}
	return m
}

// next goes behind the name of the nth member.
func (s *fields) next(n int) *member {
	if n < len(s.before) && s.scan.Skip(s.before[n].quoted) {
		return s.before[n].member
	}
	raw, escaped := s.scan.Name()
	if escaped {
		raw = jsonscan.Unescape(nil, raw)
	}
	if m, ok := s.members[string(raw)]; ok {
		return m
	}
	return s.named(string(raw))
}

// typeOf is the column type that a value asks for; "" for null and for a number that no
// column holds exactly.
func typeOf(v *jsonscan.Value) (t record.Type, doc string) {
	switch v.Kind {
	case jsonscan.True, jsonscan.False:
		return record.Boolean, ""
	case jsonscan.Text:
		return record.String, ""
	case jsonscan.Object, jsonscan.Array:
		return record.String, jsonDoc
	case jsonscan.Number:
		if _, ok := v.Integer(); ok {
			return record.Long, ""
		}
		if _, ok := jsonscan.Double(v.Raw); ok {
			return record.Double, ""
		}
	}
	return "", ""
}

// into puts a value into a cell of a column; false when it does not fit. What fits is what landing
// would have inferred, or what normal makes of that; pipelines, whose columns are declared, take
// more: package decode.
func into(v *jsonscan.Value, c *table.Column, cell *record.Value) bool {
	var natural record.Value
	switch {
	case v.Kind == jsonscan.Null:
		return true
	case IsJSON(c):
		*cell = jsonText(v.Raw)
		return true
	case v.Kind == jsonscan.True:
		natural = record.Value{Kind: record.BoolKind, I: 1}
	case v.Kind == jsonscan.False:
		natural = record.Value{Kind: record.BoolKind}
	case v.Kind == jsonscan.Text:
		natural = record.Value{Kind: record.TextKind, B: v.Inner()}
		if v.Escaped {
			natural.B = jsonscan.Unescape(make([]byte, 0, len(v.Raw)), v.Inner())
		}
		if c.Type == record.TimestampTZ { // one that is finer than the column stays beside it
			micros, zoned, ok := jsonscan.Instant(natural.B)
			*cell = integer(micros)
			return ok && zoned
		}
	case v.Kind == jsonscan.Number:
		if c.Type == record.TimestampTZ {
			return false // of what unit it is only who reads it knows
		}
		if n, ok := v.Integer(); ok && c.Type != record.Double && c.Type != record.Float {
			natural = integer(n)
			break
		}
		f, ok := jsonscan.Double(v.Raw)
		if !ok {
			return false
		}
		natural = record.Value{Kind: record.FloatKind, F: f}
	default:
		return false
	}
	out, fits := normal(c.Type, natural)
	if fits {
		*cell = out
	}
	return fits
}
