//go:build duckdb_arrow

package sqltext_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// canary is the one row of a table that no statement may read.
const canary = "canary4711"

// cage parses statements and runs what passes where the canary lives.
type cage struct {
	parser *sqltext.Parser
	conn   *duck.Conn
	limit  time.Duration // of one statement
}

func newCage(t testing.TB) *cage {
	t.Helper()
	parser, err := sqltext.NewParser(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	in, err := duck.Open(context.Background(), duck.Options{Threads: 1, MemoryBytes: 64 << 20, Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &cage{parser: parser, limit: 2 * time.Minute}
	if c.conn, err = in.Conn(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := c.conn.Exec(context.Background(), "CREATE TABLE secret AS SELECT '"+canary+"' AS word, 1 AS id"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(c.conn.Close(), in.Close(), parser.Close()) })
	return c
}

// rewrite lets the tables t and u through, and no other.
func (c *cage) rewrite(statement string) (sqltext.Rewritten, error) {
	return c.parser.Rewrite(context.Background(), statement, 100, func(t sqltext.Table) (sqltext.Relation, error) {
		if t.Name == "t" || t.Name == "u" {
			return sqltext.Relation{Text: "SELECT 1 AS id, 'open' AS word", Name: "s." + t.Name, Columns: []string{"id", "word"}}, nil
		}
		return sqltext.Relation{}, fault.New(fault.Denied, "no", "")
	})
}

// run returns everything that a statement answers, as text.
func (c *cage) run(statement string) string {
	ctx, cancel := context.WithTimeout(context.Background(), c.limit)
	defer cancel()
	r, err := c.conn.Arrow(ctx, statement)
	if err != nil {
		return err.Error()
	}
	defer r.Release()
	var all strings.Builder
	for r.Next() && all.Len() < 1<<16 {
		for _, col := range r.RecordBatch().Columns() {
			for i := range min(col.Len(), 100) {
				all.WriteString(col.ValueStr(i) + "\n")
			}
		}
	}
	return all.String()
}

var passing = []string{
	"SELECT * FROM t", "SELECT t.id, s.t.word FROM s.t", "SELECT a.id FROM t a, u b WHERE a.id = b.id",
	"WITH x AS (SELECT * FROM t), y AS (SELECT * FROM x) SELECT * FROM y JOIN u USING (id)",
	"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
	"SELECT word, count(*) FILTER (WHERE id > 0) FROM t GROUP BY ALL HAVING count(*) > 0", "SELECT sum(id) OVER (PARTITION BY word) FROM t",
	"FROM t SELECT word ORDER BY ALL LIMIT 3 OFFSET (SELECT 0)", "SELECT * EXCLUDE (id) FROM t QUALIFY row_number() OVER () = 1",
	"SELECT CASE WHEN id IN (SELECT id FROM u) THEN [x + 1 FOR x IN [1, 2]] END FROM t", "VALUES (1, 'a'), (2, 'b')",
	"SELECT * FROM t UNION BY NAME SELECT * FROM u", "SELECT * FROM t PIVOT (sum(id) FOR word IN ('open'))", "SELECT * FROM t ASOF JOIN u ON t.id >= u.id",
	"SELECT unnest([1, 2]), json_extract('{\"a\":1}', '$.a'), word[1:2], {'k': id}.k FROM t", "SELECT * FROM t POSITIONAL JOIN u",
	"SELECT DISTINCT ON (word) * FROM t TABLESAMPLE 50%", "SELECT w.word FROM TABLE(TUMBLE(TABLE s.t, DESCRIPTOR(`word`), INTERVAL '1' SECOND)) w", "WITH x AS (FROM t) SELECT * FROM HOP(x, id, INTERVAL '1' SECOND, INTERVAL 2 SECOND)",
	"SELECT try_cast('x' AS INTEGER), 1::DECIMAL(5, 2), INTERVAL 3 DAY, DATE '2026-01-01'",
}

var refused = []string{
	"SELECT * FROM secret", `SELECT * FROM main."secret"`, "SELECT (SELECT word FROM secret)", "WITH secret AS (SELECT * FROM secret) SELECT * FROM secret",
	"WITH a AS (SELECT * FROM b), b AS (SELECT * FROM secret) SELECT * FROM a", "SELECT query('x')", "SELECT * FROM query_table('secret')",
	"SELECT * FROM json_execute_serialized_sql('x')", "SELECT getvariable('x')", "FROM 'x.parquet'", "SELECT * FROM read_text('/etc/passwd')",
	"SELECT 1; SELECT 2", "DELETE FROM t", "COPY t TO 'x'", "SELECT system.main.now()", "SELECT * FROM duckdb_tables()", "SELECT current_setting('threads')",
	"SELECT * FROM t AT (VERSION => (SELECT 1))", "SELECT $1", "SELECT nextval('x')", "SELECT * FROM pragma_version()",
	"SELECT * FROM TUMBLE(secret, word, INTERVAL '1' SECOND)", "SELECT * FROM TABLE(HOP((SELECT * FROM secret), word, INTERVAL '1' SECOND, INTERVAL '1' SECOND))",
	"SELECT * FROM main.tumble(secret, word, INTERVAL '1' SECOND)", "SELECT * FROM TUMBLE(t, word, INTERVAL '1' SECOND, (SELECT word FROM secret))",
}

func TestWalk(t *testing.T) {
	c := newCage(t)
	for _, s := range passing {
		out, err := c.rewrite(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if said := c.run(out.Text); strings.Contains(said, "Error") && !strings.Contains(said, "epoch_us(") {
			t.Errorf("%s became %s, which says %s", s, out.Text, said)
		}
	}
	for _, s := range refused {
		if out, err := c.rewrite(s); err == nil {
			t.Errorf("%s became %s", s, out.Text)
		}
	}
}

// TestGrowth: what DuckDB would write out again and again is weighed before it does.
func TestGrowth(t *testing.T) {
	c := newCage(t)
	nested := func(n int, form string) string {
		x := "id"
		for range n {
			x = strings.ReplaceAll(form, "@", x)
		}
		return "SELECT " + x + " FROM t"
	}
	chain := func(n int) string { // each CTE names the one before it twice
		s := "WITH a0 AS (SELECT id AS x FROM t)"
		for i := 1; i <= n; i++ {
			s += fmt.Sprintf(", a%d(x) AS (SELECT * FROM a%d UNION ALL SELECT * FROM a%d)", i, i-1, i-1)
		}
		return s + fmt.Sprintf(" SELECT count(*) FROM a%d LIMIT 9", n)
	}
	aliases := func(n int) string {
		s := "SELECT id AS a0"
		for i := range n {
			s += fmt.Sprintf(", a%d + a%d AS a%d", i, i, i+1)
		}
		return s + " FROM t"
	}
	window := func(n int) string {
		return "SELECT " + strings.Repeat("sum(id) OVER w, ", n) + "1 FROM t WINDOW w AS (PARTITION BY " + strings.Repeat("id, ", 200) + "id)"
	}
	doubled := func(n int, join string) string {
		s := "WITH c0 AS (SELECT id AS x, word FROM t)"
		for i := 1; i <= n; i++ {
			s += fmt.Sprintf(", c%d AS (SELECT * FROM c%d a %s)", i, i-1, fmt.Sprintf(join, i-1))
		}
		return s + fmt.Sprintf(" SELECT count(*) FROM c%d", n)
	}
	for name, sizes := range map[string][2]string{
		"star":    {doubled(5, ", c%d b"), doubled(30, ", c%d b")},
		"using":   {doubled(5, "JOIN c%d b USING (x)"), doubled(30, "JOIN c%d b USING (x)")},
		"chain":   {doubled(60, ", (SELECT 1) b%d"), doubled(30, ", (SELECT *, * FROM c%d) b")},
		"case":    {nested(5, "CASE @ WHEN 1 THEN 2 WHEN 2 THEN 3 END"), nested(30, "CASE @ WHEN 1 THEN 2 WHEN 2 THEN 3 END")},
		"nullif":  {nested(5, "nullif(@, 7)"), nested(30, "nullif(@, 7)")},
		"macro":   {nested(3, "main.round_even(@, 1)"), nested(14, "round_even(@, 1)")},
		"aliases": {aliases(5), aliases(30)},
		"window":  {window(2), window(1000)},
	} {
		out, err := c.rewrite(sizes[0])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if said := c.run(out.Text); strings.Contains(said, "Error") {
			t.Errorf("%s: %s", name, said)
		}
		if _, err := c.rewrite(sizes[1]); fault.CodeOf(err) != fault.TooLarge {
			t.Errorf("%s, large: %v", name, err)
		}
	}
	out, err := c.rewrite(chain(18))
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.TrimSpace(c.run(out.Text)); said != "262144" {
		t.Errorf("the chain says %s", said)
	}
	out, err = c.rewrite("SELECT id FROM t WHERE id IN (1" + strings.Repeat(", 7", 20_000) + ")")
	if err != nil || strings.TrimSpace(c.run(out.Text)) != "1" {
		t.Errorf("a long list: %v, %.200s", err, c.run(out.Text))
	}
	for _, s := range []string{"SELECT 340282366920938463463374607431768211455", `SELECT id::"bit" FROM t`, "SELECT TIMETZ '01:00:00+02'", "SELECT id::UHUGEINT[] FROM t", "SELECT 1::VARIANT", "SELECT 1::BIGNUM"} {
		if _, err := c.rewrite(s); err != nil {
			t.Errorf("%s, which may stand within a query: %v", s, err)
		}
	}
}

// FuzzWalk: no statement, however odd, reads what the resolver refused, and none ends the
// process.
func FuzzWalk(f *testing.F) {
	for _, s := range append(passing, refused...) {
		f.Add(s)
	}
	if attacks, err := os.ReadFile("../../sql/rest/testdata/attacks.sql"); err == nil {
		for line := range strings.Lines(string(attacks)) {
			f.Add(strings.TrimSpace(line))
		}
	}
	f.Add("SELECT " + strings.Repeat("7", 400))
	c := newCage(f)
	c.limit = 200 * time.Millisecond
	f.Fuzz(func(t *testing.T, statement string) {
		out, err := c.rewrite(statement)
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Fatalf("%q is an internal error: %v", statement, err)
			}
			return
		}
		if said := c.run(out.Text); strings.Contains(said, canary) && !strings.Contains(statement, canary) {
			t.Fatalf("%q became %q and told the canary", statement, out.Text)
		}
	})
}

// FuzzLex: any text is cut into tokens that lie in it, in order, or refused with its place.
func FuzzLex(f *testing.F) {
	for _, s := range append(passing, "SELECT 'a''b', E'\\n', $$x;y$$, $tag$z$tag$ -- c\n/* d /* e */ */ \"q\"\"r\"", "'open", "/* open", "\"open", "$$open") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := sqltext.Lex(text)
		if err != nil {
			return
		}
		end := 0
		for _, tok := range tokens {
			if tok.Offset < end || !strings.HasPrefix(text[tok.Offset:], tok.Text) {
				t.Fatalf("%q: token %+v", text, tok)
			}
			end = tok.Offset + len(tok.Text)
		}
	})
}

