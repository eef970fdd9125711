//go:build duckdb_arrow

package flight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// prepared is a statement that a client has prepared. A row of values is bound to it until another one is.
type prepared struct {
	text     string
	declared engine.Shape // as the statement alone tells

	mu     sync.Mutex
	types  []string // of its parameters, with those of the last values
	schema *arrow.Schema
	bound  string // the text with its values; "" while there are none
}

// CreatePreparedStatement describes a statement and keeps it.
func (s *service) CreatePreparedStatement(ctx context.Context, r flightsql.ActionCreatePreparedStatementRequest) (out flightsql.ActionCreatePreparedStatementResult, err error) {
	if err := refuseTransaction(r.GetTransactionId()); err != nil {
		return out, err
	}
	d, who := s.door, whoOf(ctx)
	text, err := sqltext.Numbered(r.GetQuery())
	if err != nil {
		return out, err
	}
	shape, known, err := d.shape(ctx, text)
	if err != nil {
		return out, err
	}
	p := &prepared{text: text, declared: shape, types: shape.Parameters}
	if known {
		if p.schema, err = d.schemaOf(ctx, shape); err != nil {
			return out, err
		}
	}
	if len(shape.Parameters) == 0 {
		p.bound = text
	}
	if shape.Verb != "" {
		if out.DatasetSchema, err = d.shown(ctx, text, shape.Verb); err != nil {
			return out, err
		}
	} else {
		out.DatasetSchema = p.schema
	}
	if out.ParameterSchema, err = d.parameterSchema(ctx, shape.Parameters); err != nil {
		return out, err
	}
	update := shape.Verb != "" && !showing[shape.Verb]
	out.IsUpdate = &update
	id, err := d.prepared.put(who, p, len(text))
	out.Handle = []byte(id)
	return out, err
}

// shape is what a statement takes and gives. One that makes no sense while nothing is known of its values, as $1 + 1, is not known
// until they are bound: the types of its parameters are "".
func (d *Door) shape(ctx context.Context, text string) (shape engine.Shape, known bool, err error) {
	shape, err = d.o.Gate.Shape(ctx, engine.Request{Text: text, Principal: whoOf(ctx)}, nil)
	if fault.CodeOf(err) == fault.Invalid {
		if n, nErr := sqltext.Parameters(text); nErr == nil && n > 0 {
			return engine.Shape{Parameters: make([]string, n)}, false, nil
		}
	}
	return shape, err == nil, err
}

// shown runs what only shows something, for its columns, without which JDBC's driver takes it for an update; nil for what
// changes something.
func (d *Door) shown(ctx context.Context, text, verb string) (*arrow.Schema, error) {
	if !showing[verb] {
		return arrow.NewSchema(nil, nil), nil
	}
	result, err := d.o.Gate.Run(ctx, engine.Request{Text: text, Principal: whoOf(ctx)})
	if err != nil {
		return nil, err
	}
	defer result.Close()
	return agreed(result, nil, true)
}

func (d *Door) parameterSchema(ctx context.Context, types []string) (*arrow.Schema, error) {
	names, told := make([]string, len(types)), make([]string, len(types))
	for i, t := range types {
		names[i], told[i] = fmt.Sprintf("$%d", i+1), cmp.Or(t, "NULL")
	}
	return d.schema(ctx, names, told)
}

// ClosePreparedStatement forgets a statement.
func (s *service) ClosePreparedStatement(ctx context.Context, r flightsql.ActionClosePreparedStatementRequest) error {
	id := string(r.GetPreparedStatementHandle())
	if _, err := s.door.preparedOf(whoOf(ctx), id); err != nil {
		return err
	}
	s.door.prepared.drop(id)
	return nil
}

func (d *Door) preparedOf(who guard.Principal, id string) (*prepared, error) {
	p, ok := d.prepared.get(who, id, false)
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no such prepared statement", "prepare it again: one is kept for an hour after its last use")
	}
	return p, nil
}

// GetFlightInfoPreparedStatement keeps a statement with its values, to be run when the ticket is read.
func (s *service) GetFlightInfoPreparedStatement(ctx context.Context, c flightsql.PreparedStatementQuery, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	p, err := s.door.preparedOf(whoOf(ctx), string(c.GetPreparedStatementHandle()))
	if err != nil {
		return nil, err
	}
	text, schema, err := p.ready()
	if err != nil {
		return nil, err
	}
	return s.door.ticket(whoOf(ctx), &statement{text: text, schema: schema, valued: len(p.declared.Parameters) > 0}, of)
}

// GetSchemaPreparedStatement tells the columns.
func (s *service) GetSchemaPreparedStatement(ctx context.Context, c flightsql.PreparedStatementQuery, _ *arrowflight.FlightDescriptor) (*arrowflight.SchemaResult, error) {
	p, err := s.door.preparedOf(whoOf(ctx), string(c.GetPreparedStatementHandle()))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return schemaResult(p.schema)
}

// ready is the statement with its values.
func (p *prepared) ready() (text string, schema *arrow.Schema, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bound == "" {
		return "", nil, fault.Newf(fault.Invalid, "bind a row of values", "the statement has %d parameters, and no values", len(p.declared.Parameters))
	}
	return p.bound, p.schema, nil
}

