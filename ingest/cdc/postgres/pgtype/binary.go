package pgtype

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/google/uuid"

	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
)

// The binary form is what the types' send functions write (PostgreSQL's src/backend/utils/adt), big-endian.

func short(src []byte, n int) bool { return len(src) != n }

// broken is a value in no form that its type has: kept as bytes, so that nothing is lost.
func broken(src []byte) record.Value { return record.Value{Kind: record.BytesKind, B: src} }

func int64Of(src []byte) int64 { return int64(binary.BigEndian.Uint64(src)) } //nolint:gosec // two's complement on the wire
func int32Of(src []byte) int32 { return int32(binary.BigEndian.Uint32(src)) } //nolint:gosec // two's complement on the wire
func int16Of(src []byte) int16 { return int16(binary.BigEndian.Uint16(src)) } //nolint:gosec // two's complement on the wire

func binaryInt(c *Codec, _ *Arena, src []byte) record.Value {
	switch len(src) {
	case 2:
		return integer(int64(int16Of(src)))
	case 4:
		if c.typ.OID == oidOID {
			return integer(int64(binary.BigEndian.Uint32(src)))
		}
		return integer(int64(int32Of(src)))
	case 8:
		return integer(int64Of(src))
	}
	return broken(src)
}

func binaryBool(_ *Codec, _ *Arena, src []byte) record.Value {
	if short(src, 1) {
		return broken(src)
	}
	return record.Value{Kind: record.BoolKind, I: int64(src[0])}
}

func binaryFloat(_ *Codec, _ *Arena, src []byte) record.Value {
	switch len(src) {
	case 4:
		return record.Value{Kind: record.FloatKind, F: float64(math.Float32frombits(binary.BigEndian.Uint32(src)))}
	case 8:
		return record.Value{Kind: record.FloatKind, F: math.Float64frombits(binary.BigEndian.Uint64(src))}
	}
	return broken(src)
}

func binaryBytes(_ *Codec, _ *Arena, src []byte) record.Value {
	return record.Value{Kind: record.BytesKind, B: src}
}

// binaryJSONB leaves the version out.
func binaryJSONB(_ *Codec, _ *Arena, src []byte) record.Value {
	if len(src) == 0 || src[0] != 1 {
		return broken(src)
	}
	return record.Value{Kind: record.TextKind, B: src[1:]}
}

func binaryDate(_ *Codec, _ *Arena, src []byte) record.Value {
	if short(src, 4) {
		return broken(src)
	}
	switch n := int32Of(src); n {
	case math.MaxInt32:
		return misfit([]byte("infinity"))
	case math.MinInt32:
		return misfit([]byte("-infinity"))
	default:
		return integer(int64(n) + epochDays)
	}
}

func binaryTime(_ *Codec, _ *Arena, src []byte) record.Value {
	if short(src, 8) {
		return broken(src)
	}
	return integer(int64Of(src))
}

// binaryTimestamp is of timestamps with a zone too.
func binaryTimestamp(c *Codec, _ *Arena, src []byte) record.Value {
	if short(src, 8) {
		return broken(src)
	}
	switch n := int64Of(src); {
	case n == math.MaxInt64:
		return misfit([]byte("infinity"))
	case n == math.MinInt64:
		return misfit([]byte("-infinity"))
	case n > math.MaxInt64-epochMicros:
		return misfit(appendTimestamp(nil, n, c.typ.OID == timestamptzOID))
	default:
		return integer(n + epochMicros)
	}
}

// appendTimestamp renders microseconds since 2000 as the server does, for the few that 1970 is too far from.
func appendTimestamp(dst []byte, n int64, zoned bool) []byte {
	year, month, day := jsonscan.Civil(n/jsonscan.DayMicros + epochDays)
	dst = strconv.AppendInt(dst, year, 10)
	for _, part := range [2]int64{month, day} {
		dst = append(dst, '-', byte('0'+part/10), byte('0'+part%10))
	}
	dst = appendClock(append(dst, ' '), n%jsonscan.DayMicros)
	if zoned {
		dst = append(dst, "+00"...)
	}
	return dst
}

