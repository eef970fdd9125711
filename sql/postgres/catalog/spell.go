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
	open   []bool // of the parentheses that are open: whether a query stands in it
}

func (s *speller) is(i int, words ...string) bool {
	for n, w := range words {
		if i < 0 || i+n >= len(s.tokens) || !s.tokens[i+n].Is(w) {
			return false
		}
	}
	return true
}

// joined tells whether symbols stand side by side.
func (s *speller) joined(i int, symbols string) bool {
	for n := range len(symbols) {
		if !s.is(i+n, symbols[n:n+1]) || n > 0 && s.tokens[i+n].Offset != s.tokens[i].Offset+n {
			return false
		}
	}
	return true
}

// over writes a text over tokens, of which it is no longer than they are, and blanks over the rest of them.
func (s *speller) over(from, to int, said string) {
	start, end := s.tokens[from].Offset, s.tokens[to].Offset+len(s.tokens[to].Text)
	if end-start < len(said) {
		return
	}
	for at := start; at < end; at++ {
		s.out[at] = ' '
	}
	copy(s.out[start:], said)
}

// form writes what begins at a token over, and tells whether it did. It is called for each token in order.
func (s *speller) form(i int) bool {
	switch {
	case s.is(i, "("):
		s.open = append(s.open, s.is(i+1, "select") || s.is(i+1, "with") || s.is(i+1, "values") || s.is(i+1, "table") || s.is(i+1, "from") || s.is(i+1, "("))
	case s.is(i, ")") && len(s.open) > 0:
		s.open = s.open[:len(s.open)-1]
	}
	return s.operator(i) || s.quantified(i) || s.locking(i) || s.sample(i) || s.symmetric(i) || s.ties(i) || s.object(i)
}

// symmetricSpelled is written for SYMMETRIC behind BETWEEN, tiesSpelled around the number of FETCH FIRST n ROWS WITH TIES.
const symmetricSpelled, tiesSpelled = "~%", "tarn_ties"

func (s *speller) symmetric(i int) bool {
	if !s.is(i-1, "between", "symmetric") {
		return false
	}
	s.over(i, i, symmetricSpelled)
	return true
}

// ties is FETCH FIRST n ROWS WITH TIES of a number that is written out.
func (s *speller) ties(i int) bool {
	if !s.is(i, "fetch", "first") && !s.is(i, "fetch", "next") {
		return false
	}
	number, at := "1", i+2
	if at < len(s.tokens) && s.tokens[at].Kind == sqltext.Number {
		number, at = s.tokens[at].Text, at+1
	}
	if !s.is(at, "row", "with", "ties") && !s.is(at, "rows", "with", "ties") {
		return false
	}
	s.over(i, at+2, "limit "+tiesSpelled+"("+number+")")
	return true
}

// object is JSON_OBJECT(key VALUE value, …) and (key: value, …), which answer what json_object(key, value, …) does.
func (s *speller) object(i int) bool {
	if !s.is(i, "json_object", "(") {
		return false
	}
	depth, begin, parted := 0, i+2, false
	for at := i + 1; at < len(s.tokens); at++ {
		switch {
		case s.is(at, "(") || s.is(at, "["):
			depth++
		case s.is(at, ")") || s.is(at, "]"):
			if depth--; depth == 0 {
				return false // the name itself is written small by another
			}
		case depth != 1:
		case s.is(at, ","):
			begin, parted = at+1, false
		case at > begin && !parted && s.is(at, "value"), at > begin && !parted && s.is(at, ":") && !s.joined(at, "::") && !s.joined(at-1, "::"):
			s.over(at, at, ",")
			parted = true
		case at == begin && s.is(at, "key") && at+1 < len(s.tokens) && (s.tokens[at+1].Kind == sqltext.String || s.tokens[at+1].Kind == sqltext.Word && !s.is(at+1, "value")):
			s.over(at, at, "")
			begin = at + 1
		case parted && s.is(at, "null", "on", "null"):
			s.over(at, at+2, "")
		case parted && (s.is(at, "returning", "json") || s.is(at, "returning", "jsonb")):
			s.over(at, at+1, "")
		}
	}
	return false
}

// operators are those of json, the long ones first.
var operators = [][2]string{
	{"#>>", pathTextSpelled}, {"#>", pathSpelled}, {"#-", removeSpelled}, {"?|", hasAnySpelled}, {"?&", hasAllSpelled}, {"?", hasSpelled}, {"->>", getTextSpelled},
}

func (s *speller) operator(i int) bool {
	if t := s.tokens[i]; t.Kind != sqltext.Symbol || !strings.Contains("#?-", t.Text) || i > 0 && s.tokens[i-1].Kind == sqltext.Symbol && s.tokens[i-1].Offset == t.Offset-1 && !s.is(i-1, ")") && !s.is(i-1, "]") {
		return false
	}
	for _, of := range operators {
		if s.joined(i, of[0]) {
			s.over(i, i+len(of[0])-1, of[1])
			return true
		}
	}
	// -> stands in lambdas, too, and is no json's where a name follows.
	if s.joined(i, "->") && s.literal(i+2) {
		s.over(i, i+1, getSpelled)
		return true
	}
	return false
}

// literal tells whether a text, a number or the value of a parameter begins at a token, which is a text that is cast.
func (s *speller) literal(i int) bool {
	is := func(i int, kind sqltext.Kind) bool { return i < len(s.tokens) && s.tokens[i].Kind == kind }
	return is(i, sqltext.String) || is(i, sqltext.Number) || s.is(i, "$") || s.is(i, "-") && is(i+1, sqltext.Number) || s.is(i, "cast", "(") && (is(i+2, sqltext.String) || s.is(i+2, "null"))
}

// quantified is LIKE ANY (list) and its like, and SIMILAR TO.
func (s *speller) quantified(i int) bool {
	switch t := s.tokens[i]; {
	case t.Is("like"), t.Is("ilike"), t.Is("not"), t.Is("similar"), t.Is("~"), t.Is("!"):
	default:
		return false
	}
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
func (s *speller) locking(i int) bool {
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
	if n := len(s.open); n > 0 && !s.open[n-1] {
		return false // substring(x FROM 1 FOR share) has a column of that name
	}
	if s.is(at, "of") {
		for at += 2; s.is(at, ",") || s.is(at, "."); at += 2 {
		}
		at = min(at, len(s.tokens))
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
func (s *speller) sample(i int) bool {
	if (!s.is(i-1, "tablesample") || !s.is(i, "system", "(") && !s.is(i, "bernoulli", "(")) || i+3 >= len(s.tokens) || s.tokens[i+2].Kind != sqltext.Number || !s.is(i+3, ")") {
		return false
	}
	s.longer(i, i+3, s.tokens[i].Text+"("+s.tokens[i+2].Text+"%)")
	return true
}

// longer is over of a text that may be one byte longer: the symbols behind it go on by one, into a blank.
func (s *speller) longer(from, to int, said string) {
	start, end := s.tokens[from].Offset, s.tokens[to].Offset+len(s.tokens[to].Text)
	if end-start+1 != len(said) {
		s.over(from, to, said)
		return
	}
	stop := end
	for _, t := range s.tokens[to+1:] {
		if t.Offset != stop || !t.Is(")") && !t.Is(",") && !t.Is(";") {
			break
		}
		stop++
	}
	if stop < len(s.out) && strings.IndexByte(" \n\t\r", s.out[stop]) >= 0 {
		copy(s.out[end+1:stop+1], s.out[end:stop])
		copy(s.out[start:], said)
	}
}
