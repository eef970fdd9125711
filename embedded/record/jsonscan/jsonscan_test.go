package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tarn/embedded/record/jsonscan"
)

// member is what both readers say of one member.
type member struct {
	name, raw string
	text      string // what a text stands for
}

// ours reads an object's members by the scanner.
func ours(text []byte) (out []member, err error) {
	var s jsonscan.Scanner
	s.Reset(text)
	for more := s.Open(); more; more = s.More() {
		name, escaped := s.Name()
		if escaped {
			name = jsonscan.Unescape(nil, name)
		}
		v := s.Value()
		m := member{name: string(name), raw: string(v.Raw)}
		if v.Kind == jsonscan.Text {
			if m.text = string(v.Inner()); v.Escaped {
				m.text = string(jsonscan.Unescape(nil, v.Inner()))
			}
		}
		out = append(out, m)
	}
	return out, s.End()
}

// theirs reads them by encoding/json.
func theirs(t *testing.T, text []byte) (out []member, ok bool) {
	t.Helper()
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		m := member{name: name.(string), raw: string(raw)}
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &m.text); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, m)
	}
	return out, true
}

func same(t *testing.T, text []byte) {
	t.Helper()
	want, ok := theirs(t, text)
	got, err := ours(text)
	if (err == nil) != ok {
		t.Fatalf("%q: encoding/json says %t, we say %v", text, ok, err)
	}
	if !ok {
		return
	}
	if len(got) != len(want) {
		t.Fatalf("%q: %d members, want %d", text, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%q: member %d is %q, want %q", text, i, got[i], want[i])
		}
	}
}

var texts = []string{
	``, ` `, `{}`, "\t{ }\r\n", `{"a":1}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1}x`, `{"a":1}{}`, `[]`, `null`, `"x"`, `1`,
	`{"a":01}`, `{"a":-}`, `{"a":-0}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":1E-05}`, `{"a":+1}`, `{"a":0x1}`, `{"a":1_0}`, `{"a":NaN}`,
	`{"a":123456789012345678}`, `{"a":1234567890123456789012}`, `{"a":-1.5e300,"b":2}`, `{"a":tru}`, `{"a":truex}`, `{"a":nul`, `{"a":False}`,
	`{"a":"x"`, `{"a":"x}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12G4"}`, `{"a":"\"\\\/\b\f\n\r\t\u00e9"}`, "{\"a\":\"\n\"}", "{\"a\":\"a long text with\x01\"}",
	`{"a":"\ud83d\ude00 \ud83d x \ude00 \ud83d\u0041 \ud83d\ud83d\ude00"}`, "{\"a\":\"\xff\"}", "{\"\xc3\xa9\":\"\xc3\xa9\"}", "{\"\xc3\":1}", "\xef\xbb\xbf{}", "{\"a\":\u00a01}",
	`{"a\u0062\"":{"b":[1,{"c":[]},"]}",[[],{}]]},"d":[{"e":null}]}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":{"b"}}`, `{"a":{"b":1,}}`, `{"a":[}`, `{"a":{]}`, `{"a":[1 2]}`,
	`{"a":{"b":1 "c":2}}`, `{"a":[1:2]}`, `{"a":{"b","c"}}`, `{"a":{1:2}}`, `{"a":[[[}]]}`, `{"a":[tru]}`, `{"a":["\q"]}`, `{"a":1}]`, `{"a":1]`, "{\"a\":1}\x00", "{\x00}", "{\"a\":1\x00}",
	`{"a":1,"a":2,"":3}`, "{\"0123456\\\"89\":\"01234567\\\\\",\"x\":\"abcdefg\\\"\"}",
}

func TestItReadsWhatEncodingJSONReads(t *testing.T) {
	for _, text := range texts {
		same(t, []byte(text))
	}
	for _, depth := range []int{63, 64, 65, 130, 9_998, 9_999, 10_000} {
		for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			inner := strings.Repeat(pair[0], depth) + "1" + strings.Repeat(pair[1], depth)
			same(t, []byte(`{"x":`+inner+`}`))
			same(t, []byte(`{"x":`+strings.Repeat(`[{"y":`, depth/2)+"1"+strings.Repeat(`}]`, depth/2)+`}`))
			same(t, []byte(`{"x":`+strings.Repeat(`[{"y":`, depth/2)+"1"+strings.Repeat(`]}`, depth/2)+`}`))
			same(t, []byte(`{"x":`+inner))
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { same(t, text) })
}

