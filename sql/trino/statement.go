//go:build duckdb_arrow

package trino

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/sql/engine"
)

// statement runs the query's text. The result is nil for a statement without rows.
func (q *query) statement(ctx context.Context, gate *engine.Gate) (*engine.Result, error) {
	one, err := sqltext.One(q.text)
	if err != nil {
		return nil, err
	}
	in, err := sqltext.NewReader(one.Text)
	if err != nil {
		return nil, err
	}
	done, err := q.sessionStatement(in)
	if done || err != nil {
		return nil, err
	}
	switch {
	case in.Take("EXECUTE", "IMMEDIATE"):
		if in.Peek().Kind != sqltext.String {
			return nil, in.Fault("the statement as a text")
		}
		return q.execute(ctx, gate, in.Next().Value(), in)
	case in.Take("EXECUTE"):
		text, err := q.preparedNamed(in)
		if err != nil {
			return nil, err
		}
		return q.execute(ctx, gate, text, in)
	case in.Take("DESCRIBE", "INPUT"):
		return q.describeInput(ctx, gate, in)
	case in.Take("DESCRIBE", "OUTPUT"):
		return q.describeOutput(ctx, gate, in)
	}
	return q.plain(ctx, gate, q.text)
}

// plain runs a statement that is not about the session.
func (q *query) plain(ctx context.Context, gate *engine.Gate, text string) (*engine.Result, error) {
	if err := knownCatalog(cmp.Or(q.session.catalog, catalog.Name)); err != nil {
		return nil, err
	}
	if err := refused(text); err != nil {
		return nil, err
	}
	if result, done, err := q.show(ctx, gate, text); done || err != nil {
		return result, err
	}
	said, err := rewrite(text, q.session)
	if err != nil {
		return nil, err
	}
	result, err := gate.Run(ctx, q.request(said.text))
	if err != nil {
		return result, placed(err, said)
	}
	return q.counted(result)
}

// counted is the answer of a statement that changed rows as Trino has it: their number. One of a command that has nothing but its
// tag to say has no rows.
func (q *query) counted(result *engine.Result) (*engine.Result, error) {
	if !result.Told() {
		return result, nil
	}
	q.tag, q.count = result.Tag, result.Changed
	for result.Reader.Next() {
	}
	err := result.Reader.Err()
	result.Close()
	if err != nil || q.count == nil {
		return nil, err
	}
	return engine.Rows(q.tag, columnsOf("rows bigint"), [][]any{{*q.count}})
}

// lacking are statements of Trino's that Tarn does not have.
var lacking = []string{"CALL", "GRANT", "REVOKE", "DENY", "ALTER SCHEMA", "REFRESH"}

func refused(text string) error {
	verbs := sqltext.Verbs(text, 2)
	if slices.Equal(verbs, []string{"CREATE", "INDEX"}) { // which pandas' to_sql sends, and Trino's parser does not know
		return failure{"SYNTAX_ERROR", fault.New(fault.Syntax, "mismatched input 'INDEX': a table has no index", "leave it out: files are skipped by their bounds; say index=False to pandas' to_sql")}
	}
	for n := len(verbs); n > 0; n-- {
		if said := strings.Join(verbs[:n], " "); slices.Contains(lacking, said) {
			return unsupported("the lake's tables are filled by sources and pipelines; make those with tarn sql", "%s is not answered to Trino's clients", said)
		}
	}
	return nil
}

func (q *query) request(text string) engine.Request {
	r := engine.Request{Text: text, Principal: q.who, Timeout: q.session.timeout(), Typed: true, Dialect: q.dialect, Noted: q.noted.Store}
	if q.session.schema != "" {
		r.Schemas = []string{q.session.schema}
	}
	return r
}

// sessionStatement answers what is about the session alone, which its client keeps.
func (q *query) sessionStatement(in *sqltext.Reader) (done bool, err error) {
	switch {
	case in.Take("USE"):
		return true, q.use(in)
	case in.Take("PREPARE"):
		return true, q.prepare(in)
	case in.Take("DEALLOCATE", "PREPARE"):
		name, err := ownName(in)
		if _, known := q.session.prepared[name]; err == nil && !known {
			err = errPrepared(name)
		}
		q.tag = "DEALLOCATE"
		q.changed.Set(headDeallocated, url.QueryEscape(name))
		return true, err
	case in.Take("SET", "SESSION"):
		return true, q.set(in)
	case in.Take("RESET", "SESSION"):
		parts, err := in.Name()
		if err == nil {
			err = q.known(strings.Join(parts, "."))
		}
		q.tag = "RESET SESSION"
		q.changed.Set(headClearSession, strings.Join(parts, "."))
		return true, err
	case in.Take("SET", "TIME", "ZONE"):
		return true, q.setZone(in)
	case in.Take("START", "TRANSACTION"):
		q.tag = "START TRANSACTION"
		q.changed.Set(headStarted, q.slug)
		return true, nil
	case in.Take("COMMIT"), in.Take("ROLLBACK"):
		q.tag = strings.ToUpper(sqltext.Verbs(q.text, 1)[0])
		if q.session.transaction == "" || q.session.transaction == "NONE" {
			return true, failure{"NOT_IN_TRANSACTION", fault.New(fault.Invalid, "no transaction is in progress", "")}
		}
		q.changed.Set(headCleared, "true")
		return true, nil
	}
	return false, nil
}

