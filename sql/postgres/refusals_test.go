//go:build duckdb_arrow

package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"tarn/sql/postgres"
)

// TestRefusalsAreSlowed: the delay doubles up to a bound, is of one address, and is forgotten.
func TestRefusalsAreSlowed(t *testing.T) {
	r, now := postgres.NewRefusals(), time.Unix(1_800_000_000, 0)
	delays := func(host string, n int) (out []time.Duration) {
		for range n {
			delay, done := r.Add(host, now)
			done()
			out = append(out, delay/time.Millisecond)
		}
		return out
	}
	for _, of := range []struct {
		host string
		n    int
		want string
	}{
		{"192.0.2.1", 8, "[100 200 400 800 1600 3200 5000 5000]"},
		{"192.0.2.2", 1, "[100]"},
		{"2001:db8::1", 1, "[100]"},
		{"2001:db8::2", 1, "[200]"},
		{"2001:db8:0:1::1", 1, "[100]"},
		{"::ffff:192.0.2.1", 100, ""},
		{"192.0.2.1", 1, "[5000]"},
		{"no address", 2, "[100 200]"},
	} {
		if got := fmt.Sprintf("%d", delays(of.host, of.n)); of.want != "" && got != of.want {
			t.Errorf("%s: %s, want %s", of.host, got, of.want)
		}
	}
	now = now.Add(5*time.Minute + time.Second)
	if got := delays("192.0.2.1", 1); got[0] != 100 {
		t.Errorf("it is remembered: %d", got)
	}
}

// TestManyRefusals: of one address so many wait at most, and so many addresses are known.
func TestManyRefusals(t *testing.T) {
	r, now := postgres.NewRefusals(), time.Unix(1_800_000_000, 0)
	var ends []func()
	for i := range 16 {
		if !r.Heard("192.0.2.1") {
			t.Fatalf("not heard while %d wait", i)
		}
		_, done := r.Add("192.0.2.1", now)
		ends = append(ends, done)
	}
	if r.Heard("192.0.2.1") || !r.Heard("192.0.2.2") {
		t.Error("one address is to be heard no longer, and another is")
	}
	for i := range 10_000 {
		_, done := r.Add(fmt.Sprintf("10.0.%d.%d", i/256, i%256), now)
		done()
	}
	if n := r.Addresses(); n > 4096 || r.Heard("192.0.2.1") {
		t.Errorf("%d addresses are known, or one of which refusals wait is not", n)
	}
	ends[0]()
	if !r.Heard("192.0.2.1") {
		t.Error("it is not heard again")
	}
}

// TestRefusedLoginsAreCounted: and whoever knows the password is let in among them.
func TestRefusedLoginsAreCounted(t *testing.T) {
	metrics := prometheus.NewRegistry()
	port, _ := closedWith(t, here, metrics)
	for _, of := range []string{"user=crane password=Hook", "user=nobody password=hook"} {
		if _, err := pgx.Connect(t.Context(), of+" host=127.0.0.1 dbname=lake sslmode=disable port="+port); codeOf(err) != "28P01" {
			t.Error(err)
		}
	}
	c, err := pgx.Connect(t.Context(), "user=crane password=hook host=127.0.0.1 dbname=lake sslmode=disable port="+port)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close(t.Context())
	found, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := 0.0
	for _, f := range found {
		if f.GetName() == "tarn_postgres_logins_refused_total" {
			counted = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if counted != 2 {
		t.Errorf("%v refusals are counted", counted)
	}
}
