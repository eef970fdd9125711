package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/ingest/source"
	"tarn/stream/pipeline"
)

// sayers are the functions that take a key, and how many keys.
var sayers = map[string]int{"Say": 1, "say": 1, "fact": 1, "Many": 2, "many": 2}

// goFiles calls visit with each Go file of the room that is no test.
func goFiles(t *testing.T, visit func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			visit(path, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// said returns the keys that Go code says.
func said(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	goFiles(t, func(path string, file *ast.File) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && sayers[f.Name.Name] > 0 {
				continue // it hands its own key on
			}
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				for _, arg := range keysOf(call) {
					text, ok := literal(arg)
					if !ok {
						t.Errorf("%s: a key is no literal: a text of data is words.Plain, a state's word words.State", path)
					}
					keys[text] = true
				}
				return true
			})
		}
	})
	return keys
}

// keysOf are the arguments of a call that are keys: those after the context, or the number.
func keysOf(call *ast.CallExpr) []ast.Expr {
	var name string
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); !ok || x.Name != "words" {
			return nil
		}
		name = f.Sel.Name
	}
	n := sayers[name]
	first := map[string]int{"say": 1, "many": 2, "Many": 1}[name]
	if n == 0 || len(call.Args) < first+n {
		return nil
	}
	return call.Args[first : first+n]
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// TestEveryTextHasFrench, and all French is of a text that is said, with the same values.
func TestEveryTextHasFrench(t *testing.T) {
	compare(t, said(t), french)
}

// TestEachTextIsInOneMap, so that nobody changes one of two.
func TestEachTextIsInOneMap(t *testing.T) {
	if n := len(frenchShared) + len(frenchHome) + len(frenchTables) + len(frenchTopics) + len(frenchPipelines) + len(frenchSources) + len(frenchSQL) + len(frenchRow) + len(frenchHealth) + len(frenchLab); n != len(french) {
		t.Errorf("%d texts in all maps, %d different ones", n, len(french))
	}
}

// TestEveryStateHasFrench that the rooms name.
func TestEveryStateHasFrench(t *testing.T) {
	for _, state := range []string{
		string(life.Starting), string(life.Ready), string(life.Degraded), string(life.Failed), string(life.Stopped),
		source.Starting, source.Snapshotting, source.Streaming, source.Retrying, source.Failed, source.Stopped,
		pipeline.Starting, pipeline.Running, pipeline.Paused, pipeline.Waiting, pipeline.Failed,
	} {
		if frenchStates[state] == "" {
			t.Errorf("no French for the state %q", state)
		}
	}
}

// TestEverySettingHasFrench: what each setting of a topic is for, and nothing that no setting says.
func TestEverySettingHasFrench(t *testing.T) {
	said := map[string]bool{PartitionsDoc: true}
	for _, s := range bus.Settings() {
		said[s.Doc] = true
	}
	compare(t, said, frenchSettings)
}

var (
	inScript = regexp.MustCompile(`\bsay\("((?:[^"\\]|\\.)*)"|\bmany\([^"]*?, "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"`)
	notSaid  = regexp.MustCompile(`(?:textContent|placeholder|ariaLabel|title) = (?:["'][A-Za-z]|` + "`" + `[A-Za-z])`)
)

func TestEveryTextOfAScriptHasFrench(t *testing.T) {
	names, err := filepath.Glob("../assets/js/*.js")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inScript.FindAllSubmatch(content, -1) {
			for _, key := range m[1:] {
				if len(key) > 0 {
					keys[string(key)] = true
				}
			}
		}
		if found := notSaid.Find(content); found != nil {
			t.Errorf("%s: a text that is not said: %s", name, found)
		}
	}
	compare(t, keys, frenchScripts)
}

var verbs = regexp.MustCompile(`%(\[\d\])?[sdq]`)

func compare(t *testing.T, said map[string]bool, catalogue map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(said)) {
		text, ok := catalogue[key]
		if !ok {
			t.Errorf("no French for %q", key)
		} else if len(verbs.FindAllString(text, -1)) != len(verbs.FindAllString(key, -1)) {
			t.Errorf("other values in the French of %q", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(catalogue)) {
		if !said[key] {
			t.Errorf("nobody says %q", key)
		}
	}
}

// same are the texts of a page that are the same in all languages.
var same = regexp.MustCompile(`^(Tarn|SQL|UTC|null|latest|earliest|\W*)$`)

// TestATemplSaysItsTexts: what it holds as HTML has no text that a reader would read.
func TestATemplSaysItsTexts(t *testing.T) {
	goFiles(t, func(path string, file *ast.File) {
		if !strings.HasSuffix(path, "_templ.go") {
			return
		}
		for _, d := range file.Decls {
			var page strings.Builder
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f, ok := call.Fun.(*ast.SelectorExpr)
				if ok && f.Sel.Name == "WriteString" && len(call.Args) == 3 {
					text, _ := literal(call.Args[2])
					page.WriteString(text)
				}
				return true
			})
			for _, text := range textsOf(page.String()) {
				if !same.MatchString(strings.TrimSpace(text)) {
					t.Errorf("%s: not said: %q", path, text)
				}
			}
		}
	})
}

// textsOf are the texts of a piece of HTML that a reader reads.
func textsOf(page string) (texts []string) {
	z := html.NewTokenizer(strings.NewReader(page))
	key := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return texts
		case html.TextToken:
			if !key {
				texts = append(texts, string(z.Text()))
			}
		case html.EndTagToken:
			key = false
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			key = token.Data == "kbd"
			for _, a := range token.Attr {
				if slices.Contains([]string{"title", "aria-label", "placeholder", "alt"}, a.Key) {
					texts = append(texts, a.Val)
				}
			}
		}
	}
}
