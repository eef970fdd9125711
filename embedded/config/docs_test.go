package config_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"tarn/embedded/config"
)

var update = flag.Bool("update", false, "write docs/config.md instead of comparing")

// TestDocs holds docs/config.md to the settings: go test ./embedded/config -update writes it.
func TestDocs(t *testing.T) {
	const path, begin, end = "../../docs/config.md", "<!-- generated:config -->\n", "<!-- end -->"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q and %q", path, begin, end)
	}
	var table strings.Builder
	table.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	c := config.Default()
	for _, l := range c.Lines() {
		value := "`" + l.Value + "`"
		if l.Value == "" || l.Key == "memory" { // which is the machine's
			value = ""
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", l.Key, value, l.Doc)
	}
	want := before + begin + table.String() + end + after
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the settings say; run: go test ./embedded/config -update", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a page for everyone
		t.Fatal(err)
	}
}
