//go:build duckdb_arrow

package postgres

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// cursor is a portal that SQL has declared. Its formats are those of the FETCH, or binary where it was declared so.
type cursor struct {
	portal
	name   string
	binary bool
	scroll *scroll // nil without SCROLL and WITH HOLD
	hold   bool    // it outlives its transaction
	held   bool    // it has: all its rows are kept
}

// cursors answers DECLARE, FETCH, MOVE and CLOSE; false for other statements. formats are those that the client
// wants of a FETCH in the extended protocol, and simple tells that it wants the names of columns first.
func (c *conn) cursors(text string, formats []int16, simple bool) (bool, error) {
	verbs := sqltext.Verbs(text, 1)
	if len(verbs) == 0 || !slices.Contains([]string{"DECLARE", "FETCH", "MOVE", "CLOSE"}, verbs[0]) {
		return false, nil
	}
	in, err := sqltext.NewReader(text)
	if err != nil {
		return true, err
	}
	in.Next()
	switch verbs[0] {
	case "DECLARE":
		return true, c.declare(in)
	case "CLOSE":
		if in.Take("ALL") {
			c.closeCursors()
			return true, c.tell("CLOSE CURSOR ALL")
		}
		p, err := c.cursorOf(in)
		if err != nil {
			return true, err
		}
		c.closeCursor(p.name)
		return true, c.tell("CLOSE CURSOR")
	}
	p, d, err := c.fetched(in)
	if err != nil {
		return true, err
	}
	if err := p.open(c); err != nil {
		return true, err
	}
	if p.binary {
		formats = []int16{1}
	}
	p.run.silent = verbs[0] == "MOVE"
	if simple && !p.run.silent {
		c.be.Send(p.run.description(formats))
	}
	if p.scroll != nil {
		n, err := p.scrolled(c, d, formats, p.run.silent)
		if err != nil {
			return true, err
		}
		return true, c.tell(verbs[0] + " " + strconv.FormatInt(n, 10))
	}
	before := p.run.sent
	if d.number > 0 {
		if _, err := c.send(p.run, formats, d.number); err != nil {
			return true, err
		}
	}
	return true, c.tell(verbs[0] + " " + strconv.FormatInt(p.run.sent-before, 10))
}

func (c *conn) tell(tag string) error {
	c.be.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}

// declare is DECLARE name [BINARY] [INSENSITIVE] [[NO] SCROLL] CURSOR [{WITH | WITHOUT} HOLD] FOR query.
func (c *conn) declare(in *sqltext.Reader) error {
	parts, err := in.Name()
	if err != nil {
		return err
	}
	p := &cursor{name: parts[len(parts)-1]}
	for !in.Take("CURSOR") {
		switch {
		case in.Take("BINARY"):
			p.binary = true
		case in.Take("INSENSITIVE"), in.Take("ASENSITIVE"), in.Take("NO", "SCROLL"):
		case in.Take("SCROLL"):
			p.scroll = &scroll{}
		default:
			return in.Fault("CURSOR")
		}
	}
	if p.hold = in.Take("WITH", "HOLD"); p.hold && p.scroll == nil {
		p.scroll = &scroll{}
	}
	in.Take("WITHOUT", "HOLD")
	if !in.Take("FOR") {
		return in.Fault("FOR and a query")
	}
	switch {
	case c.state != within && !p.hold:
		return stateError{"25P01", fault.New(fault.Invalid, "DECLARE CURSOR can only be used in transaction blocks", "send BEGIN first")}
	case c.named[p.name] != nil:
		return stateError{"42P03", fault.Newf(fault.Exists, "", "cursor %q already exists", p.name)}
	case len(c.named) >= namedMax:
		return errTooMany("cursors")
	}
	p.of = &prepared{}
	if p.of.text, err = c.words(in.Rest()); err != nil {
		return err
	}
	if err := p.open(c); err != nil { // its snapshot is that of now
		return err
	}
	c.named[p.name] = p
	return c.tell("DECLARE CURSOR")
}

func (p *cursor) open(c *conn) (err error) {
	if p.run == nil {
		p.run, err = c.run(p.of.text, nil)
	}
	return err
}

// keepHeld reads the rows of cursors that outlive the transaction, which commits.
func (c *conn) keepHeld() error {
	for name, p := range c.named {
		if !p.hold || p.held {
			continue
		}
		if err := p.reach(c, math.MaxInt64); err != nil {
			c.closeCursor(name)
			return err
		}
		p.held = true
	}
	return nil
}

func (c *conn) closeCursor(name string) {
	if p, ok := c.named[name]; ok {
		p.close()
		p.drop(c)
		delete(c.named, name)
	}
}

