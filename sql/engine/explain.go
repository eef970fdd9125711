//go:build duckdb_arrow

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// explain is EXPLAIN [ANALYZE] SELECT …: the operators of the plan, with ANALYZE of the statement as it ran. Of what they do only
// that is shown which names no file and no policy.
func (g *Gate) explain(ctx context.Context, r Request, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("EXPLAIN")
	analyze, asJSON, err := explained(in)
	if err != nil {
		return nil, err
	}
	if analyze { // it is run as any query is
		leave, err := g.enter(ctx, g.queries, r.Principal.User)
		if err != nil {
			return nil, err
		}
		defer leave()
		r.turn = true
	}
	s, err := g.open(ctx, r.Principal, stmt)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.speak(ctx, r); err != nil {
		return nil, err
	}
	s.source = blanked(stmt, in.Offset())
	out, err := s.rewrite(ctx, s.source, g.o.RowsMax+1)
	if err != nil {
		return nil, s.translate(err)
	}
	plan, err := s.plan(ctx, out.Text, analyze)
	if err != nil {
		return nil, s.translate(err)
	}
	var rows [][]any
	if asJSON {
		said, err := planJSON(plan, s.secretWords(), len(s.policies) > 0)
		if err != nil {
			return nil, err
		}
		return Rows("EXPLAIN", texts("plan"), [][]any{{said}})
	}
	for _, p := range plan {
		rows = p.lines(rows, 0, s.secretWords(), len(s.policies) > 0)
	}
	for _, name := range slices.Sorted(maps.Keys(s.snapshots)) {
		rows = append(rows, []any{fmt.Sprintf("reads %s at snapshot %d", name, s.snapshots[name])})
	}
	return Rows("EXPLAIN", texts("plan"), rows)
}

// explained reads what stands between EXPLAIN and its statement: ANALYZE, VERBOSE, and PostgreSQL's (option [value], …), of which ANALYZE and FORMAT
// TEXT or JSON change the answer.
func explained(in *sqltext.Reader) (analyze, asJSON bool, _ error) {
	words := sqltext.Verbs(strings.TrimLeft(in.Rest(), "( \t\r\n"), 1)
	if len(words) > 0 && slices.Contains([]string{"SELECT", "WITH", "VALUES", "FROM", "TABLE"}, words[0]) || !in.Take("(") { // a parenthesis may be the query's
		analyze = in.Take("ANALYZE")
		in.Take("VERBOSE")
		return analyze, false, nil
	}
	for {
		option := strings.ToUpper(in.Next().Text)
		value := ""
		if next := in.Peek(); !next.Is(",") && !next.Is(")") {
			value = strings.ToUpper(strings.Trim(in.Next().Text, "'"))
		}
		on := !slices.Contains([]string{"FALSE", "OFF", "0", "NO"}, value)
		switch option {
		case "ANALYZE":
			analyze = on
		case "FORMAT":
			if asJSON = value == "JSON"; !asJSON && value != "TEXT" {
				return false, false, fault.New(fault.Invalid, "EXPLAIN has the formats TEXT and JSON", "write EXPLAIN (FORMAT JSON) SELECT …")
			}
		case "VERBOSE", "COSTS", "SETTINGS", "BUFFERS", "WAL", "TIMING", "SUMMARY", "GENERIC_PLAN":
		default:
			return false, false, fault.Newf(fault.Invalid, "write EXPLAIN, EXPLAIN ANALYZE, or (ANALYZE, FORMAT JSON) behind it", "EXPLAIN has no option %s", strings.ToLower(option))
		}
		switch {
		case in.Take(","):
		case in.Take(")"):
			return analyze, asJSON, nil
		default:
			return false, false, in.Fault(", or )")
		}
	}
}

// planJSON is a plan with PostgreSQL's words for its parts.
func planJSON(plan []operator, secret []string, guarded bool) (string, error) {
	all := []map[string]any{}
	for _, p := range plan {
		all = append(all, map[string]any{"Plan": p.node(secret, guarded)})
	}
	said, err := json.MarshalIndent(all, "", "  ")
	return string(said), err
}

