//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
)

var (
	classed    = regexp.MustCompile(`^([A-Z][A-Za-z -]+?) Error: `)
	candidates = regexp.MustCompile(`(?s)\n+Candidate bindings: (.*)`)
	column1    = regexp.MustCompile(`^Referenced column "(.+?)" (?:not found|was not found)`)
	table1     = regexp.MustCompile(`^Referenced table "(.+?)" not found`)
	member1    = regexp.MustCompile(`^(?:Values list|Table) ".+?" does not have a column named "(.+?)"`)
	quotedName = regexp.MustCompile(`"([^"]+)"`)
	called1    = regexp.MustCompile(`^No function matches the given name and argument types '(\w+)\(`)
	type1      = regexp.MustCompile(`^Type with name (\w+) does not exist`)
	castOf     = regexp.MustCompile(` when casting from source column c\d+$`) // which is Tarn's name for it
	dotted     = regexp.MustCompile(`^[^ ]*[Cc]olumn(?: with name| named)? "?([^" ]+)"? `)
)

// translate turns DuckDB's errors into faults in the terms of the statement. What its
// messages tell of the rewritten text is cut off, and a message that still holds a word of
// Tarn's own is not shown at all.
func (s *session) translate(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if of, ok := errors.AsType[*duck.UncarriedError](err); ok {
		return sqltext.Answerable(of.Type)
	}
	if duck.Huge(err) {
		return errHuge()
	}
	text := err.Error()
	m := classed.FindStringSubmatch(text)
	if m == nil {
		return err
	}
	class, message := m[1], text[len(m[0]):]
	if damage := s.damage(class, message); damage != nil {
		return damage
	}
	if i := strings.Index(message, "\nLINE "); i >= 0 {
		message = message[:i]
	}
	hint := ""
	if c := candidates.FindStringSubmatch(message); c != nil {
		message = strings.TrimSuffix(message, c[0])
		hint = s.nearestHint(message, c[1])
	}
	message, _, _ = strings.Cut(message, "\n")
	message, _, _ = strings.Cut(message, " Use \"SET ") // settings are not the asker's
	message = castOf.ReplaceAllString(message, "")
	if strings.HasPrefix(message, sqltext.DeepMessage) {
		return sqltext.ErrDeep()
	}
	f := s.classify(class, strings.TrimSpace(strings.TrimSuffix(message, "!")), hint)
	if f == nil {
		return err
	}
	if mentions(f.Message, s.secretWords()) || mentions(f.Hint, s.secretWords()) {
		return fault.Wrap(err, f.Code, "the statement cannot be run", "check its names and types")
	}
	s.place(f)
	return f
}

// damage finds the file of a scan that an error is about; nil for an error that is about none.
// Where DuckDB names no file, the one whose length is not what its table says.
func (s *session) damage(class, message string) error {
	if class == "Out of Memory" || class == "Conversion" {
		return nil
	}
	spoilt := func(path string, bytes int64) string {
		if strings.Contains(message, path) {
			return "it cannot be decoded: " + strings.ReplaceAll(message, path, "the file")
		}
		if class != "IO" && class != "Invalid" {
			return ""
		}
		if info, err := os.Stat(path); err != nil || bytes > 0 && info.Size() != bytes {
			return "it is missing or cut"
		}
		return ""
	}
	for _, scan := range s.scans {
		files := slices.Clone(scan.Files)
		for _, path := range scan.Deletes {
			files = append(files, catalog.File{Path: path})
		}
		for _, f := range files {
			if what := spoilt(f.Path, f.Bytes); what != "" && scan.Damaged != nil {
				return scan.Damaged(f.Path, what)
			}
		}
	}
	if class == "Invalid" && len(s.scans) > 0 { // its name for what a Parquet file cannot hold
		return fault.New(fault.Damaged, "a file of a table that the statement reads is damaged: "+message, "stop Tarn and say `tarn repair --deep`, which finds it")
	}
	return nil
}

