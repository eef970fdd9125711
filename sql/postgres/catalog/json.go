//go:build duckdb_arrow

package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// jsonFunctions are those of json and jsonb, and their operators as spell writes them. DuckDB has one type for both, so jsonb keeps the order of its keys.
func jsonFunctions() map[string]sqltext.Template {
	all := map[string]sqltext.Template{
		getSpelled: valued("json_extract"), getTextSpelled: valued("json_extract_string"),
		pathSpelled: atPath("json_extract"), pathTextSpelled: atPath("json_extract_string"), removeSpelled: removed,
		hasSpelled: has, hasAnySpelled: hasKeys("list_has_any"), hasAllSpelled: hasKeys("list_has_all"),
		"@>": containing(0, 1), "<@": containing(1, 0),
	}
	typeof := "CASE json_type(CAST($1 AS JSON)) WHEN 'VARCHAR' THEN 'string' WHEN 'NULL' THEN 'null' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'object' WHEN NULL THEN NULL ELSE CASE WHEN $1 IS NOT NULL THEN 'number' END END"
	stripped := "list_transform([json_merge_patch(CAST('{}' AS JSON), CAST($1 AS JSON))], lambda tarn_j: CASE WHEN json_type(CAST($1 AS JSON)) <> 'OBJECT' AND NOT regexp_matches(CAST($1 AS VARCHAR), ':\\s*null') THEN CAST($1 AS JSON) " +
		"WHEN regexp_matches(CAST(tarn_j AS VARCHAR), ':\\s*null') THEN cast_to_type(CAST('nulls of objects in an array are not taken out' AS TINYINT), tarn_j) ELSE tarn_j END)[1]"
	for _, of := range []string{"json", "jsonb"} {
		all[of+"_typeof"] = sqltext.As(typeof)
		all[of+"_array_length"] = sqltext.As("CAST(json_array_length($1) AS INTEGER)")
		all[of+"_strip_nulls"] = sqltext.As(stripped)
		all[of+"_extract_path"] = extractPath("json_extract")
		all[of+"_extract_path_text"] = extractPath("json_extract_string")
		all[of+"_agg"] = sqltext.As("to_json(list($1))")
		all[of+"_object_agg"] = sqltext.As("CAST('{' || string_agg(CAST(to_json(CAST($1 AS VARCHAR)) AS VARCHAR) || ':' || coalesce(CAST(to_json($2) AS VARCHAR), 'null'), ',') || '}' AS JSON)")
	}
	maps.Copy(all, map[string]sqltext.Template{"jsonb_pretty": sqltext.As("json_pretty(CAST($1 AS JSON))"), "jsonb_set": putting(true, jsonSet), "jsonb_insert": putting(false, jsonInsert)})
	for name, of := range listed() {
		all[name] = func(args []sqltext.Argument) (string, error) {
			said, err := of(args)
			return "unnest(" + said + ")", err
		}
	}
	return all
}

// How the operators are written over that DuckDB's parser does not take, or binds otherwise: as long, but for those that blanks fill up.
const (
	getSpelled, getTextSpelled   = "~>", "~>>"
	pathSpelled, pathTextSpelled = "^>", "^>>"
	removeSpelled, hasSpelled    = "^&", "@"
	hasAnySpelled, hasAllSpelled = "@|", "@&"
)

// listed are the functions that answer a row for each item of a list.
func listed() map[string]sqltext.Template {
	all := map[string]sqltext.Template{}
	for _, of := range []string{"json", "jsonb"} {
		all[of+"_array_elements"] = sqltext.As("json_extract(CAST($1 AS JSON), '$[*]')")
		all[of+"_array_elements_text"] = sqltext.As("json_extract_string(CAST($1 AS JSON), '$[*]')")
		all[of+"_object_keys"] = sqltext.As(ordered(of, "json_keys(CAST($1 AS JSON))"))
	}
	return all
}

