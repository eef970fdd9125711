package completion

import (
	"fmt"
	"slices"
	"strings"
)

// zsh is the script for zsh, both as a file of fpath and as one that is sourced.
func (p program) zsh() string {
	var out, commands, cases strings.Builder
	var own []flag
	for _, c := range p.commands {
		_, _ = fmt.Fprintf(&commands, "    '%s:%s'\n", c.name, zshText(c.help))
		_, _ = fmt.Fprintf(&cases, "    %s) _arguments%s ;;\n", c.name, zshFlags(slices.Concat(p.flags, c.flags))+zshArgument(c))
		if c.byDefault {
			own = c.flags
		}
	}
	_, _ = fmt.Fprintf(&out, `#compdef %[1]s
_%[1]s() {
  local state line
  local -a commands
  commands=(
%[2]s  )
  _arguments -C%[3]s '1: :->command' '*:: :->rest'
  case $state in
  command) _describe command commands ;;
  rest)
    case $words[1] in
%[4]s    esac
    ;;
  esac
}
if [ "$funcstack[1]" = _%[1]s ]; then _%[1]s "$@"; else compdef _%[1]s %[1]s; fi
`, p.name, commands.String(), zshFlags(slices.Concat(p.flags, own)), cases.String())
	return out.String()
}

// zshText is a text in the words of _arguments and _describe.
func zshText(text string) string {
	return strings.NewReplacer(":", `\:`, "[", `(`, "]", `)`).Replace(line(text))
}

func zshFlags(flags []flag) string {
	var out strings.Builder
	for _, f := range flags {
		value := ""
		switch {
		case f.folder:
			value = "=:folder:_files -/"
		case len(f.values) > 0:
			value = "=:value:(" + strings.Join(f.values, " ") + ")"
		case f.takes != "":
			value = "=:value: "
		}
		name, rest := "--"+f.name, value
		if strings.HasPrefix(value, "=") {
			name, rest = name+"=", value[1:]
		}
		_, _ = fmt.Fprintf(&out, " '%s[%s]%s'", name, zshText(f.help), rest)
	}
	return out.String()
}

func zshArgument(c command) string {
	if len(c.values) == 0 {
		return " '*::: :_files'"
	}
	return " '1: :(" + strings.Join(c.values, " ") + ")'"
}
