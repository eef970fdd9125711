package sqlite

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tarn/ingest/source"
)

// The values of snapshot.mode.
const (
	modeInitial = "initial"
	modeAlways  = "always"
	modeNeeded  = "when_needed"
	modeNoData  = "no_data"
)

// The bounds of poll.interval.ms.
const (
	pollMillisMin = 1
	pollMillisMax = 60_000
)

// settings is a configuration that was understood.
type settings struct {
	path             string
	database         string // the file's name, as the envelope shows it
	prefix           string
	include, exclude []*regexp.Regexp
	includeText      []string
	mode             string
	poll             time.Duration
}

func readSettings(c source.Config) (settings, error) {
	s := settings{path: c.Path(keyPath), prefix: c.Keys[keyPrefix], mode: c.Get(keySnapshot, modeInitial)}
	invalid := func(key, hint, format string, args ...any) error {
		return source.NewMisset(c, key, hint, format, args...)
	}
	if s.path == "" {
		return s, invalid(keyPath, "write the path of the SQLite file into it", "is missing")
	}
	s.database = filepath.Base(s.path)
	if s.prefix == "" || sanitize(s.prefix) != s.prefix {
		return s, invalid(keyPrefix, "use letters, digits, '.', '_' and '-'", "is %q", s.prefix)
	}
	switch s.mode {
	case modeInitial, modeAlways, modeNeeded, modeNoData:
	case "never":
		s.mode = modeNoData // Debezium's older word
	default:
		return s, invalid(keySnapshot, "use initial, always, when_needed or no_data", "is %q", s.mode)
	}
	millis, err := strconv.Atoi(c.Get(keyPoll, "50"))
	if err != nil || millis < pollMillisMin || millis > pollMillisMax {
		return s, invalid(keyPoll, fmt.Sprintf("use a number from %d to %d", pollMillisMin, pollMillisMax), "is %q", c.Keys[keyPoll])
	}
	s.poll = time.Duration(millis) * time.Millisecond
	if s.include, s.includeText, err = patterns(c.Keys[keyInclude]); err != nil {
		return s, invalid(keyInclude, "write anchored regular expressions, separated by commas", "does not parse: %v", err)
	}
	if s.exclude, _, err = patterns(c.Keys[keyExclude]); err != nil {
		return s, invalid(keyExclude, "write anchored regular expressions, separated by commas", "does not parse: %v", err)
	}
	return s, nil
}

// patterns reads a list of regular expressions, each anchored and blind to case, as
// SQLite's names are.
func patterns(list string) (out []*regexp.Regexp, texts []string, err error) {
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		re, err := regexp.Compile(`(?i)^(?:` + text + `)$`)
		if err != nil {
			return nil, nil, err
		}
		out, texts = append(out, re), append(texts, text)
	}
	return out, texts, nil
}

// ownPrefix begins the name of everything that Tarn keeps in a user's database.
const ownPrefix = "_tarn_"

// captures tells whether the configuration wants a table.
func (s *settings) captures(table string) bool {
	lower := strings.ToLower(table)
	if strings.HasPrefix(lower, ownPrefix) || strings.HasPrefix(lower, "sqlite_") {
		return false
	}
	return (len(s.include) == 0 || matches(s.include, table)) && !matches(s.exclude, table)
}

func matches(list []*regexp.Regexp, table string) bool {
	for _, re := range list {
		if re.MatchString(table) || re.MatchString("main."+table) {
			return true
		}
	}
	return false
}

func (s *settings) topic(table string) string { return s.prefix + ".main." + sanitize(table) }

// sanitize replaces what a topic's name must not hold, as Debezium does.
func sanitize(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, name)
}

// quote renders a name for SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal renders a text for SQL.
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