// listedColumns are the columns of those that are not called as the function is.
var listedColumns = map[string]string{
	"json_array_elements": "value", "jsonb_array_elements": "value", "json_array_elements_text": "value", "jsonb_array_elements_text": "value",
}

// eachTables are the functions that answer a row for each key of an object.
func eachTables() map[string]sqltext.Template {
	all := map[string]sqltext.Template{}
	for _, of := range []string{"json", "jsonb"} {
		keys := ordered(of, "json_keys(CAST($1 AS JSON))")
		each := func(get string) sqltext.Template {
			return sqltext.As("SELECT unnest(" + keys + ") AS key, unnest(list_transform(" + keys + ", lambda tarn_k: " + get + "(CAST($1 AS JSON), " + pointer("tarn_k") + "))) AS value")
		}
		all[of+"_each"], all[of+"_each_text"] = each("json_extract"), each("json_extract_string")
	}
	return all
}

// ordered are keys as jsonb has them: the short ones first.
func ordered(of, keys string) string {
	if of == "json" {
		return keys
	}
	return "list_transform(list_sort(list_transform(" + keys + ", lambda tarn_k: {'l': strlen(tarn_k), 'k': tarn_k})), lambda tarn_s: struct_extract(tarn_s, 'k'))"
}

// pointer is a key, of any letters, as a path that DuckDB takes.
func pointer(key string) string { return "'/' || replace(replace(" + key + ", '~', '~0'), '/', '~1')" }

// path is a literal path, '{a,0}'; false for a text that is none.
func path(text string) (items []string, _ bool) {
	written, ok := List(text)
	if !ok {
		return nil, false
	}
	for rest := written[1:]; rest != "]"; rest = strings.TrimPrefix(rest, ", ") {
		if rest[0] != '\'' {
			return nil, false // a null
		}
		var item strings.Builder
		at := 1
		for ; rest[at] != '\''; at++ {
			if rest[at] == '\\' {
				at++
			}
			item.WriteByte(rest[at])
		}
		items, rest = append(items, item.String()), rest[at+1:]
	}
	return items, true
}

// malformed ends a statement when it runs that has a literal path which is none.
const malformed = "CAST('malformed array literal' AS TINYINT)"

// unpathed is a change of a json at a path that is none, as that of a parameter whose type is asked for; at '{}' nothing is changed.
func unpathed(j string, a sqltext.Argument) string {
	if a.Text == nil {
		return j // it is refused
	}
	if _, nothing := path(*a.Text); nothing {
		return j
	}
	return "cast_to_type(" + malformed + ", " + j + ")"
}

// valued is what stands at a key or a place. DuckDB takes a text that begins with $ or / for a path.
func valued(get string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) == 2 && args[1].Text != nil && strings.IndexAny(*args[1].Text, "$/") == 0 {
			return get + "($1, " + pointer("$2") + ")", nil
		}
		return sqltext.As(get + "($1, $2)")(args)
	}
}

// atPath is what stands at a path, '{a,0}' or a list.
func atPath(get string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 {
			return "", nil
		}
		if args[1].Text == nil {
			return get + "(CAST($1 AS JSON), array_to_string(list_transform(CAST($2 AS VARCHAR[]), lambda tarn_k: " + pointer("tarn_k") + "), ''))", nil
		}
		items, ok := path(*args[1].Text)
		if !ok {
			return get + "(CAST($1 AS JSON), CASE WHEN CAST($2 AS VARCHAR) IS NOT NULL THEN CAST(" + malformed + " AS VARCHAR) END)", nil // a parameter whose type is asked for, or a mistake
		}
		said := "CAST($1 AS JSON)"
		for _, item := range items {
			said = step(said, item)
		}
		if get == "json_extract_string" {
			said = "json_extract_string(" + said + ", '$')"
		}
		return said, nil
	}
}

// step is what an object has by a key, and an array at a place, from its end where it is negative.
func step(j, key string) string {
	if n, err := strconv.Atoi(key); err == nil && n < 0 {
		return "json_extract(" + j + ", " + strconv.Itoa(n) + ")"
	}
	return at(j, key)
}

