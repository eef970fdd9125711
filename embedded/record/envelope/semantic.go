package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
)

// What Debezium writes for a time without end (its PostgreSQL converter): a date as PostgreSQL's own infinity
// counted from 1970 in 32 bits, a timestamp as the driver's.
const (
	infinityDays     = math.MinInt32 + 10956
	minusDays        = math.MinInt32 + 10957
	infinityMicros   = 9223372036825200000
	minusMicros      = -9223372036832400000
	infinity         = "infinity"
	minusInfinity    = "-infinity"
	nanosPerMicro    = 1000
	nanosPerMilli    = 1_000_000
	microsPerMilli   = 1000
	nanoMicrosMax    = math.MaxInt64 / nanosPerMicro
	secondMicros     = 1_000_000
	unavailableBytes = 5 // at most, of one of the placeholder's in an array of numbers
)

// endless is the number that stands for a text of infinity in a column of dates or timestamps.
func endless(s record.Semantic, text []byte) (n int64, ok bool) {
	plus, minus := int64(infinityMicros), int64(minusMicros)
	switch s {
	case record.Days:
		plus, minus = infinityDays, minusDays
	case record.MilliTimestamp:
		plus, minus = infinityMicros/microsPerMilli, minusMicros/microsPerMilli
	case record.MicroTimestamp:
	default:
		return 0, false
	}
	switch string(text) {
	case infinity:
		return plus, true
	case minusInfinity:
		return minus, true
	}
	return 0, false
}

// ended is the other way of endless.
func ended(s record.Semantic, n int64) record.Value {
	for _, text := range []string{infinity, minusInfinity} {
		if of, ok := endless(s, []byte(text)); ok && of == n {
			return record.Value{Kind: record.TextKind, B: []byte(text)}
		}
	}
	return record.Value{}
}

// semanticFits is Fits for a column that has a semantic.
func semanticFits(c *record.Column, v record.Value) bool {
	switch c.Semantic {
	case record.Plain, record.Short, record.MicroDuration:
		return plainFits(c, v)
	case record.Decimal:
		return v.Kind == record.TextKind && isDecimal(v.B, c.Scale)
	case record.VariableScaleDecimal:
		return v.Kind == record.TextKind && isDecimal(v.B, math.MaxInt)
	case record.Days, record.ConnectDate, record.IsoDate:
		return timeFits(c.Semantic, v, 1, math.MaxInt32)
	case record.MicroTime, record.MicroTimestamp:
		return timeFits(c.Semantic, v, 1, math.MaxInt64)
	case record.MilliTime, record.MilliTimestamp:
		return timeFits(c.Semantic, v, microsPerMilli, math.MaxInt64)
	case record.NanoTime, record.NanoTimestamp:
		return v.Kind == record.IntKind && v.I <= nanoMicrosMax && v.I >= -nanoMicrosMax
	case record.ConnectTime, record.ConnectTimestamp, record.IsoTimestamp:
		return v.Kind == record.IntKind
	case record.IsoTime:
		return v.Kind == record.IntKind && v.I >= 0 && v.I < jsonscan.DayMicros
	case record.ZonedTimestamp:
		return v.Kind == record.IntKind || isText(v)
	case record.Bits, record.Base64Text, record.Base64URLText, record.HexText:
		return v.Kind == record.BytesKind
	}
	return isText(v)
}

func isText(v record.Value) bool { return v.Kind == record.TextKind && utf8.Valid(v.B) }

// timeFits tells whether a number of some unit, or a text of infinity, has its own number in events.
func timeFits(s record.Semantic, v record.Value, unit, limit int64) bool {
	if v.Kind == record.TextKind {
		_, ok := endless(s, v.B)
		return ok
	}
	return v.Kind == record.IntKind && v.I%unit == 0 && v.I <= limit && v.I >= -limit-1 && ended(s, v.I/unit).Kind == record.Null
}

