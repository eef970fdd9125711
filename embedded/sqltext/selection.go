package sqltext

import (
	"slices"
	"strconv"
	"strings"
)

// selection is a SELECT that is being read.
type selection struct {
	*converter
	query   *Query
	sources []string
	items   []*tree          // of the select list, aliases in place
	aliases map[string]*tree // by name in lower case, those that may stand for their expression
}

func (s *selection) joins(f *From) error {
	if f == nil || f.Join == nil {
		return nil
	}
	if f.Join.On != nil {
		on, err := s.expression(f.Join.On.node, "ON")
		if err != nil {
			return err
		}
		f.Join.On = on
	}
	if err := s.joins(f.Join.Left); err != nil {
		return err
	}
	return s.joins(f.Join.Right)
}

func (s *selection) fill(node *tree) (err error) {
	if err := s.list(node.get("select_list")); err != nil {
		return err
	}
	if where := node.get("where_clause"); !where.null() {
		if where, err = s.resolved(where, s.aliases, true); err != nil {
			return err
		}
		if s.query.Where, err = s.expression(where, "WHERE"); err != nil {
			return err
		}
	}
	if err := s.group(node); err != nil {
		return err
	}
	if having := node.get("having"); !having.null() {
		return s.having(having)
	}
	return nil
}

// list reads the select list. A later item may name the alias of an earlier one.
func (s *selection) list(list *tree) error {
	s.aliases = map[string]*tree{}
	for _, item := range list.items {
		if item.get("class").str() == "STAR" {
			star, err := s.star(item)
			if err != nil {
				return err
			}
			s.query.Items = append(s.query.Items, star)
			s.items = append(s.items, nil)
			continue
		}
		node, err := s.resolved(item, s.aliases, true)
		if err != nil {
			return err
		}
		e, err := s.expression(node, "")
		if err != nil {
			return err
		}
		out := Item{Expr: e, Name: item.get("alias").str(), Offset: item.begins()}
		if alias := strings.ToLower(out.Name); alias != "" && s.aliases[alias] == nil && !s.reads(node, alias) {
			s.aliases[alias] = node
		}
		s.items = append(s.items, node)
		s.query.Items = append(s.query.Items, out)
	}
	for i, item := range list.items {
		out := &s.query.Items[i]
		if out.Star || out.Name != "" {
			continue
		}
		if names := item.get("column_names").list(); len(names) > 0 {
			out.Name = names[len(names)-1].str()
			continue
		}
		s.unnamed = append(s.unnamed, unnamed{out, item.appendTo(nil)})
	}
	return nil
}

func (s *selection) star(item *tree) (Item, error) {
	if !neutralBut(item, "relation_name", "exclude_list", "alias") || item.get("alias").str() != "" {
		return Item{}, s.refuse(item, "list the columns", "a pipeline knows * only with EXCLUDE (columns)")
	}
	out := Item{Star: true, StarOf: item.get("relation_name").str(), Offset: item.begins()}
	for _, name := range item.get("exclude_list").list() {
		out.Exclude = append(out.Exclude, name.str())
	}
	return out, nil
}

// reads tells whether an expression names a column without a table: then it is one, and
// hides an alias of that name.
func (s *selection) reads(node *tree, name string) bool {
	e := Expr{node, s.sources}
	return slices.ContainsFunc(e.Columns(), func(c ColumnRef) bool { return c.Qualifier == "" && strings.EqualFold(c.Name, name) })
}

// resolved puts aliases in place, within aggregates only where inside is set.
func (s *selection) resolved(node *tree, aliases map[string]*tree, inside bool) (*tree, error) {
	if len(aliases) == 0 {
		return node, nil
	}
	out := node.clone()
	var err error
	out.visit(nil, func(v *tree, params []string) bool {
		names := v.get("column_names").list()
		if v.get("class").str() != "COLUMN_REF" || len(names) != 1 || isParameter(v, params) {
			return inside || !aggregates[strings.ToLower(v.get("function_name").str())]
		}
		target := aliases[strings.ToLower(names[0].str())]
		if target == nil {
			return false
		}
		if s.nodes += target.nodes(); s.nodes > weightMax {
			err = errOutgrows()
			return false
		}
		if inside {
			s.query.Aliases = append(s.query.Aliases, ColumnRef{Name: names[0].str(), Offset: v.begins()})
		}
		alias := v.get("alias")
		*v = *target.clone()
		v.set("alias", alias)
		return false
	})
	return out, err
}