// at is what an object has by a literal key.
func at(j, key string) string {
	return "json_extract(" + j + ", " + duck.Quote("/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key)) + ")"
}

func extractPath(get string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		var b strings.Builder
		for i := 1; i < len(args); i++ {
			if i > 1 {
				b.WriteString(" || ")
			}
			b.WriteString(pointer("CAST($" + strconv.Itoa(i+1) + " AS VARCHAR)"))
		}
		if len(args) < 2 {
			b.WriteString("''")
		}
		return get + "(CAST($1 AS JSON), " + b.String() + ")", nil
	}
}

// keysOf are the keys of an object, the texts of an array, or a text by itself.
func keysOf(j string) string {
	return "CASE json_type(" + j + ") WHEN 'OBJECT' THEN json_keys(" + j + ") WHEN 'ARRAY' THEN list_transform(list_filter(json_extract(" + j + ", '$[*]'), lambda tarn_x: json_type(tarn_x) = 'VARCHAR'), " +
		"lambda tarn_x: json_extract_string(tarn_x, '$')) WHEN 'VARCHAR' THEN [json_extract_string(" + j + ", '$')] ELSE CASE WHEN " + j + " IS NOT NULL THEN CAST([] AS VARCHAR[]) END END"
}

// has tells whether a json has a key; of one argument the operator is the amount of a number.
func has(args []sqltext.Argument) (string, error) {
	if len(args) != 2 {
		return "", nil
	}
	return "list_transform([CAST($1 AS JSON)], lambda tarn_j: list_contains(" + keysOf("tarn_j") + ", CAST($2 AS VARCHAR)))[1]", nil
}

func hasKeys(has string) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		return "list_transform([CAST($1 AS JSON)], lambda tarn_j: " + has + "(" + keysOf("tarn_j") + ", " + textsOf(args, 1) + "))[1]", nil
	}
}

// length is how many items an array has.
func length(j string) string { return "CAST(json_array_length(" + j + ") AS BIGINT)" }

// entry is a key with its value within the text of an object.
func entry(key, value string) string {
	return "CAST(to_json(" + key + ") AS VARCHAR) || ':' || CAST(" + value + " AS VARCHAR)"
}

func object(entries string) string {
	return "CAST('{' || coalesce(array_to_string(" + entries + ", ','), '') || '}' AS JSON)"
}

func items(list string) string {
	return "CAST('[' || coalesce(array_to_string(list_transform(" + list + ", lambda tarn_y: CAST(tarn_y AS VARCHAR)), ','), '') || ']' AS JSON)"
}

func valueAt(j, key string) string { return "json_extract(" + j + ", " + pointer(key) + ")" }

// concatenated is left || right of json: the keys of both, or the items of both.
func concatenated() string {
	const a, b = "struct_extract(tarn_t, 'a')", "struct_extract(tarn_t, 'b')"
	many := func(j string) string {
		return "CASE WHEN json_type(" + j + ") = 'ARRAY' THEN json_extract(" + j + ", '$[*]') ELSE [" + j + "] END"
	}
	return "list_transform([{'a': CAST($1 AS JSON), 'b': CAST($2 AS JSON)}], lambda tarn_t: CASE WHEN " + a + " IS NULL OR " + b + " IS NULL THEN NULL WHEN json_type(" + a + ") = 'OBJECT' AND json_type(" + b + ") = 'OBJECT' THEN " +
		object("list_concat(list_transform(list_filter(json_keys("+a+"), lambda tarn_k: NOT list_contains(json_keys("+b+"), tarn_k)), lambda tarn_k: "+entry("tarn_k", valueAt(a, "tarn_k"))+"), "+
			"list_transform(json_keys("+b+"), lambda tarn_k: "+entry("tarn_k", valueAt(b, "tarn_k"))+"))") +
		" ELSE " + items("list_concat("+many(a)+", "+many(b)+")") + " END)[1]"
}

