//go:build duckdb_arrow

package trino

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
)

// times are functions of dates and times.
var times = map[string]map[int]string{
	"from_unixtime_nanos":          {1: "make_timestamptz($1 // 1000)"},
	"from_iso8601_timestamp_nanos": {1: "CAST($1 AS TIMESTAMPTZ)"},
	"timezone_hour":                {1: "CAST(timezone_hour($1) AS BIGINT)"}, "timezone_minute": {1: "CAST(timezone_minute($1) AS BIGINT)"},
	"to_milliseconds": {1: "CAST(epoch_ms($1) AS BIGINT)"},
	"to_iso8601": {1: "CASE typeof($1) WHEN 'DATE' THEN strftime($1, '%Y-%m-%d') WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime($1, '%Y-%m-%dT%H:%M:%S.%fZ') " +
		"WHEN 'TIMESTAMP_S' THEN strftime($1, '%Y-%m-%dT%H:%M:%S') WHEN 'TIMESTAMP_MS' THEN strftime($1, '%Y-%m-%dT%H:%M:%S.%g') ELSE strftime($1, '%Y-%m-%dT%H:%M:%S.%f') END"},
	"human_readable_seconds": {1: humanSeconds()},
	"parse_duration": {1: "to_microseconds(CAST(round(CAST(regexp_extract($1, '^\\s*([0-9.]+)', 1) AS DOUBLE) * CASE regexp_extract($1, '([a-z]+)\\s*$', 1) WHEN 'ns' THEN 0.001 WHEN 'us' THEN 1 WHEN 'ms' THEN 1000 " +
		"WHEN 's' THEN 1000000 WHEN 'm' THEN 60000000 WHEN 'h' THEN 3600000000 WHEN 'd' THEN 86400000000 ELSE " + raised("duration is not a valid data duration string") + " END, -3) AS BIGINT))"},
}

// humanSeconds is the text of human_readable_seconds: 1 week, 2 days, 1 second.
func humanSeconds() string {
	const n = "CAST(round(abs($1)) AS BIGINT)"
	units := []struct {
		name     string
		of, each int
	}{{"week", 604800, 0}, {"day", 86400, 7}, {"hour", 3600, 24}, {"minute", 60, 60}, {"second", 1, 60}}
	parts := make([]string, len(units))
	for i, u := range units {
		count := fmt.Sprintf("(%s // %d)", n, u.of)
		if u.each > 0 {
			count = fmt.Sprintf("(%s %% %d)", count, u.each)
		}
		parts[i] = fmt.Sprintf("CASE %[1]s WHEN 0 THEN NULL WHEN 1 THEN '1 %[2]s' ELSE CAST(%[1]s AS VARCHAR) || ' %[2]ss' END", count, u.name)
	}
	return "CASE WHEN " + n + " = 0 THEN '0 seconds' ELSE array_to_string(list_filter([" + strings.Join(parts, ", ") + "], lambda _p: _p IS NOT NULL), ', ') END"
}

// formatColumn is date_format by a format that is no text of the statement, piece by piece: DuckDB takes none that changes.
func formatColumn() string {
	var letters strings.Builder
	for _, letter := range slices.Sorted(maps.Keys(formats)) {
		if letter != '%' {
			fmt.Fprintf(&letters, " WHEN '%c' THEN strftime($1, %s)", letter, duck.Quote(formats[letter]))
		}
	}
	return "replace(array_to_string(list_transform(string_split(replace($2, '%%', chr(1)), '%'), lambda _p, _i: CASE WHEN _i = 1 THEN _p ELSE CASE substr(_p, 1, 1)" + letters.String() +
		" ELSE CAST(" + raised("the format of a date has a letter that is not known here") + " AS VARCHAR) END || substr(_p, 2) END), ''), chr(1), '%')"
}

// joda are the letters of Joda's formats by how often they stand there; -1 is for any number.
var joda = map[byte]map[int]string{
	'y': {2: "%y", -1: "%Y"}, 'Y': {2: "%y", -1: "%Y"}, 'x': {-1: "%G"}, 'M': {1: "%-m", 2: "%m", 3: "%b", -1: "%B"}, 'd': {1: "%-d", 2: "%d"}, 'D': {1: "%-j", 3: "%j"},
	'e': {1: "%u"}, 'E': {4: "%A", 1: "%a", 2: "%a", 3: "%a"}, 'a': {-1: "%p"}, 'h': {1: "%-I", 2: "%I"}, 'H': {1: "%-H", 2: "%H"}, 'm': {1: "%-M", 2: "%M"}, 's': {1: "%-S", 2: "%S"},
	'S': {3: "%g", 6: "%f"}, 'w': {2: "%V"},
}

// fromJoda writes a format of Joda's as one of strftime.
func fromJoda(format string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		switch {
		case c == '\'':
			end := i + 1
			for end < len(format) && (format[end] != '\'' || end+1 < len(format) && format[end+1] == '\'') {
				if format[end] == '\'' {
					end++
				}
				end++
			}
			text := strings.ReplaceAll(format[i+1:min(end, len(format))], "''", "'")
			if text == "" {
				text = "'"
			}
			out.WriteString(strings.ReplaceAll(text, "%", "%%"))
			i = end + 1
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := len(format[i:]) - len(strings.TrimLeft(format[i:], string(c)))
			said, ok := joda[c][n]
			if !ok {
				said, ok = joda[c][-1]
			}
			if !ok {
				return "", unsupported("see docs/compat/trino.md", "the format %s of a date is not known here", format[i:i+n])
			}
			out.WriteString(said)
			i += n
		default:
			out.WriteString(strings.ReplaceAll(string(c), "%", "%%"))
			i++
		}
	}
	return out.String(), nil
}

