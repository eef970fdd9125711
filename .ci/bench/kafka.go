//go:build duckdb_arrow

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	proof "tarn/.ci/proof"
)

// The load on both brokers.
const (
	kafkaRounds     = 3
	kafkaTrips      = 2000
	kafkaProducers  = 64
	kafkaSmallBatch = 16 << 10
	kafkaLarge      = 10_000_000 // records in the log that is there at a restart
	kafkaWithin     = 5 * time.Minute
	kafkaFsyncs     = 500
)

// broker is a Kafka broker under measurement, Tarn or the peer.
type broker struct {
	name    string
	address string
	start   func() error // also again, on the same data
	end     func() error // by kill -9: what is timed is a start after a crash
	pid     func() int

	stop func() error                          // cleanly; Tarn alone
	cost func() (cpu time.Duration, rss int64) // Tarn alone
}

// kafkaParts measure the Kafka door beside Apache Kafka as it comes, which acknowledges without a sync. Tarn syncs first.
func (b *bench) kafkaParts() map[string][]func(context.Context) error {
	part := func(load, trips, restart bool) []func(context.Context) error {
		return []func(context.Context) error{func(ctx context.Context) error { return b.kafka(ctx, load, trips, restart) }}
	}
	return map[string][]func(context.Context) error{
		"kafka": part(true, true, true), "kafka-load": part(true, false, false), "kafka-trips": part(false, true, false), "kafka-restart": part(false, false, true),
		"kafka-scale": {b.manyPartitions, b.manyConsumers, b.manyConnections},
		// the parts of kafka-scale alone
		"kafka-partitions": {b.manyPartitions}, "kafka-consumers": {b.manyConsumers}, "kafka-connections": {b.manyConnections},
	}
}

func (b *bench) kafka(ctx context.Context, load, trips, restart bool) error {
	ours, err := b.kafkaTarn("kafka", "always")
	if err != nil {
		return err
	}
	lazy, err := b.kafkaTarn("kafka-interval", "interval")
	if err != nil {
		return err
	}
	both := []*broker{ours}
	if setting("TARN_BENCH_PEER", "yes") != "no" {
		peer, err := b.kafkaPeer()
		if err != nil {
			return err
		}
		both = []*broker{peer, ours}
	}
	for _, k := range append(both, lazy) {
		defer func() { _ = k.end() }()
		if err := k.start(); err != nil {
			return fmt.Errorf("start %s: %w", k.name, err)
		}
		if _, err := k.trips(ctx, "warm", 500); err != nil {
			return fmt.Errorf("warm %s up: %w", k.name, err)
		}
	}
	idle := ours.rss()
	b.print("kafka_peer_idle_rss_mb", "%.0f", both[0].rss())
	if load {
		if err := b.kafkaLoad(ctx, both); err != nil {
			return err
		}
	}
	if trips {
		if err := b.kafkaTrips(ctx, append(both, lazy)); err != nil {
			return err
		}
	}
	b.print("kafka_rss_added_mb", "%.0f", ours.rss()-idle)
	b.print("kafka_peer_rss_mb", "%.0f", both[0].rss())
	b.print("kafka_rss_added_of_peer", "%.2f", (ours.rss()-idle)/both[0].rss())
	if restart {
		return b.kafkaRestart(ctx, both)
	}
	return nil
}

// kafkaLoad produces and consumes in turns.
func (b *bench) kafkaLoad(ctx context.Context, both []*broker) error {
	length, err := time.ParseDuration(setting("TARN_BENCH_KAFKA", "5s"))
	if err != nil {
		return err
	}
	for _, load := range []struct {
		name      string
		size      int
		producers int
		batch     int32
	}{
		{"200b", 200, 1, 1 << 20}, {"1kb", 1024, 1, 1 << 20}, {"64x16kb", 1024, kafkaProducers, kafkaSmallBatch},
	} {
		made, read, spent := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
		for round := range kafkaRounds {
			for _, k := range both {
				topic, cpu := fmt.Sprintf("load-%s-%d", load.name, round), k.cpu()
				n, took, err := k.produce(ctx, topic, load.size, load.producers, load.batch, length)
				if err != nil {
					return fmt.Errorf("produce to %s: %w", k.name, err)
				}
				made[k.name] = append(made[k.name], megabytes(n, load.size, took))
				if took, err = k.consume(ctx, topic, n, load.size); err != nil {
					return fmt.Errorf("consume from %s: %w", k.name, err)
				}
				read[k.name] = append(read[k.name], megabytes(n, load.size, took))
				spent[k.name] = append(spent[k.name], (k.cpu()-cpu)*1e9/float64(n)/float64(load.size))
			}
		}
		peer, ours := both[0].name, both[len(both)-1].name
		b.beside("kafka_produce_"+load.name, "mb_s", made[peer], made[ours])
		b.beside("kafka_consume_"+load.name, "mb_s", read[peer], read[ours])
		b.beside("kafka_cpu_"+load.name, "s_gb", spent[peer], spent[ours])
	}
	return nil
}

