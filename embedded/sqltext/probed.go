//go:build duckdb_arrow

package sqltext

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// probed are the types of the arguments that a walk has asked for; none, and false, where DuckDB cannot tell them: the statement itself
// will say what is wrong with it, if anything.
func (p *Parser) probed(ctx context.Context, of *walked, err error, types Types) (found []string, told bool) {
	var out string
	if err == nil {
		of.root.unlimited(of.walker.prefix)
		out, err = p.written(ctx, of)
	}
	if err != nil {
		return []string{}, false
	}
	marks, numbers, asked := regexp.MustCompile("'"+of.walker.prefix+"p([0-9]+)'"), map[string]int{}, []string(nil)
	out = marks.ReplaceAllStringFunc(out, func(mark string) string {
		if _, known := numbers[mark]; !known {
			asked = append(asked, mark)
			numbers[mark] = len(asked) // without gaps: some calls are left as they are
		}
		return "$" + strconv.Itoa(numbers[mark])
	})
	answers, err := types(ctx, substitute(out, strings.ToLower(of.walker.source), of.all))
	if err != nil {
		return []string{}, false
	}
	found = make([]string, len(of.walker.probe.numbers))
	for i := range min(len(asked), len(answers)) {
		if n, err := strconv.Atoi(marks.FindStringSubmatch(asked[i])[1]); err == nil && n > 0 && n <= len(found) {
			found[n-1] = answers[i]
		}
	}
	return found, true
}

// unlimited takes off each LIMIT but one with a type that is asked for: DuckDB computes it where it binds it, and it may be the mark of a parameter.
func (t *tree) unlimited(prefix string) {
	if all := t.get("modifiers"); all != nil {
		all.items = slices.DeleteFunc(all.items, func(m *tree) bool {
			return strings.HasPrefix(m.get("type").str(), "LIMIT") && !m.says(prefix)
		})
	}
	for _, item := range t.items {
		item.unlimited(prefix)
	}
}

// says tells whether a text stands in a part.
func (t *tree) says(text string) bool {
	return strings.Contains(t.raw, text) || slices.ContainsFunc(t.items, func(item *tree) bool { return item.says(text) })
}
