//go:build duckdb_arrow

package postgres

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
	"tarn/sql/postgres/catalog"
)

// activity is what a connection does.
type activity struct {
	application, query, state string
	transaction               time.Time // when it began; zero without one
	statement                 time.Time
	change                    time.Time // of state
}

// does notes the statement that begins.
func (c *conn) does(text string) {
	now := time.Now()
	application, _ := c.settings.get("application_name")
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.activity
	a.application, a.query, a.state, a.statement, a.change = application, engine.Kept(text), "active", now, now
	if a.transaction.IsZero() {
		a.transaction = now
	}
}

// rests notes that the next statement may come.
func (c *conn) rests() {
	application, _ := c.settings.get("application_name")
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.activity
	a.application, a.change = application, time.Now()
	switch c.state {
	case within:
		a.state = "idle in transaction"
	case failed:
		a.state = "idle in transaction (aborted)"
	default:
		a.state, a.transaction = "idle", time.Time{}
	}
}

// backends are the connections, as their principal sees them: what those of others do is for who may end it.
func (c *conn) backends() (out []catalog.Backend) {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	for pid, of := range c.door.conns {
		of.mu.Lock()
		a := of.activity
		of.mu.Unlock()
		out = append(out, catalog.Backend{
			PID: pid, User: of.who.User, Shown: c.door.o.Gate.MayCancel(c.who, of.who), Client: of.net.RemoteAddr(), Began: of.began,
			Application: a.application, Query: a.query, State: a.state, Transaction: a.transaction, Statement: a.statement, Change: a.change,
		})
	}
	return out
}

// errTerminated is the last that a client hears that pg_terminate_backend has ended.
var errTerminated = stateError{"57P01", fault.New(fault.Canceled, "terminating connection due to administrator command", "")}

// terminate has the connection end: what it runs at once, and then itself.
func (c *conn) terminate() {
	c.terminated.Store(true)
	c.interrupt()
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // wakes what waits for the client
}

// signal is one of PostgreSQL's functions that signal connections: a column of a SELECT. The Gate knows nothing of it: it is asked for
// the arguments, under a name that the door knows again.
type signal struct {
	name, mark, usage string
	takes             int                                           // arguments
	arguments         func(texts []string) string                   // as one value
	asked             func(arrow.DataType) bool                     // whether that has this type: a client can call another column so, too
	answers           string                                        // its column's type in DuckDB's words
	field             arrow.DataType                                // the same
	does              func(*conn, arrow.Array) (arrow.Array, error) // of each row
}

var signals = []signal{
	onBackend("pg_cancel_backend", "tarn cancels: ", "cancel query", (*conn).interrupt),
	onBackend("pg_terminate_backend", "tarn terminates: ", "terminate process", (*conn).terminate),
	{
		name: "pg_notify", mark: "tarn notifies: ", usage: "SELECT pg_notify('channel', 'text')", takes: 2,
		arguments: func(texts []string) string {
			return "{'channel': CAST((" + texts[0] + ") AS VARCHAR), 'payload': CAST((" + texts[1] + ") AS VARCHAR)}"
		},
		asked: isCall, answers: "VARCHAR", field: arrow.BinaryTypes.String, does: (*conn).notify,
	},
}

// onBackend is a signal to the connection of a process id.
func onBackend(name, mark, what string, end func(*conn)) signal {
	return signal{
		name: name, mark: mark, usage: "SELECT " + name + "(pid) FROM pg_stat_activity WHERE …", takes: 1,
		arguments: func(texts []string) string { return "CAST((" + texts[0] + ") AS BIGINT)" },
		asked:     func(t arrow.DataType) bool { return t.ID() == arrow.INT64 },
		answers:   "BOOLEAN", field: arrow.FixedWidthTypes.Boolean,
		does: func(c *conn, pids arrow.Array) (arrow.Array, error) { return c.signals(what, end, pids) },
	}
}

