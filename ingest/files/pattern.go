package files

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

// combined is the log format of Apache and nginx.
var combined = regexp.MustCompile(`^(?P<host>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?:(?P<method>[A-Z]+) (?P<path>[^" ]*)(?: (?P<protocol>[^"]*))?|(?P<request>(?:[^"\\]|\\.)*))" (?P<status>\d{3}) (?P<bytes>\d+|-)(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?$`)

// combinedColumns are the types of its groups that are no texts.
var combinedColumns = []column{
	{"time", columnType{t: record.TimestampTZ}}, {"status", columnType{t: record.Int}}, {"bytes", columnType{t: record.Long}},
}

// pattern takes each line apart by a regular expression; the groups with names are the columns.
type pattern struct {
	re       *regexp.Regexp
	declared map[string]*columnType
}

func (c pattern) open(io.ReaderAt, *at, int64, bool) (rowCutter, error) {
	return func(b []byte, last bool) (int, []byte, string) {
		n := line(b, last)
		text := bytes.TrimRight(b[:n], "\r\n")
		if len(text) == 0 {
			return n, nil, ""
		}
		value, why := c.object(text)
		return n, value, why
	}, nil
}

// object makes an object of a line. A group that took no part, and "-", which logs write for nothing, are null.
func (c pattern) object(text []byte) (value []byte, why string) {
	if !utf8.Valid(text) {
		return nil, "the line is not UTF-8"
	}
	at := c.re.FindSubmatchIndex(text)
	if at == nil {
		return nil, "the line does not match the pattern"
	}
	value = append(value, '{')
	for i, name := range c.re.SubexpNames() {
		if name == "" {
			continue
		}
		if len(value) > 1 {
			value = append(value, ',')
		}
		value = append(envelope.AppendText(value, name), ':')
		var cell []byte
		if at[2*i] >= 0 {
			cell = text[at[2*i]:at[2*i+1]]
		}
		switch declared := c.declared[name]; {
		case cell == nil, string(cell) == "-":
			value = append(value, "null"...)
		case declared == nil:
			value = envelope.AppendText(value, cell)
		default:
			if value, why = declared.append(value, cell); why != "" {
				return nil, fmt.Sprintf("column %s: %s", name, why)
			}
		}
	}
	return append(value, '}'), ""
}
