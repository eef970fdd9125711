package sqltext

import (
	"strings"

	"tarn/embedded/fault"
)

// part says what a member of a node holds, and so how the walk goes on there.
type part uint8

const (
	plain        part = iota + 1 // text, number, true, false, null
	plains                       // a list of them
	nothing                      // null, false, "" or []: a form that Tarn does not let pass
	expr                         // an expression or null
	exprs                        // a list of expressions
	exprRows                     // a list of lists of expressions
	named                        // a list of {key, value: expression}
	query                        // a query node or null
	statement                    // {node, named_param_map}
	from                         // a table reference or null
	data                         // a value or a type: parts without an expression
	orders                       // a list of {type, null_order, expression}
	ordering                     // {type, orders}
	modifiers                    // what follows a SELECT: ORDER BY, LIMIT, DISTINCT
	ctes                         // WITH
	checks                       // a list of {when_expr, then_expr}
	pivots                       // a list of pivot columns
	snapshot                     // AT (…)
	queryList                    // a list of query nodes
	pivotEntries                 // a list of what a pivot column is made of
)

// shape lists every member that a node of one kind may have.
type shape map[string]part

// expressionShapes are the classes of expressions that pass. All have class, type, alias and query_location.
var expressionShapes = map[string]shape{
	"COLUMN_REF": {"column_names": plains},
	"CONSTANT":   {"value": data},
	"FUNCTION": {
		"function_name": plain, "schema": plain, "catalog": nothing, "children": exprs, "filter": expr, "order_bys": ordering,
		"distinct": plain, "is_operator": plain, "export_state": nothing,
	},
	"WINDOW": {
		"function_name": plain, "schema": plain, "catalog": nothing, "children": exprs, "partitions": exprs, "orders": orders, "start": plain, "end": plain,
		"start_expr": expr, "end_expr": expr, "offset_expr": expr, "default_expr": expr, "ignore_nulls": plain, "filter_expr": expr,
		"exclude_clause": plain, "distinct": plain, "arg_orders": orders,
	},
	"OPERATOR":             {"children": exprs},
	"CONJUNCTION":          {"children": exprs},
	"COMPARISON":           {"left": expr, "right": expr},
	"BETWEEN":              {"input": expr, "lower": expr, "upper": expr},
	"CASE":                 {"case_checks": checks, "else_expr": expr},
	"CAST":                 {"child": expr, "cast_type": data, "try_cast": plain},
	"COLLATE":              {"child": expr, "collation": plain},
	"LAMBDA":               {"lhs": expr, "expr": expr},
	"POSITIONAL_REFERENCE": {"index": plain},
	"STAR": {
		"relation_name": plain, "exclude_list": plains, "replace_list": named, "columns": plain, "expr": expr,
		"qualified_exclude_list": data, "rename_list": data,
	},
	"SUBQUERY": {"subquery_type": plain, "subquery": statement, "child": expr, "comparison_type": plain},
}

// fromShapes are the kinds of table references that pass. All have type, alias, sample and
// query_location.
var fromShapes = map[string]shape{
	"EMPTY":      {"sample": data},
	"BASE_TABLE": {"sample": data, "catalog_name": plain, "schema_name": plain, "table_name": plain, "column_name_alias": plains, "at_clause": snapshot},
	"SUBQUERY":   {"sample": data, "subquery": statement, "column_name_alias": plains},
	"JOIN": {
		"sample": data, "left": from, "right": from, "condition": expr, "join_type": plain, "ref_type": plain, "using_columns": plains,
		"delim_flipped": nothing, "duplicate_eliminated_columns": nothing,
	},
	"EXPRESSION_LIST": {"sample": data, "expected_names": plains, "expected_types": data, "values": exprRows},
	"TABLE_FUNCTION":  {"function": expr, "column_name_alias": plains, "with_ordinality": plain},
	"PIVOT": {
		"sample": data, "source": from, "aggregates": exprs, "unpivot_names": plains, "pivots": pivots, "groups": plains,
		"column_name_alias": plains, "include_nulls": plain,
	},
	"SHOW_REF": {"sample": data, "table_name": nothing, "query": query, "show_type": plain, "catalog_name": nothing, "schema_name": nothing}, // DESCRIBE and SUMMARIZE of a query; those of a name hold none
}

