//go:build duckdb_arrow

package postgres

import (
	"strconv"
	"strings"

	"tarn/embedded/sqltext"
	"tarn/sql/postgres/catalog"
)

// realDigits are the binary digits of a real: float(n) of more is a double, and so is float by itself.
const realDigits = 24

// floats writes the type float as PostgreSQL means it: DuckDB's is a real, in which digits would be lost.
func floats(text string) (string, error) {
	if !strings.Contains(strings.ToLower(text), "float") {
		return text, nil
	}
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return text, err
	}
	casts := catalog.CastTypes(tokens, "CAST")
	made := len(tokens) > 1 && (tokens[0].Is("CREATE") || tokens[0].Is("ALTER"))
	var b strings.Builder
	from := 0
	for i, t := range tokens {
		if i == 0 || t.Kind != sqltext.Word || !t.Is("FLOAT") || from > t.Offset {
			continue
		}
		name, end, next := "float8", t.Offset+len(t.Text), i+1
		if i+3 < len(tokens) && tokens[i+1].Is("(") && tokens[i+3].Is(")") {
			digits, err := strconv.Atoi(tokens[i+2].Text)
			if err != nil {
				continue
			}
			if digits <= realDigits {
				name = "float4"
			}
			end, next = tokens[i+3].Offset+1, i+4
		}
		if !isType(tokens, i, next, casts[i], made) {
			continue
		}
		b.WriteString(text[from:t.Offset] + name)
		from = end
	}
	return b.String() + text[from:], nil
}

// isType tells whether the word of a token is a type: where that of a cast begins, or in a statement that makes columns of one. next is
// the token behind it.
func isType(tokens []sqltext.Token, at, next int, cast, made bool) bool {
	before := tokens[at-1]
	ends := next == len(tokens) || tokens[next].Is(")") || tokens[next].Is("[")
	switch {
	case before.Is("AS"):
		return cast && ends
	case cast:
		return true
	case before.Is("TYPE"):
		return made
	case before.Kind == sqltext.Word || before.Kind == sqltext.Quoted:
		return made && (ends || tokens[next].Is(",") || tokens[next].Is("NOT") || tokens[next].Is("NULL") || tokens[next].Is("PRIMARY"))
	}
	return false
}
