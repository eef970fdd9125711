package sqltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"tarn/embedded/fault"
)

// Kind of a token.
type Kind uint8

// The kinds of tokens. Comments and blanks are none.
const (
	End    Kind = iota
	Word        // a bare name or keyword
	Quoted      // "a name", `a name`
	String      // 'text', E'text', $$text$$
	Number
	Symbol // one character of any other kind
)

// Token is a piece of a statement as it is written.
type Token struct {
	Kind   Kind
	Text   string
	Offset int // in bytes
}

// Name is the identifier that a Word or Quoted token means: quotes undone, case kept.
func (t Token) Name() string {
	if t.Kind == Quoted {
		quote := t.Text[:1]
		return strings.ReplaceAll(t.Text[1:len(t.Text)-1], quote+quote, quote)
	}
	return t.Text
}

// Value is the text that a String token means. E'…' with an escape that there is not stays as it is written.
func (t Token) Value() string {
	if t.Kind != String || len(t.Text) < 2 {
		return t.Text
	}
	if t.Text[0] == '$' {
		tag := len(dollarTag(t.Text))
		return t.Text[tag : len(t.Text)-tag]
	}
	if t.Text[0] != '\'' {
		text, err := unescaped(t.Text[2 : len(t.Text)-1])
		if err != nil {
			return t.Text
		}
		return text
	}
	return strings.ReplaceAll(t.Text[1:len(t.Text)-1], "''", "'")
}

// Is tells whether the token is this bare word, in any case, or this symbol.
func (t Token) Is(word string) bool {
	return (t.Kind == Word || t.Kind == Symbol) && strings.EqualFold(t.Text, word)
}

// Lex cuts a text into tokens. An open string, name or comment is a fault with its place.
func Lex(text string) ([]Token, error) {
	lex := lexer{text: text}
	var out []Token
	for {
		t, err := lex.next()
		if err != nil {
			return nil, err
		}
		if t.Kind == End {
			return out, nil
		}
		out = append(out, t)
	}
}

type lexer struct {
	text string
	at   int
}

func (l *lexer) next() (Token, error) {
	if err := l.blanks(); err != nil {
		return Token{}, err
	}
	if l.at >= len(l.text) {
		return Token{Kind: End, Offset: l.at}, nil
	}
	start := l.at
	kind, err := l.token()
	return Token{kind, l.text[start:l.at], start}, err
}

func (l *lexer) token() (Kind, error) {
	rest := l.text[l.at:]
	switch c := rest[0]; {
	case c == '\'':
		return String, l.quoted('\'', false)
	case c == '"':
		return Quoted, l.quoted('"', false)
	case c == '`':
		return Quoted, l.quoted('`', false)
	case (c == 'e' || c == 'E') && strings.HasPrefix(rest[1:], "'"):
		l.at++
		return String, l.quoted('\'', true)
	case c == '$' && dollarTag(rest) != "":
		return String, l.dollar(dollarTag(rest))
	case c >= '0' && c <= '9', c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		l.while(func(r rune) bool { return r == '.' || inWord(r) })
		return Number, nil
	}
	if r, size := utf8.DecodeRuneInString(rest); !beginsWord(r) {
		l.at += size
		return Symbol, nil
	}
	l.while(inWord)
	return Word, nil
}

func beginsWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || r > 0x7f && !unicode.IsSpace(r)
}

func inWord(r rune) bool { return beginsWord(r) || r == '$' || unicode.IsDigit(r) }

func (l *lexer) while(ok func(rune) bool) {
	for l.at < len(l.text) {
		r, size := utf8.DecodeRuneInString(l.text[l.at:])
		if !ok(r) {
			return
		}
		l.at += size
	}
}

// blanks skips blanks and comments; /* */ nests.
func (l *lexer) blanks() error {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r) || r == '\ufeff':
			l.at += size
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.at += n
		case strings.HasPrefix(rest, "/*"):
			if err := l.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) comment() error {
	start, depth := l.at, 0
	for l.at < len(l.text) {
		switch rest := l.text[l.at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.at += 2
			if depth == 0 {
				return nil
			}
		default:
			l.at++
		}
	}
	return l.open(start, "comment", "*/")
}

func (l *lexer) quoted(quote byte, escapes bool) error {
	start := l.at
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case escapes && c == '\\':
			l.at++
		case c == quote && strings.HasPrefix(l.text[l.at+1:], string(quote)):
			l.at++
		case c == quote:
			l.at++
			return nil
		}
	}
	l.at = len(l.text)
	return l.open(start, "string or name", string(quote))
}

// dollarTag returns the opening of a dollar quote, "$$" or "$tag$", or "".
func dollarTag(rest string) string {
	end := strings.IndexByte(rest[1:], '$')
	if end < 0 {
		return ""
	}
	for i, r := range rest[1 : 1+end] {
		if !beginsWord(r) && (i == 0 || !unicode.IsDigit(r)) {
			return ""
		}
	}
	return rest[:end+2]
}

func (l *lexer) dollar(tag string) error {
	start := l.at
	n := strings.Index(l.text[start+len(tag):], tag)
	if n < 0 {
		l.at = len(l.text)
		return l.open(start, "string", tag)
	}
	l.at = start + len(tag) + n + len(tag)
	return nil
}

func (l *lexer) open(start int, what, closing string) error {
	return At(fault.Newf(fault.Syntax, "close it with "+closing, "a %s is not closed", what), l.text, start)
}
