package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// committedReader consumes committed records of topics from their start.
func (h *house) committedReader(topics ...string) *kgo.Client {
	return h.client(kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
}

// values polls until there are so many records, in the order of each topic.
func values(ctx context.Context, t *testing.T, c *kgo.Client, n int) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for had := 0; had < n; {
		got := c.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("%v: %v", err, out)
		}
		got.EachRecord(func(r *kgo.Record) {
			out[r.Topic] = append(out[r.Topic], string(r.Value))
			had++
		})
	}
	return out
}

// TestReadersOfCommittedRecordsSeeTransactionsWhole, with a client that commits some and aborts others over two topics, by either
// protocol of transactions (KIP-890).
func TestReadersOfCommittedRecordsSeeTransactionsWhole(t *testing.T) {
	for name, c := range map[string]struct {
		versions *kversion.Versions
		epochs   int16 // of 12 transactions
	}{"first": {kversion.V3_8_0(), 0}, "second": {kversion.Stable(), 12}} {
		t.Run(name, func(t *testing.T) { transactionsAreWhole(t, c.versions, c.epochs) })
	}
}

func transactionsAreWhole(t *testing.T, versions *kversion.Versions, epochs int16) {
	h, ctx := newHouse(t), within(t)
	p := h.client(kgo.TransactionalID("port"), kgo.TransactionTimeout(time.Minute), kgo.MaxVersions(versions))
	reader := h.committedReader("a", "b")
	var want []string
	for n := range 12 {
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		v := fmt.Sprint(n)
		if err := p.ProduceSync(ctx, &kgo.Record{Topic: "a", Value: []byte(v)}, &kgo.Record{Topic: "b", Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if n%3 != 1 {
			want = append(want, v)
		}
		if err := p.EndTransaction(ctx, kgo.TransactionEndTry(n%3 != 1)); err != nil {
			t.Fatal(err)
		}
	}
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	describe.TransactionalIDs = []string{"port"}
	told, err := describe.RequestWith(ctx, p)
	if err != nil || told.TransactionStates[0].ProducerEpoch != epochs {
		t.Fatalf("%+v, %v, want epoch %d", told, err, epochs)
	}
	got := values(ctx, t, reader, 2*len(want))
	if !slices.Equal(got["a"], want) || !slices.Equal(got["b"], want) {
		t.Fatalf("read %q, want %q", got, want)
	}
	all := h.client(kgo.ConsumeTopics("a"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := values(ctx, t, all, 12); len(got["a"]) != 12 {
		t.Fatalf("all are %q", got)
	}
}

// TestAbortedRecordsAreToldWhileTheLogIsTrimmed: a fetch that has read them names their transactions, or is out of range.
func TestAbortedRecordsAreToldWhileTheLogIsTrimmed(t *testing.T) {
	const transactions, producer, control = 400, 7, 1 << 5 // the last is the bit of a control batch
	h, ctx := newHouse(t), within(t)
	topic, err := h.bus.CreateTopic(ctx, "a", bus.TopicConfig{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := topic.Partitions()[0]
	for n := range int32(transactions) {
		b := record.Encode([]record.Record{{Timestamp: time.Now().UnixMilli(), Value: make([]byte, 8<<10)}})
		b.SetProducer(producer, 0, n, true)
		p.Admit(producer, 0)
		if _, err := p.Append(ctx, b); err != nil {
			t.Fatal(err)
		}
		if _, err := p.AppendMarker(ctx, record.Marker{Producer: producer}); err != nil {
			t.Fatal(err)
		}
	}
	id := topic.ID()
	trimmed := make(chan error, 1)
	go func() {
		for at := int64(2); at < 2*transactions; at += 2 {
			if err := p.Trim(ctx, at); err != nil {
				trimmed <- err
				return
			}
		}
		trimmed <- nil
	}()
	c := h.client()
	for fetches := 0; ; fetches++ {
		select {
		case err := <-trimmed:
			if err != nil || fetches == 0 {
				t.Fatalf("%d fetches, %v", fetches, err)
			}
			return
		default:
		}
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes, req.IsolationLevel, req.SessionEpoch = 8<<20, 1, -1
		one := kmsg.NewFetchRequestTopic()
		one.Topic, one.TopicID = "a", id
		part := kmsg.NewFetchRequestTopicPartition()
		part.FetchOffset, part.PartitionMaxBytes = p.LogStart(), 8<<20
		one.Partitions = append(one.Partitions, part)
		req.Topics = append(req.Topics, one)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		got := resp.Topics[0].Partitions[0]
		told := map[int64]bool{}
		for _, a := range got.AbortedTransactions {
			told[a.FirstOffset] = true
		}
		for rest := got.RecordBatches; len(rest) > 0; {
			var b kmsg.RecordBatch
			size := 12 + int(binary.BigEndian.Uint32(rest[8:]))
			if err := b.ReadFrom(rest[:size]); err != nil {
				t.Fatal(err)
			}
			if rest = rest[size:]; b.Attributes&control == 0 && !told[b.FirstOffset] {
				t.Fatalf("after %d fetches the record at offset %d, of a transaction that was aborted, is given as if it were committed", fetches, b.FirstOffset)
			}
		}
	}
}

// TestAProducerWhoseIDAnotherHasTakenIsFenced.
func TestAProducerWhoseIDAnotherHasTakenIsFenced(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	zombie := h.client(kgo.TransactionalID("port"))
	begin := func(c *kgo.Client, v string) error {
		if err := c.BeginTransaction(); err != nil {
			return err
		}
		return c.ProduceSync(ctx, &kgo.Record{Topic: "a", Value: []byte(v)}).FirstErr()
	}
	if err := begin(zombie, "zombie"); err != nil {
		t.Fatal(err)
	}
	living := h.client(kgo.TransactionalID("port"))
	if err := begin(living, "living"); err != nil {
		t.Fatal(err)
	}
	err := zombie.ProduceSync(ctx, &kgo.Record{Topic: "a", Value: []byte("zombie")}).FirstErr()
	if err == nil {
		err = zombie.EndTransaction(ctx, kgo.TryCommit)
	}
	if err == nil {
		t.Fatal("a zombie commits")
	}
	if err := living.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if got := values(ctx, t, h.committedReader("a"), 1); !slices.Equal(got["a"], []string{"living"}) {
		t.Fatalf("read %q", got)
	}
}

// TestTransactionsAreTold by ListTransactions, DescribeTransactions and DescribeProducers, and refused by Kafka's errors.
func TestTransactionsAreTold(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	c := h.client(kgo.TransactionalID("port"))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "a", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	list, err := kmsg.NewPtrListTransactionsRequest().RequestWith(ctx, c)
	if err != nil || len(list.TransactionStates) != 1 || list.TransactionStates[0].TransactionState != "Ongoing" {
		t.Fatalf("%+v, %v", list, err)
	}
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	describe.TransactionalIDs = []string{"port", "none"}
	told, err := describe.RequestWith(ctx, c)
	if err != nil || told.TransactionStates[0].Topics[0].Topic != "a" || told.TransactionStates[1].ErrorCode != kerr.TransactionalIDNotFound.Code {
		t.Fatalf("%+v, %v", told, err)
	}
	producers := kmsg.NewPtrDescribeProducersRequest()
	producers.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "a", Partitions: []int32{0}}}
	of, err := producers.RequestWith(ctx, c)
	if err != nil || of.Topics[0].Partitions[0].ActiveProducers[0].ProducerID != told.TransactionStates[0].ProducerID {
		t.Fatalf("%+v, %v", of, err)
	}
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID = "none", 1
	if got, err := end.RequestWith(ctx, c); err != nil || got.ErrorCode != kerr.InvalidProducerIDMapping.Code {
		t.Fatalf("%+v, %v", got, err)
	}
	long := kmsg.NewPtrInitProducerIDRequest()
	long.TransactionalID, long.TransactionTimeoutMillis, long.ProducerID, long.ProducerEpoch = new("long"), int32(time.Hour.Milliseconds()), -1, -1
	if got, err := long.RequestWith(ctx, c); err != nil || got.ErrorCode != kerr.InvalidTransactionTimeout.Code {
		t.Fatalf("%+v, %v", got, err)
	}
}

// childFolder and childAddr tell a child process of the kill test what it serves.
const (
	childFolder = "TARN_KAFKA_TEST_CHILD"
	childAddr   = "TARN_KAFKA_TEST_ADDR"
)

// childMain makes this process the kill test's child, if it is one: it serves until it is killed.
func childMain() {
	dir := os.Getenv(childFolder)
	if dir == "" {
		return
	}
	if _, err := serve(context.Background(), dir, os.Getenv(childAddr), setting{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// killed serves a folder in a child process that is killed again and again.
type killed struct {
	t    *testing.T
	h    house
	cmd  *exec.Cmd
	out  strings.Builder
	done chan error
}

func (k *killed) start(point string) {
	k.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	k.cmd = exec.CommandContext(k.t.Context(), exe)
	k.cmd.Env = append(os.Environ(), childFolder+"="+k.h.dir, childAddr+"="+k.h.addr, "TARN_CRASH="+point)
	k.cmd.Stdout, k.cmd.Stderr = &k.out, &k.out
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.done = make(chan error, 1)
	go func() { k.done <- k.cmd.Wait() }()
}

// relay is a consumer and producer that writes each record of one topic to two others, with its offset, in transactions.
func relay(ctx context.Context, addr string, done func() bool) error {
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(addr), kgo.TransactionalID("relay"), kgo.ConsumerGroup("relay"), kgo.ConsumeTopics("in"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxPartitionBytes(200), kgo.RetryTimeout(20*time.Second),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(time.Second)) // what a relay leaves behind that has ended holds the next one up for as long
	if err != nil {
		return err
	}
	defer s.Close()
	for n := 0; !done(); n++ {
		short, cancel := context.WithTimeout(ctx, time.Second)
		got := s.PollFetches(short)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if got.NumRecords() == 0 {
			continue
		}
		if err := s.Begin(); err != nil {
			return err
		}
		failed := false
		got.EachRecord(func(r *kgo.Record) {
			for _, topic := range []string{"left", "right"} {
				if s.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: r.Value}).FirstErr() != nil {
					failed = true
				}
			}
		})
		if _, err := s.End(ctx, kgo.TransactionEndTry(!failed && n%4 != 2)); err != nil {
			return err
		}
	}
	return nil
}

// TestReadProcessWriteIsExactlyOnceOverKills: a relay whose Tarn is killed at each step of a transaction brings each record
// to both topics once.
func TestReadProcessWriteIsExactlyOnceOverKills(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &killed{t: t, h: house{t: t, dir: t.TempDir(), addr: l.Addr().String()}}
	_ = l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	points := []string{"txn.added:3", "txn.prepared:3", "txn.marker:3", "txn.marked:2", "txn.completed:2", "bus.published:7"}
	stop := make(chan struct{})
	tended := make(chan error, 1)
	k.start("")
	in := k.h.client(kgo.DefaultProduceTopic("in"))
	const records = 200
	var want []string
	for n := range records {
		want = append(want, fmt.Sprint(n))
		if err := in.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(n))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	_ = k.cmd.Process.Kill()
	<-k.done
	go func() { // starts it again after each kill
		for _, point := range points {
			k.start(point)
			select {
			case err := <-k.done:
				if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != -1 {
					tended <- fmt.Errorf("%s: the child was not killed: %w\n%s", point, err, k.out.String())
					return
				}
			case <-stop:
				tended <- fmt.Errorf("%s was never reached", point)
				return
			}
		}
		k.start("")
		tended <- nil
	}()
	reader := k.h.committedReader("left", "right")
	got := map[string][]string{}
	finished := make(chan struct{})
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		for ctx.Err() == nil {
			err := relay(ctx, k.h.addr, func() bool {
				select {
				case <-finished:
					return true
				default:
					return false
				}
			})
			if err == nil {
				return
			}
			t.Log("the relay begins again:", err)
		}
	}()
	for len(got["left"]) < records || len(got["right"]) < records {
		for topic, list := range values(ctx, t, reader, 1) {
			got[topic] = append(got[topic], list...)
		}
	}
	close(finished)
	<-relayed
	close(stop)
	if err := <-tended; err != nil {
		t.Error(err)
	}
	for _, topic := range []string{"left", "right"} {
		if !slices.Equal(got[topic], want) {
			t.Errorf("%s has %q", topic, got[topic])
		}
	}
	_ = k.cmd.Process.Kill()
	<-k.done
}
