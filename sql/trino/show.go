//go:build duckdb_arrow

package trino

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/sql/cell"
	"tarn/sql/engine"
)

// show answers what Trino's clients ask about what there is; false for another statement.
func (q *query) show(ctx context.Context, gate *engine.Gate, text string) (*engine.Result, bool, error) {
	in, err := sqltext.NewReader(text)
	if err != nil {
		return nil, false, err
	}
	of := func(r *engine.Result, err error) (*engine.Result, bool, error) { return r, true, err }
	switch {
	case in.Take("SHOW", "CATALOGS"):
		return of(listed(in, "Catalog", [][]string{{catalog.Name}, {systemCatalog}}, nil))
	case in.Take("SHOW", "SCHEMAS"):
		return of(q.showSchemas(ctx, gate, in))
	case in.Take("SHOW", "TABLES"):
		return of(q.showTables(ctx, gate, in))
	case in.Take("SHOW", "COLUMNS"):
		if !in.Take("FROM") && !in.Take("IN") {
			return nil, true, in.Fault("FROM and a table")
		}
		return of(q.describe(ctx, gate, in))
	case in.Take("DESCRIBE"), in.Take("DESC"):
		return of(q.describe(ctx, gate, in))
	case in.Take("SHOW", "FUNCTIONS"):
		return of(showFunctions(in))
	case in.Take("SHOW", "SESSION"):
		return of(listed(in, "Name,Value,Default,Type,Description", q.session.propertyRows(), nil))
	case in.Take("SHOW", "CREATE"):
		return of(q.showCreate(ctx, gate, in))
	case in.Take("SHOW", "STATS", "FOR"):
		return of(q.showStats(ctx, gate, in))
	case in.Take("SHOW", "ROLES"), in.Take("SHOW", "CURRENT", "ROLES"):
		return of(listed(in, "Role", nil, nil))
	case in.Take("SHOW", "ROLE", "GRANTS"):
		return of(listed(in, "Role Grants", nil, nil))
	case in.Take("ANALYZE"):
		return of(q.analyze(ctx, gate, in))
	case in.Take("EXPLAIN"):
		return of(q.explain(ctx, gate, in))
	}
	return nil, false, nil
}

// listed is an answer of texts whose first column passes a LIKE.
func listed(in *sqltext.Reader, names string, rows [][]string, err error) (*engine.Result, error) {
	if err != nil {
		return nil, err
	}
	like, err := pattern(in)
	if err != nil {
		return nil, err
	}
	var out [][]any
	for _, row := range rows {
		if like.MatchString(row[0]) {
			values := make([]any, len(row))
			for i, v := range row {
				values[i] = v
			}
			out = append(out, values)
		}
	}
	return engine.Rows("SHOW", columnsOf(strings.Split(names, ",")...), out)
}

// pattern reads [LIKE 'text' [ESCAPE 'c']] and the end.
func pattern(in *sqltext.Reader) (*regexp.Regexp, error) {
	if !in.Take("LIKE") {
		return regexp.MustCompile(""), in.Done()
	}
	if in.Peek().Kind != sqltext.String {
		return nil, in.Fault("a text such as 'c%'")
	}
	like, escape := in.Next().Value(), ""
	if in.Take("ESCAPE") {
		if in.Peek().Kind != sqltext.String {
			return nil, in.Fault("a text of one character")
		}
		escape = in.Next().Value()
	}
	if err := in.Done(); err != nil {
		return nil, err
	}
	var form strings.Builder
	for rest := like; rest != ""; {
		if escape != "" && strings.HasPrefix(rest, escape) && len(rest) > len(escape) {
			rest = rest[len(escape):]
			form.WriteString(regexp.QuoteMeta(rest[:1]))
			rest = rest[1:]
			continue
		}
		r := []rune(rest)[0]
		switch r {
		case '%':
			form.WriteString(".*")
		case '_':
			form.WriteString(".")
		default:
			form.WriteString(regexp.QuoteMeta(string(r)))
		}
		rest = rest[len(string(r)):]
	}
	return regexp.Compile("(?s)^" + form.String() + "$")
}