// ownName reads a name that is a session's own: of one part, in lower case unless it is quoted.
func ownName(in *sqltext.Reader) (string, error) {
	t := in.Peek()
	if t.Kind != sqltext.Word && t.Kind != sqltext.Quoted {
		return "", in.Fault("a name")
	}
	in.Next()
	if t.Kind == sqltext.Word {
		return strings.ToLower(t.Name()), nil
	}
	return t.Name(), nil
}

// use is USE [catalog.]schema.
func (q *query) use(in *sqltext.Reader) error {
	parts, err := in.Name()
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return err
	}
	q.tag = "USE"
	named := catalog.Name
	if len(parts) == 2 {
		named = strings.ToLower(parts[0])
	}
	if err := knownCatalog(named); err != nil {
		return err
	}
	if len(parts) == 2 || q.session.catalog == "" {
		q.changed.Set(headSetCatalog, named)
	}
	q.changed.Set(headSetSchema, strings.ToLower(parts[len(parts)-1]))
	return nil
}

// systemCatalog is the one of Trino itself.
const systemCatalog = "system"

func knownCatalog(name string) error {
	if name != catalog.Name && name != systemCatalog {
		return failure{"CATALOG_NOT_FOUND", fault.Newf(fault.NotFound, "the catalog is "+catalog.Name, "there is no catalog %s", name)}
	}
	return nil
}

// prepare is PREPARE name FROM statement: the client keeps it, and sends it with each statement.
func (q *query) prepare(in *sqltext.Reader) error {
	name, err := ownName(in)
	if err != nil {
		return err
	}
	if !in.Take("FROM") {
		return in.Fault("FROM and a statement")
	}
	text := in.Rest()
	if text == "" {
		return in.Fault("a statement")
	}
	encoded := url.QueryEscape(text)
	if len(encoded) > preparedMax {
		return failure{"QUERY_TEXT_TOO_LARGE", fault.Newf(fault.TooLarge, "say EXECUTE IMMEDIATE, which takes the statement itself", "a prepared statement has more than %d bytes", preparedMax)}
	}
	q.tag = "PREPARE"
	q.changed.Set(headAdded, url.QueryEscape(name)+"="+encoded)
	return nil
}

func errPrepared(name string) error {
	return failure{"NOT_FOUND", fault.Newf(fault.NotFound, "say PREPARE first", "there is no prepared statement %s", name)}
}

// preparedNamed is the text of a prepared statement.
func (q *query) preparedNamed(in *sqltext.Reader) (string, error) {
	name, err := ownName(in)
	if err != nil {
		return "", err
	}
	text, ok := q.session.prepared[name]
	if !ok {
		return "", errPrepared(name)
	}
	return text, nil
}

// execute runs a statement with the values behind USING in the place of its question marks.
func (q *query) execute(ctx context.Context, gate *engine.Gate, text string, in *sqltext.Reader) (*engine.Result, error) {
	var values []string
	if in.Take("USING") {
		values = splitList(in.Rest())
	} else if err := in.Done(); err != nil {
		return nil, err
	}
	marks := 0
	bound, err := sqltext.SubstituteMarks(text, func(n int) string {
		if marks = n; n > len(values) {
			return ""
		}
		return values[n-1]
	})
	if err != nil {
		return nil, err
	}
	if marks != len(values) {
		return nil, failure{"INVALID_PARAMETER_USAGE", fault.Newf(fault.Invalid, "name as many values behind USING", "Incorrect number of parameters: expected %d but found %d", marks, len(values))}
	}
	for _, verb := range sqltext.Verbs(bound, 1) {
		if verb == "EXECUTE" || verb == "PREPARE" || verb == "DEALLOCATE" {
			return nil, unsupported("say it by itself", "%s cannot be executed", verb)
		}
	}
	return q.plain(ctx, gate, bound)
}

