//go:build duckdb_arrow

package catalog

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// words is what PostgreSQL says otherwise than DuckDB.
func (c *catalog) words() *sqltext.Dialect {
	d := &sqltext.Dialect{
		Spell: spell, Symmetric: symmetricSpelled, Ties: tiesSpelled, Schemas: []string{pgCatalog, informationSchema}, Functions: map[string]sqltext.Template{},
		Kind: kindOf, OwnKinds: map[string]string{jsonbKind: "JSON"}, CastKinds: map[string]string{"jsonb": jsonbKind}, TableKinds: tableKinds(),
		Within: map[string]map[string]sqltext.Template{"floor": {"/": epochFloored}}, Typed: typed(),
		TypedCasts: map[string]sqltext.Typed{
			bareNumeric: {Probe: sqltext.As("CAST($1 AS DECIMAL(38,10))"), Says: toNumeric},
			"varchar":   {Probe: sqltext.As("CAST($1 AS VARCHAR)"), Says: toText, When: textAsked},
		},
		Comparisons: comparedBytes(), Exact: exact, Tables: tableFunctions(), Unnest: unnested, Listed: listed(), ListedColumns: listedColumns, Casts: c.casts(),
		Types: map[string]string{
			bareNumeric: "DECIMAL(38,15)", cutSpelled: "VARCHAR", charSpelled: "VARCHAR", longSpelled: "VARCHAR", blanksSpelled: "VARCHAR", "name": "VARCHAR", "xid": "BIGINT", "cid": "BIGINT", "jsonb": "JSON", "citext": "VARCHAR", "int2vector": "INTEGER[]", "oidvector": "BIGINT[]",
			"aclitem": "VARCHAR", "pg_node_tree": "VARCHAR", "cstring": "VARCHAR", "unknown": "VARCHAR", "cardinal_number": "INTEGER", "sql_identifier": "VARCHAR",
			"character_data": "VARCHAR", "yes_or_no": "VARCHAR", "money": "DECIMAL(18,2)", "inet": "VARCHAR", "xml": "VARCHAR",
		},
		Zeros:      map[string]string{"typinput": "-", "typoutput": "-", "typreceive": "-", "typsend": "-", "typmodin": "-", "typmodout": "-", "typanalyze": "-", "typsubscript": "-"},
		Named:      map[string]string{"oid": "proname"},
		NullsLarge: true, NullsText: true, RowsByPart: true, List: List, Lone: []string{
			"string_to_array",
			"generate_series", "unnest", "generate_subscripts", "regexp_matches", "regexp_split_to_table", "string_to_table", "json_object_keys", "jsonb_object_keys",
			"json_array_elements_text", "json_array_elements", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_path_query",
		},
		Column: func(_ int, head string) string {
			if head == "" {
				return "?column?"
			}
			return shownHead(head)
		},
	}
	for _, name := range ofSession {
		d.Functions[saidPrefix+name] = sqltext.As("$1")
		d.Tables[saidPrefix+name] = sqltext.As("SELECT $1 AS " + name)
	}
	for name, said := range fixedFunctions {
		d.Functions[name] = sqltext.As(said)
	}
	for name, said := range answered {
		d.Functions[name] = sqltext.Whatever(said)
	}
	maps.Copy(d.Functions, map[string]sqltext.Template{
		"format_type": c.formatType, "to_char": toChar, "to_date": dated("CAST(strptime($1, %s) AS DATE)"), "to_timestamp": toTimestamp, "format": format,
		"~~": like("like_escape"), "!~~": like("not_like_escape"), "~~*": like("ilike_escape"), "!~~*": like("not_ilike_escape"),
		"generate_series": series, "lpad": padded("lpad"), "rpad": padded("rpad"), "unnest": unnest, "to_regtype": c.toRegtype,
		"current_setting": sqltext.Whatever("(SELECT tarn_name FROM pg_catalog.tarn_names WHERE tarn_kind = 'setting' AND tarn_bare = lower($1))"),
		"substr":          substring, "substring": substring, "pg_get_indexdef": indexText, "pg_get_viewdef": viewText, "obj_description": comment,
		"to_regclass": regclass, "regexp_match": regexpMatch, "regexp_matches": regexpMatches("%s"),
		"regexp_like": matching("regexp_matches($1, $2%s)"), "regexp_split_to_array": matching("regexp_split_to_array($1, $2%s)"),
		"array_length": dimension("CAST(nullif(len($1), 0) AS INTEGER)", "CAST(NULL AS INTEGER)"), "array_upper": dimension("CAST(nullif(len($1), 0) AS INTEGER)", "CAST(NULL AS INTEGER)"),
		"array_lower":     dimension("CASE WHEN len($1) > 0 THEN 1 END", "CAST(NULL AS INTEGER)"),
		"string_to_array": stringToArray, "btrim": renamed("trim"),
		"json_build_object": renamed("json_object"), "jsonb_build_object": renamed("json_object"), "json_build_array": renamed("json_array"),
		"jsonb_build_array": renamed("json_array"), "encode": encoded, "decode": decoded,
		"date_part": extract, partSpelled: datePart, "set_config": setConfig,
		"array_extract": vector, "%": remainder, "mod": remainder, "concat": ofTexts("concat", 0), "concat_ws": ofTexts("concat_ws", 1),
		"regexp_replace": regexpReplace, "split_part": splitPart, "timezone": timezone,
		"pg_size_pretty": sqltext.As(sizePretty), "pg_relation_size": sized, "pg_table_size": sized, "pg_total_relation_size": sized,
	})
	maps.Copy(d.Functions, jsonFunctions())
	maps.Copy(d.Functions, formFunctions())
	maps.Copy(d.Functions, added())
	maps.Copy(d.Listed, pathTables())
	maps.Copy(d.Tables, eachTables())
	return d
}

