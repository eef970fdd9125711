package decode_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/lake/table"
	"tarn/stream/decode"
)

var everyColumn = []decode.Column{
	{"b", record.Boolean},
	{"i", record.Int},
	{"l", record.Long},
	{"f", record.Float},
	{"d", record.Double},
	{"m", "decimal(10,2)"},
	{"n", "decimal(38,0)"},
	{"day", record.Date},
	{"t", record.Time},
	{"ts", record.Timestamp},
	{"tz", record.TimestampTZ},
	{"s", record.String},
	{"x", record.Binary},
	{"u", record.UUID},
	{"o\"é", "foreign"},
}

// reference reads an object by encoding/json, big.Rat and package time. skip is true for numbers
// that big.Rat would take hours for.
func reference(value []byte, change bool) (row []string, ok, skip bool) {
	if !utf8.Valid(value) || !json.Valid(value) || strings.TrimLeft(string(value), " \t\r\n")[0] != '{' {
		return nil, false, false
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		panic(err)
	}
	ok = true
	for _, c := range everyColumn {
		raw, has := members[c.Name]
		if !has || string(raw) == "null" {
			row = append(row, "null")
			continue
		}
		cell, fits, much := referenceCell(c.Type, raw, change)
		row, ok, skip = append(row, cell), ok && fits, skip || much
	}
	return row, ok, skip
}

