//go:build duckdb_arrow

package postgres

import (
	"maps"
	"strings"

	"tarn/embedded/fault"
)

// begin takes the settings of a start: first those of its options, as -c statement_timeout=5000, which PostgreSQL refuses where it does not
// know them, then those that are parameters themselves, of which a client may send others for all that it knows. RESET goes back to these.
func (s *settings) begin(parameters map[string]string) error {
	given, err := options(parameters["options"])
	if err != nil {
		return err
	}
	for _, o := range given {
		if err := s.set(o[0], o[1]); err != nil {
			return err
		}
	}
	for name, value := range parameters {
		switch name {
		case "user", "database", "replication", "options":
		default:
			_ = s.set(name, value) // one that is not known does no harm here
		}
	}
	s.defaults = maps.Clone(s.now)
	return nil
}

// options are the names and values of the arguments of a server, as clients have them in PGOPTIONS: -c name=value, -cname=value and
// --name=value.
func options(text string) (out [][2]string, err error) {
	args := arguments(text)
	for i := 0; i < len(args); i++ {
		arg, said := args[i], ""
		switch {
		case arg == "-c":
			if i++; i == len(args) {
				return nil, errArgument(arg)
			}
			said = args[i]
		case strings.HasPrefix(arg, "--"), strings.HasPrefix(arg, "-c"):
			said = arg[2:]
		default:
			return nil, errArgument(arg)
		}
		name, value, ok := strings.Cut(said, "=")
		if name == "" {
			return nil, errArgument(arg)
		}
		if !ok {
			if arg = "-c " + said; strings.HasPrefix(args[i], "--") {
				arg = args[i]
			}
			return nil, stateError{"42601", fault.Newf(fault.Syntax, "such as -c statement_timeout=5000", "%s requires a value", arg)}
		}
		out = append(out, [2]string{strings.ReplaceAll(name, "-", "_"), value})
	}
	return out, nil
}

func errArgument(arg string) error {
	return stateError{"42601", fault.Newf(fault.Syntax, "options are -c name=value", "invalid command-line argument for server process: %s", arg)}
}

// arguments cuts a text at its blanks; a backslash takes the character behind it as it is.
func arguments(text string) (out []string) {
	var b strings.Builder
	begun, escaped := false, false
	for _, r := range text + " " {
		switch {
		case escaped:
			escaped = false
			b.WriteRune(r)
		case r == '\\':
			escaped, begun = true, true
		case strings.ContainsRune(" \t\n\r\v\f", r):
			if begun {
				out = append(out, b.String())
				b.Reset()
			}
			begun = false
		default:
			begun = true
			b.WriteRune(r)
		}
	}
	return out
}