// saidPrefix is before the names of functions that a door has answered already.
const saidPrefix = "tarn_said_"

// ofSession are those functions.
var ofSession = []string{
	"current_user", "session_user", "user", "current_catalog", "current_database", "current_schema", "version", "pg_backend_pid", "pg_is_in_recovery", "current_setting",
}

// Said is a call, by one of those names, that has the value of an expression.
func Said(name, value string) string { return saidPrefix + strings.ToLower(name) + "(" + value + ")" }

// shownHead is a column's name as PostgreSQL has it, where DuckDB's parser calls the function otherwise.
func shownHead(head string) string {
	if name, ok := strings.CutPrefix(head, saidPrefix); ok {
		return name
	}
	switch head {
	case "list_value":
		return "array"
	case "integer":
		return "int4"
	case "bigint":
		return "int8"
	case "smallint":
		return "int2"
	case "varchar":
		return "text"
	case "boolean":
		return "bool"
	case "double":
		return "float8"
	case "float":
		return "float4"
	case "decimal", bareNumeric:
		return "numeric"
	case "timestamp with time zone":
		return "timestamptz"
	case "date_part":
		return "extract"
	case partSpelled:
		return "date_part"
	case "list":
		return "array_agg"
	case "quantile_cont":
		return "percentile_cont"
	case "quantile_disc":
		return "percentile_disc"
	case cutSpelled:
		return "varchar"
	case charSpelled, longSpelled, blanksSpelled:
		return "bpchar"
	case "timestamp_s", "timestamp_ms":
		return "timestamp"
	case "blob":
		return "bytea"
	case "time with time zone":
		return "timetz"
	case "trim":
		return "btrim"
	case "regexp_full_match":
		return "?column?"
	}
	return head
}

// named asks the names of things; $1 is an OID.
func named(kind, what string) string {
	return "(SELECT " + what + " FROM pg_catalog.tarn_names WHERE tarn_kind = '" + kind + "' AND tarn_oid = CAST($1 AS BIGINT))"
}

// allSizes is the size of all tables.
const allSizes = "(SELECT CAST(coalesce(sum(tarn_bytes), 0) AS BIGINT) FROM pg_catalog.tarn_names WHERE tarn_kind = 'class')"

const yes, no, nothing = "true", "false", "CAST(NULL AS VARCHAR)"

