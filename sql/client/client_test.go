package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/sql/client"
)

func TestTableShowsWhatTheServerSaid(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"columns":[{"name":"port","type":"VARCHAR"},{"name":"n","type":"BIGINT"},{"name":"x","type":"VARCHAR"}],
			"rows":[["Tanger Med",9223372036854775807,null],["Réunion",7,"a\u001b[31m\nb"]],"stats":{"rows":2,"ms":3,"snapshots":{}}}`))
	}))
	defer s.Close()
	var out strings.Builder
	c, err := client.New(client.Options{URL: s.URL, Format: "table", Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	want := "port                          n  x\n" +
		"----------  -------------------  --------\n" +
		"Tanger Med  9223372036854775807  NULL\n" +
		"Réunion                       7  a [31m b\n" +
		"(2 rows, 3 ms)\n"
	if out.String() != want {
		t.Fatalf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestErrorsOfTheServer(t *testing.T) {
	const body = `{"error":{"code":"syntax","message":"near FORM","hint":"write FROM","line":1,"column":10}}`
	for name, status := range map[string]int{"refused": http.StatusBadRequest, "in mid-answer": http.StatusOK} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				if status == http.StatusOK {
					_, _ = w.Write([]byte("{\"a\":1}\n"))
				}
				_, _ = w.Write([]byte(body))
			}))
			defer s.Close()
			var out strings.Builder
			c, err := client.New(client.Options{URL: s.URL, Format: "json", Out: &out})
			if err != nil {
				t.Fatal(err)
			}
			err = c.Run(t.Context(), "SELECT * FORM t")
			if fault.CodeOf(err) != fault.Syntax || fault.HintOf(err) != "write FROM" || !strings.Contains(err.Error(), "column 10") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestNoTarnRuns(t *testing.T) {
	_, err := client.New(client.Options{Data: t.TempDir(), Format: "table"})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.HintOf(err), "tarn up") {
		t.Fatalf("got %v", err)
	}
}
