package tables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tarn/lake/catalog"
	"tarn/lake/table"
)

// The bounds of a comparison.
const (
	DiffRows    = 200       // that are shown
	diffColumns = 200       // that are compared
	diffAtOnce  = 1_000_000 // rows of both snapshots that are compared without being asked for
)

// Diff is what two snapshots differ in. The rows are for SQL to compare: Rows answers a row for each that differs, with
// columns change, then Keys, then of each of Columns what it was and what it is; Counts answers added, removed, changed.
type Diff struct {
	From    Snapshot `json:"from"`
	To      Snapshot `json:"to"`
	Missing string   `json:"missing,omitempty"` // the one of the two that is not kept
	Keys    []string `json:"keys"`              // of a row; all columns where it has none
	Keyed   bool     `json:"keyed"`
	Columns []string `json:"columns"`        // that are compared
	Left    []string `json:"left,omitempty"` // that are not
	Schema  []Change `json:"schema"`
	Counts  string   `json:"counts"`
	Rows    string   `json:"rows"`
	AtOnce  bool     `json:"-"` // the tables are small enough not to ask first
}

// own are the columns of mirrors that say where a row came from: they change with each event, also where no value does.
var own = []string{"_offset", "_generation"}

// place are the columns that a row of bronze has for a key.
var place = []string{"_topic", "_partition", "_offset"}

// compare tells two snapshots of the past apart; without one of them it is the current, or the one before the other.
func compare(h catalog.History, past []Snapshot, from, to string) *Diff {
	find := func(id string) (Snapshot, bool) {
		i := slices.IndexFunc(past, func(s Snapshot) bool { return s.ID == id })
		if i < 0 {
			return Snapshot{ID: id}, false
		}
		return past[i], true
	}
	d := &Diff{Keys: []string{}, Columns: []string{}, Schema: []Change{}}
	var ok bool
	if to == "" && len(past) > 0 {
		to = past[0].ID
	}
	if d.To, ok = find(to); !ok {
		d.Missing = to
	}
	if from == "" {
		from = d.To.Before
	}
	if d.From, ok = find(from); !ok && d.Missing == "" {
		d.Missing = from
	}
	if d.Missing != "" || d.From.ID == "" || d.To.ID == "" {
		return d
	}
	before, _ := h.Schema(d.From.SchemaID)
	after, _ := h.Schema(d.To.SchemaID)
	d.Schema = changes(before.Columns, after.Columns)
	d.AtOnce = d.From.Rows != nil && d.To.Rows != nil && *d.From.Rows+*d.To.Rows <= diffAtOnce
	d.statements(h.Ident, before.Columns, after.Columns)
	return d
}

// pair is a column of both snapshots, by its name in each.
type pair struct {
	was, is string
	key     bool
	loose   bool // it may be null
}

func pairs(id table.Ident, before, after []table.Column) (out []pair, left []string) {
	bronze := id.Namespace == "bronze" && !slices.ContainsFunc(place, func(name string) bool {
		return !slices.ContainsFunc(after, func(c table.Column) bool { return c.Name == name })
	})
	for _, c := range after {
		i := slices.IndexFunc(before, func(b table.Column) bool { return b.ID == c.ID })
		if i < 0 {
			continue // the schemas tell of it
		}
		one := pair{was: before[i].Name, is: c.Name, key: c.Key, loose: !c.Required}
		if bronze {
			one.key = slices.Contains(place, c.Name)
		}
		if len(out) >= diffColumns && !one.key || id.Namespace == "silver" && slices.Contains(own, c.Name) {
			left = append(left, c.Name)
			continue
		}
		out = append(out, one)
	}
	return out, left
}

