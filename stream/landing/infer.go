package landing

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// plainColumnsMax bounds the columns that fields make; further ones go to `_extra`.
const plainColumnsMax = 1000

// jsonDoc marks a string column that holds JSON text of objects and arrays.
const jsonDoc = "JSON"

// field is one member of a JSON object.
type field struct {
	name string
	raw  json.RawMessage
}

// fieldsOf takes a JSON object apart in its order; false for anything else. Of two
// members of one name the last counts.
func fieldsOf(value []byte) ([]field, bool) {
	if !utf8.Valid(value) || !json.Valid(value) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(value))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var out []field
	seen := map[string]int{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		f := field{name: name.(string)} // a member's name is always a string
		if err := d.Decode(&f.raw); err != nil {
			return nil, false
		}
		if i, again := seen[f.name]; again {
			out[i] = f
			continue
		}
		seen[f.name] = len(out)
		out = append(out, f)
	}
	return out, true
}

// typeOf is the column type that a value asks for; "" for null and for a number that no
// column holds exactly.
func (f *field) typeOf() (t record.Type, doc string) {
	switch f.raw[0] {
	case 'n':
		return "", ""
	case 't', 'f':
		return record.Boolean, ""
	case '"':
		return record.String, ""
	case '{', '[':
		return record.String, jsonDoc
	}
	if _, err := strconv.ParseInt(string(f.raw), 10, 64); err == nil {
		return record.Long, ""
	}
	if _, ok := exactDouble(f.raw); ok {
		return record.Double, ""
	}
	return "", ""
}

// exactDouble reads a number as a double. A fraction is what doubles are for; a whole
// number must be held to the last digit.
func exactDouble(raw []byte) (float64, bool) {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, false
	}
	if bytes.ContainsAny(raw, ".eE") {
		return f, true
	}
	whole, ok := new(big.Int).SetString(string(raw), 10)
	if !ok {
		return 0, false
	}
	back, accuracy := new(big.Float).SetFloat64(f).Int(nil)
	return f, accuracy == big.Exact && back.Cmp(whole) == 0
}

// into puts a value into a cell of a column; false when it does not fit.
func (f *field) into(c *table.Column, cell *record.Value) bool {
	if f.raw[0] == 'n' {
		return true
	}
	if isJSON(c) {
		*cell = jsonText(f.raw)
		return true
	}
	t, doc := f.typeOf()
	var v record.Value
	switch {
	case doc == jsonDoc:
		return false
	case t == record.Boolean:
		v = record.Value{Kind: record.BoolKind}
		if f.raw[0] == 't' {
			v.I = 1
		}
	case t == record.String:
		var s string
		if json.Unmarshal(f.raw, &s) != nil {
			return false
		}
		v = record.Value{Kind: record.TextKind, B: []byte(s)}
	case t == record.Long:
		n, err := strconv.ParseInt(string(f.raw), 10, 64)
		if err != nil {
			return false
		}
		v = integer(n)
	case t == record.Double:
		d, _ := exactDouble(f.raw)
		v = record.Value{Kind: record.FloatKind, F: d}
	default:
		return false
	}
	out, fits := normal(c.Type, v)
	if fits {
		*cell = out
	}
	return fits
}

func isJSON(c *table.Column) bool { return c.Doc == jsonDoc || strings.HasSuffix(c.Doc, "; "+jsonDoc) }

func isPlainOwn(lower string) bool {
	named := func(c table.Column) bool { return c.Name == lower }
	return slices.ContainsFunc(systemColumns, named) || slices.ContainsFunc(plainOwn, named)
}

// infer finds the columns of new fields, in the order in which they come. A number with
// any fraction in the commit makes a double; an object makes JSON text; otherwise the first type wins.
func infer(have []table.Column, records []plainRecord) (all, adds []table.Column) {
	known := map[string]bool{}
	taken := map[string]bool{}
	for _, c := range have {
		if !isPlainOwn(strings.ToLower(c.Name)) {
			known[sourceName(c)] = true
		}
		taken[strings.ToLower(c.Name)] = true
	}
	at := map[string]int{}
	for i := range records {
		for k := range records[i].fields {
			f := &records[i].fields[k]
			t, doc := f.typeOf()
			if t == "" || known[f.name] {
				continue
			}
			n, seen := at[f.name]
			if !seen {
				if len(have)+len(adds) >= plainColumnsMax {
					continue
				}
				name := ColumnName(f.name, func(lower string) bool { return taken[lower] || isPlainOwn(lower) })
				taken[strings.ToLower(name)] = true
				at[f.name] = len(adds)
				adds = append(adds, table.Column{Name: name, Type: t, Doc: join(sourceDoc(f.name, name), doc)})
				continue
			}
			switch c := &adds[n]; {
			case doc == jsonDoc && !isJSON(c):
				c.Type, c.Doc = record.String, join(sourceDoc(f.name, c.Name), jsonDoc)
			case t == record.Double && c.Type == record.Long:
				c.Type = record.Double
			}
		}
	}
	return slices.Concat(have, adds), adds
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