// answered are functions that are asked of the catalog, whose further arguments change nothing: in how pretty a form, of which role.
var answered = map[string]string{
	"pg_get_userbyid":    "(SELECT tarn_name FROM pg_catalog.tarn_names WHERE tarn_kind = 'role')",
	"pg_type_is_visible": yes, "pg_function_is_visible": yes,
	"pg_operator_is_visible": yes, "pg_collation_is_visible": yes, "pg_opclass_is_visible": yes, "pg_opfamily_is_visible": yes, "pg_conversion_is_visible": yes,
	"pg_statistics_obj_is_visible": yes, "pg_ts_config_is_visible": yes, "pg_ts_dict_is_visible": yes, "pg_ts_parser_is_visible": yes, "pg_ts_template_is_visible": yes,
	"has_table_privilege": yes, "has_schema_privilege": yes, "has_database_privilege": yes, "has_column_privilege": yes, "has_any_column_privilege": yes,
	"has_function_privilege": yes, "has_language_privilege": yes, "has_type_privilege": yes, "has_sequence_privilege": yes, "has_tablespace_privilege": yes, "pg_has_role": yes,
	"pg_get_expr": "CAST($1 AS VARCHAR)", "pg_get_constraintdef": named(ofConstraint, "tarn_name"), "pg_get_serial_sequence": nothing, "pg_get_partkeydef": nothing, "pg_get_ruledef": nothing,
	"pg_get_triggerdef": nothing, "pg_get_statisticsobjdef": nothing, "pg_get_statisticsobjdef_columns": nothing, "pg_get_functiondef": nothing, "pg_get_function_sqlbody": nothing,
	"shobj_description": nothing, "pg_encoding_to_char": "'UTF8'", "pg_char_to_encoding": "6", "pg_relation_is_publishable": no, "pg_is_other_temp_schema": no, "pg_my_temp_schema": "0",
	"pg_indexes_size": "CAST(0 AS BIGINT)", "pg_database_size": allSizes, "pg_tablespace_size": allSizes, "pg_tablespace_location": nothing, "pg_stat_get_numscans": "CAST(NULL AS BIGINT)",
	"pg_relation_is_updatable": "0", "pg_column_is_updatable": no, "acldefault": "CAST(NULL AS VARCHAR[])", "pg_get_replica_identity_index": "CAST(NULL AS BIGINT)",
	"pg_blocking_pids": "CAST([] AS INTEGER[])", "row_security_active": no,
}