func referenceCell(typ record.Type, raw []byte, change bool) (cell string, fits, skip bool) {
	var text string
	isText := raw[0] == '"'
	isNumber := strings.IndexByte("-0123456789", raw[0]) >= 0
	number := string(raw)
	if isText {
		if err := json.Unmarshal(raw, &text); err != nil {
			panic(err)
		}
		if change && text == envelope.Unavailable {
			return "", false, false
		}
		number = text
	}
	var exact *big.Rat
	if isNumber || isText && json.Valid([]byte(text)) && strings.IndexByte("-0123456789", text[0]) >= 0 && !strings.ContainsAny(text, " \t\r\n") {
		if _, e, has := strings.Cut(strings.ToLower(number), "e"); len(number) > 400 || has && len(strings.TrimLeft(e, "+-")) > 3 {
			return "", false, true
		}
		exact, _ = new(big.Rat).SetString(number)
	}
	whole := func(from, to, unit int64) (string, bool, bool) {
		if exact == nil || !exact.IsInt() || exact.Num().Cmp(big.NewInt(from)) < 0 || exact.Num().Cmp(big.NewInt(to)) > 0 {
			return "", false, false
		}
		return new(big.Int).Mul(exact.Num(), big.NewInt(unit)).String(), true, false
	}
	switch typ {
	case record.Boolean:
		return number, !isText && (number == "true" || number == "false"), false
	case record.Int:
		return whole(-1<<31, 1<<31-1, 1)
	case record.Long:
		return whole(-1<<63, 1<<63-1, 1)
	case record.Float, record.Double:
		return referenceFloat(typ, number, exact, isText)
	case record.String:
		if isText {
			return text, true, false
		}
		return number, true, false
	case record.Binary:
		b, err := base64.StdEncoding.DecodeString(text)
		return fmt.Sprintf("%x", b), isText && err == nil, false
	case record.UUID:
		id, err := uuid.Parse(text)
		return id.String(), isText && err == nil, false
	case record.Date, record.Time, record.Timestamp, record.TimestampTZ:
		if isText {
			cell, fits = referenceMoment(typ, text)
			return cell, fits, false
		}
		first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
		switch {
		case typ == record.Date:
			return whole(first.Unix()/86400, last.Unix()/86400, 1)
		case typ == record.Time:
			return whole(0, 86_399_999_999, 1)
		case change:
			return whole(first.UnixMicro(), last.UnixMicro(), 1)
		}
		return whole(first.UnixMilli(), last.UnixMilli(), 1000)
	}
	precision, scale, isDecimal := table.Decimal(typ)
	if isText && exact == nil && isDecimal { // a sign, zeros and a bare point are allowed here
		return "", false, true
	}
	if !isDecimal || exact == nil {
		return "", false, false
	}
	ten := func(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
	unscaled := new(big.Rat).Mul(exact, new(big.Rat).SetInt(ten(scale)))
	return unscaled.Num().String(), unscaled.IsInt() && new(big.Int).Abs(unscaled.Num()).Cmp(ten(precision)) < 0, false
}

func referenceFloat(typ record.Type, number string, exact *big.Rat, isText bool) (string, bool, bool) {
	bits := 64
	if typ == record.Float {
		bits = 32
	}
	f, err := strconv.ParseFloat(number, bits)
	cell := double(f)
	if typ == record.Float {
		cell = float(float32(f))
	}
	switch {
	case isText && number == "NaN":
		return "NaN", true, false
	case isText && (number == "Infinity" || number == "-Infinity"):
		return cell, true, false
	case exact == nil || err != nil:
		return "", false, false
	}
	return cell, strings.ContainsAny(number, ".eE") || new(big.Rat).SetFloat64(f).Cmp(exact) == 0, false
}

func referenceMoment(typ record.Type, text string) (string, bool) {
	if typ == record.Date {
		at, err := time.Parse(time.DateOnly, text)
		return strconv.FormatInt(at.Unix()/86400, 10), err == nil && at.Year() > 0
	}
	if typ == record.Time {
		text = "1970-01-01T" + text
	}
	clocks, zones := []string{"15:04", "15:04:05"}, []string{"", "Z", "-07", "-0700", "-07:00"}
	if typ == record.Time {
		clocks, zones = clocks[1:], zones[:1]
	}
	if !moment.MatchString(text) {
		return "", false
	}
	for _, clock := range clocks { // a fraction is read behind the seconds
		for _, zone := range zones {
			at, err := time.Parse("2006-01-02"+text[10:11]+clock+zone, text)
			if err == nil {
				year := at.UTC().Year()
				return strconv.FormatInt(at.UnixMicro(), 10), at.Year() > 0 && year >= 1 && year <= 9999 && at.Nanosecond()%1000 == 0
			}
		}
	}
	return "", false
}

// moment is the shape of what a timestamp may be; package time is laxer in places.
var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?$`)

// values are seeds for one column each.
var values = []string{
	`true`, `"true"`, `1`, `-0`, `1e3`, `2.0`, `1.5`, `"5"`, `"1e2"`, `2147483648`, `9223372036854775808`, `-9223372036854775808`, `0.1`, `16777217`, `9007199254740993`, `1e39`, `1e400`, `"NaN"`, `"-Infinity"`,
	`"12.50"`, `1.005`, `99999999.99`, `1e37`, `"2026-01-02"`, `20455`, `"01:02:03.456"`, `"01:02:03.0000001"`, `"2026-01-01T00:00:00.000Z"`, `"2026-01-01 00:00:00+02"`, `"0001-01-01 00:00+01:00"`, `1767225600001`,
	`"text"`, `"\u00e9\ud83d\ude00\n"`, `{"a":[1,{"b":null}]}`, `[]`, `"AP8="`, `"9b2f0f50-1d7a-4c4e-9c54-8f0f5b1a2c3d"`, `"` + envelope.Unavailable + `"`, `null`, `"\ud83d"`, "\"\xff\"", `tru`, `01`, `"x`,
}

