package trino

import (
	"regexp"
	"strconv"
	"strings"

	"tarn/embedded/sqltext"
)

// step is one of a path of SQL/JSON: a member, an element, or all elements.
var step = regexp.MustCompile(`^\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)(\s*\()?|\.\s*"((?:[^"\\]|\\.)*)"|\[\s*(\d+|\*)\s*\])`)

// stepsMax bounds the steps of a path, each of which is written around those before.
const stepsMax = 20

// pathItems writes what a path finds in the one value that stands between before and after: a list of JSON values.
func pathItems(path string) (before, after string, err error) {
	mode, rest, _ := strings.Cut(strings.TrimSpace(path), " ")
	rest = strings.TrimSpace(rest)
	lax := strings.EqualFold(mode, "lax")
	if !lax && !strings.EqualFold(mode, "strict") || !strings.HasPrefix(rest, "$") {
		return "", "", unsupported("write 'lax $.member'", "the path %q of JSON begins with neither lax $ nor strict $", path)
	}
	before, after = "[try(json(CAST(", " AS VARCHAR)))]"
	rest = rest[1:]
	for n := 0; strings.TrimSpace(rest) != ""; n++ {
		m := step.FindStringSubmatch(rest)
		if m == nil || m[2] != "" || n == stepsMax {
			return "", "", unsupported("write members and elements, 'lax $.a[0].b' or 'lax $.a[*]'", "the path %q of JSON has a form that is not known here", path)
		}
		rest = rest[len(m[0]):]
		before = "list_filter(flatten(list_transform(" + before
		after += ", lambda _j: " + stepItems(m[1]+m[3], m[4], lax) + ")), lambda _j: _j IS NOT NULL)"
	}
	return before, after, nil
}

// stepItems are the values that a step finds in _j. Lax paths look into the elements of an array for a member, and take a value that
// is no array for an array of it.
func stepItems(member, element string, lax bool) string {
	switch {
	case element == "*" && lax:
		return "CASE WHEN json_type(_j) = 'ARRAY' THEN json_extract(_j, '$[*]') ELSE [_j] END"
	case element == "*":
		return "CASE WHEN json_type(_j) = 'ARRAY' THEN json_extract(_j, '$[*]') END"
	case element != "":
		found := "[json_extract(_j, '$[" + element + "]')]"
		if n, _ := strconv.Atoi(element); n == 0 && lax {
			return "CASE WHEN json_type(_j) = 'ARRAY' THEN " + found + " ELSE [_j] END"
		}
		return found
	}
	name := sqltext.Literal(`$."` + member + `"`)
	if lax {
		return "CASE WHEN json_type(_j) = 'ARRAY' THEN list_transform(json_extract(_j, '$[*]'), lambda _e: json_extract(_e, " + name + ")) ELSE [json_extract(_j, " + name + ")] END"
	}
	return "[json_extract(_j, " + name + ")]"
}

// one is the only value that was found.
const one = "list_extract(_l, 1)"

// jsonCall is JSON_EXISTS, JSON_VALUE and JSON_QUERY: the value stays where it is, and what is done with it is written around it.
func (r *rewriter) jsonCall(i int, name string) error {
	last := r.closing(i + 1)
	path := r.topComma(i+2, last) + 1
	if last == 0 || path == 1 || r.at(path).Kind != sqltext.String {
		return nil
	}
	before, after, err := pathItems(r.at(path).Value())
	if err != nil {
		return err
	}
	r.instead[path-1] = ""
	r.instead[i], r.instead[i+1] = "list_extract(list_transform([", before
	after += "], lambda _l: "
	switch name {
	case "json_exists":
		if path+1 != last {
			return errClauses(name)
		}
		r.instead[path], r.instead[last] = after+"len(_l) > 0", "), 1)"
		return nil
	case "json_query":
		return r.jsonQuery(path, last, after)
	}
	return r.jsonValue(path, last, after)
}

func errClauses(name string) error {
	return unsupported("", "a clause of %s is not known here", strings.ToUpper(name))
}

// jsonQuery has [WITHOUT [ARRAY] WRAPPER | WITH [CONDITIONAL | UNCONDITIONAL] [ARRAY] WRAPPER].
func (r *rewriter) jsonQuery(path, last int, after string) error {
	var said []string
	for at := path + 1; at < last; at++ {
		if r.at(at).Kind != sqltext.Word {
			return errClauses("json_query")
		}
		if word := strings.ToUpper(r.at(at).Text); word != "ARRAY" {
			said = append(said, word)
		}
		r.instead[at] = ""
	}
	var value string
	switch strings.Join(said, " ") {
	case "", "WITHOUT WRAPPER":
		value = "CASE WHEN len(_l) = 1 THEN CAST(" + one + " AS VARCHAR) END"
	case "WITH WRAPPER", "WITH UNCONDITIONAL WRAPPER":
		value = "CASE WHEN len(_l) > 0 THEN CAST(to_json(_l) AS VARCHAR) END"
	case "WITH CONDITIONAL WRAPPER":
		value = "CASE WHEN len(_l) = 1 AND json_type(" + one + ") IN ('OBJECT', 'ARRAY') THEN CAST(" + one + " AS VARCHAR) WHEN len(_l) > 0 THEN CAST(to_json(_l) AS VARCHAR) END"
	default:
		return errClauses("json_query")
	}
	r.instead[path], r.instead[last] = after+value, "), 1)"
	return nil
}

// jsonValue has [RETURNING type] [{NULL | DEFAULT x} ON EMPTY] [{NULL | DEFAULT x} ON ERROR].
func (r *rewriter) jsonValue(path, last int, after string) error {
	value := "json_extract_string(" + one + ", '$')"
	at := path + 1
	if r.are(at, "returning") {
		end := at + 1
		for end < last && !r.are(end, "null") && !r.are(end, "default") && !r.are(end, "error") {
			end = r.beyond(end)
		}
		value = "CAST(" + value + " AS " + r.source[r.at(at+1).Offset:r.end(end-1)] + ")"
		for ; at < end; at++ {
			r.instead[at] = ""
		}
	}
	r.instead[path] = after + "CASE WHEN len(_l) = 1 AND json_type(" + one + ") NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN " + value + " WHEN len(_l) = 1 AND json_type(" + one + ") = 'NULL' THEN NULL"
	for at < last {
		end := at
		for end < last && !r.are(end, "on", "empty") && !r.are(end, "on", "error") {
			end = r.beyond(end)
		}
		when := " WHEN len(_l) = 0 THEN "
		if r.are(end, "on", "error") {
			when = " WHEN len(_l) > 1 OR len(_l) = 1 AND json_type(" + one + ") IN ('OBJECT', 'ARRAY') THEN "
		}
		switch {
		case end >= last, !r.are(at, "null") && !r.are(at, "default"):
			return errClauses("json_value")
		case r.are(at, "null"):
			r.instead[at] = ""
		default:
			r.instead[at] = when
		}
		r.instead[end], r.instead[end+1] = "", ""
		at = end + 2
	}
	r.instead[last] = " END), 1)"
	return nil
}

// topComma is the first comma from a token on that is in no brackets; 0 for none before the last one.
func (r *rewriter) topComma(at, last int) int {
	for at := range r.outside(at, last) {
		if r.at(at).Is(",") {
			return at
		}
	}
	return 0
}
