//go:build duckdb_arrow

package postgres

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// prepared is a statement that a client has parsed.
type prepared struct {
	text  string // "" for no statement
	said  string // as the client said it, where text has words of the session in it; "" elsewhere
	oids  []uint32
	shape *engine.Shape // when it was asked for; nil for a statement of the session
}

// portal is a prepared statement with its values.
type portal struct {
	of      *prepared
	text    string // with the values in it
	formats []int16
	run     *running // while there may be more rows, or when it was run to be described
	ended   bool
}

// closePortals ends what does not outlive a transaction.
func (c *conn) closePortals() {
	for name, p := range c.named {
		if !p.held {
			c.closeCursor(name)
		}
	}
	for name := range c.portals {
		c.dropPortal(name)
	}
}

func (c *conn) dropPortal(name string) {
	if p, ok := c.portals[name]; ok {
		p.close()
		delete(c.portals, name)
	}
}

func (p *portal) close() {
	if p.run != nil {
		p.run.close()
		p.run = nil
	}
}

func (c *conn) parse(m *pgproto3.Parse) error {
	statements, err := sqltext.Split(m.Query)
	switch {
	case err != nil:
		return err
	case len(statements) > 1:
		return stateError{"42601", fault.New(fault.Syntax, "cannot insert multiple commands into a prepared statement", "send them one by one")}
	case len(m.Query) > sqltext.TextBytesMax:
		return fault.Newf(fault.TooLarge, "send it in parts", "the statement has more than %d bytes", sqltext.TextBytesMax)
	case m.Name != "" && c.prepared[m.Name] != nil:
		return stateError{"42P05", fault.Newf(fault.Exists, "", "prepared statement %q already exists", m.Name)}
	case len(c.prepared) >= namedMax:
		return errTooMany("prepared statements")
	}
	p := &prepared{oids: append([]uint32(nil), m.ParameterOIDs...)}
	if len(statements) == 1 {
		if err := c.allowed(statements[0].Text); err != nil {
			return err
		}
		p.text = statements[0].Text
		if _, sets := configs(p.text); !sets {
			p.said = p.text
			p.text, err = c.words(p.said)
		}
		if err != nil {
			return err
		}
	}
	c.prepared[m.Name] = p
	c.be.Send(&pgproto3.ParseComplete{})
	return nil
}

// shapeOf asks the Gate once what a statement takes and gives; nil for one of the session.
func (c *conn) shapeOf(p *prepared) (*engine.Shape, error) {
	if p.shape != nil || p.text == "" || ofSession(p.text) {
		return p.shape, nil
	}
	types := make([]string, len(p.oids))
	for i, oid := range p.oids {
		types[i] = typeOf(oid)
	}
	ctx, cancel := c.statement()
	defer cancel()
	shape, err := c.door.o.Gate.Shape(ctx, c.request(p.text), types)
	if err != nil {
		return nil, err
	}
	unmarked(&shape)
	tellIntrospected(p.text, &shape)
	p.oids = append(p.oids, make([]uint32, max(0, len(shape.Parameters)-len(p.oids)))...)
	tellOIDLists(p.text, p.oids)
	for i, name := range shape.Parameters {
		if p.oids[i] == 0 {
			p.oids[i] = kindOf(name).oid
		}
	}
	p.shape = &shape
	return p.shape, nil
}

