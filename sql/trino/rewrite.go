package trino

import (
	"cmp"
	"regexp"
	"slices"
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
	closed  []int          // by opening parenthesis, the one that closes it; 0 for none
	later   map[int]string // what takes the place of a closing parenthesis that is still to come
	instead map[int]string // what takes the place of a token
	before  map[int]string // what is put in front of a token
	after   map[int]string // what is put behind one
	from    int            // of what is not written yet
	pieces  []piece
}

// rewrite replaces the forms of a statement.
func rewrite(text string, s session) (rewritten, error) {
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return rewritten{}, err
	}
	r := &rewriter{session: s, tokens: tokens, source: text, closed: closings(tokens), later: map[int]string{}, instead: map[int]string{}, before: map[int]string{}, after: map[int]string{}}
	for i := 0; i < len(tokens); {
		if text := r.before[i]; text != "" {
			r.insert(tokens[i].Offset, text)
		}
		n, err := r.form(i)
		if err != nil {
			return rewritten{}, err
		}
		for n = max(n, 1); n > 0; n-- {
			if text := r.after[i]; text != "" {
				r.insert(r.end(i), text)
			}
			i++
		}
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

// zoned is the text of a TIMESTAMP with a zone, which makes it one of that type; zonedTime is that of a TIME.
var (
	zoned     = regexp.MustCompile(`^\s*([+-]?[0-9]+-[0-9]+-[0-9]+)(?:[ T]+([0-9:.]+))?\s*([A-Za-z+-]\S*)\s*$`)
	zonedTime = regexp.MustCompile(`^\s*[0-9:.]+\s*[A-Za-z+-]`)
)

// instant is the text of a TIMESTAMP with a zone as DuckDB takes it: with a time, an offset at once behind it, and a name behind one
// blank. false for a TIMESTAMP without a zone.
func instant(text string) (string, bool) {
	m := zoned.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	zone := m[3]
	if !strings.ContainsAny(zone[:1], "+-") && !strings.EqualFold(zone, "z") {
		zone = " " + zone
	}
	return m[1] + " " + cmp.Or(m[2], "00:00:00") + zone, true
}

// closings finds all pairs of parentheses at once, so that a statement of nothing else takes no longer than another.
func closings(tokens []sqltext.Token) []int {
	closed := make([]int, len(tokens))
	var open []int
	for i, t := range tokens {
		switch {
		case t.Is("("):
			open = append(open, i)
		case t.Is(")") && len(open) > 0:
			closed[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return closed
}

// moments is TIMESTAMP '…' and TIME '…', where their text has a zone.
func (r *rewriter) moments(i int, text string) (int, error) {
	if r.at(i).Is("time") {
		if zonedTime.MatchString(text) { // DuckDB would leave the zone out
			return 0, unsupported("write a TIMESTAMP with its zone, or the time in UTC", "a time of day with a zone is no type here")
		}
		return 0, nil
	}
	if at, ok := instant(text); ok {
		return r.put(i, i+2, "timestamptz "+sqltext.Literal(at)), nil
	}
	m := unzoned.FindStringSubmatch(text)
	if m == nil {
		return 0, nil
	}
	if len(m[1]) > timestampDigitsMax {
		return 0, unsupported("write fewer", "a timestamp has at most %d digits behind its seconds here", timestampDigitsMax)
	}
	return r.put(i, i+2, timestampOf(len(m[1]))+" "+sqltext.Literal(text)), nil
}

// unzoned is the text of a TIMESTAMP without a zone.
var unzoned = regexp.MustCompile(`^\s*[+-]?[0-9]+-[0-9]+-[0-9]+(?:[ T]+[0-9]+:[0-9]+(?::[0-9]+(?:\.([0-9]*))?)?)?\s*$`)

// timestampDigitsMax are the most digits behind the seconds of a timestamp.
const timestampDigitsMax = 9

// timestampOf is the narrowest type with so many digits behind the seconds.
func timestampOf(digits int) string {
	switch {
	case digits == 0:
		return "TIMESTAMP_S"
	case digits <= 3:
		return "TIMESTAMP_MS"
	case digits <= 6:
		return "TIMESTAMP"
	}
	return "TIMESTAMP_NS"
}

// closing is the token that closes the parenthesis at i; 0 for none.
func (r *rewriter) closing(i int) int {
	if i < 0 || i >= len(r.closed) {
		return 0
	}
	return r.closed[i]
}

// form replaces the form that begins at a token and returns how many of them it has taken; 0 for none.
func (r *rewriter) form(i int) (int, error) {
	t := r.at(i)
	if text, ok := r.later[i]; ok {
		if text == "" {
			return r.put(i, i+len(withinGroup)+1, " "), nil
		}
		return r.put(i, i+1, text), nil
	}
	if t.Kind == sqltext.Number && strings.HasPrefix(t.Text, "0.") && len(t.Text) > 2 && !strings.ContainsAny(t.Text, "eE") {
		return r.put(i, i+1, t.Text[1:]), nil // its 0 is no digit of its decimal
	}
	if text, ok := r.instead[i]; ok {
		return r.put(i, i+1, text), nil
	}
	switch {
	case t.Is(")"):
		return r.nulls(i), nil
	case t.Kind == sqltext.Number:
		return r.whole(i)
	case t.Kind == sqltext.Word || t.Kind == sqltext.Quoted:
		if n, err := r.metadata(i); n > 0 || err != nil {
			return n, err
		}
	}
	if t.Kind == sqltext.Word {
		if n, err := r.word(i, strings.ToLower(t.Text)); n > 0 || err != nil {
			return n, err
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

// word replaces the form that begins with a bare word.
func (r *rewriter) word(i int, name string) (int, error) {
	t, next := r.at(i), r.at(i+1)
	switch name {
	case "values":
		r.values(i)
	case "order":
		return r.ties(i)
	case "optimize":
		if r.are(i-1, "execute") {
			return r.put(i, i+1, "compact"), nil
		}
	case "current_timestamp", "localtimestamp", "localtime", "current_date":
		return r.clock(i, name), nil
	case "u":
		if r.are(i+1, "&") && r.at(i+2).Kind == sqltext.String && r.at(i+2).Offset == t.Offset+2 {
			return r.unicodeText(i)
		}
	case "interval":
		return r.interval(i)
	case "if", "json_object", "json_array", "json_exists", "json_value", "json_query":
		return r.called(i, name)
	case "json":
		return r.json(i), nil
	case "char":
		if r.are(i+1, "(") && r.are(i+3, ")") || r.are(i-1, "as") && r.are(i+1, ")") {
			return 0, unsupported("write varchar, with its length or without", "char, which has blanks behind its text, is no type here")
		}
	case "cast", "try_cast":
		return r.cast(i)
	case "x":
		if next.Kind == sqltext.String && next.Offset == t.Offset+1 {
			return r.put(i, i+2, "unhex("+sqltext.Literal(strings.ReplaceAll(next.Value(), " ", ""))+")"), nil
		}
	case "decimal":
		if next.Kind == sqltext.String {
			return r.put(i, i+2, "("+decimalText(next.Value())+")"), nil
		}
	case "current_catalog", "current_schema", "current_user":
		return r.put(i, i+1, r.whose(name)), nil
	case "array":
		return r.arrayType(i), nil
	case "timestamp", "time":
		if next.Kind == sqltext.String {
			return r.moments(i, next.Value())
		}
		if r.are(i+1, "(") && r.are(i+3, ")", "with", "time", "zone") {
			return r.put(i, i+7, t.Text+" with time zone"), nil
		}
	case "at":
		return r.zone(i)
	case "tablesample":
		return r.sample(i), nil
	case "for":
		return r.moment(i)
	case "listagg":
		r.listagg(i)
	}
	return 0, nil
}

// whose is what a word tells of the session.
func (r *rewriter) whose(word string) string {
	switch word {
	case "current_catalog":
		return sqltext.Literal(catalog.Name)
	case "current_schema":
		return literalOrNull(r.session.schema)
	}
	return sqltext.Literal(r.session.user)
}

// called replaces forms of the arguments of a call.
func (r *rewriter) called(i int, name string) (int, error) {
	last := r.closing(i + 1)
	if last == 0 {
		return 0, nil
	}
	switch name {
	case "if":
		if comma := r.topComma(i+2, last); comma > 0 && r.topComma(comma+1, last) == 0 {
			r.instead[last] = ", NULL)"
		}
	case "json_object", "json_array":
		r.members(i, name)
	default:
		if err := r.jsonCall(i, name); err != nil {
			return 0, err
		}
	}
	if text, ok := r.instead[i]; ok {
		return r.put(i, i+1, text), nil
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
	if last == 0 || r.are(i+2, "select") || r.are(i+2, "with") || r.are(i+2, "values") {
		return 0
	}
	r.later[last] = "[]"
	return r.put(i, i+2, "")
}

// json is JSON '…', which is read as JSON, where a cast of a text is a text.
func (r *rewriter) json(i int) int {
	if next := r.at(i + 1); next.Kind == sqltext.String && !r.are(i-1, ".") {
		return r.put(i, i+2, "json_parse("+sqltext.Literal(next.Value())+")")
	}
	return 0
}

// cast is CAST(x AS timestamp), which has three digits behind the seconds, or as many as it says.
func (r *rewriter) cast(i int) (int, error) {
	last := r.closing(i + 1)
	switch {
	case r.are(last-2, "as", "timestamp"):
		r.instead[last-1] = timestampOf(3)
	case r.are(last-5, "as", "timestamp", "(") && r.are(last-1, ")"):
		if digits := r.at(last - 2).Text; !slices.Contains([]string{"0", "3", "6", "9"}, digits) {
			return 0, unsupported("write timestamp(3), or 0, 6 or 9 of them", "a timestamp cannot have %s digits behind its seconds here", digits)
		}
	}
	return r.cut(i), nil
}

// cutFunction stands for a cast to a varchar of so many characters, of which DuckDB's parser keeps no number.
const cutFunction = "tarn_cut"

// cut writes CAST(x AS varchar(3)) as cutFunction(x, 3).
func (r *rewriter) cut(i int) int {
	last := r.closing(i + 1)
	if last < i+7 || !r.are(last-5, "as", "varchar", "(") || !r.are(last-1, ")") || r.at(last-2).Kind != sqltext.Number {
		return 0
	}
	r.later[last-5], r.later[last-4], r.later[last-3], r.later[last-1] = ",", " ", " ", " "
	return r.put(i, i+1, cutFunction)
}

// utc are names of the one zone that a value can have here.
var utc = map[string]bool{"utc": true, "etc/utc": true, "gmt": true, "z": true, "+00:00": true}

// zone is AT TIME ZONE, which keeps the instant and shows it in a zone: DuckDB's form of it, timezone(zone, x), is another
// instant, or has lost its zone.
func (r *rewriter) zone(i int) (int, error) {
	if !r.are(i+1, "time", "zone") {
		return 0, nil
	}
	if of := r.at(i + 3); of.Kind == sqltext.String && utc[strings.ToLower(of.Value())] {
		return r.put(i, i+4, "::TIMESTAMPTZ"), nil
	}
	if r.at(i+3).Kind == sqltext.String { // marked, for timezone(zone, x) is another function of DuckDB's
		return r.put(i, i+4, "AT TIME ZONE "+atZone+"("+sqltext.Literal(r.at(i+3).Value())+")"), nil
	}
	return 0, unsupported("write AT TIME ZONE 'Europe/Paris'", "a zone must be a text here")
}

// sample is TABLESAMPLE BERNOULLI (10): percent, which DuckDB wants said.
func (r *rewriter) sample(i int) int {
	method := r.at(i + 1)
	if (method.Is("bernoulli") || method.Is("system")) && r.are(i+2, "(") && r.are(i+4, ")") {
		return r.put(i, i+5, "TABLESAMPLE "+method.Text+"("+r.at(i+3).Text+" PERCENT)")
	}
	return 0
}

// moment is FOR VERSION AS OF n and FOR TIMESTAMP AS OF TIMESTAMP '…', with the table's alias, which DuckDB wants before it.
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
	at := "AT (" + strings.ToUpper(kind.Text) + " => " + r.source[r.at(i+4).Offset:r.end(last-1)] + ")"
	if end := r.alias(last); end > last {
		at, last = r.source[r.at(last).Offset:r.end(end-1)]+" "+at, end
	}
	return r.put(i, last, at), nil
}

// behind are words that may stand behind a table without an alias.
var behind = map[string]bool{
	"where": true, "join": true, "inner": true, "left": true, "right": true, "full": true, "cross": true, "natural": true, "on": true, "using": true,
	"group": true, "having": true, "order": true, "limit": true, "offset": true, "fetch": true, "union": true, "intersect": true, "except": true, "window": true,
	"tablesample": true, "match_recognize": true, "qualify": true, "semi": true, "anti": true, "asof": true, "positional": true, "pivot": true, "unpivot": true,
}

// alias is the end of a table's alias that begins at a token; i itself where there is none.
func (r *rewriter) alias(i int) int {
	name := i
	if r.are(i, "as") {
		name++
	}
	t := r.at(name)
	if t.Kind != sqltext.Quoted && (t.Kind != sqltext.Word || name == i && behind[strings.ToLower(t.Text)]) {
		return i
	}
	if last := r.closing(name + 1); last > 0 {
		return last + 1 // with names of columns
	}
	return name + 1
}

// withinGroup is what stands between the arguments of LISTAGG and their order.
var withinGroup = []string{"within", "group", "("}

// listagg moves the order of WITHIN GROUP into the call.
func (r *rewriter) listagg(i int) {
	last := r.closing(i + 1)
	r.overflow(i+2, last)
	if last > 0 && r.are(last+1, withinGroup...) && r.are(last+4, "order", "by") && r.closing(last+3) > 0 {
		r.later[last] = ""
	}
}
