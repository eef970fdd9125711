//go:build duckdb_arrow

package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// alterColumns is ALTER TABLE with what becomes of columns, all of it in one commit of no rows. Rows that are there have null in a new
// column; quiet passes over a table that is not there.
func (g *Gate) alterColumns(ctx context.Context, r Request, stmt string, t sqltext.Table, quiet bool, changes []sqltext.ColumnChange) (*Result, bool, error) {
	s := g.asking(r)
	_, e, found, err := s.target(ctx, r, t)
	if err == nil && !found {
		if quiet {
			return Status("ALTER TABLE"), true, nil
		}
		err = s.notFound(ctx, t)
	}
	if err != nil {
		return nil, true, placed(err, stmt, t.Offset)
	}
	of, err := s.writable(ctx, e, guard.Alter)
	if err != nil {
		return nil, true, placed(err, stmt, t.Offset)
	}
	leave, err := g.changing.take(ctx, of.ID()) // so that a column is not looked for, and added, by two at once
	if err != nil {
		return nil, true, err
	}
	defer leave()
	change, err := columnChange(of, stmt, changes)
	for _, c := range changes {
		if err == nil && (c.Do == sqltext.DropColumn || c.Do == sqltext.RenameColumn) {
			if err = s.unmasked(of); err == nil {
				err = g.columnUnread(ctx, of.Ident(), c.Column.Name)
			}
			err = placed(err, stmt, c.Column.Offset)
		}
	}
	if err == nil {
		_, err = of.Commit(ctx, change)
	}
	if err != nil {
		return nil, true, err
	}
	return Status("ALTER TABLE"), true, nil
}

// unmasked refuses to let go, or name otherwise, the columns of a table of which the principal may not read all: what hides them goes by their names.
func (s *session) unmasked(of table.Table) error {
	if d := s.may(guard.Read, of.Ident(), of.ID()); !d.Allow || d.Filter != "" || len(d.Masks) > 0 {
		return fault.Newf(fault.Denied, "ask for a grant", "columns of %s, of which you may not read all, cannot be dropped or renamed by you", of.Ident())
	}
	return nil
}

// readsAll are words of a text that reads columns which it does not name.
var readsAll = []string{"*", "COLUMNS", "NATURAL", "TABLE", "PIVOT", "PIVOT_WIDER", "UNPIVOT", "PIVOT_LONGER"}

// mayRead tells whether a view's text may read a column: it says the name, or may mean all, as a FROM without a SELECT before it does.
func mayRead(tokens []sqltext.Token, column string) bool {
	for i, t := range tokens {
		if strings.EqualFold(t.Name(), column) || slices.ContainsFunc(readsAll, t.Is) {
			return true
		}
		first := i == 0 || slices.ContainsFunc([]string{"(", "UNION", "ALL", "EXCEPT", "INTERSECT"}, tokens[i-1].Is) || i > 1 && tokens[i-1].Is("NAME") && tokens[i-2].Is("BY")
		if t.Is("FROM") && first {
			return true
		}
	}
	return false
}

// columnUnread refuses a column that a view may read.
func (g *Gate) columnUnread(ctx context.Context, id table.Ident, column string) error {
	all, err := g.views(ctx)
	if err != nil {
		return err
	}
	for _, v := range all {
		if !slices.Contains(v.Inputs, catalog.Name+"."+id.String()) {
			continue
		}
		tokens, err := sqltext.Lex(v.Text)
		if err != nil || mayRead(tokens, column) {
			return fault.Newf(fault.Invalid, "write DROP VIEW "+v.String()+" first, and make it again", "column %s of %s is read by the view %s", column, id, v.Ident)
		}
	}
	return nil
}

// columnChange is the commit that alters the columns of a table.
func columnChange(of table.Table, stmt string, changes []sqltext.ColumnChange) (table.Change, error) {
	out := table.Change{Owner: Owner, Widen: map[string]record.Type{}, Rename: map[string]string{}}
	all := of.Columns()
	for _, c := range changes {
		i, unknown := columnOf(of.Ident(), all, c.Column.Name)
		there := unknown == nil
		var typed []table.Column
		if c.Do == sqltext.AddColumn || c.Do == sqltext.RetypeColumn {
			var err error
			if typed, err = madeColumns([]sqltext.MadeColumn{c.Column}, stmt); err != nil {
				return out, err
			}
		}
		switch {
		case c.Do == sqltext.AddColumn && there && c.Quiet:
		case c.Do == sqltext.AddColumn && renamedTo(out, c.Column.Name):
			return out, sqltext.At(fault.Newf(fault.Exists, "take another name", "%s would have two columns %s", of.Ident(), c.Column.Name), stmt, c.Column.Offset)
		case c.Do == sqltext.AddColumn && there:
			return out, sqltext.At(fault.Newf(fault.Exists, "write ADD COLUMN IF NOT EXISTS, or take another name", "%s has a column %s already", of.Ident(), all[i].Name), stmt, c.Column.Offset)
		case c.Do == sqltext.AddColumn && len(all) >= columnsMax:
			return out, sqltext.At(fault.Newf(fault.TooLarge, "make another table", "the table would have more than %d columns", columnsMax), stmt, c.Column.Offset)
		case c.Do == sqltext.AddColumn:
			out.AddColumns = append(out.AddColumns, typed[0])
			all = append(all, typed[0])
		case !there && c.Do == sqltext.DropColumn && c.Quiet:
		case !there:
			return out, placed(unknown, stmt, c.Column.Offset)
		case c.Do == sqltext.RetypeColumn && !table.Wider(all[i].Type, typed[0].Type):
			return out, sqltext.At(fault.Newf(fault.Invalid, "make it anew: CREATE OR REPLACE TABLE t AS SELECT CAST(…)", "column %s is %s, which cannot become %s: an int becomes a long, a float a double, a decimal one of more digits and the same scale",
				all[i].Name, all[i].Type, typed[0].Type), stmt, c.Column.Offset)
		case c.Do == sqltext.RetypeColumn && all[i].Length > 0 && (c.Column.Length == 0 || c.Column.Length >= all[i].Length):
			out.Properties = map[string]string{table.PropLength + strconv.Itoa(all[i].ID): strconv.Itoa(c.Column.Length)}
		case c.Do == sqltext.RetypeColumn && all[i].Length > 0:
			return out, sqltext.At(fault.Newf(fault.Invalid, "make it anew: CREATE OR REPLACE TABLE t AS SELECT …", "column %s takes %d characters, and cannot take fewer", all[i].Name, all[i].Length), stmt, c.Column.Offset)
		case c.Do == sqltext.RetypeColumn:
			out.Widen[all[i].Name] = typed[0].Type
		case c.Do == sqltext.DropNotNull:
			out.Relax = append(out.Relax, all[i].Name)
		default:
			if err := shed(&out, of.Ident(), all, i, c); err != nil {
				return out, placed(err, stmt, c.Column.Offset)
			}
		}
	}
	return out, nil
}

