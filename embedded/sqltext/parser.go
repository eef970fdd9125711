//go:build duckdb_arrow

package sqltext

import (
	"context"
	"crypto/rand"
	dbsql "database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
)

// The share of a parser: it plans and runs nothing.
const (
	parserMemoryBytes = 64 << 20
	parserConns       = 2
	verifiedBytes     = 200 // of a text in Parser.verified
	verifiedMax       = 2000
	templateBytesMax  = 32 << 20 // of Parser.templates, about
	templateMax       = 8 << 10  // bytes of the text of one of them
	nodeBytes         = 600      // of an object of a tree with its members, about
)

// Parser is DuckDB's parser in an instance of its own, which holds no table and no file and
// runs no statement of a user. Safe for concurrent use.
type Parser struct {
	instance      *duck.Instance
	free          chan *parserConn
	cache         *cache
	verified      sync.Map // texts of expressions that were read again, and meant the same: most are columns, which statements share
	verifiedCount atomic.Int64
	templates     sync.Map // *tree by the texts of dialects that were parsed; never changed
	templateBytes atomic.Int64
	marks         string // begins the marks of values
}

type parserConn struct {
	conn           *duck.Conn
	encode, decode *dbsql.Stmt
}

// NewParser starts a parser; close it.
func NewParser(ctx context.Context) (*Parser, error) {
	in, err := duck.Open(ctx, duck.Options{MemoryBytes: parserMemoryBytes, Threads: 1, Sandbox: true})
	if err != nil {
		return nil, err
	}
	p := &Parser{instance: in, free: make(chan *parserConn, parserConns), cache: newCache(), marks: randomPrefix()}
	for range parserConns {
		c, err := newParserConn(ctx, in)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start the parser: %w", err), p.Close())
		}
		p.free <- c
	}
	return p, nil
}

func newParserConn(ctx context.Context, in *duck.Instance) (c *parserConn, err error) {
	c = &parserConn{}
	if c.conn, err = in.Conn(ctx); err != nil {
		return nil, err
	}
	if c.encode, err = c.conn.PrepareContext(ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR"); err != nil {
		return nil, errors.Join(err, c.conn.Close())
	}
	if c.decode, err = c.conn.PrepareContext(ctx, "SELECT json_deserialize_sql(?::VARCHAR::JSON)"); err != nil {
		return nil, errors.Join(err, c.conn.Close())
	}
	return c, nil
}

// Close ends the parser once nobody uses it.
func (p *Parser) Close() error {
	var errs []error
	for range len(p.free) {
		c := <-p.free
		errs = append(errs, c.encode.Close(), c.decode.Close(), c.conn.Close())
	}
	return errors.Join(append(errs, p.instance.Close())...)
}

// Rewritten is a statement that passed the walk.
type Rewritten struct {
	Text    string
	Outputs []Output    // nil where the walk could not tell the columns
	Kinds   []string    // of the columns that are of the dialect's own types, "" of others; nil for no such one
	Tables  []string    // Relation.Name of each table it reads, each once
	read    []*relation // all that it reads, for Form
}

// Rewrite walks one SELECT, asks resolve for each table it names, in order, and puts what it
// answers in the table's place. The new text is parsed and walked again, as DuckDB will read
// it, so that a slip in printing a statement cannot let a name through. Faults have the code
// Syntax, Denied, Invalid, TooLarge, or what resolve said. With rowsMax above 0 the statement
// answers at most so many rows unless it has a LIMIT of its own.
func (p *Parser) Rewrite(ctx context.Context, source string, rowsMax int64, resolve Resolver) (Rewritten, error) {
	return p.RewriteAs(ctx, nil, source, rowsMax, resolve, nil)
}

// RewriteAs is Rewrite of a statement in a dialect; nil is DuckDB's. types tells what the dialect's Typed go by; with nil no type is known.
func (p *Parser) RewriteAs(ctx context.Context, dialect *Dialect, source string, rowsMax int64, resolve Resolver, types Types) (Rewritten, error) {
	if l, ok := liftValues(source, p.marks); ok {
		key := cacheKey{dialect, l.text, rowsMax}
		known := p.cache.get(key)
		if known == nil || !known.unlike {
			out, err := p.rewrite(ctx, key, known, len(l.values), l.resolved(resolve, p.marks), l.typed(types, p.marks))
			if err == nil && out.Text != "" {
				out.Text = l.put(out.Text, p.marks)
				return out, nil
			}
		}
	}
	key := cacheKey{dialect, source, rowsMax}
	return p.rewrite(ctx, key, p.cache.get(key), 0, resolve, types)
}

