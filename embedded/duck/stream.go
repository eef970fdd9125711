//go:build duckdb_arrow

package duck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	bindings "github.com/duckdb/duckdb-go-bindings"
	duckdb "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/arrowmapping"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Progress is how far a query of Follow is, for who asks beside the goroutine that reads it. The zero value is of one that has not begun.
type Progress struct {
	mu     sync.Mutex
	handle mapping.Connection // without its pointer while nothing runs
}

// Percent is from 0 to 100, and never less than before; false where DuckDB cannot tell, and before and after the query. DuckDB looks
// at what has been read of tables, so that a query can be at 100 and still sort.
func (p *Progress) Percent() (float64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle.Ptr == nil {
		return 0, false
	}
	now := mapping.QueryProgress(p.handle)
	percent, _, _ := mapping.QueryProgressTypeMembers(&now)
	if percent < 0 {
		return 0, false
	}
	return min(percent, 100), true
}

func (p *Progress) of(handle mapping.Connection) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handle = handle
}

// Stream is Arrow for a query of which nobody knows how large its answer is. The driver's own query ends with all
// rows in memory, which no limit of the instance counts; here DuckDB goes on as the rows are read, and keeps a
// megabyte or two of them ahead. What the query fails of may so be told only by the reader's Err. The connection runs nothing else
// until the reader is released, and ctx ends the query.
func (c *Conn) Stream(ctx context.Context, query string) (array.RecordReader, error) {
	return c.Follow(ctx, query, nil)
}

