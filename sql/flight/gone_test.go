//go:build duckdb_arrow

package flight_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"tarn/embedded/guard"
)

// huge is an answer that no connection has room for, and nobody reads to its end.
const huge = "SELECT i, repeat('x', 100) AS s FROM range(400000) t(i)"

// until polls a condition, for minutes on a busy machine.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%s: not after two minutes\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// running counts the statements of others that the Gate knows of.
func running(t *testing.T, h house) int {
	t.Helper()
	rows, _, err := h.gate.Whole(context.WithoutCancel(t.Context()), guard.Principal{User: "counter"}, "SELECT count(*) FROM system.queries WHERE state IN ('running', 'waiting') AND \"user\" <> 'counter'")
	if err != nil {
		t.Fatal(err)
	}
	return int(rows[0][0].(int64))
}

// TestClientsGone has clients go in the midst of an answer, in each way; nothing of theirs is left behind, and another's work goes on.
func TestClientsGone(t *testing.T) {
	h := open(t)
	c := connect(t, h.addr)
	if _, _, _, err := ask(t, c, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for i := range 24 { // three times the Gate's turns
		gone, err := flightsql.NewClient(h.addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		info, err := gone.Execute(ctx, huge)
		if err != nil {
			t.Fatal(err)
		}
		if i%3 > 0 {
			r, err := gone.DoGet(ctx, info.GetEndpoint()[0].GetTicket())
			if err != nil || !r.Next() {
				t.Fatal(err)
			}
			if i%3 == 2 {
				cancel()
			}
			r.Release()
		}
		_ = gone.Close()
		cancel()
	}
	until(t, "statements of clients that have gone", func() bool { return running(t, h) == 0 })
	until(t, "goroutines", func() bool { return runtime.NumGoroutine() <= before+2 })
	if _, _, rows, err := ask(t, c, "SELECT 1"); err != nil || len(rows) != 1 {
		t.Error(rows, err)
	}
}

func TestCancel(t *testing.T) {
	h := open(t)
	c, other := connect(t, h.addr), connect(t, h.addr)
	info, err := c.Execute(t.Context(), huge)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal(r.Err())
	}
	as := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic c29tZWJvZHk6eA") // somebody:x
	if _, err := other.CancelFlightInfo(as, &arrowflight.CancelFlightInfoRequest{Info: info}); status.Code(err) != codes.NotFound {
		t.Error("another's:", err)
	}
	done, err := other.CancelFlightInfo(t.Context(), &arrowflight.CancelFlightInfoRequest{Info: info})
	if err != nil || done.GetStatus() != arrowflight.CancelStatusCancelled {
		t.Fatal(done, err)
	}
	for r.Next() {
	}
	if status.Code(r.Err()) != codes.Canceled {
		t.Error("a canceled answer ended with", r.Err())
	}
	waiting, err := c.Execute(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if result, err := c.CancelQuery(t.Context(), waiting); err != nil || result != flightsql.CancelResultCancelled { //nolint:staticcheck // older clients send it
		t.Error(result, err)
	}
	if _, _, _, err := read(t, c, waiting); status.Code(err) != codes.NotFound {
		t.Error("a canceled ticket:", err)
	}
	until(t, "the canceled statement", func() bool { return running(t, h) == 0 })
}

// TestTickets: a ticket is good once, for its own user, and cannot be guessed; handles are bounded.
func TestTickets(t *testing.T) {
	c := connect(t, open(t).addr)
	as := func(user string) context.Context {
		ctx, err := c.Client.AuthenticateBasicToken(t.Context(), user, "")
		if err != nil {
			t.Fatal(err)
		}
		return ctx
	}
	amina, brahim := as("amina"), as("brahim")
	info, err := c.Execute(amina, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	ticket := info.GetEndpoint()[0].GetTicket()
	get := func(ctx context.Context, ticket *arrowflight.Ticket) error {
		r, err := c.DoGet(ctx, ticket)
		if err != nil {
			return err
		}
		defer r.Release()
		for r.Next() {
		}
		return r.Err()
	}
	if err := get(brahim, ticket); status.Code(err) != codes.NotFound {
		t.Error("another's ticket:", err)
	}
	if err := errors.Join(get(amina, ticket)); err != nil {
		t.Error(err)
	}
	if err := get(amina, ticket); status.Code(err) != codes.NotFound {
		t.Error("a second time:", err)
	}
	for _, bad := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte{0xff}, 1000)} {
		made, err := flightsql.CreateStatementQueryTicket(bad)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range [][]byte{bad, made} {
			if err := get(amina, &arrowflight.Ticket{Ticket: raw}); status.Code(err) != codes.NotFound && status.Code(err) != codes.InvalidArgument {
				t.Errorf("%q: %v", raw, err)
			}
		}
	}
	p, err := c.Prepare(amina, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Execute(brahim); status.Code(err) != codes.NotFound {
		t.Error("another's prepared statement:", err)
	}
	var full error
	for i := 0; i < 1001 && full == nil; i++ {
		_, full = c.Execute(amina, "SELECT 1")
	}
	if status.Code(full) != codes.ResourceExhausted {
		t.Error("tickets without end:", full)
	}
	if _, err := c.Execute(brahim, "SELECT 1"); err != nil {
		t.Error("another is held up by them:", err)
	}
	forged := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer tarn1."+strings.Repeat("A", 100))
	if _, err := c.Execute(forged, "SELECT 1"); status.Code(err) != codes.Unauthenticated {
		t.Error("a forged token:", err)
	}
}

// TestUser: who a statement runs as is who its client said, by header and by handshake.
func TestUser(t *testing.T) {
	c := connect(t, open(t).addr)
	token, err := c.Client.AuthenticateBasicToken(t.Context(), "amina", "")
	if err != nil {
		t.Fatal(err)
	}
	for want, ctx := range map[string]context.Context{
		`"amina"`:  token,
		`"brahim"`: metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic YnJhaGltOg=="),
		`"tarn"`:   t.Context(),
	} {
		// The statement before may still be running: its own text alone tells which row is whose.
		info, err := c.Execute(ctx, `SELECT "user" FROM system.queries WHERE statement LIKE '%-- `+want+`' -- `+want)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.DoGet(ctx, info.GetEndpoint()[0].GetTicket())
		if err != nil || !r.Next() {
			t.Fatal(err)
		}
		if got := `"` + r.RecordBatch().Column(0).ValueStr(0) + `"`; got != want {
			t.Errorf("%s runs as %s", want, got)
		}
		r.Release()
	}
}

// TestHostile sends what is no message of Flight SQL's; each is refused, and the door goes on.
func TestHostile(t *testing.T) {
	h := open(t)
	c := connect(t, h.addr)
	for _, descriptor := range []*arrowflight.FlightDescriptor{nil, {}, {Cmd: []byte("\x0a\xff")}, {Cmd: bytes.Repeat([]byte{1}, 5<<20)}} {
		for _, data := range [][]byte{nil, []byte("no message"), bytes.Repeat([]byte{0xff}, 64)} {
			put, err := c.Client.DoPut(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_ = put.Send(&arrowflight.FlightData{FlightDescriptor: descriptor, DataHeader: data, DataBody: data})
			_ = put.CloseSend()
			if _, err = put.Recv(); err == nil || errors.Is(err, io.EOF) || status.Code(err) == codes.Unavailable {
				t.Errorf("%v with %q: %v", descriptor, data, err)
			}
		}
		if descriptor != nil && len(descriptor.Cmd) < 1000 {
			if _, err := c.Client.GetFlightInfo(t.Context(), descriptor); status.Code(err) != codes.InvalidArgument {
				t.Error(err)
			}
		}
	}
	for _, action := range []string{"", "CreatePreparedStatement", "CancelFlightInfo", "BeginTransaction", "ClosePreparedStatement"} {
		do, err := c.Client.DoAction(t.Context(), &arrowflight.Action{Type: action, Body: []byte("\xff\xff")})
		if err == nil {
			_, err = do.Recv()
		}
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", action, err)
		}
	}
	for _, raw := range []string{"", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff", strings.Repeat("\x00", 100_000)} {
		nc, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = nc.Write([]byte(raw))
		_ = nc.Close()
	}
	if _, _, rows, err := ask(t, c, "SELECT 1"); err != nil || len(rows) != 1 {
		t.Error(rows, err)
	}
}

// TestManyConnections has 200 clients connected, each with an answer; then all go.
func TestManyConnections(t *testing.T) {
	h := open(t)
	first := connect(t, h.addr)
	if _, _, _, err := ask(t, first, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	clients := make([]*flightsql.Client, 200)
	for i := range clients {
		c, err := flightsql.NewClient(h.addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		clients[i] = c
		if _, _, rows, err := ask(t, c, "SELECT 1"); err != nil || len(rows) != 1 {
			t.Fatal(i, rows, err)
		}
	}
	for _, c := range clients {
		_ = c.Close()
	}
	until(t, "goroutines of clients that have gone", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// TestSlow has a client that takes nothing: its connection is closed, and its statement's turn is another's.
func TestSlow(t *testing.T) {
	h := opened(t, time.Second)
	c := connect(t, h.addr)
	for range 8 { // all turns
		slow := connect(t, h.addr)
		info, err := slow.Execute(t.Context(), huge)
		if err != nil {
			t.Fatal(err)
		}
		r, err := slow.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
	}
	if _, _, rows, err := ask(t, c, "SELECT 1"); err != nil || len(rows) != 1 {
		t.Error(rows, err)
	}
	until(t, "statements of a slow client", func() bool { return running(t, h) == 0 })
}

// BenchmarkRows reads a million rows of six columns.
func BenchmarkRows(b *testing.B) {
	c := connect(b, open(b).addr)
	rows := int64(0)
	for b.Loop() {
		info, err := c.Execute(b.Context(), "SELECT i, i::INTEGER AS n, i / 7 AS q, (i % 1000)::DECIMAL(10, 2) AS d, 'berth ' || i % 100 AS s, TIMESTAMP '2026-01-01' + to_seconds(i) AS at FROM range(1000000) t(i)")
		if err != nil {
			b.Fatal(err)
		}
		r, err := c.DoGet(b.Context(), info.GetEndpoint()[0].GetTicket())
		if err != nil {
			b.Fatal(err)
		}
		for r.Next() {
			rows += r.RecordBatch().NumRows()
		}
		if r.Err() != nil {
			b.Fatal(r.Err())
		}
		r.Release()
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
