package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"strconv"

	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
)

// Connect's Decimal is the digits of a number without its point, as a big-endian integer in two's complement of as few
// bytes as hold it (Java's BigInteger.toByteArray), in base64.

// wideDigits are as many digits as surely fit 127 bits.
const wideDigits = 38

// isDecimal tells whether text is digits with a sign and a point before them as needed, and not more than scale behind it.
func isDecimal(text []byte, scale int) bool {
	if len(text) > 0 && text[0] == '-' {
		text = text[1:]
	}
	whole, fraction, point := bytes.Cut(text, []byte{'.'})
	return allDigits(whole) && (!point || allDigits(fraction) && len(fraction) <= scale)
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if c-'0' > 9 {
			return false
		}
	}
	return len(text) > 0
}

// appendDecimal renders the digits of text, which isDecimal, with zeros up to scale.
func appendDecimal(dst, text []byte, scale int) []byte {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	zeros := scale - len(fraction)
	if len(whole)+scale > wideDigits {
		return appendHuge(dst, whole, fraction, zeros, negative)
	}
	var hi, lo uint64
	for _, part := range [2][]byte{whole, fraction} {
		for _, c := range part {
			hi, lo = timesTen(hi, lo, uint64(c-'0'))
		}
	}
	for range zeros {
		hi, lo = timesTen(hi, lo, 0)
	}
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return appendBase64(dst, shortest(b[:]))
}

func timesTen(hi, lo, add uint64) (uint64, uint64) {
	over, low := bits.Mul64(lo, 10)
	low, carry := bits.Add64(low, add, 0)
	return hi*10 + over + carry, low
}

// shortest leaves the bytes out that only repeat the sign.
func shortest(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

// appendHuge is appendDecimal for any number of digits.
func appendHuge(dst, whole, fraction []byte, zeros int, negative bool) []byte {
	digits := append(append(make([]byte, 0, len(whole)+len(fraction)+zeros), whole...), fraction...)
	digits = append(digits, bytes.Repeat([]byte{'0'}, zeros)...)
	n, _ := new(big.Int).SetString(string(digits), 10)
	if negative {
		n.Neg(n)
	}
	size := n.BitLen()/8 + 1
	if negative { // two's complement
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size)*8)) //nolint:gosec // a size
	}
	return appendBase64(dst, shortest(n.FillBytes(make([]byte, size))))
}

// appendVariable renders a number with its own scale.
func appendVariable(dst, text []byte) []byte {
	scale := 0
	if point := bytes.IndexByte(text, '.'); point >= 0 {
		scale = len(text) - point - 1
	}
	dst = strconv.AppendInt(append(dst, `{"scale":`...), int64(scale), 10)
	dst = appendDecimal(append(dst, `,"value":`...), text, scale)
	return append(dst, '}')
}

// decimalBytesMax bounds the digits of a number: PostgreSQL's numeric has at most 147,455.
const decimalBytesMax = 1 << 16

// decimalCell is the other way of appendDecimal; text is base64.
func decimalCell(text []byte, scale int) (record.Value, error) {
	var room [24]byte
	if base64.StdEncoding.DecodedLen(len(text)) > len(room) {
		return hugeCell(text, scale)
	}
	n, err := base64.StdEncoding.Decode(room[:], text)
	if err != nil {
		return record.Value{}, malformed(err)
	}
	if n == 0 || n > 16 || scale < 0 {
		return hugeCell(text, scale)
	}
	var wide [16]byte
	negative := room[0] >= 0x80
	if negative {
		for i := range wide {
			wide[i] = 0xff
		}
	}
	copy(wide[16-n:], room[:n])
	hi, lo := binary.BigEndian.Uint64(wide[:]), binary.BigEndian.Uint64(wide[8:])
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	return record.Value{Kind: record.TextKind, B: placed(digitsOf(hi, lo), scale, negative)}, nil
}

// digitsOf are the digits of hi and lo, which are at most half of what 128 bits hold.
func digitsOf(hi, lo uint64) []byte {
	const cut = 1e19 // the largest power of ten in 64 bits
	out := make([]byte, 0, 48)
	if hi == 0 {
		return strconv.AppendUint(out, lo, 10)
	}
	high, low := bits.Div64(hi, lo, cut)
	return appendPadded(strconv.AppendUint(out, high, 10), low)
}

// appendPadded appends nineteen digits.
func appendPadded(dst []byte, n uint64) []byte {
	var b [19]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, b[:]...)
}

// placed puts the point scale digits before the end, and the sign.
func placed(digits []byte, scale int, negative bool) []byte {
	out := make([]byte, 0, len(digits)+scale+3)
	if negative {
		out = append(out, '-')
	}
	if scale <= 0 {
		return append(out, digits...)
	}
	if zeros := scale + 1 - len(digits); zeros > 0 {
		digits = append(bytes.Repeat([]byte{'0'}, zeros), digits...)
	}
	at := len(digits) - scale
	out = append(append(out, digits[:at]...), '.')
	return append(out, digits[at:]...)
}

// hugeCell is decimalCell for any number of bytes.
func hugeCell(text []byte, scale int) (record.Value, error) {
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err == nil && (len(b) == 0 || len(b) > decimalBytesMax || scale > decimalBytesMax || scale < -decimalBytesMax) {
		err = fmt.Errorf("a decimal of %d bytes and scale %d", len(b), scale)
	}
	if err != nil {
		return record.Value{}, malformed(err)
	}
	n := new(big.Int).SetBytes(b)
	negative := b[0] >= 0x80
	if negative {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8)) //nolint:gosec // a size
		n.Neg(n)
	}
	digits := n.Append(nil, 10)
	if scale < 0 && n.Sign() != 0 {
		digits = append(digits, bytes.Repeat([]byte{'0'}, -scale)...)
	}
	return record.Value{Kind: record.TextKind, B: placed(digits, scale, negative)}, nil
}

// variableCell is the other way of appendVariable.
func variableCell(object []byte) (record.Value, error) {
	var in jsonscan.Scanner
	in.Reset(object)
	var scale int64
	var value []byte
	ok := true
	for more := in.Open(); more; more = in.More() {
		name := string(plain(in.Name()))
		v := in.Value()
		switch name {
		case "scale":
			scale, ok = v.Integer()
			ok = ok && v.Kind == jsonscan.Number && scale >= -decimalBytesMax && scale <= decimalBytesMax
		case "value":
			if v.Kind == jsonscan.Text {
				value = plain(v.Inner(), v.Escaped)
			}
		}
	}
	if err := in.End(); err != nil {
		return record.Value{}, malformed(err)
	}
	if value == nil || !ok {
		return record.Value{}, fmt.Errorf("%w: %.40q is no decimal", ErrMalformed, object)
	}
	return decimalCell(value, int(scale))
}