// Follow is Stream of a query of which told tells how far it is, if the instance is a sandbox; nil for nobody who asks.
func (c *Conn) Follow(ctx context.Context, query string, told *Progress) (array.RecordReader, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{ctx: ctx, cancel: cancel, conn: c, told: told}
	if err := c.Raw(func(dc any) (err error) {
		s.handle, err = handleOf(dc)
		return err
	}); err != nil {
		cancel()
		return nil, err
	}
	s.calm = interrupting(ctx, s.handle)
	told.of(s.handle)
	if err := s.begin(query); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

// handleOf is the connection as DuckDB's own functions take it. The driver streams no rows and has no name for what it holds.
func handleOf(dc any) (mapping.Connection, error) {
	if _, ok := dc.(*duckdb.Conn); ok {
		if held := reflect.ValueOf(dc).Elem().FieldByName("conn"); held.IsValid() && held.Type() == reflect.TypeFor[mapping.Connection]() {
			return mapping.Connection{Ptr: held.FieldByName("Ptr").UnsafePointer()}, nil
		}
	}
	return mapping.Connection{}, errors.New("not a DuckDB connection")
}

// interruptGap is between two interrupts: DuckDB forgets one where it begins.
const interruptGap = 100 * time.Millisecond

// interrupting interrupts what a connection runs once ctx has ended, until calm is called, after which it does no more.
func interrupting(ctx context.Context, handle mapping.Connection) (calm func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	unbegun := context.AfterFunc(ctx, func() {
		defer close(ended)
		again := time.NewTicker(interruptGap)
		defer again.Stop()
		for {
			mapping.Interrupt(handle)
			select {
			case <-over:
				return
			case <-again.C:
			}
		}
	})
	return sync.OnceFunc(func() {
		close(over)
		if !unbegun() {
			<-ended
		}
	})
}

// stream is the rows of a query that runs.
type stream struct {
	ctx    context.Context //nolint:containedctx // of the query
	cancel context.CancelFunc
	conn   *Conn
	handle mapping.Connection
	calm   func()
	told   *Progress // nil: nobody asks

	mu       sync.Mutex // of what follows
	prepared mapping.PreparedStatement
	result   mapping.Result
	options  arrowmapping.ArrowOptions
	schema   *arrow.Schema
	batch    arrow.RecordBatch
	err      error
	ended    bool // there are no more rows
	released bool
}

// begin runs the query as far as its first rows.
func (s *stream) begin(query string) error {
	if mapping.Prepare(s.handle, query, &s.prepared) == mapping.StateError {
		return s.fault(mapping.PrepareError(s.prepared))
	}
	var pending mapping.PendingResult
	defer mapping.DestroyPending(&pending)
	if bindings.PendingPreparedStreaming(s.prepared, &pending) == mapping.StateError {
		return s.fault(mapping.PendingError(pending))
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if mapping.ExecutePending(pending, &s.result) == mapping.StateError {
		return s.failed()
	}
	s.options = arrowmapping.ResultGetArrowOptions(&s.result)
	var names []string
	var types []mapping.LogicalType
	defer func() {
		for i := range types {
			mapping.DestroyLogicalType(&types[i])
		}
	}()
	for i := range mapping.ColumnCount(&s.result) {
		names = append(names, mapping.ColumnName(&s.result, i))
		types = append(types, mapping.ColumnLogicalType(&s.result, i))
		if name := uncarried(types[i]); name != "" {
			return &UncarriedError{name}
		}
	}
	schema, data := arrowmapping.NewArrowSchema(s.options, types, names)
	if err := dataError(data); err != nil {
		return err
	}
	s.schema = schema
	if s.conn.zoned {
		s.schema = arrow.NewSchema(inUTC(schema.Fields()), new(schema.Metadata()))
	}
	return nil
}

// inUTC are fields whose times with a zone are told as of UTC, whatever the connection's: they are the same instants.
func inUTC(of []arrow.Field) []arrow.Field {
	out := slices.Clone(of)
	for i, f := range out {
		switch t := f.Type.(type) {
		case *arrow.TimestampType:
			if t.TimeZone != "" {
				out[i].Type = &arrow.TimestampType{Unit: t.Unit, TimeZone: "UTC"}
			}
		case *arrow.StructType:
			out[i].Type = arrow.StructOf(inUTC(t.Fields())...)
		case *arrow.ListType:
			out[i].Type = arrow.ListOfField(inUTC([]arrow.Field{t.ElemField()})[0])
		case *arrow.FixedSizeListType:
			out[i].Type = arrow.FixedSizeListOfField(t.Len(), inUTC([]arrow.Field{t.ElemField()})[0])
		case *arrow.MapType:
			entry := inUTC([]arrow.Field{t.KeyField(), t.ItemField()})
			out[i].Type = arrow.MapOfFields(entry[0], entry[1])
		}
	}
	return out
}

// failed is what the result failed of, nil where it did not.
func (s *stream) failed() error {
	if message := mapping.ResultError(&s.result); message != "" {
		return s.fault(message)
	}
	return nil
}

// fault is an error with its class as far as it is looked for, of what has come to nothing before it had a result, too.
func (s *stream) fault(message string) error {
	class := duckdb.ErrorTypeInvalid
	if strings.HasPrefix(message, "Out of Memory Error: ") {
		class = duckdb.ErrorTypeOutOfMemory
	}
	return errors.Join(s.ctx.Err(), &duckdb.Error{Type: class, Msg: message})
}

func dataError(data mapping.ErrorData) error {
	defer mapping.DestroyErrorData(&data)
	if !mapping.ErrorDataHasError(data) {
		return nil
	}
	return fmt.Errorf("rows as Arrow: %w", &duckdb.Error{Type: duckdb.ErrorType(mapping.ErrorDataErrorType(data)), Msg: mapping.ErrorDataMessage(data)})
}

// Next goes on to the next batch, for which DuckDB may have to work.
func (s *stream) Next() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	if s.ended || s.released || s.err != nil {
		return false
	}
	if s.err = s.ctx.Err(); s.err != nil {
		return false
	}
	chunk := mapping.FetchChunk(s.result)
	if chunk.Ptr == nil {
		s.err = s.failed()
		s.ended = s.err == nil
		return false
	}
	defer mapping.DestroyDataChunk(&chunk)
	// Arrow's arrays come beside the vectors, from an allocator whose callers bear no refusal.
	if bytes := textBytes(chunk); bytes > lookBytes && !fits(2*bytes) {
		s.err = &duckdb.Error{Type: duckdb.ErrorTypeOutOfMemory, Msg: fmt.Sprintf("Out of Memory Error: Failed to allocate %d bytes for rows as Arrow", bytes)}
		return false
	}
	batch, data := arrowmapping.DataChunkToArrowArray(s.options, s.schema, chunk)
	if s.err = dataError(data); s.err != nil {
		return false
	}
	s.batch = batch
	return true
}

// lookBytes of texts are worth a look at the memory.
const lookBytes = 4 << 20

// duckText is DuckDB's string_t, whose functions cost a call of C a value.
type duckText struct {
	length uint32
	_      uint32 // its beginning
	_      uint64 // the rest of it, or where it is
}

// textBytes are those of a chunk's texts and blobs, but for those within lists and structs.
func textBytes(chunk mapping.DataChunk) (bytes int64) {
	rows := int(mapping.DataChunkGetSize(chunk))
	for i := range mapping.DataChunkGetColumnCount(chunk) {
		vector := mapping.DataChunkGetVector(chunk, i)
		t := mapping.VectorGetColumnType(vector)
		if of := mapping.GetTypeId(t); of == mapping.TypeVarchar || of == mapping.TypeBlob {
			valid := (*uint64)(mapping.VectorGetValidity(vector)) // a bit a row; nil for all
			for row, text := range unsafe.Slice((*duckText)(mapping.VectorGetData(vector)), rows) {
				if valid == nil || unsafe.Slice(valid, (rows+63)/64)[row/64]&(1<<(row%64)) != 0 {
					bytes += int64(text.length)
				}
			}
		}
		mapping.DestroyLogicalType(&t)
	}
	return bytes
}

func (s *stream) forget() {
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
}

// Release ends the query where it is not at its end.
func (s *stream) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return
	}
	s.released = true
	s.told.of(mapping.Connection{})
	s.forget()
	arrowmapping.DestroyArrowOptions(&s.options)
	mapping.DestroyResult(&s.result)
	mapping.DestroyPrepare(&s.prepared)
	if s.ended {
		s.calm()
	}
	s.cancel()
	if !s.ended {
		// DuckDB ends what a connection runs only when that begins something else, and what ends late only when it is interrupted.
		_ = s.conn.Exec(context.Background(), "SELECT NULL")
		s.calm()
	}
}