func (d *Diff) statements(id table.Ident, before, after []table.Column) {
	all, left := pairs(id, before, after)
	d.Left = left
	d.Keyed = slices.ContainsFunc(all, func(p pair) bool { return p.key })
	for _, p := range all {
		if p.key || !d.Keyed {
			d.Keys = append(d.Keys, p.is)
		} else {
			d.Columns = append(d.Columns, p.is)
		}
	}
	if len(all) == 0 {
		return
	}
	if d.Keyed {
		d.byKey(id, all, there(before, after))
	} else {
		d.byRow(id, all)
	}
}

// there is a name that no column has, for what is null in a row that is not there.
func there(lists ...[]table.Column) string {
	name := "_there"
	for slices.ContainsFunc(slices.Concat(lists...), func(c table.Column) bool { return strings.EqualFold(c.Name, name) }) {
		name += "_"
	}
	return name
}

// column is a column's name in quotes, for it may be any word of SQL: at, order, table.
func column(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// byKey compares rows of the same key.
func (d *Diff) byKey(id table.Ident, all []pair, mark string) {
	var keys, values, on, differ []string
	for _, p := range all {
		was, is, name := "b."+column(p.was), "a."+column(p.is), column(p.is)
		switch {
		case p.key && p.loose:
			on = append(on, was+" IS NOT DISTINCT FROM "+is)
		case p.key:
			on = append(on, was+" = "+is)
		default:
			differ = append(differ, is+" IS DISTINCT FROM "+was)
			values = append(values, was+" AS "+column(p.is+" before"), is+" AS "+name)
			continue
		}
		keys = append(keys, "coalesce("+is+", "+was+") AS "+name)
	}
	isNew, isGone := "b."+mark+" IS NULL", "a."+mark+" IS NULL"
	with := fmt.Sprintf("WITH earlier AS (SELECT *, true AS %[1]s FROM %[2]s), later AS (SELECT *, true AS %[1]s FROM %[3]s)\nSELECT ",
		mark, at(id, d.From.ID), at(id, d.To.ID))
	from := "\nFROM later a FULL JOIN earlier b ON " + strings.Join(on, " AND ") + "\nWHERE " + strings.Join(append([]string{isNew, isGone}, differ...), "\n  OR ")
	change := fmt.Sprintf("CASE WHEN %s THEN 'added' WHEN %s THEN 'removed' ELSE 'changed' END AS change", isNew, isGone)
	order := make([]string, len(keys))
	for i := range keys {
		order[i] = strconv.Itoa(i + 2)
	}
	d.Rows = with + strings.Join(slices.Concat([]string{change}, keys, values), ",\n  ") + from + fmt.Sprintf("\nORDER BY %s\nLIMIT %d", strings.Join(order, ", "), DiffRows)
	d.Counts = with + fmt.Sprintf("count(*) FILTER (WHERE %[1]s) AS added, count(*) FILTER (WHERE %[2]s) AS removed, count(*) FILTER (WHERE NOT (%[1]s OR %[2]s)) AS changed", isNew, isGone) + from
}

// byRow compares whole rows: those of a table without a key are there so many times.
func (d *Diff) byRow(id table.Ident, all []pair) {
	var was, is []string
	for _, p := range all {
		was, is = append(was, column(p.was)+" AS "+column(p.is)), append(is, column(p.is))
	}
	earlier := fmt.Sprintf("SELECT %s FROM %s", strings.Join(was, ", "), at(id, d.From.ID))
	later := fmt.Sprintf("SELECT %s FROM %s", strings.Join(is, ", "), at(id, d.To.ID))
	both := fmt.Sprintf("SELECT 'added' AS change, * FROM (%s EXCEPT ALL %s)\nUNION ALL\nSELECT 'removed', * FROM (%s EXCEPT ALL %s)", later, earlier, earlier, later)
	d.Rows = both + fmt.Sprintf("\nLIMIT %d", DiffRows)
	d.Counts = fmt.Sprintf("SELECT count(*) FILTER (WHERE change = 'added') AS added, count(*) FILTER (WHERE change = 'removed') AS removed, 0 AS changed\nFROM (%s)", both)
}
