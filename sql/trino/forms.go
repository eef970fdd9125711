package trino

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"tarn/embedded/sqltext"
)

// insert writes a text at a place of the statement, in front of what stands there.
func (r *rewriter) insert(offset int, text string) {
	if r.from < offset {
		r.b.WriteString(r.source[r.from:offset])
		r.from = offset
	}
	r.b.WriteString(text)
	r.pieces = append(r.pieces, piece{r.from, r.b.Len()})
}

// afterValues are the words that end the rows of VALUES.
var afterValues = map[string]bool{"order": true, "limit": true, "offset": true, "fetch": true, "union": true, "except": true, "intersect": true}

// values puts parentheses around the rows of VALUES that have none, and takes ROW off those that are whole rows.
func (r *rewriter) values(i int) {
	start := i + 1
	row := func(end int) {
		switch {
		case start >= end, r.are(start, "(") && r.closing(start) == end-1:
		case r.are(start, "row", "(") && r.closing(start+1) == end-1:
			r.instead[start] = ""
		default:
			r.before[start] += "("
			r.after[end-1] += ")"
		}
	}
	end := len(r.tokens)
	for at := range r.outside(start, end) {
		t := r.at(at)
		if t.Is(",") {
			row(at)
			start = at + 1
		} else if t.Is(")") || t.Is(";") || t.Is("values") || t.Kind == sqltext.Word && afterValues[strings.ToLower(t.Text)] {
			end = at
			break
		}
	}
	row(end)
}

// clocks are the functions of the time that may say how many digits they have: a localtimestamp has them, the others six.
var clocks = map[string]string{"current_timestamp": "now()", "localtimestamp": "current_localtimestamp()", "localtime": "CAST(current_localtimestamp() AS TIME)"}

func (r *rewriter) clock(i int, name string) int {
	said := clocks[name]
	if there := r.session.clock(name); there != "" {
		said = there
	}
	said = localDigits(name, said, r.are(i+1, "("), r.at(i+2).Text)
	switch {
	case r.are(i-1, "."), r.are(i-1, "as"):
		return 0
	case r.are(i+1, "(") && r.at(i+2).Kind == sqltext.Number && r.are(i+3, ")"):
		return r.put(i, i+4, said)
	case !r.are(i+1, "(") && said != "":
		return r.put(i, i+1, said)
	}
	return 0
}

// localDigits is a localtimestamp of so many digits, or of three where it says none.
func localDigits(name, said string, says bool, digits string) string {
	n, err := strconv.Atoi(digits)
	if !says {
		n, err = 3, nil
	}
	if name != "localtimestamp" || err != nil || n > 3 {
		return said
	}
	return "CAST(date_trunc('" + map[bool]string{true: "second", false: "millisecond"}[n == 0] + "', " + said + ") AS " + timestampOf(n) + ")"
}

// unicodeText is U&'…', with UESCAPE or without: \00e9 and \+01F600 are characters.
func (r *rewriter) unicodeText(i int) (int, error) {
	text, escape, n := r.at(i+2).Value(), "\\", 3
	if r.are(i+3, "uescape") && r.at(i+4).Kind == sqltext.String {
		escape, n = r.at(i+4).Value(), 5
		if utf8.RuneCountInString(escape) != 1 {
			return 0, unsupported("write UESCAPE '#', say", "%q is not one character, which UESCAPE takes", escape)
		}
	}
	var out strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, escape)
		out.WriteString(before)
		if text = rest; !found {
			break
		}
		if strings.HasPrefix(text, escape) {
			out.WriteString(escape)
			text = text[len(escape):]
			continue
		}
		digits := 4
		if strings.HasPrefix(text, "+") {
			text, digits = text[1:], 6
		}
		code := text[:min(digits, len(text))]
		number, err := strconv.ParseUint(code, 16, 32)
		if err != nil || len(code) < digits || !utf8.ValidRune(rune(number)) {
			return 0, unsupported("write four hexadecimal digits, or a plus and six", "%s%s is no character", escape, code)
		}
		out.WriteRune(rune(number))
		text = text[digits:]
	}
	return r.put(i, i+n, sqltext.Literal(out.String())), nil
}

// intervalUnits are those of INTERVAL '…' a TO b, the largest first.
var intervalUnits = []string{"year", "month", "day", "hour", "minute", "second"}

func unitAt(t sqltext.Token) int {
	for i, u := range intervalUnits {
		if t.Is(u) {
			return i
		}
	}
	return -1
}

