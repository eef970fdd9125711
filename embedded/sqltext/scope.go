package sqltext

import "strings"

// scope is what names mean within a query node.
type scope struct {
	outer  *scope
	ctes   map[string]string // as written, lower case -> as renamed
	tables []*seen
	at     int  // where its select list begins
	recurs bool // its one CTE is that which is being written, and recurring.name stands for all of its rows so far

	from    *tree     // of a SELECT
	kinds   *kindFrom // of it, once it was walked
	aliases []string  // of its select list, that stand for what is no column of that name
	params  []string  // of a lambda
}

// seen is a table of a FROM without an alias: schema.table.column may name its columns.
type seen struct{ catalog, schema, name, alias string }

// qualifies returns how many of the names are those of the table, 0 for none; there
// must be a column's name behind them.
func (t *seen) qualifies(names []*tree) int {
	is := func(i int, want string) bool { return want != "" && strings.EqualFold(names[i].str(), want) }
	if len(names) > 3 && is(0, t.catalog) && is(1, t.schema) && is(2, t.name) {
		return 3
	}
	if is(0, t.schema) && is(1, t.name) {
		return 2
	}
	return 0
}

// cte returns the new name of a CTE that is in sight.
func (s *scope) cte(name string) (string, bool) {
	for ; s != nil; s = s.outer {
		if renamed, ok := s.ctes[strings.ToLower(name)]; ok {
			return renamed, true
		}
	}
	return "", false
}

// recurring is the schema in which a recursive CTE has all of its rows so far, while its name alone is those of the last round.
const recurring = "recurring"

// recurring returns the new name of a CTE within whose recursion the scope is.
func (s *scope) recurring(name string) (string, bool) {
	for ; s != nil; s = s.outer {
		if renamed, ok := s.ctes[strings.ToLower(name)]; ok {
			return renamed, s.recurs
		}
	}
	return "", false
}

// alias is the name by which the rest of the query knows a table without an alias.
func (s *scope) alias(t Table) string {
	if s != nil {
		for _, known := range s.tables {
			if strings.EqualFold(known.catalog, t.Catalog) && strings.EqualFold(known.schema, t.Schema) && strings.EqualFold(known.name, t.Name) {
				return known.alias
			}
		}
	}
	return t.Name
}

// see notes the tables of a FROM, not those of its subqueries. Of two tables with one name
// and different schemas the second is known as schema.table, for two aliases may not be equal.
func (s *scope) see(v *tree) {
	switch v.get("type").str() {
	case "JOIN":
		s.see(v.get("left"))
		s.see(v.get("right"))
	case "PIVOT":
		s.see(v.get("source"))
	case "BASE_TABLE":
		if v.get("alias").str() != "" {
			return
		}
		t := &seen{v.get("catalog_name").str(), v.get("schema_name").str(), v.get("table_name").str(), v.get("table_name").str()}
		for _, other := range s.tables {
			if strings.EqualFold(other.alias, t.alias) && !strings.EqualFold(other.schema, t.schema) {
				t.alias = t.schema + "." + t.name
			}
		}
		s.tables = append(s.tables, t)
	}
}
