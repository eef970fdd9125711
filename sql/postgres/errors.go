//go:build duckdb_arrow

package postgres

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"tarn/embedded/fault"
)

// states are PostgreSQL's codes of errors for Tarn's.
var states = map[fault.Code]string{
	fault.Invalid: "42000", fault.Syntax: "42601", fault.Denied: "42501", fault.NotFound: "42P01", fault.Exists: "42P07", fault.Conflict: "40001",
	fault.Unavailable: "53300", fault.NoSpace: "53100", fault.TooLarge: "54000", fault.Timeout: "57014", fault.Canceled: "57014", fault.Damaged: "XX001",
}

// rewordings are PostgreSQL's code and words for what a message says: programs look for both.
var rewordings = []struct {
	pattern     *regexp.Regexp
	state, said string
}{
	{regexp.MustCompile(`^Referenced column "(.+?)" (?:not found|was not found) .*$`), "42703", `column "$1" does not exist`},
	{regexp.MustCompile(`^(?:Values list|Table) "(.+?)" does not have a column named "(.+?)"$`), "42703", `column $1.$2 does not exist`},
	{regexp.MustCompile(`^\S+?\.(\S+) has no column (\S+)$`), "42703", `column "$2" of relation "$1" does not exist`},
	{regexp.MustCompile(`^\S+?\.(\S+) has a column (\S+) already$`), "42701", `column "$2" of relation "$1" already exists`},
	{regexp.MustCompile(`^Referenced table "(.+?)" not found$`), "42P01", `missing FROM-clause entry for table "$1"`},
	{regexp.MustCompile(`^there is no table (\S+)$`), "42P01", `relation "$1" does not exist`},
	{regexp.MustCompile(`^there is no schema (\S+)$`), "3F000", `schema "$1" does not exist`},
	{regexp.MustCompile(`^there is no database "(.+)"$`), "3D000", `database "$1" does not exist`},
	{regexp.MustCompile(`^Could not convert string 'division by zero' to INT8$`), "22012", "division by zero"},
	{regexp.MustCompile(`^Could not convert string '(cannot delete from .*)' to INT8$`), "22023", "$1"},
	{regexp.MustCompile(`^DECIMAL type width must be between 1 and 38.*$`), "0A000", "numeric has at most 38 digits here"},
	{regexp.MustCompile(`^Could not convert string '(.*)' to (\w+)$`), "22P02", `invalid input syntax for type $2: "$1"`},
	{regexp.MustCompile(`^(?:date|timestamp|time) field value out of range: (.*)$`), "22008", `date/time field value out of range: $1`},
	{regexp.MustCompile(`^Overflow in .* of (INT\w+) .*$`), "22003", "$1 out of range"},
	{regexp.MustCompile(`^.* out of range for the destination type (\w+).*$`), "22003", "$1 out of range"},
	{regexp.MustCompile(`^No function matches the given name and argument types '(\w+)\((.*)\)'.*$`), "42883", "function $1($2) does not exist"},
	{regexp.MustCompile(`^No function matches the given name and argument types '(\W+)\((.*), (.*)\)'.*$`), "42883", "operator does not exist: $2 $1 $3"},
	{regexp.MustCompile(`^the function (\w+) cannot be used here$`), "42883", "function $1 does not exist"},
	{regexp.MustCompile(`^Type with name (\w+) does not exist$`), "42704", `type "$1" does not exist`},
	{regexp.MustCompile(`^column "(.+?)" must appear in the GROUP BY clause.*$`), "42803", `column "$1" must appear in the GROUP BY clause or be used in an aggregate function`},
	{regexp.MustCompile(`^Ambiguous reference to column name "(.+?)".*$`), "42702", `column reference "$1" is ambiguous`},
	{regexp.MustCompile(`^null in column "(.+?)" of \S+?\.(\S+), which is required$`), "23502", `null value in column "$1" of relation "$2" violates not-null constraint`},
	{regexp.MustCompile(`^a text for column .* is longer than its (\d+) characters$`), "22001", `value too long for type character varying($1)`},
	{regexp.MustCompile(`^the key \(.*\) is in \S+?\.(\S+) already$`), "23505", `duplicate key value violates unique constraint "$1_pkey"`},
	{regexp.MustCompile(`^(ON CONFLICT DO UPDATE command cannot affect row a second time)$`), "21000", "$1"},
	{regexp.MustCompile(`^(there is no unique or exclusion constraint matching .*)$`), "42P10", "$1"},
	{regexp.MustCompile(`^(there are \d+ values for \d+ columns)$`), "42601", "$1"},
	{regexp.MustCompile(`^column (\S+) of \S+?\.(\S+) is read by the view (\S+)$`), "2BP01", `cannot drop or rename column $1 of table $2 because view $3 depends on it`},
	{regexp.MustCompile(`^(a row of \S+ would be changed twice)$`), "21000", "$1"},
	{regexp.MustCompile(`^the statement took longer than .*$`), "57014", "canceling statement due to statement timeout"},
	{regexp.MustCompile(`^the statement was canceled.*$`), "57014", "canceling statement due to user request"},
	{regexp.MustCompile(`^the statement needs more memory than it may have$|^a value, or the values of some rows, need more memory .*$`), "53200", "out of memory"},
	{regexp.MustCompile(`^More than one row returned by a subquery.*$`), "21000", "more than one row returned by a subquery used as an expression"},
}