// without is a json less a key, or an array less a text.
func without() string {
	return "list_transform([CAST($1 AS JSON)], lambda tarn_j: CASE json_type(tarn_j) WHEN 'OBJECT' THEN " +
		object("list_transform(list_filter(json_keys(tarn_j), lambda tarn_k: tarn_k <> $2), lambda tarn_k: "+entry("tarn_k", valueAt("tarn_j", "tarn_k"))+")") +
		" WHEN 'ARRAY' THEN " + items("list_filter(json_extract(tarn_j, '$[*]'), lambda tarn_x: tarn_x <> to_json($2))") + " ELSE tarn_j END)[1]"
}

// change is what becomes of the end of a path, in the object or array tarn_j: entries and places are lists.
type change struct {
	key   string                    // in an object: the entries of it
	index func(place string) string // in an array: the items, of which tarn_n are there
}

// changed is a json with what is at a path changed; one that has nothing there stays what it is.
func changed(j string, items []string, level int, of func(key string) change) string {
	name, key := "tarn_j"+strconv.Itoa(level), items[0]
	if len(items) > 1 {
		inner := changed(step(name, key), items[1:], level+1, of)
		value := "tarn_v" + strconv.Itoa(level)
		return "list_transform([" + j + "], lambda " + name + ": CASE WHEN " + step(name, key) + " IS NULL THEN " + name + " ELSE list_transform([" + inner + "], lambda " + value + ": " + replaced(name, key, value).in(name, key) + ")[1] END)[1]"
	}
	return "list_transform([" + j + "], lambda " + name + ": " + of(key).in(name, key) + ")[1]"
}

// replaced puts a value in the place of what is there.
func replaced(j, key, value string) change {
	return change{
		key: "list_transform(json_keys(" + j + "), lambda tarn_k: " + entry("tarn_k", "CASE WHEN tarn_k = "+duck.Quote(key)+" THEN "+value+" ELSE "+valueAt(j, "tarn_k")+" END") + ")",
		index: func(place string) string {
			return "list_transform(range(" + length(j) + "), lambda tarn_i: CASE WHEN tarn_i = " + place + " THEN " + value + " ELSE json_extract(" + j + ", tarn_i) END)"
		},
	}
}

// in is the changed object or array.
func (c change) in(j, key string) string {
	said := "CASE json_type(" + j + ") WHEN 'OBJECT' THEN " + object(c.key)
	if n, err := strconv.Atoi(key); err == nil {
		place := strconv.Itoa(n)
		if n < 0 {
			place = "(" + length(j) + " " + place + ")"
		}
		said += " WHEN 'ARRAY' THEN " + items(c.index(place))
	}
	return said + " ELSE " + j + " END"
}

var errPath = fault.New(fault.Invalid, "the path within a json is no literal", "write it as a text, '{a,0}'")

// jsonPath are the items of an argument that is a literal path; ok is false where a parameter's type is asked for.
func jsonPath(a sqltext.Argument) (items []string, ok bool, _ error) {
	if a.Text == nil {
		return nil, false, errPath
	}
	items, ok = path(*a.Text)
	return items, ok && len(items) > 0, nil
}

// removed is a json without what is at a path.
func removed(args []sqltext.Argument) (string, error) {
	items, ok, err := jsonPath(args[1])
	if err != nil || !ok {
		return "CASE WHEN CAST($2 AS VARCHAR) IS NOT NULL THEN " + unpathed("CAST($1 AS JSON)", args[1]) + " END", err
	}
	j := "tarn_j" + strconv.Itoa(len(items)-1)
	return changed("CAST($1 AS JSON)", items, 0, func(key string) change {
		return change{
			key: "list_transform(list_filter(json_keys(" + j + "), lambda tarn_k: tarn_k <> " + duck.Quote(key) + "), lambda tarn_k: " + entry("tarn_k", valueAt(j, "tarn_k")) + ")",
			index: func(place string) string {
				return "list_transform(list_filter(range(" + length(j) + "), lambda tarn_i: tarn_i <> " + place + "), lambda tarn_i: json_extract(" + j + ", tarn_i))"
			},
		}
	}), nil
}

