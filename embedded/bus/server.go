package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Limits of the embedded server.
const (
	payloadBytesMax = 32 << 20  // one stored message: the most that JetStream takes
	pendingBytesMax = 256 << 20 // what one connection may leave unread
	storeBytesMax   = 1 << 50   // no limit of JetStream's: rule 4 watches the disk
	memoryBytesMax  = 256 << 20 // RAM of consumers' states
	startTimeout    = 60 * time.Second
	apiTimeout      = 10 * time.Second
	createTriesMax  = 100
	createPause     = 30 * time.Millisecond
	recoveryTasks   = 4                      // streams that the server restores side by side
	askInterval     = 250 * time.Millisecond // how often a cursor that waits asks for more

	// partitionsPerLane is how many partitions share a connection: several busy
	// connections are served unfairly, one alone does not use both cores.
	partitionsPerLane = 25

	account    = "TARN"
	serverUser = "tarn"
)

var errServerGone = errors.New("the embedded server stopped")

// session is one run of the embedded server with its connections. After a restart
// there is a new one.
type session struct {
	ns       *server.Server
	password string
	admin    *nats.Conn
	api      jetstream.JetStream
	gone     chan struct{} // closed when the session has ended or a connection was lost
	leave    func()        // closes gone
	stuck    atomic.Bool   // a restart was asked for
	found    *inspection   // what was found in the files before

	mu    sync.Mutex
	lanes map[int]*lane
}

// lane is a pair of connections that some partitions share: one for appends alone, so
// that reads do not delay their acknowledgments.
type lane struct {
	publish *nats.Conn
	read    jetstream.JetStream
	conns   [2]*nats.Conn
}

// startServer looks at the server's files, starts it on them and returns when every stream is
// restored. failed tells that a session before it did not end well.
func startServer(ctx context.Context, o Options, failed bool) (*session, error) {
	found, err := inspect(ctx, o, failed)
	if err != nil {
		return nil, err
	}
	acc := server.NewAccount(account)
	password := rand.Text()
	opts := &server.Options{
		ServerName: "tarn-bus", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: o.Dir, JetStreamMaxStore: storeBytesMax, JetStreamMaxMemory: memoryBytesMax,
		MaxPayload: payloadBytesMax, MaxPending: pendingBytesMax,
		SyncAlways: o.Fsync != FsyncInterval, SyncInterval: o.SyncInterval,
		Accounts: []*server.Account{acc},
		Users:    []*server.User{{Username: serverUser, Password: password, Account: acc}},
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the embedded server: %w", err)
	}
	ns.SetLogger(&serverLog{log: o.Log}, false, false)
	ns.Start()
	gone := make(chan struct{})
	s := &session{ns: ns, password: password, found: found, gone: gone, leave: sync.OnceFunc(func() { close(gone) }), lanes: map[int]*lane{}}
	if err := s.ready(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *session) ready() error {
	if !s.ns.ReadyForConnections(startTimeout) {
		return fmt.Errorf("start the embedded server: not ready after %s", startTimeout)
	}
	acc, err := s.ns.LookupAccount(account)
	if err != nil {
		return fmt.Errorf("start the embedded server: %w", err)
	}
	if err := enableJetStream(acc); err != nil {
		return fmt.Errorf("restore the log's streams: %w", err)
	}
	if s.admin, err = s.connect(); err != nil {
		return err
	}
	s.api, err = jetstream.New(s.admin, jetstream.WithDefaultTimeout(apiTimeout))
	return err
}

// enableJetStream restores the account's streams, several side by side.
func enableJetStream(acc *server.Account) error {
	tasks := make(chan func())
	var workers sync.WaitGroup
	for range recoveryTasks {
		workers.Go(func() {
			for task := range tasks {
				task()
			}
		})
	}
	err := acc.EnableJetStream(nil, tasks)
	close(tasks)
	workers.Wait()
	return err
}

// connect opens an in-process connection. It never reconnects: what was under way on
// a lost one is unknown, so the session ends with it.
func (s *session) connect() (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(s.ns), nats.UserInfo(serverUser, s.password),
		nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { s.leave() }))
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded server: %w", err)
	}
	return nc, nil
}

// lane returns the connections of a lane, opened at first use.
func (s *session) lane(n int) (*lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[n]; l != nil {
		return l, nil
	}
	publish, err := s.connect()
	if err != nil {
		return nil, err
	}
	read, err := s.connect()
	if err != nil {
		publish.Close()
		return nil, err
	}
	js, err := jetstream.New(read, jetstream.WithDefaultTimeout(apiTimeout))
	if err != nil {
		publish.Close()
		read.Close()
		return nil, err
	}
	l := &lane{publish: publish, read: js, conns: [2]*nats.Conn{publish, read}}
	s.lanes[n] = l
	return l, nil
}

