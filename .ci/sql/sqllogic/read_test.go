//go:build duckdb_arrow

package sqllogic_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The bounds of one file.
const (
	roundsMax  = 300    // of one loop
	recordsMax = 20_000 // once loops are written out
)

// record is one statement of a file.
type record struct {
	line  int
	sql   string
	fails bool // the file says that it does
}

// reader reads the dialect of DuckDB's sqllogictest files: https://duckdb.org/docs/dev/sqllogictest/intro. What a record answers
// is passed over, since DuckDB itself is asked beside; and so is what is about files, connections and extensions.
type reader struct {
	lines []string
	at    int
	vars  map[string]string
	skips int  // of mode skip
	left  bool // the next record is left out
	out   []record
	ended bool
}

func read(text string) ([]record, error) {
	r := &reader{lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), vars: map[string]string{}}
	err := r.block(len(r.lines))
	return r.out, err
}

// block reads lines up to end.
func (r *reader) block(end int) error {
	for r.at < end && !r.ended {
		line := r.at
		words := strings.Fields(r.lines[r.at])
		r.at++
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch words[0] {
		case "statement", "query":
			r.record(line, words)
		case "loop", "foreach", "concurrentloop", "concurrentforeach":
			if err := r.loop(words); err != nil {
				return fmt.Errorf("line %d: %w", line+1, err)
			}
		case "skipif", "onlyif":
			r.left = r.left || r.holds(words) == (words[0] == "skipif")
		case "mode":
			switch {
			case len(words) > 1 && words[1] == "skip":
				r.skips++
			case len(words) > 1 && words[1] == "unskip":
				r.skips--
			}
		case "halt":
			r.ended = true
		}
	}
	return nil
}

// holds tells whether a condition does: of a loop's variable, or of who runs the file.
func (r *reader) holds(words []string) bool {
	if len(words) < 2 {
		return false
	}
	name, value, ok := strings.Cut(words[1], "=")
	if !ok {
		return words[1] == "duckdb"
	}
	return r.vars[name] == value
}

// record reads a statement and passes over what it answers.
func (r *reader) record(line int, words []string) {
	var sql []string
	for r.at < len(r.lines) && strings.TrimSpace(r.lines[r.at]) != "" && r.lines[r.at] != "----" {
		if !strings.HasPrefix(r.lines[r.at], "#") {
			sql = append(sql, r.lines[r.at])
		}
		r.at++
	}
	for r.at < len(r.lines) && strings.TrimSpace(r.lines[r.at]) != "" {
		r.at++
	}
	left := r.left || r.skips > 0 || len(r.out) >= recordsMax
	r.left = false
	if left {
		return
	}
	text := strings.Join(sql, "\n")
	for name, value := range r.vars {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	r.out = append(r.out, record{line: line + 1, sql: text, fails: words[0] == "statement" && len(words) > 1 && words[1] != "ok"})
}

// loop writes one out.
func (r *reader) loop(words []string) error {
	begin, end := r.at, r.end()
	if end < 0 || len(words) < 3 {
		return fmt.Errorf("%s is not closed, or not whole", words[0])
	}
	var values []string
	switch {
	case strings.HasPrefix(words[0], "concurrent"):
	case words[0] == "loop":
		from, err := strconv.Atoi(words[2])
		to, toErr := strconv.Atoi(words[len(words)-1])
		if err != nil || toErr != nil {
			break // the bounds are another loop's
		}
		for i := from; i < min(to, from+roundsMax); i++ {
			values = append(values, strconv.Itoa(i))
		}
	default:
		values = members(words[2:])
	}
	names := strings.Split(words[1], ",")
	for _, value := range values {
		parts := []string{value}
		if len(names) > 1 {
			parts = strings.Split(value, ",")
		}
		for i, name := range names {
			r.vars[name] = parts[min(i, len(parts)-1)]
		}
		r.at = begin
		if err := r.block(end); err != nil {
			return err
		}
	}
	for _, name := range names {
		delete(r.vars, name)
	}
	r.at = end + 1
	return nil
}

// end is the line that ends the loop, -1 for none.
func (r *reader) end() int {
	for i, deep := r.at, 1; i < len(r.lines); i++ {
		switch words := strings.Fields(r.lines[i]); {
		case len(words) == 0:
		case slices.Contains([]string{"loop", "foreach", "concurrentloop", "concurrentforeach"}, words[0]):
			deep++
		case words[0] == "endloop":
			if deep--; deep == 0 {
				return i
			}
		}
	}
	return -1
}

// families are the lists of types that a foreach may name.
var families = map[string][]string{
	"<signed>":   {"tinyint", "smallint", "integer", "bigint", "hugeint"},
	"<unsigned>": {"utinyint", "usmallint", "uinteger", "ubigint"},
	"<integral>": {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint"},
	"<numeric>":  {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "float", "double"},
	"<alltypes>": {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "float", "double", "bool", "interval", "varchar"},
}

// members are what a foreach goes over: !x takes x out again.
func members(words []string) (out []string) {
	for _, w := range words {
		family, ok := families[strings.ToLower(w)]
		gone, not := strings.CutPrefix(w, "!")
		switch {
		case ok:
			out = append(out, family...)
		case not:
			out = slices.DeleteFunc(out, func(m string) bool { return m == gone })
		default:
			out = append(out, w)
		}
	}
	return out
}
