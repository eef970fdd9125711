//go:build duckdb_arrow

package postgres

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/jackc/pgx/v5/pgtype"

	"tarn/sql/cell"
)

// appendText writes a cell that is not null as PostgreSQL writes it, with DateStyle ISO, IntervalStyle postgres and
// bytea_output hex.
func appendText(b []byte, k *kind, a arrow.Array, i int) []byte {
	switch a := a.(type) {
	case *array.Boolean:
		if a.Value(i) {
			return append(b, 't')
		}
		return append(b, 'f')
	case *array.Decimal128:
		from := len(b)
		b, _ = cell.Append(b, a, i)
		if a.DataType().(arrow.DecimalType).GetScale() >= quotientScaleMin {
			b = quotient(b, from)
		}
		return b
	case *array.Float64:
		return appendFloat(b, a.Value(i), 64, 15)
	case *array.Float32:
		return appendFloat(b, float64(a.Value(i)), 32, 6)
	case *array.Binary:
		return appendHex(b, a.Value(i))
	case *array.LargeBinary:
		return appendHex(b, a.Value(i))
	case *array.BinaryView:
		return appendHex(b, a.Value(i))
	case *array.Timestamp:
		return appendTimestamp(b, k.zone, a, i)
	case *array.Date32:
		if at := a.Value(i).ToTime(); at.Year() <= 0 && a.Value(i) != -math.MaxInt32 { // which is no date but -infinity
			return append(at.AddDate(1-2*at.Year(), 0, 0).AppendFormat(b, "2006-01-02"), " BC"...)
		}
	case *array.MonthDayNanoInterval:
		return appendInterval(b, a.Value(i))
	case *array.Map, *array.Struct, *array.SparseUnion, *array.DenseUnion:
		return cell.AppendJSON(b, a, i)
	case array.ListLike:
		if k.item == nil {
			return cell.AppendJSON(b, a, i)
		}
		return appendArray(b, k.item, a, i)
	}
	from := len(b)
	if b, _ = cell.Append(b, a, i); k.oid == pgtype.JSONBOID {
		return appendJSONB(b[:from], bytes.Clone(b[from:]))
	}
	return b
}

// quotientScaleMin is the scale from which a number is one of what divisions of numerics give.
const quotientScaleMin = 19

// quotient takes off the number that begins at a place the zeros behind its point that PostgreSQL does not show: it has sixteen digits
// that tell something, in groups of four.
func quotient(b []byte, from int) []byte {
	point := bytes.IndexByte(b[from:], '.')
	if point < 0 {
		return b
	}
	whole := bytes.TrimLeft(b[from:from+point], "-0")
	least := max(0, 20-4*((len(whole)+3)/4))
	end := len(b)
	for end > from+point+1+least && b[end-1] == '0' {
		end--
	}
	if b[end-1] == '.' {
		end--
	}
	return b[:end]
}

// appendFloat writes the shortest text that reads back to the same bits, with an exponent from digits on.
func appendFloat(b []byte, v float64, bits, digits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	}
	if size := math.Abs(v); size != 0 && (size < 1e-4 || size >= math.Pow10(digits)) {
		return strconv.AppendFloat(b, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, v, 'f', -1, bits)
}

func appendHex(b, v []byte) []byte { return hex.AppendEncode(append(b, `\x`...), v) }

// appendTimestamp writes a time; one with a zone as it is in that of the session, nil for UTC, with what this is before UTC.
func appendTimestamp(b []byte, zone *time.Location, a *array.Timestamp, i int) []byte {
	t := a.DataType().(*arrow.TimestampType)
	micros := microsOf(a.Value(i), t.Unit)
	switch micros {
	case math.MaxInt64:
		return append(b, "infinity"...)
	case math.MinInt64:
		return append(b, "-infinity"...)
	}
	at := time.UnixMicro(micros).UTC()
	if t.TimeZone != "" && zone != nil {
		at = at.In(zone)
	}
	era := ""
	if at.Year() <= 0 {
		at, era = at.AddDate(1-2*at.Year(), 0, 0), " BC"
	}
	b = at.AppendFormat(b, "2006-01-02 15:04:05.999999")
	if t.TimeZone != "" {
		b = at.AppendFormat(b, offsetFormat(at))
	}
	return append(b, era...)
}

// offsetFormat has minutes and seconds where a zone is not of whole hours.
func offsetFormat(at time.Time) string {
	_, seconds := at.Zone()
	switch {
	case seconds%3600 == 0:
		return "-07"
	case seconds%60 == 0:
		return "-07:00"
	}
	return "-07:00:00"
}

// microsOf are microseconds since 1970; the largest and the smallest number for the infinities.
func microsOf(v arrow.Timestamp, unit arrow.TimeUnit) int64 {
	switch v {
	case math.MaxInt64:
		return math.MaxInt64
	case -math.MaxInt64, math.MinInt64:
		return math.MinInt64
	}
	switch unit {
	case arrow.Second:
		return int64(v) * 1e6
	case arrow.Millisecond:
		return int64(v) * 1e3
	case arrow.Nanosecond:
		return time.Unix(0, int64(v)).UnixMicro()
	}
	return int64(v)
}

// appendInterval writes "1 year 2 mons 3 days -04:05:06.789".
func appendInterval(b []byte, v arrow.MonthDayNanoInterval) []byte {
	start := len(b)
	negative := false // what was written last, behind which a plus is
	unit := func(n int64, one string) {
		if n == 0 {
			return
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		if negative && n > 0 {
			b = append(b, '+')
		}
		negative = n < 0
		b = append(append(strconv.AppendInt(b, n, 10), ' '), one...)
		if n != 1 {
			b = append(b, 's')
		}
	}
	unit(int64(v.Months/12), "year")
	unit(int64(v.Months%12), "mon")
	unit(int64(v.Days), "day")
	micros := v.Nanoseconds / 1000
	if micros == 0 && len(b) > start {
		return b
	}
	if len(b) > start {
		b = append(b, ' ')
	}
	switch {
	case micros < 0:
		b, micros = append(b, '-'), -micros
	case negative:
		b = append(b, '+')
	}
	seconds := micros / 1e6
	two := func(n int64) {
		if n < 10 {
			b = append(b, '0')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	two(seconds / 3600)
	b = append(b, ':')
	two(seconds / 60 % 60)
	b = append(b, ':')
	two(seconds % 60)
	if rest := micros % 1e6; rest != 0 {
		b = append(b, strings.TrimRight("."+strconv.FormatInt(1e6+rest, 10)[1:], "0")...)
	}
	return b
}

// appendArray writes {1,NULL,"a b"}.
func appendArray(b []byte, item *kind, a array.ListLike, i int) []byte {
	start, end := a.ValueOffsets(i)
	items := a.ListValues()
	b = append(b, '{')
	for j := start; j < end; j++ {
		if j > start {
			b = append(b, ',')
		}
		if items.IsNull(int(j)) {
			b = append(b, "NULL"...)
			continue
		}
		from := len(b)
		b = appendText(b, item, items, int(j))
		if text := b[from:]; quoted(text) {
			escaped := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`\`), []byte(`\\`)), []byte(`"`), []byte(`\"`))
			b = append(append(append(b[:from:from], '"'), escaped...), '"')
		}
	}
	return append(b, '}')
}

// quoted tells whether an item of an array needs quotes.
func quoted(text []byte) bool {
	return len(text) == 0 || bytes.ContainsAny(text, "{}\",\\ \t\n\r\v\f") || bytes.EqualFold(text, []byte("NULL"))
}
