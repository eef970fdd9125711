//go:build duckdb_arrow

package sql_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	doors "tarn/embedded/door"
	"tarn/embedded/guard"
	"tarn/embedded/leaktest"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/flight"
	"tarn/sql/postgres"
	"tarn/sql/rest"
	"tarn/sql/trino"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := leaktest.Find(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// wire is a door with its own client, which connects, asks one statement and goes: in its midst where more, which is asked of the
// rows so far, is false.
type wire struct {
	name, addr string
	over       func(ctx context.Context, addr, text string, more func(rows int) bool) (rows int, err error)
}

// ask goes after enough rows where that is not 0.
func (w wire) ask(ctx context.Context, addr, text string, enough int) (rows int, err error) {
	return w.over(ctx, addr, text, func(rows int) bool { return enough == 0 || rows < enough })
}

// told is an error by its name at its door.
type told struct{ name, message string }

func (t told) Error() string { return t.message + " (" + t.name + ")" }

// house is a Gate behind all its doors.
type house struct {
	gate  *engine.Gate
	spill string
	wires []wire
}

// all runs several doors as one.
type all []enginetest.Door

func (a all) Run(ctx context.Context, ready func()) error {
	ended := make(chan error, len(a))
	for _, d := range a {
		go func() { ended <- d.Run(ctx, func() {}) }()
	}
	ready()
	var errs []error
	for range a {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// mounted is the door of REST with a server.
type mounted struct {
	l    net.Listener
	gate *engine.Gate
	of   guard.Guard
}

func (m mounted) Run(ctx context.Context, ready func()) error {
	d := rest.New(m.gate, m.of, slog.New(slog.DiscardHandler))
	defer d.Close()
	mux := http.NewServeMux()
	d.Mount(mux.Handle)
	ready()
	return doors.Serve(ctx, m.l, doors.Checked(nil, mux), slog.New(slog.DiscardHandler))
}

const rowsMax = 5_000_000

func open(t testing.TB) *house {
	t.Helper()
	return openWith(t, guard.Open{})
}

func openWith(t testing.TB, of guard.Guard) *house {
	t.Helper()
	return openAs(t, engine.Options{RowsMax: rowsMax, Guard: of}, 5*time.Second)
}

// openAs opens a house with a Gate's options, as enginetest.ServeAs has them, whose clients of Trino may stay away for so long.
func openAs(t testing.TB, o engine.Options, away time.Duration) *house {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	pg, fl, tr := listen(), listen(), listen()
	h := &house{spill: t.TempDir()}
	o.TempDir = h.spill
	of := o.Guard
	gate, addr := enginetest.ServeAs(t, o, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		return all{
			mounted{l, gate, of},
			postgres.New(postgres.Options{Listener: pg, Gate: gate, Guard: of}),
			flight.New(flight.Options{Listener: fl, Gate: gate, Guard: of}), trino.New(trino.Options{Listener: tr, Gate: gate, Guard: of, Away: away}),
		}
	})
	h.gate = gate
	h.wires = []wire{
		{"REST", addr, overREST},
		{"PostgreSQL", pg.Addr().String(), overPostgres},
		{"Flight SQL", fl.Addr().String(), overFlight},
		{"Trino", tr.Addr().String(), overTrino},
	}
	return h
}

func client() *http.Client { return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} }

func overREST(ctx context.Context, addr, text string, more func(int) bool) (rows int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/sql", strings.NewReader(text))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Accept", "application/x-ndjson")
	resp, err := client().Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	for {
		line, err := in.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		switch {
		case bytes.HasPrefix(line, []byte(`{"error":`)):
			return rows, restError(resp.StatusCode, line)
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return rows, err
		}
		if rows++; !more(rows) {
			return rows, nil
		}
	}
}

// restError is an error of REST, with its status where the rows have not begun.
func restError(status int, line []byte) error {
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	if err := json.Unmarshal(line, &body); err != nil {
		return err
	}
	name := body.Error.Code
	if status != http.StatusOK {
		name = fmt.Sprintf("%d %s", status, name)
	}
	return told{name, body.Error.Message + ": " + body.Error.Hint}
}

func overPostgres(ctx context.Context, addr, text string, more func(int) bool) (rows int, err error) {
	c, err := pgconn.Connect(ctx, "postgres://me@"+addr+"/lake?sslmode=disable")
	if err != nil {
		return 0, err
	}
	gone := false
	defer func() {
		if !gone {
			_ = c.Close(context.WithoutCancel(ctx))
			return
		}
		_ = c.Conn().Close() // as one that goes, without a word
		<-c.CleanupDone()
	}()
	out := c.Exec(ctx, text)
	for out.NextResult() {
		for out.ResultReader().NextRow() {
			if rows++; !more(rows) {
				gone = true
				go func() { _ = c.Close(context.Background()) }()
				return rows, nil
			}
		}
	}
	return rows, out.Close()
}