func (s *stream) Schema() *arrow.Schema          { return s.schema }
func (s *stream) RecordBatch() arrow.RecordBatch { return s.batch }
func (s *stream) Record() arrow.RecordBatch      { return s.batch }
func (s *stream) Err() error                     { return s.err }
func (s *stream) Retain()                        {}

// UncarriedError is of a query that answers a type which Arrow would change in silence: halves of 128 bits, zones of times of day,
// bits as DuckDB keeps them.
type UncarriedError struct{ Type string }

func (e *UncarriedError) Error() string { return "the type " + e.Type + " cannot be answered" }

// uncarried is the name of such a type in t, "" for none.
func uncarried(t mapping.LogicalType) string {
	part := func(child mapping.LogicalType) string {
		defer mapping.DestroyLogicalType(&child)
		return uncarried(child)
	}
	switch mapping.GetTypeId(t) {
	case mapping.TypeUHugeInt:
		return "UHUGEINT"
	case mapping.TypeTimeTZ:
		return "TIME WITH TIME ZONE"
	case mapping.TypeBit:
		return "BIT"
	case mapping.TypeBigNum:
		return "BIGNUM"
	case mapping.TypeVariant:
		return "VARIANT"
	case mapping.TypeGeometry:
		return "GEOMETRY"
	case mapping.TypeList:
		return part(mapping.ListTypeChildType(t))
	case mapping.TypeArray:
		return part(mapping.ArrayTypeChildType(t))
	case mapping.TypeMap:
		return cmp.Or(part(mapping.MapTypeKeyType(t)), part(mapping.MapTypeValueType(t)))
	case mapping.TypeStruct:
		for i := range mapping.StructTypeChildCount(t) {
			if name := part(mapping.StructTypeChildType(t, i)); name != "" {
				return name
			}
		}
	case mapping.TypeUnion:
		for i := range mapping.UnionTypeMemberCount(t) {
			if name := part(mapping.UnionTypeMemberType(t, i)); name != "" {
				return name
			}
		}
	}
	return ""
}
