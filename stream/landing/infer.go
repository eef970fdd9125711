package landing

import (
	"slices"
	"strings"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// plainColumnsMax bounds the columns that fields make; further ones go to `_extra`.
const plainColumnsMax = 1000

// jsonDoc marks a string column that holds JSON text of objects and arrays.
const jsonDoc = "JSON"

// IsJSON tells whether a column of bronze holds JSON text.
func IsJSON(c *table.Column) bool { return c.Doc == jsonDoc || strings.HasSuffix(c.Doc, "; "+jsonDoc) }

// IsPlainOwn tells of the columns that bronze has besides those of the records.
func IsPlainOwn(lower string) bool {
	named := func(c table.Column) bool { return c.Name == lower }
	return slices.ContainsFunc(systemColumns, named) || slices.ContainsFunc(plainOwn, named)
}

// infer finds the columns of new fields, in the order in which they come. A number with
// any fraction in the commit makes a double; an object makes JSON text; otherwise the first type wins, and
// before all the one that a schema declares.
func infer(have []table.Column, members map[string]*member, records []plainRecord) (all, adds []table.Column) {
	taken := map[string]bool{}
	for _, m := range members {
		m.known, m.added = false, -1
	}
	for _, c := range have {
		if m := members[SourceName(c)]; m != nil && !IsPlainOwn(strings.ToLower(c.Name)) {
			m.known = true
		}
		taken[strings.ToLower(c.Name)] = true
	}
	for i := range records {
		for k := range records[i].fields {
			f := &records[i].fields[k]
			if f.known {
				continue
			}
			t, doc := typeOf(&f.v)
			if f.declared != "" {
				t, doc = f.declared, ""
			}
			if t == "" {
				continue
			}
			if f.added < 0 {
				if len(have)+len(adds) >= plainColumnsMax {
					continue
				}
				name := ColumnName(f.name, func(lower string) bool { return taken[lower] || IsPlainOwn(lower) })
				taken[strings.ToLower(name)] = true
				f.added = len(adds)
				adds = append(adds, table.Column{Name: name, Type: t, Doc: join(sourceDoc(f.name, name), doc)})
				continue
			}
			switch c := &adds[f.added]; {
			case f.declared != "":
			case doc == jsonDoc && !IsJSON(c):
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
