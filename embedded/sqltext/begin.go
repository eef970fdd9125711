//go:build duckdb_arrow

package sqltext

import "context"

// parsed is one SELECT as the parser reads it. Walks change copies of it.
type parsed struct {
	source string // as it is spelled for the parser: places are of it
	root   *tree
}

// read parses one SELECT for walks.
func (p *Parser) read(ctx context.Context, source string, dialect *Dialect) (parsed, error) {
	tokens, err := Lex(source)
	if err != nil {
		return parsed{}, err
	}
	if outgrows(tokens) {
		return parsed{}, errOutgrows()
	}
	if source, err = spelled(source, tokens); err != nil {
		return parsed{}, err
	}
	if dialect != nil && dialect.Spell != nil {
		out := []byte(source + " ") // room for one byte more
		dialect.Spell(out, tokens)
		source = string(out)
	}
	root, err := p.parse(ctx, source)
	return parsed{source, root}, err
}

// walker is one of a statement, which has yet to be told how it resolves names.
func (p *Parser) walker(ctx context.Context, source string, dialect *Dialect) *walker {
	w := &walker{source: source, prefix: randomPrefix(), placed: map[*tree]*relation{}, where: map[*tree][]Condition{}, dialect: dialect, own: map[*tree]bool{}, kinds: newKinds(), marks: p.marks}
	w.moment = func(at *tree) (Moment, error) { return p.moment(ctx, w, at) }
	w.parse = func(own string) (*tree, error) { return p.parseOwn(ctx, own) }
	return w
}

// parseOwn is parse of a text that a dialect writes, which it writes again and again.
func (p *Parser) parseOwn(ctx context.Context, source string) (*tree, error) {
	if known, ok := p.templates.Load(source); ok {
		return known.(*tree).clone(), nil
	}
	root, err := p.parse(ctx, source)
	if err == nil && len(source) <= templateMax {
		bytes := int64(root.nodes()) * nodeBytes
		if p.templateBytes.Add(bytes) > templateBytesMax { // values of statements may stand in them
			p.templates.Clear()
			p.templateBytes.Store(bytes)
		}
		p.templates.Store(source, root.clone())
	}
	return root, err
}
