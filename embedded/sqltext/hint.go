package sqltext

import (
	"slices"

	"tarn/embedded/fault"
)

// DeepMessage begins what DuckDB says of expressions that are nested too deeply.
const DeepMessage = "Max expression depth limit"

// ErrDeep refuses a statement for that.
func ErrDeep() error {
	return fault.New(fault.TooLarge, "the statement is nested too deeply", "split it, for example by views")
}

// verbs begin the statements that Tarn answers.
var verbs = []string{"SELECT", "FROM", "WITH", "VALUES", "SHOW", "DESCRIBE", "SUMMARIZE", "EXPLAIN", "CREATE", "DROP", "ALTER", "PIVOT"}

// syntaxHint guesses what a syntax error at a place of a statement comes from.
func syntaxHint(source string, at int) string {
	const plain = "check the form of the statement at that place"
	tokens, err := Lex(source)
	if err != nil {
		return plain
	}
	for i, t := range tokens {
		switch {
		case t.Offset != at:
			continue
		case i == 0 && t.Kind == Word && Nearest(t.Text, verbs) != "":
			return "did you mean " + Nearest(t.Text, verbs) + "?"
		case i == 0:
			return "a statement begins with SELECT, SHOW TABLES or DESCRIBE table, for example"
		case closesAt(tokens[:i]):
			return "an alias goes before AT, as in FROM silver.calls c AT (…)"
		}
		before := tokens[i-1]
		for _, word := range []Token{before, t} {
			if slices.ContainsFunc(namesToo, word.Is) {
				return "if " + word.Text + ` is the name of a column, write it in double quotes: "` + word.Text + `"`
			}
		}
		if keyword := Nearest(before.Text, clauses); before.Kind == Word && keyword != "" && !before.Is(keyword) {
			return "did you mean " + keyword + " instead of " + before.Text + "?"
		}
	}
	return plain
}

// namesToo are words of SQL that tables often have for columns.
var namesToo = []string{"AT", "ORDER", "GROUP", "USER", "TABLE", "COLUMN", "DEFAULT", "CHECK", "DESC", "END", "LIMIT", "OFFSET", "REFERENCES", "WINDOW", "PRIMARY"}

// clauses are the words that a slip in typing most often hits: what follows one that is
// misspelled is where the error is found.
var clauses = []string{"FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "JOIN"}

// closesAt tells whether tokens end in AT (…).
func closesAt(tokens []Token) bool {
	depth := 0
	for i := len(tokens) - 1; i > 0; i-- {
		switch {
		case tokens[i].Is(")"):
			depth++
		case tokens[i].Is("("):
			depth--
		}
		if depth == 0 {
			return tokens[i].Is("(") && tokens[i-1].Is("AT")
		}
	}
	return false
}