// DoPutPreparedStatementQuery binds a row of values.
func (s *service) DoPutPreparedStatementQuery(ctx context.Context, c flightsql.PreparedStatementQuery, rows arrowflight.MessageReader, _ arrowflight.MetadataWriter) ([]byte, error) {
	p, err := s.door.preparedOf(whoOf(ctx), string(c.GetPreparedStatementHandle()))
	if err == nil {
		err = s.door.bind(ctx, string(c.GetPreparedStatementHandle()), p, rows)
	}
	return c.GetPreparedStatementHandle(), err
}

// DoPutPreparedStatementUpdate runs a prepared statement that is no query.
func (s *service) DoPutPreparedStatementUpdate(ctx context.Context, c flightsql.PreparedStatementUpdate, rows arrowflight.MessageReader) (int64, error) {
	p, err := s.door.preparedOf(whoOf(ctx), string(c.GetPreparedStatementHandle()))
	if err != nil {
		return 0, err
	}
	if len(p.declared.Parameters) == 0 {
		return s.door.update(ctx, p.text, p.declared)
	}
	if a, ok, err := s.door.o.Gate.Inserting(ctx, engine.Request{Text: p.text, Principal: whoOf(ctx)}); ok || err != nil {
		if err != nil {
			return 0, err
		}
		return a.Append(ctx, sound(rows))
	}
	return s.door.updates(ctx, p, rows)
}

// updates runs a statement once for each row of values. Each is done when the next begins, and stays done where a later one fails.
func (d *Door) updates(ctx context.Context, p *prepared, rows arrowflight.MessageReader) (changed int64, _ error) {
	row := 0
	for b, err := range batches(rows) {
		for i := int64(0); err == nil && i < b.NumRows(); i++ {
			row++
			var text string
			var n int64
			one := b.NewSlice(i, i+1)
			if text, _, err = p.with(one); err == nil {
				n, err = d.update(ctx, text, p.declared)
			}
			one.Release()
			changed += n
		}
		if f, ok := errors.AsType[*fault.Error](err); ok && row > 1 {
			told := *f
			told.Message = fmt.Sprintf("row %d of the values: %s", row, f.Message)
			told.Hint = strings.TrimPrefix(f.Hint+"; the rows before it are done", "; ")
			err = &told
		}
		if err != nil {
			return changed, err
		}
	}
	if row == 0 {
		return 0, errNoRow()
	}
	return changed, nil
}

// with is the statement with a row of values, and their types.
func (p *prepared) with(row arrow.RecordBatch) (text string, types []string, _ error) {
	var values []*string
	for i, c := range row.Columns() {
		name, value, err := valueOf(c)
		if err != nil {
			return "", nil, fault.Newf(fault.Invalid, fault.HintOf(err), "the value of parameter $%d: %v", i+1, err)
		}
		types, values = append(types, name), append(values, value)
	}
	want := p.declared.Parameters
	if len(types) != len(want) {
		return "", nil, fault.Newf(fault.Invalid, "bind a value for each", "the statement has %d parameters, not %d", len(want), len(types))
	}
	for i := range types {
		if types[i] == "" { // a text or null is read as what the statement wants there
			types[i] = cmp.Or(want[i], "VARCHAR")
		}
	}
	text, err := engine.Arguments(p.text, types, values)
	if err == nil && len(text) > sqltext.TextBytesMax {
		err = fault.Newf(fault.TooLarge, "send smaller values", "the statement with its values has more than %d bytes", sqltext.TextBytesMax)
	}
	return text, types, err
}

// bind puts the one row of a stream into the statement of a handle.
func (d *Door) bind(ctx context.Context, id string, p *prepared, rows arrowflight.MessageReader) error {
	row, err := oneRow(rows)
	if err != nil {
		return err
	}
	defer row.Release()
	bound, types, err := p.with(row)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	schema := p.schema
	if !slices.Equal(types, p.types) && p.declared.Verb == "" { // the columns may follow the values' types
		shape, err := d.o.Gate.Shape(ctx, engine.Request{Text: p.text, Principal: whoOf(ctx)}, types)
		if err != nil {
			return err
		}
		if schema, err = d.schemaOf(ctx, shape); err != nil {
			return err
		}
	}
	if err := d.prepared.grow(id, len(bound)-len(p.bound)); err != nil {
		return err
	}
	p.types, p.schema, p.bound = types, schema, bound
	return nil
}

// oneRow reads the one row of a stream. Release it.
func oneRow(rows arrowflight.MessageReader) (row arrow.RecordBatch, _ error) {
	for b, err := range batches(rows) {
		if err == nil && (b.NumRows() > 1 || b.NumRows() == 1 && row != nil) {
			err = fault.New(fault.Invalid, "a query takes one row of values at a time", "run it once for each row")
		}
		if err != nil {
			if row != nil {
				row.Release()
			}
			return nil, err
		}
		if b.NumRows() == 1 {
			b.Retain()
			row = b
		}
	}
	if row == nil {
		return nil, errNoRow()
	}
	return row, nil
}

func errNoRow() error { return fault.New(fault.Invalid, "there is no row of values", "bind one") }
