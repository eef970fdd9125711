package files_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/ingest/files"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

// write writes text behind what a file has.
func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func config(dir string, more ...string) source.Config {
	keys := map[string]string{"files.path": dir, "topic": "gate", "quiet.ms": "10", "poll.interval.ms": "10"}
	for i := 0; i < len(more); i += 2 {
		keys[more[i]] = more[i+1]
	}
	return source.Config{Name: "gate", Keys: keys}
}

// TestConformance: files that come, grow, and are rotated, in both manners of reading.
func TestConformance(t *testing.T) {
	for _, tail := range []string{"false", "true"} {
		t.Run("tail "+tail, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) sourcetest.Subject {
				dir := t.TempDir()
				truth := map[string]string{}
				n := 0
				add := func(name string, from, lines int) {
					var text strings.Builder
					for i := range lines {
						n++
						line := fmt.Sprintf(`{"n":%d,"text":"%0*d"}`, n, 300, n)
						text.WriteString(line + "\n")
						truth[fmt.Sprintf("%s:%d", name, from+i+1)] = line
					}
					write(t, filepath.Join(dir, name), text.String())
				}
				add("first.jsonl", 0, 4000)
				files1, length := 0, 4000
				return sourcetest.Subject{
					Kind: files.Kind, Config: config(dir, "tail", tail), Table: "gate", Topic: "gate", Plain: true,
					Change: func() {
						files1++
						add(fmt.Sprintf("more-%d.jsonl", files1), 0, 50)
						add("first.jsonl", length, 3)
						length += 3
					},
					Truth: func() map[string]string { return maps.Clone(truth) },
				}
			})
		})
	}
}
