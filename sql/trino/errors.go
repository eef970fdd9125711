//go:build duckdb_arrow

package trino

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"tarn/embedded/fault"
)

// queryError is an error as clients read it, the protocol's QueryError.
type queryError struct {
	Message       string      `json:"message"`
	ErrorCode     int         `json:"errorCode"`
	ErrorName     string      `json:"errorName"`
	ErrorType     string      `json:"errorType"`
	ErrorLocation *location   `json:"errorLocation,omitempty"`
	FailureInfo   failureInfo `json:"failureInfo"`
}

type failureInfo struct {
	Type          string     `json:"type"`
	Message       string     `json:"message"`
	Suppressed    []struct{} `json:"suppressed"`
	Stack         []string   `json:"stack"`
	ErrorLocation *location  `json:"errorLocation,omitempty"`
}

type location struct {
	Line   int `json:"lineNumber"`
	Column int `json:"columnNumber"`
}

// codes are the numbers of Trino's errors, of those that are answered here (StandardErrorCode of trino-spi). Those from
// 0x10000 are the server's, from 0x20000 of what it lacks.
var codes = map[string]int{
	"GENERIC_USER_ERROR": 0, "SYNTAX_ERROR": 1, "ABANDONED_QUERY": 2, "USER_CANCELED": 3, "PERMISSION_DENIED": 4, "NOT_FOUND": 5, "FUNCTION_NOT_FOUND": 6,
	"INVALID_FUNCTION_ARGUMENT": 7, "DIVISION_BY_ZERO": 8, "INVALID_CAST_ARGUMENT": 9, "ALREADY_EXISTS": 12, "NOT_SUPPORTED": 13,
	"INVALID_SESSION_PROPERTY": 14, "MISSING_SCHEMA_NAME": 57, "TRANSACTION_CONFLICT": 17, "NOT_IN_TRANSACTION": 21, "NUMERIC_VALUE_OUT_OF_RANGE": 19, "SUBQUERY_MULTIPLE_ROWS": 28, "QUERY_TEXT_TOO_LARGE": 35, "ADMINISTRATIVELY_KILLED": 38,
	"TYPE_NOT_FOUND": 43, "CATALOG_NOT_FOUND": 44, "SCHEMA_NOT_FOUND": 45, "TABLE_NOT_FOUND": 46, "COLUMN_NOT_FOUND": 47, "TABLE_ALREADY_EXISTS": 50,
	"TYPE_MISMATCH": 58, "AMBIGUOUS_NAME": 62, "EXPRESSION_NOT_AGGREGATE": 73, "INVALID_PARAMETER_USAGE": 80,
	"GENERIC_INTERNAL_ERROR": 0x10000, "SERVER_SHUTTING_DOWN": 0x10009, "OUT_OF_SPILL_SPACE": 0x10015,
	"QUERY_QUEUE_FULL": 0x20002, "EXCEEDED_TIME_LIMIT": 0x20003, "EXCEEDED_LOCAL_MEMORY_LIMIT": 0x20007, "EXCEEDED_SCAN_LIMIT": 0x20009,
}

// failure is a fault with a name of Trino's own.
type failure struct {
	name  string
	fault *fault.Error
}

func (f failure) Error() string { return f.fault.Error() }
func (f failure) Unwrap() error { return f.fault }

// names are Trino's for Tarn's codes, where the message tells no more.
var names = map[fault.Code]string{
	fault.Invalid: "GENERIC_USER_ERROR", fault.Syntax: "SYNTAX_ERROR", fault.Denied: "NOT_SUPPORTED", fault.NotFound: "NOT_FOUND", fault.Exists: "ALREADY_EXISTS",
	fault.Conflict: "TRANSACTION_CONFLICT", fault.Unavailable: "QUERY_QUEUE_FULL", fault.NoSpace: "OUT_OF_SPILL_SPACE", fault.TooLarge: "EXCEEDED_LOCAL_MEMORY_LIMIT",
	fault.Timeout: "EXCEEDED_TIME_LIMIT", fault.Canceled: "USER_CANCELED",
}

