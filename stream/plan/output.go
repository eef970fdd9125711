//go:build duckdb_arrow

package plan

import (
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
	"tarn/stream/operator"
)

// keyed compiles a changelog: an operator that keeps the last row of each key.
func (c *compiler) keyed(s *Scan, r *relation) (*relation, error) {
	for i, op := range c.plan.Operators {
		if k, ok := op.(*operator.Keyed); ok && k.From == s.Relation {
			return r.of(c.plan.Operators[i], k.Keys), nil
		}
	}
	op := &operator.Keyed{Number: len(c.plan.Operators), From: s.Relation, Columns: r.columns}
	for _, key := range s.Source.Key {
		name, _ := r.column(key)
		op.Keys = append(op.Keys, name)
	}
	c.plan.Operators = append(c.plan.Operators, op)
	for _, set := range append(op.Setup(), op.Empty()) {
		if err := c.conn.Exec(c.ctx, strings.Replace(set, "CREATE TABLE ", "CREATE TEMP TABLE ", 1)); err != nil {
			return nil, err
		}
	}
	c.temp = append(c.temp, op.Relation(), "s"+strings.TrimPrefix(op.Relation(), "op"))
	return r.of(op, op.Keys), nil
}

// of is the relation of a keyed operator.
func (r *relation) of(op operator.Operator, keys []string) *relation {
	out := *r
	out.changes, out.hidden, out.key, out.reads = true, false, keys, []string{op.Relation()}
	out.text = "SELECT " + strings.Join(append(duck.Idents(r.columns), duck.Idents(out.carried())...), ", ") + " FROM " + duck.Ident(op.Relation())
	return &out
}

// output makes the query for what the sink gets: columns of types that a table has.
func (c *compiler) output(q *sqltext.Query, r *relation) error {
	if len(c.request.Columns) > 0 {
		if len(c.request.Columns) != len(r.columns) {
			return c.refuse(q.Offset, "name as many as it has", "%d columns are named, the SELECT has %d", len(c.request.Columns), len(r.columns))
		}
		for _, name := range c.request.Columns {
			if Reserved(name) {
				return c.refuse(q.Offset, "give it another name", reservedText, name)
			}
		}
		r = r.renamed(c.request.Columns)
	}
	if c.request.MustClose && (!r.final || r.changes) {
		return c.refuse(q.Offset, "group by window_start and window_end of TUMBLE or HOP, or leave it out", "EMIT ON WINDOW CLOSE needs an aggregate over windows")
	}
	columns, err := c.describe("SELECT " + duck.List(r.columns) + " FROM (" + r.text + ")")
	if err != nil {
		return err
	}
	items := make([]string, 0, len(columns)+1)
	for _, t := range columns {
		stored, cast, ok := duck.Stored(t.typ)
		if !ok {
			return c.refuse(q.Offset, "cast it, for instance to VARCHAR or JSON text", "the column %s is of type %s, which no table keeps", t.name, t.typ)
		}
		c.plan.Columns = append(c.plan.Columns, OutputColumn{t.name, stored})
		text := duck.Ident(t.name)
		if cast != t.typ {
			text = "CAST(" + text + " AS " + cast + ")"
		}
		if strings.HasPrefix(cast, "DECIMAL(38,") { // DuckDB adds up to 39 digits, and holds the result against none before it is added to
			text += " + 0::" + cast
		}
		items = append(items, text+" AS "+duck.Ident(t.name))
	}
	c.plan.Append, c.plan.Reads = !r.changes, r.reads
	if r.changes {
		items = append(items, duck.Ident(operator.Weight))
	}
	c.plan.Output = "SELECT " + strings.Join(items, ", ") + " FROM (" + r.text + ")"
	return c.keys(q, r)
}

// keys finds what tells the rows of the output apart.
func (c *compiler) keys(q *sqltext.Query, r *relation) error {
	key := r.key
	if r.single && len(key) == 0 {
		if len(c.request.Key) > 0 {
			return c.refuse(q.Offset, "leave KEY out", "the result is one row, which needs no key")
		}
		key = r.columns // the row itself: what it was goes, what it is comes
		c.plan.Single = true
	}
	if len(c.request.Key) > 0 {
		key = nil
		for _, name := range c.request.Key {
			column, ok := r.column(name)
			if !ok {
				return c.refuse(q.Offset, "name one of "+strings.Join(r.columns, ", "), "KEY names %s, which the SELECT has not", name)
			}
			key = append(key, column)
		}
		if r.changes && !sameNames(key, r.key) {
			return c.refuse(q.Offset, "leave KEY out, or write KEY ("+strings.Join(r.key, ", ")+")", "the rows of the SELECT are told apart by other columns")
		}
	}
	if r.changes && len(key) == 0 {
		return c.refuse(q.Offset, "select the columns of the GROUP BY, or the key of the table that is read"+c.keysRead(), "nothing tells the rows of the result apart, and they change")
	}
	if r.changes {
		c.plan.Key = key
	}
	return nil
}

// keysRead names the keys of the tables that are read.
func (c *compiler) keysRead() (out string) {
	for _, s := range c.plan.Scans {
		if len(s.Source.Key) > 0 {
			out += ": " + strings.Join(s.Source.Key, ", ") + " of " + s.Source.Name
		}
	}
	return out
}

func sameNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, name := range a {
		if !slices.Contains(b, name) {
			return false
		}
	}
	return true
}
