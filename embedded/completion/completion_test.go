package completion_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"tarn/embedded/completion"
)

type line struct {
	Data string `placeholder:"DIR" help:"The folder."`

	Up struct {
		Sample bool `help:"It's a sample: [yes]."`
	} `cmd:"" default:"withargs" help:"Run."`
	SQL struct {
		Format string `enum:"table,csv" default:"table" short:"f"`
	} `cmd:"" name:"sql" help:"Ask."`
	Things struct {
		List struct {
			JSON bool
		} `cmd:"" default:"withargs" help:"List."`
		End struct {
			Yes bool
		} `cmd:"" help:"End."`
	} `cmd:"" help:"Things."`
	Completion completion.Command `cmd:"" help:"Complete."`
}

func script(t *testing.T, shell string) string {
	t.Helper()
	var l line
	parser, err := kong.New(&l, kong.Name("tarn"))
	if err != nil {
		t.Fatal(err)
	}
	return completion.Script(shell, parser.Model)
}

// TestBash asks bash itself. What is typed is cut into words as bash does it, with = as one.
func TestBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	text := script(t, "bash")
	for typed, want := range map[string]string{
		"tarn s":                     "sql",
		"tarn --data x s":            "sql",
		"tarn --data = x s":          "sql",
		"tarn --sam":                 "--sample",
		"tarn sql --format ":         "table csv",
		"tarn sql --format = c":      "csv",
		"tarn sql --fo":              "--format",
		"tarn --data x sql --format": "--format",
		"tarn completion z":          "zsh",
		"tarn sql --sam":             "",
		"tarn things e":              "end",
		"tarn things end --y":        "--yes",
	} {
		words := strings.Split(typed, " ")
		quoted := "'" + strings.Join(words, "' '") + "'"
		ask := text + "\nCOMP_WORDS=(" + quoted + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tarn; echo \"${COMPREPLY[*]}\""
		out, err := exec.CommandContext(t.Context(), bash, "-c", ask).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q becomes %q, want %q, %v", typed, got, want, err)
		}
	}
}

// TestOthers: their scripts name what there is, and nothing ends their quotes.
func TestOthers(t *testing.T) {
	for shell, parts := range map[string][]string{
		"zsh":  {"#compdef tarn", "'sql:Ask.'", "'--format=[]:value:(table csv)'", "'--data=[The folder.]:folder:_files -/'", "'--sample[Its a sample\\: (yes).]'", "'1: :(bash zsh fish)'"},
		"fish": {"-a sql -d 'Ask.'", "-l format -s f -x -a 'table csv'", "-l data -x -a '(__fish_complete_directories)'", "-d 'Its a sample: [yes].'", "-a 'bash zsh fish'"},
	} {
		text := script(t, shell)
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", shell, part, text)
			}
		}
	}
}
