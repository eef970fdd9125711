package pgtype

import (
	"bytes"
	"math"

	"tarn/embedded/record/jsonscan"
)

const (
	secondMicros = 1_000_000
	minuteMicros = 60 * secondMicros
	hourMicros   = 60 * minuteMicros
	// epochDays are the days from 1970 to 2000, from which PostgreSQL counts.
	epochDays   = 10_957
	epochMicros = epochDays * jsonscan.DayMicros
)

// era cuts " BC" off.
func era(text []byte) (rest []byte, bc bool) {
	return bytes.CutSuffix(text, []byte(" BC"))
}

// number reads the digits at the start; n is -1 where there are none, or too many.
func number(text []byte) (n int64, rest []byte) {
	i := 0
	for ; i < len(text) && text[i]-'0' <= 9; i++ {
		if n = n*10 + int64(text[i]-'0'); i > 9 {
			return -1, text
		}
	}
	if i == 0 {
		return -1, text
	}
	return n, text[i:]
}

// parseDate reads "2026-11-23" at the start, in DateStyle ISO, as days since 1970.
func parseDate(text []byte, bc bool) (days int64, rest []byte, ok bool) {
	year, rest := number(text)
	if year < 0 || len(rest) < 6 || rest[0] != '-' || rest[3] != '-' {
		return 0, nil, false
	}
	month, _ := number(rest[1:3])
	day, _ := number(rest[4:6])
	if month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, nil, false
	}
	if bc {
		year = 1 - year
	}
	return jsonscan.Days(year, month, day), rest[6:], true
}

// parseClock reads "13:14:15.123456" at the start as microseconds; an hour of 24 is right.
func parseClock(text []byte) (micros int64, rest []byte, ok bool) {
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return 0, nil, false
	}
	h, _ := number(text[:2])
	m, _ := number(text[3:5])
	s, _ := number(text[6:8])
	if h < 0 || h > 24 || m < 0 || m > 59 || s < 0 || s > 60 {
		return 0, nil, false
	}
	micros = h*hourMicros + m*minuteMicros + s*secondMicros
	if text = text[8:]; len(text) > 0 && text[0] == '.' {
		unit := int64(secondMicros)
		for text = text[1:]; len(text) > 0 && text[0]-'0' <= 9 && unit > 1; text = text[1:] {
			unit /= 10
			micros += int64(text[0]-'0') * unit
		}
	}
	return micros, text, true
}

// parseZone reads "+02", "-03:30" or "+00:19:32" as microseconds east of Greenwich.
func parseZone(text []byte) (micros int64, ok bool) {
	if len(text) < 3 || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	unit := int64(hourMicros)
	for rest := text[1:]; len(rest) > 0 && unit > 0; unit /= 60 {
		n, after := number(rest)
		if n < 0 {
			return 0, false
		}
		micros += n * unit
		rest = bytes.TrimPrefix(after, []byte{':'})
	}
	if text[0] == '-' {
		micros = -micros
	}
	return micros, true
}

// parseTimestamp reads "2026-11-23 13:14:15.123456+02" as microseconds since 1970; zoned wants the zone.
func parseTimestamp(text []byte, zoned bool) (micros int64, ok bool) {
	text, bc := era(text)
	days, rest, ok := parseDate(text, bc)
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return 0, false
	}
	clock, rest, ok := parseClock(rest[1:])
	if !ok || days > math.MaxInt64/jsonscan.DayMicros-1 {
		return 0, false
	}
	micros = days*jsonscan.DayMicros + clock
	if !zoned {
		return micros, len(rest) == 0
	}
	shift, ok := parseZone(rest)
	return micros - shift, ok
}

// appendZonedTime renders "13:14:15.5+02" as Debezium does, in UTC.
func appendZonedTime(dst, text []byte) ([]byte, bool) {
	micros, rest, ok := parseClock(text)
	if !ok {
		return dst, false
	}
	shift, ok := parseZone(rest)
	if !ok {
		return dst, false
	}
	micros = (micros - shift) % jsonscan.DayMicros
	if micros < 0 {
		micros += jsonscan.DayMicros
	}
	return append(appendClock(dst, micros), 'Z'), true
}

// appendClock renders microseconds of a day, with the digits of a fraction that are needed.
func appendClock(dst []byte, micros int64) []byte {
	seconds := micros / secondMicros
	for i, n := range [3]int64{seconds / 3600, seconds / 60 % 60, seconds % 60} {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	fraction := micros % secondMicros
	if fraction > 0 {
		dst = append(dst, '.')
	}
	for unit := int64(secondMicros / 10); fraction > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit))
		fraction %= unit
	}
	return dst
}
