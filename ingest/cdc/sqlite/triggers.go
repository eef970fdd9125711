package sqlite

import (
	"fmt"
	"strings"
)

// The operations in a shadow table. A conflict is a row (before) that the statement about
// to write another row (after) may replace without any event of its own.
const (
	opCreate   = "c"
	opUpdate   = "u"
	opDelete   = "d"
	opConflict = "?"
)

// The suffixes of a capture's triggers.
var triggerKinds = []string{"bi", "bu", "ai", "au", "ad"}

func triggerName(incarnation, kind string) string { return ownPrefix + incarnation + "_" + kind }

// shadowSQL makes the shadow table: every column twice, without types, so that SQLite keeps
// each cell as it is, and by number, so that renaming a column does not matter. AUTOINCREMENT
// gives no number twice, whatever is pruned. The time is SQLite's oldest function that
// knows fractions of a second: the application may use an old SQLite.
func (c *capture) shadowSQL() string {
	var b strings.Builder
	fmt.Fprintf(&b, `CREATE TABLE %s (seq INTEGER PRIMARY KEY AUTOINCREMENT, op, u, ts DEFAULT (julianday('now')), br, ar`, quote(c.Log))
	for _, side := range []string{"b", "a"} {
		for i := range c.Def.Columns {
			fmt.Fprintf(&b, ", %s%d", side, i)
		}
	}
	return b.String() + ")"
}

// triggerSQL makes the triggers. They hold nothing that can fail where the user's own
// statement does not: plain inserts, and look-ups by unique indexes.
func (c *capture) triggerSQL() []string {
	d := &c.Def
	createWhen := func(kind, event, when, body string) string {
		return fmt.Sprintf("CREATE TRIGGER %s %s ON %s %sBEGIN %s END", quote(triggerName(c.Incarnation, kind)), event, quote(d.Table), when, body)
	}
	create := func(kind, event, body string) string { return createWhen(kind, event, "", body) }
	var insert, update strings.Builder
	for k := range d.Uniques {
		insert.WriteString(c.probe(k, false))
		update.WriteString(c.probe(k, true))
	}
	var out []string
	if len(d.Uniques) > 0 {
		out = append(out,
			create("bi", "BEFORE INSERT", insert.String()),
			createWhen("bu", "BEFORE UPDATE", d.moves(), update.String()))
	}
	return append(out,
		create("ai", "AFTER INSERT", c.logRow(opCreate, "", "NEW")),
		create("au", "AFTER UPDATE", c.logRow(opUpdate, "OLD", "NEW")),
		create("ad", "AFTER DELETE", c.logRow(opDelete, "OLD", "")))
}

// into is the head of an insert into the shadow table.
func (c *capture) into(before, after bool, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (op%s", quote(c.Log), more)
	for _, side := range []struct {
		on   bool
		name string
	}{{before, "b"}, {after, "a"}} {
		if !side.on {
			continue
		}
		if c.Def.logsRowID() {
			fmt.Fprintf(&b, ", %sr", side.name)
		}
		for i := range c.Def.Columns {
			fmt.Fprintf(&b, ", %s%d", side.name, i)
		}
	}
	return b.String() + ")"
}

// cells lists a row's cells as into expects them.
func (d *definition) cells(row string) string {
	var b strings.Builder
	if d.logsRowID() {
		fmt.Fprintf(&b, ", %s.%s", row, d.RowID)
	}
	for i := range d.Columns {
		fmt.Fprintf(&b, ", %s.%s", row, quote(d.Columns[i].Name))
	}
	return b.String()
}

func (c *capture) logRow(op, before, after string) string {
	var cells strings.Builder
	for _, row := range []string{before, after} {
		if row != "" {
			cells.WriteString(c.Def.cells(row))
		}
	}
	return fmt.Sprintf("%s VALUES (%s%s);", c.into(before != "", after != "", ""), literal(op), cells.String())
}

// probe logs the rows that are in conflict with NEW by the k-th way to be unique.
func (c *capture) probe(k int, update bool) string {
	d := &c.Def
	conflict := d.conflict(&d.Uniques[k])
	if update {
		conflict += " AND NOT (" + d.ownRow() + ")"
	}
	return fmt.Sprintf("%s SELECT %s, %d%s%s FROM %s AS r WHERE %s;",
		c.into(true, true, ", u"), literal(opConflict), k, d.cells("r"), d.cells("NEW"), quote(d.Table), conflict)
}

// moves has a trigger run for updates alone that may come in another row's way: those of what rows are unique by. An index on expressions,
// or on some rows, has the trigger run for all.
func (d *definition) moves() string {
	var differ []string
	seen := make([]bool, len(d.Columns))
	for i := range d.Uniques {
		u := &d.Uniques[i]
		switch {
		case u.RowID:
			differ = append(differ, fmt.Sprintf("NEW.%s IS NOT OLD.%s", d.RowID, d.RowID))
		case u.Where != "" || len(u.Terms) > 0:
			return ""
		}
		for _, at := range u.Columns { // to the bit, whatever the collation of the index
			if name := quote(d.Columns[at].Name); !seen[at] {
				seen[at] = true
				differ = append(differ, fmt.Sprintf("NEW.%s IS NOT OLD.%s COLLATE BINARY", name, name))
			}
		}
	}
	return "WHEN " + strings.Join(differ, " OR ") + " "
}

// conflict is the condition under which a row r stands in the way of NEW.
func (d *definition) conflict(u *unique) string {
	if u.RowID {
		return fmt.Sprintf("r.%s = NEW.%s", d.RowID, d.RowID)
	}
	var parts []string
	collate := func(i int) string {
		if u.Collations[i] == "" {
			return ""
		}
		return " COLLATE " + quote(u.Collations[i])
	}
	for i, at := range u.Columns {
		name := quote(d.Columns[at].Name)
		parts = append(parts, fmt.Sprintf("r.%s = NEW.%s%s", name, name, collate(i)))
	}
	// An expression names columns alone: those of the table here, those of NEW in a row made of them.
	for i, term := range u.Terms {
		parts = append(parts, fmt.Sprintf("(%s) = (SELECT (%s) FROM (%s))%s", term, term, d.newRow(), collate(i)))
	}
	if u.Where != "" {
		parts = append(parts, fmt.Sprintf("(%s)", u.Where), fmt.Sprintf("(SELECT (%s) FROM (%s))", u.Where, d.newRow()))
	}
	return strings.Join(parts, " AND ")
}

func (d *definition) newRow() string {
	var names []string
	for _, c := range d.Columns {
		names = append(names, fmt.Sprintf("NEW.%s AS %s", quote(c.Name), quote(c.Name)))
	}
	return "SELECT " + strings.Join(names, ", ")
}

// ownRow is the condition under which r is the row that is being updated.
func (d *definition) ownRow() string {
	if d.RowID != "" {
		return fmt.Sprintf("r.%s = OLD.%s", d.RowID, d.RowID)
	}
	var parts []string
	for _, i := range d.keyColumns() {
		name := quote(d.Columns[i].Name)
		parts = append(parts, fmt.Sprintf("r.%s = OLD.%s COLLATE BINARY", name, name))
	}
	return strings.Join(parts, " AND ")
}
