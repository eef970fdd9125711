package sqltext

import (
	"fmt"
	"slices"
	"strings"
)

// liftedMax bounds the values that are lifted out of a statement.
const liftedMax = 100

// lifted is a statement with a mark in the place of each text that is cast, which is how values of parameters
// are written: so one walk serves all values.
type lifted struct {
	text   string
	values []string // as they are written, quotes and all; equal ones have one mark
}

// mark is what stands for value i, quotes and all. Nobody can guess it; the marks have one length.
func mark(prefix string, i int) string { return fmt.Sprintf("'%s%03d'", prefix, i) }

// liftValues answers nothing to lift with false.
func liftValues(source, prefix string) (out lifted, _ bool) {
	if !strings.Contains(source, "CAST('") {
		return lifted{}, false
	}
	tokens, err := Lex(source)
	if err != nil {
		return lifted{}, false
	}
	filled := filling{text: source}
	for i := 2; i+1 < len(tokens); i++ {
		t := tokens[i]
		if t.Kind != String || t.Text[0] != '\'' || !tokens[i-2].Is("CAST") || !tokens[i-1].Is("(") || !tokens[i+1].Is("AS") || strings.ContainsRune(t.Text, 0) {
			continue
		}
		n := slices.Index(out.values, t.Text)
		if n < 0 {
			n, out.values = len(out.values), append(out.values, t.Text)
		}
		if n >= liftedMax || filled.put(t.Offset, t.Offset+len(t.Text), mark(prefix, n)) != nil {
			return lifted{}, false
		}
	}
	out.text = filled.whole()
	return out, len(out.values) > 0
}

// marked tells whether each of n marks stands in a rewritten statement as a text, and in no other way: not as part of a name.
func marked(text, prefix string, n int) bool {
	tokens, err := Lex(text)
	if err != nil {
		return false
	}
	there := map[string]bool{}
	for _, t := range tokens {
		if strings.Contains(t.Text, prefix) {
			there[t.Text] = true
		}
	}
	for i := range n {
		if !there[mark(prefix, i)] {
			return false
		}
	}
	return len(there) == n
}

// put puts the values back.
func (l lifted) put(text, prefix string) string {
	pairs := make([]string, 0, 2*len(l.values))
	for i, v := range l.values {
		pairs = append(pairs, mark(prefix, i), v)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// namesMark tells whether a column has its name of a mark.
func namesMark(outputs []Output, prefix string) bool {
	return slices.ContainsFunc(outputs, func(o Output) bool { return strings.Contains(o.Name, prefix) })
}
