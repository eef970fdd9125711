package home

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

// Count writes a whole number in groups of three digits.
func Count(n int64) string {
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

// Rate writes a number a second.
func Rate(perSecond *float64, unit string) string {
	if perSecond == nil {
		return Unknown
	}
	return short(*perSecond) + thin + unit + "/s"
}

func short(v float64) string {
	switch {
	case v < 0.05:
		return "0"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v < 9999.5:
		return Count(int64(v + 0.5))
	case v < 999_950:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + thin + "k"
	default:
		return strconv.FormatFloat(v/1e6, 'f', 1, 64) + thin + "M"
	}
}

// Bytes writes a size in decimal units.
func Bytes(n int64) string {
	if n < 1000 {
		return Count(n) + thin + "B"
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB"} {
		if v /= 1000; v < 999.5 {
			break
		}
	}
	return fmt.Sprintf("%.3g", v) + thin + unit
}

// Percent writes a share, with a digit behind the point where it is small.
func Percent(share float64) string {
	switch {
	case share <= 0:
		return "0" + thin + "%"
	case share < 0.001:
		return "<" + thin + "0.1" + thin + "%"
	case share < 0.0995:
		return strconv.FormatFloat(100*share, 'f', 1, 64) + thin + "%"
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64) + thin + "%"
}

// Millis writes a length of time.
func Millis(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Second:
		return Count(ms) + thin + "ms"
	case d < 59950*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + thin + "s"
	case d < 2*time.Minute:
		return Count(int64(d.Seconds())) + thin + "s"
	case d < time.Hour:
		return Count(int64(d.Minutes())) + thin + "min"
	case d < 48*time.Hour:
		return Count(int64(d.Hours())) + thin + "h"
	default:
		return Count(int64(d.Hours()/24)) + thin + "d"
	}
}

// Optional shows a number that may be unknown.
func Optional[T any](v *T, show func(T) string) string {
	if v == nil {
		return Unknown
	}
	return show(*v)
}

// ClockText is a time of day, in UTC as everything in Tarn.
func ClockText(t time.Time) string { return t.UTC().Format("15:04:05") }

// Plural counts things.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(int64(n)) + " " + many
}
