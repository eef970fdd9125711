package table

import (
	"strings"
	"unicode"
)

// NameOf is the name of a topic's table, or of one that a setting names: lower case, other than [a-z0-9_] -> `_`.
func NameOf(topic string) string {
	return strings.Map(func(r rune) rune {
		r = unicode.ToLower(r)
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, topic)
}