// interval is INTERVAL '1-2' YEAR TO MONTH, INTERVAL '1 02:03' DAY TO MINUTE, and INTERVAL -'3' DAY: DuckDB has the plain one alone.
func (r *rewriter) interval(i int) (int, error) {
	sign, at := "", i+1
	if r.are(at, "-") || r.are(at, "+") {
		sign = strings.Trim(r.at(at).Text, "+")
		at++
	}
	first := unitAt(r.at(at + 1))
	if r.at(at).Kind != sqltext.String || first < 0 {
		return 0, nil
	}
	text, last, end := strings.TrimSpace(r.at(at).Value()), first, at+2
	if r.are(at+2, "to") && unitAt(r.at(at+3)) > first {
		last, end = unitAt(r.at(at+3)), at+4
	}
	if sign == "" && last == first {
		return 0, nil
	}
	if strings.HasPrefix(text, "-") {
		text = text[1:]
		if sign == "" {
			sign = "-"
		} else {
			sign = ""
		}
	}
	parts := strings.FieldsFunc(text, func(c rune) bool { return c == '-' || c == ' ' || c == ':' })
	if len(parts) == 0 || len(parts) > last-first+1 {
		return 0, unsupported("write INTERVAL '1-2' YEAR TO MONTH, say", "%q is no interval", text)
	}
	said := make([]string, len(parts))
	for n, p := range parts {
		said[n] = sign + p + " " + intervalUnits[first+n] + "s"
	}
	return r.put(i, end, "INTERVAL "+sqltext.Literal(strings.Join(said, " "))), nil
}

// nulls is IGNORE NULLS or RESPECT NULLS behind a call, which DuckDB has within it.
func (r *rewriter) nulls(i int) int {
	switch {
	case r.are(i+1, "ignore", "nulls", "over"):
		return r.put(i, i+3, " IGNORE NULLS)")
	case r.are(i+1, "respect", "nulls", "over"):
		return r.put(i, i+3, ")")
	}
	return 0
}

// overflowMax are the tokens of ON OVERFLOW TRUNCATE '…' WITHOUT COUNT.
const overflowMax = 6

// overflow takes ON OVERFLOW … off the arguments of LISTAGG: texts have no bound here.
func (r *rewriter) overflow(i, last int) {
	for at := i; at < last; at = r.beyond(at) {
		if r.are(at, "on", "overflow") && last-at <= overflowMax {
			for ; at < last; at++ {
				r.instead[at] = ""
			}
		}
	}
}

// members writes the arguments of JSON_OBJECT and JSON_ARRAY as those of a function.
func (r *rewriter) members(i int, name string) {
	last := r.closing(i + 1)
	for at := range r.outside(i+2, last) {
		t := r.at(at)
		_, taken := r.instead[at]
		switch {
		case taken: // with the clause before it
		case t.Is("key") && (r.are(at-1, "(") || r.are(at-1, ",")) && !r.are(at+1, ":"):
			r.instead[at] = ""
		case name == "json_object" && (t.Is("value") && !r.are(at-1, ",") && !r.are(at-1, "(") || t.Is(":") && !r.are(at+1, ":") && !r.are(at-1, ":")):
			r.instead[at] = ", "
		case r.are(at, "null", "on", "null"), r.are(at, "absent", "on", "null"):
			if t.Is("absent") == (name == "json_object") {
				r.instead[i] = name + "_otherwise"
			}
			r.instead[at], r.instead[at+1], r.instead[at+2] = "", "", ""
		}
	}
}

// outside are the tokens from one on, before another, that stand in no brackets among them; a parenthesis and what it has is passed over.
func (r *rewriter) outside(from, until int) iter.Seq[int] {
	return func(yield func(int) bool) {
		depth := 0
		for at := from; at < until; at++ {
			switch t := r.at(at); {
			case t.Is("("):
				at = max(at, r.closing(at))
			case t.Is("["), t.Is("{"):
				depth++
			case t.Is("]"), t.Is("}"):
				depth--
			case depth == 0 && !yield(at):
				return
			}
		}
	}
}

// beyond is the token behind one, or behind the parentheses that open with it.
func (r *rewriter) beyond(i int) int {
	if last := r.closing(i); last > i {
		return last + 1
	}
	return i + 1
}

// whole is a number in hexadecimal, octal or binary, or with lines between its digits: DuckDB reads the first as 0 and a name.
func (r *rewriter) whole(i int) (int, error) {
	text := strings.ToLower(r.at(i).Text)
	if len(text) < 2 || text[0] != '0' || !strings.ContainsRune("xbo", rune(text[1])) {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		return 0, unsupported("write a number of at most 64 bits", "%s is no number", r.at(i).Text)
	}
	return r.put(i, i+1, strconv.FormatInt(n, 10)), nil
}

