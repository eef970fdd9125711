package sqltext

import (
	"maps"
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// DuckDB writes some parts of a statement out again wherever they are used, outside its
// memory limit and deaf to a cancel: one short line could take all the memory of the process.
// So a statement is weighed, as it would be written out, before DuckDB plans it.
const (
	weightMax       = 40_000 // nodes of a statement, written out
	weightInlineMax = 2_000  // up to which DuckDB may choose what to do with a CTE
	relationBytesIn = 40     // bytes of a relation's text that weigh as one node
)

// repeating are the functions that stand for a text that holds an argument up to so many times.
var repeating = map[string]int{
	"array_to_string": 2, "array_to_string_comma_default": 2, "fmod": 2, "json_group_array": 2, "json_group_object": 2,
	"json_group_structure": 2, "nullif": 2, "round_even": 3, "roundbankers": 3, "split_part": 2, "wavg": 2, "weighted_avg": 2,
}

// meter weighs a statement that was walked.
type meter struct {
	placed map[*tree]*relation
	ctes   map[string]*cteWeight // by the walk's own names
	once   bool                  // a CTE that is used more than once is computed once
}

type cteWeight struct {
	weight, uses int
}

// weigh refuses a statement that grows too large, and tells which CTEs must be computed once
// for it not to.
func (w *walker) weigh(root *tree) (materialize []string, err error) {
	inlined := &meter{placed: w.placed, ctes: map[string]*cteWeight{}}
	written := root.nodes() // what is written once may be much: a list of a hundred thousand numbers
	total := inlined.node(root, nil)
	if total > weightInlineMax+written {
		for name, c := range inlined.ctes {
			if c.uses > 1 {
				materialize = append(materialize, name)
			}
		}
		slices.Sort(materialize)
		m := &meter{placed: w.placed, ctes: map[string]*cteWeight{}, once: true}
		total = m.node(root, nil)
	}
	if total > weightMax+written {
		return nil, errOutgrows()
	}
	if c := (&wide{placed: w.placed, ctes: map[string]widths{}, once: materialize != nil}); c.query(root.get("node")).all > allColumnsWritten || c.most > columnsWritten {
		return nil, errColumns()
	}
	return materialize, nil
}

func errOutgrows() error {
	return fault.New(fault.TooLarge, "the statement is too large once its names and functions are written out",
		"nest CASE x, NULLIF and the like less, and use aliases of aliases and named windows less often")
}

// nodes counts a tree's objects.
func (t *tree) nodes() int {
	n := 0
	if t.kind == '{' {
		n = 1
	}
	for _, item := range t.items {
		n += item.nodes()
	}
	return n
}

// node is the weight of a part; aliases are those of the select lists around it.
func (m *meter) node(v *tree, aliases map[string]int) int {
	switch {
	case v.scalar():
		return 0
	case v.kind == '[':
		return m.all(v.items, aliases)
	}
	switch v.get("type").str() {
	case "SELECT_NODE":
		return m.selected(v, aliases)
	case "BASE_TABLE":
		return m.table(v)
	case "COLUMN_REF":
		if names := v.get("column_names"); names != nil && len(names.items) == 1 {
			return max(1, aliases[strings.ToLower(names.items[0].str())])
		}
		return 1
	}
	if with := v.get("cte_map"); with != nil {
		m.with(with, aliases)
	}
	sum := 1
	for i, item := range v.items {
		if v.keys[i] != "cte_map" {
			sum = capped(sum + m.node(item, aliases))
		}
	}
	if v.get("class").str() == "FUNCTION" {
		sum = capped(sum * max(1, repeating[strings.ToLower(v.get("function_name").str())]))
	}
	return sum
}

func (m *meter) all(items []*tree, aliases map[string]int) (sum int) {
	for _, item := range items {
		sum = capped(sum + m.node(item, aliases))
	}
	return sum
}

// selected weighs a SELECT: a column's alias may stand for its expression in all of it.
func (m *meter) selected(v *tree, outer map[string]int) int {
	m.with(v.get("cte_map"), outer)
	aliases := maps.Clone(outer)
	if aliases == nil {
		aliases = map[string]int{}
	}
	sum := 1
	for _, item := range v.get("select_list").items {
		weight := m.node(item, aliases)
		if alias := item.get("alias").str(); alias != "" {
			aliases[strings.ToLower(alias)] = weight
		}
		sum = capped(sum + weight)
	}
	for i, key := range v.keys {
		if key != "select_list" && key != "cte_map" {
			sum = capped(sum + m.node(v.items[i], aliases))
		}
	}
	return sum
}

func (m *meter) with(v *tree, aliases map[string]int) {
	entries := v.get("map")
	if entries == nil {
		return
	}
	for _, entry := range entries.items {
		c := &cteWeight{}
		m.ctes[entry.get("key").str()] = c // in sight of itself when it recurses
		c.weight = m.node(entry.get("value"), aliases)
	}
}

func (m *meter) table(v *tree) int {
	if r := m.placed[v]; r != nil {
		return capped(1 + len(r.Text)/relationBytesIn)
	}
	c := m.ctes[v.get("table_name").str()]
	if c == nil {
		return 1
	}
	if c.uses++; m.once && c.uses > 1 {
		return 1
	}
	return max(1, c.weight)
}

// capped keeps sums and products within an int.
func capped(n int) int { return min(n, weightMax*1000) }

// materialized says in a rewritten text that these CTEs are computed once. DuckDB's printer
// leaves out what a statement said of it.
func materialized(out string, names []string) (string, error) {
	if len(names) == 0 {
		return out, nil
	}
	tokens, err := Lex(out)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	from := 0
	for i, t := range tokens {
		if t.Kind != Word || !slices.Contains(names, t.Text) {
			continue
		}
		if as := definition(tokens, i+1); as > 0 {
			b.WriteString(out[from:as] + " MATERIALIZED")
			from = as
		}
	}
	return b.String() + out[from:], nil
}

// definition returns where the AS of "name [(columns)] AS (" ends, 0 where the name is only
// used.
func definition(tokens []Token, i int) int {
	if i < len(tokens) && tokens[i].Is("(") {
		for depth := 0; i < len(tokens); i++ {
			if tokens[i].Is("(") {
				depth++
			}
			if tokens[i].Is(")") {
				if depth--; depth == 0 {
					break
				}
			}
		}
		i++
	}
	if i+1 < len(tokens) && tokens[i].Is("AS") && tokens[i+1].Is("(") {
		return tokens[i].Offset + len(tokens[i].Text)
	}
	return 0
}

// Written out already by DuckDB's parser are the x of CASE x WHEN …, once for each WHEN, and
// a named window, once for each OVER. caseWeights are the open CASEs of a text.
type caseWeight struct {
	operand, whens, rest int
	inOperand            bool
}

// outgrows tells whether a text is too large once it is parsed.
func outgrows(tokens []Token) bool {
	if windows(tokens) > weightMax {
		return true
	}
	open := []caseWeight{{}}
	for i, t := range tokens {
		top := &open[len(open)-1]
		label := i > 0 && (tokens[i-1].Is("AS") || tokens[i-1].Is("."))
		switch {
		case label || t.Kind != Word:
			top.add(1)
		case t.Is("CASE"):
			open = append(open, caseWeight{inOperand: i+1 < len(tokens) && !tokens[i+1].Is("WHEN")})
		case t.Is("WHEN"):
			top.whens++
			top.inOperand = false
		case t.Is("END") && len(open) > 1:
			open = open[:len(open)-1]
			open[len(open)-1].add(top.weight())
		default:
			top.add(1)
		}
	}
	total := 0
	for _, c := range open {
		total = capped(total + c.weight())
	}
	return total > weightMax+len(tokens)
}

func (c *caseWeight) add(n int) {
	if c.inOperand {
		c.operand = capped(c.operand + n)
	} else {
		c.rest = capped(c.rest + n)
	}
}

func (c *caseWeight) weight() int { return capped(c.operand*max(1, c.whens) + c.rest) }

// windows is how much the named windows of a text weigh where they are used.
func windows(tokens []Token) int {
	uses, size := 0, 0
	for i, t := range tokens {
		if t.Is("OVER") && i+1 < len(tokens) && !tokens[i+1].Is("(") {
			uses++
		}
		if t.Is("WINDOW") && size == 0 {
			size = len(tokens) - i
		}
	}
	return capped(uses * size)
}