func (s *session) classify(class, message, hint string) *fault.Error {
	switch class {
	case "Binder", "Catalog", "Parser", "Syntax", "Not implemented":
		code := fault.Invalid
		if column1.MatchString(message) || table1.MatchString(message) {
			code = fault.NotFound
		}
		if strings.Contains(message, "'epoch_us(") && hint == "" {
			hint = "TUMBLE and HOP take a column of the type TIMESTAMP or TIMESTAMPTZ"
		}
		if type1.MatchString(message) {
			hint = "such as BIGINT, DOUBLE, DECIMAL(18,2), VARCHAR, DATE, TIMESTAMP"
		}
		return fault.New(code, message, hint)
	case "Conversion", "Invalid Input", "Out of Range", "Mismatch Type", "Invalid type", "Divide by Zero", "Invalid Configuration":
		if len(s.policies) > 0 {
			// The value may be one of a row that the principal may not see: DuckDB is free to
			// look at a row before a filter drops it.
			message = "a value cannot be used so"
		}
		return fault.New(fault.Invalid, message, "TRY_CAST and TRY(…) give null where a value does not fit")
	case "Out of Memory":
		if strings.Contains(message, duck.NoSpill) { // the disk's free room is its bound
			return fault.New(fault.NoSpace, "the statement has no room on the disk for what does not fit the memory", "ask for fewer rows or columns, raise memory, or free some room")
		}
		return errMemory()
	}
	return nil
}

// lacksMemory tells that the Gate's DuckDB had no memory for a statement, which may find it when others have ended. Where the lake's had none, the
// error is a fault already.
func lacksMemory(err error) bool {
	_, told := errors.AsType[*fault.Error](err)
	return !told && duck.OutOfMemory(err) && !duck.Huge(err)
}

// errHuge is of what is not tried again: its statement would need as much alone.
func errHuge() *fault.Error {
	return fault.New(fault.TooLarge, "a value, or the values of some rows, need more memory than Tarn has left", "ask for shorter texts and lists, or raise memory")
}

func errMemory() *fault.Error {
	return fault.New(fault.TooLarge, "the statement needs more memory than it may have", "ask for fewer rows or columns, or raise memory")
}

// nearestHint picks the candidate that is most like the name in the message.
func (s *session) nearestHint(message, list string) string {
	want := quotedName.FindStringSubmatch(message)
	var names []string
	for _, m := range quotedName.FindAllStringSubmatch(list, -1) {
		if !mentions(m[1], []string{s.secret}) { // the places of rows that change are columns, too
			names = append(names, m[1])
		}
	}
	if want == nil || len(names) == 0 {
		return ""
	}
	for i, n := range names {
		if _, bare, ok := strings.Cut(n, "."); ok && !strings.Contains(want[1], ".") {
			names[i] = bare
		}
	}
	if near := sqltext.Nearest(want[1], names); near != "" {
		return "did you mean " + near + "?"
	}
	return "there is " + strings.Join(names, ", ")
}

// place finds the name that a message is about in the statement.
func (s *session) place(f *fault.Error) {
	var name string
	for _, pattern := range []*regexp.Regexp{column1, table1, member1, called1, type1, dotted} {
		if m := pattern.FindStringSubmatch(f.Message); m != nil {
			name = m[1]
			break
		}
	}
	name = name[strings.LastIndexByte(name, '.')+1:]
	tokens, err := sqltext.Lex(s.source)
	if name == "" || err != nil {
		return
	}
	for _, t := range tokens {
		if (t.Kind == sqltext.Word || t.Kind == sqltext.Quoted) && strings.EqualFold(t.Name(), name) {
			f.Line, f.Column = sqltext.Place(s.source, t.Offset)
			if t.Kind == sqltext.Quoted && column1.MatchString(f.Message) {
				f.Hint = strings.TrimPrefix(f.Hint+" Or is it a text? That is written '"+name+"'", " Or ")
			}
			return
		}
	}
}