// texts reads all of a statement's answer, as texts.
func (q *query) texts(ctx context.Context, gate *engine.Gate, text string) (out [][]string, _ error) {
	r, err := gate.Run(ctx, q.request(text))
	if err != nil {
		return nil, unplaced(err)
	}
	defer r.Close()
	for r.Reader.Next() {
		out = append(out, batchTexts(r.Reader.RecordBatch())...)
	}
	return out, r.Reader.Err()
}

func batchTexts(b arrow.RecordBatch) (out [][]string) {
	for i := range int(b.NumRows()) {
		row := make([]string, b.NumCols())
		for n := range row {
			value, _ := cell.Append(nil, b.Column(n), i)
			row[n] = string(value)
		}
		out = append(out, row)
	}
	return out
}

// unplaced takes the place off an error of a text that the asker has not written.
func unplaced(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Line > 0 {
		told := *f
		told.Line, told.Column = 0, 0
		return &told
	}
	return err
}

func (q *query) showSchemas(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	if in.Take("FROM") || in.Take("IN") {
		parts, err := in.Name()
		if err != nil {
			return nil, err
		}
		name := strings.ToLower(parts[len(parts)-1])
		if err := knownCatalog(name); err != nil {
			return nil, err
		}
		if name == systemCatalog {
			return listed(in, "Schema", [][]string{{"information_schema"}, {"jdbc"}, {"metadata"}, {"runtime"}}, nil)
		}
	}
	rows, err := q.texts(ctx, gate, "SELECT schema_name FROM information_schema.schemata ORDER BY 1")
	return listed(in, "Schema", rows, err)
}

func (q *query) showTables(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	schema, named := q.session.schema, catalog.Name
	if in.Take("FROM") || in.Take("IN") {
		parts, err := in.Name()
		if err != nil {
			return nil, err
		}
		schema = strings.ToLower(parts[len(parts)-1])
		if len(parts) > 1 {
			named = strings.ToLower(parts[0])
		}
	}
	if err := knownCatalog(named); err != nil {
		return nil, err
	}
	if schema == "" {
		return nil, failure{"MISSING_SCHEMA_NAME", fault.New(fault.Invalid, "Schema must be specified when session schema is not set", "say USE, or SHOW TABLES FROM silver")}
	}
	if named == systemCatalog {
		schema = "system_" + schema
	}
	if tables, own := q.dialect.Schemas[schema]; own {
		var rows [][]string
		for name := range tables {
			rows = append(rows, []string{name})
		}
		slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		return listed(in, "Table", rows, nil)
	}
	known, err := q.texts(ctx, gate, "SELECT 1 FROM information_schema.schemata WHERE schema_name = "+sqltext.Literal(schema))
	if err == nil && len(known) == 0 {
		err = failure{"SCHEMA_NOT_FOUND", fault.Newf(fault.NotFound, "see SHOW SCHEMAS", "Schema '%s' does not exist", schema)}
	}
	if err != nil {
		return nil, err
	}
	rows, err := q.texts(ctx, gate, "SELECT table_name FROM information_schema.tables WHERE table_schema = "+sqltext.Literal(schema)+" ORDER BY 1")
	return listed(in, "Table", rows, err)
}

