//go:build duckdb_arrow

// Package flight is the door of Arrow Flight SQL: its clients' statements go to the Gate, and its Arrow batches come
// back as they are, put together to larger ones. It runs no statement by itself; what it tells of the catalog it asks
// the Gate, too.
package flight

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"time"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"tarn/embedded/guard"
	"tarn/sql/engine"
)

// The bounds of the door.
const (
	connsMax        = 1000     // one more is closed
	streamsMax      = 100      // calls at once of a connection
	messageBytesMax = 16 << 20 // of one message of a client: a batch of rows; a statement has less
	headerBytesMax  = 64 << 10 // of a call's headers
	bufferBytes     = 32 << 10 // of a connection, each way
	startMax        = time.Minute
	// writeMax is that of Options.Patience: a statement has one of few turns until its last row is read.
	writeMax     = 30 * time.Second
	pingGap      = time.Minute      // without a word from a client, before it is asked whether it is there
	pingMax      = 20 * time.Second // for its answer
	clientGapMin = 10 * time.Second // between two such questions of a client
	sweepGap     = time.Minute      // between two looks for handles whose time is over
)

// doorName is the name of this door, as in ports.json.
const doorName = "flight"

// Options of the door.
type Options struct {
	Listener net.Listener // the door closes it
	Gate     *engine.Gate
	Guard    guard.Guard
	Version  string        // of Tarn
	Patience time.Duration // how long a client may take for one batch of an answer; 0 = 30 s
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: counted for nobody
}

// Door is the part that answers clients of Flight SQL.
type Door struct {
	o        Options
	conns    *listener
	tickets  *shelf[*statement]
	prepared *shelf[*prepared]
	types    typeCache
	key      [32]byte // that tokens are sealed with
	refused  *prometheus.CounterVec
}

// New returns the door of a listener.
func New(o Options) *Door {
	if o.Guard == nil {
		o.Guard = guard.Open{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Patience <= 0 {
		o.Patience = writeMax
	}
	d := &Door{
		o: o, tickets: newShelf[*statement](ticketMax, o.Gate.Now), prepared: newShelf[*prepared](preparedMax, o.Gate.Now),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tarn", Subsystem: doorName, Name: "refused_total", Help: "Calls of Flight SQL's clients that ended in an error, by gRPC's code.",
		}, []string{"code"}),
	}
	_, _ = rand.Read(d.key[:]) // never fails
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "tarn", Subsystem: doorName, Name: "connections", Help: "Connections of Flight SQL's clients.",
	})
	d.conns = &listener{Listener: o.Listener, gauge: gauge, open: map[string]net.Conn{}}
	if o.Metrics != nil {
		o.Metrics.MustRegister(gauge, d.refused)
	}
	return d
}

// Name is the part's name.
func (d *Door) Name() string { return doorName }

// Run answers until ctx ends.
func (d *Door) Run(ctx context.Context, ready func()) error {
	service := newService(d)
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(d.unary), grpc.ChainStreamInterceptor(d.stream), grpc.WaitForHandlers(true),
		grpc.MaxRecvMsgSize(messageBytesMax), grpc.MaxConcurrentStreams(streamsMax), grpc.MaxHeaderListSize(headerBytesMax),
		grpc.ReadBufferSize(bufferBytes), grpc.WriteBufferSize(bufferBytes), grpc.ConnectionTimeout(startMax),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingGap, Timeout: pingMax}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientGapMin, PermitWithoutStream: true}),
	)
	arrowflight.RegisterFlightServiceServer(server, &handshaking{flightsql.NewFlightServerWithAllocator(service, bounded{memory.DefaultAllocator}), d})
	defer context.AfterFunc(ctx, server.Stop)()
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		d.sweep(ctx)
	}()
	ready()
	err := server.Serve(d.conns)
	if ctx.Err() != nil {
		server.Stop() // returns when the last handler has
		<-swept
		return nil
	}
	return fmt.Errorf("accept connections of Flight SQL's clients: %w", err)
}

// sweep takes away what nobody has come back for.
func (d *Door) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepGap)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.tickets.sweep()
			d.prepared.sweep()
		}
	}
}
