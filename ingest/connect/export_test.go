package connect

import "strings"

// Patterns are the calls that the door answers.
func Patterns() (out []string) {
	for _, r := range routes() {
		out = append(out, strings.TrimSuffix(r.pattern, "{$}"))
	}
	return out
}