// appendSemantic renders a cell that fits its column, which has a semantic.
func appendSemantic(dst []byte, c *record.Column, v record.Value) []byte {
	switch c.Semantic {
	case record.Decimal:
		return appendDecimal(dst, v.B, c.Scale)
	case record.VariableScaleDecimal:
		return appendVariable(dst, v.B)
	case record.Days, record.MicroTimestamp, record.MilliTimestamp:
		if n, ok := endless(c.Semantic, v.B); ok && v.Kind == record.TextKind {
			return strconv.AppendInt(dst, n, 10)
		}
	case record.IsoDate:
		return append(appendDate(append(dst, '"'), v.I), `Z"`...)
	case record.IsoTime:
		return append(appendClock(append(dst, '"'), v.I, asNeeded), `Z"`...)
	case record.IsoTimestamp:
		return appendInstant(dst, v.I, asNeeded)
	case record.ZonedTimestamp:
		if v.Kind == record.IntKind {
			return appendInstant(dst, v.I, c.Scale)
		}
	case record.Point, record.Array, record.Map:
		return append(dst, v.B...)
	case record.Base64URLText:
		dst = base64.URLEncoding.AppendEncode(append(dst, '"'), v.B)
		return append(dst, '"')
	case record.HexText:
		dst = hex.AppendEncode(append(dst, '"'), v.B)
		return append(dst, '"')
	}
	switch c.Semantic {
	case record.MilliTime, record.MilliTimestamp, record.ConnectTime, record.ConnectTimestamp:
		return strconv.AppendInt(dst, floorDiv(v.I, microsPerMilli), 10)
	case record.NanoTime, record.NanoTimestamp:
		return strconv.AppendInt(dst, v.I*nanosPerMicro, 10)
	}
	return appendCell(dst, c, v)
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// asNeeded leaves the zeros at the end of a fraction out.
const asNeeded = -1

// appendInstant renders microseconds since 1970 in UTC.
func appendInstant(dst []byte, micros int64, digits int) []byte {
	days := floorDiv(micros, jsonscan.DayMicros)
	dst = appendDate(append(dst, '"'), days)
	dst = appendClock(append(dst, 'T'), micros-days*jsonscan.DayMicros, digits)
	return append(dst, `Z"`...)
}

// appendDate renders days since 1970 as YYYY-MM-DD.
func appendDate(dst []byte, days int64) []byte {
	year, month, day := jsonscan.Civil(days)
	if year < 0 || year > 9999 {
		return append(dst, fmt.Sprintf("%+05d-%02d-%02d", year, month, day)...)
	}
	dst = appendTwo(appendTwo(dst, year/100), year%100)
	dst = appendTwo(append(dst, '-'), month)
	return appendTwo(append(dst, '-'), day)
}

// appendClock renders microseconds of a day as HH:MM:SS, with some digits of a fraction and all that are not 0.
func appendClock(dst []byte, micros int64, digits int) []byte {
	seconds := micros / secondMicros
	dst = appendTwo(dst, seconds/3600)
	dst = appendTwo(append(dst, ':'), seconds/60%60)
	dst = appendTwo(append(dst, ':'), seconds%60)
	fraction := micros % secondMicros
	if fraction > 0 || digits > 0 {
		dst = append(dst, '.')
	}
	for unit := int64(secondMicros / 10); fraction > 0 || digits > 0; unit /= 10 {
		if unit == 0 {
			break
		}
		dst = append(dst, byte('0'+fraction/unit))
		fraction %= unit
		digits--
	}
	return dst
}

func appendTwo(dst []byte, n int64) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}

// placeholder is what stands for a value that was not sent, as text.
func placeholder(s *record.Schema) string {
	if s.Unavailable != "" {
		return s.Unavailable
	}
	return Unavailable
}

// appendMissing renders the placeholder as a value of the column's type, as Debezium does.
func appendMissing(dst []byte, s *record.Schema, c *record.Column) []byte {
	word := placeholder(s)
	switch {
	case c.Semantic == record.Array:
		return appendMissingArray(dst, c, word)
	case c.Semantic == record.Map:
		return append(dst, hstorePlaceholder(word)...)
	case c.Semantic == record.HStoreText:
		return AppendText(dst, hstorePlaceholder(word))
	case c.Type == record.Binary && (c.Semantic == record.Plain || c.Semantic == record.Bits):
		return appendBase64(dst, []byte(word))
	}
	return AppendText(dst, word)
}

