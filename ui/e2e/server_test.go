// Package e2e_test drives the page in a real browser, with a feed of its own and no other
// room. Without a browser its tests are skipped; with TARN_REQUIRE_BROWSER=1 they fail.
package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tarn/embedded"
	"tarn/embedded/door"
	"tarn/embedded/life"
	"tarn/embedded/telemetry"
	"tarn/ui"
	"tarn/ui/uitest"
)

// site is a page with its feed, served on a port of its own.
type site struct {
	feed *uitest.Feed
	addr string
	url  string
	stop func()
	tel  *telemetry.Telemetry // whose log the page shows

	mu     sync.Mutex
	asked  []string // statements of /api/sql
	hangup chan struct{}
	open   atomic.Int64 // streams
	house  labHouse
}

// serve starts a page over a feed; rows flow in while it runs.
func serve(t *testing.T, feed *uitest.Feed, addr string) *site {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{feed: feed, addr: l.Addr().String(), url: "http://" + l.Addr().String() + "/", hangup: make(chan struct{}, 16), tel: telemetry.New(io.Discard, slog.LevelInfo)}
	log := slog.New(slog.DiscardHandler)
	u := ui.New(ui.Options{
		Lab:   s.house.lab(),
		Parts: feed.Parts, Sources: feed.Sources, Kinds: uitest.Kinds(), Topics: feed.Topics, Groups: feed.Groups, Topic: feed.Topic, Landings: feed.Landings, Pipelines: feed.Pipelines, Catalog: feed.Catalog(),
		Ports: feed.Ports, Version: "0.1.0-test", Project: "/srv/port/project", Sample: true, Clock: life.SystemClock{}, Log: log, Usage: used, Lines: s.tel.Lines,
	})
	mux := http.NewServeMux()
	mux.Handle("/", s.counted(u.Handler()))
	mux.HandleFunc("POST /api/sql", s.sql)
	mux.HandleFunc("POST /ingest/lab", s.house.post)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = u.Run(ctx, func() {}) })
	all.Go(func() { _ = door.Serve(ctx, l, door.Checked(nil, mux), log) })
	all.Go(func() { s.flow(ctx) })
	s.stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(s.stop)
	return s
}

// used is what a Tarn takes of a machine.
func used(context.Context) embedded.Usage {
	return embedded.Usage{
		DiskFree: 1_800_000_000, DiskReserve: 1_000_000_000, Data: "/srv/port/a-rather-long-name-of-a-folder/tarn-data", Memory: 4 << 30, Process: 1 << 30, GoInUse: 310_000_000,
		Folders: []embedded.Folder{{Name: "lake", Bytes: 9_120_000_000, Files: 4210}, {Name: "bus", Bytes: 812_000_000, Files: 64}, {Name: "meta.db", Bytes: 412_000, Files: 1}},
		Shares:  []embedded.Share{{Name: "go", Bytes: 1_400_000_000}, {Name: "query", Bytes: 1_300_000_000}, {Name: "lake", Bytes: 1_000_000_000}, {Name: "pipelines", Bytes: 170_000_000}},
	}
}

// counted counts the streams that are open.
func (s *site) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/live" {
			s.open.Add(1)
			defer s.open.Add(-1)
		}
		next.ServeHTTP(w, r)
	})
}

func (s *site) streams() int64 { return s.open.Load() }

func (s *site) flow(ctx context.Context) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for i := int64(1); ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.feed.Step(8+(i*i*7)%23, time.Now().UTC())
		}
	}
}