// rat is a number by big.Rat; false for what is no JSON number, or too long for the reference.
func rat(text string) (*big.Rat, bool) {
	if _, exponent, has := strings.Cut(strings.ToLower(text), "e"); len(text) > 400 || has && len(strings.TrimLeft(exponent, "+-")) > 3 {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

func ten(n int) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
}

var numbers = []string{
	"0", "-0", "1", "-5", "1e3", "2.0", "1.5", "15e-1", "100e-2", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"922337203685477580.70e1", "0e999", "0.000", "1e18", "1e19", "12345678.90", "123456789.00", "0.005", "-99999999.99", "99999999.995", "1e-3", "99999999999999999999999999999999999999",
	"-99999999999999999999999999999999999999", "100000000000000000000000000000000000000", "1e37", "1e38", "9007199254740992", "9007199254740993", "16777216", "16777217", "-16777217", "1e400", "1e39", "3.5e38",
	"340282346638528859811704183484516925440", "18446744073709551616", "0.1", "123456789012345678901234567890123456789.0", "007", "+1", ".5", "5.", "", "-", "1e", "e1", "1e5x", " 1", "1 ", "NaN", "0x10", "1_000", "1e99999999999", "5e-324",
}

func numberIs(t *testing.T, text string) {
	t.Helper()
	isNumber := len(text) > 0 && strings.ContainsRune("-0123456789", rune(text[0])) && json.Valid([]byte(text)) && !strings.ContainsAny(text, " \t\r\n")
	if got := jsonscan.IsNumber([]byte(text)); got != isNumber {
		t.Fatalf("%q: is a number %t, want %t", text, got, isNumber)
	}
	if !isNumber {
		return
	}
	exact, ok := rat(text)
	if !ok {
		return
	}
	whole, fits := jsonscan.Whole([]byte(text))
	if want := exact.IsInt() && exact.Num().IsInt64(); fits != want || fits && whole != exact.Num().Int64() {
		t.Fatalf("%q: whole %d %t", text, whole, fits)
	}
	for _, p := range [][2]int{{10, 2}, {38, 0}, {38, 38}, {3, 1}, {18, 9}} {
		unscaled := new(big.Rat).Mul(exact, ten(p[1]))
		want := unscaled.IsInt() && new(big.Rat).Abs(unscaled).Cmp(ten(p[0])) < 0
		if got, fits := jsonscan.Decimal([]byte(text), p[0], p[1]); fits != want || fits && got.BigInt().Cmp(unscaled.Num()) != 0 {
			t.Fatalf("%q: decimal(%d,%d) is %v %t, want %v %t", text, p[0], p[1], got.BigInt(), fits, unscaled, want)
		}
	}
	fraction := strings.ContainsAny(text, ".eE")
	d, err := strconv.ParseFloat(text, 64)
	want := err == nil && (fraction || new(big.Rat).SetFloat64(d).Cmp(exact) == 0)
	if got, fits := jsonscan.Double([]byte(text)); fits != want || fits && math.Float64bits(got) != math.Float64bits(d) {
		t.Fatalf("%q: double %v %t, want %v %t", text, got, fits, d, want)
	}
	d, err = strconv.ParseFloat(text, 32)
	want = err == nil && (fraction || new(big.Rat).SetFloat64(d).Cmp(exact) == 0)
	if got, fits := jsonscan.Float([]byte(text)); fits != want || fits && math.Float32bits(got) != math.Float32bits(float32(d)) {
		t.Fatalf("%q: float %v %t, want %v %t", text, got, fits, d, want)
	}
}

func TestNumbersKeepAllTheirDigits(t *testing.T) {
	for _, text := range numbers {
		numberIs(t, text)
	}
	for text, want := range map[string]string{"+1": "100", "007": "700", ".5": "50", "5.": "500", "-.5e1": "-500"} {
		if got, ok := jsonscan.Decimal([]byte(text), 10, 2); !ok || got.BigInt().String() != want {
			t.Errorf("%q is %v %t", text, got.BigInt(), ok)
		}
	}
	for _, text := range []string{"", "-", "+", ".", "e1", "1e", "1e+", "1.2.3", "--1", "1 ", "0x1", "Infinity"} {
		if got, ok := jsonscan.Decimal([]byte(text), 38, 2); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, text := range numbers {
		f.Add(text)
	}
	f.Fuzz(numberIs)
}

var moments = []string{
	"2026-01-01T00:00:00.000Z", "2026-01-01 00:00:00", "2026-01-01T00:00", "2026-01-01 00:00Z", "2026-01-01T12:34:56.123456+02:00", "2026-01-01T12:34:56.123456000-0530", "2026-01-01 00:00:00+00",
	"2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.1234560001Z", "2026-01-01T00:00:00.", "2026-01-01T00:00:00.Z", "2026-01-01T24:00:00", "2026-01-01T23:59:60", "2026-02-29T00:00:00", "2024-02-29T00:00:00",
	"1900-02-29T00:00:00", "2000-02-29T00:00:00", "0000-01-01T00:00:00", "0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-01:00", "10000-01-01T00:00:00",
	"2026-1-01T00:00:00", "2026-01-01", "2026-01-01T", "2026-01-01t00:00:00z", "2026-01-01T00:00:00 Z", "2026-01-01T00:00:00+2", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "1969-12-31T23:59:59.5Z", "x026-01-01T00:00:00",
	"2026-01-01T00:00:", "2026-01-01T00:00:0", "2026-01-01T0a:00:00", "2026-01-01T00:00:00+0a:00", "2026-04-31 00:00:00", "2026-13-01 00:00:00", "2026-00-01 00:00:00", "2026-01-00 00:00:00", "2026-01-32 00:00:00", "",
}

// shape is what Instant promises to read; package time is laxer in places.
var shape = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?$`)

// byTime reads a moment by package time.
func byTime(text string) (micros int64, zoned, ok bool) {
	if !shape.MatchString(text) {
		return 0, false, false
	}
	for _, clock := range []string{"15:04", "15:04:05"} { // a fraction is read behind the seconds
		for _, zone := range []string{"", "Z", "-07", "-0700", "-07:00"} {
			if at, err := time.Parse("2006-01-02"+text[10:11]+clock+zone, text); err == nil {
				year := at.UTC().Year()
				return at.UnixMicro(), zone != "", at.Year() >= 1 && year >= 1 && year <= 9999 && at.Nanosecond()%1000 == 0
			}
		}
	}
	return 0, false, false
}

func momentIs(t *testing.T, text string) {
	t.Helper()
	want, zoned, ok := byTime(text)
	got, gotZoned, gotOK := jsonscan.Instant([]byte(text))
	if ok != gotOK || ok && (got != want || zoned != gotZoned) {
		t.Fatalf("%q: got %d %t %t, want %d %t %t", text, got, gotZoned, gotOK, want, zoned, ok)
	}
	if ok != (ok && jsonscan.InYearsMicros(got)) {
		t.Fatalf("%q is not in its years", text)
	}
	at, err := time.Parse(time.DateOnly, text)
	days, ok := jsonscan.Date([]byte(text))
	if want := err == nil && at.Year() > 0; ok != want || ok && (days*86400 != at.Unix() || !jsonscan.InYears(days)) {
		t.Fatalf("date %q: got %d %t, want %v %v", text, days, ok, at, err)
	}
	clock, ok := jsonscan.Clock([]byte(text))
	if at, zoned, want := byTime("1970-01-01T" + text); len(text) < 8 || zoned {
		if ok {
			t.Fatalf("clock %q: got %d", text, clock)
		}
	} else if ok != want || ok && clock != at {
		t.Fatalf("clock %q: got %d %t, want %d %t", text, clock, ok, at, want)
	}
}

func TestMomentsAreThoseOfPackageTime(t *testing.T) {
	for _, text := range moments {
		momentIs(t, text)
		if len(text) > 11 {
			momentIs(t, text[:10])
			momentIs(t, text[11:])
		}
	}
}

func FuzzMoment(f *testing.F) {
	for _, text := range moments {
		f.Add(text)
	}
	f.Fuzz(momentIs)
}
