//go:build duckdb_arrow

package flight

import (
	"context"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/sql/engine"
)

// service is what arrow-go calls for each command; what it lacks is answered with Unimplemented.
type service struct {
	flightsql.BaseServer
	door *Door
}

func newService(d *Door) *service {
	s := &service{door: d}
	s.Alloc = memory.DefaultAllocator
	s.registerInfo(d.o.Version)
	return s
}

// statement is one that waits to be run, or runs.
type statement struct {
	text   string
	schema *arrow.Schema // what its client was told; nil for what only its answer tells
	valued bool          // it has values, which DuckDB makes names of columns of

	mu     sync.Mutex
	cancel context.CancelFunc // while it runs
}

// showing are the verbs of statements that change nothing, and whose columns only their answer tells.
var showing = map[string]bool{"SHOW": true, "DESCRIBE": true, "DESC": true, "EXPLAIN": true}

// GetFlightInfoStatement keeps a statement and returns its ticket, with its columns: it is run when the ticket is read.
func (s *service) GetFlightInfoStatement(ctx context.Context, c flightsql.StatementQuery, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	if err := refuseTransaction(c.GetTransactionId()); err != nil {
		return nil, err
	}
	schema, err := s.door.told(ctx, c.GetQuery())
	if err != nil {
		return nil, err
	}
	return s.door.ticket(whoOf(ctx), &statement{text: c.GetQuery(), schema: schema}, of)
}

// GetSchemaStatement tells a statement's columns without running it.
func (s *service) GetSchemaStatement(ctx context.Context, c flightsql.StatementQuery, _ *arrowflight.FlightDescriptor) (*arrowflight.SchemaResult, error) {
	schema, err := s.door.told(ctx, c.GetQuery())
	if err != nil {
		return nil, err
	}
	return schemaResult(schema)
}

func schemaResult(schema *arrow.Schema) (*arrowflight.SchemaResult, error) {
	if schema == nil {
		return nil, fault.New(fault.Invalid, "what columns this statement has only its answer tells", "run it")
	}
	return &arrowflight.SchemaResult{Schema: serialized(schema)}, nil
}

func serialized(schema *arrow.Schema) []byte {
	if schema == nil {
		return nil
	}
	return arrowflight.SerializeSchema(schema, memory.DefaultAllocator)
}

func refuseTransaction(id []byte) error {
	if len(id) > 0 {
		return fault.New(fault.Invalid, "there is no transaction", "leave it out: each statement reads the newest snapshots")
	}
	return nil
}

// told is the schema of a statement without parameters; nil where only its answer tells.
func (d *Door) told(ctx context.Context, text string) (*arrow.Schema, error) {
	shape, err := d.o.Gate.Shape(ctx, engine.Request{Text: text, Principal: whoOf(ctx)}, nil)
	if err != nil {
		return nil, err
	}
	if len(shape.Parameters) > 0 {
		return nil, fault.Newf(fault.Invalid, "prepare it, and bind a row of values", "the statement has %d parameters", len(shape.Parameters))
	}
	return d.schemaOf(ctx, shape)
}

// ticket keeps a statement to be run.
func (d *Door) ticket(who guard.Principal, s *statement, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	id, err := d.tickets.put(who, s, len(s.text))
	if err != nil {
		return nil, err
	}
	ticket, err := flightsql.CreateStatementQueryTicket([]byte(id))
	if err != nil {
		return nil, err
	}
	return &arrowflight.FlightInfo{
		Schema: serialized(s.schema), FlightDescriptor: of, TotalRecords: -1, TotalBytes: -1, Ordered: true,
		Endpoint: []*arrowflight.FlightEndpoint{{Ticket: &arrowflight.Ticket{Ticket: ticket}}},
	}, nil
}

// DoGetStatement runs the statement of a ticket, which is good once.
func (s *service) DoGetStatement(ctx context.Context, t flightsql.StatementQueryTicket) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	d, id, who := s.door, string(t.GetStatementHandle()), whoOf(ctx)
	of, ok := d.tickets.get(who, id, true)
	if !ok {
		return nil, nil, errTicket()
	}
	ctx, cancel := context.WithCancel(ctx)
	of.running(cancel)
	ended := func() {
		cancel()
		d.tickets.drop(id)
	}
	result, err := d.o.Gate.Run(ctx, engine.Request{Text: of.text, Principal: who})
	if err != nil {
		ended()
		return nil, nil, err
	}
	schema, err := agreed(result, of.schema, !of.valued)
	if err != nil {
		result.Close()
		ended()
		return nil, nil, err
	}
	out := &answer{door: d, result: result, schema: schema, to: make(chan arrowflight.StreamChunk), remote: remoteOf(ctx)}
	go func() {
		defer close(out.to) // for which the call waits
		defer ended()
		out.send(ctx)
	}()
	return schema, out.to, nil
}

func errTicket() error {
	return fault.New(fault.NotFound, "there is no such ticket", "ask again: one is good once, within five minutes")
}

func (s *statement) running(cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
}

// CancelFlightInfo ends the statement of a ticket, or forgets it while it waits.
func (s *service) CancelFlightInfo(ctx context.Context, request *arrowflight.CancelFlightInfoRequest) (arrowflight.CancelFlightInfoResult, error) {
	found := false
	for _, e := range request.GetInfo().GetEndpoint() {
		if e.GetTicket() == nil {
			continue
		}
		ticket, err := flightsql.GetStatementQueryTicket(e.GetTicket())
		if err != nil {
			continue // not one of ours
		}
		id := string(ticket.GetStatementHandle())
		of, ok := s.door.tickets.get(whoOf(ctx), id, false)
		if !ok {
			continue
		}
		found = true
		s.door.tickets.drop(id)
		of.mu.Lock()
		if of.cancel != nil {
			of.cancel()
		}
		of.mu.Unlock()
	}
	if !found {
		return arrowflight.CancelFlightInfoResult{}, errTicket()
	}
	return arrowflight.CancelFlightInfoResult{Status: arrowflight.CancelStatusCancelled}, nil
}

// DoPutCommandStatementUpdate runs a statement that is no query.
func (s *service) DoPutCommandStatementUpdate(ctx context.Context, c flightsql.StatementUpdate) (int64, error) {
	if err := refuseTransaction(c.GetTransactionId()); err != nil {
		return 0, err
	}
	shape, err := s.door.o.Gate.Shape(ctx, engine.Request{Text: c.GetQuery(), Principal: whoOf(ctx)}, nil)
	if err != nil {
		return 0, err
	}
	return s.door.update(ctx, c.GetQuery(), shape)
}

// update runs what is no query, and tells how many rows it changed.
func (d *Door) update(ctx context.Context, text string, shape engine.Shape) (int64, error) {
	if shape.Verb == "" {
		return 0, fault.New(fault.Invalid, "a query changes nothing", "ask for its rows: run it as a query, not as an update")
	}
	result, err := d.o.Gate.Run(ctx, engine.Request{Text: text, Principal: whoOf(ctx)})
	if err != nil {
		return 0, err
	}
	defer result.Close()
	for result.Reader.Next() {
	}
	if result.Changed != nil {
		return *result.Changed, result.Reader.Err()
	}
	return 0, result.Reader.Err()
}