// beside prints two medians and their ratio, ours over the peer's.
func (b *bench) beside(key, unit string, peer, ours []float64) {
	p, o := quantile(peer, 0.5), quantile(ours, 0.5)
	b.print(key+"_"+unit, "%.2f", o)
	b.print(key+"_peer_"+unit, "%.2f", p)
	b.print(key+"_ratio", "%.2f", o/p)
}

func megabytes(n, size int, took time.Duration) float64 {
	return float64(n) * float64(size) / 1e6 / took.Seconds()
}

// kafkaTrips times a record's way there and back, and a sync of the disk beside it.
func (b *bench) kafkaTrips(ctx context.Context, all []*broker) error {
	p50, p99 := map[string][]float64{}, map[string][]float64{}
	for round := range kafkaRounds {
		for _, k := range all {
			took, err := k.trips(ctx, fmt.Sprint("trips-", round), kafkaTrips)
			if err != nil {
				return fmt.Errorf("a record's way through %s: %w", k.name, err)
			}
			p50[k.name], p99[k.name] = append(p50[k.name], quantile(took, 0.5)), append(p99[k.name], quantile(took, 0.99))
		}
	}
	syncs, err := b.fsyncs()
	if err != nil {
		return err
	}
	b.print("kafka_fsync_p50_ms", "%.2f", quantile(syncs, 0.5))
	b.print("kafka_fsync_p99_ms", "%.2f", quantile(syncs, 0.99))
	for _, k := range all[1:] {
		b.beside("kafka_trip_p50_"+k.name, "ms", p50[all[0].name], p50[k.name])
		b.beside("kafka_trip_p99_"+k.name, "ms", p99[all[0].name], p99[k.name])
	}
	return nil
}

// fsyncs are the times of small appends to a file, each synced, where the data are.
func (b *bench) fsyncs() (took []float64, err error) {
	f, err := os.Create(filepath.Join(b.dir, "synced"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for range kafkaFsyncs {
		began := time.Now()
		if _, err := f.Write(make([]byte, 1024)); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, millis(time.Since(began)))
	}
	return took, nil
}

// kafkaRestart kills both with a long log, reads it cold, and times the way to the first acknowledgment.
func (b *bench) kafkaRestart(ctx context.Context, both []*broker) error {
	const size = 100
	read, acked := map[string][]float64{}, map[string]float64{}
	for _, k := range both {
		if err := k.fill(ctx, "large", kafkaLarge, size); err != nil {
			return fmt.Errorf("fill %s: %w", k.name, err)
		}
		if err := k.end(); err != nil {
			return err
		}
		syscall.Sync()
		_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0) // where that is not allowed the log is read from the page cache
		began := time.Now()
		if err := k.start(); err != nil {
			return fmt.Errorf("start %s again: %w", k.name, err)
		}
		if err := k.one(ctx, "large", size); err != nil {
			return err
		}
		acked[k.name] = time.Since(began).Seconds()
		took, err := k.consume(ctx, "large", kafkaLarge, size)
		if err != nil {
			return fmt.Errorf("read %s cold: %w", k.name, err)
		}
		read[k.name] = append(read[k.name], megabytes(kafkaLarge, size, took))
	}
	peer, ours := both[0].name, both[len(both)-1].name
	b.beside("kafka_consume_cold_100b", "mb_s", read[peer], read[ours])
	b.beside("kafka_first_ack_after_kill", "s", []float64{acked[peer]}, []float64{acked[ours]})
	return nil
}

// kafkaTarn is Tarn's door.
func (b *bench) kafkaTarn(name, fsync string) (*broker, error) {
	h, err := b.house(name)
	if err != nil {
		return nil, err
	}
	h.Args = []string{"--listen", "auto", "--set", "bus.fsync=" + fsync}
	k := &broker{name: map[string]string{"always": "fsynced", "interval": "interval"}[fsync]}
	var p *proof.Process
	k.pid = func() int { return p.PID() }
	k.end = func() error { p.Kill(); return nil }
	k.cost = func() (time.Duration, int64) { return p.Cost() }
	k.stop = func() error {
		_, err := p.Stop(kafkaWithin)
		return err
	}
	k.start = func() error {
		if p, err = h.Up(context.Background()); err != nil {
			return err
		}
		ports, err := h.Ports()
		k.address = ports["kafka"]
		return err
	}
	return k, nil
}

// kafkaPeer is Apache Kafka.
func (b *bench) kafkaPeer() (*broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &broker{name: "peer", address: l.Addr().String()}
	_, port, err := net.SplitHostPort(k.address)
	if err = errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "peer")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var cmd *exec.Cmd
	var ended chan struct{}
	k.pid = func() int { return cmd.Process.Pid }
	k.end = func() error {
		_ = cmd.Process.Kill()
		<-ended
		return nil
	}
	k.start = func() error {
		log, err := os.OpenFile(filepath.Join(b.dir, "peer.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }()
		cmd, ended = exec.Command("./.ci/bench/kafka/broker", dir, port), make(chan struct{})
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return err
		}
		go func(cmd *exec.Cmd, ended chan struct{}) {
			defer close(ended)
			_ = cmd.Wait()
		}(cmd, ended)
		until := time.Now().Add(kafkaWithin)
		for time.Now().Before(until) {
			select {
			case <-ended:
				text, _ := os.ReadFile(filepath.Join(b.dir, "peer.log"))
				return fmt.Errorf("the peer has ended:\n%s", text[max(0, len(text)-4096):])
			case <-time.After(20 * time.Millisecond):
			}
			if c, err := net.Dial("tcp", k.address); err == nil {
				return c.Close()
			}
		}
		return errors.New("the peer does not start")
	}
	return k, nil
}

