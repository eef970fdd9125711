//go:build duckdb_arrow

package sql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// The bounds of one try.
const (
	tryMax   = 2 * time.Minute
	pagesMax = 4
)

// FuzzTrino sends the door of Trino whole requests, and fetches some pages of what it answers: each has an answer of HTTP that is no
// failure of the server, and JSON where it says so.
func FuzzTrino(f *testing.F) {
	h := open(f)
	addr, c := h.wires[3].addr, &http.Client{Timeout: tryMax}
	const path = "/v1/statement"
	for _, words := range []string{
		"SELECT 1", "EXECUTE p USING 1, 'x'", "SELECT name, berths FROM system.ports", "SHOW TABLES FROM system", "PREPARE q FROM SELECT ?", "DESCRIBE OUTPUT p", "USE lake.system",
		"SET SESSION query_max_run_time = '1s'", "CALL system.runtime.kill_query('x', 'y')", "EXPLAIN (TYPE VALIDATE) SELECT 1", "SELECT ARRAY[1, NULL], MAP(ARRAY['a'], ARRAY[ROW(1, 2)]), X'65', 0x1F",
		"VALUES (TIMESTAMP '2026-01-01 00:00:00 Europe/Paris', nan(), infinity())", "", "SELECT '\x00", "SELECT \xff",
	} {
		f.Add("POST", path, "me", "p=SELECT+%3F%2C+%3F", "query_max_run_time=1s", "", words)
	}
	f.Add("GET", path+"/executing/x/y/1", "me", "", "", "PARAMETRIC_DATETIME", "")
	f.Add("DELETE", path+"/queued/20260101_000000_00000_tarn0/%00/-9223372036854775809", "", "=", "=%", "\r\n", "")
	f.Add("GET", "/v1/info?x=%zz", "me", "", "", "", "")
	f.Add("PUT", "/v1/statement/../..//", "\u00e9", "", "", "", "x")
	f.Fuzz(func(t *testing.T, method, path, user, prepared, session, capabilities, text string) {
		ctx, cancel := context.WithTimeout(t.Context(), tryMax)
		defer cancel()
		ask := func(method, url, text string) (next string) {
			r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
			if err != nil {
				return "" // no client could send it
			}
			for name, value := range map[string]string{"User": user, "Prepared-Statement": prepared, "Session": session, "Client-Capabilities": capabilities} {
				r.Header.Set("X-Trino-"+name, value)
			}
			resp, err := c.Do(r)
			if err != nil {
				if strings.Contains(err.Error(), "invalid") || strings.Contains(err.Error(), "unsupported") || strings.Contains(err.Error(), "redirect") {
					return "" // as above
				}
				t.Fatalf("%s %q: %v", method, url, err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode >= http.StatusInternalServerError {
				t.Fatalf("%s %q: %s %.300s %v", method, url, resp.Status, body, err)
			}
			var page struct{ NextURI string }
			if method != http.MethodHead && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
				if err := json.NewDecoder(bytes.NewReader(body)).Decode(&page); err != nil {
					t.Fatalf("%s %q: %.300s %v", method, url, body, err)
				}
			}
			return page.NextURI
		}
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		next := ask(method, "http://"+addr+path, text)
		for range pagesMax {
			if next == "" {
				return
			}
			next = ask(http.MethodGet, next, "")
		}
		if next != "" {
			ask(http.MethodDelete, next, "")
		}
	})
}

// FuzzFlight sends the door of Flight SQL commands, actions and tickets: each ends with a status that is no failure of the server.
func FuzzFlight(f *testing.F) {
	h := open(f)
	conn, err := grpc.NewClient(h.wires[2].addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = conn.Close() })
	c := arrowflight.NewClientFromConn(conn, nil)
	kinds := []string{
		"CommandStatementQuery", "CommandPreparedStatementQuery", "CommandGetTables", "CommandGetDbSchemas", "CommandGetCatalogs", "CommandGetTableTypes", "CommandGetSqlInfo",
		"CommandGetXdbcTypeInfo", "CommandGetPrimaryKeys", "CommandGetExportedKeys", "CommandGetCrossReference", "CommandStatementUpdate", "CommandStatementIngest", "TicketStatementQuery",
		"CommandStatementSubstraitPlan", "ActionCreatePreparedStatementRequest", "ActionClosePreparedStatementRequest", "Nothing",
	}
	for kind := range kinds {
		for way := range byte(4) {
			f.Add(way, byte(kind), "CreatePreparedStatement", []byte("\x0a\x08SELECT 1"))
		}
	}
	f.Add(byte(3), byte(0), "CancelFlightInfo", []byte("\x0a\x02\x12\x00"))
	f.Add(byte(3), byte(16), "ClosePreparedStatement", []byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, way, kind byte, action string, body []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), tryMax)
		defer cancel()
		url := "type.googleapis.com/arrow.flight.protocol.sql." + kinds[int(kind)%len(kinds)]
		said := append(append(append([]byte{0x0a, byte(len(url))}, url...), 0x12), varint(len(body))...) // an Any
		said = append(said, body...)
		drain := func(next func() error, err error) error {
			for n := 0; err == nil && n < pagesMax; n++ {
				err = next()
			}
			return err
		}
		var err error
		switch way % 4 {
		case 0:
			_, err = c.GetFlightInfo(ctx, &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorCMD, Cmd: said})
		case 1:
			_, err = c.GetSchema(ctx, &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorCMD, Cmd: said})
		case 2:
			in, failed := c.DoGet(ctx, &arrowflight.Ticket{Ticket: said})
			err = drain(func() error { _, err := in.Recv(); return err }, failed)
		case 3:
			in, failed := c.DoAction(ctx, &arrowflight.Action{Type: strings.ToValidUTF8(action, "?"), Body: said})
			err = drain(func() error { _, err := in.Recv(); return err }, failed)
		}
		switch code := status.Code(err); {
		case err == nil, err == io.EOF: //nolint:errorlint // of gRPC as it is
		case code == codes.Internal, code == codes.Unavailable, code == codes.DeadlineExceeded, strings.Contains(err.Error(), "see Tarn's log"):
			t.Fatalf("way %d, %s %q: %v", way%4, url, body, err)
		}
	})
}

func varint(n int) (out []byte) {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}
