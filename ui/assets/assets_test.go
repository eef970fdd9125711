package assets_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tarn/ui/assets"
)

// What a page costs: scripts and styles packed, fonts as they are. A newcomer on a slow
// machine pays it once.
const (
	textBytesMax   = 60 << 10
	fontBytesMax   = 96 << 10
	editorBytesMax = 136 << 10 // of the editor, where there is one
)

func TestFilesAreKeptForGoodUnderTheirHash(t *testing.T) {
	a, err := assets.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, media := range map[string]string{
		"css/page.css": "text/css; charset=utf-8", "js/home.js": "text/javascript; charset=utf-8", "fonts/inter.woff2": "font/woff2", "tarn.svg": "image/svg+xml",
	} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", a.URL(name), nil))
		if w.Code != 200 || w.Header().Get("Content-Type") != media || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		plain := w.Body.Bytes()
		r := httptest.NewRequest("GET", a.URL(name), nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		w = httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Header().Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := got.ReadFrom(unpacked); err != nil || !bytes.Equal(got.Bytes(), plain) {
				t.Errorf("%s: packed and plain differ (%v)", name, err)
			}
		}
	}
	for _, path := range []string{"/assets/0000/css/page.css", a.URL("vendor.json"), a.URL("assets.go"), a.URL("../ui.go"), a.URL("css"), "/assets/"} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

// packed is how many bytes a file takes on its way.
func packed(t *testing.T, name string) int {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Len()
}

var imported = regexp.MustCompile(`(?:from|import) "(\.[^"]+)"`)

// needs are a script and all that it imports.
func needs(t *testing.T, script string, known map[string]bool) {
	t.Helper()
	if known[script] {
		return
	}
	known[script] = true
	content, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range imported.FindAllSubmatch(content, -1) {
		needs(t, filepath.Join(filepath.Dir(script), string(m[1])), known)
	}
}

// TestBudget holds each script with what it imports, beside all styles, against the budget of a page.
func TestBudget(t *testing.T) {
	files := func(glob string) []string {
		names, err := filepath.Glob(glob)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", glob, err)
		}
		return names
	}
	styles, fonts := 0, 0
	for _, name := range files("css/*.css") {
		styles += packed(t, name)
	}
	for _, name := range files("fonts/*.woff2") {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fonts += len(content)
	}
	if fonts > fontBytesMax {
		t.Errorf("fonts take %d bytes, at most %d", fonts, fontBytesMax)
	}
	for _, script := range files("js/*.js") {
		known, text, editor := map[string]bool{}, styles, 0
		needs(t, script, known)
		for name := range known {
			if strings.HasPrefix(name, "vendor") {
				editor += packed(t, name)
			} else {
				text += packed(t, name)
			}
		}
		if text > textBytesMax || editor > editorBytesMax {
			t.Errorf("%s: scripts and styles take %d bytes packed, at most %d; the editor %d, at most %d", script, text, textBytesMax, editor, editorBytesMax)
		}
	}
}

// TestVendor holds what others made against vendor.json. To take a newer version: npm pack
// package@version, compare the integrity, copy the files, write down their sums.
func TestVendor(t *testing.T) {
	var packages []struct {
		Package, Version, Integrity, Licence string
		Files                                map[string]struct{ From, Sha512 string }
	}
	content, err := os.ReadFile("vendor.json")
	if err == nil {
		err = json.Unmarshal(content, &packages)
	}
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, p := range packages {
		if p.Version == "" || !strings.HasPrefix(p.Integrity, "sha512-") || p.Licence == "" {
			t.Errorf("%s: version, integrity and licence are needed", p.Package)
		}
		for name, f := range p.Files {
			known[name] = true
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha512.Sum512(content)
			if got := hex.EncodeToString(sum[:]); got != f.Sha512 {
				t.Errorf("%s is not what vendor.json says: %s", name, got)
			}
		}
	}
	for _, glob := range []string{"fonts/*", "vendor/*"} {
		names, err := filepath.Glob(glob)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", glob, err)
		}
		for _, name := range names {
			if !known[name] {
				t.Errorf("%s is not in vendor.json", name)
			}
		}
	}
}

// ways are the ways from text to HTML or to code, of which the page's scripts use none.
var ways = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|createContextualFragment|setHTMLUnsafe|parseHTMLUnsafe|srcdoc|\.on\w+\s*=\s*["'` + "`" + `]|https?://`)

func TestScriptsMakeNoHTMLAndNameNoHost(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".js" && filepath.Ext(path) != ".css" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content = bytes.ReplaceAll(content, []byte("http://www.w3.org/2000/svg"), nil) // a name, of which nothing is loaded
		if found := ways.Find(content); found != nil {
			t.Errorf("%s holds %s", path, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
