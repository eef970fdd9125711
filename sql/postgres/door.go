//go:build duckdb_arrow

// Package postgres is the door of PostgreSQL's wire protocol, version 3: its clients' statements go to the Gate, and
// Arrow batches come back as rows in text or binary. It knows no table and runs no statement by itself, but for
// settings of a session and the words of transactions, which it answers.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/door"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
	"tarn/sql/postgres/catalog"
)

// The bounds of the door.
const (
	connsMax        = 1000    // one more is told to try again
	messageBytesMax = 4 << 20 // of one message of a client; a statement has less
	namedMax        = 1000    // prepared statements of a connection, and portals
	openMax         = 4       // cursors and portals of a connection that have rows left: each holds one of the Gate's turns
	unflushedMax    = 64      // answers of a pipeline that are not sent yet
	startMax        = 30 * time.Second
	// writeMax is how long a client may take for one piece of an answer: a statement has one of few turns until its
	// last row is read.
	writeMax  = 30 * time.Second
	pieceSize = 64 << 10 // of an answer, in bytes
)

// doorName is the name of this door, as in ports.json.
const doorName = "postgres"

// Options of the door.
type Options struct {
	Listener net.Listener // the door closes it
	Gate     *engine.Gate
	Guard    guard.Guard
	TLS      TLS
	Users    Users // nil: any is let in as who it says; for loopback alone
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: counted for nobody
}

// Door is the part that answers PostgreSQL's clients.
type Door struct {
	o       Options
	dialect *engine.Dialect
	gauge   prometheus.Gauge
	secret  []byte // of what users that there are not are verified by
	open    atomic.Int64
	kept    atomic.Int64 // bytes of rows, of cursors that scroll
	post    post
	told    prometheus.Counter

	refusals refusals
	refused  prometheus.Counter

	mu    sync.Mutex
	conns map[uint32]*conn // by process id, for cancel requests
	next  uint32
}

// ViewDialect is what views are marked with that are made by statements of PostgreSQL's.
const ViewDialect = "postgresql"

// Words are those in which such a view is written.
func Words() *sqltext.Dialect { return dialect().Words }

func dialect() *engine.Dialect {
	d := catalog.New(catalog.Options{TypeOf: catalogType, Database: database, Version: serverVersion})
	d.Name = ViewDialect
	return d
}

// New returns the door of a listener.
func New(o Options) *Door {
	if o.Guard == nil {
		o.Guard = guard.Open{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Door{o: o, dialect: dialect(), secret: secretOf(o.TLS), conns: map[uint32]*conn{}, gauge: prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "tarn", Subsystem: "postgres", Name: "connections", Help: "Connections of PostgreSQL's clients.",
	}), post: post{listeners: map[string]map[*conn]bool{}}, told: prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "tarn", Subsystem: "postgres", Name: "notifications_total", Help: "Notifications that PostgreSQL's clients were told, of those they listen for.",
	}), refusals: refusals{of: map[netip.Prefix]*refused{}}, refused: prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "tarn", Subsystem: "postgres", Name: "logins_refused_total", Help: "Log-ins of PostgreSQL's clients with a wrong password, or as a user that there is not.",
	})}
	if o.Metrics != nil {
		o.Metrics.MustRegister(d.gauge, d.told, d.refused)
	}
	return d
}

// Name is the part's name.
func (d *Door) Name() string { return doorName }

// Run answers until ctx ends. Without the files that it was told of it does not begin.
func (d *Door) Run(ctx context.Context, ready func()) error {
	if d.o.TLS.set() {
		if _, err := d.o.TLS.load(); err != nil {
			return err
		}
	}
	if d.o.Users != nil {
		if _, _, err := d.o.Users.Verifier(""); err != nil {
			return err
		}
	}
	ready()
	return door.Accept(ctx, d.o.Listener, "PostgreSQL's clients", d.o.Log, func(nc net.Conn) {
		defer d.open.Add(-1)
		if d.open.Add(1) > 2*connsMax { // with those that have not logged in, and requests to cancel
			_ = nc.Close()
			return
		}
		_ = life.Guarded(d.o.Log, func() error {
			d.serve(ctx, nc)
			return nil
		})
	})
}

// enter gives a connection its process id; false when there are too many.
func (d *Door) enter(c *conn) bool {
	var secret [4]byte
	_, _ = rand.Read(secret[:]) // never fails
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.conns) >= connsMax {
		return false
	}
	d.next++
	for d.conns[d.next] != nil || d.next == 0 {
		d.next++
	}
	c.pid, c.secret = d.next, secret[:]
	d.conns[c.pid] = c
	d.gauge.Set(float64(len(d.conns)))
	return true
}

func (d *Door) leave(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.pid] != c { // it has not entered
		return
	}
	delete(d.conns, c.pid)
	d.gauge.Set(float64(len(d.conns)))
}

// cancel ends what a connection runs, if the secret is its own.
func (d *Door) cancel(pid uint32, secret []byte) {
	d.mu.Lock()
	c := d.conns[pid]
	d.mu.Unlock()
	if c != nil && len(secret) == 4 && binary.BigEndian.Uint32(secret) == binary.BigEndian.Uint32(c.secret) {
		c.interrupt()
	}
}
