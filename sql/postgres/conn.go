//go:build duckdb_arrow

package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/xdg-go/scram"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/sql/engine"
	"tarn/sql/postgres/catalog"
)

// The states of a connection, as ReadyForQuery tells them.
const (
	idle   = 'I'
	within = 'T' // a transaction
	failed = 'E' // a transaction in which a statement failed
)

// conn is one client. One goroutine serves it; interrupt may be called by any.
type conn struct {
	door      *Door
	net       net.Conn // within TLS where the client asked for it
	encrypted bool
	binding   scram.ChannelBinding // of a log-in to TLS
	be        *pgproto3.Backend
	ctx       context.Context //nolint:containedctx // the connection's own
	who       guard.Principal
	pid       uint32
	secret    []byte
	state     byte
	done      []string // tags of what the transaction has changed
	settings  *settings
	temps     *engine.Session // temporary tables
	skipping  bool            // after an error, until the client syncs
	prepared  map[string]*prepared
	portals   map[string]*portal
	types     *pgtype.Map        // nil until a value is read; one of its own, for it is not safe for concurrent use
	named     map[string]*cursor // by DECLARE

	notes      []note // of the transaction
	savepoints []savepoint
	inbox      inbox
	heard      bool           // the client has listened
	teller     sync.WaitGroup // who tells it of what comes
	resting    bool           // the client is told that the next statement may come, and none has

	unflushed int // answers since the last flush

	work sync.Mutex // held while a message is handled, and while what is open for too long is closed
	open int        // statements that have rows left

	began      time.Time
	terminated atomic.Bool

	mu       sync.Mutex
	cancel   context.CancelFunc // of the statement that runs
	activity activity
}

// serve answers a client until it goes or ctx ends.
func (d *Door) serve(ctx context.Context, nc net.Conn) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer func() { _ = nc.Close() }()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	c := &conn{
		door: d, net: nc, began: time.Now(), ctx: ctx, state: idle, settings: newSettings(), temps: d.o.Gate.Session(),
		prepared: map[string]*prepared{}, portals: map[string]*portal{}, named: map[string]*cursor{},
		inbox: inbox{channels: map[string]bool{}, commits: map[[2]string]*notification{}, wake: make(chan struct{}, 1)},
	}
	defer func() {
		d.post.unlisten(c, "")
		stop() // and with it what the client is sent
		c.teller.Wait()
		c.work.Lock()
		defer c.work.Unlock()
		c.closeCursors()
		c.closePortals()
		c.temps.Close()
	}()
	defer func() { _ = c.net.Close() }() // what TLS says at its end
	_ = nc.SetReadDeadline(time.Now().Add(startMax))
	in, err := c.secured()
	if err != nil {
		return
	}
	c.be = pgproto3.NewBackend(in, timed{c.net})
	c.be.SetMaxBodyLen(messageBytesMax)
	defer d.leave(c)
	if err := c.guarded(c.start); err != nil {
		if _, shown := errors.AsType[*fault.Error](err); shown {
			c.be.Send(response(err, "", "FATAL"))
			_ = c.be.Flush()
		}
		return
	}
	_ = nc.SetReadDeadline(time.Time{})
	if c.terminated.Load() { // whose deadline is gone now
		c.terminate()
	}
	for {
		message, err := c.be.Receive()
		if !c.serveOne(message, err) {
			return
		}
	}
}

// serveOne answers a message, or what there was in its place; false when it was the last.
func (c *conn) serveOne(message pgproto3.FrontendMessage, err error) bool {
	c.work.Lock()
	defer c.work.Unlock()
	if err == nil && !c.terminated.Load() {
		c.resting = false
		err = c.guarded(func() error { return c.handle(message) })
		if _, broken := errors.AsType[*fault.Error](err); broken {
			c.be.Send(response(err, "", "FATAL"))
			_ = c.be.Flush()
		}
	}
	if c.terminated.Load() {
		c.be.Send(response(errTerminated, "", "FATAL"))
		_ = c.be.Flush()
		return false
	}
	if tooLong, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		c.be.Send(response(fault.Newf(fault.TooLarge, "send it in parts", "a message has more than %d bytes", tooLong.MaxExpectedBodyLen), "", "FATAL"))
		_ = c.be.Flush()
	}
	return err == nil
}

// guarded does what must end no other connection: a panic is an error that its client may read.
func (c *conn) guarded(do func() error) error {
	err := life.Guarded(c.door.o.Log.With("user", c.who.User), do)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == fault.Internal {
		return fault.New(f.Code, "an internal error has ended the connection", f.Hint)
	}
	return err
}

// timed bounds how long a client may take for what it is sent.
type timed struct{ net.Conn }

func (t timed) Write(b []byte) (int, error) {
	_ = t.SetWriteDeadline(time.Now().Add(writeMax))
	return t.Conn.Write(b)
}

var errGone = errors.New("the client has gone")

// start is what comes before the first statement. A request to cancel is a connection of its own.
func (c *conn) start() error {
	message, err := c.be.ReceiveStartupMessage()
	if err != nil {
		return errGone
	}
	switch m := message.(type) {
	case *pgproto3.CancelRequest:
		c.door.cancel(m.ProcessID, m.SecretKey)
	case *pgproto3.StartupMessage:
		return c.login(m)
	}
	return errGone
}

