//go:build duckdb_arrow

package postgres

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5/pgproto3"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/cell"
	"tarn/sql/engine"
)

// changed tells the client of a setting that it knows of.
func (c *conn) changed(name string, err error) error {
	if err != nil {
		return err
	}
	for _, known := range told {
		if strings.EqualFold(known, name) {
			value, _ := c.settings.get(name)
			c.be.Send(&pgproto3.ParameterStatus{Name: known, Value: value})
		}
	}
	return nil
}

// simple answers a text of any number of statements; the first error ends it.
func (c *conn) simple(text string) error {
	c.does(text)
	c.dropPortal("")
	statements, err := sqltext.Split(text)
	if err == nil && len(text) > sqltext.TextBytesMax {
		err = fault.Newf(fault.TooLarge, "send it in parts", "the statement has more than %d bytes", sqltext.TextBytesMax)
	}
	if err == nil && len(statements) == 0 {
		c.be.Send(&pgproto3.EmptyQueryResponse{})
	}
	for _, one := range statements {
		if err != nil {
			break
		}
		err = c.answerSimple(one.Text)
		if writeFailed(err) {
			return err
		}
		if err != nil {
			text = one.Text
		}
	}
	if err != nil {
		c.fail(err, text)
	}
	return c.ready()
}

func (c *conn) answerSimple(text string) error {
	if err := c.allowed(text); err != nil {
		return err
	}
	own, err := c.session(text)
	if err != nil {
		return err
	}
	if own != nil {
		if own.names != nil {
			c.be.Send(rowDescription(own.names, slices.Repeat([]kind{textKind}, len(own.names)), nil))
			c.be.Send(own.values())
		}
		c.be.Send(&pgproto3.CommandComplete{CommandTag: []byte(own.tag)})
		return nil
	}
	if done, err := c.cursors(text, nil, true); done {
		return err
	}
	if done, err := c.copyIn(text); done {
		return err
	}
	if done, err := c.copyOut(text); done {
		return err
	}
	statement, err := c.words(text)
	if err != nil {
		return err
	}
	run, err := c.run(statement, nil)
	if err != nil {
		return err
	}
	defer run.close()
	if run.rows() {
		c.be.Send(run.description(nil))
	}
	if _, err := c.send(run, nil, 0); err != nil {
		return err
	}
	c.be.Send(run.complete())
	return nil
}

// allowed refuses what a transaction in which a statement failed cannot do.
func (c *conn) allowed(text string) error {
	if c.state != failed {
		return nil
	}
	if verbs := sqltext.Verbs(text, 1); len(verbs) == 1 && slices.Contains([]string{"ROLLBACK", "ABORT", "COMMIT", "END"}, verbs[0]) {
		return nil
	}
	return stateError{"25P02", fault.New(fault.Invalid, "current transaction is aborted, commands ignored until end of transaction block", "send ROLLBACK")}
}

// running is a statement whose rows are being sent.
type running struct {
	result *engine.Result
	kinds  []kind
	cancel func()
	batch  arrow.RecordBatch // the one that is being sent; nil before the first and after the last
	next   int               // its next row
	sent   int64
	silent bool      // of MOVE: the rows are passed over
	copy   *copyForm // of COPY
	cell   []byte    // to be used again
	expiry *time.Timer
	closed func() // nil when it is closed
}

// run runs a statement. of is what its client was told of it, which its rows keep to; nil for nothing.
func (c *conn) run(text string, of *engine.Shape) (*running, error) {
	if c.open >= openMax {
		return nil, stateError{"53000", fault.Newf(fault.TooLarge, "read them to their end, or close some", "there are %d cursors and portals with rows left already", openMax)}
	}
	if verbs := sqltext.Verbs(text, 1); len(verbs) == 1 && slices.Contains(changing, verbs[0]) {
		if err := c.mayChange(verbs[0], text); err != nil {
			return nil, err
		}
	}
	ctx, cancel := c.statement()
	request := c.request(text)
	request.UUIDs = of == nil
	told := of != nil && (of.Verb == "" || len(of.Columns) > 0)
	var misfit error
	if told {
		request.Fits = func(schema *arrow.Schema) error {
			_, misfit = keeps(of, schema)
			return misfit
		}
	}
	result, err := c.door.o.Gate.Run(ctx, request)
	if misfit != nil { // which err says in the Gate's words
		err = misfit
	}
	if err != nil {
		cancel()
		return nil, err
	}
	c.signalling(result)
	c.did(result)
	r := &running{result: result, cancel: cancel}
	c.open++
	r.closed = func() { c.open-- }
	// A statement has one of few turns until it is closed, and its client may be in no hurry.
	r.expiry = time.AfterFunc(time.Until(result.Until), func() {
		_ = c.guarded(func() error {
			c.work.Lock()
			defer c.work.Unlock()
			r.close()
			return nil
		})
	})
	if !told {
		r.kinds = kindsOf(result)
	} else if r.kinds, err = keeps(of, result.Schema); err != nil {
		r.close()
		return nil, err
	}
	if zone := c.settings.zone; zone != nil {
		for i, k := range r.kinds {
			r.kinds[i] = k.in(zone)
		}
	}
	return r, nil
}

// kindsOf are the types of an answer of which the client was told nothing.
func kindsOf(result *engine.Result) (kinds []kind) {
	for i, f := range result.Schema.Fields() {
		k := kindOf(cell.TypeName(f))
		if result.Types != nil && (strings.HasPrefix(result.Types[i], "UUID") || strings.HasPrefix(result.Types[i], "JSON")) { // of one, or a list
			k = kindOf(result.Types[i])
		}
		kinds = append(kinds, k)
	}
	return kinds
}