// fixedFunctions are always written in one way.
var fixedFunctions = map[string]string{
	"regexp_full_match": "regexp_matches($1, $2)", "~": "regexp_matches($1, $2)", "!~": "NOT regexp_matches($1, $2)",
	"~*": "regexp_matches($1, $2, 'i')", "!~*": "NOT regexp_matches($1, $2, 'i')",
	"pg_table_is_visible":       "coalesce(" + named(ofClass, "tarn_visible") + ", false)",
	"pg_get_function_arguments": named(ofFunction, "tarn_name"), "pg_get_function_identity_arguments": named(ofFunction, "tarn_name"),
	"pg_get_function_result": named(ofFunction, "tarn_full"), "col_description": "(SELECT tarn_name FROM pg_catalog.tarn_names WHERE tarn_kind = 'comment' AND tarn_oid = CAST($1 AS BIGINT) AND tarn_sub = $2)",
	"current_schemas":   "(SELECT list(tarn_name ORDER BY tarn_rank) FROM pg_catalog.tarn_names WHERE tarn_kind = 'path' AND ($1 OR tarn_rank > 0))",
	"pg_conf_load_time": "now()", "pg_postmaster_start_time": "now()", "inet_server_addr": nothing, "inet_client_addr": nothing, "inet_server_port": "5433",
	"txid_current": "0", "pg_last_wal_receive_lsn": nothing,
	"clock_timestamp": "now()", "statement_timestamp": "now()", "transaction_timestamp": "now()",
	"quote_literal": "'''' || replace(CAST($1 AS VARCHAR), '''', '''''') || ''''", "quote_nullable": "coalesce('''' || replace(CAST($1 AS VARCHAR), '''', '''''') || '''', 'NULL')",
	"quote_ident": `CASE WHEN regexp_full_match($1, '[a-z_][a-z0-9_$]*') THEN $1 ELSE '"' || replace($1, '"', '""') || '"' END`,
	"cardinality": "CAST(len($1) AS INTEGER)",
	"length":      "CAST(length($1) AS INTEGER)", "char_length": "CAST(length($1) AS INTEGER)", "character_length": "CAST(length($1) AS INTEGER)",
	"strpos": "CAST(strpos($1, $2) AS INTEGER)", "position": "CAST(strpos($1, $2) AS INTEGER)",
	"array_remove": "list_filter($1, lambda tarn_x: tarn_x IS DISTINCT FROM $2)",
	"array_cat":    "list_concat($1, $2)", "array_append": "list_append($1, $2)", "array_prepend": "list_prepend($1, $2)",
	"generate_subscripts": "unnest(CASE WHEN $2 = 1 THEN range(1, len($1) + 1) ELSE [] END)", "_pg_expandarray": "unnest(list_transform($1, lambda tarn_x, tarn_n: {'x': tarn_x, 'n': tarn_n}))",
	"row_to_json": "to_json($1)", "to_jsonb": "to_json($1)", "array_to_json": "to_json($1)",
	"bit_length": "CAST(bit_length($1) AS INTEGER)", "to_hex": "lower(to_hex($1))", "sha256": "unhex(sha256($1))",
	"initcap": "array_to_string(list_transform(regexp_extract_all($1, '[[:alnum:]]+|[^[:alnum:]]+'), lambda tarn_x: upper(tarn_x[1]) || lower(tarn_x[2:])), '')",
	"div":     "trunc($1 / CASE WHEN $2 = 0 THEN " + byZero + " ELSE $2 END)", "every": "bool_and($1)", "timeofday": "CAST(now() AS VARCHAR)",
	"isfinite": "isfinite($1)", "make_timestamp": "make_timestamp($1, $2, $3, $4, $5, $6)", "bool_or": "bool_or($1)",
	"pg_get_keywords": "NULL", "regexp_count": "CAST(len(regexp_extract_all($1, $2)) AS INTEGER)",
}

// keywords are those that SQL's standard has not.
var keywords = []string{
	"analyse", "analyze", "anti", "asof", "concurrently", "do", "freeze", "glob", "ilike", "isnull", "lambda", "lateral", "limit", "notnull", "offset", "pivot", "placing",
	"positional", "qualify", "returning", "semi", "summarize", "unpivot", "variadic", "verbose",
}

// tableFunctions are those of a FROM.
func tableFunctions() map[string]sqltext.Template {
	empty := func(columns string) sqltext.Template { return sqltext.Whatever("SELECT " + columns + " WHERE false") }
	return map[string]sqltext.Template{
		"pg_get_keywords":           sqltext.As("SELECT unnest(" + texts(keywords) + ") AS word, 'R' AS catcode, false AS barelabel, 'reserved' AS catdesc, 'requires AS' AS baredesc"),
		"pg_options_to_table":       empty("'' AS option_name, '' AS option_value"),
		"aclexplode":                empty("0 AS grantor, 0 AS grantee, '' AS privilege_type, false AS is_grantable"),
		"pg_get_publication_tables": empty("0 AS relid"),
		"pg_partition_tree":         empty("0 AS relid, 0 AS parentrelid, false AS isleaf, 0 AS level"),
		"pg_partition_ancestors":    empty("0 AS relid"),
		"pg_timezone_names":         empty("'' AS name, '' AS abbrev, INTERVAL 0 SECOND AS utc_offset, false AS is_dst"),
		"pg_available_extensions":   empty("'' AS name, '' AS default_version, '' AS comment"),
		"pg_show_all_settings":      sqltext.As("SELECT * FROM pg_catalog.pg_settings"),
		"generate_series":           wholeSeries,
		"pg_stat_get_activity":      sqltext.Whatever("SELECT * FROM pg_catalog.pg_stat_activity"),
		"generate_subscripts":       sqltext.As("SELECT unnest(CASE WHEN $2 = 1 THEN range(1, len($1) + 1) ELSE [] END) AS generate_subscripts"),
		"regexp_matches":            regexpMatches("SELECT %s AS regexp_matches"),
		"regexp_split_to_table":     matching("SELECT unnest(regexp_split_to_array($1, $2%s)) AS regexp_split_to_table"),
		"string_to_array": func(args []sqltext.Argument) (string, error) {
			said, err := stringToArray(args)
			return "SELECT " + said + " AS string_to_array", err
		},
		"string_to_table": sqltext.As("SELECT unnest(string_split($1, $2)) AS string_to_table"),
		"_pg_expandarray": sqltext.As("SELECT tarn_i.x, tarn_i.n FROM (SELECT unnest(list_transform($1, lambda tarn_x, tarn_n: {'x': tarn_x, 'n': tarn_n})) AS tarn_i)"),
	}
}

