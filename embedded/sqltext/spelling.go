package sqltext

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// Other engines spell some things in a way that DuckDB's parser does not take: `names` in
// backquotes, and TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), …)). They are written over in place,
// byte for byte, so that every place in the new text is one in the old.

// windowNames are the table functions that other engines wrap into TABLE(…).
var windowNames = []string{"TUMBLE", "HOP", "CUMULATE", "SESSION"}

func isWindowName(t Token) bool {
	return t.Kind == Word && slices.Contains(windowNames, strings.ToUpper(t.Text))
}

// spelled is the text as DuckDB's parser takes it, of the same length.
func spelled(text string, tokens []Token) (string, error) {
	s := speller{out: []byte(text), tokens: tokens}
	for i, t := range tokens {
		switch {
		case t.Kind == Quoted && t.Text[0] == '`':
			if strings.Contains(t.Text, `"`) || strings.Contains(t.Text[1:len(t.Text)-1], "`") {
				return "", At(fault.New(fault.Syntax, "a name in backquotes cannot hold a quote", `write it in double quotes, such as "a name"`), text, t.Offset)
			}
			s.out[t.Offset], s.out[t.Offset+len(t.Text)-1] = '"', '"'
		case t.Is("TABLE") && s.is(i+1, "(") && i+2 < len(tokens) && isWindowName(tokens[i+2]) && s.is(i+3, "("):
			if end := s.closing(i + 1); end > 0 {
				s.blank(i, i+1, end)
			}
		case isWindowName(t) && s.is(i+1, "("):
			s.arguments(i + 1)
		}
	}
	return string(s.out), nil
}

type speller struct {
	out    []byte
	tokens []Token
}

func (s *speller) is(i int, word string) bool {
	return i >= 0 && i < len(s.tokens) && s.tokens[i].Is(word)
}

func (s *speller) blank(all ...int) {
	for _, i := range all {
		t := s.tokens[i]
		for at := range len(t.Text) {
			s.out[t.Offset+at] = ' '
		}
	}
}

// closing returns the token that closes the parenthesis at i, 0 for none.
func (s *speller) closing(i int) int {
	for depth := 0; i < len(s.tokens); i++ {
		switch {
		case s.is(i, "("):
			depth++
		case s.is(i, ")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// arguments takes TABLE and DESCRIPTOR off those of a window table function; i is its
// parenthesis.
func (s *speller) arguments(open int) {
	for depth, i := 0, open; i < len(s.tokens); i++ {
		named := func(at int) bool {
			return at < len(s.tokens) && (s.tokens[at].Kind == Word || s.tokens[at].Kind == Quoted)
		}
		first := s.is(i-1, "(") || s.is(i-1, ",") || s.is(i-1, ">")
		switch {
		case s.is(i, "("):
			depth++
		case s.is(i, ")"):
			if depth--; depth == 0 {
				return
			}
		case depth == 1 && first && s.is(i, "TABLE") && named(i+1):
			s.blank(i)
		case depth == 1 && first && s.is(i, "DESCRIPTOR") && s.is(i+1, "(") && named(i+2) && s.is(i+3, ")"):
			s.blank(i, i+1, i+3)
		}
	}
}
