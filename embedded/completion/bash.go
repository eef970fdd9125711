package completion

import (
	"fmt"
	"slices"
	"strings"
)

// bash is the script for bash. COMP_WORDS has = as a word of its own.
func (p program) bash() string {
	var valued, folders, cases, flags strings.Builder
	names := []string{}
	byDefault := ""
	describe := func(command string, list []flag) {
		for _, f := range list {
			if f.takes == "" {
				continue
			}
			_, _ = fmt.Fprintf(&valued, "|--%s", f.name)
			if f.short != "" {
				_, _ = fmt.Fprintf(&valued, "|-%s", f.short)
			}
			switch {
			case f.folder:
				_, _ = fmt.Fprintf(&folders, "|*' --%s'", f.name)
			case len(f.values) > 0:
				_, _ = fmt.Fprintf(&cases, "    %s' --%s') COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", command, f.name, strings.Join(f.values, " "))
			}
		}
	}
	describe("*", p.flags)
	for _, c := range p.commands {
		names = append(names, c.name)
		describe(c.name, c.flags)
		if c.byDefault {
			describe("", c.flags)
			byDefault = strings.Join(words(c.flags), " ")
		}
		_, _ = fmt.Fprintf(&flags, "    %s) words+=' %s' ;;\n", c.name, strings.Join(slices.Concat(words(c.flags), c.values), " "))
	}
	return strings.NewReplacer(
		"@program", p.name, "@valued", strings.TrimPrefix(valued.String(), "|"), "@folders", strings.TrimPrefix(folders.String(), "|"),
		"@cases", cases.String(), "@flags", flags.String(), "@global", strings.Join(words(p.flags), " "),
		"@commands", strings.Join(names, " "), "@default", byDefault,
	).Replace(bashScript)
}

const bashScript = `# bash completion of @program
_@program() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= words i
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    @valued)
      ((i++))
      [[ ${COMP_WORDS[i]} == = ]] && ((i++))
      ;;
    -* | =) ;;
    *)
      command=${COMP_WORDS[i]}
      break
      ;;
    esac
  done
  COMPREPLY=()
  case "$command $prev" in
    @folders) COMPREPLY=($(compgen -d -- "$cur")); return ;;
@cases  esac
  case $prev in
    @valued) return ;;
  esac
  words='@global'
  case $command in
    '') words+=' @commands @default' ;;
@flags  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _@program @program
`
