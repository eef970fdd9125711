//go:build duckdb_arrow

package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/stream/operator"
)

// The bounds of a plan.
const (
	operatorsMax = 32
	columnsMax   = 1000
)

// Request is a pipeline's body with what its statement says around it.
type Request struct {
	Body    string
	Columns []string // names given to the output; nil for those of the body
	Key     []string // KEY (…); nil for what the plan finds
	// OnClose makes windows emit once, when they close. Otherwise they emit each change.
	OnClose bool
	// MustClose refuses a body that has nothing to close: EMIT ON WINDOW CLOSE was written.
	MustClose bool
}

// Resolve finds what a name in a FROM means; a fault where it means nothing.
type Resolve func(ctx context.Context, t sqltext.Table) (*Source, error)

// Planner makes plans. Safe for concurrent use.
type Planner struct {
	parser   *sqltext.Parser
	instance *duck.Instance
}

// binderMemoryBytes is what DuckDB may take to find the types of a statement: it reads no rows.
const binderMemoryBytes = 64 << 20

// New starts a planner; close it.
func New(ctx context.Context) (*Planner, error) {
	parser, err := sqltext.NewParser(ctx)
	if err != nil {
		return nil, err
	}
	in, err := duck.Open(ctx, duck.Options{MemoryBytes: binderMemoryBytes, Threads: 1, Sandbox: true})
	if err != nil {
		_ = parser.Close()
		return nil, err
	}
	return &Planner{parser, in}, nil
}

// Close ends the planner.
func (p *Planner) Close() error {
	err := p.instance.Close()
	if e := p.parser.Close(); err == nil {
		err = e
	}
	return err
}

