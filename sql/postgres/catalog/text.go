//go:build duckdb_arrow

package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// like takes the backslash for the escape of a pattern, as PostgreSQL does unless ESCAPE says otherwise.
func like(name string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 || args[1].Text != nil && !strings.Contains(*args[1].Text, `\`) {
			return "", nil
		}
		return name + `($1, $2, '\')`, nil
	}
}

// substring counts places before the first, as PostgreSQL does, where DuckDB would count from the end.
func substring(args []sqltext.Argument) (string, error) {
	switch {
	case len(args) < 2 || len(args) > 3:
		return "", nil
	case args[1].Text != nil:
		return "nullif(regexp_extract($1, $2, CASE WHEN regexp_matches($2, '(^|[^\\\\])\\((\\?<|[^?])') THEN 1 ELSE 0 END), '')", nil
	case len(args) == 2:
		return "substr($1, greatest($2, 1))", nil
	}
	return "substr($1, greatest($2, 1), greatest($3 + least($2 - 1, 0), 0))", nil
}

// regexpMatch answers what the groups of a pattern match, or the whole of it where there are none.
func regexpMatch(args []sqltext.Argument) (string, error) {
	if len(args) < 2 || args[1].Text == nil {
		return "", fault.New(fault.Invalid, "regexp_match takes a pattern that is no expression", "write the pattern as a text")
	}
	parts := []string{"regexp_extract($1, $2, 0%[1]s)"}
	if n := groups(*args[1].Text); n > 0 {
		parts = nil
		for i := range n {
			parts = append(parts, fmt.Sprintf("regexp_extract($1, $2, %d%%[1]s)", i+1))
		}
	}
	return matching("CASE WHEN regexp_matches($1, $2%[1]s) THEN [" + strings.Join(parts, ", ") + "] END")(args)
}

// matching is a function of a text, a pattern and flags, of which DuckDB has i and c by the same letters.
func matching(said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		switch {
		case len(args) == 2:
			return fmt.Sprintf(said, ""), nil
		case len(args) != 3 || args[2].Text == nil || strings.Trim(*args[2].Text, "ic") != "":
			return "", fault.New(fault.Invalid, "a regular expression has other flags here", "give a text, a pattern, and i or c")
		}
		return fmt.Sprintf(said, ", "+duck.Quote(*args[2].Text)), nil
	}
}

// dimension is a function of a list and the number of a dimension: what is said of the first, for the others beyond. Of a list
// of lists no more than the first is told.
func dimension(first, beyond string) sqltext.Template {
	return sqltext.As("CASE WHEN $2 = 1 THEN " + first + " WHEN typeof($1) LIKE '%[][]' THEN CAST('only the first dimension of a list is told' AS TINYINT) ELSE " + beyond + " END")
}

// stringToArray has no item in an empty text, and null for what its third argument says.
func stringToArray(args []sqltext.Argument) (string, error) {
	said := "CASE WHEN $1 = '' THEN CAST([] AS VARCHAR[]) ELSE string_split($1, $2) END"
	if len(args) == 2 && args[1].Text != nil && *args[1].Text == "" { // DuckDB's are its letters
		return "CASE WHEN $1 = '' THEN CAST([] AS VARCHAR[]) WHEN $1 IS NOT NULL THEN [$1] END", nil
	}
	if len(args) == 2 && args[1].Null {
		return "CASE WHEN $1 = '' THEN CAST([] AS VARCHAR[]) ELSE string_split($1, '') END", nil
	}
	if len(args) == 3 {
		said = "list_transform(" + said + ", lambda tarn_x: nullif(tarn_x, $3))"
	}
	return sqltext.As(said)(args)
}

