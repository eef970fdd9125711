package files

import (
	"context"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

// The values of format.
const (
	formatLines    = "jsonl"
	formatCSV      = "csv"
	formatCombined = "combined"
	formatPattern  = "regex"
	formatParquet  = "parquet"
)

// columnsMax bounds the groups of a pattern and the declared columns.
const columnsMax = 1000

// The bounds of what is in milliseconds.
const (
	millisMin = 10
	millisMax = 3_600_000
)

// settings is a configuration that was understood.
type settings struct {
	dir         string
	include     []string
	topic       string
	cut         cutter
	columns     []column // that are declared
	tail        bool
	quiet, poll time.Duration
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func readSettings(c source.Config) (s settings, err error) {
	invalid := func(key, hint, format string, args ...any) error {
		return source.NewMisset(c, key, hint, format, args...)
	}
	s = settings{dir: c.Path(keyPath), topic: c.Keys[keyTopic]}
	if s.dir == "" {
		return s, invalid(keyPath, "write the path of the directory into it", "is missing")
	}
	if !topicName.MatchString(s.topic) || strings.HasPrefix(strings.ToLower(s.topic), record.OwnPrefix) {
		return s, invalid(keyTopic, "use letters, digits, '.', '_' and '-', and another beginning than tarn.", "is %q", s.topic)
	}
	for pattern := range strings.SplitSeq(c.Get(keyInclude, "*"), ",") {
		pattern = strings.TrimSpace(pattern)
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" || strings.Contains(pattern, "/") {
			return s, invalid(keyInclude, "write patterns of names such as *.jsonl, separated by commas", "has the pattern %q", pattern)
		}
		s.include = append(s.include, pattern)
	}
	if t := c.Get(source.ToleranceKey, source.ToleranceAll); t != source.ToleranceAll && t != source.ToleranceNone {
		return s, invalid(source.ToleranceKey, "use all or none", "is %q", t)
	}
	if s.tail, err = strconv.ParseBool(c.Get(keyTail, "false")); err != nil {
		return s, invalid(keyTail, "use true or false", "is %q", c.Keys[keyTail])
	}
	if err := s.readFormat(c, invalid); err != nil {
		return s, err
	}
	for key, to := range map[string]struct {
		to       *time.Duration
		fallback string
	}{keyQuiet: {&s.quiet, "1000"}, keyPoll: {&s.poll, "500"}} {
		millis, err := strconv.Atoi(c.Get(key, to.fallback))
		if err != nil || millis < millisMin || millis > millisMax {
			return s, invalid(key, "use 10 to 3600000", "is %q", c.Keys[key])
		}
		*to.to = time.Duration(millis) * time.Millisecond
	}
	return s, nil
}

// readFormat reads what says how a file is cut.
func (s *settings) readFormat(c source.Config, invalid func(key, hint, format string, args ...any) error) (err error) {
	if s.columns, err = columnsOf(c.Keys[keyColumns]); err != nil {
		return invalid(keyColumns, typeHint, "%v", err)
	}
	if len(s.columns) > columnsMax {
		return invalid(keyColumns, "declare fewer", "has more than %d columns", columnsMax)
	}
	comma := c.Get(keyComma, ",")
	if comma == "tab" || comma == `\t` {
		comma = "\t"
	}
	if len(comma) != 1 || strings.ContainsAny(comma, "\"\r\n") {
		return invalid(keyComma, "use one character, or tab", "is %q", comma)
	}
	format := c.Get(keyFormat, formatLines)
	re := combined
	switch format {
	case formatCombined:
		s.columns = append(slices.Clone(combinedColumns), s.columns...)
	case formatPattern:
		if re, err = regexp.Compile(c.Keys[keyPattern]); err != nil {
			return invalid(keyPattern, "write a regular expression of RE2", "%v", err)
		}
		if n := len(strings.Join(re.SubexpNames(), "")); n == 0 || re.NumSubexp() > columnsMax {
			return invalid(keyPattern, `name the groups that become columns: (?P<name>\S+)`, "%q has no group with a name", re)
		}
	}
	declared := map[string]*columnType{}
	for i := range s.columns {
		declared[s.columns[i].name] = &s.columns[i].columnType
	}
	switch format {
	case formatLines:
		s.cut = lines{}
	case formatCSV:
		s.cut = table{comma: comma[0], declared: declared}
	case formatCombined, formatPattern:
		s.cut = pattern{re: re, declared: declared}
	case formatParquet:
		if s.tail || len(s.columns) > 0 {
			return invalid(keyFormat, "take "+keyTail+" and "+keyColumns+" out", "is parquet, whose files are whole and know their types")
		}
		s.cut = parquetRows{}
	default:
		return invalid(keyFormat, "use jsonl, csv, combined, regex or parquet", "is %q", format)
	}
	return nil
}

// schema are the declared columns, for landing; nil without such.
func (s *settings) schema(sourceID string) *record.Schema {
	out := &record.Schema{Source: sourceID, Database: s.dir, Table: s.topic}
	for _, c := range s.columns {
		out.Columns = slices.DeleteFunc(out.Columns, func(o record.Column) bool { return o.Name == c.name })
		out.Columns = append(out.Columns, record.Column{Name: c.name, Type: c.t, Nullable: true})
	}
	return out
}

// wanted tells whether a file of this name is read.
func (s *settings) wanted(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	for _, end := range []string{".tmp", ".part", ".crdownload", ".filepart", ".swp", "~"} {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	for _, pattern := range s.include {
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}

// check looks before starting.
func check(_ context.Context, c source.Config) []source.Finding {
	s, err := readSettings(c)
	if err != nil {
		return []source.Finding{source.FindingOf(err, true, "")}
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		err = unread(err, s.dir)
		return []source.Finding{source.FindingOf(err, false, keyPath)}
	}
	for _, e := range entries {
		if e.Type().IsRegular() && s.wanted(e.Name()) {
			return nil
		}
	}
	return []source.Finding{{Message: "directory " + s.dir + " has no file to read yet", Hint: "files are read when they come"}}
}

// unread is the fault of a directory.
func unread(err error, dir string) error {
	return fault.Wrap(err, fault.Unavailable, "read directory "+dir, "make it, or check the rights on it; it is read as soon as it can be")
}

// discover names the topic.
func discover(_ context.Context, c source.Config) ([]source.Table, error) {
	s, err := readSettings(c)
	if err != nil {
		return nil, err
	}
	return []source.Table{{Schema: &record.Schema{Table: s.topic}, Topic: s.topic, Rows: -1}}, nil
}