// marked is a statement in which each column that signals stands as its argument.
func marked(text string) (string, error) {
	lower := strings.ToLower(text)
	if !slices.ContainsFunc(signals, func(s signal) bool { return strings.Contains(lower, s.name) }) {
		return text, nil
	}
	tokens, err := sqltext.Lex(text)
	if err != nil || len(tokens) == 0 || !tokens[0].Is("SELECT") && !tokens[0].Is("WITH") {
		return text, err
	}
	var b strings.Builder
	from, depth, listed, selects := 0, 0, false, 0
	for i, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth == 0 && t.Is("SELECT"):
			selects++
			listed = selects == 1
		case depth == 0 && t.Is("FROM"):
			listed = false
		}
		of, ok := signalOf(tokens, i)
		if !ok {
			continue
		}
		call, ok := readCall(text, tokens, i)
		if !ok || len(call.arguments) != of.takes || depth > 0 || !listed || setWords(tokens) {
			return "", sqltext.At(stateless(of), text, t.Offset)
		}
		b.WriteString(text[from:tokens[call.first].Offset])
		b.WriteString(of.arguments(call.arguments) + " AS " + duck.Ident(of.mark+call.name(of.name)))
		from = tokens[call.last].Offset + len(tokens[call.last].Text)
	}
	b.WriteString(text[from:])
	return b.String(), nil
}

func stateless(s signal) *fault.Error {
	return fault.Newf(fault.Invalid, s.usage, "%s is a column of a SELECT by itself, and stands nowhere else", s.name)
}

func signalOf(tokens []sqltext.Token, at int) (signal, bool) {
	for _, s := range signals {
		if tokens[at].Kind == sqltext.Word && tokens[at].Is(s.name) && at+1 < len(tokens) && tokens[at+1].Is("(") {
			return s, true
		}
	}
	return signal{}, false
}

// setWords tells whether rows of a SELECT are put together with others: a column is not its argument then.
func setWords(tokens []sqltext.Token) bool {
	depth := 0
	for _, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth == 0 && (t.Is("UNION") || t.Is("INTERSECT") || t.Is("EXCEPT") || t.Is("DISTINCT") || t.Is("GROUP") || t.Is("HAVING")):
			return true
		}
	}
	return false
}

// call is [pg_catalog .] name ( argument [, …] ) [[AS] alias]: the places of its tokens.
type call struct {
	first, last int
	arguments   []string // their texts
	alias       string
}

func (c call) name(of string) string {
	if c.alias != "" {
		return c.alias
	}
	return of
}

// readCall reads a call that is a column by itself; false where it is part of an expression, or has no arguments.
func readCall(text string, tokens []sqltext.Token, at int) (c call, ok bool) {
	c.first = at
	if at > 2 && tokens[at-1].Is(".") && tokens[at-2].Is("pg_catalog") {
		c.first -= 2
	}
	if before := tokens[c.first-1]; !before.Is("SELECT") && !before.Is(",") && !before.Is("ALL") {
		return c, false
	}
	closing, depth, from := at+1, 0, tokens[at+1].Offset+1
	for ; closing < len(tokens); closing++ {
		t := tokens[closing]
		if t.Is("(") {
			depth++
		} else if t.Is(")") {
			depth--
		}
		if depth == 0 || t.Is(",") && depth == 1 {
			c.arguments = append(c.arguments, text[from:t.Offset])
			from = t.Offset + 1
		}
		if depth == 0 {
			break
		}
	}
	if closing >= len(tokens) || closing == at+2 {
		return c, false
	}
	c.last = closing
	next := func() sqltext.Token {
		if c.last+1 < len(tokens) {
			return tokens[c.last+1]
		}
		return sqltext.Token{Kind: sqltext.End}
	}
	as := next().Is("AS")
	if as {
		c.last++
	}
	if t := next(); t.Kind == sqltext.Quoted || t.Kind == sqltext.Word && (as || !clause(t)) {
		c.last++
		c.alias = t.Name()
	}
	t := next()
	return c, t.Kind == sqltext.End || t.Is(",") || t.Is(";") || t.Kind == sqltext.Word && clause(t)
}

// clause tells whether a word begins what may follow the columns of a SELECT.
func clause(t sqltext.Token) bool {
	return t.Is("FROM") || t.Is("WHERE") || t.Is("ORDER") || t.Is("LIMIT") || t.Is("OFFSET") || t.Is("FETCH")
}

