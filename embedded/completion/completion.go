// Package completion is `tarn completion`: scripts by which bash, zsh and fish complete the
// command line. They are made of the commands as kong knows them, so they cannot fall behind, and
// they call nothing while somebody types.
package completion

import (
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Command is `tarn completion`. The tags are kong's.
type Command struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is what --help says below the line of usage.
func (Command) Help() string {
	return `Writes a script that completes commands, flags and their values. For this shell alone, or for all that you start:

    source <(tarn completion bash)
    tarn completion bash > ~/.local/share/bash-completion/completions/tarn
    tarn completion zsh > "${fpath[1]}/_tarn"
    tarn completion fish > ~/.config/fish/completions/tarn.fish`
}

// Run writes the script.
func (c *Command) Run(k *kong.Context, out io.Writer) error {
	_, err := io.WriteString(out, Script(c.Shell, k.Model))
	return err
}

// Script is the script for a shell.
func Script(shell string, app *kong.Application) string {
	program := read(app)
	switch shell {
	case "zsh":
		return program.zsh()
	case "fish":
		return program.fish()
	}
	return program.bash()
}

// program is what can be completed.
type program struct {
	name     string
	flags    []flag // of every command
	commands []command
}

// command is one; an unnamed command line means the one that is meant by default.
type command struct {
	name, help string
	flags      []flag
	values     []string // that its argument may have; the commands below it
	byDefault  bool
}

// flag is one of them.
type flag struct {
	name, help string
	short      string
	takes      string   // what its value is called; "" where it takes none
	values     []string // that it may have
	folder     bool     // its value is a folder
}

func read(app *kong.Application) program {
	p := program{name: app.Name, flags: flagsOf(app.Node)}
	for _, n := range app.Children {
		if n.Hidden {
			continue
		}
		c := command{name: n.Name, help: n.Help, flags: flagsOf(n), byDefault: n == app.DefaultCmd}
		for _, a := range n.Positional {
			if a.Enum != "" {
				c.values = append(c.values, a.EnumSlice()...)
			}
		}
		for _, sub := range n.Children {
			if !sub.Hidden {
				c.values, c.flags = append(c.values, sub.Name), merged(c.flags, flagsOf(sub))
			}
		}
		p.commands = append(p.commands, c)
	}
	return p
}

// merged are the flags of a command and of those below it, each once.
func merged(flags, more []flag) []flag {
	for _, f := range more {
		if !slices.ContainsFunc(flags, func(o flag) bool { return o.name == f.name }) {
			flags = append(flags, f)
		}
	}
	return flags
}

func flagsOf(n *kong.Node) (out []flag) {
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		one := flag{name: f.Name, help: f.Help}
		if f.Short != 0 {
			one.short = string(f.Short)
		}
		if !f.IsBool() && !f.IsCounter() {
			one.takes = f.FormatPlaceHolder()
			if f.PlaceHolder != "" {
				one.takes = f.PlaceHolder
			}
			one.folder = f.PlaceHolder == "DIR"
		}
		if f.Enum != "" {
			one.values = slices.DeleteFunc(f.EnumSlice(), func(s string) bool { return s == "" })
		}
		out = append(out, one)
	}
	return out
}

// words are the flags as they are typed.
func words(flags []flag) (out []string) {
	for _, f := range flags {
		out = append(out, "--"+f.name)
	}
	return out
}

// line is a text without what would end it in a script's quotes.
func line(text string) string {
	return strings.NewReplacer("'", "", "\n", " ", "`", "", "$", "", "\\", "").Replace(text)
}