// keeps are the types that the client was told of, for Arrow has no name for some; it is an error when the lake's
// columns have changed since then.
func keeps(told *engine.Shape, schema *arrow.Schema) (kinds []kind, _ error) {
	same := len(told.Columns) == schema.NumFields()
	for i := 0; same && i < len(told.Columns); i++ {
		field := schema.Field(i)
		was, is := kindOf(told.Columns[i].Type), kindOf(cell.TypeName(field))
		same = was.takes(is) || field.Type.ID() == arrow.NULL
		kinds = append(kinds, was)
	}
	if !same {
		return nil, stateError{"0A000", fault.New(fault.Conflict, "cached plan must not change result type", "prepare the statement again: its columns have changed")}
	}
	return kinds, nil
}

// takes tells whether what was told of a column is true of another kind's values, whose type Arrow may have no name for.
func (k kind) takes(is kind) bool {
	if k.item != nil && is.item != nil {
		return k.item.takes(*is.item)
	}
	switch k.oid {
	case is.oid, textKind.oid:
		return true
	case uuidKind.oid, jsonKind.oid, jsonbKind.oid, nameKind.oid, charKind.oid:
		return is.oid == textKind.oid
	case oidKind.oid:
		return is.oid == int8Kind.oid
	}
	return false
}

// close may be called again.
func (r *running) close() {
	if r.closed == nil {
		return
	}
	r.closed()
	r.closed = nil
	r.expiry.Stop()
	if of, ok := r.result.Reader.(*signaller); ok {
		of.forget()
	}
	r.result.Close()
	r.cancel()
}

// rows tells whether the answer is rows: that of a command may be its tag alone.
func (r *running) rows() bool {
	return !r.result.Told()
}

func (r *running) description(formats []int16) *pgproto3.RowDescription {
	var names []string
	for _, f := range r.result.Schema.Fields() {
		names = append(names, f.Name)
	}
	return rowDescription(names, r.kinds, formats)
}

func (r *running) complete() *pgproto3.CommandComplete {
	tag := r.result.Tag
	switch {
	case tag == "SELECT":
		tag += " " + strconv.FormatInt(r.sent, 10)
	case r.result.Changed != nil:
		switch tag {
		case "INSERT":
			tag += " 0"
		case "CREATE TABLE":
			tag = "SELECT"
		}
		tag += " " + strconv.FormatInt(*r.result.Changed, 10)
	case strings.HasPrefix(tag, "SHOW"):
		tag = "SHOW"
	}
	return &pgproto3.CommandComplete{CommandTag: []byte(tag)}
}

func rowDescription(names []string, kinds []kind, formats []int16) *pgproto3.RowDescription {
	out := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(names))}
	for i, name := range names {
		out.Fields[i] = pgproto3.FieldDescription{
			Name: []byte(name), DataTypeOID: kinds[i].oid, DataTypeSize: kinds[i].size, TypeModifier: kinds[i].mod, Format: formatOf(formats, i),
		}
	}
	return out
}

// formatOf is the format of a column: none is text, one is that of all.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return 0
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return 0
}

// send sends up to most rows, all for 0, and tells whether there may be more.
func (c *conn) send(r *running, formats []int16, most int64) (more bool, err error) {
	if r.closed == nil {
		return false, fault.New(fault.Timeout, "the statement was open for longer than it may take", "read its rows sooner, or raise sql.timeout")
	}
	c.interruptible(r.cancel)
	silent := r.silent || !r.rows()
	if !r.rows() {
		most = 0 // of a statement without rows all is told at once, however few its client asks for
	}
	var b []byte
	for n := int64(0); ; n++ {
		if most > 0 && n == most {
			more = true
			break
		}
		if r.batch == nil || r.next >= int(r.batch.NumRows()) {
			if !r.result.Reader.Next() {
				r.batch = nil
				break
			}
			r.batch, r.next = r.result.Reader.RecordBatch(), 0
			if r.batch.NumRows() == 0 {
				n--
				continue
			}
		}
		switch {
		case silent:
		case r.copy != nil:
			b = r.copy.appendRow(b, r)
		default:
			b = r.appendRow(b, formats)
		}
		r.next++
		r.sent++
		if len(b) >= pieceSize {
			if err := c.write(b); err != nil {
				return false, err
			}
			b = b[:0]
		}
	}
	if len(b) > 0 {
		if err := c.write(b); err != nil {
			return false, err
		}
	}
	if !more {
		return false, r.result.Reader.Err()
	}
	return true, nil
}

// write sends rows behind what waits to be sent.
func (c *conn) write(b []byte) error {
	if err := c.be.Flush(); err != nil {
		return writeError{err}
	}
	if _, err := (timed{c.net}).Write(b); err != nil {
		return writeError{err}
	}
	return nil
}

// appendRow writes the next row as a DataRow message.
func (r *running) appendRow(b []byte, formats []int16) []byte {
	start := len(b)
	b = r.appendValues(append(b, 'D', 0, 0, 0, 0), formats)
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-1)) //nolint:gosec // of a row
	return b
}

// appendValues writes the next row's values, each with its length, and their number before them.
func (r *running) appendValues(b []byte, formats []int16) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.kinds))) //nolint:gosec // DuckDB has fewer columns
	for i, column := range r.batch.Columns() {
		if column.IsNull(r.next) {
			b = append(b, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		if formatOf(formats, i) == 1 {
			b = appendBinary(b, &r.kinds[i], column, r.next)
		} else {
			b = appendText(b, &r.kinds[i], column, r.next)
		}
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4)) //nolint:gosec // of a value
	}
	return b
}
