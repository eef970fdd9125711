//go:build duckdb_arrow

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
)

// explain is EXPLAIN SELECT …: the operators of the plan. Of what they do only that is
// shown which names no file and no policy.
func (g *Gate) explain(ctx context.Context, who guard.Principal, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("EXPLAIN")
	if in.Take("ANALYZE") {
		return nil, fault.New(fault.Denied, "EXPLAIN ANALYZE is not answered yet", "EXPLAIN shows the plan; the answer's stats show its time")
	}
	s, err := g.open(ctx, who, stmt)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.source = blanked(stmt, in.Offset())
	out, err := s.rewrite(ctx, s.source, 0)
	if err != nil {
		return nil, s.translate(err)
	}
	var kind, text string
	if err := s.conn.QueryRowContext(ctx, "EXPLAIN (FORMAT json) "+out.Text).Scan(&kind, &text); err != nil {
		return nil, s.translate(err)
	}
	var plan []operator
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	var rows [][]any
	for _, p := range plan {
		rows = p.lines(rows, 0, s.secretWords(), len(s.policies) > 0)
	}
	return Rows("EXPLAIN", texts("plan"), rows)
}

// operator is one of DuckDB's plan.
type operator struct {
	Name     string         `json:"name"`
	Children []operator     `json:"children"`
	Extra    map[string]any `json:"extra_info"`
}

// shownExtras are what of an operator may be shown, in order.
var shownExtras = []string{"Join Type", "Conditions", "Groups", "Aggregates", "Expression", "Filters", "Order By", "Top", "Estimated Cardinality"}

func (o operator) lines(rows [][]any, depth int, secret []string, guarded bool) [][]any {
	line := []string{strings.Repeat("  ", depth) + strings.TrimSpace(o.Name)}
	for _, key := range shownExtras {
		value := o.Extra[key]
		if value == nil || guarded && key != "Estimated Cardinality" {
			continue
		}
		if text := fmt.Sprint(value); text != "" && !mentions(text, secret) {
			line = append(line, strings.ToLower(key)+" "+strings.ReplaceAll(text, "\n", " "))
		}
	}
	rows = append(rows, []any{strings.Join(line, " · ")})
	for _, c := range o.Children {
		rows = c.lines(rows, depth+1, secret, guarded)
	}
	return rows
}
