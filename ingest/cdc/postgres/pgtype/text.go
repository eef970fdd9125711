package pgtype

import (
	"bytes"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"unsafe"

	"tarn/embedded/record"
)

// chunkBytes is what an Arena allocates at once.
const chunkBytes = 64 << 10

// Arena is memory for the values that are not as they stand in what the server sent. What was taken from it stays good;
// it is collected when no value of it is kept. The zero value is ready.
type Arena struct {
	room           []byte
	array, element []byte // of the array in hand
	cells          []record.Value
}

// rowsAtOnce is for how many rows an Arena allocates at once.
const rowsAtOnce = 64

// Row is an empty row of n cells.
func (a *Arena) Row(n int) record.Row {
	if len(a.cells) < n {
		a.cells = make([]record.Value, rowsAtOnce*n)
	}
	row := a.cells[:n:n]
	a.cells = a.cells[n:]
	return row
}

// take gives n bytes with a length of 0.
func (a *Arena) take(n int) []byte {
	if cap(a.room)-len(a.room) < n {
		if n > chunkBytes/4 {
			return make([]byte, 0, n)
		}
		a.room = make([]byte, 0, chunkBytes)
	}
	return a.room[len(a.room) : len(a.room) : len(a.room)+n]
}

// keep makes what was appended to a take of the arena's own.
func (a *Arena) keep(b []byte) []byte {
	if end := len(a.room) + len(b); len(b) > 0 && end <= cap(a.room) && unsafe.SliceData(b) == unsafe.SliceData(a.room[len(a.room):cap(a.room)]) {
		a.room = a.room[:end]
	}
	return slices.Clip(b)
}

// misfit is a value that its column's type cannot hold, in the source's own words.
func misfit(src []byte) record.Value { return record.Value{Kind: record.TextKind, B: src} }

func integer(n int64) record.Value { return record.Value{Kind: record.IntKind, I: n} }

