package sqltext

import (
	"slices"
	"strings"
)

// checker looks at every node of an expression of a pipeline.
type checker struct {
	*converter
	clause string
}

// checkShapes are the classes of expressions that a pipeline knows, with the members that
// may say something.
var checkShapes = map[string][]string{
	"COLUMN_REF":  {"column_names"},
	"CONSTANT":    {"value"},
	"FUNCTION":    {"function_name", "schema", "children", "filter", "distinct", "is_operator"},
	"OPERATOR":    {"children"},
	"CONJUNCTION": {"children"},
	"COMPARISON":  {"left", "right"},
	"BETWEEN":     {"input", "lower", "upper"},
	"CASE":        {"case_checks", "else_expr"},
	"CAST":        {"child", "cast_type", "try_cast"},
	"LAMBDA":      {"lhs", "expr"},
}

// operators are the types of OPERATOR that a pipeline knows.
var operators = []string{
	"OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_COALESCE", "OPERATOR_NULLIF", "OPERATOR_TRY",
	"ARRAY_EXTRACT", "ARRAY_SLICE", "ARRAY_CONSTRUCTOR", "STRUCT_EXTRACT",
}

// checkHints are what to write instead of the others.
var checkHints = map[string][2]string{
	"WINDOW":               {"OVER", "take aggregates with GROUP BY, over TUMBLE or HOP where they are of a time"},
	"SUBQUERY":             {"a subquery in an expression", "a subquery may stand in FROM; what belongs to a row of another source is asked for in a query over the results"},
	"STAR":                 {"* in an expression", "list the columns"},
	"POSITIONAL_REFERENCE": {"#1", "write the column's name"},
	"COLLATE":              {"COLLATE", "compare lower(…) or strip_accents(…)"},
}

func (c *checker) expression(v *tree, inAggregate bool) error {
	if v.null() {
		return nil
	}
	class := v.get("class").str()
	known, ok := checkShapes[class]
	if !ok {
		what := checkHints[class]
		if what[0] == "" {
			what = [2]string{strings.ToLower(class), hintOther}
		}
		return c.refuse(v, what[1], "a pipeline cannot use %s", what[0])
	}
	known = append(slices.Clone(known), "alias")
	switch {
	case class == "FUNCTION" && len(v.get("order_bys").get("orders").list()) > 0:
		return c.refuse(v, "take count, sum, min, max or avg, which need no order", "a pipeline cannot use ORDER BY within an aggregate")
	case class == "OPERATOR" && !slices.Contains(operators, v.get("type").str()):
		what := strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(v.get("type").str(), "_FUNCTION"), "_", " "))
		return c.refuse(v, hintOther, "a pipeline cannot use %s", what)
	case !neutralBut(v, known...):
		return c.refuse(v, hintOther, "this form of %s cannot be used in a pipeline", strings.ToLower(class))
	case class == "COLUMN_REF":
		return c.column(v)
	case class == "FUNCTION":
		aggregate, err := c.function(v, inAggregate)
		if err != nil {
			return err
		}
		inAggregate = inAggregate || aggregate
	}
	return c.parts(v, known, inAggregate)
}

func (c *checker) parts(v *tree, known []string, inAggregate bool) error {
	for _, key := range known {
		part := v.get(key)
		switch {
		case part == nil || part.scalar() || key == "value" || key == "cast_type":
		case key == "case_checks":
			for _, check := range part.items {
				if !neutralBut(check, "when_expr", "then_expr") {
					return c.refuse(v, hintOther, "this CASE cannot be used in a pipeline")
				}
				if err := c.parts(check, []string{"when_expr", "then_expr"}, inAggregate); err != nil {
					return err
				}
			}
		case part.kind == '[':
			for _, item := range part.items {
				if item.scalar() {
					continue
				}
				if err := c.expression(item, inAggregate); err != nil {
					return err
				}
			}
		default:
			if err := c.expression(part, inAggregate); err != nil {
				return err
			}
		}
	}
	return nil
}

const hintClock = "take the time from a column of the source"

// clockWords are functions that SQL writes without parentheses.
var clockWords = []string{"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "current_user", "session_user", "current_role", "current_catalog", "current_schema"}

func (c *checker) column(v *tree) error {
	names := v.get("column_names").list()
	at := v.place()
	if len(names) == 1 && slices.Contains(clockWords, strings.ToLower(names[0].str())) && (at < 0 || at >= len(c.source) || c.source[at] != '"') {
		return c.refuse(v, hintClock, "a pipeline cannot use %s: its answer depends on when and by whom it is asked", names[0].str())
	}
	return nil
}

// function tells whether a call is one of an aggregate that pipelines know.
func (c *checker) function(v *tree, inAggregate bool) (aggregate bool, err error) {
	name, children := strings.ToLower(v.get("function_name").str()), v.get("children").list()
	switch {
	case unstable[name] != "" || name == "age" && len(children) == 1:
		return false, c.refuse(v, hintUnstable(name), "a pipeline cannot use %s: its answer is not a function of its arguments", name)
	case manyRows[name]:
		return false, c.refuse(v, "keep the list, or take its elements with list functions", "a pipeline cannot use %s, which answers more rows than one", name)
	case !aggregateFunctions[name]:
		if !v.get("filter").null() || v.get("distinct").yes() {
			return false, c.refuse(v, "leave FILTER and DISTINCT to aggregates", "%s is no aggregate", name)
		}
		return false, nil
	case !aggregates[name]:
		return false, c.refuse(v, "aggregates of a pipeline are "+knownAggregates, "a pipeline cannot use the aggregate %s", name)
	case c.clause == "HAVING" || c.clause == "":
	default:
		return false, c.refuse(v, "put it into HAVING, or into a subquery in FROM", "an aggregate cannot be used in %s", c.clause)
	}
	switch {
	case inAggregate:
		return false, c.refuse(v, "take the inner one in a subquery in FROM", "an aggregate cannot be used within another")
	case len(children) > 1 || len(children) == 0 && name != "count" && name != "count_star":
		return false, c.refuse(v, "write "+name+" of one expression", "a pipeline cannot use %s of %d arguments", name, len(children))
	case len(children) == 0 && v.get("distinct").yes():
		return false, c.refuse(v, "write count(DISTINCT column)", "count(DISTINCT *) cannot be used in a pipeline")
	}
	return true, nil
}
