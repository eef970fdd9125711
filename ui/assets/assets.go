// Package assets holds the page's files: style, scripts, fonts. They are served under a
// path that holds a hash of them all, so that a browser may keep them for good.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
)

//go:embed css/*.css js/*.js vendor/*.js vendor/*.LICENSE fonts/*.woff2 fonts/*.LICENSE *.svg
var files embed.FS

// prefix is where the files are served.
const prefix = "/assets/"

// types are the media types of the files; what is not listed is not served.
var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".woff2": "font/woff2",
	".svg": "image/svg+xml", ".LICENSE": "text/plain; charset=utf-8",
}

type file struct {
	media string
	plain []byte
	gz    []byte // nil where it saves nothing
}

// Assets are the files, ready to be sent.
type Assets struct {
	hash  string
	files map[string]file // by path below the hash
}

// Load reads, packs and hashes the embedded files.
func Load() (*Assets, error) {
	a := &Assets{files: map[string]file{}}
	var names []string
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(p)
		if err != nil {
			return err
		}
		packed, err := pack(content)
		if err != nil {
			return err
		}
		names = append(names, p)
		a.files[p] = file{media: types[path.Ext(p)], plain: content, gz: packed}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		_, _ = sum.Write([]byte(name))
		_, _ = sum.Write(a.files[name].plain)
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return a, nil
}

func pack(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(content)*9/10 {
		return nil, nil
	}
	return b.Bytes(), nil
}

// Hash names this set of files.
func (a *Assets) Hash() string { return a.hash }

// URL is where a file is served: URL("css/page.css").
func (a *Assets) URL(name string) string { return prefix + a.hash + "/" + name }

// ServeHTTP serves the files of this hash; a page of another build is told to load anew.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, prefix+a.hash+"/")
	f, found := a.files[name]
	if !ok || !found {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.media)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Vary", "Accept-Encoding")
	content := f.plain
	if f.gz != nil && TakesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		content = f.gz
	}
	_, _ = w.Write(content)
}

// TakesGzip tells whether who asks can unpack gzip.
func TakesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}