func (c *conn) bind(m *pgproto3.Bind) error {
	p, ok := c.prepared[m.PreparedStatement]
	if !ok {
		return stateError{"26000", fault.Newf(fault.NotFound, "", "prepared statement %q does not exist", m.PreparedStatement)}
	}
	if m.DestinationPortal != "" && c.portals[m.DestinationPortal] != nil {
		return stateError{"42P03", fault.Newf(fault.Exists, "", "cursor %q already exists", m.DestinationPortal)}
	}
	if len(c.portals) >= namedMax {
		return errTooMany("portals")
	}
	if p.said != p.text && p.said != "" { // settings and what the session says of itself may be other ones by now
		var err error
		if p.text, err = c.words(p.said); err != nil {
			return err
		}
	}
	text := p.text
	if len(m.Parameters) > 0 {
		shape, err := c.shapeOf(p)
		if err != nil {
			return err
		}
		if shape == nil || len(m.Parameters) != len(shape.Parameters) {
			return stateError{"08P01", fault.Newf(fault.Invalid, "", "bind message supplies %d parameters, but prepared statement %q requires %d", len(m.Parameters), m.PreparedStatement, len(p.oids))}
		}
		values := make([]*string, len(m.Parameters))
		for i, raw := range m.Parameters {
			if raw == nil {
				continue
			}
			value, err := c.valueOf(p.oids[i], formatOf(m.ParameterFormatCodes, i), raw)
			if err != nil {
				return stateError{"22P02", fault.Newf(fault.Invalid, "", "the value of parameter $%d is none of its type: %v", i+1, err)}
			}
			values[i] = &value
		}
		if text, err = engine.Arguments(p.text, shape.Parameters, values); err != nil {
			return err
		}
	} else if n, err := sqltext.Parameters(text); err != nil || n > 0 {
		return stateError{"08P01", fault.Newf(fault.Invalid, "", "bind message supplies 0 parameters, but prepared statement %q requires %d", m.PreparedStatement, n)}
	}
	c.dropPortal(m.DestinationPortal)
	c.portals[m.DestinationPortal] = &portal{of: p, text: text, formats: append([]int16(nil), m.ResultFormatCodes...)}
	c.be.Send(&pgproto3.BindComplete{})
	return nil
}

func (c *conn) describe(m *pgproto3.Describe) error {
	if m.ObjectType == 'P' {
		if cursor, ok := c.named[m.Name]; ok {
			return cursor.describe(c, nil)
		}
		p, ok := c.portals[m.Name]
		if !ok {
			return stateError{"34000", fault.Newf(fault.NotFound, "", "portal %q does not exist", m.Name)}
		}
		return c.describeRows(p.of, p.formats)
	}
	p, ok := c.prepared[m.Name]
	if !ok {
		return stateError{"26000", fault.Newf(fault.NotFound, "", "prepared statement %q does not exist", m.Name)}
	}
	if _, err := c.shapeOf(p); err != nil {
		return err
	}
	c.be.Send(&pgproto3.ParameterDescription{ParameterOIDs: p.oids})
	return c.describeRows(p, nil)
}

func (c *conn) describeRows(p *prepared, formats []int16) error {
	shape, err := c.shapeOf(p)
	if err != nil {
		return err
	}
	if shape == nil || shape.Verb != "" && len(shape.Columns) == 0 {
		return c.describeCommand(p, formats)
	}
	var names []string
	var of []kind
	for _, column := range shape.Columns {
		names, of = append(names, column.Name), append(of, kindOf(column.Type))
	}
	c.be.Send(rowDescription(names, of, formats))
	return nil
}

// describeCommand runs what only shows something, for its columns; what changes something has none.
func (c *conn) describeCommand(p *prepared, formats []int16) error {
	if done, err := c.describeFetch(p.text, formats); done {
		return err
	}
	if all, ok := configs(p.text); ok {
		names := make([]string, len(all))
		for i, of := range all {
			names[i] = of.as
		}
		c.be.Send(rowDescription(names, slices.Repeat([]kind{textKind}, len(names)), formats))
		return nil
	}
	verbs := sqltext.Verbs(p.text, 1)
	if len(verbs) == 0 || !showing[verbs[0]] {
		c.be.Send(&pgproto3.NoData{})
		return nil
	}
	own, err := c.session(p.text)
	if err != nil {
		return err
	}
	if own != nil {
		c.be.Send(rowDescription(own.names, []kind{textKind}, formats))
		return nil
	}
	run, err := c.run(p.text, nil)
	if err != nil {
		return err
	}
	defer run.close()
	c.be.Send(run.description(formats))
	return nil
}

