//go:build duckdb_arrow

package sqltext

import (
	"context"
	"regexp"
	"strings"
)

// probed are the types of the arguments that a walk has asked for; none where DuckDB cannot tell them, for the statement itself
// will say what is wrong with it.
func (p *Parser) probed(ctx context.Context, of *walked, err error, types Types) []string {
	var out string
	if err == nil {
		out, err = p.written(ctx, of)
	}
	if err != nil {
		return []string{}
	}
	marks := regexp.MustCompile("'" + of.walker.prefix + "p([0-9]+)'")
	found, err := types(ctx, substitute(marks.ReplaceAllString(out, "$$$1"), strings.ToLower(of.walker.source), of.all))
	if err != nil {
		return []string{}
	}
	return found
}
