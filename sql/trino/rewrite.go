package trino

import (
	"regexp"
	"strings"

	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
)

// rewritten is a statement in which the forms are replaced that DuckDB's parser does not take, or reads as something else.
type rewritten struct {
	text   string
	source string
	pieces []piece // what was put in, in order
}

// piece is a place where the texts differ: from there on they are alike again.
type piece struct{ in, out int }

// place is where a place of the new text is in the old one.
func (r rewritten) place(offset int) int {
	in, out := 0, 0
	for _, p := range r.pieces {
		if p.out > offset {
			break
		}
		in, out = p.in, p.out
	}
	return min(in+offset-out, len(r.source))
}

// rewriter goes over the tokens of a statement once.
type rewriter struct {
	session session
	tokens  []sqltext.Token
	source  string
	b       strings.Builder
	from    int // of what is not written yet
	pieces  []piece
}

// rewrite replaces the forms of a statement.
func rewrite(text string, s session) (rewritten, error) {
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return rewritten{}, err
	}
	r := &rewriter{session: s, tokens: tokens, source: text}
	for i := 0; i < len(tokens); {
		n, err := r.form(i)
		if err != nil {
			return rewritten{}, err
		}
		i += max(n, 1)
	}
	r.b.WriteString(text[r.from:])
	return rewritten{r.b.String(), text, r.pieces}, nil
}

// at is a token; the zero one beyond the end.
func (r *rewriter) at(i int) sqltext.Token {
	if i < 0 || i >= len(r.tokens) {
		return sqltext.Token{}
	}
	return r.tokens[i]
}

func (r *rewriter) are(i int, words ...string) bool {
	for n, w := range words {
		if !r.at(i + n).Is(w) {
			return false
		}
	}
	return true
}

func (r *rewriter) end(i int) int { return r.at(i).Offset + len(r.at(i).Text) }

// put writes a text in the place of tokens i to j, without j, and returns their number.
func (r *rewriter) put(i, j int, text string) int {
	r.b.WriteString(r.source[r.from:r.at(i).Offset])
	r.b.WriteString(text)
	r.from = r.end(j - 1)
	r.pieces = append(r.pieces, piece{r.from, r.b.Len()})
	return j - i
}

// zoned is the text of a TIMESTAMP with a zone, which makes it one of that type.
var zoned = regexp.MustCompile(`^\s*[+-]?[0-9]+-[0-9]+-[0-9]+(?:[ T]+[0-9:.]+)?\s*[A-Za-z+-]`)

