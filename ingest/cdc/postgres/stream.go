package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"tarn/ingest/cdc/postgres/pgoutput"
)

// blockBytes is the piece of memory that messages are copied into, waitingBytes how many bytes
// of them may wait to be taken. What is more waits in the server.
const (
	blockBytes   = 256 << 10
	waitingBytes = 1 << 20
)

// message is one message of the stream: of pgoutput, with its place in the server's log, or
// without data the server's word that all before the place was sent.
type message struct {
	at   pgoutput.LSN
	data []byte
}

// stream is a running START_REPLICATION. One goroutine reads it, so that the server is
// answered while the source is busy, and one reports to the server now and then.
type stream struct {
	conn    net.Conn
	silence time.Duration // how long the server may say nothing
	renew   atomic.Bool   // that time begins anew with the next message
	flushed atomic.Uint64
	writing sync.Mutex
	stop    chan struct{}
	ended   sync.WaitGroup
	ready   chan struct{} // something waits to be taken
	taken   chan struct{} // nothing does any longer

	mu      sync.Mutex // guards what waits
	waiting []message
	bytes   int
	err     error // why there will be no more
}

// startStream begins to read a slot at a place. c becomes the stream's.
func startStream(ctx context.Context, c *pgconn.PgConn, s *settings, at pgoutput.LSN, version int, silence time.Duration) (*stream, error) {
	options := fmt.Sprintf("proto_version '1', publication_names %s", literal(ident(s.publication)))
	if version >= 140000 {
		options = fmt.Sprintf("proto_version '2', publication_names %s, streaming 'on', messages 'true'", literal(ident(s.publication)))
	}
	front := c.Frontend()
	front.Send(&pgproto3.Query{String: fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL %s (%s)", ident(s.slot), at, options)})
	if err := front.Flush(); err != nil {
		return nil, err
	}
	for {
		m, err := c.ReceiveMessage(ctx)
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *pgproto3.CopyBothResponse:
			h, err := c.Hijack()
			if err != nil {
				return nil, err
			}
			st := &stream{conn: h.Conn, silence: silence, stop: make(chan struct{}), ready: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
			st.flushed.Store(uint64(at))
			st.renew.Store(true)
			st.ended.Go(func() { st.read(h.Frontend) })
			st.ended.Go(func() { st.report(s.status) })
			return st, nil
		case *pgproto3.ErrorResponse:
			return nil, pgconn.ErrorResponseToPgError(m)
		}
	}
}

// close ends the stream and waits for its goroutines.
func (s *stream) close() {
	select {
	case <-s.stop:
		return
	default:
	}
	close(s.stop)
	_ = s.conn.Close()
	s.ended.Wait()
}

var (
	errServerEnded = errors.New("the server ended the stream")
	errSilent      = errors.New("the server has not answered for long")
)

// A server that is gone without a word is found out by its silence: reports ask it to answer, and it may miss a few. silenceMax
// is for one that is busy with a transaction that it sends nothing of: each try gives it twice the time.
const (
	silenceMin     = 30 * time.Second
	silenceMax     = 30 * time.Minute
	silenceReports = 3
)

// read takes messages off the connection until it ends.
func (s *stream) read(front *pgproto3.Frontend) {
	err := s.readAll(front)
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	signal(s.ready)
}

func (s *stream) readAll(front *pgproto3.Frontend) error {
	var room []byte
	for {
		if s.renew.Load() {
			s.renew.Store(false)
			_ = s.conn.SetReadDeadline(time.Now().Add(s.silence))
		}
		m, err := front.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errSilent
		}
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.CopyDone:
			return errServerEnded
		case *pgproto3.CopyData:
			at, data, ok := s.frame(m.Data)
			if !ok {
				continue
			}
			if len(room) < len(data) {
				room = make([]byte, max(blockBytes, len(data)))
			}
			n := copy(room, data)
			if !s.put(message{at, room[:n:n]}) {
				return errServerEnded
			}
			room = room[n:]
		}
	}
}

// put hands a message over, and waits while too much waits. It is false when the stream was closed.
func (s *stream) put(m message) bool {
	s.mu.Lock()
	for s.bytes >= waitingBytes {
		s.mu.Unlock()
		select {
		case <-s.taken:
		case <-s.stop:
			return false
		}
		s.mu.Lock()
	}
	s.waiting = append(s.waiting, m)
	s.bytes += len(m.data) + messageRoom
	s.mu.Unlock()
	signal(s.ready)
	return true
}

// messageRoom is about what a message takes beside its data.
const messageRoom = 32

// take is all that waits; the error comes behind the last message.
func (s *stream) take() ([]message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.waiting
	s.waiting, s.bytes = nil, 0
	signal(s.taken)
	if len(got) == 0 {
		return nil, s.err
	}
	return got, nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// frame reads what is round a message (PostgreSQL documentation, "Streaming Replication
// Protocol"): w is a message, k the server's word of where it is.
func (s *stream) frame(b []byte) (pgoutput.LSN, []byte, bool) {
	switch {
	case len(b) >= 25 && b[0] == 'w':
		return pgoutput.LSN(binary.BigEndian.Uint64(b[1:])), b[25:], true
	case len(b) >= 18 && b[0] == 'k':
		if b[17] != 0 {
			_ = s.tell(false)
		}
		return pgoutput.LSN(binary.BigEndian.Uint64(b[1:])), nil, true
	}
	return 0, nil, false
}

// report tells the server now and then that Tarn is there, and asks whether it is.
func (s *stream) report(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			s.renew.Store(true)
			if s.tell(true) != nil {
				return // the reader tells
			}
		}
	}
}

// tellTimeout bounds the time that a report may take.
const tellTimeout = 5 * time.Second

// tell reports what is flushed; answer asks the server where it is.
func (s *stream) tell(answer bool) error {
	flushed := s.flushed.Load()
	b := []byte{'d', 0, 0, 0, 38, 'r'}
	for range 3 { // written, flushed, applied
		b = binary.BigEndian.AppendUint64(b, flushed)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(pgoutput.Micros(time.Now()))) //nolint:gosec // its bits
	if answer {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(tellTimeout))
	_, err := s.conn.Write(b)
	return err
}

// lost tells whether an error of the server means that the slot cannot be gone on with.
func lost(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case codeNoObject:
		return strings.Contains(e.Message, "slot")
	case codeState:
		return strings.Contains(e.Message, "can no longer") || strings.Contains(e.Message, "slot")
	case "58P01":
		return strings.Contains(e.Message, "WAL segment")
	}
	return false
}