func overFlight(ctx context.Context, addr, text string, more func(int) bool) (rows int, err error) {
	c, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	info, err := c.Execute(ctx, text)
	if err != nil {
		return 0, err
	}
	r, err := c.DoGet(ctx, info.GetEndpoint()[0].GetTicket())
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for r.Next() {
		if rows += int(r.RecordBatch().NumRows()); !more(rows) {
			return rows, nil
		}
	}
	return rows, r.Err()
}

func overTrino(ctx context.Context, addr, text string, more func(int) bool) (rows int, err error) {
	c, method, url := client(), http.MethodPost, "http://"+addr+"/v1/statement"
	for url != "" {
		r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
		if err != nil {
			return rows, err
		}
		r.Header.Set("X-Trino-User", "me")
		resp, err := c.Do(r)
		if err != nil {
			return rows, err
		}
		var page struct {
			NextURI string            `json:"nextUri"`
			Data    []json.RawMessage `json:"data"`
			Error   *struct{ Message, ErrorName string }
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		_ = resp.Body.Close()
		switch {
		case resp.StatusCode != http.StatusOK:
			return rows, fmt.Errorf("%s", resp.Status)
		case err != nil:
			return rows, err
		case page.Error != nil:
			return rows, told{page.Error.ErrorName, page.Error.Message}
		}
		if rows += len(page.Data); len(page.Data) > 0 && !more(rows) {
			return rows, nil
		}
		method, url, text = http.MethodGet, page.NextURI, ""
	}
	return rows, nil
}

// held is what clients may leave behind.
type held struct {
	goroutines, files, connections, statements int
	spilled                                    string
}

func (h *house) held(t *testing.T) (out held) {
	t.Helper()
	rows, _, err := h.gate.Whole(context.WithoutCancel(t.Context()), guard.Principal{User: "counter"}, `SELECT count(*) FROM system.queries WHERE state IN ('running', 'queued') AND "user" <> 'counter'`)
	if err != nil {
		t.Fatal(err)
	}
	out.statements = int(rows[0][0].(int64))
	out.connections, out.goroutines = h.gate.Connections(), runtime.NumGoroutine()
	if open, err := os.ReadDir("/proc/self/fd"); err == nil { // on Linux
		out.files = len(open)
	}
	spilled, err := filepath.Glob(filepath.Join(h.spill, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out.spilled = strings.Join(spilled, " ")
	return out
}

// harmless runs what clients do, while another asks at every door, and waits until all is as it was before.
func (h *house) harmless(t *testing.T, what func()) {
	t.Helper()
	h.answers(t)
	runtime.GC()
	before := h.held(t)
	what()
	h.answers(t)
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		now := h.held(t)
		// The net poller and DuckDB's pool may keep a file or a goroutine more than before.
		if now.goroutines <= before.goroutines+2 && now.files <= before.files+2 && now.connections <= before.connections && now.statements == 0 && now.spilled == before.spilled {
			return
		}
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("there is %+v, and was %+v\n%s", now, before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// answers holds that every door answers.
func (h *house) answers(t *testing.T) {
	t.Helper()
	for _, w := range h.wires {
		if rows, err := w.ask(t.Context(), w.addr, "SELECT name FROM system.ports", 0); rows != 2 || err != nil {
			t.Errorf("%s: %d rows, %v", w.name, rows, err)
		}
	}
}

// huge is an answer that nobody can hold: its first rows are there long before the others.
const huge = "SELECT i, repeat('x', 1000) AS s FROM range(1000000000000) t(i)"

// TestClientsGone has clients go in the midst of a huge answer and at any byte of a small one, at every door.
func TestClientsGone(t *testing.T) {
	h := open(t)
	h.harmless(t, func() {
		for _, w := range h.wires {
			for n := range 6 {
				text := "SELECT i, repeat('x', 1000) AS s FROM range(1000000) t(i)"
				if w.name == "REST" {
					text = strings.Replace(text, "1000000)", "5000000)", 1)
				}
				if rows, err := w.ask(t.Context(), w.addr, text, 1+n*1000); rows == 0 || err != nil {
					t.Errorf("%s: %d rows, %v", w.name, rows, err)
				}
			}
		}
	})
	h.harmless(t, func() {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's
		for _, w := range h.wires {
			for range 25 {
				cut := severed(t, w.addr, 1+chance.Int64N(1<<chance.IntN(17)))
				_, _ = w.ask(t.Context(), cut, "SELECT i, 'berth ' || i FROM range(3000) t(i)", 0)
			}
		}
	})
}

// severed is the address of a way to a door that is cut, on both sides, after so many bytes of either.
func severed(t *testing.T, to string, bytes int64) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	var left atomic.Int64
	left.Store(bytes)
	work.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				return
			}
			closed := func() {
				_ = near.Close()
				_ = far.Close()
				_ = l.Close() // a client that tries again finds nobody
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				work.Go(func() {
					defer closed()
					b := make([]byte, 512)
					for {
						n, err := way[0].Read(b)
						if rest := left.Add(-int64(n)); rest < 0 {
							n = max(0, n+int(rest))
						}
						if _, failed := way[1].Write(b[:n]); err != nil || failed != nil || left.Load() <= 0 {
							return
						}
					}
				})
			}
		}
	})
	return l.Addr().String()
}