// hstorePlaceholder is the word as the JSON of an hstore.
func hstorePlaceholder(word string) []byte {
	dst := AppendText([]byte{'{'}, word)
	return append(AppendText(append(dst, ':'), word), '}')
}

func appendMissingArray(dst []byte, c *record.Column, word string) []byte {
	if c.Items == nil || c.Items.Type != record.Int && c.Items.Type != record.Long {
		return append(AppendText(append(dst, '['), word), ']')
	}
	open := byte('[')
	for i := range len(word) {
		dst = strconv.AppendInt(append(dst, open), int64(word[i]), 10)
		open = ','
	}
	return append(dst, ']')
}

// isMissing tells whether a cell would be read as the placeholder, though it is a value.
func isMissing(s *record.Schema, c *record.Column, v record.Value) bool {
	word := placeholder(s)
	switch v.Kind {
	case record.BytesKind:
		return string(v.B) == word
	case record.TextKind:
		if c.Semantic == record.Array || c.Semantic == record.Map {
			return len(v.B) < unavailableBytes*len(word) && bytes.Equal(v.B, appendMissing(nil, s, c))
		}
		return string(v.B) == word || c.Semantic == record.HStoreText && bytes.Equal(v.B, hstorePlaceholder(word))
	}
	return false
}

// semanticCell reads the value of a column that has a semantic; text is the value's, where it is one.
func semanticCell(s *record.Schema, c *record.Column, v *jsonscan.Value, text []byte) (record.Value, error) {
	switch c.Semantic {
	case record.Decimal:
		if v.Kind == jsonscan.Text {
			return decimalCell(text, c.Scale)
		}
	case record.VariableScaleDecimal:
		if v.Kind == jsonscan.Object {
			return variableCell(v.Raw)
		}
	case record.Point, record.Array, record.Map:
		if v.Kind == jsonscan.Object || v.Kind == jsonscan.Array {
			cell := record.Value{Kind: record.TextKind, B: v.Raw}
			if isMissing(s, c, cell) {
				cell = record.Value{Kind: record.Missing}
			}
			return cell, nil
		}
	case record.Bits, record.Base64Text, record.Base64URLText, record.HexText:
		if v.Kind == jsonscan.Text {
			return bytesCell(s, c, text)
		}
	case record.IsoDate, record.IsoTime, record.IsoTimestamp, record.ZonedTimestamp:
		if v.Kind == jsonscan.Text {
			return isoCell(c, text)
		}
	case record.Plain, record.Short, record.Days, record.ConnectDate, record.MicroTime, record.MicroTimestamp, record.MicroDuration,
		record.MilliTime, record.MilliTimestamp, record.ConnectTime, record.ConnectTimestamp, record.NanoTime, record.NanoTimestamp:
		return timeCell(c, v, text)
	default:
		if cell := (record.Value{Kind: record.TextKind, B: text}); v.Kind == jsonscan.Text {
			if c.Semantic == record.HStoreText && isMissing(s, c, cell) {
				cell = record.Value{Kind: record.Missing}
			}
			return cell, nil
		}
	}
	return record.Value{}, noCell(c.Type, v)
}

// timeCell reads what events have as a number.
func timeCell(c *record.Column, v *jsonscan.Value, text []byte) (record.Value, error) {
	cell, err := plainCell(c.Type, v, text)
	if err != nil || cell.Kind != record.IntKind {
		return cell, err
	}
	if end := ended(c.Semantic, cell.I); end.Kind != record.Null {
		return end, nil
	}
	switch c.Semantic {
	case record.MilliTime, record.MilliTimestamp, record.ConnectTime, record.ConnectTimestamp:
		if cell.I > math.MaxInt64/microsPerMilli || cell.I < math.MinInt64/microsPerMilli {
			return cell, fmt.Errorf("%w: %d milliseconds are more than microseconds tell", ErrMalformed, cell.I)
		}
		cell.I *= microsPerMilli
	case record.NanoTime, record.NanoTimestamp:
		cell.I = floorDiv(cell.I, nanosPerMicro)
	}
	return cell, nil
}