// told are Trino's names for what a message begins with, or has in it.
var told = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`^there is no table `), "TABLE_NOT_FOUND"},
	{regexp.MustCompile(`^there is no schema `), "SCHEMA_NOT_FOUND"},
	{regexp.MustCompile(`^there is no catalog `), "CATALOG_NOT_FOUND"},
	{regexp.MustCompile(`^Referenced (column|table) "|(?i)column "[^"]*" does not exist|^Table "[^"]*" does not have a column|^Values list .* does not have a column`), "COLUMN_NOT_FOUND"},
	{regexp.MustCompile(`^Ambiguous reference`), "AMBIGUOUS_NAME"},
	{regexp.MustCompile(`^Type with name`), "TYPE_NOT_FOUND"},
	{regexp.MustCompile(`^there is no function |^Unexpected parameters \(\) for |^the function .* cannot be used|^(Scalar|Aggregate) Function with name`), "FUNCTION_NOT_FOUND"},
	{regexp.MustCompile(`(?i)division by zero`), "DIVISION_BY_ZERO"},
	{regexp.MustCompile(`^Could not convert string '` + raisedMark + `|^Map keys must be unique|^Could not parse string .* according to format`), "INVALID_FUNCTION_ARGUMENT"},
	{regexp.MustCompile(`(?i)must appear in the GROUP BY clause`), "EXPRESSION_NOT_AGGREGATE"},
	{regexp.MustCompile(`(?i)more than one row returned by a subquery`), "SUBQUERY_MULTIPLE_ROWS"},
	{regexp.MustCompile(`^Could not convert string '(Array subscript|SQL array indices|Key not present|sequence stop)|^Malformed JSON`), "INVALID_FUNCTION_ARGUMENT"},
	{regexp.MustCompile(`^Could not convert |^Failed to cast|(?i)is out of range for the destination type INT|field value out of range`), "INVALID_CAST_ARGUMENT"},
	{regexp.MustCompile(`(?i)out of range|overflow`), "NUMERIC_VALUE_OUT_OF_RANGE"},
	{regexp.MustCompile(`^(No function matches|Cannot (compare|mix|combine)|Binder Error: Cannot)`), "TYPE_MISMATCH"},
	{regexp.MustCompile(`^Unimplemented type for cast`), "TYPE_MISMATCH"},
	{regexp.MustCompile(`^you may not `), "PERMISSION_DENIED"},
	{regexp.MustCompile(`^the statement has more than`), "QUERY_TEXT_TOO_LARGE"},
	{regexp.MustCompile(`^the answer has more than`), "EXCEEDED_SCAN_LIMIT"},
	{regexp.MustCompile(`(?i)syntax error`), "SYNTAX_ERROR"},
}

// rewordings say what a message says in Trino's words, in which programs look for names.
var rewordings = []struct {
	pattern *regexp.Regexp
	said    string
}{
	{regexp.MustCompile(`^Referenced column "(.+?)" (?:not found|was not found) .*$`), "Column '$1' cannot be resolved"},
	{regexp.MustCompile(`^(?:Values list|Table) "(.+?)" does not have a column named "(.+?)"$`), "Column '$1.$2' cannot be resolved"},
	{regexp.MustCompile(`^there is no table (\S+)$`), "Table '$1' does not exist"},
	{regexp.MustCompile(`^there is no schema (\S+)$`), "Schema '$1' does not exist"},
	{regexp.MustCompile(`^there is no catalog (\S+)$`), "Catalog '$1' does not exist"},
	{regexp.MustCompile(`^the function (\S+) cannot be used here$`), "Function '$1' not registered"},
	{regexp.MustCompile(`^Could not convert string '` + raisedMark + `(.*)' to INT8$`), "$1"},
	{regexp.MustCompile(`^Could not convert string '((?:Division by zero|Array subscript|SQL array indices|Key not present|Cannot cast |sequence stop).*)' to INT8$`), "$1"},
}

func reworded(message string) string {
	for _, r := range rewordings {
		if r.pattern.MatchString(message) {
			return r.pattern.ReplaceAllString(message, r.said)
		}
	}
	return message
}

// nameOf is Trino's name of an error.
func nameOf(err error, f *fault.Error) string {
	if own, ok := errors.AsType[failure](err); ok {
		return own.name
	}
	switch f.Code {
	case fault.Internal, fault.Damaged, fault.Timeout, fault.Canceled, fault.Syntax:
	default:
		for _, t := range told {
			if t.pattern.MatchString(f.Message) {
				return t.name
			}
		}
	}
	if name, ok := names[f.Code]; ok {
		return name
	}
	return "GENERIC_INTERNAL_ERROR"
}

// errorOf is an error as clients read it. Its place is told twice, for most show the message alone.
func errorOf(err error) *queryError {
	f := shown(err)
	name := nameOf(err, f)
	message := reworded(f.Message)
	if f.Hint != "" {
		message += " (" + f.Hint + ")"
	}
	out := &queryError{ErrorName: name, ErrorCode: codes[name], ErrorType: "USER_ERROR"}
	switch {
	case out.ErrorCode >= 0x20000:
		out.ErrorType = "INSUFFICIENT_RESOURCES"
	case out.ErrorCode >= 0x10000:
		out.ErrorType = "INTERNAL_ERROR"
	}
	if f.Line > 0 {
		out.ErrorLocation = &location{f.Line, f.Column}
		message = fmt.Sprintf("line %d:%d: %s", f.Line, f.Column, message)
	}
	out.Message = strings.ToValidUTF8(message, "?")
	out.FailureInfo = failureInfo{Type: "io.trino.spi.TrinoException", Message: out.Message, Suppressed: []struct{}{}, Stack: []string{}, ErrorLocation: out.ErrorLocation}
	return out
}

// shown is the fault in err; any other error is not for the asker's eyes.
func shown(err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return fault.New(fault.Internal, "the statement could not be run", "see Tarn's log for the cause")
}

func unsupported(hint, format string, args ...any) error {
	return failure{"NOT_SUPPORTED", fault.Newf(fault.Denied, hint, format, args...)}
}
