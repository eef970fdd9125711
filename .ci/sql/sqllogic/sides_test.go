//go:build duckdb_arrow

package sqllogic_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// The bounds of one statement.
const (
	bareMax   = 5 * time.Second  // what DuckDB alone does not answer in this time is passed over
	gateMax   = 30 * time.Second // the Gate may wait for others
	rowsMax   = 20_000           // of an answer
	copiedMax = 900 << 10        // bytes of a table that is given to the Gate
)

// sides are DuckDB alone, which runs all of a file, and a session at the Gate, which is asked the queries. Before that it is
// given the tables that a query names, as temporary ones: whatever made them, they hold what DuckDB's hold.
type sides struct {
	bare    *duck.Conn
	gate    *engine.Gate
	session *engine.Session

	version  int // of what the bare side holds
	listed   int // the version that tables is of
	tables   map[string]string
	given    map[string]int    // the version that a table was given at
	lacking  map[string]string // tables that could not be given, and why
	settings []string
	own      map[string]bool // names of macros, types and schemas that the file makes
}

func newSides(t *testing.T, gate *engine.Gate) *sides {
	t.Helper()
	in, err := duck.Open(t.Context(), duck.Options{MemoryBytes: 1 << 30, Threads: 1, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &sides{bare: bare, gate: gate, session: gate.Session(), given: map[string]int{}, lacking: map[string]string{}, own: map[string]bool{}}
	t.Cleanup(func() {
		s.session.Close()
		if err := errors.Join(bare.Close(), in.Close()); err != nil {
			t.Error(err)
		}
	})
	// Files of the file system are none of a query's business at the Gate; so they are not here.
	if err := bare.Exec(t.Context(), "SET enable_external_access=false"); err != nil {
		t.Fatal(err)
	}
	return s
}

// changing are the verbs of what the bare side runs beside queries.
var changing = []string{
	"ALTER", "BEGIN", "COMMIT", "CREATE", "DELETE", "DROP", "INSERT", "MERGE", "ROLLBACK", "SET", "START", "TRUNCATE", "UPDATE", "USE", "WITH", "ABORT",
}

// change runs what is no query on the bare side, but for settings: the Gate has none, so both sides answer as by default.
func (s *sides) change(ctx context.Context, text string) {
	verbs := sqltext.Verbs(text, 6)
	said := strings.Join(verbs, " ")
	if len(verbs) == 0 || !slices.Contains(changing, verbs[0]) || verbs[0] == "SET" && !strings.HasPrefix(said, "SET VARIABLE") {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 4*bareMax)
	defer cancel()
	s.version++
	if s.bare.Exec(ctx, text) != nil {
		return
	}
	switch {
	case verbs[0] == "USE":
		s.settings = append(s.settings, strings.ToLower(verbs[0]))
	case verbs[0] == "CREATE" && (strings.Contains(said, " MACRO") || strings.Contains(said, " FUNCTION") || strings.Contains(said, " TYPE") || strings.Contains(said, " SCHEMA")):
		for _, w := range verbs[2:] {
			s.own[strings.ToLower(w)] = true
		}
		if tokens, err := sqltext.Lex(text); err == nil {
			for i, t := range tokens[:min(len(tokens), 9)] {
				if i > 1 && (t.Kind == sqltext.Word || t.Kind == sqltext.Quoted) {
					s.own[strings.ToLower(t.Name())] = true
				}
			}
		}
	}
}

// answer is what a side says, and how it can be compared.
type answer struct {
	head, types string
	rows        []string
}

func (a answer) sorted() string { return strings.Join(slices.Sorted(slices.Values(a.rows)), "\n") }

var errLarge = errors.New("the answer is too large to be compared")

func readAnswer(r array.RecordReader) (answer, error) {
	var a answer
	var heads, types []string
	for _, f := range r.Schema().Fields() {
		heads, types = append(heads, f.Name), append(types, f.Type.String())
	}
	a.head, a.types = strings.Join(heads, "|"), strings.Join(types, "|")
	for r.Next() {
		b := r.RecordBatch()
		if len(a.rows)+int(b.NumRows()) > rowsMax {
			return a, errLarge
		}
		for i := range int(b.NumRows()) {
			row := ""
			for _, c := range b.Columns() {
				row += c.ValueStr(i) + "|"
			}
			a.rows = append(a.rows, row)
		}
	}
	return a, r.Err()
}

// alone asks the bare side.
func (s *sides) alone(ctx context.Context, text string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, bareMax)
	defer cancel()
	r, err := s.bare.Stream(ctx, text)
	if err != nil {
		return answer{}, err
	}
	defer r.Release()
	return readAnswer(r)
}

// ask asks the Gate.
func (s *sides) ask(ctx context.Context, text string) (answer, error) {
	r, err := s.gate.Run(ctx, engine.Request{Text: text, Principal: guard.Principal{User: "me", Door: "test"}, Session: s.session, Timeout: gateMax})
	if err != nil {
		return answer{}, err
	}
	defer r.Close()
	return readAnswer(r.Reader)
}

// give copies the tables that a query names, and tells why one could not be.
func (s *sides) give(ctx context.Context, text string) (lacks string) {
	if s.listed != s.version || s.tables == nil {
		s.list(ctx)
	}
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return ""
	}
	for _, t := range tokens {
		name := strings.ToLower(t.Name())
		kind, there := s.tables[name]
		if !there || (t.Kind != sqltext.Word && t.Kind != sqltext.Quoted) {
			continue
		}
		if kind == "schema" {
			lacks = "a table in a schema of its own"
			continue
		}
		if at, ok := s.given[name]; ok && at == s.version {
			if s.lacking[name] != "" {
				lacks = s.lacking[name]
			}
			continue
		}
		s.given[name] = s.version
		delete(s.lacking, name)
		if err := s.copied(ctx, name); err != nil {
			s.lacking[name] = err.Error()
			lacks = err.Error()
		}
	}
	return lacks
}