// closeCursors closes all, also those that are held.
func (c *conn) closeCursors() {
	for name := range c.named {
		c.closeCursor(name)
	}
}

func (c *conn) cursorOf(in *sqltext.Reader) (*cursor, error) {
	parts, err := in.Name()
	if err != nil {
		return nil, err
	}
	name := parts[len(parts)-1]
	p, ok := c.named[name]
	if !ok {
		return nil, stateError{"34000", fault.Newf(fault.NotFound, "", "cursor %q does not exist", name)}
	}
	return p, in.Done()
}

// fetched reads [direction] [FROM | IN] name.
func (c *conn) fetched(in *sqltext.Reader) (p *cursor, d direction, err error) {
	if d, err = readDirection(in); err != nil {
		return nil, d, err
	}
	if !in.Take("FROM") {
		in.Take("IN")
	}
	if p, err = c.cursorOf(in); err != nil {
		return nil, d, err
	}
	if p.scroll == nil && (d.absolute || d.relative || d.number < 0) {
		return nil, d, stateError{"55000", fault.New(fault.Invalid, "cursor can only scan forward", "Declare it with SCROLL option to enable backward scan.")}
	}
	return p, d, nil
}

// describeFetch tells a client in the extended protocol of the columns that a FETCH will give; false for others.
func (c *conn) describeFetch(text string, formats []int16) (bool, error) {
	verbs := sqltext.Verbs(text, 1)
	if len(verbs) == 0 || verbs[0] != "FETCH" {
		return false, nil
	}
	in, err := sqltext.NewReader(text)
	if err != nil {
		return true, err
	}
	in.Next()
	p, _, err := c.fetched(in)
	if err != nil {
		return true, err
	}
	return true, p.describe(c, formats)
}

func (p *cursor) describe(c *conn, formats []int16) error {
	if err := p.open(c); err != nil {
		return err
	}
	if p.binary {
		formats = []int16{1}
	}
	c.be.Send(p.run.description(formats))
	return nil
}

// copyOut answers COPY { table | (query) } TO STDOUT; false for other statements.
func (c *conn) copyOut(text string) (bool, error) {
	verbs := sqltext.Verbs(text, 1)
	if len(verbs) == 0 || verbs[0] != "COPY" {
		return false, nil
	}
	query, form, err := readCopy(text)
	if err != nil {
		return true, err
	}
	statement, err := c.words(query)
	if err != nil {
		return true, err
	}
	var shape *engine.Shape // Arrow has no name for a UUID, whose binary form is another than a text's
	if form.binary {
		if shape, err = c.shapeOf(&prepared{text: statement}); err != nil {
			return true, err
		}
	}
	run, err := c.run(statement, shape)
	if err != nil {
		return true, err
	}
	defer run.close()
	overall := byte(0)
	if form.binary {
		overall = 1
	}
	codes := slices.Repeat([]uint16{uint16(overall)}, len(run.kinds))
	c.be.Send(&pgproto3.CopyOutResponse{OverallFormat: overall, ColumnFormatCodes: codes})
	run.copy = form
	if err := c.write(form.start(run)); err != nil {
		return true, err
	}
	if _, err := c.send(run, nil, 0); err != nil {
		return true, err
	}
	if err := c.write(form.end()); err != nil {
		return true, err
	}
	c.be.Send(&pgproto3.CopyDone{})
	return true, c.tell(fmt.Sprintf("COPY %d", run.sent))
}

// readCopy takes a COPY … TO STDOUT apart.
func readCopy(text string) (query string, form *copyForm, err error) {
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return "", nil, err
	}
	depth, to := 0, -1
	for i, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth == 0 && t.Is("TO") && to < 0:
			to = i
		case depth == 0 && t.Is("FROM") && to < 0:
			return "", nil, stateError{"0A000", fault.New(fault.Invalid, "COPY FROM is not there", "post the rows to /ingest/{topic}, or write them to Kafka")}
		}
	}
	if to < 2 || to+1 >= len(tokens) || !tokens[to+1].Is("STDOUT") {
		return "", nil, fault.New(fault.Denied, "COPY writes to its client alone", "write COPY (query) TO STDOUT")
	}
	query = strings.TrimSpace(text[tokens[1].Offset:tokens[to].Offset])
	if inner, ok := strings.CutPrefix(query, "("); ok {
		query = strings.TrimSuffix(inner, ")")
	} else if name, columns, ok := strings.Cut(query, "("); ok {
		query = "SELECT " + strings.TrimSuffix(strings.TrimSpace(columns), ")") + " FROM " + name
	} else {
		query = "SELECT * FROM " + query
	}
	form, err = readForm(tokens[to+2:])
	return query, form, err
}
