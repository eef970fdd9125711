//go:build duckdb_arrow

package engine

import (
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/sqltext"
	"tarn/lake/table"
)

// sourced is an arm of rows that the table has not: its bare names are of the source.
func (x *changing) sourced(arm sqltext.Arm) sqltext.Arm {
	ofTable := func(name string) bool {
		return slices.ContainsFunc(x.columns, func(c table.Column) bool { return strings.EqualFold(c.Name, name) })
	}
	arm.And, arm.Values = sqltext.Sourced(arm.And, x.c.Source, ofTable), slices.Clone(arm.Values)
	for i, v := range arm.Values {
		arm.Values[i] = sqltext.Sourced(v, x.c.Source, ofTable)
	}
	return arm
}

// merging is the query of a MERGE. What becomes of a row is one value, so that a condition is asked once: random() has another answer each time.
func (x *changing) merging(of, cases string, values int) string {
	made := []string{"m.p", "m.n"}
	for i := range values {
		made = append(made, "m.r['v"+strconv.Itoa(i)+"']")
	}
	order, by := "", ""
	if x.order != "" && x.c.Returning != "" {
		order, by = ", "+x.order+" AS o", " ORDER BY m.o"
	}
	name := x.called()
	return "SELECT " + strings.Join(made, ", ") + " FROM (SELECT " + name + "." + ident(x.path) + " AS p, " + name + "." + ident(x.pos) + " AS n, CASE" + cases + " END AS r" + order + " FROM " +
		of + " RIGHT JOIN " + x.c.From + " ON (" + x.c.On + ")) m WHERE m.r['v0'] <> 0" + by
}

// fields are those of a struct.
func fields(values []string) string {
	var out []string
	for i, v := range values {
		out = append(out, "'v"+strconv.Itoa(i)+"': "+v)
	}
	return strings.Join(out, ", ")
}