// regexpMatches answers a row for what the pattern matches first, or for each match with the flag g: the groups, or the whole.
func regexpMatches(said string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) < 2 || args[1].Text == nil {
			return "", fault.New(fault.Invalid, "regexp_matches takes a pattern that is no expression", "write the pattern as a text")
		}
		all, args := false, slices.Clone(args)
		if len(args) == 3 && args[2].Text != nil {
			flags := strings.ReplaceAll(*args[2].Text, "g", "")
			all, args[2].Text = flags != *args[2].Text, &flags
		}
		from, to := 0, 0
		if n := groups(*args[1].Text); n > 0 {
			from, to = 1, n
		}
		var parts []string
		for i := from; i <= to; i++ {
			parts = append(parts, fmt.Sprintf("regexp_extract_all($1, $2, %d%%[1]s)[tarn_i]", i))
		}
		most := "least(%s, 1)"
		if all {
			most = "%s"
		}
		most = fmt.Sprintf(most, "len(regexp_extract_all($1, $2, 0%[1]s))")
		return matching(fmt.Sprintf(strings.ReplaceAll(said, "%s", "unnest(list_transform(range(1, %s + 1), lambda tarn_i: [%s]))"), most, strings.Join(parts, ", ")))(args)
	}
}

// groups is how many groups a pattern captures.
func groups(pattern string) (n int) {
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\':
			i++
		case pattern[i] == '(' && !strings.HasPrefix(pattern[i:], "(?"):
			n++
		}
	}
	return n
}

func setConfig([]sqltext.Argument) (string, error) {
	return "", fault.New(fault.Invalid, "set_config stands alone here, with texts", "write SELECT set_config('name', 'value', false), or SET name = 'value'")
}

func encoded(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[1].Text == nil {
		return "", nil
	}
	switch strings.ToLower(*args[1].Text) {
	case "hex":
		return "lower(hex($1))", nil
	case "base64":
		return "base64($1)", nil
	}
	return "", fault.New(fault.Invalid, "there is no such encoding", "take hex or base64")
}

func decoded(args []sqltext.Argument) (string, error) {
	if len(args) != 2 || args[1].Text == nil {
		return "", nil
	}
	switch strings.ToLower(*args[1].Text) {
	case "hex":
		return "unhex($1)", nil
	case "base64":
		return "from_base64($1)", nil
	}
	return "", fault.New(fault.Invalid, "there is no such encoding", "take hex or base64")
}

// format is PostgreSQL's, of %s, %I and %L.
func format(args []sqltext.Argument) (string, error) {
	if len(args) == 0 || args[0].Text == nil {
		return "", fault.New(fault.Invalid, "format takes a format that is no expression", "write it as a text")
	}
	var parts []string
	next, from := 2, 0
	text := *args[0].Text
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			continue
		}
		if i+1 == len(text) {
			return "", fault.New(fault.Invalid, "the format ends with %", "write %s, %I, %L or %%")
		}
		parts = append(parts, duck.Quote(text[from:i]))
		argument, of := "$"+strconv.Itoa(next), sqltext.Argument{}
		if next <= len(args) {
			of = args[next-1]
		}
		switch text[i+1] {
		case '%':
			parts, next = append(parts, "'%'"), next-1
		case 's':
			parts = append(parts, "coalesce("+textOf(of, argument)+", '')")
		case 'I':
			parts = append(parts, strings.ReplaceAll(fixedFunctions["quote_ident"], "$1", argument))
		case 'L':
			parts = append(parts, strings.ReplaceAll(fixedFunctions["quote_nullable"], "$1", argument))
		default:
			return "", fault.New(fault.Invalid, "the format has another letter behind % than s, I and L", "write %s, %I, %L or %%")
		}
		next++
		i++
		from = i + 1
	}
	return "(" + strings.Join(append(parts, duck.Quote(text[from:])), " || ") + ")", nil
}

// List is '{a,"b c",NULL}' as DuckDB reads it; false for a text that is none.
func List(text string) (string, bool) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return "", false
	}
	var b strings.Builder
	b.WriteByte('[')
	blanks := func(i int) int {
		for i < len(text)-1 && strings.ContainsRune(" \t\n\r\v\f", rune(text[i])) {
			i++
		}
		return i
	}
	for i := 1; i < len(text)-1; {
		if i = blanks(i); i == len(text)-1 {
			break
		}
		start := i
		if text[i] == '"' {
			i = start + 1
			var item strings.Builder
			for ; i < len(text)-1 && text[i] != '"'; i++ {
				if text[i] == '\\' && i+1 < len(text)-1 {
					i++
				}
				item.WriteByte(text[i])
			}
			i = blanks(i + 1)
			b.WriteString(quotedItem(item.String()))
		} else {
			for i < len(text)-1 && text[i] != ',' {
				i++
			}
			if item := strings.TrimSpace(text[start:i]); strings.EqualFold(item, "null") {
				b.WriteString("NULL")
			} else {
				b.WriteString(quotedItem(item))
			}
		}
		if i < len(text)-1 {
			if text[i] != ',' {
				return "", false
			}
			b.WriteString(", ")
			i++
		}
	}
	b.WriteByte(']')
	return b.String(), true
}

