package kafka_test

import (
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// TestLargeClaimsKeepNobodyWaiting: what is claimed and does not come is not yet given up when another client is answered.
func TestLargeClaimsKeepNobodyWaiting(t *testing.T) {
	h := newHouse(t)
	big := frame(append(header(18, 0), make([]byte, 2<<20-64)...))
	const begun = 64 << 10
	var claims []func()
	for range 3 {
		nc := h.dial(t)
		write(t, nc, big[:begun])
		claims = append(claims, func() {
			if _, err := nc.Write(big[begun:]); err != nil || answer(t, nc) == nil {
				t.Error("a claim was given up first", err)
			}
		})
	}
	nc := h.dial(t)
	write(t, nc, frame(header(18, 0)))
	if answer(t, nc) == nil {
		t.Fatal("not answered")
	}
	if err := h.client().Ping(within(t)); err != nil {
		t.Fatal(err)
	}
	var ends sync.WaitGroup
	for _, end := range claims {
		ends.Go(end) // there is memory for one at a time, and any of them may have it
	}
	ends.Wait()
}

// TestAProduceBacklogKeepsNobodyWaiting: the log takes nothing, and the door has as many produce requests as it may hold.
func TestAProduceBacklogKeepsNobodyWaiting(t *testing.T) {
	fs, shut, open := stall()
	defer open()
	metrics := prometheus.NewRegistry()
	h := newHouseWith(t, setting{disk: fs, metrics: metrics})
	p := h.port()
	shut()
	big := produceOf(record.Encode([]record.Record{{Timestamp: 1, Value: make([]byte, 1<<20-1024)}}), 1)
	const clients, each = 3, 50
	for range clients {
		nc := h.dial(t)
		go func() {
			for range each {
				if _, err := nc.Write(big); err != nil {
					t.Error(err)
				}
			}
		}()
		defer func() {
			for range each {
				resp := kmsg.NewPtrProduceResponse()
				resp.Version = 3
				if err := resp.ReadFrom(answer(t, nc)[4:]); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
					t.Fatalf("a record of the backlog: %v %+v", err, resp.Topics)
				}
			}
		}()
	}
	defer open()
	waitFor(t, "the backlog", func() bool { return counted(t, metrics, "tarn_kafka_received_bytes_total") > 126<<20 })
	if err := h.client().Ping(within(t)); err != nil {
		t.Fatal(err)
	}
	if p.Written() != 0 {
		t.Error("the log has gone on")
	}
}

func TestFetchesThatWaitForRecordsKeepNobodyWaiting(t *testing.T) {
	metrics := prometheus.NewRegistry()
	h := newHouseWith(t, setting{metrics: metrics})
	h.port()
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MinBytes, fetch.MaxBytes, fetch.MaxWaitMillis = 4, 1, 1<<20, int32(2*patience.Milliseconds())
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: "port"}}
	for range 4000 { // the one partition, as if it were so many
		part := kmsg.NewFetchRequestTopicPartition()
		part.PartitionMaxBytes = 1
		fetch.Topics[0].Partitions = append(fetch.Topics[0].Partitions, part)
	}
	large := frame(fetch.AppendTo(header(1, 4)))
	const clients = 100
	for range clients {
		write(t, h.dial(t), large)
	}
	waitFor(t, "the fetches", func() bool { return counted(t, metrics, "tarn_kafka_requests_total") == clients })
	nc := h.dial(t)
	write(t, nc, frame(append(header(18, 0), make([]byte, 1<<20)...)))
	if answer(t, nc) == nil {
		t.Fatal("not answered")
	}
}

// TestALargeBatchTakesItsRoom: what clients do not read of batches that are larger than an answer is bounded for all.
func TestALargeBatchTakesItsRoom(t *testing.T) {
	h := newHouse(t)
	config, err := bus.TopicConfig{Partitions: 1}.With(bus.SettingMessageBytes, strconv.Itoa(record.BatchBytesMax))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := h.bus.CreateTopic(t.Context(), "port", config)
	if err != nil {
		t.Fatal(err)
	}
	const size = 20 << 20
	if _, err := topic.Partitions()[0].Append(t.Context(), record.Encode([]record.Record{{Timestamp: 1, Value: make([]byte, size)}})); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes = 4, 1
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 1
	req.Topics = []kmsg.FetchRequestTopic{{Topic: "port", Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	fetch := frame(req.AppendTo(header(1, 4)))
	good := h.dial(t)
	got := func() int {
		write(t, good, fetch)
		resp := kmsg.NewPtrFetchResponse()
		resp.Version = 4
		if err := resp.ReadFrom(answer(t, good)[4:]); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("%v %+v", err, resp.Topics)
		}
		return len(resp.Topics[0].Partitions[0].RecordBatches)
	}
	if n := got(); n < size {
		t.Fatalf("%d bytes", n)
	}
	var deaf []net.Conn
	waitFor(t, "the room to be taken", func() bool {
		if len(deaf) < 4 {
			deaf = append(deaf, h.dial(t))
			write(t, deaf[len(deaf)-1], fetch, fetch, fetch, fetch) // the machine may hold the first of the answers
		}
		return got() == 0
	})
	for _, nc := range deaf {
		_ = nc.Close()
	}
	waitFor(t, "the batch", func() bool { return got() > size })
}
