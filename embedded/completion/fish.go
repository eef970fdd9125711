package completion

import (
	"fmt"
	"strings"
)

// fish is the script for fish.
func (p program) fish() string {
	var out strings.Builder
	_, _ = fmt.Fprintf(&out, "# fish completion of %s\n", p.name)
	var names []string
	for _, c := range p.commands {
		names = append(names, c.name)
	}
	none := "not __fish_seen_subcommand_from " + strings.Join(names, " ")
	for _, c := range p.commands {
		_, _ = fmt.Fprintf(&out, "complete -c %s -f -n '%s' -a %s -d '%s'\n", p.name, none, c.name, line(c.help))
	}
	out.WriteString(p.fishFlags("", p.flags))
	for _, c := range p.commands {
		when := "__fish_seen_subcommand_from " + c.name
		out.WriteString(p.fishFlags(when, c.flags))
		if c.byDefault {
			out.WriteString(p.fishFlags(none, c.flags))
		}
		if len(c.values) > 0 {
			_, _ = fmt.Fprintf(&out, "complete -c %s -f -n '%s' -a '%s'\n", p.name, when, strings.Join(c.values, " "))
		}
	}
	return out.String()
}

func (p program) fishFlags(when string, flags []flag) string {
	var out strings.Builder
	for _, f := range flags {
		_, _ = fmt.Fprintf(&out, "complete -c %s", p.name)
		if when != "" {
			_, _ = fmt.Fprintf(&out, " -n '%s'", when)
		}
		_, _ = fmt.Fprintf(&out, " -l %s", f.name)
		if f.short != "" {
			_, _ = fmt.Fprintf(&out, " -s %s", f.short)
		}
		switch {
		case f.folder:
			out.WriteString(" -x -a '(__fish_complete_directories)'")
		case len(f.values) > 0:
			_, _ = fmt.Fprintf(&out, " -x -a '%s'", strings.Join(f.values, " "))
		case f.takes != "":
			out.WriteString(" -x")
		}
		_, _ = fmt.Fprintf(&out, " -d '%s'\n", line(f.help))
	}
	return out.String()
}