// rewrite walks the statement of a key, or makes it of what is known. It has so many marks of values; where these are not
// what the walk may leave open, the answer has no text.
func (p *Parser) rewrite(ctx context.Context, key cacheKey, known *cached, marks int, resolve Resolver, types Types) (Rewritten, error) {
	if known != nil {
		if out, ok := known.again(resolve); ok {
			return out, nil
		}
	}
	asked := probe{numbers: map[string]int{}, seen: &seenTypes{}}
	if types == nil {
		asked.types = []string{}
	}
	parsed, err := p.read(ctx, key.source, key.dialect)
	if err != nil {
		return Rewritten{}, err
	}
	walked, err := p.walk(ctx, key, parsed, resolve, asked)
	told := true
	if len(asked.numbers) > 0 {
		if asked.types, told = p.probed(ctx, walked, err, types); asked.again() {
			asked.asking = true
			if walked, err = p.walk(ctx, key, parsed, resolve, asked); err == nil {
				asked.types, told = p.probed(ctx, walked, err, types)
			}
			asked.asking = false
		}
		walked, err = p.walk(ctx, key, parsed, resolve, asked)
	}
	if err != nil {
		return Rewritten{}, err
	}
	became, w := walked.became, walked.walker
	out := Rewritten{Outputs: w.outputs(walked.root.get("node")), Kinds: w.answers(walked.root.get("node"))}
	if err := p.name(ctx, w.named); err != nil {
		return Rewritten{}, err
	}
	if key.rowsMax > 0 {
		limit(walked.root.get("node"), key.rowsMax)
	}
	if out.Text, err = p.written(ctx, walked); err != nil {
		return Rewritten{}, err
	}
	became.text, became.lower, became.outputs, became.kinds = out.Text, strings.ToLower(w.source), out.Outputs, out.Kinds
	became.unlike = marks > 0 && (w.peeked || !marked(out.Text, p.marks, marks) || namesMark(out.Outputs, p.marks))
	if told { // types that cannot be told now may be another time, and it is another statement then
		p.cache.put(became)
	}
	if became.unlike {
		return Rewritten{}, nil
	}
	out.Text = substitute(out.Text, became.lower, walked.all)
	out.Tables, out.read = names(walked.all), walked.all
	return out, nil
}

// walked is a statement that has been walked.
type walked struct {
	walker *walker
	root   *tree
	all    []*relation
	became *cached
	once   []string // its CTEs that must be computed once
}

// walk walks the statement of a key.
func (p *Parser) walk(ctx context.Context, key cacheKey, parsed parsed, resolve Resolver, asked probe) (*walked, error) {
	w, root := p.walker(ctx, parsed.source, key.dialect), parsed.root.clone()
	out := &walked{walker: w, root: root, became: &cached{key: key}}
	w.probe = asked
	w.resolve = func(t Table) (*relation, error) {
		answer, err := resolve(t)
		if err != nil {
			return nil, err
		}
		r := &relation{answer, fmt.Sprintf("%st%03d", w.prefix, len(out.all))}
		out.all = append(out.all, r)
		out.became.tables = append(out.became.tables, cachedTable{t, r.placeholder, r.Name, r.Form, r.Columns, r.Types, r.Hidden, len(r.Text)})
		return r, nil
	}
	if err := w.members(root, statementShape, nil); err != nil {
		return nil, err
	}
	if err := w.texts(root.get("node")); err != nil {
		return nil, err
	}
	var err error
	out.once, err = w.weigh(root)
	return out, err
}

// written is the text of what was walked, which is parsed and walked once more.
func (p *Parser) written(ctx context.Context, of *walked) (string, error) {
	out, err := p.render(ctx, of.root)
	if err != nil {
		return "", err
	}
	if out, err = materialized(out, of.once); err != nil {
		return "", err
	}
	return out, p.verify(ctx, out, of.all)
}

// Check walks one SELECT as Rewrite does, with every table let through: what it refuses is wrong whatever
// tables there are.
func (p *Parser) Check(ctx context.Context, source string) error {
	parsed, err := p.read(ctx, source, nil)
	if err != nil {
		return err
	}
	w, root := p.walker(ctx, parsed.source, nil), parsed.root
	w.resolve = func(Table) (*relation, error) { return &relation{}, nil }
	if err := w.members(root, statementShape, nil); err != nil {
		return err
	}
	_, err = w.weigh(root)
	return err
}

