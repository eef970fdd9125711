//go:build duckdb_arrow

package sqltext

import (
	"context"

	"tarn/embedded/fault"
)

// Query reads the body of a pipeline, in Tarn's, Flink's or RisingWave's spelling. Places of
// faults are those in body. It refuses what the walk refuses, what is no function of its
// arguments, and every form that a Query has no word for.
func (p *Parser) Query(ctx context.Context, body string) (*Query, error) {
	one, err := One(body)
	if err != nil {
		return nil, err
	}
	source := body[:one.Offset+len(one.Text)]
	tokens, err := Lex(source)
	if err != nil {
		return nil, err
	}
	if outgrows(tokens) {
		return nil, errOutgrows()
	}
	if err := foreign(source, tokens); err != nil {
		return nil, err
	}
	if source, err = spelled(source, tokens); err != nil {
		return nil, err
	}
	root, err := p.parse(ctx, source)
	if err != nil {
		return nil, err
	}
	if err := p.judge(ctx, source, root.clone()); err != nil {
		return nil, err
	}
	root.plainTruths()
	c := &converter{source: source, tokens: tokens}
	q, err := c.query(root.get("node"), nil)
	if err != nil {
		return nil, err
	}
	for _, u := range c.unnamed {
		if u.item.Name, err = p.expression(ctx, u.node); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// judge walks a copy of a body, which the walk changes, with every table let through.
func (p *Parser) judge(ctx context.Context, source string, root *tree) error {
	w := &walker{source: source, prefix: randomPrefix(), placed: map[*tree]*relation{}, keeps: true}
	w.moment = func(at *tree) (Moment, error) {
		return Moment{}, w.refuse(at.get("expr"), fault.Invalid, "leave it out: a pipeline begins with what the table holds", "a pipeline cannot use AT")
	}
	w.parse = func(own string) (*tree, error) { return p.parse(ctx, own) }
	w.resolve = func(Table) (*relation, error) { return &relation{}, nil }
	if err := w.members(root, statementShape, nil); err != nil {
		return err
	}
	_, err := w.weigh(root)
	return err
}

// SQL renders e, with each subexpression whose Key is in swap replaced by that column's name
// (quoted as needed by SQL itself). The text is read again, and must mean what e does.
func (p *Parser) SQL(ctx context.Context, e *Expr, swap map[string]string) (string, error) {
	node := e.swapped(e.node.clone(), swap, nil)
	node.set("alias", text(""))
	out, err := p.expression(ctx, node.appendTo(nil))
	if err != nil {
		return "", err
	}
	if _, ok := p.verified.Load(out); ok {
		return out, nil
	}
	again, err := p.reread(ctx, out)
	if err != nil {
		return "", err
	}
	if again != out {
		return "", fault.Newf(fault.Invalid, "write it in another way", "an expression of the pipeline cannot be taken apart: it reads %q once and %q then", out, again)
	}
	if len(out) <= verifiedBytes && p.verifiedCount.Add(1) <= verifiedMax {
		p.verified.Store(out, nil)
	}
	return out, nil
}

// reread parses the text of an expression as a pipeline's and renders it: it must be one
// item of a SELECT of nothing.
func (p *Parser) reread(ctx context.Context, out string) (string, error) {
	root, err := p.parse(ctx, "SELECT "+out)
	if err != nil {
		return "", err
	}
	node := root.get("node")
	items := node.get("select_list").list()
	if len(items) != 1 || node.get("from_table").get("type").str() != "EMPTY" || items[0].get("alias").str() != "" ||
		!neutralBut(node, "select_list", "from_table", "aggregate_handling") || !neutralBut(root, "node") {
		return "", fault.Newf(fault.Invalid, "write it in another way", "an expression of the pipeline cannot be taken apart: %q", out)
	}
	check := checker{converter: &converter{source: "SELECT " + out}}
	if err := check.expression(items[0], false); err != nil {
		return "", err
	}
	return p.expression(ctx, items[0].appendTo(nil))
}