// node is an operator with those below it.
func (o operator) node(secret []string, guarded bool) map[string]any {
	out := map[string]any{"Node Type": strings.TrimSpace(o.Name + o.Ran)}
	if o.Ran != "" {
		out["Actual Rows"], out["Actual Total Time"] = o.Rows, o.Seconds*1000
	}
	for _, key := range shownExtras {
		if value, ok := o.shown(key, secret, guarded); ok {
			out[key] = value
		}
	}
	var below []map[string]any
	for _, c := range o.Children {
		below = append(below, c.node(secret, guarded))
	}
	if below != nil {
		out["Plans"] = below
	}
	return out
}

// shown is what may be told of an operator by a key.
func (o operator) shown(key string, secret []string, guarded bool) (string, bool) {
	value := o.Extra[key]
	if value == nil || guarded && key != "Estimated Cardinality" {
		return "", false
	}
	text := strings.ReplaceAll(fmt.Sprint(value), "\n", " ")
	return text, text != "" && !mentions(text, secret)
}

// plan is DuckDB's of a rewritten statement, which is run for it with analyze.
func (s *session) plan(ctx context.Context, text string, analyze bool) (plan []operator, err error) {
	form := "EXPLAIN (FORMAT json) "
	if analyze {
		if len(s.policies) > 0 { // counts below a filter are of rows that it hides
			return nil, fault.New(fault.Denied, "EXPLAIN ANALYZE would tell of rows that you may not read", "EXPLAIN shows the plan; the answer's stats show its time")
		}
		form = "EXPLAIN (ANALYZE, FORMAT json) "
	}
	var kind, answer string
	if err := s.conn.QueryRowContext(ctx, form+text).Scan(&kind, &answer); err != nil {
		return nil, err
	}
	if !analyze {
		if err := json.Unmarshal([]byte(answer), &plan); err != nil {
			return nil, fmt.Errorf("read the plan: %w", err)
		}
		return plan, nil
	}
	var whole struct {
		Seconds  float64    `json:"latency"`
		CPU      float64    `json:"cpu_time"`
		Memory   int64      `json:"system_peak_buffer_memory"`
		Spilled  int64      `json:"system_peak_temp_dir_size"`
		Children []operator `json:"children"`
	}
	if err := json.Unmarshal([]byte(answer), &whole); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	for _, root := range whole.Children { // EXPLAIN ANALYZE itself
		plan = append(plan, root.Children...)
	}
	total := fmt.Sprintf("took %.3f ms · of processors %.3f ms · memory %.1f MiB · spilled %.1f MiB",
		whole.Seconds*1000, whole.CPU*1000, float64(whole.Memory)/(1<<20), float64(whole.Spilled)/(1<<20))
	return append([]operator{{Name: total}}, plan...), nil
}

// operator is one of DuckDB's plan.
type operator struct {
	Name     string         `json:"name"`
	Children []operator     `json:"children"`
	Extra    map[string]any `json:"extra_info"`
	// Of one that ran:
	Ran     string  `json:"operator_name"`
	Rows    int64   `json:"operator_cardinality"`
	Seconds float64 `json:"operator_timing"`
}

// shownExtras are what of an operator may be shown, in order.
var shownExtras = []string{"Join Type", "Conditions", "Groups", "Aggregates", "Expression", "Filters", "Order By", "Top", "Estimated Cardinality"}

func (o operator) lines(rows [][]any, depth int, secret []string, guarded bool) [][]any {
	line := []string{strings.Repeat("  ", depth) + strings.TrimSpace(o.Name+o.Ran)}
	if o.Ran != "" {
		line = append(line, fmt.Sprintf("%d rows", o.Rows), fmt.Sprintf("%.3f ms", o.Seconds*1000))
	}
	for _, key := range shownExtras {
		if text, ok := o.shown(key, secret, guarded); ok {
			line = append(line, strings.ToLower(key)+" "+text)
		}
	}
	rows = append(rows, []any{strings.Join(line, " · ")})
	for _, c := range o.Children {
		rows = c.lines(rows, depth+1, secret, guarded)
	}
	return rows
}