func TestSplit(t *testing.T) {
	got, err := sqltext.Split(" SELECT ';' ; -- c;\n/* ; */ ;; SELECT \"a;b\", $$;$$")
	if err != nil || len(got) != 2 || got[0].Text != "SELECT ';'" || got[1].Text != `SELECT "a;b", $$;$$` {
		t.Fatalf("got %+v, %v", got, err)
	}
	if line, column := sqltext.Place("a\nbé c", 6); line != 2 || column != 4 {
		t.Errorf("place is %d:%d", line, column)
	}
	if near := sqltext.Nearest("silver.cals", []string{"silver.calls", "bronze.x"}); near != "silver.calls" {
		t.Errorf("nearest is %q", near)
	}
}

// TestLineage: t and u have the columns id and word.
func TestLineage(t *testing.T) {
	c := newCage(t)
	for statement, want := range map[string]string{
		"SELECT id AS n, word FROM t":                    "n<s.t.id word<s.t.word",
		"SELECT * FROM t":                                "id<s.t.id word<s.t.word",
		"SELECT a.*, b.id + a.id AS both FROM t a, u b":  "id<s.t.id word<s.t.word both<s.t.id,s.u.id",
		"SELECT upper(s.t.word) AS w, 1 AS one FROM s.t": "w<s.t.word one<",
		"WITH x AS (SELECT id + 1 AS n, word FROM t) SELECT n, u.word || x.word AS both FROM x, u": "n<s.t.id both<s.t.word,s.u.word",
		"WITH x(a, b) AS (SELECT * FROM t) SELECT b FROM x":                                        "b<s.t.word",
		"SELECT q.k FROM (SELECT id AS k FROM t UNION ALL SELECT id FROM u) q":                     "k<s.t.id,s.u.id",
		"SELECT sum(id) OVER (PARTITION BY word) AS s FROM t":                                      "s<s.t.id,s.t.word",
		"SELECT (SELECT max(u.id) FROM u WHERE u.word = t.word) AS m FROM t":                       "m<s.u.id",
		"SELECT id IN (SELECT id FROM u) AS there FROM t":                                          "there<s.t.*,s.u.*",
		"SELECT range AS r FROM range(3), t":                                                       "r<s.t.*",
		"SELECT list_transform([1], lambda x: x + id) AS l FROM t":                                 "l<s.t.*,s.t.id",
	} {
		out, err := c.rewrite(statement)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		var got []string
		for _, o := range out.Outputs {
			got = append(got, o.Name+"<"+strings.Join(o.Inputs, ","))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s\ngot  %s\nwant %s", statement, strings.Join(got, " "), want)
		}
	}
	for _, statement := range []string{"SELECT * EXCLUDE (id) FROM t", "SELECT * FROM t JOIN u USING (id)", "SELECT * FROM range(3)"} {
		if out, err := c.rewrite(statement); err != nil || out.Outputs != nil {
			t.Errorf("%s: %+v, %v", statement, out.Outputs, err)
		}
	}
}
