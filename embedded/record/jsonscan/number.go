package jsonscan

import (
	"math/big"
	"math/bits"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// digitsMax are the digits of a decimal of 128 bits.
const digitsMax = 38

// figure is a number taken apart: hi and lo are its digits without the zeros at both ends, as
// one integer of count digits, which stands times ten to the power.
type figure struct {
	negative bool
	hi, lo   uint64
	count    int
	power    int
}

// powerMax bounds exponents; beyond it nothing fits, whatever the digits.
const powerMax = 1 << 20

// figureOf takes a number apart. It reads what JSON calls a number, and a sign before it, zeros
// before it and a bare point as well. It is false for other bytes, and for a number that no
// decimal holds because it has more than 38 digits between its zeros.
func figureOf(text []byte) (f figure, ok bool) {
	i, some, point := 0, false, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		f.negative = text[0] == '-'
		i = 1
	}
	zeros, power := 0, 0 // zeros are those that have not been followed by another digit
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c-'0' > 9 {
			break
		}
		some = true
		if point {
			power--
		}
		if c == '0' {
			if f.count > 0 {
				zeros++
			}
			continue
		}
		if f.count += zeros + 1; f.count > digitsMax {
			return figure{}, false
		}
		for ; zeros > 0; zeros-- {
			f.digit(0)
		}
		f.digit(uint64(c - '0'))
	}
	if !some {
		return figure{}, false
	}
	f.power = power + zeros
	if i < len(text) {
		e, ok := exponent(text[i:])
		if !ok {
			return figure{}, false
		}
		f.power += e
	}
	if f.count == 0 {
		f.power = 0
	}
	return f, true
}

func (f *figure) digit(d uint64) {
	carry, lo := bits.Mul64(f.lo, 10)
	f.hi = f.hi*10 + carry
	f.lo, carry = bits.Add64(lo, d, 0)
	f.hi += carry
}

// exponent reads e, a sign and digits. One that is beyond powerMax is as good as powerMax.
func exponent(text []byte) (n int, ok bool) {
	if len(text) < 2 || text[0]|0x20 != 'e' {
		return 0, false
	}
	text = text[1:]
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	for _, c := range text {
		if c-'0' > 9 {
			return 0, false
		}
		n = min(n*10+int(c-'0'), powerMax)
	}
	if negative {
		n = -n
	}
	return n, len(text) > 0
}

// Whole reads a number that is whole and fits 64 bits, however it is written: 1000, 1e3, 2.0.
func Whole(text []byte) (int64, bool) {
	f, ok := figureOf(text)
	if !ok || f.power < 0 || f.count+f.power > 19 {
		return 0, false
	}
	for range f.power {
		f.digit(0)
	}
	switch {
	case f.negative && f.lo <= 1<<63:
		return -int64(f.lo), true //nolint:gosec // -1<<63 is its own negative
	case !f.negative && f.lo < 1<<63:
		return int64(f.lo), true
	}
	return 0, false
}

// Decimal reads a number that a decimal holds without rounding, as its unscaled value.
func Decimal(text []byte, precision, scale int) (decimal128.Num, bool) {
	f, ok := figureOf(text)
	if !ok {
		return decimal128.Num{}, false
	}
	if f.count == 0 {
		return decimal128.Num{}, true
	}
	shift := f.power + scale
	if shift < 0 || f.count+shift > precision {
		return decimal128.Num{}, false
	}
	for range shift {
		f.digit(0)
	}
	n := decimal128.New(int64(f.hi), f.lo) //nolint:gosec // 38 digits are less than 1<<127
	if f.negative {
		n = n.Negate()
	}
	return n, true
}

// Integer is a Number that is written as an integer of 64 bits, without point and exponent.
func (v *Value) Integer() (int64, bool) {
	if v.Plain {
		return v.Int, true
	}
	n, err := strconv.ParseInt(string(v.Raw), 10, 64)
	return n, err == nil
}

// Double reads a JSON number as the double nearest to it: a fraction is what doubles are for.
// A whole number, without point and exponent, must be held to the last digit.
func Double(text []byte) (float64, bool) { return floating(text, 64) }

// Float is Double for 32 bits.
func Float(text []byte) (float32, bool) {
	f, ok := floating(text, 32)
	return float32(f), ok
}

func floating(text []byte, size int) (float64, bool) {
	f, err := strconv.ParseFloat(string(text), size)
	if err != nil {
		return 0, false
	}
	if len(text) <= 7 || !integral(text) { // 24 bits hold seven digits
		return f, true
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return f, f < 1<<63 && int64(f) == n
	}
	whole, ok := new(big.Int).SetString(string(text), 10)
	if !ok {
		return 0, false
	}
	back, accuracy := new(big.Float).SetFloat64(f).Int(nil)
	return f, accuracy == big.Exact && back.Cmp(whole) == 0
}

// integral tells whether a JSON number has neither point nor exponent.
func integral(text []byte) bool {
	for _, c := range text {
		if c == '.' || c|0x20 == 'e' {
			return false
		}
	}
	return true
}

// IsNumber tells whether the text is a JSON number and nothing else.
func IsNumber(text []byte) bool {
	s := Scanner{b: text}
	return len(text) > 0 && text[0] > ' ' && s.Value().Kind == Number && s.i == len(text)
}
