package sqltext

import (
	"strings"

	"tarn/embedded/fault"
)

// Reader reads a command word by word.
type Reader struct {
	text   string
	tokens []Token
	at     int

	temporary bool // the columns are of a temporary table, which DuckDB holds
	length    int  // of the type that was read last, varchar(n); 0 for any
}

// NewReader reads a statement; a trailing semicolon counts as its end.
func NewReader(text string) (*Reader, error) {
	tokens, err := Lex(text)
	if n := len(tokens); n > 0 && tokens[n-1].Is(";") {
		tokens = tokens[:n-1]
	}
	return &Reader{text: text, tokens: tokens}, err
}

// Peek is the next token.
func (r *Reader) Peek() Token {
	if r.at < len(r.tokens) {
		return r.tokens[r.at]
	}
	return Token{Kind: End, Offset: len(r.text)}
}

// Next is the next token, which it passes.
func (r *Reader) Next() Token {
	t := r.Peek()
	if t.Kind != End {
		r.at++
	}
	return t
}

// Take passes these words, or none of them where they do not all follow.
func (r *Reader) Take(words ...string) bool {
	for i, w := range words {
		if r.at+i >= len(r.tokens) || !r.tokens[r.at+i].Is(w) {
			return false
		}
	}
	r.at += len(words)
	return true
}

// Name reads a name of one to three parts.
func (r *Reader) Name() ([]string, error) { return r.parts(3) }

// Column reads the name of a column behind that of its table.
func (r *Reader) Column() (Table, string, error) {
	t := Table{Offset: r.Offset()}
	parts, err := r.parts(4)
	if err == nil && len(parts) == 1 {
		err = r.Fault(". and a column of the table")
	}
	if err != nil {
		return t, "", err
	}
	last := len(parts) - 1
	t.named(parts[:last])
	return t, parts[last], nil
}

func (r *Reader) parts(most int) ([]string, error) {
	var parts []string
	for {
		t := r.Peek()
		if t.Kind != Word && t.Kind != Quoted {
			return nil, r.Fault("a name")
		}
		r.at++
		if parts = append(parts, t.Name()); len(parts) == most || !r.Take(".") {
			return parts, nil
		}
	}
}

// Table reads the name of a table.
func (r *Reader) Table() (Table, error) {
	t := Table{Offset: r.Offset()}
	parts, err := r.Name()
	if err != nil {
		return t, err
	}
	t.named(parts)
	return t, nil
}

func (t *Table) named(parts []string) {
	for i, into := range []*string{&t.Name, &t.Schema, &t.Catalog}[:len(parts)] {
		*into = parts[len(parts)-1-i]
	}
}

// Offset is where the next token begins.
func (r *Reader) Offset() int { return r.Peek().Offset }

// At puts a fault at a place of the statement.
func (r *Reader) At(f *fault.Error, offset int) error { return At(f, r.text, offset) }

// Rest is all that follows, as it was written.
func (r *Reader) Rest() string {
	if r.at >= len(r.tokens) {
		return ""
	}
	last := r.tokens[len(r.tokens)-1]
	return r.text[r.tokens[r.at].Offset : last.Offset+len(last.Text)]
}

// Done refuses what follows.
func (r *Reader) Done() error {
	if r.Peek().Kind == End {
		return nil
	}
	return r.wrong("leave it out", "the statement does not go on with %s", r.Peek().Text)
}

// wrong refuses the next token.
func (r *Reader) wrong(hint, format string, args ...any) error {
	f := fault.Newf(fault.Syntax, hint, format, args...)
	f.Message = strings.ToValidUTF8(f.Message, "?")
	return At(f, r.text, r.Offset())
}

// Fault says what should have followed.
func (r *Reader) Fault(want string) error {
	t := r.Peek()
	found := "the end"
	if t.Kind != End {
		found = strings.ToValidUTF8(t.Text, "?")
	}
	return At(fault.Newf(fault.Syntax, "write "+want, "%s follows where %s should", found, want), r.text, t.Offset)
}
