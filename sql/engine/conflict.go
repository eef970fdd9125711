//go:build duckdb_arrow

package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// conflict makes a change of INSERT … ON CONFLICT: rows whose key is in the table change those, or are passed over, and others come. Their columns
// have names that nobody can mean, so that a bare name is the table's, as in PostgreSQL; excluded.name is found in the text.
func (x *changing) conflict(ctx context.Context, r Request, in sqltext.Insert, stmt string) error {
	x.c = sqltext.Change{Verb: "MERGE", Table: in.Table, Alias: in.Alias, Returning: in.Returning}
	x.insert = true
	keys, err := x.keysOf(in, stmt)
	if err != nil {
		return err
	}
	places, err := x.s.named(x.id, x.columns, in.Columns, stmt)
	if err != nil {
		return err
	}
	if places, err = x.s.givenFor(ctx, in, places, fewer(r, in)); err != nil {
		return err
	}
	for n, column := range in.Lone() {
		if column < len(places) && x.types[n] == "" {
			x.types[n] = x.words[places[column]]
		}
	}
	if places, err = defaulted(in, x.columns, places); err != nil {
		return err
	}
	given := x.s.name("s")
	name := func(i int) string { return given + "_" + strconv.Itoa(i) }
	var names, on, by []string
	insert := sqltext.Arm{Do: "INSERT"}
	for i := range x.columns {
		names = append(names, name(i))
		insert.Values = append(insert.Values, "excluded."+name(i))
	}
	for _, i := range keys {
		on = append(on, x.same(i, "excluded."+name(i)))
		by = append(by, name(i))
	}
	order, nth := name(len(x.columns)), name(len(x.columns)+1)
	x.order = "excluded." + order
	x.c.From = "SELECT " + strings.Join(castItems(names, x.words, defaultsOf(x.columns), places, "q."), ", ") + ", row_number() OVER () AS " + order + " FROM (" + in.Body + ") q(" + strings.Join(numbered(len(places)), ", ") + ")"
	if x.c.On = "false"; len(keys) > 0 {
		x.c.On = strings.Join(on, " AND ")
		x.c.From = "SELECT *, row_number() OVER (PARTITION BY " + strings.Join(by, ", ") + " ORDER BY " + order + ") AS " + nth + " FROM (" + x.c.From + ") s"
	}
	switch {
	case len(keys) == 0:
	case in.Conflict.Set == nil:
		x.c.From = "SELECT * FROM (" + x.c.From + ") s WHERE " + nth + " = 1"
	default:
		again := "excluded." + nth + " > 1"
		x.c.Arms = []sqltext.Arm{{Matched: true, And: again, Do: "TWICE"}, {And: again, Do: "TWICE"}}
		set, err := x.sets(*in.Conflict, name)
		if err != nil {
			return placed(err, stmt, in.Conflict.Offset)
		}
		x.c.Arms = append(x.c.Arms, set)
	}
	x.c.From = "(" + x.c.From + ") AS excluded"
	x.c.Arms = append(x.c.Arms, insert)
	return nil
}

// same is the condition that a column of the table has a given value. DuckDB would leave row groups of numbers with a point out by their
// bounds, in which no NaN is.
func (x *changing) same(i int, given string) string {
	there := x.called() + "." + ident(x.columns[i].Name)
	if word := x.words[i]; word == "DOUBLE" || word == "FLOAT" {
		return "[" + there + "] = [" + given + "]"
	}
	return there + " = " + given
}

// fewer tells whether an INSERT may give fewer values than there are columns.
func fewer(r Request, in sqltext.Insert) bool {
	return in.Defaults || len(in.Columns) == 0 && r.Dialect != nil && r.Dialect.FewerValues
}

// givenFor are the places of the columns that an INSERT's query gives values for.
func (s *session) givenFor(ctx context.Context, in sqltext.Insert, places []int, fewer bool) ([]int, error) {
	body, err := sqltext.Substitute(in.Body, func(int) string { return "NULL" })
	if err != nil {
		return nil, err
	}
	source := s.source
	defer func() { s.source = source }()
	s.source = blanked(in.Text, in.Offset)
	if body != in.Body {
		s.source = body
	}
	out, err := s.rewrite(ctx, s.source, 0)
	if err != nil {
		return nil, err
	}
	columns, err := s.describe(ctx, out.Text)
	if err != nil {
		return nil, err
	}
	return matched(len(columns), places, fewer)
}

// matched are the places of columns that n values are for.
func matched(n int, places []int, fewer bool) ([]int, error) {
	if n < len(places) && fewer {
		return places[:n], nil
	}
	if n != len(places) {
		return nil, fault.Newf(fault.Invalid, "give each column a value, or name those that have one: INSERT INTO t (a, b) …", "there are %d values for %d columns", n, len(places))
	}
	return places, nil
}

// sets is what DO UPDATE does with a row that is there.
func (x *changing) sets(c sqltext.Conflict, name func(int) string) (sqltext.Arm, error) {
	excluded := func(column sqltext.Token) (string, error) {
		i, err := columnOf(x.id, x.columns, column.Name())
		return "excluded." + name(i), err
	}
	arm := *c.Set
	arm.Matched, arm.Values = true, slices.Clone(arm.Values)
	var err error
	if arm.And, err = sqltext.Members(c.Where, "excluded", excluded); err != nil {
		return arm, err
	}
	for i, v := range arm.Values {
		if arm.Values[i], err = sqltext.Members(v, "excluded", excluded); err != nil {
			return arm, err
		}
	}
	return arm, nil
}

// keysOf are the places of the table's key, which ON CONFLICT has to name. Without a name it is the key of a table that has one.
func (x *changing) keysOf(in sqltext.Insert, stmt string) (keys []int, err error) {
	for i, c := range x.columns {
		if c.Key {
			keys = append(keys, i)
		}
	}
	c := in.Conflict
	if len(c.Keys) == 0 && c.Constraint == "" {
		return keys, nil
	}
	same := len(keys) > 0
	if c.Constraint != "" {
		same = same && strings.EqualFold(c.Constraint, x.id.Name+"_pkey")
	} else {
		named, err := x.s.named(x.id, x.columns, c.Keys, stmt)
		if err != nil {
			return nil, err
		}
		slices.Sort(named)
		same = same && slices.Equal(slices.Compact(named), keys)
	}
	if same {
		return keys, nil
	}
	hint := "it has no key: CREATE TABLE t (id BIGINT PRIMARY KEY, …) makes one"
	if len(keys) > 0 {
		var names []string
		for _, i := range keys {
			names = append(names, x.columns[i].Name)
		}
		hint = "write ON CONFLICT (" + strings.Join(names, ", ") + ")"
	}
	return nil, sqltext.At(fault.New(fault.Invalid, "there is no unique or exclusion constraint matching the ON CONFLICT specification", hint), stmt, c.Offset)
}

func errAgain() error {
	return fault.New(fault.Invalid, "ON CONFLICT DO UPDATE command cannot affect row a second time", "give each key once")
}
