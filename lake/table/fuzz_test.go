package table_test

import (
	"strings"
	"testing"

	"tarn/lake/table"
)

// FuzzPath holds that no URI leads out of the warehouse, and that what a path was named
// by leads back to it.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"file:///w/bronze/x/data/a.parquet", "file:/w/x", "/w/../etc/passwd", "file:///w/%2e%2e/x", "file://host/w/x",
		"s3://w/x", "", "file:///w", "file:///wx", "file:///w/a%zz", "file:///w/%252e%252e/x", "file://localhost/w/é b",
	} {
		f.Add(seed)
	}
	root, err := table.NewRoot("/w")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		path, err := root.Path(uri)
		if err != nil {
			return
		}
		if path != "/w" && !strings.HasPrefix(path, "/w/") || strings.Contains(path+"/", "/../") {
			t.Fatalf("%q leads to %q", uri, path)
		}
		if strings.Contains(path, "%") {
			return // not a name that Tarn gives
		}
		if back, err := root.Path(root.URI(path)); err != nil || back != path {
			t.Fatalf("%q leads to %q, which leads to %q (%v)", uri, path, back, err)
		}
	})
}
