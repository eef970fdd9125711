package kafka_test

import (
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// port makes a topic of one partition.
func (h *house) port() *bus.Partition {
	h.t.Helper()
	h.topic("port", 1)
	t, err := h.bus.Topic("port")
	if err != nil {
		h.t.Fatal(err)
	}
	return t.Partitions()[0]
}

// produceFrame is a request for one record.
func produceFrame(acks int16) []byte {
	return produceOf(record.Encode([]record.Record{{Timestamp: 1, Value: []byte("a container")}}), acks)
}

func produceOf(batch record.Batch, acks int16) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 3, acks, int32(patience.Milliseconds())
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = batch
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "port", Partitions: []kmsg.ProduceRequestTopicPartition{part}}}
	return frame(req.AppendTo(header(0, 3)))
}

func write(t testing.TB, nc net.Conn, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if _, err := nc.Write(f); err != nil {
			t.Fatal(err)
		}
	}
}

// waitFor polls until something is so.
func waitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

// counted is the sum of a metric.
func counted(t testing.TB, from prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestWhatAClientSendsBeforeItClosesIsInTheLog(t *testing.T) {
	fs, shut, open := stall()
	defer open()
	metrics := prometheus.NewRegistry()
	h := newHouseWith(t, setting{disk: fs, metrics: metrics})
	p := h.port()
	const records = 200
	shut()
	nc := h.dial(t)
	for range records {
		write(t, nc, produceFrame(0))
	}
	if err := nc.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "some to be received", func() bool { return counted(t, metrics, "tarn_kafka_requests_total") > 50 })
	open()
	waitFor(t, "all records", func() bool { return p.Written() == records })
}

func TestWhatADoorHasReceivedBeforeAStopIsInTheLog(t *testing.T) {
	fs, shut, open := stall()
	defer open()
	metrics := prometheus.NewRegistry()
	h := newHouseWith(t, setting{disk: fs, metrics: metrics, drain: patience})
	h.port()
	nc := h.dial(t)
	write(t, nc, produceFrame(1))
	if answer(t, nc) == nil {
		t.Fatal("no answer")
	}
	shut()
	const records = 20
	for range records {
		write(t, nc, produceFrame(0))
	}
	waitFor(t, "all to be received", func() bool { return counted(t, metrics, "tarn_kafka_requests_total") == records+1 })
	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	waitFor(t, "the stop to begin", func() bool {
		other, err := net.Dial("tcp", h.addr)
		if err == nil {
			_ = other.Close()
		}
		return err != nil
	})
	open()
	<-stopped
	h.with = setting{}
	h.open()
	topic, err := h.bus.Topic("port")
	if err != nil {
		t.Fatal(err)
	}
	if p := topic.Partitions()[0]; p.Written() != records+1 {
		t.Errorf("the log has %d records, want %d", p.Written(), records+1)
	}
}

func TestAStopDoesNotWaitForAClientThatDoesNotRead(t *testing.T) {
	metrics := prometheus.NewRegistry()
	h := newHouseWith(t, setting{metrics: metrics, drain: time.Millisecond})
	h.fillDeaf()
	before := counted(t, metrics, "tarn_kafka_requests_total")
	h.askDeaf()
	waitFor(t, "an answer on its way", func() bool { return counted(t, metrics, "tarn_kafka_requests_total") > before })
	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second): // what a client has for an answer is more
		t.Error("the door still waits")
		<-stopped
	}
}
