//go:build duckdb_arrow

// Package sqllogic_test holds the Gate against DuckDB by files of DuckDB's sqllogictest dialect: those of testdata, and DuckDB's
// own where a checkout of its repository is at hand, which no package registry has.
package sqllogic_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/sqltext"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
)

var (
	folder = flag.String("tests", "", "DuckDB's test/sql, of the version that is linked")
	report = flag.String("report", "", "file for what is refused and what differs, with its statements")
	update = flag.Bool("update", false, "write testdata/duckdb.txt anew")
	most   = flag.Int("most", 6, "statements of one kind in the report")
)

const fileMax = 90 * time.Second

var (
	quoted  = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	numbers = regexp.MustCompile(`\b\d+\b`)
	unknown = regexp.MustCompile(`^(there is no (table|schema|catalog)|Referenced column|Referenced table)`)
)

// outcome of one query that DuckDB alone answers.
type outcome struct {
	place, sql string
	kind       string // "equal", "named", "refused: …", "differs: …", "unsayable: …"
	detail     string
}

// idle is a door that nobody enters.
type idle struct{}

func (idle) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

func newGate(t *testing.T) *engine.Gate {
	t.Helper()
	gate, _ := enginetest.Serve(t, 1_000_000, func(l net.Listener, _ *engine.Gate) enginetest.Door {
		_ = l.Close()
		return idle{}
	})
	return gate
}

// asks tells whether a text is one query.
func asks(text string) bool {
	all, err := sqltext.Split(text)
	if err != nil || len(all) != 1 {
		return false
	}
	tokens, err := sqltext.Lex(text)
	if err != nil || len(tokens) == 0 {
		return false
	}
	i := 0
	for i < len(tokens)-1 && tokens[i].Is("(") {
		i++
	}
	if tokens[i].Is("WITH") && slices.ContainsFunc(tokens, func(t sqltext.Token) bool {
		return t.Is("INSERT") || t.Is("UPDATE") || t.Is("DELETE") || t.Is("MERGE") || t.Is("CREATE")
	}) {
		return false
	}
	return slices.ContainsFunc([]string{"SELECT", "FROM", "WITH", "VALUES", "PIVOT", "UNPIVOT", "PIVOT_WIDER", "PIVOT_LONGER", "SUMMARIZE", "TABLE"}, func(w string) bool { return tokens[i].Is(w) })
}

// runFile runs one, and tells what became of its queries.
func runFile(t *testing.T, gate *engine.Gate, path, shown string) (out []outcome) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	records, err := read(string(text))
	if err != nil {
		t.Logf("%s: %v", shown, err)
	}
	if len(records) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), fileMax)
	defer cancel()
	s := newSides(t, gate)
	for _, r := range records {
		if ctx.Err() != nil {
			t.Logf("%s:%d: cut short", shown, r.line)
			break
		}
		if r.fails || !asks(r.sql) {
			s.change(ctx, r.sql)
			continue
		}
		want, err := s.alone(ctx, r.sql)
		if err != nil {
			continue
		}
		o := outcome{place: fmt.Sprintf("%s:%d", shown, r.line), sql: r.sql}
		o.kind, o.detail = s.compare(ctx, r.sql, want)
		out = append(out, o)
	}
	return out
}

// compare asks the Gate what DuckDB alone has answered.
func (s *sides) compare(ctx context.Context, text string, want answer) (kind, detail string) {
	lacks := s.give(ctx, text)
	got, err := s.ask(ctx, text)
	same := err == nil && got.types == want.types && got.sorted() == want.sorted()
	if same && strings.Contains(strings.ToUpper(text), "ORDER BY") && !slices.Equal(got.rows, want.rows) {
		kind = "differs: in the order of rows"
	}
	switch {
	case same && kind != "":
	case same && columnName.Replace(got.head) == columnName.Replace(want.head):
		return "equal", ""
	case same:
		return "named", got.head + "\n" + want.head
	case err != nil:
		kind, detail = "refused: "+kindOf(err), err.Error()
	case got.types != want.types:
		kind, detail = "differs: in types", got.types+"\n"+want.types
	default:
		kind, detail = "differs: in values", clip(got.sorted())+"\n--\n"+clip(want.sorted())
	}
	if why := s.unsayable(ctx, text, lacks, want, err); why != "" {
		return "unsayable: " + why, kind + "\n" + detail
	}
	return kind, detail
}

// unsayable is why a query that did not go well cannot be held against the Gate.
func (s *sides) unsayable(ctx context.Context, text, lacks string, want answer, refused error) string {
	if lacks != "" {
		return lacks
	}
	if len(s.settings) > 0 {
		return "a setting: " + s.settings[len(s.settings)-1]
	}
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return ""
	}
	for i, t := range tokens {
		if s.own[strings.ToLower(t.Name())] {
			return "a macro, type or schema of the file"
		}
		if (t.Is("main") || t.Is("memory") || t.Is("temp")) && i+1 < len(tokens) && tokens[i+1].Is(".") {
			return "a schema by its name"
		}
	}
	if refused != nil {
		return ""
	}
	if again, err := s.alone(ctx, text); err != nil || again.sorted() != want.sorted() {
		return "another answer each time"
	}
	for _, t := range tokens {
		name := strings.ToLower(t.Name())
		if _, there := s.tables[name]; !there {
			continue
		}
		all := `SELECT * FROM "` + name + `"`
		here, err := s.alone(ctx, all)
		there, askErr := s.ask(ctx, all)
		if err != nil || askErr != nil || here.types != there.types || !slices.Equal(here.rows, there.rows) {
			return "a table that does not go over as text"
		}
	}
	return ""
}

func clip(text string) string { return text[:min(len(text), 600)] }

// columnName passes over what DuckDB writes in several ways where a column is named after its expression: quotes, parentheses, lambdas.
var columnName = strings.NewReplacer(`"`, "", "main.row(", "", "row(", "", "(", "", ")", "", "lambda ", "", ": ", " -> ", "main.", "")

// TestOwn runs the files of testdata: every query equals.
func TestOwn(t *testing.T) {
	files, err := filepath.Glob("testdata/*.slt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	gate := newGate(t)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			for _, o := range runFile(t, gate, f, filepath.Base(f)) {
				if !o.well() {
					t.Errorf("%s: %s\n%s\n%s", o.place, o.kind, o.sql, o.detail)
				}
			}
		})
	}
}

// elsewhere are the folders whose files are about other things than queries: storage, files, connections, settings.
var elsewhere = []string{
	"attach", "connect", "copy", "copy_database", "detailed_profiler", "export", "extensions", "logging", "outofcore", "parallelism", "pragma", "progress_bar", "secrets",
	"settings", "storage", "storage_version", "transactions", "trigger", "vacuum",
}

// TestDuckDB runs DuckDB's own.
func TestDuckDB(t *testing.T) {
	if *folder == "" {
		t.Skip("no checkout of DuckDB is told: -args -tests duckdb/test/sql")
	}
	var all []outcome
	gate := newGate(t)
	err := filepath.WalkDir(*folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(elsewhere, d.Name()):
			return fs.SkipDir
		case filepath.Ext(path) != ".test":
			return nil
		}
		shown, err := filepath.Rel(*folder, path)
		if err != nil {
			return err
		}
		t.Run(shown, func(t *testing.T) { all = append(all, runFile(t, gate, path, shown)...) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if *report != "" {
		if err := os.WriteFile(*report, told(all), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join("testdata", "duckdb.txt")
	if *update {
		if err := os.WriteFile(list, summed(all), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	held(t, list, all)
}