// rss is what the process takes, in MB.
func (k *broker) rss() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", k.pid()))
	if err != nil {
		return 0
	}
	var size, resident int
	_, _ = fmt.Sscan(string(text), &size, &resident)
	return float64(resident*os.Getpagesize()) / 1e6
}

// cpu is the processor time that the process has taken, in s.
func (k *broker) cpu() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", k.pid()))
	if err != nil {
		return 0
	}
	const ticks = 100 // a second, on every Linux
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks
}

func (k *broker) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.address), kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(kgo.NoCompression())}, more...)...)
}

// valueOf is a record of half-compressible bytes: real ones are not zeros.
func valueOf(size int) []byte {
	v, x := make([]byte, size), uint32(1)
	for i := range v {
		x = x*1664525 + 1013904223
		v[i] = "abcdefghijklmnop"[x>>28]
	}
	return v
}

// one produces a record and waits for it.
func (k *broker) one(ctx context.Context, topic string, size int) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaWithin)
	defer cancel()
	cl, err := k.client(kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, &kgo.Record{Value: valueOf(size)}).FirstErr()
}

// produce sends records for so long by so many clients, and tells how many are acknowledged and how long that took.
func (k *broker) produce(ctx context.Context, topic string, size, producers int, batch int32, length time.Duration) (n int, took time.Duration, err error) {
	if err := k.one(ctx, topic, size); err != nil {
		return 0, 0, err
	}
	var sent atomic.Int64
	var all errgroup.Group
	began := time.Now()
	for range producers {
		all.Go(func() error {
			n, err := k.send(ctx, topic, size, batch, 100_000/producers, func(int) bool { return time.Since(began) < length })
			sent.Add(int64(n))
			return err
		})
	}
	err = all.Wait()
	return 1 + int(sent.Load()), time.Since(began), err
}

// fill produces so many records.
func (k *broker) fill(ctx context.Context, topic string, n, size int) error {
	_, err := k.send(ctx, topic, size, 1<<20, 100_000, func(sent int) bool { return sent < n })
	return err
}

// send is one client's records, as long as more says so, asked each thousand.
func (k *broker) send(ctx context.Context, topic string, size int, batch int32, buffered int, more func(sent int) bool) (n int, err error) {
	cl, err := k.client(kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(batch), kgo.MaxBufferedRecords(buffered), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	value := valueOf(size)
	for more(n) {
		for range 1000 {
			cl.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Store(&err)
				}
			})
			n++
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return n, err
	}
	if err := failed.Load(); err != nil {
		return n, *err
	}
	return n, nil
}

// consume reads a topic from its start until want records have come, each in its turn and whole.
func (k *broker) consume(ctx context.Context, topic string, want, size int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, kafkaWithin)
	defer cancel()
	cl, err := k.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	began, next := time.Now(), int64(0)
	for int(next) < want {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("after %d of %d records: %w", next, want, err)
		}
		var wrong error
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset != next || len(r.Value) != size {
				wrong = fmt.Errorf("offset %d with %d bytes where offset %d was due", r.Offset, len(r.Value), next)
			}
			next++
		})
		if wrong != nil {
			return 0, wrong
		}
	}
	return time.Since(began), nil
}

// trips sends records one by one, each when the one before has come back, and tells in ms how long each took.
func (k *broker) trips(ctx context.Context, topic string, n int) (took []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, kafkaWithin)
	defer cancel()
	if err := k.one(ctx, topic, 1); err != nil {
		return nil, err
	}
	cl, err := k.client(kgo.DefaultProduceTopic(topic), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtEnd()}}), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	// The consumer may look for the end after the first of these.
	for seen := false; !seen; {
		if err := cl.ProduceSync(ctx, &kgo.Record{Value: []byte("begin")}).FirstErr(); err != nil {
			return nil, err
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		seen = cl.PollFetches(short).NumRecords() > 0
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for i := range n {
		mark := strconv.Itoa(i)
		began := time.Now()
		if err := cl.ProduceSync(ctx, &kgo.Record{Value: append([]byte(mark+":"), valueOf(1024)...)}).FirstErr(); err != nil {
			return nil, err
		}
		for back := false; !back; {
			fetches := cl.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return nil, err
			}
			back = slices.ContainsFunc(fetches.Records(), func(r *kgo.Record) bool {
				return len(r.Value) > len(mark) && string(r.Value[:len(mark)+1]) == mark+":"
			})
		}
		took = append(took, millis(time.Since(began)))
	}
	return took, nil
}