func binaryTimeTZ(_ *Codec, a *Arena, src []byte) record.Value {
	if short(src, 12) {
		return broken(src)
	}
	micros := (int64Of(src) + int64(int32Of(src[8:]))*secondMicros) % jsonscan.DayMicros
	if micros < 0 {
		micros += jsonscan.DayMicros
	}
	return record.Value{Kind: record.TextKind, B: a.keep(append(appendClock(a.take(16), micros), 'Z'))}
}

func binaryInterval(c *Codec, a *Arena, src []byte) record.Value {
	if short(src, 16) {
		return broken(src)
	}
	return interval(c, a, span{int64(int32Of(src[12:])), int64(int32Of(src[8:])), int64Of(src)})
}

func binaryUUID(_ *Codec, a *Arena, src []byte) record.Value {
	if short(src, 16) {
		return broken(src)
	}
	text, _ := uuid.UUID(src).MarshalText()
	return record.Value{Kind: record.TextKind, B: a.keep(append(a.take(len(text)), text...))}
}

// binaryBits reads a number of bits, then the first ones highest.
func binaryBits(c *Codec, a *Arena, src []byte) record.Value {
	if len(src) < 4 || int(int32Of(src)) > 8*(len(src)-4) || int32Of(src) < 0 {
		return broken(src)
	}
	text := a.array[:0]
	for i := range int(int32Of(src)) {
		text = append(text, '0'+src[4+i/8]>>(7-i%8)&1)
	}
	a.array = text
	return c.text(c, a, text)
}

func binaryPoint(_ *Codec, a *Arena, src []byte) record.Value {
	if short(src, 16) {
		return broken(src)
	}
	return point(a, math.Float64frombits(binary.BigEndian.Uint64(src)), math.Float64frombits(binary.BigEndian.Uint64(src[8:])))
}

// The signs of a numeric that are not 0 (src/backend/utils/adt/numeric.c).
const (
	numericNegative = 0x4000
	numericNaN      = 0xc000
	numericPlus     = 0xd000 // infinity
	numericMinus    = 0xf000
)

// binaryNumeric reads digits to the base of 10,000: their number, the weight of the first, the sign, the scale.
func binaryNumeric(c *Codec, a *Arena, src []byte) record.Value {
	if len(src) < 8 || len(src) != 8+2*int(binary.BigEndian.Uint16(src)) {
		return broken(src)
	}
	weight, sign, scale := int(int16Of(src[2:])), binary.BigEndian.Uint16(src[4:]), int(binary.BigEndian.Uint16(src[6:]))
	digits := src[8:]
	switch sign {
	case numericNaN:
		return c.text(c, a, []byte("NaN"))
	case numericPlus:
		return c.text(c, a, []byte("Infinity"))
	case numericMinus:
		return c.text(c, a, []byte("-Infinity"))
	}
	group := func(i int) uint16 { // the digits of the i-th group from the front of the number
		if i < 0 || 2*i+2 > len(digits) {
			return 0
		}
		return binary.BigEndian.Uint16(digits[2*i:])
	}
	out := a.take(4*max(weight+1, 1) + scale + 6)
	if sign == numericNegative {
		out = append(out, '-')
	}
	if weight < 0 {
		out = append(out, '0')
	}
	for i := 0; i <= weight; i++ {
		if i == 0 {
			out = strconv.AppendUint(out, uint64(group(0)), 10)
			continue
		}
		out = appendFour(out, group(i))
	}
	if scale > 0 {
		out = append(out, '.')
		end := len(out) + scale
		for i := weight + 1; len(out) < end; i++ {
			out = appendFour(out, group(i))
		}
		out = out[:end]
	}
	return c.text(c, a, a.keep(out))
}

func appendFour(dst []byte, n uint16) []byte {
	return append(dst, byte('0'+n/1000%10), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
}