func (s *sides) list(ctx context.Context) {
	s.listed, s.tables = s.version, map[string]string{}
	rows, err := s.bare.QueryContext(ctx, `SELECT lower(table_name), CASE WHEN schema_name = 'main' THEN '' ELSE 'schema' END FROM duckdb_tables() WHERE NOT internal
		UNION ALL SELECT lower(view_name), CASE WHEN schema_name = 'main' THEN '' ELSE 'schema' END FROM duckdb_views() WHERE NOT internal`)
	if err != nil {
		return
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name, kind string
		if rows.Scan(&name, &kind) == nil {
			s.tables[name] = kind
		}
	}
	_ = rows.Err()
	if len(s.given) > 24 { // a session holds 32 tables
		s.session.Close()
		s.session = s.gate.Session()
		clear(s.given)
		clear(s.lacking)
	}
}

// copied gives one table: a text a column, cut at a sign that no value holds.
func (s *sides) copied(ctx context.Context, name string) error {
	columns, err := s.bare.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+duck.Ident(name)+")")
	if err != nil {
		return errors.New("a table that cannot be described")
	}
	defer func() { _ = columns.Close() }()
	var texts, items, values []string
	for columns.Next() {
		var column, typ string
		if err := columns.Scan(&column, &typ); err != nil {
			return err
		}
		c := "c" + strconv.Itoa(len(items))
		texts = append(texts, "string_agg(coalesce("+duck.Ident(column)+"::VARCHAR, chr(30)), chr(31))")
		items = append(items, "CAST(nullif("+c+", chr(30)) AS "+typ+") AS "+duck.Ident(column))
	}
	if err := columns.Err(); err != nil {
		return err
	}
	var count int64
	held := make([]*string, len(texts))
	into := []any{&count}
	for i := range held {
		into = append(into, &held[i])
	}
	if err := s.bare.QueryRowContext(ctx, "SELECT count(*), "+strings.Join(texts, ", ")+" FROM "+duck.Ident(name)).Scan(into...); err != nil {
		return errors.New("a table that cannot be read")
	}
	bytes := 0
	for i, h := range held {
		if h == nil {
			values = append(values, "NULL::VARCHAR AS c"+strconv.Itoa(i))
			continue
		}
		bytes += len(*h)
		values = append(values, "unnest(string_split("+duck.Quote(*h)+", chr(31))) AS c"+strconv.Itoa(i))
	}
	if bytes > copiedMax {
		return errors.New("a large table")
	}
	text := "CREATE OR REPLACE TEMP TABLE " + duck.Ident(name) + " AS SELECT " + strings.Join(items, ", ") + " FROM (SELECT " + strings.Join(values, ", ") + ")"
	if count == 0 {
		text += " WHERE false"
	}
	if _, err := s.ask(ctx, text); err != nil {
		return fmt.Errorf("a table that cannot be given: %s", kindOf(err))
	}
	return nil
}

// kindOf is an error without the names and numbers that are of one statement alone.
func kindOf(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err.Error()
	}
	message := quoted.ReplaceAllString(f.Message, "…")
	message = numbers.ReplaceAllString(message, "N")
	if m := unknown.FindString(message); m != "" {
		message = m
	}
	if len(message) > 100 {
		message = message[:100]
	}
	return string(f.Code) + ": " + strings.ToValidUTF8(message, "")
}
