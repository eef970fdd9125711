package sqltext

import (
	"strings"

	"tarn/embedded/fault"
)

// ColumnChange is what ALTER TABLE does with one column.
type ColumnChange struct {
	Do     ColumnVerb
	Column MadeColumn // for DropNotNull, DropColumn and RenameColumn its name alone
	To     string     // of RenameColumn
	Quiet  bool       // IF NOT EXISTS, IF EXISTS
}

// ColumnVerb says what becomes of the column.
type ColumnVerb int

// What can become of one.
const (
	AddColumn ColumnVerb = iota
	RetypeColumn
	DropNotNull
	DropColumn
	RenameColumn
)

// ColumnChanges reads ADD [COLUMN] [IF NOT EXISTS] name type, ALTER [COLUMN] name [SET DATA] TYPE type and … DROP NOT NULL, DROP [COLUMN] [IF EXISTS]
// name and RENAME [COLUMN] name TO name, which commas part, behind the table's name; none where something else follows. What would need rows that are there to be looked at or written anew is refused.
func (r *Reader) ColumnChanges(fold bool) (out []ColumnChange, err error) {
	for {
		var c ColumnChange
		switch {
		case r.Take("ADD"):
			c, err = r.addedColumn(fold)
		case r.Take("ALTER"):
			r.Take("COLUMN")
			c, err = r.alteredColumn()
		case r.Take("DROP"):
			c, err = r.droppedColumn()
		case r.Take("RENAME"):
			c, err = r.renamedColumn(fold)
		default:
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if out = append(out, c); r.Take(",") {
			continue
		}
		return out, r.Done()
	}
}

func (r *Reader) addedColumn(fold bool) (c ColumnChange, err error) {
	for _, word := range []string{"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE"} {
		if r.Peek().Is(word) {
			return c, r.wrong("say PRIMARY KEY when the table is made; nothing else is kept", "a table that is there takes no new constraints")
		}
	}
	r.Take("COLUMN")
	c.Quiet = r.Take("IF", "NOT", "EXISTS")
	at := r.Offset()
	var m Making
	if err := r.madeColumn(&m, fold); err != nil {
		return c, err
	}
	c.Column = m.Columns[0]
	switch {
	case c.Column.Type == "":
		err = r.At(fault.Newf(fault.Syntax, "write its type behind it, such as BIGINT or VARCHAR", "the column %s has no type", c.Column.Name), at)
	case c.Column.Default != "":
		err = r.At(fault.Newf(fault.Invalid, "add it without, and give rows their values by UPDATE", "a column that is added has no DEFAULT: name it when the table is made"), at)
	case c.Column.Required:
		err = r.At(fault.Newf(fault.Invalid, "leave NOT NULL and PRIMARY KEY out", "rows that are there have no value for the new column %s", c.Column.Name), at)
	}
	return c, err
}

// columnNamed reads the name of a column that is there.
func (r *Reader) columnNamed() (c ColumnChange, err error) {
	t := r.Peek()
	if t.Kind != Word && t.Kind != Quoted {
		return c, r.Fault("a column's name")
	}
	r.Next()
	c.Column = MadeColumn{Name: t.Name(), Offset: t.Offset}
	return c, nil
}

func (r *Reader) droppedColumn() (ColumnChange, error) {
	if r.Peek().Is("CONSTRAINT") {
		return ColumnChange{}, r.wrong("leave it: nothing is checked by it", "a constraint cannot be dropped")
	}
	r.Take("COLUMN")
	quiet := r.Take("IF", "EXISTS")
	c, err := r.columnNamed()
	c.Do, c.Quiet = DropColumn, quiet
	r.Take("RESTRICT")
	return c, err
}

func (r *Reader) renamedColumn(fold bool) (ColumnChange, error) {
	r.Take("COLUMN")
	c, err := r.columnNamed()
	c.Do = RenameColumn
	if err == nil && !r.Take("TO") {
		err = r.Fault("TO and another name")
	}
	if err != nil {
		return c, err
	}
	to, err := r.columnNamed()
	if c.To = to.Column.Name; fold && r.tokens[r.at-1].Kind == Word {
		c.To = strings.ToLower(c.To)
	}
	return c, err
}

func (r *Reader) alteredColumn() (c ColumnChange, err error) {
	if c, err = r.columnNamed(); err != nil {
		return c, err
	}
	switch {
	case r.Take("DROP", "NOT", "NULL"):
		c.Do = DropNotNull
	case r.Take("SET", "DATA", "TYPE"), r.Take("TYPE"):
		c.Do = RetypeColumn
		c.Column.Type, err = r.dataType()
		c.Column.Length = r.length
	default:
		return c, r.Fault("TYPE and a wider type, or DROP NOT NULL")
	}
	return c, err
}