func quotedItem(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// bareNumeric is written for numeric and decimal without precision and scale, which DuckDB takes for DECIMAL(18,3). It is as long.
const bareNumeric = "tarn_nm"

// CastTypes are the tokens with which the type of a cast begins: behind ::, and behind AS by itself within one of the calls.
func CastTypes(tokens []sqltext.Token, calls ...string) map[int]bool {
	out := map[int]bool{}
	is := func(i int, words ...string) bool {
		return i >= 0 && slices.ContainsFunc(words, tokens[i].Is)
	}
	var casts []bool // of the parentheses that are open
	for i := range tokens {
		if is(i-1, ":") && is(i-2, ":") || is(i-1, "as") && len(casts) > 0 && casts[len(casts)-1] {
			out[i] = true
		}
		switch {
		case is(i, "("):
			casts = append(casts, is(i-1, calls...))
		case is(i, ")") && len(casts) > 0:
			casts = casts[:len(casts)-1]
		}
	}
	return out
}

// bareNumerics are the tokens that are such a type in a cast.
func bareNumerics(tokens []sqltext.Token) map[int]bool {
	out := CastTypes(tokens, "cast", "try_cast")
	maps.DeleteFunc(out, func(i int, _ bool) bool {
		next := func(word string) bool { return i+1 < len(tokens) && tokens[i+1].Is(word) }
		return !tokens[i].Is("numeric") && !tokens[i].Is("decimal") || next("(") || tokens[i-1].Is("as") && !next(")")
	})
	return out
}

// operatorTokens are the most of OPERATOR(pg_catalog.!~~*).
const operatorTokens = 12

// spell takes off what DuckDB's parser does not take, and writes bare words small: PostgreSQL's names are.
func spell(out []byte, tokens []sqltext.Token) {
	blank := func(t sqltext.Token) {
		for i := range len(t.Text) {
			out[t.Offset+i] = ' '
		}
	}
	is := func(i int, words ...string) bool {
		for n, w := range words {
			if i+n >= len(tokens) || !tokens[i+n].Is(w) && (tokens[i+n].Kind != sqltext.Quoted || tokens[i+n].Name() != w) {
				return false
			}
		}
		return true
	}
	casts := bareNumerics(tokens)
	for i := range CastTypes(tokens, "cast") {
		spellLength(out, tokens, i)
	}
	forms := speller{out: out, tokens: tokens}
	for i, t := range tokens {
		switch {
		case forms.form(i):
		case casts[i]:
			copy(out[t.Offset:], bareNumeric)
		case is(i, "operator", "(", pgCatalog, "."):
			end := i + 4
			for end < min(len(tokens), i+operatorTokens) && !tokens[end].Is(")") {
				end++
			}
			if end < len(tokens) && tokens[end].Is(")") {
				for _, at := range []int{i, i + 1, i + 2, i + 3, end} {
					blank(tokens[at])
				}
			}
		case is(i, ":", ":", pgCatalog, "."):
			blank(tokens[i+2])
			blank(tokens[i+3])
		case is(i, "as", pgCatalog, ".") && i+3 < len(tokens):
			blank(tokens[i+1])
			blank(tokens[i+2])
		case t.Is("date_part") && is(i+1, "("): // EXTRACT is read as date_part, too, and has another type
			copy(out[t.Offset:], partSpelled+" ")
		case is(i, "collate", pgCatalog, ".") && i+3 < len(tokens):
			for at := i; at < i+4; at++ {
				blank(tokens[at])
			}
		case is(i, "collate", "C"), is(i, "collate", "POSIX"), is(i, "collate", "default"):
			blank(t)
			blank(tokens[i+1])
		case t.Kind == sqltext.Word && out[t.Offset] != ' ':
			for at := t.Offset; at < t.Offset+len(t.Text); at++ {
				if c := out[at]; c >= 'A' && c <= 'Z' {
					out[at] = c + 'a' - 'A'
				}
			}
		}
	}
}