// putting is jsonb_set or jsonb_insert of a json, a path, a value and a literal truth, which is otherwise where it is not said.
func putting(otherwise bool, put func(j, value string, said bool) func(key string) change) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) < 3 || len(args) > 4 {
			return "", nil
		}
		said, err := truth(args[3:], otherwise)
		if err != nil {
			return "", err
		}
		items, ok, err := jsonPath(args[1])
		if err != nil || !ok {
			return "CASE WHEN CAST($2 AS VARCHAR) IS NOT NULL AND CAST($3 AS JSON) IS NOT NULL THEN " + unpathed("CAST($1 AS JSON)", args[1]) + " END", err
		}
		of := put("tarn_j"+strconv.Itoa(len(items)-1), "CAST($3 AS JSON)", said)
		return "CASE WHEN $1 IS NOT NULL AND $3 IS NOT NULL THEN " + changed("CAST($1 AS JSON)", items, 0, of) + " END", nil
	}
}

// truth is a literal one, or otherwise where there is none.
func truth(args []sqltext.Argument, otherwise bool) (bool, error) {
	if len(args) == 0 {
		return otherwise, nil
	}
	switch a := args[0]; {
	case a.Cast != nil:
		return strings.HasPrefix(strings.ToLower(*a.Cast), "t"), nil
	case a.Text != nil:
		return strings.HasPrefix(strings.ToLower(*a.Text), "t"), nil
	}
	return false, fault.New(fault.Invalid, "write true or false", "argument 4 of a change of json is no literal")
}

// jsonSet puts a value in the place of another, or adds it where it is said to create it.
func jsonSet(j, value string, create bool) func(key string) change {
	return func(key string) change {
		c := replaced(j, key, value)
		if create {
			there := c.index
			c.key = "list_concat(" + c.key + ", CASE WHEN list_contains(json_keys(" + j + "), " + duck.Quote(key) + ") THEN [] ELSE [" + entry(duck.Quote(key), value) + "] END)"
			c.index = func(place string) string {
				return "list_concat(CASE WHEN " + place + " < 0 THEN [" + value + "] ELSE [] END, " + there(place) + ", CASE WHEN " + place + " >= " + length(j) + " THEN [" + value + "] ELSE [] END)"
			}
		}
		return c
	}
}

// jsonInsert adds a value: a key that there is not, or before or behind a place.
func jsonInsert(j, value string, after bool) func(key string) change {
	behind := 0
	if after {
		behind = 1
	}
	return func(key string) change {
		return change{
			key: "list_concat(list_transform(json_keys(" + j + "), lambda tarn_k: " + entry("tarn_k", valueAt(j, "tarn_k")) + "), CASE WHEN list_contains(json_keys(" + j + "), " + duck.Quote(key) +
				") THEN [cast_to_type(CAST('cannot replace existing key' AS TINYINT), '')] ELSE [" + entry(duck.Quote(key), value) + "] END)",
			index: func(place string) string {
				cut := fmt.Sprintf("greatest(least(%s + %d, %s), 0)", place, behind, length(j))
				get := "lambda tarn_i: json_extract(" + j + ", tarn_i)"
				return "list_concat(list_transform(range(" + cut + "), " + get + "), [" + value + "], list_transform(range(" + cut + ", " + length(j) + "), " + get + "))"
			},
		}
	}
}