// closing is the token that closes the parenthesis at i; 0 for none.
func (r *rewriter) closing(i int) int {
	depth := 0
	for ; i < len(r.tokens); i++ {
		switch {
		case r.are(i, "("):
			depth++
		case r.are(i, ")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// form replaces the form that begins at a token and returns how many of them it has taken; 0 for none.
func (r *rewriter) form(i int) (int, error) {
	t := r.at(i)
	if t.Kind == sqltext.Word {
		switch strings.ToLower(t.Text) {
		case "x":
			if next := r.at(i + 1); next.Kind == sqltext.String && next.Offset == t.Offset+1 {
				return r.put(i, i+2, "unhex("+sqltext.Literal(strings.ReplaceAll(next.Value(), " ", ""))+")"), nil
			}
		case "decimal":
			if next := r.at(i + 1); next.Kind == sqltext.String {
				return r.put(i, i+2, "("+decimalText(next.Value())+")"), nil
			}
		case "current_catalog":
			return r.put(i, i+1, sqltext.Literal(catalog.Name)), nil
		case "current_schema":
			return r.put(i, i+1, literalOrNull(r.session.schema)), nil
		case "current_user":
			return r.put(i, i+1, sqltext.Literal(r.session.user)), nil
		case "array":
			return r.arrayType(i), nil
		case "timestamp", "time":
			if next := r.at(i + 1); next.Kind == sqltext.String && zoned.MatchString(next.Value()) && t.Is("timestamp") {
				return r.put(i, i+1, "timestamptz"), nil
			}
			if r.are(i+1, "(") && r.are(i+3, ")", "with", "time", "zone") {
				return r.put(i, i+7, t.Text+" with time zone"), nil
			}
		case "tablesample":
			return r.sample(i), nil
		case "for":
			return r.moment(i)
		case "listagg":
			return r.listagg(i), nil
		}
	}
	if name := strings.ToLower(t.Name()); name == systemCatalog && (t.Kind == sqltext.Word || t.Kind == sqltext.Quoted) && r.are(i+1, ".") && r.are(i+3, ".") && !r.are(i-1, ".") {
		switch schema := strings.ToLower(r.at(i + 2).Name()); schema {
		case "jdbc", "metadata", "runtime":
			return r.put(i, i+3, "system_"+schema), nil
		case "information_schema":
			return r.put(i, i+3, schema), nil
		}
	}
	return 0, nil
}

func literalOrNull(text string) string {
	if text == "" {
		return "NULL"
	}
	return sqltext.Literal(text)
}

// decimalText is the number of DECIMAL '1.50', which has the digits that it is written with; DuckDB would make three of them.
func decimalText(text string) string {
	text = strings.TrimSpace(text)
	for i, c := range text {
		if (c < '0' || c > '9') && c != '.' && (i > 0 || c != '-' && c != '+') {
			return "CAST(" + sqltext.Literal(text) + " AS DECIMAL(38,0))" // it says what is wrong
		}
	}
	if !strings.Contains(text, ".") {
		text += "."
		return "CAST(" + strings.TrimSuffix(text, ".") + " AS DECIMAL(" + digits(text) + ",0))"
	}
	return text
}

func digits(text string) string {
	n := 0
	for _, c := range text {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return pad(max(n, 1), 1)
}

// arrayType writes the type array(T) as T[].
func (r *rewriter) arrayType(i int) int {
	last := r.closing(i + 1)
	if !r.are(i+1, "(") || last == 0 || r.are(i+2, "select") || r.are(i+2, "with") || r.are(i+2, "values") {
		return 0
	}
	inner, err := rewrite(r.source[r.at(i+2).Offset:r.at(last).Offset], r.session)
	if err != nil {
		return 0
	}
	return r.put(i, last+1, strings.TrimSpace(inner.text)+"[]")
}

// sample is TABLESAMPLE BERNOULLI (10): percent, which DuckDB wants said.
func (r *rewriter) sample(i int) int {
	method := r.at(i + 1)
	if (method.Is("bernoulli") || method.Is("system")) && r.are(i+2, "(") && r.are(i+4, ")") {
		return r.put(i, i+5, "TABLESAMPLE "+method.Text+"("+r.at(i+3).Text+" PERCENT)")
	}
	return 0
}

// moment is FOR VERSION AS OF n and FOR TIMESTAMP AS OF TIMESTAMP '…'.
func (r *rewriter) moment(i int) (int, error) {
	kind := r.at(i + 1)
	if !kind.Is("version") && !kind.Is("timestamp") || !r.are(i+2, "as", "of") {
		return 0, nil
	}
	last := i + 5 // of a number or a text
	if r.are(i+4, "timestamp") || r.are(i+4, "date") {
		last++
	}
	if value := r.at(last - 1); value.Kind != sqltext.Number && value.Kind != sqltext.String {
		return 0, unsupported("write FOR VERSION AS OF 3, or FOR TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00 UTC'", "a moment must be a number or a text here")
	}
	form := strings.ToUpper(kind.Text)
	if form == "VERSION" && r.at(last-1).Kind == sqltext.String {
		form = "TAG"
	}
	return r.put(i, last, "AT ("+form+" => "+r.source[r.at(i+4).Offset:r.end(last-1)]+")"), nil
}

// listagg moves the order of WITHIN GROUP into the call.
func (r *rewriter) listagg(i int) int {
	last := r.closing(i + 1)
	if !r.are(i+1, "(") || last == 0 || !r.are(last+1, "within", "group", "(", "order", "by") {
		return 0
	}
	closed := r.closing(last + 3)
	if closed == 0 {
		return 0
	}
	inside := r.source[r.at(i+2).Offset:r.at(last).Offset]
	order := r.source[r.at(last+4).Offset:r.at(closed).Offset]
	return r.put(i, closed+1, "listagg("+inside+" "+order+")")
}
