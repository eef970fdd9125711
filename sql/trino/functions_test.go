//go:build duckdb_arrow

package trino_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A golden file has families, "# Texts", of statements: expressions of one SELECT, or a whole statement. What Trino 476
// answers is below each, behind a tab: the columns' types, then the rows, or the error's name behind a "!". TARN_TRINO_ORACLE=http://… asks
// a Trino again, and writes what it answered.
const (
	functionsFile = "functions.txt"
	formsFile     = "forms.txt"
	familyMark    = "# "
	errorMark     = "! "
)

type golden struct {
	family, text string
	answer       []string
}

func (r golden) statement() string {
	if regexp.MustCompile(`^(SELECT|WITH|VALUES|TABLE|SHOW|DESCRIBE|EXPLAIN|\() ?`).MatchString(r.text) {
		return r.text
	}
	return "SELECT " + r.text
}

func readRecorded(t testing.TB, name string) (out []golden) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	family := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, familyMark):
			family = line[len(familyMark):]
		case strings.HasPrefix(line, "\t"):
			last := &out[len(out)-1]
			last.answer = append(last.answer, line[1:])
		case line != "":
			out = append(out, golden{family: family, text: line})
		}
	}
	return out
}

// lines are an answer as a golden file has it.
func (a answer) lines() []string {
	if a.Error != nil {
		return []string{errorMark + a.Error.ErrorName}
	}
	types := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		types[i] = c.Type
	}
	out := []string{strings.Join(types, ", ")}
	for _, row := range a.Data {
		cells, _ := json.Marshal(row)
		out = append(out, string(cells))
	}
	return out
}

func record(t *testing.T, oracle, name string) {
	t.Helper()
	var b strings.Builder
	family := ""
	for _, r := range readRecorded(t, name) {
		if r.family != family {
			family = r.family
			_, _ = fmt.Fprintf(&b, "%s%s\n", familyMark, family)
		}
		a := run(t, oracle, r.statement())
		_, _ = fmt.Fprintf(&b, "%s\n\t%s\n", r.text, strings.Join(a.lines(), "\n\t"))
		if a.Error != nil {
			t.Logf("%s: %s", r.text, a.Error.Message)
		}
	}
	if err := os.WriteFile(filepath.Join("testdata", name), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the types of Tarn's values do not have, or not as Trino: how long a text is, how many digits a time has.
var (
	lengths = regexp.MustCompile(`\b(varchar|char|timestamp|time|decimal)\([0-9, ]+\)`)
	zeros   = regexp.MustCompile(`(\d\d:\d\d:\d\d)(?:\.(\d*?)0+)?( UTC)?"`)
	fields  = regexp.MustCompile(`row\([^()]*\)`)
)

// alike tells whether an answer is the recorded one: types but for lengths, numbers but for the last digits of a double.
func alike(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	typed := func(s string) string {
		s = strings.ReplaceAll(lengths.ReplaceAllString(strings.ToLower(s), "$1"), "char,", "varchar,")
		return fields.ReplaceAllString(strings.ReplaceAll(s, "varvarchar", "varchar"), "row")
	}
	if typed(got[0]) != typed(want[0]) {
		return false
	}
	for i := 1; i < len(got); i++ {
		var a, b any
		if json.Unmarshal([]byte(timed(got[i])), &a) != nil || json.Unmarshal([]byte(timed(want[i])), &b) != nil || !same(a, b) {
			return false
		}
	}
	return true
}

func timed(s string) string {
	return zeros.ReplaceAllStringFunc(s, func(m string) string {
		p := zeros.FindStringSubmatch(m)
		out := p[1]
		if p[2] != "" {
			out += "." + p[2]
		}
		return out + p[3] + `"`
	})
}

func same(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Abs(a-b) <= 1e-12*max(math.Abs(a), math.Abs(b))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if of, has := b[k]; !has || !same(a[k], of) {
				return false
			}
		}
		return true
	}
	return a == b
}

// TestFunctionsAnswerAsTrino and TestFormsAnswerAsTrino replay the golden files.
func TestFunctionsAnswerAsTrino(t *testing.T) { replay(t, functionsFile) }

func TestFormsAnswerAsTrino(t *testing.T) { replay(t, formsFile) }

func replay(t *testing.T, name string) {
	t.Helper()
	if oracle := os.Getenv("TARN_TRINO_ORACLE"); oracle != "" {
		record(t, oracle, name)
	}
	addr := open(t, time.Minute)
	for _, r := range readRecorded(t, name) {
		a := run(t, addr, r.statement())
		if got := a.lines(); !alike(got, r.answer) {
			message := ""
			if a.Error != nil {
				message = a.Error.Message
			}
			t.Errorf("%s\n\tgot  %s %s\n\twant %s", r.text, strings.Join(got, "\n\t     "), message, strings.Join(r.answer, "\n\t     "))
		}
	}
}

// The verdicts of all functions are in the page between these lines.
const (
	page      = "../../docs/compat/trino.md"
	pageFrom  = "<!-- from testdata/functions.txt and refused.txt -->\n"
	pageUntil = "<!-- to here -->\n"
)

// refusals are the functions that do not answer as Trino's, by why.
func refusals(t *testing.T) (whys []string, of map[string]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	of = map[string]string{}
	for line := range strings.Lines(string(text)) {
		cut := strings.LastIndex(line, ": ")
		whys = append(whys, line[:cut])
		for name := range strings.FieldsSeq(line[cut+2:]) {
			of[name] = line[:cut]
		}
	}
	return whys, of
}

// TestEachFunctionHasAVerdict holds the functions that Trino 476 shows against what is recorded of them, and the page against both.
func TestEachFunctionHasAVerdict(t *testing.T) {
	shown, err := os.ReadFile("testdata/show_functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var families []string
	called := map[string]string{}
	for _, r := range append(readRecorded(t, functionsFile), readRecorded(t, formsFile)...) {
		if !slices.Contains(families, r.family) {
			families = append(families, r.family)
		}
		for _, word := range regexp.MustCompile(`[a-z_0-9]+`).FindAllString(strings.ToLower(r.text), -1) {
			if called[word] == "" {
				called[word] = r.family
			}
		}
	}
	whys, refused := refusals(t)
	same, others := map[string][]string{}, map[string][]string{}
	for line := range strings.Lines(string(shown)) {
		name := strings.Fields(line)[0]
		switch why := refused[name]; {
		case why != "":
			others[why] = append(others[why], "`"+name+"`")
		case called[name] != "":
			same[called[name]] = append(same[called[name]], "`"+name+"`")
		default:
			t.Errorf("%s has no verdict: ask it in %s, or say in refused.txt why it is not there", name, functionsFile)
		}
	}
	var b strings.Builder
	b.WriteString(pageFrom + "| of | the same as in Trino 476 |\n|---|---|\n")
	for _, family := range families {
		if len(same[family]) > 0 {
			_, _ = fmt.Fprintf(&b, "| %s | %s |\n", strings.ToLower(family), strings.Join(same[family], " "))
		}
	}
	b.WriteString("\n| not the same, or refused | |\n|---|---|\n")
	for _, why := range whys {
		_, _ = fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(others[why], " "), why)
	}
	b.WriteString(pageUntil)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), pageFrom)
	_, after, found := strings.Cut(rest, pageUntil)
	want := before + b.String() + after
	if !found {
		t.Fatalf("%s has no place for the verdicts", page)
	}
	if want != string(text) {
		if os.Getenv("TARN_UPDATE") == "" {
			t.Fatalf("%s is not what the golden files say; TARN_UPDATE=1 writes it", page)
		}
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
