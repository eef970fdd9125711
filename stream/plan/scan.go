//go:build duckdb_arrow

package plan

import (
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/stream/operator"
)

// scan reads a source, once however often it is named.
func (c *compiler) scan(f *sqltext.From) (*relation, error) {
	source, err := c.resolve(c.ctx, *f.Table)
	if err != nil {
		return nil, err
	}
	s := c.scanned(source)
	if s == nil {
		if s, err = c.addScan(source); err != nil {
			return nil, err
		}
	}
	r := &relation{reads: []string{s.Relation}, hidden: s.Windows && len(source.Key) == 0, time: source.Time}
	for _, column := range s.Columns {
		r.columns = append(r.columns, column.Name)
	}
	if _, ok := r.column(r.time); !ok {
		r.time = ""
	}
	if len(source.Key) > 0 {
		return c.keyed(s, r)
	}
	r.text = "SELECT " + strings.Join(append(duck.Idents(r.columns), duck.Idents(r.carried())...), ", ") + " FROM " + duck.Ident(s.Relation)
	return r, nil
}

func (c *compiler) scanned(source *Source) *Scan {
	i := slices.IndexFunc(c.plan.Scans, func(s *Scan) bool { return s.Source.Name == source.Name })
	if i < 0 {
		return nil
	}
	return c.plan.Scans[i]
}

// addScan makes a scan with the columns that the body needs.
func (c *compiler) addScan(source *Source) (*Scan, error) {
	s := &Scan{Source: source, Windows: c.windows && source.Time != "", Relation: fmt.Sprintf("in%d", len(c.plan.Scans))}
	for _, column := range source.Columns {
		key := slices.ContainsFunc(source.Key, func(k string) bool { return strings.EqualFold(k, column.Name) })
		if c.all || key || column.Name == source.Time && c.windows || c.used[strings.ToLower(column.Name)] {
			s.Columns = append(s.Columns, column)
		}
	}
	if len(s.Columns) == 0 { // count(*) alone
		s.Columns = source.Columns[:1]
	}
	c.plan.Scans = append(c.plan.Scans, s)
	return s, c.know(s.Relation, s.empty())
}

// empty is a query with the columns of the tick's relation, and no row.
func (s *Scan) empty() string {
	var items []string
	item := func(name, typ string) { items = append(items, fmt.Sprintf("NULL::%s AS %s", typ, duck.Ident(name))) }
	for _, column := range s.Columns {
		item(column.Name, column.duck())
	}
	for _, h := range s.Hidden() {
		item(h.Name, h.duck())
	}
	return "SELECT " + strings.Join(items, ", ") + " LIMIT 0"
}

// Empty makes the relation of a tick without rows.
func (s *Scan) Empty() string {
	return "CREATE OR REPLACE TEMP TABLE " + duck.Ident(s.Relation) + " AS " + s.empty()
}

// Hidden are the columns of the tick's relation behind those of the source.
func (s *Scan) Hidden() []Column {
	switch {
	case len(s.Source.Key) > 0:
		return []Column{{operator.Offset, record.Long}, {operator.Deleted, record.Boolean}, {operator.Generation, record.Long}}
	case s.Windows:
		return []Column{{operator.Scanned, record.Int}, {operator.Partition, record.Int}, {operator.Offset, record.Long}, {operator.Mark, record.Long}, {operator.Flushed, record.Long}}
	}
	return nil
}

// windowed compiles TUMBLE and HOP: a column or two more, and for HOP more rows.
func (c *compiler) windowed(f *sqltext.From, q *sqltext.Query) (*relation, error) {
	w := f.Window
	of, alias, err := c.from(w.Of, q)
	if err != nil {
		return nil, err
	}
	time, ok := of.column(w.Column)
	if !ok {
		return nil, c.refuse(f.Offset, "name one of "+strings.Join(of.columns, ", "), "%s has no column %s", alias, w.Column)
	}
	if of.window != nil {
		return nil, c.refuse(f.Offset, "group its result by window_start and window_end, or make a second pipeline over its table", "%s of what is in windows already", w.Kind)
	}
	out := *of
	begin, end := "window_start", "window_end"
	for _, name := range []string{begin, end} {
		if _, taken := of.column(name); taken {
			return nil, c.refuse(f.Offset, "give that column another name in a subquery", "%s has a column %s already", alias, name)
		}
	}
	mine := *w
	mine.Column = time
	columns, err := c.describe("SELECT " + duck.Ident(time) + " FROM (" + of.text + ")")
	if err != nil {
		return nil, err
	}
	if mine.Type = columns[0].typ; mine.Type == "TIMESTAMP WITH TIME ZONE" {
		mine.Type = "TIMESTAMPTZ"
	}
	items := append(append(duck.Idents(of.columns), duck.Ident(begin), duck.Ident(end)), duck.Idents(of.carried())...)
	text := func(w sqltext.Window) string {
		return "SELECT " + strings.Join(items, ", ") + " FROM (" + sqltext.WindowSQL(w, "("+of.text+")") + ")"
	}
	out.text = text(mine)
	if mine.Kind == "HOP" {
		mine.Kind, mine.Size = "TUMBLE", mine.Slide
		out.panes = text(mine)
	}
	out.columns = append(slices.Clone(of.columns), begin, end)
	out.window = &window{begin: begin, end: end, size: w.Size, slide: w.Slide, shift: w.Shift}
	if w.Kind == "HOP" {
		out.key, out.single = nil, false
		if len(of.key) > 0 {
			out.key = append(slices.Clone(of.key), begin)
		}
	}
	if out.time == "" || !strings.EqualFold(out.time, time) {
		out.hidden = false // no watermark tells when its windows close
	}
	return &out, nil
}