// splitList cuts at the commas that are not within brackets.
func splitList(list string) (out []string) {
	tokens, err := sqltext.Lex(list)
	if err != nil {
		return []string{list}
	}
	depth, from := 0, 0
	for _, t := range tokens {
		switch {
		case t.Is("("), t.Is("["):
			depth++
		case t.Is(")"), t.Is("]"):
			depth--
		case depth == 0 && t.Is(","):
			out = append(out, strings.TrimSpace(list[from:t.Offset]))
			from = t.Offset + 1
		}
	}
	return append(out, strings.TrimSpace(list[from:]))
}

// numbered writes ? as $1, $2 …, as the Gate has parameters.
func numbered(text string) (string, error) {
	return sqltext.SubstituteMarks(text, func(n int) string { return "$" + strconv.Itoa(n) })
}

// shape tells what a prepared statement takes and gives.
func (q *query) shape(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (engine.Shape, error) {
	text, err := q.preparedNamed(in)
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return engine.Shape{}, err
	}
	if text, err = numbered(text); err != nil {
		return engine.Shape{}, err
	}
	return gate.Shape(ctx, q.request(text), nil)
}

func (q *query) describeInput(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	shape, err := q.shape(ctx, gate, in)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for i, t := range shape.Parameters {
		rows = append(rows, []any{int64(i), typeNamed(t).String()})
	}
	return engine.Rows("DESCRIBE INPUT", columnsOf("Position bigint", "Type"), rows)
}

func (q *query) describeOutput(ctx context.Context, gate *engine.Gate, in *sqltext.Reader) (*engine.Result, error) {
	shape, err := q.shape(ctx, gate, in)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, c := range shape.Columns {
		t := typeNamed(c.Type)
		rows = append(rows, []any{c.Name, "", "", "", t.String(), t.size(), false})
	}
	return engine.Rows("DESCRIBE OUTPUT", columnsOf("Column Name", "Catalog", "Schema", "Table", "Type", "Type Size bigint", "Aliased boolean"), rows)
}

// set is SET SESSION name = value.
func (q *query) set(in *sqltext.Reader) error {
	parts, err := in.Name()
	if err != nil {
		return err
	}
	name := strings.Join(parts, ".")
	if err := q.known(name); err != nil {
		return err
	}
	if !in.Take("=") {
		return in.Fault("= and a value")
	}
	t := in.Next()
	value := t.Value()
	if err := in.Done(); err != nil {
		return err
	}
	if name == zoneProperty {
		if _, err := zoneOf(value); err != nil {
			return err
		}
	}
	if strings.HasPrefix(name, "query_max_") {
		if _, err := duration(value); err != nil {
			return failure{"INVALID_SESSION_PROPERTY", fault.Newf(fault.Invalid, "write '30s' or '5m', say", "%q is no time for %s", value, name)}
		}
	}
	q.tag = "SET SESSION"
	q.changed.Set(headSetSession, name+"="+url.QueryEscape(value))
	return nil
}

// setZone is SET TIME ZONE 'Europe/Paris', or LOCAL for the client's own.
func (q *query) setZone(in *sqltext.Reader) error {
	q.tag = "SET TIME ZONE"
	t := in.Next()
	if err := in.Done(); err != nil {
		return err
	}
	if t.Is("LOCAL") {
		q.changed.Set(headClearSession, zoneProperty)
		return nil
	}
	if t.Kind != sqltext.String {
		return unsupported("write SET TIME ZONE 'Europe/Paris', or LOCAL", "the zone of a session must be a text here")
	}
	_, err := zoneOf(t.Value())
	q.changed.Set(headSetSession, zoneProperty+"="+url.QueryEscape(t.Value()))
	return err
}

func (q *query) known(name string) error {
	if !knownProperty(name) {
		return failure{"INVALID_SESSION_PROPERTY", fault.Newf(fault.NotFound, "see SHOW SESSION", "Session property '%s' does not exist", name)}
	}
	return nil
}

// timeout is the time that the session gives a statement; 0 for the Gate's.
func (s session) timeout() time.Duration {
	least := time.Duration(0)
	for _, name := range []string{"query_max_run_time", "query_max_execution_time"} {
		if d, err := duration(s.properties[name]); err == nil && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// duration reads one as Trino writes it: 1.5h, 30s, 500ms, 1d.
func duration(text string) (time.Duration, error) {
	text = strings.ReplaceAll(text, " ", "")
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		return time.Duration(n * float64(24*time.Hour)), err
	}
	return time.ParseDuration(text)
}
