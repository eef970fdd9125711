package sqltext

import (
	"fmt"
	"maps"
	"slices"
)

// Same tells whether two statements are one, but for blanks and comments.
func Same(a, b string) bool {
	x, errX := Lex(a)
	y, errY := Lex(b)
	return errX == nil && errY == nil && slices.EqualFunc(x, y, func(a, b Token) bool { return a.Text == b.Text })
}

// Said is the statement of a pipeline; of one that was altered, for which head is the statement that
// made it first, the new body behind the old head.
func Said(statement, head string) (Continuous, error) {
	c, err := ParseContinuous(statement)
	if err != nil || head == "" || c.Verb != "ALTER PIPELINE" {
		return c, err
	}
	first, err := ParseContinuous(head)
	c.Verb, c.Key, c.Options = first.Verb, first.Key, first.Options
	return c, err
}

// Meaning is what a pipeline does, however it was said: two into one table that do the same are
// equal. One that was altered is as if it had been made so.
func (c Continuous) Meaning() string {
	return c.Frame() + fmt.Sprintf("%q", []any{c.OnClose, c.body()})
}

// Frame is that part of its meaning that ALTER PIPELINE cannot change.
func (c Continuous) Frame() string {
	var options []string
	for _, name := range slices.Sorted(maps.Keys(c.Options)) {
		options = append(options, name+"="+c.Options[name].Value)
	}
	return fmt.Sprintf("%q", []any{c.Verb, c.Columns, c.Key, options})
}

// body is the SELECT in tokens.
func (c Continuous) body() (out []string) {
	tokens, err := Lex(c.Body)
	if err != nil {
		return []string{c.Body}
	}
	for _, t := range tokens {
		out = append(out, t.Text)
	}
	return out
}
