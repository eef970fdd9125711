package sqltext

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// tree is a JSON value that keeps its members' order and its numbers' digits: DuckDB
// writes positions as 64-bit unsigned numbers, which a float64 would break.
type tree struct {
	kind  byte // '{', '[', '"', or 's' for a number, true, false, null
	raw   string
	items []*tree // of '[', and the values of '{'
	keys  []string
}

var errTree = errors.New("DuckDB's parser answered what is no JSON")

type treeReader struct {
	text string
	at   int
}

// readTree reads one JSON value, nested at most depthMax deep.
func readTree(text string) (*tree, error) {
	r := treeReader{text: text}
	t, err := r.value(0)
	if err == nil && r.skip() != 0 {
		err = errTree
	}
	return t, err
}

// skip passes blanks and returns the next byte, 0 at the end.
func (r *treeReader) skip() byte {
	for r.at < len(r.text) {
		if c := r.text[r.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		r.at++
	}
	return 0
}

func (r *treeReader) value(depth int) (*tree, error) {
	if depth > depthMax {
		return nil, errDeep
	}
	switch r.skip() {
	case '{':
		return r.members(depth)
	case '[':
		return r.elements(depth)
	case '"':
		raw, err := r.quoted()
		return &tree{kind: '"', raw: raw}, err
	case 0:
		return nil, errTree
	}
	start := r.at
	for r.at < len(r.text) && !strings.ContainsRune(",]} \n\t\r", rune(r.text[r.at])) {
		r.at++
	}
	if start == r.at {
		return nil, errTree
	}
	return &tree{kind: 's', raw: r.text[start:r.at]}, nil
}

func (r *treeReader) members(depth int) (*tree, error) {
	t := &tree{kind: '{'}
	r.at++
	if r.skip() == '}' {
		r.at++
		return t, nil
	}
	for {
		if r.skip() != '"' {
			return nil, errTree
		}
		raw, err := r.quoted()
		if err != nil {
			return nil, err
		}
		if r.skip() != ':' {
			return nil, errTree
		}
		r.at++
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key := (&tree{kind: '"', raw: raw}).str()
		if t.get(key) != nil {
			return nil, errTree // a second one of a name could hide from the walk
		}
		t.keys, t.items = append(t.keys, key), append(t.items, v)
		if done, err := r.more('}'); done || err != nil {
			return t, err
		}
	}
}

func (r *treeReader) elements(depth int) (*tree, error) {
	t := &tree{kind: '['}
	r.at++
	if r.skip() == ']' {
		r.at++
		return t, nil
	}
	for {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		t.items = append(t.items, v)
		if done, err := r.more(']'); done || err != nil {
			return t, err
		}
	}
}

func (r *treeReader) more(closing byte) (done bool, err error) {
	c := r.skip()
	r.at++
	switch c {
	case closing:
		return true, nil
	case ',':
		return false, nil
	}
	return false, errTree
}

func (r *treeReader) quoted() (string, error) {
	start := r.at
	for r.at++; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '\\':
			r.at++
		case '"':
			r.at++
			return r.text[start:r.at], nil
		}
	}
	return "", errTree
}

// get returns a member of an object, nil where there is none.
func (t *tree) get(key string) *tree {
	if t == nil {
		return nil
	}
	for i, k := range t.keys {
		if k == key {
			return t.items[i]
		}
	}
	return nil
}

// set puts a member of an object in place of the one of that name, or adds it.
func (t *tree) set(key string, v *tree) {
	for i, k := range t.keys {
		if k == key {
			t.items[i] = v
			return
		}
	}
	t.keys, t.items = append(t.keys, key), append(t.items, v)
}

// str is the text of a JSON string, and "" of anything else.
func (t *tree) str() string {
	if t == nil || t.kind != '"' {
		return ""
	}
	if !strings.ContainsRune(t.raw, '\\') {
		return t.raw[1 : len(t.raw)-1]
	}
	var s string
	if json.Unmarshal([]byte(t.raw), &s) != nil {
		return ""
	}
	return s
}

func (t *tree) null() bool { return t == nil || t.kind == 's' && t.raw == "null" }

func (t *tree) yes() bool { return t != nil && t.kind == 's' && t.raw == "true" }

// scalar tells whether the value has no parts.
func (t *tree) scalar() bool { return t.kind == 's' || t.kind == '"' }

// place is the offset that query_location holds, -1 for none.
func (t *tree) place() int {
	p := t.get("query_location")
	if p == nil {
		return -1
	}
	n, err := strconv.Atoi(p.raw)
	if err != nil || n > TextBytesMax {
		return -1
	}
	return n
}