// FuzzJSON holds that the decoder says what encoding/json says, in whatever order the columns are.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(bid))
	f.Add([]byte(`{"b":true,"i":1,"l":2,"f":1.5,"d":2,"m":"1.5","n":3,"day":1,"t":"00:00:00","ts":5,"tz":"2026-01-01T00:00:00Z","s":"x","x":"AA==","u":null,"o\"é":null}`))
	f.Add([]byte(`{"l":"x","l":1,"\u0064":"0.5","s":{"l":2},"s":1}`))
	for _, c := range everyColumn {
		name, _ := json.Marshal(c.Name)
		for _, v := range values {
			f.Add([]byte(`{` + string(name) + `:` + v + `}`))
		}
	}
	inOrder := decode.New(everyColumn)
	columns := slices.Clone(everyColumn)
	slices.Reverse(columns)
	reversed := decode.New(columns)
	f.Fuzz(func(t *testing.T, value []byte) {
		want, ok, skip := reference(value, false)
		err, again := inOrder.JSON(value), reversed.JSON(value)
		got, other := rows(t, inOrder), rows(t, reversed)
		if (err == nil) != (again == nil) || (err == nil) != (len(got) == 1) || len(got) != len(other) {
			t.Fatalf("%q: %v and %v, %d rows and %d", value, err, again, len(got), len(other))
		}
		if err == nil {
			slices.Reverse(other[0])
			if !slices.Equal(got[0], other[0]) {
				t.Fatalf("%q: %q in order, %q reversed", value, got[0], other[0])
			}
		}
		if skip {
			return
		}
		if ok != (err == nil) || ok && !slices.Equal(got[0], want) {
			t.Fatalf("%q: got %q, %v, want %q %t", value, got, err, want, ok)
		}
	})
}

// FuzzDebezium holds the same of change events.
func FuzzDebezium(f *testing.F) {
	f.Add([]byte(order))
	f.Add([]byte(`{"before":{"l":1},"after":null,"op":"d"}`))
	f.Add([]byte(`{"schema":{},"payload":{"after":{"l":1,"_extra":{"d":1}},"op":"r"}}`))
	f.Add([]byte(`{"op":"c","after":{"s":"` + envelope.Unavailable + `"},"before":[]}`))
	f.Add([]byte(`{"op":"c","after":{"ts":5},"op":"t","source":{"x":tru}}`))
	d := decode.New(everyColumn)
	f.Fuzz(func(t *testing.T, value []byte) {
		op, err := d.Debezium(value)
		got := rows(t, d)
		want, object, ok := referenceEvent(value)
		if !ok {
			if err == nil && value != nil {
				t.Fatalf("%q was taken as %c %q", value, op, got)
			}
			return
		}
		if object == nil {
			if op != want || err != nil || len(got) != 0 {
				t.Fatalf("%q: got %c %q, %v", value, op, got, err)
			}
			return
		}
		row, ok, skip := reference(object, true)
		if skip {
			return
		}
		if ok != (err == nil) || ok && (op != want || !slices.Equal(got[0], row)) {
			t.Fatalf("%q: got %c %q, %v, want %c %q %t", value, op, got, err, want, row, ok)
		}
	})
}

// referenceEvent finds op and row of a change event by encoding/json.
func referenceEvent(value []byte) (op byte, object []byte, ok bool) {
	if !utf8.Valid(value) || !json.Valid(value) || strings.TrimLeft(string(value), " \t\r\n")[0] != '{' {
		return 0, nil, false
	}
	var e map[string]json.RawMessage
	open := func(value []byte) bool {
		e = nil
		_ = json.Unmarshal(value, &e)
		for _, name := range []string{"before", "after", "source"} {
			if raw, has := e[name]; has && string(raw) != "null" && raw[0] != '{' {
				return false
			}
		}
		if raw := string(e["ts_ms"]); raw != "" && raw != "null" {
			if _, err := strconv.ParseInt(raw, 10, 64); err != nil {
				return false
			}
		}
		raw, has := e["op"]
		return !has || len(raw) == 3 && raw[0] == '"' && raw[1] >= 'a' && raw[1] <= 'z'
	}
	if !open(value) {
		return 0, nil, false
	}
	if payload := e["payload"]; e["op"] == nil && len(payload) > 0 && payload[0] == '{' && !open(payload) {
		return 0, nil, false
	}
	if e["op"] == nil {
		return 0, nil, false
	}
	switch op = e["op"][1]; op {
	case 't', 'm':
		return op, nil, true
	case 'd':
		object = e["before"]
	case 'c', 'r', 'u':
		object = e["after"]
	}
	return op, object, len(object) > 0 && object[0] == '{'
}