// Plan plans one body. Faults have places in it.
func (p *Planner) Plan(ctx context.Context, r Request, resolve Resolve) (*Plan, error) {
	q, err := p.parser.Query(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	conn, err := p.instance.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	c := &compiler{ctx: ctx, parser: p.parser, conn: conn, request: r, resolve: resolve, plan: &Plan{}, used: map[string]bool{}}
	defer c.drop()
	c.needs(q)
	if err := c.starred(q); err != nil {
		return nil, err
	}
	if err := c.bind(); err != nil {
		return nil, err
	}
	rel, err := c.query(q)
	if err != nil {
		return nil, err
	}
	if err := c.output(q, rel); err != nil {
		return nil, err
	}
	c.plan.Hash = c.plan.hash()
	return c.plan, nil
}

// compiler makes one plan.
type compiler struct {
	ctx     context.Context //nolint:containedctx // of the one call that makes it
	parser  *sqltext.Parser
	conn    *duck.Conn
	request Request
	resolve Resolve
	plan    *Plan

	used    map[string]bool // names of columns that the body has anywhere, in lower case
	all     bool            // it has a star
	windows bool            // it has TUMBLE or HOP
	temp    []string        // tables made for the binder
	aliases int
}

func (c *compiler) refuse(offset int, hint, format string, args ...any) error {
	f := fault.Newf(fault.Invalid, hint, format, args...)
	if offset < 0 {
		return f
	}
	return sqltext.At(f, c.request.Body, offset)
}

// needs notes the columns that the body names, and whether it has windows.
func (c *compiler) needs(q *sqltext.Query) {
	for _, part := range q.Union {
		c.needs(part)
	}
	expr := func(e *sqltext.Expr) {
		if e == nil {
			return
		}
		for _, ref := range e.Columns() {
			c.used[strings.ToLower(ref.Name)] = true
			c.used[strings.ToLower(ref.Qualifier)] = true
		}
	}
	for _, item := range q.Items {
		c.all = c.all || item.Star
		expr(item.Expr)
	}
	for _, e := range slices.Concat(q.Group, []*sqltext.Expr{q.Where, q.Having}) {
		expr(e)
	}
	var from func(f *sqltext.From)
	from = func(f *sqltext.From) {
		if f != nil && len(f.Columns) > 0 {
			c.all = true // names go by the place of the columns
		}
		switch {
		case f == nil:
		case f.Sub != nil:
			c.needs(f.Sub)
		case f.Window != nil:
			c.windows = true
			c.used[strings.ToLower(f.Window.Column)] = true
			from(f.Window.Of)
		case f.Join != nil:
			expr(f.Join.On)
			for _, name := range f.Join.Using {
				c.used[strings.ToLower(name)] = true
			}
			from(f.Join.Left)
			from(f.Join.Right)
		}
	}
	from(q.From)
}

// drop takes the binder's tables away.
func (c *compiler) drop() {
	for _, name := range c.temp {
		_ = c.conn.Exec(context.WithoutCancel(c.ctx), "DROP TABLE IF EXISTS "+duck.Ident(name))
	}
}

// know makes an empty table for the binder, by which later texts find its columns.
func (c *compiler) know(name, query string) error {
	c.temp = append(c.temp, name)
	return c.conn.Exec(c.ctx, "CREATE TEMP TABLE "+duck.Ident(name)+" AS SELECT * FROM ("+query+") LIMIT 0")
}

// typed is a column of a text with its type in DuckDB's words.
type typed struct{ name, typ string }

// describe tells the columns of a query.
func (c *compiler) describe(query string) ([]typed, error) {
	rows, err := c.conn.QueryContext(c.ctx, "SELECT column_name, column_type FROM (DESCRIBE "+query+")")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []typed
	for rows.Next() {
		var t typed
		if err := rows.Scan(&t.name, &t.typ); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// query compiles a query node.
func (c *compiler) query(q *sqltext.Query) (*relation, error) {
	if len(q.Union) > 0 {
		return c.union(q)
	}
	if q.Distinct {
		return nil, c.refuse(q.Offset, "write the columns and GROUP BY ALL", "SELECT DISTINCT cannot be used in a pipeline")
	}
	from, alias, err := c.from(q.From, q)
	if err != nil {
		return nil, err
	}
	for _, name := range q.Aliases {
		if column, ok := from.column(name.Name); ok {
			return nil, c.refuse(name.Offset, "call the output something else", "%s is a column of the FROM and a name of the output", column)
		}
	}
	for _, item := range q.Items {
		if item.Expr != nil && len(item.Expr.Calls()) > 0 || len(q.Group) > 0 || q.Having != nil {
			return c.aggregate(q, from, alias)
		}
	}
	return c.project(q, from, alias)
}

// from compiles what a SELECT reads; the text behind the FROM is "(…) alias".
func (c *compiler) from(f *sqltext.From, q *sqltext.Query) (*relation, string, error) {
	if f == nil {
		return nil, "", c.refuse(q.Offset, "read a source or a mirror: FROM …", "a pipeline reads something: FROM is missing")
	}
	var r *relation
	var err error
	alias := f.Alias
	switch {
	case f.Table != nil:
		r, err = c.scan(f)
		if alias == "" {
			alias = f.Table.Name
		}
	case f.Sub != nil:
		r, err = c.query(f.Sub)
	case f.Window != nil:
		r, err = c.windowed(f, q)
		if of := f.Window.Of; alias == "" && of != nil && of.Table != nil {
			alias = of.Table.Name
		}
	case f.Join != nil:
		err = c.refuse(f.Offset, "aggregate each side in a pipeline of its own, and join their tables in a query", "joins cannot be used in a pipeline yet")
	default:
		err = c.refuse(f.Offset, "read a source or a mirror", "this cannot be read in a pipeline")
	}
	if err != nil {
		return nil, "", err
	}
	if alias == "" {
		c.aliases++
		alias = fmt.Sprintf("_q%d", c.aliases)
	}
	for _, name := range f.Columns {
		if Reserved(name) {
			return nil, "", c.refuse(f.Offset, "give it another name", reservedText, name)
		}
	}
	if len(f.Columns) > 0 {
		r = r.renamed(f.Columns)
	}
	return r, alias, nil
}

// renamed gives the first visible columns other names.
func (r *relation) renamed(names []string) *relation {
	out := *r
	out.columns, out.panes = slices.Clone(r.columns), ""
	items := make([]string, 0, len(r.columns))
	swap := map[string]string{}
	for i, name := range r.columns {
		if i < len(names) {
			out.columns[i] = names[i]
			swap[name] = names[i]
		}
		items = append(items, duck.Ident(name)+" AS "+duck.Ident(out.columns[i]))
	}
	out.text = "SELECT " + strings.Join(append(items, duck.Idents(r.carried())...), ", ") + " FROM (" + r.text + ")"
	rename := func(name string) string {
		if other, ok := swap[name]; ok {
			return other
		}
		return name
	}
	out.time = rename(r.time)
	if r.window != nil {
		w := *r.window
		w.begin, w.end = rename(w.begin), rename(w.end)
		out.window = &w
	}
	out.key = nil
	for _, k := range r.key {
		out.key = append(out.key, rename(k))
	}
	return &out
}

// union compiles UNION ALL.
func (c *compiler) union(q *sqltext.Query) (*relation, error) {
	sides := make([]*relation, len(q.Union))
	changes := false
	for i, part := range q.Union {
		r, err := c.query(part)
		if err != nil {
			return nil, err
		}
		if len(r.columns) != len(first(sides, r).columns) {
			return nil, c.refuse(part.Offset, "let every side have as many", "the sides of UNION ALL have %d and %d columns", len(sides[0].columns), len(r.columns))
		}
		sides[i], changes = r, changes || r.changes
	}
	out := &relation{columns: sides[0].columns, changes: changes, hidden: true, whole: true, final: true, time: sides[0].time, window: sides[0].window}
	for _, r := range sides {
		out.hidden, out.whole, out.final = out.hidden && r.hidden, out.whole && r.whole, out.final && r.final
		out.reads = union(out.reads, r.reads)
		if place(r, r.time) != place(sides[0], sides[0].time) {
			out.time = ""
		}
		if r.window == nil || out.window == nil || place(r, r.window.begin) != place(sides[0], sides[0].window.begin) ||
			place(r, r.window.end) != place(sides[0], sides[0].window.end) || r.window.size != sides[0].window.size || r.window.slide != sides[0].window.slide || r.window.shift != sides[0].window.shift {
			out.window = nil
		}
	}
	texts := make([]string, len(sides))
	for i, r := range sides {
		items := duck.Idents(r.columns)
		if changes {
			weight := duck.Ident(operator.Weight)
			if !r.changes {
				weight = "1::TINYINT AS " + weight
			}
			items = append(items, weight)
		}
		if out.hidden {
			items = append(items, duck.Idents(hiddenColumns)...)
		}
		texts[i] = "(SELECT " + strings.Join(items, ", ") + " FROM (" + r.text + "))"
	}
	out.text = strings.Join(texts, " UNION ALL ")
	out.whole = out.whole && out.window != nil
	return out, nil
}

func first(sides []*relation, r *relation) *relation {
	if sides[0] != nil {
		return sides[0]
	}
	return r
}

// place is where a relation has a column, -1 for none.
func place(r *relation, column string) int { return slices.Index(r.columns, column) }

// layout counts the ways in which states were kept. Whoever changes what an operator's tables hold,
// or mean, raises it: states of before are made again from the log then.
const layout = 1

// hash tells plans apart that cannot go on with each other's state. The texts of the operators are not in
// it: another version of Tarn may write them otherwise, and mean the same.
func (p *Plan) hash() string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d\n", layout)
	for _, s := range p.Scans {
		_, _ = fmt.Fprintf(h, "%s %s %v %v %s %s\n", s.Relation, s.Source.Name, s.Columns, s.Source.Key, s.Source.Time, s.Source.Delay)
	}
	for _, o := range p.Operators {
		_, _ = fmt.Fprintf(h, "%s %s %s\n", o.Relation(), o.Reads(), o)
	}
	_, _ = fmt.Fprintf(h, "%v %v %v\n", p.Columns, p.Append, p.Key)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