// showing are the verbs of statements that change nothing, and whose columns only their answer tells.
var showing = map[string]bool{"SHOW": true, "DESCRIBE": true, "DESC": true, "EXPLAIN": true}

// ofSession tells whether a statement is answered by the session.
func ofSession(text string) bool {
	verbs := sqltext.Verbs(text, 2)
	_, sets := configs(text)
	return sets || len(verbs) > 0 && sessionVerbs[verbs[0]] || ofIndex(verbs)
}

var sessionVerbs = map[string]bool{
	"BEGIN": true, "START": true, "COMMIT": true, "END": true, "ROLLBACK": true, "ABORT": true, "SAVEPOINT": true, "RELEASE": true, "SET": true, "RESET": true,
	"DISCARD": true, "DEALLOCATE": true, "LISTEN": true, "UNLISTEN": true, "NOTIFY": true, "DECLARE": true, "FETCH": true, "MOVE": true, "CLOSE": true, "COPY": true,
}

// execute runs a portal, or goes on with it, and returns its statement for the place of an error.
func (c *conn) execute(m *pgproto3.Execute) (text string, err error) {
	p, ok := c.portals[m.Portal]
	if !ok {
		return "", stateError{"34000", fault.Newf(fault.NotFound, "", "portal %q does not exist", m.Portal)}
	}
	if p.text == "" {
		c.be.Send(&pgproto3.EmptyQueryResponse{})
		return "", nil
	}
	c.does(p.text)
	if err := c.allowed(p.text); err != nil {
		return p.text, err
	}
	if p.ended {
		c.be.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")})
		return p.text, nil
	}
	if p.run == nil {
		own, err := c.session(p.text)
		if err != nil {
			return p.text, err
		}
		if own != nil {
			if own.names != nil {
				c.be.Send(own.values())
			}
			p.ended = true
			c.be.Send(&pgproto3.CommandComplete{CommandTag: []byte(own.tag)})
			return p.text, nil
		}
		if done, err := c.cursors(p.text, p.formats, false); done {
			return p.text, err
		}
		if done, err := c.copyIn(p.text); done {
			return p.text, err
		}
		if done, err := c.copyOut(p.text); done {
			return p.text, err
		}
		if p.run, err = c.run(p.text, p.of.shape); err != nil {
			if state, ok := errors.AsType[stateError](err); ok && state.state == "0A000" {
				p.of.shape = nil
			}
			return p.text, err
		}
	}
	more, err := c.send(p.run, p.formats, int64(m.MaxRows))
	switch {
	case err != nil:
		p.close()
		return p.text, err
	case more:
		c.be.Send(&pgproto3.PortalSuspended{})
		return p.text, nil
	}
	c.be.Send(p.run.complete())
	p.close()
	p.ended = true
	return p.text, nil
}

func (c *conn) closeNamed(m *pgproto3.Close) {
	if m.ObjectType == 'P' {
		c.closeCursor(m.Name)
		c.dropPortal(m.Name)
		return
	}
	delete(c.prepared, m.Name)
}

// valueOf is a parameter's value as DuckDB reads it from a text.
func (c *conn) valueOf(oid uint32, format int16, raw []byte) (string, error) {
	if c.types == nil {
		c.types = pgtype.NewMap()
	}
	t, known := c.types.TypeForOID(oid)
	if !known || format == 0 && oid != pgtype.ByteaOID && !isArray(oid) || format == 1 && (oid == pgtype.TextOID || oid == pgtype.VarcharOID) {
		return string(raw), nil
	}
	if format == 1 && oid == pgtype.JSONOID {
		return string(raw), nil
	}
	if format == 1 && oid == pgtype.JSONBOID {
		if len(raw) == 0 || raw[0] != jsonbVersion {
			return "", fault.New(fault.Invalid, "it begins with another byte than 1", "send the text behind that byte")
		}
		return string(raw[1:]), nil
	}
	return rendered(c.types, t, format, raw)
}