// beginnings are what clients of each protocol say first.
var beginnings = []string{
	"POST /api/sql HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nContent-Length: 8\r\n\r\nSELECT 1",
	"POST /v1/statement HTTP/1.1\r\nHost: localhost\r\nX-Trino-User: me\r\nX-Trino-Prepared-Statement: p=SELECT+%3F\r\nX-Trino-Session: query_max_run_time=1s\r\nContent-Length: 17\r\n\r\nEXECUTE p USING 1",
	"GET /v1/statement/executing/x/y/1 HTTP/1.1\r\nHost: localhost\r\nX-Trino-User: me\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x05\x01\x04\x00\x00\x00\x01\x83\x86\x44\x01/",
	"\x00\x00\x00\x08\x04\xd2\x16\x2f",                                 // SSL
	"\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02", // cancel
	"\x00\x00\x00\x12\x00\x03\x00\x00user\x00me\x00\x00\x00Q\x00\x00\x00\x0dSELECT 1\x00",
	"\x00\x00\x00\x12\x00\x03\x00\x00user\x00me\x00\x00\x00P\x00\x00\x00\x12\x00SELECT $1\x00\x00\x00B\x00\x00\x00\x0f\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01xD\x00\x00\x00\x06P\x00E\x00\x00\x00\x09\x00\x00\x00\x00\x01S\x00\x00\x00\x04",
	"\x00\x00\x00\x12\x00\x03\x00\x00user\x00me\x00\x00\x00Q\x00\x00\x00\x22COPY (SELECT 1) TO STDOUT CSV\x00",
	"\x00\x00\x00\x12\x00\x03\x00\x00user\x00me\x00\x00\x00d\x00\x00\x00\x05xc\x00\x00\x00\x04f\x00\x00\x00\x05\x00",
}

// TestHalfOpen has clients that stop within their first words at every door, and stay: others go on, and nothing is left when they go.
func TestHalfOpen(t *testing.T) {
	h := open(t)
	h.harmless(t, func() {
		var stay []net.Conn
		for _, w := range h.wires {
			for _, words := range beginnings {
				for _, n := range []int{1, len(words) / 3, len(words) / 2, len(words) - 1, len(words)} {
					nc, err := net.Dial("tcp", w.addr)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = nc.Write([]byte(words[:n])) // which a door may refuse at once
					stay = append(stay, nc)
				}
			}
		}
		h.answers(t)
		for _, nc := range stay {
			_ = nc.Close()
		}
	})
}

// TestSlowReaders has clients at every door that take nothing of a huge answer: another goes on beside them.
func TestSlowReaders(t *testing.T) {
	h := open(t)
	h.harmless(t, func() {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		post := func(path string) string {
			return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nX-Trino-User: slow\r\nContent-Length: %d\r\n\r\n%s", path, len(huge), huge)
		}
		query := "\x00\x00\x00\x14\x00\x03\x00\x00user\x00slow\x00\x00\x00"
		query = string([]byte{0, 0, 0, byte(len(query))}) + query[4:] + "Q" + string([]byte{0, 0, 0, byte(len(huge) + 5)}) + huge + "\x00"
		for i, words := range []string{post("/api/sql"), query, "", post("/v1/statement")} {
			if words == "" {
				c, err := flightsql.NewClient(h.wires[i].addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				info, err := c.Execute(ctx, huge)
				if err != nil {
					t.Fatal(err)
				}
				r, err := c.DoGet(ctx, info.GetEndpoint()[0].GetTicket())
				if err != nil {
					t.Fatal(err)
				}
				defer r.Release()
				continue
			}
			nc, err := net.Dial("tcp", h.wires[i].addr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = nc.Close() }()
			if _, err := nc.Write([]byte(words)); err != nil {
				t.Fatal(err)
			}
		}
		h.answers(t)
	})
}

// FuzzWires sends bytes from the first one on to any door: it answers or closes the connection, and goes on.
func FuzzWires(f *testing.F) {
	h := open(f)
	for door := range h.wires {
		for _, words := range beginnings {
			f.Add(byte(door), []byte(words))
		}
	}
	f.Fuzz(func(t *testing.T, door byte, in []byte) {
		nc, err := net.Dial("tcp", h.wires[int(door)%len(h.wires)].addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		_ = nc.SetDeadline(time.Now().Add(2 * time.Minute))
		_, _ = nc.Write(in)
		_ = nc.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the door neither answers nor closes")
		}
	})
}