func text(s string) *tree {
	b, err := json.Marshal(s)
	if err != nil { // never for a string
		b = []byte(`""`)
	}
	return &tree{kind: '"', raw: string(b)}
}

func scalar(raw string) *tree { return &tree{kind: 's', raw: raw} }

func object(pairs ...any) *tree {
	t := &tree{kind: '{'}
	for i := 0; i < len(pairs); i += 2 {
		t.set(pairs[i].(string), pairs[i+1].(*tree))
	}
	return t
}

// appendTo writes the value as JSON.
func (t *tree) appendTo(b []byte) []byte {
	switch t.kind {
	case '{':
		b = append(b, '{')
		for i, k := range t.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(b, text(k).raw...), ':')
			b = t.items[i].appendTo(b)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i, v := range t.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.appendTo(b)
		}
		return append(b, ']')
	}
	return append(b, t.raw...)
}

// plainTruths writes IS TRUE and the like, which DuckDB's parser gives a constant of its own, as the
// word true is parsed.
func (t *tree) plainTruths() {
	value := t.get("value")
	if word := value.get("value"); t.get("class").str() == "CONSTANT" && word != nil && (word.raw == "true" || word.raw == "false") {
		child := varchar(word.raw[:1], t.get("query_location"))
		*t = *object("class", text("CAST"), "type", text("OPERATOR_CAST"), "alias", t.get("alias"), "query_location", t.get("query_location"),
			"child", child, "cast_type", object("id", text("BOOLEAN"), "type_info", scalar("null")), "try_cast", scalar("false"))
		return
	}
	for _, item := range t.items {
		item.plainTruths()
	}
}

// varchar is a constant.
func varchar(s string, place *tree) *tree {
	return object("class", text("CONSTANT"), "type", text("VALUE_CONSTANT"), "alias", text(""), "query_location", place,
		"value", object("type", object("id", text("VARCHAR"), "type_info", scalar("null")), "is_null", scalar("false"), "value", text(s)))
}

// method writes column.function(…), which is parsed as a function of a schema, as function(column, …), and table.column.function(…) so too.
func (t *tree) method() {
	schema := t.get("schema").str()
	switch strings.ToLower(schema) {
	case "", "main", "pg_catalog", "information_schema", "system", "temp":
		return
	}
	names := []*tree{text(schema)}
	switch catalog := t.get("catalog").str(); strings.ToLower(catalog) {
	case "":
	case "memory", "system", "temp", "lake":
		return
	default:
		names = append([]*tree{text(catalog)}, names...)
	}
	children := t.get("children")
	if t.get("class").str() != "FUNCTION" || children == nil || children.kind != '[' || !Allowed(t.get("function_name").str()) {
		return
	}
	column := object("class", text("COLUMN_REF"), "type", text("COLUMN_REF"), "alias", text(""), "query_location", t.get("query_location"),
		"column_names", &tree{kind: '[', items: names})
	children.items = append([]*tree{column}, children.items...)
	t.set("schema", text(""))
	t.set("catalog", text(""))
}

// exactNumber writes a constant that DuckDB would print like one of another type as a cast: 1e3, which is then of type DECIMAL,
// and 42. , which is then an integer.
func (t *tree) exactNumber() {
	value := t.get("value")
	digits := value.get("value").digits()
	if !value.misprinted() || digits == "" {
		return
	}
	*t = *object("class", text("CAST"), "type", text("OPERATOR_CAST"), "alias", t.get("alias"), "query_location", t.get("query_location"),
		"child", varchar(digits, t.get("query_location")), "cast_type", value.get("type"), "try_cast", scalar("false"))
}

// digits are those of a number, of 128 bits too; "" for none.
func (t *tree) digits() string {
	switch {
	case t.null():
		return ""
	case t.kind == 's':
		return t.raw
	}
	upper, ok := new(big.Int).SetString(t.get("upper").digits(), 10)
	lower, is := new(big.Int).SetString(t.get("lower").digits(), 10)
	if !ok || !is {
		return ""
	}
	return lower.Add(lower, upper.Lsh(upper, 64)).String()
}

// misprinted tells whether DuckDB prints a value as one of another type.
func (t *tree) misprinted() bool {
	switch of := t.get("type"); of.get("id").str() {
	case "DOUBLE":
		return true
	case "DECIMAL":
		return of.get("type_info").get("scale").zero()
	}
	return false
}

// zero tells whether a number is 0, or is left out.
func (t *tree) zero() bool { return t == nil || t.raw == "0" }