// stop ends the session: connections, then the server, which syncs and closes its files.
func (s *session) stop() {
	s.leave()
	s.mu.Lock()
	for _, l := range s.lanes {
		for _, nc := range l.conns {
			nc.Close()
		}
	}
	s.mu.Unlock()
	if s.admin != nil {
		s.admin.Close()
	}
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// lost tells whether the session has ended.
func (s *session) lost() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// cursor reads a stream's messages in order, ahead of its caller.
type cursor struct {
	session *session
	it      jetstream.MessagesContext
	drop    func()
}

// cursor starts reading at a sequence, with ahead messages on the way at most.
func (s *session) cursor(ctx context.Context, laneNo int, stream string, from uint64, ahead int) (*cursor, error) {
	l, err := s.lane(laneNo)
	if err != nil {
		return nil, err
	}
	cons, err := l.read.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: 5 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("read %s from message %d: %w", stream, from, err)
	}
	name := cons.CachedInfo().Name
	drop := func() { // nobody waits for it, a stop under load least of all: what gets lost the server drops by itself later
		if !s.lost() {
			_ = l.conns[1].Publish(fmt.Sprintf(server.JSApiConsumerDeleteT, stream, name), nil)
		}
	}
	it, err := cons.Messages(jetstream.PullMaxMessages(ahead))
	if err != nil {
		drop()
		return nil, fmt.Errorf("read %s from message %d: %w", stream, from, err)
	}
	return &cursor{session: s, it: it, drop: drop}, nil
}

// next waits for the next message. Of a ctx that ends it returns ctx's error, and may be
// called again.
func (c *cursor) next(ctx context.Context) (stored, error) {
	msg, err := c.message(ctx)
	if err != nil {
		return stored{}, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return stored{}, err
	}
	return stored{seq: meta.Sequence.Stream, header: msg.Headers(), data: msg.Data(), at: meta.Timestamp}, nil
}

// message waits in short turns. The client asks the server for more only when a call begins, and not while it is sending
// what it asked before: when all of that has come by then, a call would wait for nothing.
func (c *cursor) message(ctx context.Context) (jetstream.Msg, error) {
	for {
		turn, cancel := context.WithTimeout(ctx, askInterval)
		msg, err := c.it.Next(jetstream.NextContext(turn))
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return msg, err
		}
	}
}

func (c *cursor) close() {
	c.it.Stop()
	c.drop()
}

// serverLog passes the server's warnings on.
type serverLog struct{ log *slog.Logger }

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}
func (l *serverLog) Warnf(format string, v ...any) {
	switch {
	case strings.HasPrefix(format, "Plaintext passwords"), strings.HasPrefix(format, "Maximum payloads"):
		return // ours is random and never leaves the process; joined messages need the size
	case strings.Contains(format, "] Stream state outdated, "): // as the inspection has told
		l.log.Debug("embedded server warns", "text", fmt.Sprintf(format, v...))
	case strings.Contains(format, "] Recovering stream state from index errored: ") && strings.HasSuffix(fmt.Sprint(v...), "prior state file"):
		l.log.Debug("embedded server warns", "text", fmt.Sprintf(format, v...)) // follows the other
	default:
		l.log.Warn("embedded server warns", "text", fmt.Sprintf(format, v...))
	}
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("embedded server error", "text", fmt.Sprintf(format, v...))
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.log.Error("embedded server failed", "text", fmt.Sprintf(format, v...))
}

// within is next with a limit, for messages that are known to be there.
func (c *cursor) within(ctx context.Context, limit time.Duration) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.next(ctx)
}

// info returns what a stream is and holds, or jetstream.ErrStreamNotFound.
func (s *session) info(ctx context.Context, stream string) (jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	st, err := s.api.Stream(ctx, stream)
	if err != nil {
		return jetstream.StreamInfo{}, err
	}
	return *st.CachedInfo(), nil
}

// create makes a stream. The server removes the files of one that was deleted behind its
// answer, and refuses to make another of the name meanwhile.
func (s *session) create(ctx context.Context, c jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	for tries := 1; ; tries++ {
		_, err := s.api.CreateStream(ctx, c)
		refusal, ok := errors.AsType[*jetstream.APIError](err)
		if !ok || refusal.ErrorCode != jetstream.ErrorCode(server.JSStreamCreateErrF) || tries == createTriesMax {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(createPause):
		}
	}
}

// message reads one message by its sequence.
func (s *session) message(ctx context.Context, stream string, seq uint64) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	st, err := s.api.Stream(ctx, stream)
	if err != nil {
		return stored{}, err
	}
	m, err := st.GetMsg(ctx, seq)
	if err != nil {
		return stored{}, err
	}
	return stored{seq: m.Sequence, header: m.Header, data: m.Data, at: m.Time}, nil
}

// last reads what a stream's last message holds.
func (s *session) last(ctx context.Context, stream string) (span, error) {
	info, err := s.info(ctx, stream)
	if err != nil {
		return span{}, err
	}
	m, err := s.message(ctx, stream, info.State.LastSeq)
	if err != nil {
		return span{}, err
	}
	return m.span()
}

// purge removes the stream's messages below a sequence.
func (s *session) purge(ctx context.Context, stream string, below uint64) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	st, err := s.api.Stream(ctx, stream)
	if err != nil {
		return err
	}
	return st.Purge(ctx, jetstream.WithPurgeSequence(below))
}