// jodaFormatted is format_datetime or parse_datetime, in DuckDB's text.
func jodaFormatted(text string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 || args[1].Text == nil {
			return "", unsupported("write it as a text, or use date_format, whose format may be a column", "the format must be in the statement")
		}
		format, err := fromJoda(*args[1].Text)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf(text, duck.Quote(format)), nil
	}
}

// fromUnixtime has the zone that the instant is shown in, which is UTC here.
func fromUnixtime(args []sqltext.Argument) (string, error) {
	if len(args) == 1 || inUTC(args) {
		return "to_timestamp($1)", nil
	}
	return "", errZone
}

// inUTC tells whether the second of two arguments is a name of the zone.
func inUTC(args []sqltext.Argument) bool {
	return len(args) == 2 && args[1].Text != nil && utc[strings.ToLower(*args[1].Text)]
}

var errZone = unsupported("write CAST(x AT TIME ZONE 'Europe/Paris' AS timestamp), or the function of x AT TIME ZONE '…' that you want", "an instant is shown in UTC here")

// atTimezone is the instant itself, where its zone is UTC.
func atTimezone(args []sqltext.Argument) (string, error) {
	if inUTC(args) {
		return "CAST($1 AS TIMESTAMPTZ)", nil
	}
	return "", errZone
}

// timezone is AT TIME ZONE, as the parser has it, of a zone that the rewriting has marked; or the zone of a time.
func timezone(args []sqltext.Argument) (string, error) {
	switch {
	case len(args) == 1:
		return "CASE WHEN $1 IS NOT NULL THEN 'UTC' END", nil
	case len(args) == 2 && args[0].Name == atZone:
		return "", errZone
	}
	return "", nil
}

// atZone marks the zone of AT TIME ZONE, which is no zone of DuckDB's function of the same form.
const atZone = "at_zone"

// withTimezone is the instant of a time in a zone, which is shown in UTC.
func withTimezone(args []sqltext.Argument) (string, error) {
	if inUTC(args) {
		return inZone, nil
	}
	return "", errZone
}

const inZone = "timezone($2, CAST($1 AS TIMESTAMP))"

// marked is a template of AT TIME ZONE alone.
func marked(text string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) == 2 && args[0].Name == atZone {
			return text, nil
		}
		return "", nil
	}
}

// zones are what becomes of an instant that is shown in a zone: those that go by the clock there are given the time there, without a zone,
// and those that go by the instant, the instant.
func zones() map[string]map[string]sqltext.Template {
	there := map[string]sqltext.Template{
		"timezone": marked("timezone($1, CAST($2 AS TIMESTAMPTZ))"), "at_timezone": sqltext.As("timezone($2, CAST($1 AS TIMESTAMPTZ))"), "with_timezone": sqltext.As("CAST($1 AS TIMESTAMP)"),
		"from_unixtime": func(args []sqltext.Argument) (string, error) {
			return map[int]string{2: "timezone($2, to_timestamp($1))", 3: "CAST(to_timestamp($1) + to_minutes($2 * 60 + $3) AS TIMESTAMP)"}[len(args)], nil
		},
	}
	instant := map[string]sqltext.Template{"timezone": marked("CAST($2 AS TIMESTAMPTZ)"), "at_timezone": sqltext.Whatever("CAST($1 AS TIMESTAMPTZ)"), "with_timezone": sqltext.As(inZone)}
	instant["from_unixtime"] = sqltext.Whatever("to_timestamp($1)")
	for name, n := range through {
		instant[name] = func(args []sqltext.Argument) (string, error) {
			if n < len(args) && there[args[n].Name] != nil && args[n].Name != "timezone" || n < len(args) && args[n].Name == "timezone" && name != "+" && name != "-" {
				return "", errZone
			}
			return "", nil
		}
	}
	local := maps.Clone(there)
	local["now"] = sqltext.As("date_trunc('millisecond', CAST(now() AS TIMESTAMP))") // rounded, it would be later than itself
	out := map[string]map[string]sqltext.Template{}
	for _, name := range ofLocal {
		out[name] = local
	}
	for _, name := range ofInstant {
		out[name] = instant
	}
	return out
}

// through are functions of an instant that are shown in its zone.
var through = map[string]int{"date_trunc": 1, "date_add": 2, "+": 0, "-": 0}

var (
	ofLocal = []string{
		"date", "date_format", "format_datetime", "day", "day_of_month", "day_of_week", "dow", "day_of_year", "doy", "hour", "minute", "second", "millisecond", "month", "quarter", "year", "week",
		"week_of_year", "year_of_week", "yow", "last_day_of_month", "date_part", "cast timestamp", "cast timestamp_s", "cast timestamp_ms", "cast timestamp_ns", "cast date", "cast time",
	}
	ofInstant = []string{"comparison", "to_unixtime", "timezone", "at_timezone", "cast timestamp with time zone"}
)