// sql answers as /api/sql does, from a few statements that tests send.
func (s *site) sql(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	text := string(body)
	if !strings.Contains(text, "information_schema.columns") { // what completion asks, whenever it comes to it
		s.mu.Lock()
		s.asked = append(s.asked, text)
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", r.Header.Get("Accept"))
	if s.page(w, r, text) || answerOfTables(w, text) || answerOfPipelines(w, text) {
		return
	}
	switch {
	case strings.Contains(text, "slow"):
		<-r.Context().Done()
		s.hangup <- struct{}{}
	case strings.Contains(text, "wrong"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":"syntax","message":"Referenced column \"wrong\" not found in FROM clause!\nCandidate bindings: \"calls.berth\", \"calls.port\"","hint":"see the columns with DESCRIBE silver.calls","line":2,"column":3}}`)
	case strings.Contains(text, "hostile"):
		answer(w, []string{uitest.Hostile, "n"}, []string{"VARCHAR", uitest.Hostile}, [][]any{{uitest.Hostile, nil}, {map[string]any{"a": uitest.Hostile}, ""}})
	case strings.Contains(text, "many"):
		rows := make([][]any, 1500)
		for i := range rows {
			rows[i] = []any{i, fmt.Sprint("row ", i)}
		}
		answer(w, []string{"n", "text"}, []string{"BIGINT", "VARCHAR"}, rows)
	default:
		rows := [][]any{}
		for i := range 20 {
			rows = append(rows, []any{int64(9007199254740993) + int64(i), []string{"Le Havre", "Singapore", "Rotterdam"}[i%3], "B" + fmt.Sprint(i%7), json.RawMessage(fmt.Sprintf("%.2f", 12.5+float64(i)*3.25)), i%4 == 0, nil, `{"call": ` + fmt.Sprint(i) + `, "note": "a longer value that a cell cuts off at its edge, until somebody presses it"}`, "2026-07-01 12:04:30.123456+00"})
		}
		rows[3][1], rows[3][3] = nil, nil
		answer(w, []string{"call_id", "port", "berth", "moves_per_hour", "alongside", "departed_at", "_extra", "_timestamp"}, []string{"BIGINT", "VARCHAR", "VARCHAR", "DOUBLE", "BOOLEAN", "VARCHAR", "JSON", "TIMESTAMP WITH TIME ZONE"}, rows)
	}
}

const rowsType = "application/vnd.tarn.rows+ndjson"

// answer is one of /api/sql, in JSON or in lines of rows.
func answer(w http.ResponseWriter, names, types []string, rows [][]any) {
	columns := []map[string]string{}
	for i := range names {
		columns = append(columns, map[string]string{"name": names[i], "type": types[i]})
	}
	stats := map[string]any{"rows": len(rows), "ms": 12, "snapshots": map[string]int64{"silver.calls": 8471236109345672001, "silver.moves": 8471236109345672002}}
	out := json.NewEncoder(w)
	if w.Header().Get("Content-Type") != rowsType {
		_ = out.Encode(map[string]any{"columns": columns, "rows": rows, "stats": stats})
		return
	}
	_ = out.Encode(map[string]any{"columns": columns})
	for _, row := range rows {
		_ = out.Encode(row)
	}
	_ = out.Encode(map[string]any{"stats": stats})
}

// statements are what /api/sql was asked.
func (s *site) statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// until waits for what /api/sql was asked.
func (s *site) until(t *testing.T, holds func(asked []string) bool) {
	t.Helper()
	for deadline := time.Now().Add(waitLimit); !holds(s.statements()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("asked %q", s.statements())
		}
	}
}

// TestLook serves the page for a person to look at, when TARN_UI_LOOK names an address:
// TARN_UI_LOOK=127.0.0.1:7799 go test ./ui/e2e -run TestLook -timeout 0.
func TestLook(t *testing.T) {
	addr := os.Getenv("TARN_UI_LOOK")
	if addr == "" {
		t.Skip("set TARN_UI_LOOK=127.0.0.1:7799 to look at the page with made-up data")
	}
	s := serve(t, uitest.Port(time.Now()), addr)
	if os.Getenv("TARN_UI_TROUBLE") != "" {
		s.feed.Trouble()
	}
	t.Log(s.url)
	<-t.Context().Done()
}
