// Package bustest is what tests of the rooms do to a log's files.
package bustest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Spoil flips a bit of a value that the log in a folder has stored, as a bad disk does. The
// log is closed.
func Spoil(t testing.TB, dir, value string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream/TARN/streams/*/msgs/*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(data, []byte(value)); at >= 0 {
			data[at] ^= 1
			if err := os.WriteFile(f, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s is in no file", value)
}
