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
	textBytesMax = 60 << 10
	fontBytesMax = 96 << 10
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

func TestBudget(t *testing.T) {
	var text, fonts int
	for _, glob := range []string{"css/*.css", "js/*.js", "fonts/*.woff2"} {
		names, err := filepath.Glob(glob)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", glob, err)
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "fonts") {
				fonts += len(content)
				continue
			}
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write(content)
			_ = w.Close()
			text += b.Len()
		}
	}
	if text > textBytesMax || fonts > fontBytesMax {
		t.Errorf("scripts and styles take %d bytes packed, at most %d; fonts %d, at most %d", text, textBytesMax, fonts, fontBytesMax)
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
	fonts, err := filepath.Glob("fonts/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range fonts {
		if !known[name] {
			t.Errorf("%s is not in vendor.json", name)
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
		if found := ways.Find(content); found != nil {
			t.Errorf("%s holds %s", path, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
