package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unknown is shown for a number that is not known. It is never NaN.
const Unknown = "-"

// thin parts groups of digits and numbers from units, and does not break.
const thin = "\u202f"

// Optional shows a number that may be unknown.
func Optional[T any](v *T, show func(T) Text) Text {
	if v == nil {
		return Plain(Unknown)
	}
	return show(*v)
}

// Count writes a whole number in groups of three digits.
func Count(n int64) Text { return Text{func(Language) string { return grouped(n) }} }

// Rate writes a number a second; nil is one that is not known.
func Rate(perSecond *float64) Text {
	if perSecond == nil {
		return Plain(Unknown)
	}
	v := *perSecond
	return Text{func(l Language) string { return short(l, v) + thin + "/s" }}
}

// RowsRate is Rate for rows.
func RowsRate(perSecond *float64) Text {
	if perSecond == nil {
		return Plain(Unknown)
	}
	v := *perSecond
	return Text{func(l Language) string {
		if l == French {
			return short(l, v) + thin + "lignes/s"
		}
		return short(l, v) + thin + "rows/s"
	}}
}

// Bytes writes a size in decimal units.
func Bytes(n int64) Text {
	return Text{func(l Language) string {
		byteUnit := "B"
		if l == French {
			byteUnit = "o"
		}
		if n < 1000 {
			return grouped(n) + thin + byteUnit
		}
		v, prefix := float64(n), ""
		for _, prefix = range []string{"k", "M", "G", "T", "P"} {
			if v /= 1000; v < 999.5 {
				break
			}
		}
		return point(l, fmt.Sprintf("%.3g", v)) + thin + prefix + byteUnit
	}}
}

// Percent writes a share, with a digit behind the point where it is small.
func Percent(share float64) Text {
	return Text{func(l Language) string {
		switch {
		case share <= 0:
			return "0" + thin + "%"
		case share < 0.001:
			return "<" + thin + point(l, "0.1") + thin + "%"
		case share < 0.0995:
			return decimal(l, 100*share, 1) + thin + "%"
		}
		return decimal(l, 100*share, 0) + thin + "%"
	}}
}

// Millis writes a length of time.
func Millis(ms int64) Text {
	return Text{func(l Language) string {
		d := time.Duration(ms) * time.Millisecond
		switch {
		case d < time.Second:
			return grouped(ms) + thin + "ms"
		case d < 59950*time.Millisecond:
			return decimal(l, d.Seconds(), 1) + thin + "s"
		case d < 2*time.Minute:
			return grouped(int64(d.Seconds())) + thin + "s"
		case d < time.Hour:
			return grouped(int64(d.Minutes())) + thin + "min"
		case d < 48*time.Hour:
			return grouped(int64(d.Hours())) + thin + "h"
		case l == French:
			return grouped(int64(d.Hours()/24)) + thin + "j"
		}
		return grouped(int64(d.Hours()/24)) + thin + "d"
	}}
}

// Clock is a time of day, in UTC as everything in Tarn.
func Clock(t time.Time) Text { return Plain(t.UTC().Format("15:04:05")) }

// Stamp is a moment, in UTC: written as SQL writes it, in every language. The zero time is nothing.
func Stamp(t time.Time) Text {
	if t.IsZero() {
		return Text{}
	}
	return Plain(t.UTC().Format("2006-01-02 15:04:05"))
}

func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = s[:1], s[1:]
	}
	var b strings.Builder
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteString(thin)
		}
		b.WriteRune(digit)
	}
	return sign + b.String()
}

func short(l Language, v float64) string {
	switch {
	case v < 0.05:
		return "0"
	case v < 10:
		return decimal(l, v, 1)
	case v < 9999.5:
		return grouped(int64(v + 0.5))
	case v < 999_950:
		return decimal(l, v/1e3, 1) + thin + "k"
	default:
		return decimal(l, v/1e6, 1) + thin + "M"
	}
}

func decimal(l Language, v float64, digits int) string {
	return point(l, strconv.FormatFloat(v, 'f', digits, 64))
}

// point writes a number's point as a language does.
func point(l Language, number string) string {
	if l == French {
		return strings.Replace(number, ".", ",", 1)
	}
	return number
}