// typeWords are PostgreSQL's for DuckDB's types within such a message.
var typeWords = strings.NewReplacer(
	"INT16", "smallint", "INT32", "integer", "INT64", "bigint", "INT128", "numeric", "INT8", "smallint", "DOUBLE", "double precision", "FLOAT", "real", "BOOLEAN", "boolean",
	"BOOL", "boolean", "VARCHAR", "text", "STRING_LITERAL", "unknown", "INTEGER_LITERAL", "integer", "INTEGER", "integer", "BIGINT", "bigint", "SMALLINT", "smallint",
	"DECIMAL", "numeric", "TIMESTAMP WITH TIME ZONE", "timestamp with time zone", "TIMESTAMP", "timestamp without time zone", "DATE", "date", "INTERVAL", "interval", "UUID", "uuid",
)

// reworded says a message in PostgreSQL's words, with its code; "" where it is none of those.
func reworded(message string) (state, said string) {
	for _, r := range rewordings {
		m := r.pattern.FindStringSubmatch(message)
		if m == nil {
			continue
		}
		pairs := make([]string, 0, 2*len(m))
		for i, group := range m[1:] {
			if r.state[:2] == "22" && !strings.Contains(r.said, `"$`+string(rune('1'+i))) || r.state == "42883" && i > 0 {
				group = typeWords.Replace(group)
			}
			pairs = append(pairs, "$"+string(rune('1'+i)), group)
		}
		return r.state, strings.NewReplacer(pairs...).Replace(r.said)
	}
	return "", ""
}

// response is an error as clients read it; text is the statement that it is about.
func response(err error, text, severity string) *pgproto3.ErrorResponse {
	out := &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: "XX000", Message: err.Error()}
	if state, ok := errors.AsType[stateError](err); ok {
		out.Code = state.state
	}
	if at, ok := errors.AsType[located](err); ok {
		out.Where = at.where
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return out
	}
	out.Message, out.Hint = f.Message, f.Hint
	out.Position = position(text, f.Line, f.Column)
	if state, ok := states[f.Code]; ok && out.Code == "XX000" {
		out.Code = state
		switch f.Code {
		case fault.Invalid, fault.NotFound, fault.Denied, fault.Exists, fault.Timeout, fault.Canceled, fault.TooLarge:
			if state, said := reworded(f.Message); said != "" {
				out.Code, out.Message = state, said
			}
		case fault.Syntax:
			out.Message = asWritten(f.Message, text, int(out.Position))
		default:
		}
	}
	return out
}

// asWritten says the word that a syntax error is near to as the statement has it: the dialect reads words small.
func asWritten(message, text string, position int) string {
	before, rest, ok := strings.Cut(message, `near "`)
	word, behind, closed := strings.Cut(rest, `"`)
	if !ok || !closed || position < 1 || utf8.RuneCountInString(text) < position {
		return message
	}
	at := string([]rune(text)[position-1:])
	if len(at) < len(word) || !strings.EqualFold(at[:len(word)], word) {
		return message
	}
	return before + `near "` + at[:len(word)] + `"` + behind
}
