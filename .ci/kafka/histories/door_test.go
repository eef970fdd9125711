//go:build duckdb_arrow

package histories_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	proof "tarn/.ci/proof"
	"tarn/embedded/fault"
)

const (
	answerWithin = 30 * time.Second      // one answer, of a program that may be down
	askWithin    = 2 * time.Minute       // for an answer that is one, over kills
	retryPause   = 20 * time.Millisecond // before a request is sent again
	stopWithin   = time.Minute           // a clean stop
)

// door is the program's Kafka door, at one address over all its runs.
type door struct {
	house   *proof.House
	address string

	mu      sync.Mutex
	process *proof.Process
}

// newDoor is the door of a program on a folder of its own. Nobody else takes the port that it is given: who asks the
// system for any gets others.
func newDoor(binary, dir, fsync string) (*door, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	h := &proof.House{
		Binary: binary, Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "log"),
		Args: []string{"--set", "http.listen=127.0.0.1:0", "--set", "kafka.listen=" + address, "--set", "bus.fsync=" + fsync},
	}
	return &door{house: h, address: address}, os.Mkdir(h.Project, 0o700)
}

func (d *door) up(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.house.Up(ctx)
	d.process = p
	return err
}

// down ends the program, cleanly or as kill -9 does.
func (d *door) down(kill bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process == nil {
		return nil
	}
	p := d.process
	d.process = nil
	if kill {
		p.Kill()
		return nil
	}
	code, err := p.Stop(stopWithin)
	if err != nil {
		return err
	}
	// A busy machine may not have stopped all within the time that a stop has, which is as if it had been killed.
	if said := d.house.Tail(); code != fault.ExitInterrupted && !strings.Contains(said, "not done within") {
		return fmt.Errorf("tarn ended with %d\n%s", code, said)
	}
	return nil
}

// asker sends single requests, in versions that name topics, and sends none again by itself.
type asker struct{ cl *kgo.Client }

// newAsker asks by the versions before KIP-890's second protocol of transactions, or by those since.
func newAsker(address string, second bool) (asker, error) {
	versions := kversion.V3_0_0()
	if second {
		const withNames = 12 // versions above name topics by their ids
		versions = kversion.V4_0_0()
		versions.SetMaxKeyVersion(kmsg.Produce.Int16(), withNames)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.MaxVersions(versions), kgo.DialTimeout(time.Second))
	return asker{cl}, err
}

// once sends a request once: an error says that nobody knows what became of it.
func (a asker) once(ctx context.Context, r kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return a.cl.SeedBrokers()[0].Request(ctx, r)
}

// ask sends a request until it is answered, and again while code says that it may be. sure tells that it was sent once.
func ask[R kmsg.Response](ctx context.Context, a asker, r kmsg.Request, code func(R) int16) (resp R, sure bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	for sure = true; ; sure = false {
		got, err := a.once(ctx, r)
		if err == nil {
			answer, ok := got.(R)
			if !ok {
				return resp, false, fmt.Errorf("%T was answered with %T", r, got)
			}
			why := kerr.ErrorForCode(code(answer))
			if why == nil || !kerr.IsRetriable(why) && !errors.Is(why, kerr.ConcurrentTransactions) {
				return answer, sure, why
			}
			err = why
		}
		select {
		case <-ctx.Done():
			return resp, false, fmt.Errorf("%s is not answered: %w: %w", kmsg.NameForKey(r.Key()), ctx.Err(), err)
		case <-time.After(retryPause):
		}
	}
}

// packed is one batch of a transaction's records.
func packed(records []*sent, codec kgo.CompressionCodec, now int64, id int64, epoch int16, sequence int32) ([]byte, error) {
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(len(records) - 1), FirstTimestamp: now, MaxTimestamp: now, //nolint:gosec // a few
		ProducerID: id, ProducerEpoch: epoch, FirstSequence: sequence, NumRecords: int32(len(records)), //nolint:gosec // a few
	}
	const transactional = 1 << 4
	b.Attributes = transactional
	for i, s := range records {
		r := kmsg.Record{OffsetDelta: int32(i), Key: []byte(s.key), Value: s.value(), Headers: []kmsg.Header{{Key: idHeader, Value: []byte(s.id)}}} //nolint:gosec // a few
		body := r.AppendTo(nil)
		const ofZero = 1                     // byte that a length of 0 takes
		r.Length = int32(len(body) - ofZero) //nolint:gosec // a few KB
		b.Records = r.AppendTo(b.Records)
	}
	c, err := kgo.DefaultCompressor(codec)
	if err != nil {
		return nil, err
	}
	if c != nil {
		var kind kgo.CompressionCodecType
		b.Records, kind = c.Compress(new(bytes.Buffer), b.Records)
		b.Attributes |= int16(kind)
	}
	const lengthEnd, crcAt, crcEnd = 12, 17, 21
	b.Length = int32(len(b.AppendTo(nil)) - lengthEnd) //nolint:gosec // a few KB
	text := b.AppendTo(nil)
	binary.BigEndian.PutUint32(text[crcAt:], crc32.Checksum(text[crcEnd:], crc32.MakeTable(crc32.Castagnoli)))
	return text, nil
}

// idHeader is the header of each record that says which it is, tombstones too.
const idHeader = "id"

// value is a record's: it names the record and has a length that follows from it.
func (s *sent) value() []byte {
	if s.tombstone {
		return nil
	}
	const longest = 1500
	return []byte(s.id + strings.Repeat(" "+s.key, s.n*37%longest/3))
}

var codecs = []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}

// pick is one of some.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// pause waits a moment, or until ctx ends.
func pause(ctx context.Context, r *rand.Rand, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(r.Int64N(int64(most)))):
	}
}