// ties is ORDER BY … FETCH FIRST n ROWS WITH TIES: those of a rank up to n.
func (r *rewriter) ties(i int) (int, error) {
	if !r.are(i+1, "by") {
		return 0, nil
	}
	at := i + 2
	for ; at < len(r.tokens) && !r.are(at, "fetch") && !r.are(at, "limit") && !r.are(at, "offset") && !r.are(at, ")") && !r.are(at, ";") && !r.are(at, "union") && !r.are(at, "order"); at = r.beyond(at) {
	}
	end, n := at+2, "1"
	if r.at(end).Kind == sqltext.Number {
		n = r.at(end).Text
		end++
	}
	if !r.are(at, "fetch") || !r.are(end, "rows", "with", "ties") && !r.are(end, "row", "with", "ties") {
		return 0, nil
	}
	if r.at(i+2).Kind == sqltext.Number {
		return 0, unsupported("name the column", "ORDER BY the number of a column cannot have WITH TIES here")
	}
	for inner := i + 2; inner < at; inner++ {
		if r.are(inner, "with", "ties") { // it would be written twice for each that it is in
			return 0, unsupported("order by a column of a subquery", "WITH TIES cannot be within the ORDER BY of another")
		}
	}
	by, err := rewrite(r.source[r.at(i).Offset:r.end(at-1)], r.session)
	if err != nil {
		return 0, err
	}
	return r.put(i, end+3, "QUALIFY rank() OVER ("+by.text+") <= "+n+" "+by.text), nil
}

// metadataTables are the columns of the tables that Trino's connector of Iceberg has of a table, "orders$snapshots", of what Tarn knows.
// "$partitions" is not among them: SQLAlchemy takes the columns of one without a partition for columns of the table itself.
var metadataTables = map[string]string{
	"snapshots": "committed_at, snapshot_id, parent_id, operation, CAST(NULL AS VARCHAR) AS manifest_list, map_from_entries(list_filter([" +
		"struct_pack(k := 'added-data-files', v := CAST(added_files AS VARCHAR)), struct_pack(k := 'added-records', v := CAST(added_rows AS VARCHAR)), struct_pack(k := 'deleted-records', v := CAST(deleted_rows AS VARCHAR)), " +
		"struct_pack(k := 'total-data-files', v := CAST(files AS VARCHAR)), struct_pack(k := 'total-records', v := CAST(rows AS VARCHAR)), struct_pack(k := 'total-files-size', v := CAST(bytes AS VARCHAR))], " +
		"lambda _e: struct_extract(_e, 'v') IS NOT NULL)) AS summary FROM system.snapshots WHERE ",
	"history": "committed_at AS made_current_at, snapshot_id, parent_id, true AS is_current_ancestor FROM system.snapshots WHERE ",
	"files": "CASE content WHEN 'data' THEN 0 ELSE 1 END AS content, path AS file_path, 'PARQUET' AS file_format, rows AS record_count, bytes AS file_size_in_bytes FROM system.files " +
		"WHERE table_id IN (SELECT id FROM system.tables WHERE ",
	"refs": "CASE n WHEN 0 THEN 'main' ELSE tag END AS name, CASE n WHEN 0 THEN 'BRANCH' ELSE 'TAG' END AS type, snapshot_id FROM (SELECT *, 0 AS n, '' AS tag FROM system.snapshots WHERE is_current " +
		"UNION ALL SELECT *, 1, unnest(string_split(tags, ', ')) FROM system.snapshots WHERE tags <> '') WHERE ",
}

// metadata is the name of one of metadataTables, with its schema and catalog or without.
func (r *rewriter) metadata(i int) (int, error) {
	if r.are(i-1, ".") {
		return 0, nil
	}
	last := i
	for last < i+4 && r.are(last+1, ".") {
		last += 2
	}
	name, of, found := strings.Cut(r.at(last).Name(), "$")
	columns := metadataTables[strings.ToLower(of)]
	if !found || columns == "" || r.at(last).Kind != sqltext.Quoted || !r.are(i-1, "from") && !r.are(i-1, "join") && !r.are(i-1, ",") {
		return 0, nil
	}
	schema := r.session.schema
	if last > i {
		schema = strings.ToLower(r.at(last - 2).Name())
	}
	where := "name = " + sqltext.Literal(strings.ToLower(name))
	if schema != "" {
		where += " AND layer = " + sqltext.Literal(schema)
	}
	return r.put(i, last+1, "(SELECT "+columns+where+strings.Repeat(")", strings.Count(columns, "(")-strings.Count(columns, ")"))+")"), nil
}