func (p *Parser) take(ctx context.Context) (*parserConn, error) {
	select {
	case c := <-p.free:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// parse returns {node, named_param_map} of the one SELECT that source must be.
func (p *Parser) parse(ctx context.Context, source string) (*tree, error) {
	c, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	var answer string
	err = c.encode.QueryRowContext(ctx, source).Scan(&answer)
	p.free <- c
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.New(fault.TooLarge, "the statement is too large to be parsed", "split it, or put long lists into a table")
	}
	root, err := readTree(answer)
	if errors.Is(err, errDeep) {
		return nil, ErrDeep()
	}
	if err != nil {
		return nil, fmt.Errorf("read the parser's answer: %w", err)
	}
	if root.get("error").yes() {
		return nil, parseFault(root, source)
	}
	statements := root.get("statements")
	if statements == nil || statements.kind != '[' || len(statements.items) != 1 {
		return nil, fault.New(fault.Syntax, "there is more than one statement", "send them one by one")
	}
	return statements.items[0], nil
}

func parseFault(root *tree, source string) error {
	if root.get("error_type").str() != "parser" {
		verb := strings.Join(Verbs(source, 1), "")
		switch message := root.get("error_message").str(); {
		case verb == "":
			verb = "this"
		case !strings.HasPrefix(message, "Only SELECT"):
			return fault.New(fault.Denied, "a form of the statement cannot be used here: "+strings.ToLower(message), "write it in another way")
		}
		return fault.Newf(fault.Denied, "Tarn answers SELECT, SHOW, DESCRIBE and EXPLAIN, writes by INSERT, UPDATE, DELETE, MERGE, TRUNCATE, CREATE, ALTER and DROP of tables and views, looks after tables by ALTER TABLE … EXECUTE, and has statements of its own: docs/sql.md tells all", "%s is not a statement that can be run here", verb)
	}
	message, _, _ := strings.Cut(root.get("error_message").str(), "Use \"SET")
	if strings.HasPrefix(message, DeepMessage) {
		return ErrDeep()
	}
	f := fault.New(fault.Syntax, strings.TrimSpace(message), "check the statement's form")
	if at, err := strconv.Atoi(root.get("position").str()); err == nil && at <= len(source) {
		f.Hint = syntaxHint(source, at)
		return At(f, source, at)
	}
	return f
}

func (p *Parser) render(ctx context.Context, root *tree) (string, error) {
	return p.renderJSON(ctx, root.appendTo(nil))
}

func (p *Parser) renderJSON(ctx context.Context, statement []byte) (string, error) {
	c, err := p.take(ctx)
	if err != nil {
		return "", err
	}
	var out string
	err = c.decode.QueryRowContext(ctx, `{"error":false,"statements":[`+string(statement)+`]}`).Scan(&out)
	p.free <- c
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		// DuckDB does not read all that it has written: a number beyond DOUBLE, for one.
		return "", fault.New(fault.Invalid, "the statement cannot be taken apart", "write its very large numbers, or what is unusual in it, in another way")
	}
	return out, nil
}

// expression renders one expression as SQL.
func (p *Parser) expression(ctx context.Context, e []byte) (string, error) {
	out, err := p.renderJSON(ctx, []byte(`{"node":{"type":"SELECT_NODE","modifiers":[],"cte_map":{"map":[]},"select_list":[`+string(e)+
		`],"from_table":{"type":"EMPTY","alias":"","sample":null,"query_location":0},"where_clause":null,"group_expressions":[],"group_sets":[],`+
		`"aggregate_handling":"STANDARD_HANDLING","having":null,"sample":null,"qualify":null},"named_param_map":[]}`))
	return strings.TrimPrefix(out, "SELECT "), err
}

// name gives the columns whose text the walk changed the name that DuckDB would have
// given them.
func (p *Parser) name(ctx context.Context, named []naming) error {
	for _, n := range named {
		original, err := p.expression(ctx, n.original)
		if err != nil {
			return err
		}
		n.item.set("alias", text(original))
	}
	return nil
}