// shed is a column that goes, or gets another name.
func shed(out *table.Change, id table.Ident, all []table.Column, i int, c sqltext.ColumnChange) error {
	_, free := columnOf(id, all, c.To)
	same := strings.EqualFold(all[i].Name, c.To) && all[i].Name != c.To // but for upper and lower case
	switch {
	case all[i].ID == 0 || out.Rename[all[i].Name] != "" || slices.Contains(out.Drop, all[i].Name): // a new one has no id yet
		return fault.Newf(fault.Invalid, "write a statement for each change", "the column %s of %s would be changed twice", all[i].Name, id)
	case c.Do == sqltext.RenameColumn && (free == nil && !same || renamedTo(*out, c.To)):
		return fault.Newf(fault.Exists, "take another name", "%s has a column %s already", id, c.To)
	case all[i].Key && (c.Do == sqltext.DropColumn || !all[i].Required):
		return fault.Newf(fault.Invalid, "make it anew: CREATE TABLE with another PRIMARY KEY, and INSERT INTO it … SELECT", "column %s of %s is of its key", all[i].Name, id)
	case c.Do == sqltext.RenameColumn:
		out.Rename[all[i].Name] = c.To
	case len(out.Drop)+1 >= len(all):
		return fault.Newf(fault.Invalid, "write DROP TABLE", "%s is the last column of %s", all[i].Name, id)
	default:
		out.Drop = append(out.Drop, all[i].Name)
	}
	return nil
}

// renamedTo tells whether another column gets a name.
func renamedTo(c table.Change, name string) bool {
	for _, to := range c.Rename {
		if strings.EqualFold(to, name) {
			return true
		}
	}
	return false
}

// comment is COMMENT ON TABLE or VIEW t, or ON COLUMN t.c, IS 'text' or NULL.
func (g *Gate) comment(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, true, err
	}
	in.Take("COMMENT")
	var t sqltext.Table
	column := ""
	switch {
	case in.Take("ON", "TABLE"), in.Take("ON", "VIEW"):
		t, err = in.Table()
	case in.Take("ON", "COLUMN"):
		t, column, err = in.Column()
	default:
		return nil, true, fault.New(fault.Invalid, "a comment can be on a table, a view or a column alone", "write COMMENT ON TABLE t IS 'text', or COMMENT ON COLUMN t.c IS 'text'")
	}
	if err != nil {
		return nil, true, err
	}
	if !in.Take("IS") {
		return nil, true, in.Fault("IS and a text")
	}
	text := in.Next()
	value := text.Value()
	if text.Is("NULL") {
		value = ""
	} else if text.Kind != sqltext.String {
		return nil, true, sqltext.At(fault.New(fault.Syntax, "the comment is no text", "write IS 'text'"), stmt, text.Offset)
	}
	if err := in.Done(); err != nil {
		return nil, true, err
	}
	s := g.asking(r)
	e, err := s.there(ctx, r, t)
	if err == nil {
		err = s.describeAs(ctx, e, column, value)
	}
	if err != nil {
		return nil, true, placed(err, stmt, t.Offset)
	}
	return Status("COMMENT"), true, nil
}

// describeAs says what a table or view is about, or a column of it.
func (s *session) describeAs(ctx context.Context, e catalog.Entry, column, text string) error {
	if e.View {
		if !s.may(guard.Alter, e.Ident, "").Allow {
			return fault.Newf(fault.Denied, "ask for a grant", "you may not alter %s", e.Ident)
		}
		return s.gate.o.Catalog.ChangeView(ctx, e.Ident, func(v *catalog.View) error {
			if column == "" {
				v.Comment = text
				return nil
			}
			i, err := columnOf(e.Ident, v.Columns, column)
			if err == nil {
				v.Columns[i].Doc = text
			}
			return err
		})
	}
	of, err := s.writable(ctx, e, guard.Alter)
	if err != nil {
		return err
	}
	change := table.Change{Owner: Owner}
	if column == "" {
		change.Properties = map[string]string{"comment": text}
	} else {
		all := of.Columns()
		i, err := columnOf(e.Ident, all, column)
		if err != nil {
			return err
		}
		change.Docs = map[string]string{all[i].Name: text}
	}
	_, err = of.Commit(ctx, change)
	return err
}
