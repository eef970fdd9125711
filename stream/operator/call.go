package operator

import (
	"fmt"
	"strings"

	"tarn/embedded/duck"
)

// Call is an aggregate call. Arg is the input's column that holds its argument, "" for
// count(*); what a FILTER leaves out is null there.
type Call struct {
	Function string // count, sum, min, max, avg, median, bool_and, bool_or
	Arg      string
	Distinct bool
	Result   string // the relation's column that gets the answer
	Exact    bool   // sums of the argument are exact: integers and decimals
	Whole    bool   // the argument is an integer
	Timed    bool   // the argument is a time or a date, of which there is an avg and no sum
}

// Mergeable tells whether partial answers can be put together, for rows that only come, or
// with changes for rows that also go. The others need the rows themselves.
func (c *Call) Mergeable(changes bool) bool {
	if c.Distinct && c.Function != "min" && c.Function != "max" || c.Timed && c.Function == "avg" {
		return false
	}
	switch c.Function {
	case "count":
		return true
	case "sum", "avg":
		return !changes || c.Exact
	case "min", "max", "bool_and", "bool_or":
		return !changes
	}
	return false
}

// Direct is the call over rows.
func (c *Call) Direct() string {
	if c.Arg == "" {
		return "count(*)"
	}
	arg := duck.Ident(c.Arg)
	if !c.Exact && (c.Function == "sum" || c.Function == "avg") {
		arg += " ORDER BY " + arg // the last bit depends on it, and a row that was told must go as it came
	}
	if c.Distinct {
		arg = "DISTINCT " + arg
	}
	return c.Function + "(" + arg + ")"
}

// partial is a column of a partial answer: how it is computed, and how two become one.
type partial struct{ compute, merge string }

// partials are the columns that the partial answer of a mergeable call has.
func (c *Call) partials(changes bool) []partial {
	x, w := duck.Ident(c.Arg), duck.Ident(Weight)
	switch {
	case c.Arg == "" && changes:
		return []partial{{"coalesce(sum(" + w + "), 0)::BIGINT", "sum"}}
	case c.Arg == "":
		return []partial{{"count(*)", "sum"}}
	}
	count := partial{"count(" + x + ")", "sum"}
	sum := partial{"sum(" + x + ")", "sum"}
	if changes {
		if c.Whole {
			x += "::HUGEINT"
		}
		count.compute = "coalesce(sum(CASE WHEN " + x + " IS NULL THEN 0 ELSE " + w + " END), 0)::BIGINT"
		sum.compute = "coalesce(sum(CASE WHEN " + w + " > 0 THEN " + x + " ELSE -" + x + " END), 0)"
	}
	switch c.Function {
	case "count":
		return []partial{count}
	case "sum", "avg":
		return []partial{count, sum}
	}
	return []partial{{c.Function + "(" + x + ")", c.Function}}
}

// final is the answer, of its merged partial columns.
func (c *Call) final(merged []string) string {
	switch c.Function {
	case "count":
		return merged[0] + "::BIGINT"
	case "sum":
		return fmt.Sprintf("CASE WHEN %s > 0 THEN %s END", merged[0], merged[1])
	case "avg":
		return fmt.Sprintf("CASE WHEN %s > 0 THEN (%s)::DOUBLE / (%s)::DOUBLE END", merged[0], merged[1], merged[0])
	}
	return merged[0]
}

// mergeable tells it of all calls.
func mergeable(calls []Call, changes bool) bool {
	for i := range calls {
		if !calls[i].Mergeable(changes) {
			return false
		}
	}
	return true
}

// partialNames are the columns of all calls' partial answers, those of call i at [i].
func partialNames(calls []Call, changes bool) [][]string {
	out := make([][]string, len(calls))
	for i := range calls {
		for n := range calls[i].partials(changes) {
			out[i] = append(out[i], fmt.Sprintf("_p%d_%d", i, n))
		}
	}
	return out
}

// computed renders the partial answers of all calls.
func computed(calls []Call, changes bool) string {
	var out []string
	names := partialNames(calls, changes)
	for i := range calls {
		for n, p := range calls[i].partials(changes) {
			out = append(out, p.compute+" AS "+duck.Ident(names[i][n]))
		}
	}
	return strings.Join(out, ", ")
}

// args are the columns that the calls read, each once.
func args(calls []Call) []string {
	var out []string
	seen := map[string]bool{"": true}
	for i := range calls {
		if !seen[calls[i].Arg] {
			seen[calls[i].Arg] = true
			out = append(out, calls[i].Arg)
		}
	}
	return out
}

// results are the columns of the answers.
func results(calls []Call) []string {
	out := make([]string, len(calls))
	for i := range calls {
		out[i] = calls[i].Result
	}
	return out
}

// directs renders all calls over rows.
func directs(calls []Call) string {
	out := make([]string, len(calls))
	for i := range calls {
		out[i] = calls[i].Direct() + " AS " + duck.Ident(calls[i].Result)
	}
	return strings.Join(out, ", ")
}

// said lists the calls for a person.
func said(calls []Call) string {
	if len(calls) == 0 {
		return "no aggregate"
	}
	out := make([]string, len(calls))
	for i := range calls {
		out[i] = strings.ReplaceAll(calls[i].Direct(), `"`, "")
	}
	return strings.Join(out, ", ")
}