func (c *conn) login(m *pgproto3.StartupMessage) error {
	parameters := maps.Clone(m.Parameters) // the message goes with the next
	proven, err := c.proven(parameters["user"])
	if err != nil {
		return err
	}
	if name := parameters["database"]; name != "" && name != database && name != parameters["user"] {
		return fault.Newf(fault.NotFound, "the database is "+database, "there is no database %q", name)
	}
	c.who, err = c.door.o.Guard.Authenticate(c.ctx, guard.Credential{User: parameters["user"], Proven: proven, Door: doorName, Remote: c.net.RemoteAddr().String()})
	if err != nil {
		return err
	}
	if !c.door.enter(c) {
		return fault.Newf(fault.Unavailable, "close some, or try again in a moment", "there are %d connections already", connsMax)
	}
	options := optionsOf(parameters["options"])
	for name, value := range parameters {
		if name != "user" && name != "database" && name != "replication" && name != "options" {
			options = append(options, [2]string{name, value})
		}
	}
	for _, o := range options {
		err := c.settings.set(o[0], o[1])
		var told stateError
		if errors.As(err, &told) && told.state == "22023" && !strings.EqualFold(o[0], "client_encoding") {
			return err // such as a zone that there is not: its times would be of another
		} // one that is not known does no harm here
	}
	c.settings.settle()
	c.settings.fixed["session_authorization"] = c.who.User
	if c.encrypted {
		c.settings.fixed["ssl"] = "on"
	}
	c.be.Send(&pgproto3.AuthenticationOk{})
	for _, name := range told {
		value, _ := c.settings.get(name)
		c.be.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	c.be.Send(&pgproto3.BackendKeyData{ProcessID: c.pid, SecretKey: c.secret})
	return c.ready()
}

// ready tells that the next statement may come.
func (c *conn) ready() error {
	if c.terminated.Load() {
		return errGone
	}
	if c.state == idle {
		if err := c.commit(); err != nil {
			c.fail(err, "")
		}
		c.hear()
	}
	c.rests()
	c.be.Send(&pgproto3.ReadyForQuery{TxStatus: c.state})
	c.resting = true
	return c.flush()
}

// commit ends a transaction: what outlives it is kept, what was noted is done.
func (c *conn) commit() error {
	defer c.temps.Commit()
	err := c.keepHeld()
	c.closePortals()
	if err != nil {
		c.unnote()
		return err
	}
	return c.announce()
}

func (c *conn) flush() error {
	c.unflushed = 0
	return c.be.Flush()
}

// handle answers one message. Its error ends the connection.
func (c *conn) handle(message pgproto3.FrontendMessage) error {
	if c.unflushed++; c.unflushed > unflushedMax {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if c.skipping {
		if _, ok := message.(*pgproto3.Sync); !ok {
			if _, ok := message.(*pgproto3.Terminate); !ok {
				return nil
			}
		}
	}
	switch m := message.(type) {
	case *pgproto3.Query:
		return c.simple(m.String)
	case *pgproto3.Parse:
		return c.step(c.parse(m), m.Query)
	case *pgproto3.Bind:
		return c.step(c.bind(m), "")
	case *pgproto3.Describe:
		return c.step(c.describe(m), "")
	case *pgproto3.Execute:
		text, err := c.execute(m)
		return c.step(err, text)
	case *pgproto3.Close:
		c.closeNamed(m)
		c.be.Send(&pgproto3.CloseComplete{})
		return nil
	case *pgproto3.Flush:
		return c.flush()
	case *pgproto3.Sync:
		c.skipping = false
		return c.ready()
	case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail: // behind a COPY that has failed
		return nil
	case *pgproto3.Terminate:
		return errGone
	}
	return c.step(fault.Newf(fault.Invalid, "", "a message of the type %T is not expected here", message), "")
}

// step ends one message of the extended protocol.
func (c *conn) step(err error, text string) error {
	if err == nil {
		return nil
	}
	if writeFailed(err) {
		return err
	}
	c.fail(err, text)
	c.skipping = true
	return c.flush()
}

// fail sends an error, which ends what a transaction could still do.
func (c *conn) fail(err error, text string) {
	switch c.state {
	case within:
		c.state = failed
	case idle: // what was sent in one message, or up to a Sync, is a transaction
		c.unnote()
	}
	if c.terminated.Load() { // which is told next
		return
	}
	c.be.Send(response(err, text, "ERROR"))
}

// writeError is that of a client that does not read, or has gone.
type writeError struct{ error }

func writeFailed(err error) bool {
	_, ok := errors.AsType[writeError](err)
	return ok
}

// statement gives a statement its context, which a cancel request ends.
func (c *conn) statement() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(catalog.With(c.ctx, &catalog.Session{PID: c.pid, Path: c.path(), Settings: c.settings.all, Backends: c.backends}))
	c.interruptible(cancel)
	return ctx, cancel
}

// interruptible says what a cancel request ends.
func (c *conn) interruptible(cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
}

// interrupt ends the statement that runs; without one nothing.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

// stateError is a fault with a code of PostgreSQL's own.
type stateError struct {
	state string
	fault *fault.Error
}

func (s stateError) Error() string { return s.fault.Error() }
func (s stateError) Unwrap() error { return s.fault }

// position is the number of a character of a text, from 1; 0 for none.
func position(text string, line, column int) int32 {
	if line < 1 || column < 1 || text == "" {
		return 0
	}
	at := int32(0)
	for _, r := range text {
		if line == 1 {
			break
		}
		at++
		if r == '\n' {
			line--
		}
	}
	return at + int32(column) //nolint:gosec // a statement has less
}

func errTooMany(what string) error {
	return fault.New(fault.TooLarge, fmt.Sprintf("there are %d %s already", namedMax, what), "close some")
}
