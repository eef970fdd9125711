//go:build duckdb_arrow

package catalog

import (
	"strings"

	"tarn/embedded/sqltext"
)

// speller writes forms over that DuckDB's parser does not take.
type speller struct {
	out    []byte
	tokens []sqltext.Token
}

func (s speller) is(i int, words ...string) bool {
	for n, w := range words {
		if i < 0 || i+n >= len(s.tokens) || !s.tokens[i+n].Is(w) {
			return false
		}
	}
	return true
}

// joined tells whether symbols stand side by side.
func (s speller) joined(i int, symbols string) bool {
	for n := range len(symbols) {
		if !s.is(i+n, symbols[n:n+1]) || n > 0 && s.tokens[i+n].Offset != s.tokens[i].Offset+n {
			return false
		}
	}
	return true
}

// over writes a text over tokens, of which it is no longer than they are, and blanks over the rest of them.
func (s speller) over(from, to int, said string) {
	start, end := s.tokens[from].Offset, s.tokens[to].Offset+len(s.tokens[to].Text)
	if end-start < len(said) {
		return
	}
	for at := start; at < end; at++ {
		s.out[at] = ' '
	}
	copy(s.out[start:], said)
}

// form writes what begins at a token over, and tells whether it did.
func (s speller) form(i int) bool {
	return s.operator(i) || s.quantified(i) || s.locking(i) || s.sample(i)
}

// operators are those of json, the long ones first.
var operators = [][2]string{
	{"#>>", pathTextSpelled}, {"#>", pathSpelled}, {"#-", removeSpelled}, {"?|", hasAnySpelled}, {"?&", hasAllSpelled}, {"?", hasSpelled}, {"->>", getTextSpelled},
}

func (s speller) operator(i int) bool {
	if t := s.tokens[i]; t.Kind != sqltext.Symbol || i > 0 && s.tokens[i-1].Kind == sqltext.Symbol && s.tokens[i-1].Offset == t.Offset-1 && !s.is(i-1, ")") && !s.is(i-1, "]") {
		return false
	}
	for _, of := range operators {
		if s.joined(i, of[0]) {
			s.over(i, i+len(of[0])-1, of[1])
			return true
		}
	}
	// -> stands in lambdas, too, and is no json's where a name follows.
	if at := i + 2; s.joined(i, "->") && at < len(s.tokens) && (s.tokens[at].Kind == sqltext.String || s.tokens[at].Kind == sqltext.Number || s.is(at, "$") || s.is(at, "-")) {
		s.over(i, i+1, getSpelled)
		return true
	}
	return false
}

// quantified is LIKE ANY (list) and its like, and SIMILAR TO.
func (s speller) quantified(i int) bool {
	for words, of := range quantified {
		operator := []string{words}
		switch {
		case strings.HasPrefix(words, "not"):
			operator = []string{"not", strings.TrimPrefix(words, "not")}
		case strings.ContainsAny(words, "~"):
			operator = strings.Split(words, "")
			if !s.joined(i, words) || i > 0 && (s.is(i-1, "!") || s.is(i-1, "~")) {
				continue
			}
		}
		if !s.is(i, operator...) || s.is(i-1, "not") {
			continue
		}
		at := i + len(operator)
		if at+2 >= len(s.tokens) || !s.is(at+1, "(") || s.is(at+2, "select") || s.is(at+2, "with") || s.is(at+2, "values") || s.is(at+2, "table") {
			continue
		}
		switch {
		case s.is(at, "any"), s.is(at, "some"):
			s.over(i, at, of+"@")
			return true
		case s.is(at, "all"):
			s.over(i, at, of+"&")
			return true
		}
	}
	switch {
	case s.is(i, "not", "similar", "to"):
		s.over(i, i+2, "!"+similarSpelled)
	case s.is(i, "similar", "to") && !s.is(i-1, "not"):
		s.over(i, i+1, similarSpelled)
	default:
		return false
	}
	return true
}

// locking is FOR UPDATE and its like, which lock nothing: no row of the lake is changed in its place.
func (s speller) locking(i int) bool {
	at := i
	switch {
	case s.is(i, "for", "update"), s.is(i, "for", "share"):
		at += 2
	case s.is(i, "for", "key", "share"):
		at += 3
	case s.is(i, "for", "no", "key", "update"):
		at += 4
	default:
		return false
	}
	if s.is(at, "of") {
		for at++; at < len(s.tokens) && (s.tokens[at].Kind == sqltext.Quoted || s.tokens[at].Kind == sqltext.Word && !s.is(at, "nowait") && !s.is(at, "skip") && !s.is(at, "for") || s.is(at, ",") || s.is(at, ".")); at++ {
		}
	}
	switch {
	case s.is(at, "nowait"):
		at++
	case s.is(at, "skip", "locked"):
		at += 2
	}
	s.over(i, at-1, "")
	return true
}

// sample is TABLESAMPLE SYSTEM (10), of which DuckDB wants to be told that it is a percentage.
func (s speller) sample(i int) bool {
	if (!s.is(i-1, "tablesample") || !s.is(i, "system", "(") && !s.is(i, "bernoulli", "(")) || i+3 >= len(s.tokens) || s.tokens[i+2].Kind != sqltext.Number || !s.is(i+3, ")") {
		return false
	}
	s.over(i, i+3, s.tokens[i].Text+"("+s.tokens[i+2].Text+"%)")
	return true
}