// shapeOf are the columns of the table whose name follows.
func (q *query) shapeOf(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (name string, _ []engine.ShapeColumn, _ error) {
	parts, err := in.Name()
	if err != nil {
		return "", nil, err
	}
	for i, p := range parts {
		parts[i] = strings.ToLower(p)
	}
	name = sqltext.Name(parts...)
	said, err := rewrite("SELECT * FROM "+name, q.session)
	if err != nil {
		return "", nil, err
	}
	shape, err := gate.Shape(ctx, q.request(said.text), nil)
	return name, shape.Columns, unplaced(err)
}

func (q *query) describe(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	_, columns, err := q.shapeOf(ctx, gate, in)
	var rows [][]string
	for _, c := range columns {
		rows = append(rows, []string{c.Name, typeNamed(c.Type).String(), "", ""})
	}
	return listed(in, "Column,Type,Extra,Comment", rows, err)
}

func showFunctions(in *sqltext.Reader) (*engine.Result, error) {
	if in.Take("FROM") || in.Take("IN") {
		if _, err := in.Name(); err != nil {
			return nil, err
		}
	}
	names := sqltext.Functions()
	for name := range Words().Functions {
		if name[0] >= 'a' && name[0] <= 'z' {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var rows [][]string
	for _, name := range slices.Compact(names) {
		rows = append(rows, []string{name, "", "", "scalar", "true", ""})
	}
	return listed(in, "Function,Return Type,Argument Types,Function Type,Deterministic,Description", rows, nil)
}

func (q *query) showCreate(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	switch {
	case in.Take("TABLE"):
		name, columns, err := q.shapeOf(ctx, gate, in)
		if err == nil {
			err = in.Done()
		}
		if err != nil {
			return nil, err
		}
		lines := make([]string, len(columns))
		for i, c := range columns {
			lines[i] = "   " + sqltext.Name(c.Name) + " " + typeNamed(c.Type).String()
		}
		text := "CREATE TABLE " + q.full(name) + " (\n" + strings.Join(lines, ",\n") + "\n)\nWITH (\n   format = 'PARQUET'\n)"
		return engine.Rows("SHOW CREATE TABLE", columnsOf("Create Table"), [][]any{{text}})
	case in.Take("VIEW"):
		parts, err := in.Name()
		if err == nil {
			err = in.Done()
		}
		if err != nil {
			return nil, err
		}
		where := "table_name = " + sqltext.Literal(strings.ToLower(parts[len(parts)-1]))
		if schema := q.session.schema; len(parts) > 1 || schema != "" {
			if len(parts) > 1 {
				schema = strings.ToLower(parts[len(parts)-2])
			}
			where += " AND table_schema = " + sqltext.Literal(schema)
		}
		rows, err := q.texts(ctx, gate, "SELECT table_schema, table_name, view_definition FROM information_schema.views WHERE "+where)
		if err == nil && len(rows) == 0 {
			err = failure{"TABLE_NOT_FOUND", fault.Newf(fault.NotFound, "see SHOW TABLES", "there is no view %s", strings.Join(parts, "."))}
		}
		if err != nil {
			return nil, err
		}
		text := "CREATE VIEW " + sqltext.Name(catalog.Name, rows[0][0], rows[0][1]) + " SECURITY INVOKER AS\n" + rows[0][2]
		return engine.Rows("SHOW CREATE VIEW", columnsOf("Create View"), [][]any{{text}})
	case in.Take("SCHEMA"):
		parts, err := in.Name()
		if err == nil {
			err = in.Done()
		}
		if err != nil {
			return nil, err
		}
		return engine.Rows("SHOW CREATE SCHEMA", columnsOf("Create Schema"), [][]any{{"CREATE SCHEMA " + sqltext.Name(catalog.Name, strings.ToLower(parts[len(parts)-1]))}})
	}
	return nil, in.Fault("TABLE, VIEW or SCHEMA")
}

// full is a table's name with its catalog, and its schema as far as it is known.
func (q *query) full(name string) string {
	switch strings.Count(name, ".") {
	case 0:
		if q.session.schema == "" {
			return name
		}
		return sqltext.Name(catalog.Name, q.session.schema) + "." + name
	case 1:
		return catalog.Name + "." + name
	}
	return name
}

// showStats is SHOW STATS FOR table: only the number of rows is known.
func (q *query) showStats(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	name, columns, err := q.shapeOf(ctx, gate, in)
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return nil, err
	}
	count, err := q.texts(ctx, gate, "SELECT count(*) FROM "+name)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	text.WriteString("SELECT column_name, CAST(NULL AS DOUBLE) AS data_size, CAST(NULL AS DOUBLE) AS distinct_values_count, CAST(NULL AS DOUBLE) AS nulls_fraction, " +
		"row_count, CAST(NULL AS VARCHAR) AS low_value, CAST(NULL AS VARCHAR) AS high_value FROM (VALUES ")
	for _, c := range columns {
		text.WriteString("(" + sqltext.Literal(c.Name) + ", CAST(NULL AS DOUBLE)), ")
	}
	return gate.Run(ctx, q.request(text.String()+"(NULL, CAST("+count[0][0]+" AS DOUBLE))) AS s(column_name, row_count)"))
}

// analyze is ANALYZE table: what it would gather is known of each file, so it answers how many rows there are.
func (q *query) analyze(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	name, _, err := q.shapeOf(ctx, gate, in)
	if err != nil {
		return nil, err
	}
	rows, err := q.texts(ctx, gate, "SELECT count(*) FROM "+name)
	if err != nil {
		return nil, err
	}
	count, err := strconv.ParseInt(rows[0][0], 10, 64)
	if err != nil {
		return nil, err
	}
	q.tag, q.count = "ANALYZE", &count
	return engine.Rows(q.tag, columnsOf("rows bigint"), [][]any{{count}})
}

// unestimated is what EXPLAIN (TYPE IO) answers of a statement that nothing is estimated of, as Trino does without statistics.
const unestimated = `{"inputTableColumnInfos":[],"estimate":{"outputRowCount":"NaN","outputSizeInBytes":"NaN","cpuCost":"NaN","maxMemory":"NaN","networkCost":"NaN"}}`

// explain is EXPLAIN [ANALYZE] [VERBOSE] [(TYPE …, FORMAT …)] statement.
func (q *query) explain(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	verb := "EXPLAIN "
	if in.Take("ANALYZE") {
		verb = "EXPLAIN ANALYZE "
	}
	in.Take("VERBOSE")
	validate, io, asJSON := false, false, false
	if in.Take("(") {
		for !in.Take(")") {
			if t := in.Next(); t.Kind == sqltext.End {
				return nil, in.Fault("a parenthesis")
			} else if t.Is("VALIDATE") {
				validate = true
			} else if t.Is("IO") {
				io = true
			} else if t.Is("JSON") {
				asJSON = true
			} else if t.Is("GRAPHVIZ") {
				return nil, unsupported("leave it out", "EXPLAIN answers a text or JSON, not %s", t.Text)
			}
		}
	}
	said, err := rewrite(in.Rest(), q.session)
	if err != nil {
		return nil, err
	}
	if validate {
		if _, err := gate.Shape(ctx, q.request(said.text), nil); err != nil {
			return nil, unplaced(err)
		}
		return engine.Rows("EXPLAIN", columnsOf("Valid boolean"), [][]any{{true}})
	}
	if io {
		if _, err := gate.Shape(ctx, q.request(said.text), nil); err != nil {
			return nil, placed(err, said)
		}
		return engine.Rows("EXPLAIN", columnsOf("Query Plan"), [][]any{{unestimated}})
	}
	lines, err := q.texts(ctx, gate, verb+said.text)
	if err != nil {
		return nil, err
	}
	plan := make([]string, len(lines))
	for i, l := range lines {
		plan[i] = l[0]
	}
	if asJSON {
		told, err := json.Marshal(map[string]any{"0": map[string]any{"id": "0", "name": "DuckDB", "descriptor": struct{}{}, "outputs": []any{}, "details": plan, "estimates": []any{}, "children": []any{}}})
		if err != nil {
			return nil, err
		}
		plan = []string{string(told)}
	}
	return engine.Rows("EXPLAIN", columnsOf("Query Plan"), [][]any{{strings.Join(plan, "\n")}})
}

// placed puts the place of an error in a rewritten statement where it is in what the asker has written.
func placed(err error, r rewritten) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Line == 0 {
		return err
	}
	told := *f
	own, isOwn := errors.AsType[failure](err)
	out := sqltext.At(&told, r.source, r.place(offsetOf(r.text, f.Line, f.Column)))
	if isOwn {
		return failure{own.name, out}
	}
	return out
}

// offsetOf is the place of a line and column in bytes.
func offsetOf(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			return len(text)
		}
		at += n + 1
	}
	for i := range text[at:] {
		if column--; column == 0 {
			return at + i
		}
	}
	return len(text)
}