// casts are those to PostgreSQL's types of things of the catalog: a literal name becomes its OID, and an OID that is
// no literal becomes its name, for that is what is asked of either.
func (c *catalog) casts() map[string]sqltext.Template {
	text := sqltext.As("CAST($1 AS VARCHAR)")
	return map[string]sqltext.Template{
		"regclass": regclass,
		"regnamespace": func(args []sqltext.Argument) (string, error) {
			if args[0].Text != nil {
				return "(SELECT tarn_oid FROM pg_catalog.tarn_names WHERE tarn_kind = 'namespace' AND tarn_bare = " + duck.Quote(unquoted(*args[0].Text)) + ")", nil
			}
			return named(ofNamespace, "tarn_name"), nil
		},
		"regtype": func(args []sqltext.Argument) (string, error) {
			if args[0].Text == nil {
				return c.formatType(args)
			}
			name := strings.ToLower(strings.TrimPrefix(unquoted(*args[0].Text), "pg_catalog."))
			if oid, ok := c.typeNames[name]; ok {
				return strconv.FormatInt(oid, 10), nil
			}
			if n, err := strconv.ParseInt(name, 10, 64); err == nil {
				return strconv.FormatInt(n, 10), nil
			}
			return "", fault.Newf(fault.NotFound, "", "type %q does not exist", *args[0].Text)
		},
		"regproc": text, "regprocedure": text, "regoper": text, "regoperator": text, "regconfig": text, "regdictionary": text, "regcollation": text,
		cutSpelled: cut(false), charSpelled: cut(true), longSpelled: cut(true), blanksSpelled: cut(true), "blob": toBytes,
		"date": toTime("DATE"), "timestamp": toTime("TIMESTAMP"), "timestamp with time zone": toTime("TIMESTAMPTZ"),
		"regrole": func(args []sqltext.Argument) (string, error) {
			if args[0].Text != nil {
				return strconv.Itoa(oidOwner), nil
			}
			return answered["pg_get_userbyid"], nil
		},
		"bit": text, "varbit": text,
	}
}

func regclass(args []sqltext.Argument) (string, error) {
	if len(args) != 1 || args[0].Text == nil {
		return "coalesce(" + named(ofClass, "tarn_name") + ", CAST($1 AS VARCHAR))", nil
	}
	if n, err := strconv.ParseInt(*args[0].Text, 10, 64); err == nil {
		return strconv.FormatInt(n, 10), nil
	}
	name := duck.Quote(unquoted(strings.TrimPrefix(*args[0].Text, "lake.")))
	return "(SELECT tarn_oid FROM pg_catalog.tarn_names WHERE tarn_kind = 'class' AND (tarn_full = " + name + " OR tarn_bare = " + name + " AND tarn_rank < 1048576) ORDER BY tarn_rank LIMIT 1)", nil
}

// unquoted is a name of parts, as its parts are called.
func unquoted(name string) string {
	in, err := sqltext.NewReader(name)
	if err != nil {
		return name
	}
	parts, err := in.Name()
	if err != nil || in.Peek().Kind != sqltext.End {
		return name
	}
	return strings.Join(parts, ".")
}