// str is b as a string for the length of a call that does not keep it.
func str(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func textInt(_ *Codec, _ *Arena, src []byte) record.Value {
	digits, n := src, int64(0)
	negative := len(src) > 0 && src[0] == '-'
	if negative {
		digits = src[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		n, err := strconv.ParseInt(str(src), 10, 64)
		if err != nil {
			return misfit(src)
		}
		return integer(n)
	}
	for _, c := range digits {
		if c-'0' > 9 {
			return misfit(src)
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return integer(n)
}

func textBool(_ *Codec, _ *Arena, src []byte) record.Value {
	switch str(src) {
	case "t", "1":
		return record.Value{Kind: record.BoolKind, I: 1}
	case "f", "0":
		return record.Value{Kind: record.BoolKind}
	}
	return misfit(src)
}

func textFloat32(_ *Codec, _ *Arena, src []byte) record.Value { return float(src, 32) }

func textFloat64(_ *Codec, _ *Arena, src []byte) record.Value { return float(src, 64) }

func float(src []byte, size int) record.Value {
	f, err := strconv.ParseFloat(str(src), size)
	if err != nil {
		return misfit(src)
	}
	return record.Value{Kind: record.FloatKind, F: f}
}

// textText is what events have as the source says it.
func textText(_ *Codec, _ *Arena, src []byte) record.Value {
	return record.Value{Kind: record.TextKind, B: src}
}

// textNumeric keeps all digits. What is no number is null where events cannot say it, as Debezium has it.
func textNumeric(c *Codec, _ *Arena, src []byte) record.Value {
	if len(src) > 0 && (src[len(src)-1]-'0' > 9) && c.nanIsNull {
		return record.Value{}
	}
	return record.Value{Kind: record.TextKind, B: src}
}

// textMoney leaves out what the locale puts round and between the digits.
func textMoney(c *Codec, a *Arena, src []byte) record.Value {
	out := a.take(len(src) + 1)
	point := bytes.LastIndexAny(src, ".,")
	if point >= 0 && len(src)-point-1 != c.Column.Scale {
		point = -1
	}
	negative := bytes.IndexByte(src, '-') >= 0 || len(src) > 0 && src[0] == '('
	if negative {
		out = append(out, '-')
	}
	for i, b := range src {
		switch {
		case b-'0' <= 9:
			out = append(out, b)
		case i == point:
			out = append(out, '.')
		}
	}
	if len(out) == 0 {
		return misfit(src)
	}
	if c.Column.Type == record.Double {
		return float(out, 64)
	}
	return record.Value{Kind: record.TextKind, B: a.keep(out)}
}

func textBytes(_ *Codec, a *Arena, src []byte) record.Value {
	digits, ok := bytes.CutPrefix(src, []byte(`\x`))
	if !ok {
		return misfit(src)
	}
	out, err := hex.AppendDecode(a.take(len(digits)/2), digits)
	if err != nil {
		return misfit(src)
	}
	return record.Value{Kind: record.BytesKind, B: a.keep(out)}
}

// textBits reads "10101" as Debezium does: a number whose lowest byte comes first.
func textBits(_ *Codec, a *Arena, src []byte) record.Value {
	n := (len(src) + 7) / 8
	out := a.take(n)[:n]
	clear(out)
	for i := range src {
		bit := src[len(src)-1-i] - '0'
		if bit > 1 {
			return misfit(src)
		}
		out[i/8] |= bit << (i % 8)
	}
	return record.Value{Kind: record.BytesKind, B: a.keep(out)}
}

func textDate(_ *Codec, _ *Arena, src []byte) record.Value {
	text, bc := era(src)
	days, rest, ok := parseDate(text, bc)
	if !ok || len(rest) > 0 {
		return misfit(src)
	}
	return integer(days)
}

func textTime(_ *Codec, _ *Arena, src []byte) record.Value {
	micros, rest, ok := parseClock(src)
	if !ok || len(rest) > 0 {
		return misfit(src)
	}
	return integer(micros)
}

func textTimestamp(_ *Codec, _ *Arena, src []byte) record.Value {
	micros, ok := parseTimestamp(src, false)
	if !ok {
		return misfit(src)
	}
	return integer(micros)
}

func textTimestampTZ(_ *Codec, _ *Arena, src []byte) record.Value {
	micros, ok := parseTimestamp(src, true)
	if !ok {
		return misfit(src)
	}
	return integer(micros)
}

func textTimeTZ(_ *Codec, a *Arena, src []byte) record.Value {
	out, ok := appendZonedTime(a.take(len("15:04:05.000000Z")), src)
	if !ok {
		return misfit(src)
	}
	return record.Value{Kind: record.TextKind, B: a.keep(out)}
}

// monthMicros is a month of MicroDuration: 30.4375 days.
const monthMicros = 2_629_800 * secondMicros

// span is an interval as PostgreSQL keeps it.
type span struct {
	months, days, micros int64
}

// parseInterval reads IntervalStyle postgres, "1 year 2 mons -3 days 04:05:06.789".
func parseInterval(src []byte) (s span, ok bool) {
	for len(src) > 0 {
		word, rest, _ := bytes.Cut(src, []byte{' '})
		src = rest
		negative := len(word) > 0 && word[0] == '-'
		if negative || len(word) > 0 && word[0] == '+' {
			word = word[1:]
		}
		n, after := number(word)
		if n < 0 {
			return s, false
		}
		if len(after) > 0 {
			micros, ok := longClock(word)
			if !ok || len(rest) > 0 {
				return s, false
			}
			if s.micros = micros; negative {
				s.micros = -micros
			}
			return s, true
		}
		if negative {
			n = -n
		}
		unit, rest, _ := bytes.Cut(src, []byte{' '})
		src = rest
		switch str(unit) {
		case "year", "years":
			s.months += 12 * n
		case "mon", "mons":
			s.months += n
		case "day", "days":
			s.days += n
		default:
			return s, false
		}
	}
	return s, true
}

// longClock is parseClock for any number of hours.
func longClock(text []byte) (micros int64, ok bool) {
	hours, rest := number(text)
	if hours < 0 || len(rest) < 6 || hours > math.MaxInt64/hourMicros-1 {
		return 0, false
	}
	room := append(make([]byte, 0, 24), "00"...)
	micros, rest, ok = parseClock(append(room, rest...))
	return micros + hours*hourMicros, ok && len(rest) == 0
}

// duration is the interval's MicroDuration; false where 64 bits do not hold it.
func (s span) duration() (int64, bool) {
	days := float64(s.months)*30.4375 + float64(s.days)
	if math.Abs(days) > 1e8 {
		return 0, false
	}
	return s.months*monthMicros + s.days*24*hourMicros + s.micros, true
}

func textInterval(c *Codec, a *Arena, src []byte) record.Value {
	s, ok := parseInterval(src)
	if !ok {
		return misfit(src)
	}
	return interval(c, a, s)
}

// interval is an interval's value.
func interval(c *Codec, a *Arena, s span) record.Value {
	if c.Column.Semantic == record.Interval {
		return record.Value{Kind: record.TextKind, B: a.keep(s.appendISO(a.take(len("P-2147483648Y-11M-2147483648DT-2562047788H-59M-59.999999S"))))}
	}
	n, ok := s.duration()
	if !ok {
		return misfit(s.appendISO(nil))
	}
	return integer(n)
}

// appendISO renders an interval as Debezium does: P1Y2M3DT4H5M6.7S.
func (s span) appendISO(dst []byte) []byte {
	for _, part := range [5]struct {
		n    int64
		unit string
	}{{s.months / 12, "P*Y"}, {s.months % 12, "*M"}, {s.days, "*DT"}, {s.micros / hourMicros, "*H"}, {s.micros / minuteMicros % 60, "*M"}} {
		before, after, _ := bytes.Cut([]byte(part.unit), []byte{'*'})
		dst = append(strconv.AppendInt(append(dst, before...), part.n, 10), after...)
	}
	rest := s.micros % minuteMicros
	if rest < 0 {
		dst, rest = append(dst, '-'), -rest
	}
	dst = strconv.AppendInt(dst, rest/secondMicros, 10)
	if fraction := rest % secondMicros; fraction > 0 {
		dst = append(dst, '.')
		for unit := int64(secondMicros / 10); fraction > 0; unit /= 10 {
			dst = append(dst, byte('0'+fraction/unit))
			fraction %= unit
		}
	}
	return append(dst, 'S')
}

// textPoint renders "(1,2)" as Debezium's struct.
func textPoint(_ *Codec, a *Arena, src []byte) record.Value {
	inner, ok := bytes.CutPrefix(src, []byte{'('})
	inner, ok2 := bytes.CutSuffix(inner, []byte{')'})
	left, right, ok3 := bytes.Cut(inner, []byte{','})
	x, err := strconv.ParseFloat(str(left), 64)
	y, err2 := strconv.ParseFloat(str(right), 64)
	if !ok || !ok2 || !ok3 || err != nil || err2 != nil {
		return misfit(src)
	}
	return point(a, x, y)
}
