// Package kafka is the door of Apache Kafka's protocol: frames, versions and errors on the wire, over what
// embedded/bus does. One broker, node 1, leads every partition. It keeps no record and no offset of its own, and
// reads no record but to check it.
package kafka

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/bus/txn"
	"tarn/embedded/door"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
)

// The bounds of the door.
const (
	connsMax = 12_000 // one more is closed at once
	// produceBytesMax bounds a produce request, as Kafka's socket.request.max.bytes does.
	produceBytesMax = 100 << 20
	// requestBytesMax bounds any other. A length within it may claim an element for each byte, which
	// takes up to requestWeight times its memory.
	requestBytesMax = 2 << 20
	requestWeight   = 24
	// freeBytesMax is what a request may have without a share of the memory in hand, so that no other client keeps a
	// heartbeat or a commit waiting: connsMax bounds these. It is also what must be there of a larger one before its
	// length is believed.
	freeBytesMax = 16 << 10
	// handBytesMax bounds the memory of all larger requests that are read or handled, but for produce requests.
	handBytesMax = 64 << 20
	// produceHandBytesMax bounds produce requests, which wait for the log and so must not keep out others.
	produceHandBytesMax = 128 << 20
	// answerBytesMax bounds the records in all answers that clients have not taken yet.
	answerBytesMax = 64 << 20
	promisesMax    = 64 // produce requests of one connection that wait for the log

	idleMax  = 10 * time.Minute // Kafka's connections.max.idle.ms
	readMax  = 30 * time.Second // for a request, once it has begun
	writeMax = 30 * time.Second // for an answer
	drainMax = 2 * time.Second  // a stop waits so long for what is on its way
)

// doorName is the name of this door, as in ports.json.
const doorName = "kafka"

// nodeID is the one broker's.
const nodeID = 1

// clusterKey is the key in meta of the cluster's id.
const clusterKey = "cluster"

// Options of the door.
type Options struct {
	Listener     net.Listener // the door closes it
	Bus          *bus.Bus
	Groups       *group.Coordinator
	Transactions *txn.Coordinator
	Meta         *meta.Store
	Guard        guard.Guard // nil: everyone may do everything
	Clock        life.Clock
	Log          *slog.Logger
	Metrics      prometheus.Registerer // nil: counted for nobody

	drain time.Duration // tests set it; else drainMax
}

// Door is the part that answers Kafka's clients.
type Door struct {
	o       Options
	cluster string
	apis    map[int16]api
	inHand  *semaphore.Weighted // handBytesMax
	produce *semaphore.Weighted // produceHandBytesMax
	answers *semaphore.Weighted // answerBytesMax
	lists   *semaphore.Weighted // listsBytesMax
	owed    atomic.Int64        // of answers
	metrics *metrics
	frames  *frames
	ids     atomic.Int32 // of fetch sessions
	ahead   atomic.Int32 // readers that read ahead from the disk
	held    atomic.Int64 // bytes that readings keep
	// inflating has room for as many as there are processors: what is decompressed takes memory, and no more goes faster.
	inflating chan struct{}
	making    chan struct{}  // has room for makingMax
	made      sync.WaitGroup // topics that are being made

	mu    sync.Mutex
	conns int
}

// New returns the door of a listener.
func New(o Options) *Door {
	if o.Guard == nil {
		o.Guard = guard.Open{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = life.SystemClock{}
	}
	if o.drain == 0 {
		o.drain = drainMax
	}
	d := &Door{
		o: o, metrics: newMetrics(o.Metrics), frames: newFrames(), inflating: make(chan struct{}, runtime.GOMAXPROCS(0)), making: make(chan struct{}, makingMax),
		inHand: semaphore.NewWeighted(handBytesMax), produce: semaphore.NewWeighted(produceHandBytesMax), answers: semaphore.NewWeighted(answerBytesMax), lists: semaphore.NewWeighted(listsBytesMax),
	}
	d.apis = table()
	return d
}

// Name is the part's name.
func (d *Door) Name() string { return doorName }

// Run answers until ctx ends.
func (d *Door) Run(ctx context.Context, ready func()) error {
	cluster, err := ClusterID(ctx, d.o.Meta)
	if err != nil {
		return err
	}
	d.cluster = cluster
	defer d.made.Wait()
	drain, drained := context.WithCancel(context.WithoutCancel(ctx))
	defer drained()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(d.o.drain, drained) })()
	ready()
	return door.Accept(ctx, d.o.Listener, "Kafka's clients", d.o.Log, func(nc net.Conn) {
		if !d.enter() {
			d.metrics.refusals.WithLabelValues("connections").Inc()
			_ = nc.Close()
			return
		}
		defer d.leave()
		d.serve(ctx, drain, nc)
	})
}

func (d *Door) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns >= connsMax {
		return false
	}
	d.conns++
	d.metrics.conns.Set(float64(d.conns))
	return true
}

func (d *Door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns--
	d.metrics.conns.Set(float64(d.conns))
}

// ClusterID is the id of the data folder's cluster, made at the first start: 22 characters, as Kafka's.
func ClusterID(ctx context.Context, m *meta.Store) (string, error) {
	kept, err := m.Get(ctx, meta.Kafka, clusterKey)
	if !errors.Is(err, meta.ErrNotFound) {
		return string(kept), err
	}
	random := uuid.New()
	id := base64.RawURLEncoding.EncodeToString(random[:])
	return id, m.Put(ctx, meta.Entry{Bucket: meta.Kafka, Key: clusterKey, Value: []byte(id)})
}
