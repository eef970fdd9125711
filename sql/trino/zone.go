//go:build duckdb_arrow

package trino

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine need not have any

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// zoneProperty is the setting that SET TIME ZONE keeps with the client.
const zoneProperty = "time_zone_id"

// offset is a zone that is a number of hours east of Greenwich.
var offset = regexp.MustCompile(`^(?:UTC|GMT)?([+-])0?([0-9]{1,2})(?::?00)?$`)

// zoneOf is the IANA's name of a zone that a client names; "" for UTC, or none.
func zoneOf(said string) (string, error) {
	if m := offset.FindStringSubmatch(strings.ToUpper(said)); m != nil && len(m[2]) <= 2 {
		if m[2] == "0" {
			return "", nil
		}
		said = "Etc/GMT" + map[string]string{"+": "-", "-": "+"}[m[1]] + m[2] // which has the other sign
	}
	if said == "" || slices.Contains([]string{"UTC", "Z", "UT", "GMT", "UCT", "ZULU", "UNIVERSAL", "GREENWICH"}, strings.TrimPrefix(strings.ToUpper(said), "ETC/")) {
		return "", nil
	}
	if zone, err := time.LoadLocation(said); err == nil && zone != time.Local && zone != time.UTC {
		return zone.String(), nil
	}
	return "", failure{"INVALID_SESSION_PROPERTY", fault.Newf(fault.Invalid, "take a name of the IANA's database, such as Europe/Paris, or whole hours, such as +02:00", "the time zone %q is not known", said)}
}

// zonesMax bounds the dialects that are kept, one for each zone of a client: more than there are names of zones, for what is forgotten here is
// still held by the statements that are kept in it.
const zonesMax = 2048

// speech is the dialect of clients in a zone.
func (d *Door) speech(zone string) *engine.Dialect {
	if zone == "" {
		return d.dialect
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.zoned[zone]
	if known == nil {
		if len(d.zoned) >= zonesMax {
			clear(d.zoned)
		}
		of := *d.dialect
		of.Words = zonedWords(zone)
		known = &of
		d.zoned[zone] = known
	}
	return known
}

// zonedWords are Words of a session in a zone: what has no zone is a time there, and what goes by the clock of now goes by the one there. DuckDB's
// own zone stays UTC, which that of the columns of tables is.
func zonedWords(zone string) *sqltext.Dialect {
	d, in := Words(), sqltext.Literal(zone)
	there := func(x string) string { return "timezone(" + in + ", " + x + ")" }
	local := there("CAST($1 AS TIMESTAMP)")
	for name, text := range map[string]string{
		"current_timezone":       in,
		"from_iso8601_timestamp": "CASE WHEN regexp_matches($1, 'T.*([zZ]|[+-][0-9][0-9](:?[0-9][0-9])?)$') THEN CAST($1 AS TIMESTAMPTZ) ELSE " + local + " END",
		"to_unixtime":            "CASE WHEN typeof($1) = 'TIMESTAMP WITH TIME ZONE' THEN epoch($1) ELSE epoch(" + local + ") END",
	} {
		d.Functions[name] = sqltext.As(text)
	}
	d.Functions["date_diff"] = dateDiff(there)
	d.Functions["parse_datetime"] = jodaFormatted("timezone(" + in + ", strptime($1, %s))")
	d.Functions["date_trunc"] = ofNow(d.Functions["date_trunc"], 1, there("date_trunc($1, "+there("$2")+")"))
	add := d.Functions["date_add"]
	d.Functions["date_add"] = func(args []sqltext.Argument) (string, error) {
		said, err := add(args)
		if err == nil && len(args) == 3 && byNow(args[2]) && dayUnits[units[strings.ToLower(*args[0].Text)]] {
			return there(there("$3") + " + " + units[strings.ToLower(*args[0].Text)] + "(CAST($2 AS INTEGER))"), nil
		}
		return said, err
	}
	delete(d.TypedCasts, "timestamp with time zone")
	d.Casts["timestamp with time zone"] = cast(func(x string) string {
		text, at := "CAST("+x+" AS VARCHAR)", there("CAST("+x+" AS TIMESTAMP)")
		return "CASE WHEN typeof(" + x + ") = 'TIMESTAMP WITH TIME ZONE' OR typeof(" + x + ") = 'VARCHAR' AND regexp_matches(" + text + `, '(\d|\s)([A-Za-z]|[+-]\d\d?(:?\d\d)?$).*$') AND NOT regexp_full_match(` + text + `, '\s*[0-9]+-[0-9]+-[0-9]+([ T][0-9:.]*)?\s*') THEN ` +
			instantOf(x) + " ELSE " + at + " END"
	})
	shown := maps.Clone(d.Within[ofLocal[0]]) // all of them have the same
	unix := shown["from_unixtime"]
	shown["now"] = sqltext.As("date_trunc('millisecond', " + there("now()") + ")")
	shown["from_unixtime"] = func(args []sqltext.Argument) (string, error) {
		if len(args) == 1 {
			return there("to_timestamp($1)"), nil
		}
		return unix(args)
	}
	for _, outer := range ofLocal {
		d.Within[outer] = shown
	}
	for name, said := range comparisons {
		nan := d.Comparisons[name]
		d.Comparisons[name] = func(args []sqltext.Argument) (string, error) {
			if sides := inOneZone(args, there); sides != nil {
				return sides[0] + " " + said + " " + sides[1], nil
			}
			return nan(args)
		}
	}
	d.Comparisons["COMPARE_BETWEEN"] = func(args []sqltext.Argument) (string, error) {
		if sides := inOneZone(args, there); sides != nil {
			return sides[0] + " BETWEEN " + sides[1] + " AND " + sides[2], nil
		}
		return "", nil
	}
	return d
}

// inOneZone are instants, and times without a zone, that are compared: a column without a zone stays what it is, for what is known of its
// files, and otherwise all become instants. nil where there are not both.
func inOneZone(args []sqltext.Argument, there func(x string) string) []string {
	var zoned, plain bool
	for _, a := range args {
		zoned, plain = zoned || withZone(a), plain || withoutZone(a)
	}
	if !zoned || !plain {
		return nil
	}
	local, sides := false, numbersOf(args)
	for _, a := range args {
		local = local || a.Class == "COLUMN_REF" && withoutZone(a)
	}
	for i, a := range args {
		if local && withZone(a) {
			sides[i] = there(sides[i])
		} else if !local && withoutZone(a) {
			sides[i] = there("CAST(" + sides[i] + " AS TIMESTAMP)")
		}
	}
	return sides
}

// instants is the type of instants and times without a zone, of which one is taken.
func instants(kinds []string) string {
	zoned, other := false, false
	for _, k := range kinds {
		zoned, other = zoned || k == "TIMESTAMP WITH TIME ZONE", other || k == "DATE" || strings.HasPrefix(k, "TIMESTAMP") && k != "TIMESTAMP WITH TIME ZONE"
	}
	if zoned && other {
		return "TIMESTAMP WITH TIME ZONE"
	}
	return ""
}

// dateDiff is of two times, of which one may have a zone; there shows what is of another in the session's.
func dateDiff(there func(x string) string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 3 {
			return "", unsupported("", "date_diff cannot be called with %d arguments here", len(args))
		}
		if sides := inOneZone(args[1:], there); sides != nil {
			said := make([]string, 2)
			for i, side := range sides {
				said[i] = strings.NewReplacer("$1", "$2", "$2", "$3").Replace(side)
			}
			return "date_sub($1, " + strings.Join(said, ", ") + ")", nil
		}
		return "date_sub($1, $2, $3)", nil
	}
}