// moment reads AT: its expression may hold no column and no table.
func (p *Parser) moment(ctx context.Context, w *walker, at *tree) (Moment, error) {
	e := at.get("expr")
	value := e.get("value").get("value")
	constant := e.get("class").str() == "CONSTANT" && value != nil
	switch unit := at.get("unit").str(); {
	case unit == "VERSION" && constant && value.kind == 's' && whole(e.get("value")):
		if id, err := strconv.ParseInt(value.raw, 10, 64); err == nil && id > 0 {
			return Moment{Version: id}, nil
		}
	case unit == "VERSION" && constant && value.str() != "":
		return Moment{Tag: value.str()}, nil
	case unit == "TIMESTAMP" && e != nil:
		if e.timeless() {
			return Moment{}, w.refuse(e, fault.Invalid, "write a time, such as AT (TIMESTAMP => TIMESTAMP '2026-01-31 12:00:00')", "AT takes no column and no query")
		}
		if err := w.expression(e, nil); err != nil {
			return Moment{}, err
		}
		out, err := p.expression(ctx, e.appendTo(nil))
		return Moment{Time: out}, err
	}
	return Moment{}, w.refuse(e, fault.Invalid, "write AT (VERSION => 123), AT (VERSION => 'tag') or AT (TIMESTAMP => TIMESTAMP '…')", "AT does not name a snapshot")
}

// whole tells whether a constant is an integer: 1.5 is kept as 15 and a scale.
func whole(constant *tree) bool {
	id := constant.get("type").get("id").str()
	return id == "INTEGER" || id == "BIGINT"
}

// timeless tells whether an expression holds what a time may not depend on.
func (t *tree) timeless() bool {
	switch t.get("class").str() {
	case "COLUMN_REF":
		names := t.get("column_names")
		return names == nil || len(names.items) != 1 || !strings.HasPrefix(strings.ToLower(names.items[0].str()), "current_")
	case "SUBQUERY", "STAR", "WINDOW", "LAMBDA":
		return true
	}
	for _, item := range t.items {
		if item.timeless() {
			return true
		}
	}
	return false
}

// verify walks a text as DuckDB will read it: it may name nothing but the placeholders.
func (p *Parser) verify(ctx context.Context, out string, all []*relation) error {
	root, err := p.parse(ctx, out)
	if err != nil {
		return fmt.Errorf("read the rewritten statement: %w", err)
	}
	known := map[string]*relation{}
	for _, r := range all {
		known[r.placeholder] = r
	}
	w := &walker{prefix: "again", placed: map[*tree]*relation{}}
	w.moment = func(*tree) (Moment, error) { return Moment{}, errors.New("the rewritten statement holds AT") }
	w.resolve = func(t Table) (*relation, error) {
		if r := known[t.Name]; r != nil && t.Schema == "" && t.Catalog == "" {
			return r, nil
		}
		return nil, fault.New(fault.Internal, "a name of the statement cannot be told apart", "write it with other names")
	}
	return w.members(root, statementShape, nil)
}

// limit adds LIMIT to a query that has none.
func limit(node *tree, rowsMax int64) {
	all := node.get("modifiers")
	for _, m := range all.items {
		if kind := m.get("type").str(); kind == "LIMIT_MODIFIER" || kind == "LIMIT_PERCENT_MODIFIER" {
			return
		}
	}
	integer := object("id", text("BIGINT"), "type_info", scalar("null"))
	value := object("type", integer, "is_null", scalar("false"), "value", scalar(strconv.FormatInt(rowsMax, 10)))
	constant := object("class", text("CONSTANT"), "type", text("VALUE_CONSTANT"), "alias", text(""), "query_location", scalar("0"), "value", value)
	all.items = append(all.items, object("type", text("LIMIT_MODIFIER"), "limit", constant, "offset", scalar("null")))
}

// substitute puts the relations in place of their names, which nobody could have guessed.
func substitute(out, lowerSource string, all []*relation) string {
	pairs := make([]string, 0, 2*len(all))
	for _, r := range all { // the names have one length, so none is the beginning of another
		text := "(" + r.Text + ")"
		if r.Call != "" && !holdsAny(lowerSource, r.Hidden) {
			text = r.Call
		}
		pairs = append(pairs, r.placeholder, text)
	}
	return strings.NewReplacer(pairs...).Replace(out)
}

// holdsAny looks for words anywhere, also within others; a name written by code points could
// hide one.
func holdsAny(lowerSource string, words []string) bool {
	for _, w := range words {
		if strings.Contains(lowerSource, w) {
			return true
		}
	}
	return strings.Contains(lowerSource, "u&")
}

func names(all []*relation) []string {
	var out []string
	known := map[string]bool{}
	for _, r := range all {
		if r.Name != "" && !known[r.Name] {
			known[r.Name] = true
			out = append(out, r.Name)
		}
	}
	return out
}

func randomPrefix() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return "q" + hex.EncodeToString(b[:]) + "_"
}