// toRegtype is the OID of a type, null where there is none.
func (c *catalog) toRegtype(args []sqltext.Argument) (string, error) {
	if len(args) == 1 && args[0].Text != nil {
		if oid, ok := c.typeNames[strings.ToLower(strings.TrimPrefix(unquoted(*args[0].Text), "pg_catalog."))]; ok {
			return strconv.FormatInt(oid, 10), nil
		}
	}
	return "CAST(NULL AS BIGINT)", nil
}

// unnest takes a list that is a literal text, as of = ANY('{a,b}').
func unnest(args []sqltext.Argument) (string, error) {
	if len(args) != 1 || args[0].Text == nil {
		return "", nil
	}
	if written, ok := List(*args[0].Text); ok {
		return "unnest(CAST(" + duck.Quote(written) + " AS VARCHAR[]))", nil
	}
	return "unnest(CAST($1 AS VARCHAR[]))", nil
}

// series in a select list is a row for each of its values.
func series(args []sqltext.Argument) (string, error) {
	said := called("generate_series", len(args))
	if !slices.ContainsFunc(args, func(a sqltext.Argument) bool { return a.Type != "INTEGER" }) {
		said = "CAST(" + said + " AS INTEGER[])"
	}
	return "unnest(" + said + ")", nil
}

// wholeSeries in a FROM is of integers where it is between such ones that are written out.
func wholeSeries(args []sqltext.Argument) (string, error) {
	if len(args) < 2 || len(args) > 3 || slices.ContainsFunc(args, func(a sqltext.Argument) bool { return a.Class != "CONSTANT" || a.Type != "INTEGER" }) {
		return "", nil
	}
	return "SELECT CAST(tarn_s AS INTEGER) AS generate_series FROM " + called("generate_series", len(args)) + " AS tarn_g(tarn_s)", nil
}

// padded fills up with blanks unless it is told with what.
func padded(name string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) == 2 {
			return name + "($1, $2, ' ')", nil
		}
		return "", nil
	}
}

// formatType names a type by its OID and modifier.
func (c *catalog) formatType(args []sqltext.Argument) (string, error) {
	var b strings.Builder
	b.WriteString("CASE WHEN $1 IS NULL THEN NULL ELSE coalesce(MAP {0: '-'")
	for _, t := range c.types {
		b.WriteString(", " + strconv.FormatInt(t.oid, 10) + ": " + duck.Quote(t.shown))
	}
	b.WriteString("}[CAST($1 AS BIGINT)], '???')")
	if len(args) > 1 {
		b.WriteString(" || CASE WHEN $1 = 1700 AND $2 > 0 THEN '(' || (($2 - 4) >> 16) || ',' || (($2 - 4) & 65535) || ')' WHEN $1 IN (1042, 1043) AND $2 > 0 THEN '(' || ($2 - 4) || ')' ELSE '' END")
	}
	b.WriteString(" END")
	return b.String(), nil
}

func indexText(args []sqltext.Argument) (string, error) {
	if len(args) < 2 {
		return named(ofIndex, "tarn_name"), nil
	}
	return "(SELECT CASE WHEN $2 = 0 THEN tarn_name ELSE tarn_parts[$2] END FROM pg_catalog.tarn_names WHERE tarn_kind = 'index' AND tarn_oid = CAST($1 AS BIGINT))", nil
}

func viewText(args []sqltext.Argument) (string, error) {
	of, err := "$1", error(nil)
	if len(args) > 0 && args[0].Text != nil {
		of, err = regclass(args[:1])
	}
	return strings.ReplaceAll(named(ofView, "tarn_name"), "$1", of), err
}

func comment(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && args[1].Text != nil && *args[1].Text != "pg_class" {
		return nothing, nil
	}
	return "(SELECT tarn_name FROM pg_catalog.tarn_names WHERE tarn_kind = 'comment' AND tarn_oid = CAST($1 AS BIGINT) AND tarn_sub = 0)", nil
}

// renamed is a function of any number of arguments by another name.
func renamed(name string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) { return called(name, len(args)), nil }
}

func called(name string, args int) string {
	marks := make([]string, args)
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	return name + "(" + strings.Join(marks, ", ") + ")"
}