// inUTCAsWell compares instants with times that have fewer digits than DuckDB compares with them, in a session that is in UTC.
func inUTCAsWell(said string, otherwise sqltext.Template) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		sides, zoned, other := numbersOf(args), false, false
		for i, a := range args {
			zoned = zoned || withZone(a)
			if strings.HasPrefix(comparedAs(a), "TIMESTAMP_") {
				sides[i], other = "CAST("+sides[i]+" AS TIMESTAMPTZ)", true
			}
		}
		switch {
		case !zoned || !other:
			return otherwise(args)
		case len(sides) == 3:
			return sides[0] + " BETWEEN " + sides[1] + " AND " + sides[2], nil
		}
		return sides[0] + " " + said + " " + sides[1], nil
	}
}

// comparedAs is the type of an argument, as far as it is known: first as the FROM tells it where that stands, for another one's column may have its name.
func comparedAs(a sqltext.Argument) string { return cmp.Or(a.Kind, a.Type) }

// withZone tells whether an argument is known to be an instant.
func withZone(a sqltext.Argument) bool {
	return comparedAs(a) == "TIMESTAMP WITH TIME ZONE" || byNow(a)
}

// withoutZone tells whether an argument is known to be a date or a timestamp without a zone.
func withoutZone(a sqltext.Argument) bool {
	is := comparedAs(a)
	return is == "DATE" || strings.HasPrefix(is, "TIMESTAMP") && is != "TIMESTAMP WITH TIME ZONE"
}

// byNow tells whether an argument is an instant in the zone of the session: what now is made to.
func byNow(a sqltext.Argument) bool {
	switch a.Name {
	case "now":
		return true
	case "+", "-", "date_add", "date_trunc":
		return a.Holds("now") && !a.Holds("timezone")
	}
	return false
}

// ofNow is a template for one argument that is by now, and another for all others.
func ofNow(otherwise sqltext.Template, n int, text string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if n < len(args) && byNow(args[n]) {
			return text, nil
		}
		return otherwise(args)
	}
}

// clock is what a word tells of the clock in the session's zone; "" where DuckDB's own does.
func (s session) clock(word string) string {
	if s.zone == "" {
		return ""
	}
	at := fmt.Sprintf("timezone(%s, now())", sqltext.Literal(s.zone))
	return map[string]string{"current_date": "CAST(" + at + " AS DATE)", "localtimestamp": at, "localtime": "CAST(" + at + " AS TIME)"}[word]
}
