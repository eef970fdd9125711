// Package sqltext is all that Tarn knows of SQL's text: it splits statements, tells
// their verbs, and rewrites a SELECT through DuckDB's own parser by a walk that knows every
// node it lets pass. What the walk does not know is refused, so a new DuckDB can only
// ever allow less. It runs no statement and knows no table: those who call it resolve names.
package sqltext

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"tarn/embedded/fault"
)

// The bounds of a statement.
const (
	TextBytesMax = 1 << 20
	depthMax     = 4000 // of the JSON tree that DuckDB's parser answers
	tablesMax    = 256  // table references of one statement
)

// Statement is one statement of a text. Offset is where it begins, in bytes.
type Statement struct {
	Text   string
	Offset int
}

// Split cuts a text at its semicolons and leaves out what is empty or comment alone.
// Strings, quoted names, dollar quotes and comments may hold semicolons.
func Split(text string) ([]Statement, error) {
	tokens, err := Lex(text)
	if err != nil {
		return nil, err
	}
	var out []Statement
	begin, end := -1, 0
	for _, t := range tokens {
		if t.Kind == Symbol && t.Text == ";" {
			if begin >= 0 {
				out = append(out, Statement{text[begin:end], begin})
			}
			begin = -1
			continue
		}
		if begin < 0 {
			begin = t.Offset
		}
		end = t.Offset + len(t.Text)
	}
	if begin >= 0 {
		out = append(out, Statement{text[begin:end], begin})
	}
	return out, nil
}

// One returns the one statement of a text, without its semicolon.
func One(text string) (Statement, error) {
	if len(text) > TextBytesMax {
		return Statement{}, fault.Newf(fault.TooLarge, "send it in parts", "the statement has more than %d bytes", TextBytesMax)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return Statement{}, fault.New(fault.Syntax, "the statement is not UTF-8 text", "send it as UTF-8, without NUL")
	}
	all, err := Split(text)
	switch {
	case err != nil:
		return Statement{}, err
	case len(all) == 0:
		return Statement{}, fault.New(fault.Syntax, "there is no statement", "write one, such as SHOW TABLES")
	case len(all) > 1:
		return Statement{}, At(fault.New(fault.Syntax, "there is more than one statement", "send them one by one"), text, all[1].Offset)
	}
	return all[0], nil
}

// Verbs returns up to n leading words of a statement, upper case, comments left out. It
// stops at what is no bare word.
func Verbs(text string, n int) []string {
	var out []string
	lex := lexer{text: text}
	for len(out) < n {
		t, err := lex.next()
		if err != nil || t.Kind != Word {
			break
		}
		out = append(out, strings.ToUpper(t.Text))
	}
	return out
}

// Place turns an offset in bytes into line and column, both from 1; columns count runes.
func Place(text string, offset int) (line, column int) {
	offset = max(0, min(offset, len(text)))
	before := text[:offset]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// At puts the place of an offset on a fault and returns it.
func At(f *fault.Error, text string, offset int) *fault.Error {
	f.Line, f.Column = Place(text, offset)
	return f
}

// Shifted turns the place that a fault has in a part of a text into the one in the text; the part begins
// at an offset. Other errors stay as they are.
func Shifted(err error, text string, offset int) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Line == 0 {
		return err
	}
	told := *f
	line, column := Place(text, offset)
	if told.Line == 1 {
		told.Column += column - 1
	}
	told.Line += line - 1
	return &told
}

// Nearest returns the name of names that is most like want in any case of letters, or ""
// when none is like it.
func Nearest(want string, names []string) string {
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	want = strings.ToLower(want)
	near := fault.Nearest(want, lower, max(2, len(want)/3)+1)
	if i := slices.Index(lower, near); near != "" && i >= 0 {
		return names[i]
	}
	return ""
}