// isoCell reads a date or time that events have as text. What is none, "infinity" say, stays text.
func isoCell(c *record.Column, text []byte) (record.Value, error) {
	var n int64
	var ok bool
	switch bare := bytes.TrimSuffix(text, []byte("Z")); c.Semantic {
	case record.IsoDate:
		n, ok = farDate(bare)
	case record.IsoTime:
		n, ok = jsonscan.Clock(bare)
	default:
		if n, _, ok = jsonscan.Instant(text); ok {
			break
		}
		day, clock, _ := bytes.Cut(bare, []byte{'T'})
		days, isDate := farDate(day)
		micros, isClock := jsonscan.Clock(clock)
		n, ok = days*jsonscan.DayMicros+micros, isDate && isClock
	}
	if ok {
		return record.Value{Kind: record.IntKind, I: n}, nil
	}
	return record.Value{Kind: record.TextKind, B: text}, nil
}

// farDate reads a date of any year, as Java writes it: "+12026-01-02", "-0043-03-15".
func farDate(text []byte) (days int64, ok bool) {
	end := len(text) - len("-01-02")
	if end < 1 || text[0] != '-' && text[0] != '+' {
		return jsonscan.Date(text)
	}
	year, err := strconv.ParseInt(string(text[:end]), 10, 32)
	month, err2 := strconv.ParseUint(string(text[end+1:end+3]), 10, 8)
	day, err3 := strconv.ParseUint(string(text[end+4:]), 10, 8)
	if err != nil || err2 != nil || err3 != nil || text[end] != '-' || text[end+3] != '-' {
		return 0, false
	}
	days = jsonscan.Days(year, int64(month), int64(day)) //nolint:gosec // of 8 bits
	y, m, d := jsonscan.Civil(days)
	return days, y == year && m == int64(month) && d == int64(day) //nolint:gosec // of 8 bits
}

func bytesCell(s *record.Schema, c *record.Column, text []byte) (record.Value, error) {
	var b []byte
	var err error
	switch c.Semantic {
	case record.HexText:
		b, err = hex.AppendDecode(make([]byte, 0, len(text)/2), text)
	case record.Base64URLText:
		b, err = base64.URLEncoding.AppendDecode(make([]byte, 0, base64.URLEncoding.DecodedLen(len(text))), text)
	default:
		b, err = base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
	}
	if err != nil {
		return record.Value{}, malformed(err)
	}
	if string(b) == placeholder(s) {
		return record.Value{Kind: record.Missing}, nil
	}
	return record.Value{Kind: record.BytesKind, B: b}, nil
}

// Plain tells whether events write a column's values as those of a column without a semantic, so that a reader need not
// know the schema. What stands for a value that was not sent is looked for too.
func Plain(s *record.Schema, c *record.Column) bool {
	switch c.Semantic {
	case record.Plain:
		return c.Type != record.Binary && s.Unavailable == ""
	case record.Short, record.Days, record.MicroTime, record.MicroTimestamp, record.ConnectDate, record.MicroDuration:
		return true
	case record.ZonedTime, record.ZonedTimestamp, record.Interval, record.UUIDText, record.JSONText, record.XMLText, record.Enum,
		record.Ltree, record.Tsvector:
		return s.Unavailable == ""
	}
	return false
}

// Plainly is a value of a column that is not Plain as an event would have it without the semantic: digits for a decimal,
// microseconds for a time, the text Unavailable for what was not sent. One that cannot be read is as it was.
func Plainly(s *record.Schema, c *record.Column, v *jsonscan.Value) jsonscan.Value {
	got, err := cell(s, c, v)
	if err != nil {
		return *v
	}
	switch got.Kind {
	case record.Missing:
		return jsonscan.Value{Kind: jsonscan.Text, Raw: []byte(`"` + Unavailable + `"`)}
	case record.IntKind:
		return jsonscan.Value{Kind: jsonscan.Number, Raw: strconv.AppendInt(nil, got.I, 10), Plain: true, Int: got.I}
	case record.BytesKind:
		return jsonscan.Value{Kind: jsonscan.Text, Raw: appendBase64(nil, got.B)}
	case record.TextKind:
		if v.Kind == jsonscan.Number || c.Semantic == record.Decimal || c.Semantic == record.VariableScaleDecimal {
			return jsonscan.Value{Kind: jsonscan.Text, Raw: AppendText(nil, got.B)}
		}
	}
	return *v
}
