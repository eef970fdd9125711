package httpdoor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/door"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/ingest/httpdoor"
)

// house is a bus with the door before it, behind the checks of every HTTP door.
type house struct {
	t       *testing.T
	dir     string
	reserve uint64
	bus     *bus.Bus
	server  *httptest.Server
	stop    func()
}

func newHouse(t *testing.T, reserve uint64) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), reserve: reserve}
	h.open()
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *house) open() {
	h.t.Helper()
	log := slog.New(slog.DiscardHandler)
	m, err := meta.Open(h.t.Context(), filepath.Join(h.dir, "meta.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.bus, err = bus.Open(h.t.Context(), bus.Options{
		Dir: filepath.Join(h.dir, "bus"), Fsync: bus.FsyncAlways, CacheBytes: 1 << 20, DiskReserve: h.reserve,
		Meta: m, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	d := httpdoor.New(httpdoor.Options{Bus: h.bus, Clock: life.SystemClock{}, Log: log})
	mux := http.NewServeMux()
	mux.Handle("/ingest/{topic}", d)
	h.server = httptest.NewServer(door.Checked(nil, mux))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	h.stop = func() {
		cancel()
		<-done
		h.server.Close()
		_ = h.bus.Close(context.Background())
		_ = m.Close()
	}
}

// said is what an answer says.
type said struct {
	status  int
	retry   string
	Topic   string `json:"topic"`
	Offset  int64  `json:"offset"`
	Next    int64  `json:"next_offset"`
	Records int64  `json:"records"`
	Again   bool   `json:"repeated"`
	Error   struct {
		Code, Message, Hint string
		Line, Column        int
	} `json:"error"`
}

func (h *house) send(method, path, body string, headers ...string) said {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	out := said{status: got.StatusCode, retry: got.Header.Get("Retry-After")}
	if err := json.Unmarshal(text, &out); err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
	return out
}

func (h *house) post(topic, kind, body string, headers ...string) said {
	h.t.Helper()
	return h.send(http.MethodPost, "/ingest/"+topic, body, append([]string{"Content-Type", kind}, headers...)...)
}

// values are the records of a topic in order.
func (h *house) values(topic string) []string {
	h.t.Helper()
	t, err := h.bus.Topic(topic)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	var out []string
	for _, p := range t.Partitions() {
		r := p.Reader(p.LogStart())
		for next := p.LogStart(); next < p.Stable(); {
			got, err := r.Next(ctx, 1<<20)
			if err != nil {
				h.t.Fatal(err)
			}
			for _, b := range got.Batches {
				records, err := b.Records()
				if err != nil {
					h.t.Fatal(err)
				}
				for i := range records {
					out = append(out, string(records[i].Value))
				}
			}
			next = got.Next
		}
		r.Close()
	}
	return out
}

const jsonType = "application/json"

func TestRecordsComeInEveryFormat(t *testing.T) {
	h := newHouse(t, 0)
	for _, c := range []struct {
		kind, body string
		records    int64
	}{
		{jsonType, ` {"a": 1.50} `, 1},
		{"application/json; charset=UTF-8", `[{"a":2},{"a":3}]`, 2},
		{"application/x-ndjson", "{\"a\":4}\n{\"a\":5}\n", 2},
		{"text/csv", "a,b\n6,x\n", 1},
	} {
		before := int64(len(h.values("sensors")))
		got := h.post("sensors", c.kind, c.body)
		if got.status != http.StatusAccepted || got.Records != c.records || got.Offset != before || got.Next != before+c.records || got.Topic != "sensors" || got.Again {
			t.Fatalf("%s: %+v", c.kind, got)
		}
	}
	want := []string{`{"a": 1.50}`, `{"a":2}`, `{"a":3}`, `{"a":4}`, `{"a":5}`, `{"a":"6","b":"x"}`}
	if got := h.values("sensors"); !slices.Equal(got, want) {
		t.Fatalf("got %q", got)
	}
	top, err := h.bus.Topic("sensors")
	if err != nil || !top.Config().Land || top.Config().Requests {
		t.Fatalf("got %+v, %v", top.Config(), err)
	}
}

func TestARefusedRequestStoresNothing(t *testing.T) {
	h := newHouse(t, 0)
	if _, err := h.bus.CreateTopic(t.Context(), "port.main.calls", bus.TopicConfig{Source: "s", Keyed: true, Land: true}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, topic, kind, body string
		headers                   []string
		status, line, column      int
		says                      string
	}{
		"a bad record":     {topic: "x", kind: "application/x-ndjson", body: "{}\n{\"a\":1,}\n{}", status: 400, line: 2, column: 8, says: "record 2"},
		"bad csv":          {topic: "x", kind: "text/csv", body: "a,b\n1,2\n3", status: 400, line: 3, column: 1, says: "record 2"},
		"no record":        {topic: "x", kind: jsonType, body: "[]", status: 400, says: "no record"},
		"no type":          {topic: "x", body: "{}", status: 415, says: "Content-Type"},
		"a form":           {topic: "x", kind: "application/x-www-form-urlencoded", body: "{}", status: 415, says: "form"},
		"another charset":  {topic: "x", kind: "text/csv; charset=latin1", body: "a\n1", status: 415, says: "latin1"},
		"packed":           {topic: "x", kind: jsonType, body: "{}", headers: []string{"Content-Encoding", "gzip"}, status: 415, says: "gzip"},
		"too large":        {topic: "x", kind: jsonType, body: `{"a":"` + strings.Repeat("x", 8<<20) + `"}`, status: 413, says: "bytes"},
		"too many records": {topic: "x", kind: "application/x-ndjson", body: strings.Repeat("{}\n", 100_001), status: 413, says: "records"},
		"csv that grows":   {topic: "x", kind: "text/csv", body: strings.Repeat("n", 1<<20) + "\n" + strings.Repeat("1\n", 100), status: 413, says: "bytes"},
		"a bad name":       {topic: "a%20b", kind: jsonType, body: "{}", status: 400, says: "topic name"},
		"Tarn's own":       {topic: "tarn.commits", kind: jsonType, body: "{}", status: 403, says: "Tarn's own"},
		"a source's":       {topic: "port.main.calls", kind: jsonType, body: "{}", status: 409, says: "source"},
		"no post":          {method: "GET", topic: "x", status: 405, says: "POST"},
		"another site":     {topic: "x", kind: jsonType, body: "{}", headers: []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://evil.example"}, status: 403, says: "another site"},
		"two keys":         {topic: "x", kind: jsonType, body: "{}", headers: []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, status: 400, says: "2 Idempotency-Keys"},
		"an empty key":     {topic: "x", kind: jsonType, body: "{}", headers: []string{"Idempotency-Key", ""}, status: 400, says: "characters"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodPost
			}
			if c.kind != "" {
				c.headers = append(c.headers, "Content-Type", c.kind)
			}
			got := h.send(c.method, "/ingest/"+c.topic, c.body, c.headers...)
			if got.status != c.status || got.Error.Line != c.line || got.Error.Column != c.column || !strings.Contains(got.Error.Message, c.says) || got.Error.Hint == "" || got.Error.Code == "" {
				t.Fatalf("got %+v", got)
			}
		})
	}
	if got := h.values("x"); len(got) > 0 {
		t.Fatalf("stored %q", got)
	}
}

func TestADiskWithoutRoomIsToldToTryLater(t *testing.T) {
	h := newHouse(t, 1<<60)
	got := h.post("x", jsonType, "{}")
	if got.status != http.StatusServiceUnavailable || got.retry == "" || got.Error.Code != "no_space" || got.Error.Hint == "" {
		t.Fatalf("got %+v", got)
	}
}

// TestAKeyIsStoredOnce: tries of one key at once, later, and after a start of the house.
func TestAKeyIsStoredOnce(t *testing.T) {
	h := newHouse(t, 0)
	key := []string{"Idempotency-Key", "7c2e"}
	if got := h.post("x", jsonType, `{"n":0}`); got.status != http.StatusAccepted {
		t.Fatalf("got %+v", got)
	}
	var tries sync.WaitGroup
	var mu sync.Mutex
	first := 0
	for range 20 {
		tries.Go(func() {
			got := h.post("x", jsonType, `[{"n":1},{"n":2}]`, key...)
			mu.Lock()
			defer mu.Unlock()
			if got.status != http.StatusAccepted || got.Offset != 1 || got.Next != 3 || got.Records != 2 {
				t.Errorf("got %+v", got)
			}
			if !got.Again {
				first++
			}
		})
	}
	tries.Wait()
	if first != 1 {
		t.Fatalf("stored by %d tries", first)
	}
	h.stop()
	h.open()
	if got := h.post("x", jsonType, `[{"n":1},{"n":2}]`, key...); got.status != http.StatusAccepted || !got.Again || got.Offset != 1 {
		t.Fatalf("got %+v", got)
	}
	if got := h.post("x", jsonType, `{"n":9}`, key...); got.status != http.StatusUnprocessableEntity {
		t.Fatalf("got %+v", got)
	}
	if got := h.post("x", jsonType, `{"n":3}`, "Idempotency-Key", "other"); got.status != http.StatusAccepted || got.Again {
		t.Fatalf("got %+v", got)
	}
	if got := h.values("x"); !slices.Equal(got, []string{`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`}) {
		t.Fatalf("got %q", got)
	}
}

// TestRetentionWaitsForKeys: records whose key may come again are not let go of.
func TestRetentionWaitsForKeys(t *testing.T) {
	h := newHouse(t, 0)
	for i := range 3 {
		if got := h.post("x", jsonType, `{}`, "Idempotency-Key", fmt.Sprint(i)); got.status != http.StatusAccepted {
			t.Fatalf("got %+v", got)
		}
	}
	top, err := h.bus.Topic("x")
	if err != nil {
		t.Fatal(err)
	}
	p := top.Partitions()[0]
	p.Hold("bronze", p.Next())
	if err := p.Trim(t.Context(), -1); err != nil {
		t.Fatal(err)
	}
	if p.LogStart() != 0 {
		t.Fatalf("the log starts at %d", p.LogStart())
	}
	if got := h.post("x", jsonType, `{}`, "Idempotency-Key", "0"); !got.Again {
		t.Fatalf("got %+v", got)
	}
}