// group resolves GROUP BY.
func (s *selection) group(node *tree) error {
	list, sets := node.get("group_expressions").list(), node.get("group_sets").list()
	switch handling := node.get("aggregate_handling").str(); {
	case handling == "FORCE_AGGREGATES" && len(list) == 0:
		return s.groupAll()
	case handling != "STANDARD_HANDLING":
		return s.refuse(node.get("select_list"), "write GROUP BY with the columns", "this GROUP BY cannot be used in a pipeline")
	case len(sets) > 1 || len(sets) == 1 && (len(sets[0].items) != len(list) || len(list) == 0):
		at := s.before(len(s.source), "GROUP")
		if len(list) > 0 {
			at = s.before(node.get("group_expressions").begins(), "GROUP")
		}
		return s.refuseAt(at, "write one GROUP BY for each, in pipelines of their own or with UNION ALL", "a pipeline cannot use GROUPING SETS, ROLLUP and CUBE")
	}
	for _, g := range list {
		target, err := s.groupTarget(g)
		if err != nil {
			return err
		}
		e, err := s.expression(target, "GROUP BY")
		if err != nil {
			return err
		}
		s.query.Group = append(s.query.Group, e)
	}
	return nil
}

// groupTarget is the item that a position means, or the expression with its aliases in place.
func (s *selection) groupTarget(g *tree) (*tree, error) {
	value := g.get("value")
	if g.get("class").str() != "CONSTANT" || !whole(value) {
		return s.resolved(g, s.aliases, true)
	}
	at, err := strconv.Atoi(value.get("value").raw)
	switch {
	case err != nil || at < 1 || at > len(s.items):
		return nil, s.refuse(g, "write a number from 1 to "+strconv.Itoa(len(s.items))+", or the expression", "GROUP BY %s is no column of the SELECT", value.get("value").raw)
	case s.items[at-1] == nil || slices.ContainsFunc(s.query.Items[:at], func(i Item) bool { return i.Star }):
		return nil, s.refuse(g, "write the expression", "GROUP BY %d counts the columns of a *", at)
	}
	return s.items[at-1], nil
}

func (s *selection) groupAll() error {
	for i, item := range s.query.Items {
		switch {
		case item.Star:
			return s.refuseAt(item.Offset, "list the columns", "GROUP BY ALL cannot be used with *")
		case len(item.Expr.Calls()) == 0:
			e, err := s.expression(s.items[i], "GROUP BY")
			if err != nil {
				return err
			}
			s.query.Group = append(s.query.Group, e)
		}
	}
	return nil
}

// having reads HAVING, in which an alias comes before a column that is no group's.
func (s *selection) having(node *tree) (err error) {
	aliases := map[string]*tree{}
	for i, item := range s.query.Items {
		if item.Star || item.Name == "" || s.items[i].get("alias").str() == "" || aliases[strings.ToLower(item.Name)] != nil {
			continue
		}
		grouped := func(g *Expr) bool {
			c, is := g.Column()
			return is && strings.EqualFold(c.Name, item.Name)
		}
		if !slices.ContainsFunc(s.query.Group, grouped) {
			aliases[strings.ToLower(item.Name)] = s.items[i]
		}
	}
	if node, err = s.resolved(node, aliases, false); err != nil {
		return err
	}
	s.query.Having, err = s.expression(node, "HAVING")
	return err
}

// expression checks one. clause is what it stands in, empty for the select list.
func (s *selection) expression(node *tree, clause string) (*Expr, error) {
	check := checker{converter: s.converter, clause: clause}
	if err := check.expression(node, false); err != nil {
		return nil, err
	}
	return &Expr{node, s.sources}, nil
}
