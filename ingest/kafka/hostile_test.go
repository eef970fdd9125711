package kafka_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// dial connects without a client's library.
func (h *house) dial(t testing.TB) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return nc
}

// answer reads one answer; nil when the connection is closed.
func answer(t testing.TB, nc net.Conn) []byte {
	t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(nc, size[:]); err != nil {
		return nil
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(nc, body); err != nil {
		t.Fatal(err)
	}
	return body
}

// header is the start of a request without its length.
func header(key, version int16) []byte {
	b := kbin.AppendInt16(nil, key)
	b = kbin.AppendInt16(b, version)
	b = kbin.AppendInt32(b, 7)
	return kbin.AppendNullableString(b, nil)
}

func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
} //nolint:gosec // small

func TestALaterApiVersionsIsAnsweredInVersion0(t *testing.T) {
	h := newHouse(t)
	nc := h.dial(t)
	if _, err := nc.Write(frame(append(header(18, 99), 1, 2, 3))); err != nil {
		t.Fatal(err)
	}
	resp := kmsg.NewPtrApiVersionsResponse()
	if err := resp.ReadFrom(answer(t, nc)[4:]); err != nil {
		t.Fatal(err)
	}
	if resp.ErrorCode != kerr.UnsupportedVersion.Code || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].MaxVersion < 3 {
		t.Errorf("answered %+v", resp)
	}
}

func TestAnApiThatIsNotThereIsRefused(t *testing.T) {
	h := newHouse(t)
	nc := h.dial(t)
	req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
	if _, err := nc.Write(frame(req.AppendTo(append(header(50, 0), 0)))); err != nil {
		t.Fatal(err)
	}
	resp := kmsg.NewPtrDescribeUserSCRAMCredentialsResponse()
	if err := resp.ReadFrom(answer(t, nc)[5:]); err != nil {
		t.Fatal(err)
	}
	if resp.ErrorCode != kerr.UnsupportedVersion.Code {
		t.Errorf("answered %v", kerr.ErrorForCode(resp.ErrorCode))
	}
}

func TestHostileFramesCloseTheirConnectionAlone(t *testing.T) {
	h := newHouse(t)
	good := h.client()
	for name, bytes := range map[string][]byte{
		"negative length":  {0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0},
		"no header":        {0, 0, 0, 1, 0, 3, 0, 0},
		"2 GiB":            {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 3},
		"3 MiB of no data": {0, 0x30, 0, 0, 0, 3, 0, 9},
		"unknown API":      frame(header(999, 0)),
		"negative API":     frame(header(-1, 0)),
		"a lying array":    frame(append(header(3, 0), 0x7f, 0xff, 0xff, 0xff)),
		"a lying produce":  frame(append(header(0, 3), 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff)),
		"lying tags":       frame(append(header(0, 9), 0xff, 0xff, 0xff, 0xff, 0x0f)),
		"more lying tags":  frame(append(header(3, 9), 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f)), // in Metadata, which kmsg reads: a minute of a core
		"http":             []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	} {
		nc := h.dial(t)
		if _, err := nc.Write(bytes); err != nil {
			t.Fatal(err)
		}
		if got := answer(t, nc); got != nil {
			t.Errorf("%s: answered %x", name, got)
		}
		if _, err := nc.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays", name)
		}
	}
	if err := good.Ping(within(t)); err != nil {
		t.Errorf("another client: %v", err)
	}
}

func FuzzRequests(f *testing.F) {
	h := newHouse(f)
	for key := range int16(93) {
		if req := kmsg.RequestForKey(key); req != nil {
			for _, version := range []int16{0, 3, req.MaxVersion()} {
				req.SetVersion(min(version, req.MaxVersion()))
				f.Add(key, req.GetVersion(), req.AppendTo(nil))
			}
		}
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		nc := h.dial(t)
		start := header(key, version)
		if req := kmsg.RequestForKey(key); req != nil {
			if req.SetVersion(version); req.IsFlexible() {
				start = append(start, 0)
			}
		}
		// An answer or a closed connection, and then another client is still served.
		_, _ = nc.Write(frame(append(start, body...)))
		_ = nc.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // dialled so
		for answer(t, nc) != nil {
		}
		next := h.dial(t)
		if _, err := next.Write(frame(header(18, 0))); err != nil {
			t.Fatal(err)
		}
		if answer(t, next) == nil {
			t.Fatal("the door answers nobody any more")
		}
	})
}

func TestManyIdleConnections(t *testing.T) {
	h := newHouse(t)
	const conns = 2000
	for range conns {
		nc := h.dial(t)
		if _, err := nc.Write(frame(header(18, 0))); err != nil {
			t.Fatal(err)
		}
		if answer(t, nc) == nil {
			t.Fatal("a connection is closed")
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("%d connections, with their clients: heap %d KiB, stacks %d KiB", conns, m.HeapInuse>>10, m.StackInuse>>10)
	if err := h.client().Ping(within(t)); err != nil {
		t.Error(err)
	}
}

// deafRecords are the records of the topic that clients who never read ask for.
const deafRecords = 16

// fillDeaf fills the topic.
func (h *house) fillDeaf() {
	h.t.Helper()
	c := h.client(kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	for range deafRecords {
		if err := c.ProduceSync(within(h.t), &kgo.Record{Topic: "deaf", Value: make([]byte, 900<<10)}).FirstErr(); err != nil {
			h.t.Fatal(err)
		}
	}
}

// askDeaf asks for all of the topic, again and again, and reads no answer.
func (h *house) askDeaf() {
	h.t.Helper()
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MaxBytes = 4, 100<<20
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 100 << 20
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: "deaf", Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	nc := h.dial(h.t)
	for range 4 {
		write(h.t, nc, frame(fetch.AppendTo(header(1, 4))))
	}
}

func TestClientsThatNeverReadHoldUpNobody(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	h.fillDeaf()
	good := h.client(kgo.ConsumeTopics("deaf"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for range 16 {
		h.askDeaf()
	}
	for got := 0; got < deafRecords; {
		f := good.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		got += f.NumRecords()
	}
}
