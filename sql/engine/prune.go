//go:build duckdb_arrow

package engine

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// files are those of a scan that may hold rows which the statement asks for, and about how many rows it finds there. A condition counts where both sides are surely
// compared as what the file's bounds are of: not on a masked column, and only with constants that are written plainly.
func (s *session) files(scan *catalog.Scan, where []sqltext.Condition, d guard.Decision) (files []catalog.File, rows int64) {
	var known []catalog.Condition
	for _, c := range where {
		at := slices.IndexFunc(scan.Columns, func(column table.Column) bool { return strings.EqualFold(column.Name, c.Column) })
		if at < 0 || masked(d, c.Column) {
			continue
		}
		of := catalog.Condition{Column: scan.Columns[at], Op: c.Op}
		for _, v := range c.Values {
			if value := valueOf(of.Column.Type, v); value != nil {
				of.Values = append(of.Values, value)
			}
		}
		if len(of.Values) == len(c.Values) {
			known = append(known, of)
		}
	}
	if scan.Only == nil || len(known) == 0 {
		for _, f := range scan.Files {
			rows += f.Rows
		}
		return scan.Files, rows
	}
	return scan.Only(known)
}

func masked(d guard.Decision, column string) bool {
	for mask := range d.Masks {
		if strings.EqualFold(mask, column) {
			return true
		}
	}
	return false
}

// valueOf is a constant as the bounds of a column of a type are; nil where DuckDB may compare it as something else. Doubles have
// none: a NaN is greater than all of them, and in no bound.
func valueOf(t record.Type, v sqltext.Value) any {
	plain, known := duck.TypeOf(t)
	if v.Type == "" {
		v.Type = plain
	}
	switch {
	case !known:
	case t == record.Int || t == record.Long:
		bits := map[string]int{"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}[v.Type]
		if n, err := strconv.ParseInt(v.Text, 10, bits); bits > 0 && err == nil {
			return n
		}
	case t == record.Timestamp && digits[v.Type] != nil:
		if us, ok := micros(v.Text, ""); ok && digits[v.Type].MatchString(v.Text) {
			return us
		}
	case v.Type != plain:
	case t == record.String:
		return v.Text
	case t == record.Date:
		if us, ok := micros(v.Text, ""); ok && len(v.Text) == len(time.DateOnly) {
			return us / (24 * time.Hour).Microseconds()
		}
	case t == record.Timestamp:
		if us, ok := micros(v.Text, ""); ok {
			return us
		}
	case t == record.TimestampTZ: // only with a zone in it: without one it would be of the connection's
		if us, ok := micros(v.Text, "Z07:00"); ok {
			return us
		}
	}
	return nil
}

// digits are the texts of timestamps that types with fewer digits than a column's do not round.
var digits = map[string]*regexp.Regexp{"TIMESTAMP_S": regexp.MustCompile(`^[^.]*$`), "TIMESTAMP_MS": regexp.MustCompile(`^[^.]*(\.[0-9]{1,3})?$`)}

var plainTime = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?))?(Z|[+-][0-9]{2}(?::[0-9]{2})?)?$`)

// micros reads a date or a time as ISO 8601 has it, with a zone where the layout has one; false for all that could be read in another way.
func micros(text, zone string) (int64, bool) {
	m := plainTime.FindStringSubmatch(text)
	if m == nil || (zone != "") != (m[3] != "") || m[3] != "" && m[2] == "" {
		return 0, false
	}
	if len(m[3]) == len("+00") {
		m[3] += ":00"
	}
	if m[2] == "" {
		m[2] = "00:00:00"
	}
	at, err := time.Parse("2006-01-02 15:04:05"+zone, m[1]+" "+m[2]+m[3])
	return at.UnixMicro(), err == nil && at.Year() > 0
}