// meant is the signal of a column's name, and the name that its client wrote.
func meant(column string) (*signal, string) {
	for i := range signals {
		if name, ok := strings.CutPrefix(column, signals[i].mark); ok {
			return &signals[i], name
		}
	}
	return nil, column
}

// signalling has a result whose columns signal do that as its rows are read.
func (c *conn) signalling(result *engine.Result) {
	fields := append([]arrow.Field(nil), result.Schema.Fields()...)
	columns := map[int]*signal{}
	for i := range fields {
		s, name := meant(fields[i].Name)
		if s != nil && s.asked(fields[i].Type) {
			columns[i], fields[i] = s, arrow.Field{Name: name, Type: s.field, Nullable: true}
		}
	}
	if len(columns) > 0 {
		result.Schema = arrow.NewSchema(fields, nil)
		result.Reader = &signaller{RecordReader: result.Reader, c: c, schema: result.Schema, columns: columns}
	}
}

// isCall tells whether a column has the arguments of pg_notify.
func isCall(t arrow.DataType) bool {
	s, ok := t.(*arrow.StructType)
	return ok && s.NumFields() == 2 && s.Field(0).Type.ID() == arrow.STRING && s.Field(1).Type.ID() == arrow.STRING
}

// unmarked is a shape as its client is told of it.
func unmarked(s *engine.Shape) {
	s.Columns = slices.Clone(s.Columns) // they are the Gate's
	for i := range s.Columns {
		if of, name := meant(s.Columns[i].Name); of != nil {
			s.Columns[i].Name, s.Columns[i].Type = name, of.answers
		}
	}
}

// signaller signals the connections of the process ids that it reads, and gives in their place whether there was one.
type signaller struct {
	array.RecordReader
	c       *conn
	schema  *arrow.Schema
	columns map[int]*signal
	batch   arrow.RecordBatch
	err     error
}

// Next reads a batch, and signals. The batch before is gone.
func (s *signaller) Next() bool {
	s.forget()
	if s.err != nil || !s.RecordReader.Next() {
		return false
	}
	in := s.RecordReader.RecordBatch()
	columns := append([]arrow.Array(nil), in.Columns()...)
	for i, of := range s.columns {
		if columns[i], s.err = of.does(s.c, columns[i]); s.err != nil {
			return false
		}
	}
	s.batch = array.NewRecordBatch(s.schema, columns, in.NumRows())
	return true
}

// forget frees what the batch holds of DuckDB's memory.
func (s *signaller) forget() {
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
}

// RecordBatch is the one that Next has read.
func (s *signaller) RecordBatch() arrow.RecordBatch { return s.batch }

// Err is what ended the rows early.
func (s *signaller) Err() error {
	if s.err != nil {
		return s.err
	}
	return s.RecordReader.Err()
}

// signals signals the connections of a column.
func (c *conn) signals(what string, end func(*conn), column arrow.Array) (arrow.Array, error) {
	pids, _ := column.(*array.Int64)
	b := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer b.Release()
	for row := range pids.Len() {
		if pids.IsNull(row) {
			b.AppendNull()
			continue
		}
		done, err := c.signal(what, end, pids.Value(row))
		if err != nil {
			return nil, err
		}
		b.Append(done)
	}
	return b.NewArray(), nil
}

// signal signals one connection; false where there is none.
func (c *conn) signal(what string, end func(*conn), pid int64) (bool, error) {
	c.door.mu.Lock()
	of := c.door.conns[uint32(pid)] //nolint:gosec // compared below
	c.door.mu.Unlock()
	if of == nil || int64(of.pid) != pid {
		c.warn("01000", "PID "+strconv.FormatInt(pid, 10)+" is not a PostgreSQL backend process", "")
		return false, nil
	}
	if !c.door.o.Gate.MayCancel(c.who, of.who) {
		return false, stateError{"42501", fault.New(fault.Denied, "permission denied to "+what, "only who may alter system.queries ends what another user runs")}
	}
	end(of)
	return true, nil
}
