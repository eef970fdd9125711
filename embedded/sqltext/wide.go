package sqltext

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// DuckDB writes out what a * stands for, outside its memory limit and deaf to a cancel, and takes the square of the time for twice as
// many. That of two tables stands for the columns of both: where each CTE reads the one before it twice, for twice as many each time.
const (
	columnsWritten    = 16_384  // of one query of a statement
	allColumnsWritten = 200_000 // of all
)

func errColumns() error {
	return fault.Newf(fault.TooLarge, "name the columns that are needed in place of *", "the statement has more than %d columns in one query once each * is written out, or %d in all", columnsWritten, allColumnsWritten)
}

// wide counts the columns of queries as DuckDB writes them out.
type wide struct {
	placed map[*tree]*relation
	ctes   map[string]widths // by the walk's own names
	once   bool              // a CTE is computed once
	most   int               // columns of one query
}

// widths are how many columns a query has, and it and all within it.
type widths struct{ columns, all int }

// wideTable is a table of a FROM.
type wideTable struct {
	alias   string
	columns int
}

func (c *wide) query(v *tree) (out widths) {
	for _, entry := range v.get("cte_map").get("map").list() {
		of := c.query(entry.get("value").get("query").get("node"))
		c.ctes[entry.get("key").str()] = of
		if c.once {
			out.all = capped(out.all + of.all)
		} else {
			out.all = max(out.all, of.all) // where one is used it is counted as well
		}
	}
	sides := []*tree{v.get("left"), v.get("right")}
	if children := v.get("children").list(); len(children) > 0 {
		sides = children
	}
	for _, side := range sides {
		if !side.null() {
			of := c.query(side)
			out = widths{max(out.columns, of.columns), capped(out.all + of.all)}
		}
	}
	tables := c.from(v.get("from_table"), &out.all)
	for _, item := range v.get("select_list").list() {
		out.columns = capped(out.columns + item.width(tables))
	}
	for i, key := range v.keys {
		if !slices.Contains([]string{"cte_map", "left", "right", "children", "from_table"}, key) {
			c.part(v.items[i], &out.all)
		}
	}
	out.all, c.most = capped(out.all+out.columns), max(c.most, out.columns)
	return out
}

// part counts the columns of the queries in an expression.
func (c *wide) part(v *tree, all *int) {
	if v.get("cte_map") != nil {
		*all = capped(*all + c.query(v).all)
		return
	}
	for _, item := range v.list() {
		c.part(item, all)
	}
}

// from are the tables of a FROM.
func (c *wide) from(v *tree, all *int) []wideTable {
	columns := 1
	switch v.get("type").str() {
	case "", "EMPTY":
		return nil
	case "JOIN":
		c.part(v.get("condition"), all)
		return append(c.from(v.get("left"), all), c.from(v.get("right"), all)...)
	case "BASE_TABLE":
		if r := c.placed[v]; r != nil {
			columns = len(r.Columns)
			break
		}
		of := c.ctes[v.get("table_name").str()]
		columns = of.columns
		if *all = capped(*all + columns); !c.once {
			*all = capped(*all + of.all)
		}
	case "SUBQUERY":
		of := c.query(v.get("subquery").get("node"))
		columns, *all = of.columns, capped(*all+of.all)
	case "EXPRESSION_LIST":
		if rows := v.get("values").list(); len(rows) > 0 {
			columns = len(rows[0].list())
		}
		c.part(v, all)
	case "PIVOT":
		for _, t := range c.from(v.get("source"), all) {
			columns = capped(columns + t.columns)
		}
	default:
		c.part(v, all)
	}
	return []wideTable{{v.get("alias").str(), columns}}
}

// width is how many columns an item of a select list stands for.
func (t *tree) width(tables []wideTable) (n int) {
	if !t.several() {
		return 1
	}
	for _, table := range tables {
		if of := t.get("relation_name").str(); of == "" || strings.EqualFold(of, table.alias) {
			n = capped(n + table.columns)
		}
	}
	return n
}