// queryShapes are the kinds of query nodes that pass. All have type, modifiers and cte_map.
var queryShapes = map[string]shape{
	"SELECT_NODE": {
		"from_table": from, "select_list": exprs, "where_clause": expr, "group_expressions": exprs, "group_sets": data,
		"aggregate_handling": plain, "having": expr, "sample": data, "qualify": expr,
	},
	"SET_OPERATION_NODE": {"setop_type": plain, "left": query, "right": query, "setop_all": plain, "children": queryList},
	"RECURSIVE_CTE_NODE": {"cte_name": plain, "union_all": plain, "left": query, "right": query, "aliases": plains, "key_targets": exprs},
}

// modifierShapes are the kinds of modifiers that pass.
var modifierShapes = map[string]shape{
	"LIMIT_MODIFIER":         {"limit": expr, "offset": expr},
	"LIMIT_PERCENT_MODIFIER": {"limit": expr, "offset": expr},
	"ORDER_MODIFIER":         {"orders": orders},
	"DISTINCT_MODIFIER":      {"distinct_on_targets": exprs},
}

// The objects that only ever stand in one place.
var (
	statementShape = shape{"node": query, "named_param_map": nothing}
	orderShape     = shape{"null_order": plain, "expression": expr}
	checkShape     = shape{"when_expr": expr, "then_expr": expr}
	namedShape     = shape{"key": plain, "value": expr}
	pivotShape     = shape{"pivot_expressions": exprs, "unpivot_names": plains, "entries": pivotEntries, "pivot_enum": nothing}
	entryShape     = shape{"values": data, "star_expr": expr}
	cteShape       = shape{"aliases": plains, "query": statement, "materialized": plain, "key_targets": exprs}
)

// typeInfos are the kinds of types that a cast may name.
func typeInfo(kind string) bool {
	switch kind {
	case "DECIMAL_TYPE_INFO", "LIST_TYPE_INFO", "STRUCT_TYPE_INFO", "ARRAY_TYPE_INFO", "STRING_TYPE_INFO", "UNBOUND_TYPE_INFO":
		return true
	}
	return false
}

// unanswered are the types that Arrow, in which every door is answered, would change in
// silence: halves of 128 bits, zones of times of day, bits as DuckDB keeps them. Each with
// what to take in its place.
var unanswered = map[string]string{
	"UHUGEINT": "HUGEINT or VARCHAR", "UINT128": "HUGEINT or VARCHAR", "TIME WITH TIME ZONE": "TIMESTAMPTZ or VARCHAR", "TIMETZ": "TIMESTAMPTZ or VARCHAR",
	"BIT": "VARCHAR", "BITSTRING": "VARCHAR", "BIGNUM": "VARCHAR", "VARINT": "VARCHAR", "VARIANT": "JSON or VARCHAR", "GEOMETRY": "VARCHAR",
}

// Answerable refuses a result's column of a type that no door can answer, nested or not; t is
// the type in DuckDB's words. Within a query such a type may stand.
func Answerable(t string) error {
	tokens, err := Lex(t)
	if err != nil {
		return err
	}
	for i, token := range tokens {
		name := strings.ToUpper(token.Text)
		if name == "TIME" && i+1 < len(tokens) && tokens[i+1].Is("WITH") {
			name = "TIME WITH TIME ZONE"
		}
		if token.Kind == Word && unanswered[name] != "" {
			return errUnanswered(name)
		}
	}
	return nil
}

func errUnanswered(name string) *fault.Error {
	return fault.Newf(fault.Invalid, "take "+unanswered[name]+" in its place", "the type %s cannot be used here", name)
}
