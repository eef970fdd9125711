package sqltext

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// PivotValuesMax bounds the columns that one PIVOT makes of the values it finds.
const PivotValuesMax = 1000

// PivotFindsMax bounds the expressions of one statement whose values are found: each takes a query, and the reading of the whole statement.
const PivotFindsMax = 100

// pivotsMax bounds the PIVOTs of one statement: to look for the end of each takes the length of the statement.
const pivotsMax = 100

// Values is the place in a statement where the values of one expression of a PIVOT have to be written, for the
// parser takes no PIVOT that leaves them to what is in the table: PIVOT t ON e … becomes PIVOT t ON e IN ('a', 'b') ….
type Values struct {
	At    int    // in bytes
	Query string // answers them as texts, in order, one more than PivotValuesMax at most
}

// Pivots finds the first place of a statement where values have to be written; false for none.
func Pivots(text string) (Values, bool, error) {
	if !strings.Contains(strings.ToLower(text), "pivot") {
		return Values{}, false, nil
	}
	tokens, err := Lex(text)
	if err != nil {
		return Values{}, false, err
	}
	p := pivoting{text: text, tokens: tokens}
	pivots := 0
	for i := range slices.Backward(tokens) { // one within the source of another comes first
		if !p.is(i, "PIVOT", "PIVOT_WIDER") {
			continue
		}
		if pivots++; pivots > pivotsMax {
			return Values{}, false, At(fault.Newf(fault.TooLarge, "split the statement", "the statement has more than %d PIVOTs", pivotsMax), text, tokens[i].Offset)
		}
		if v, ok, err := p.pivot(i); ok || err != nil {
			return v, ok, err
		}
	}
	return Values{}, false, nil
}

type pivoting struct {
	text   string
	tokens []Token
}

func (p *pivoting) is(i int, words ...string) bool {
	for _, w := range words {
		if i >= 0 && i < len(p.tokens) && p.tokens[i].Is(w) {
			return true
		}
	}
	return false
}

// until is the first token from i on, outside of parentheses, that is one of the words, closes what is open, or is the end.
func (p *pivoting) until(i int, words ...string) int {
	for depth := 0; i < len(p.tokens); i++ {
		switch {
		case depth == 0 && (p.is(i, words...) || p.is(i, ")", "]", "}")):
			return i
		case p.is(i, "(", "[", "{"):
			depth++
		case p.is(i, ")", "]", "}"):
			depth--
		}
	}
	return i
}

// between is the text from one token to before another.
func (p *pivoting) between(from, to int) string {
	if from >= to {
		return ""
	}
	last := p.tokens[to-1]
	return p.text[p.tokens[from].Offset : last.Offset+len(last.Text)]
}

// pivot looks at a PIVOT for source ON expression, … as a query of its own, and not for the form within a FROM.
func (p *pivoting) pivot(i int) (Values, bool, error) {
	if i > 0 && !p.is(i-1, "(") && (!p.is(i-1, ")") || !p.is(p.opens(i-1), "WITH")) {
		return Values{}, false, nil
	}
	on := p.until(i+1, "ON", "JOIN")
	if p.is(on, "JOIN") {
		f := fault.New(fault.Invalid, "PIVOT of a join cannot be used here", "put the join into parentheses: PIVOT (FROM a JOIN b …) ON …")
		return Values{}, false, At(f, p.text, p.tokens[on].Offset)
	}
	if !p.is(on, "ON") {
		return Values{}, false, nil
	}
	for from := on; p.is(from, "ON", ","); {
		from++
		to := p.until(from, ",", "USING", "GROUP", "ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", ";")
		if in := p.until(from, "IN", ","); in >= to && from < to {
			e := p.between(from, to)
			last := p.tokens[to-1]
			return Values{
				At: last.Offset + len(last.Text),
				Query: p.with(i) + "SELECT DISTINCT CAST((" + e + ") AS VARCHAR) AS value FROM " + p.between(i+1, on) + " WHERE (" + e +
					") IS NOT NULL ORDER BY ALL LIMIT " + pivotLimit,
			}, true, nil
		}
		from = to
	}
	return Values{}, false, nil
}

const pivotLimit = "1001" // PivotValuesMax and one

// opens is the first token of the query that a token outside of parentheses is in.
func (p *pivoting) opens(i int) int {
	for depth := 0; i >= 0; i-- {
		switch {
		case p.is(i, ")", "]", "}"):
			depth++
		case p.is(i, "(", "[", "{"):
			if depth--; depth < 0 {
				return i + 1
			}
		}
	}
	return 0
}

// with is the WITH of the whole statement as far as it is before a token.
func (p *pivoting) with(before int) string {
	if !p.is(0, "WITH") {
		return ""
	}
	first := 1
	if p.is(1, "RECURSIVE") {
		first = 2
	}
	end := first
	for i := first; i < before; {
		open := i
		for open < before && (!p.is(open, "(") || !p.is(open-1, "AS", "MATERIALIZED")) {
			if p.is(open, "(") { // the names of its columns, or of USING KEY
				open = p.until(open + 1)
			}
			open++
		}
		closing := p.until(open + 1)
		if open >= before || closing >= before {
			break
		}
		end = closing + 1
		if !p.is(end, ",") {
			break
		}
		i = end + 1
	}
	if end == first {
		return ""
	}
	return p.between(0, end) + " "
}