// containing tells whether a json holds a literal one, or a list another.
func containing(whole, part int) sqltext.Template {
	return func(args []sqltext.Argument) (string, error) {
		if len(args) != 2 {
			return "", nil
		}
		hay, needle := "$"+strconv.Itoa(whole+1), "$"+strconv.Itoa(part+1)
		text := args[part].Text
		if text == nil && isJSON(args[part]) {
			text = args[part].Cast
		}
		ofJSON := isJSON(args[0]) || isJSON(args[1])
		var value any
		read := false
		if text != nil {
			in := json.NewDecoder(strings.NewReader(*text))
			in.UseNumber()
			read = in.Decode(&value) == nil && !in.More()
			_, list := List(*text)
			ofJSON = ofJSON || read && !list && strings.ContainsAny((*text)[:1], `{["`)
			ofJSON = ofJSON || read && strings.HasPrefix(strings.TrimSpace(*text), `{"`)
		}
		switch {
		case !ofJSON && text != nil:
			if written, ok := writtenTexts(text); ok {
				needle = written
			}
			return "list_has_all(" + hay + ", " + needle + ")", nil
		case !ofJSON:
			return "", nil
		case text == nil && !args[part].Null:
			return "", fault.New(fault.Invalid, "what a jsonb is asked to contain is no literal", "write it as a text, or ask by -> and ->>")
		case !read: // a parameter whose type is asked for
			return "json_contains(CAST(" + hay + " AS JSON), CAST(" + needle + " AS JSON))", nil
		}
		held := holds("tarn_h", value, 0)
		if _, many := value.([]any); !many && !isObject(value) {
			held += " OR json_type(tarn_h) = 'ARRAY' AND len(list_filter(json_extract(tarn_h, '$[*]'), lambda tarn_e: " + holds("tarn_e", value, 1) + ")) > 0"
		}
		return "list_transform([CAST(" + hay + " AS JSON)], lambda tarn_h: CASE WHEN tarn_h IS NOT NULL THEN coalesce(" + held + ", false) END)[1]", nil
	}
}

func isObject(value any) bool { _, is := value.(map[string]any); return is }

// notJSON are the ends of the names of functions of json that answer a text, a number or a truth.
var notJSON = []string{"_text", "_string", "_length", "_typeof", "_type", "_keys", "_pretty", "_valid", "_value", "_contains", "_exists"}

// isJSON tells whether an argument is known for a json.
func isJSON(a sqltext.Argument) bool {
	return a.Says == "JSON" || a.Kind == jsonbKind || strings.HasPrefix(a.Name, "json") && !slices.ContainsFunc(notJSON, func(end string) bool { return strings.HasSuffix(a.Name, end) }) || slices.Contains([]string{"to_json", "to_jsonb", "row_to_json", getSpelled, pathSpelled}, a.Name)
}

// holds is the condition that a json holds a value.
func holds(j string, value any, level int) string {
	text := "json_extract_string(" + j + ", '$')"
	switch v := value.(type) {
	case map[string]any:
		said := []string{"json_type(" + j + ") = 'OBJECT'"}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			said = append(said, holds(at(j, key), v[key], level))
		}
		return "(" + strings.Join(said, " AND ") + ")"
	case []any:
		said := []string{"json_type(" + j + ") = 'ARRAY'"}
		for _, item := range v {
			e := "tarn_e" + strconv.Itoa(level)
			said = append(said, "len(list_filter(json_extract("+j+", '$[*]'), lambda "+e+": "+holds(e, item, level+1)+")) > 0")
		}
		return "(" + strings.Join(said, " AND ") + ")"
	case string:
		return "(json_type(" + j + ") = 'VARCHAR' AND " + text + " = " + duck.Quote(v) + ")"
	case json.Number:
		return "(json_type(" + j + ") NOT IN ('VARCHAR', 'ARRAY', 'OBJECT', 'NULL', 'BOOLEAN') AND (" + text + " = " + duck.Quote(v.String()) + " OR TRY_CAST(" + text + " AS DOUBLE) = TRY_CAST(" + duck.Quote(v.String()) + " AS DOUBLE)))"
	case bool:
		return "(json_type(" + j + ") = 'BOOLEAN' AND " + text + " = " + duck.Quote(strconv.FormatBool(v)) + ")"
	}
	return "json_type(" + j + ") = 'NULL'"
}
