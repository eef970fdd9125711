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
	var open []parenthesis
	for i, t := range tokens {
		switch {
		case t.Kind == Quoted && t.Text[0] == '`':
			if strings.Contains(t.Text, `"`) || strings.Contains(t.Text[1:len(t.Text)-1], "`") {
				return "", At(fault.New(fault.Syntax, "a name in backquotes cannot hold a quote", `write it in double quotes, such as "a name"`), text, t.Offset)
			}
			s.out[t.Offset], s.out[t.Offset+len(t.Text)-1] = '"', '"'
		case t.Is("("):
			around := s.is(i-1, "TABLE") && i+1 < len(tokens) && isWindowName(tokens[i+1]) && s.is(i+2, "(")
			open = append(open, parenthesis{at: i, around: around, call: i > 0 && isWindowName(tokens[i-1])})
		case t.Is(")") && len(open) > 0:
			if last := open[len(open)-1]; last.around {
				s.blank(last.at-1, last.at, i)
			}
			open = open[:len(open)-1]
		case len(open) > 0 && open[len(open)-1].call:
			s.argument(i)
		}
	}
	return string(s.out), nil
}

// parenthesis is one that is open: of TABLE(TUMBLE(…)), or of the arguments of TUMBLE.
type parenthesis struct {
	at           int
	around, call bool
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

// argument takes TABLE and DESCRIPTOR off one of a window table function that begins at a token.
func (s *speller) argument(i int) {
	named := func(at int) bool {
		return at < len(s.tokens) && (s.tokens[at].Kind == Word || s.tokens[at].Kind == Quoted)
	}
	switch {
	case !s.is(i-1, "(") && !s.is(i-1, ",") && !s.is(i-1, ">"):
	case s.is(i, "TABLE") && named(i+1):
		s.blank(i)
	case s.is(i, "DESCRIPTOR") && s.is(i+1, "(") && named(i+2) && s.is(i+3, ")"):
		s.blank(i, i+1, i+3)
	}
}
