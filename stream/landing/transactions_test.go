package landing_test

import (
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// TestOnlyCommittedRecordsLand, in the order of the log, and what was aborted holds nothing up.
func TestOnlyCommittedRecordsLand(t *testing.T) {
	r := newRig(t)
	top := r.topic(t, "sums", bus.TopicConfig{Partitions: 1, Land: true})
	p := top.Partitions()[0]
	put := func(producer int64, sequence int32, value string) {
		t.Helper()
		b := record.Encode([]record.Record{{Timestamp: 1, Value: []byte(`{"v":"` + value + `"}`)}})
		if producer > 0 {
			b.SetProducer(producer, 0, sequence, true)
		}
		if _, err := p.Append(r.ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	end := func(producer int64, commit bool) {
		t.Helper()
		if _, err := p.AppendMarker(r.ctx, record.Marker{Producer: producer, Commit: commit}); err != nil {
			t.Fatal(err)
		}
	}
	landed := func() string {
		var out []string
		for _, row := range r.lake.rows("bronze.sums") {
			out = append(out, row["v"].(string))
		}
		return strings.Join(out, ",")
	}
	r.run()
	put(0, 0, "a")
	p.Admit(1, 0)
	p.Admit(2, 0)
	put(1, 0, "aborted")
	put(2, 0, "b")
	put(0, 0, "c")
	put(1, 1, "aborted")
	end(1, false)
	r.wait(t, func() bool { return landed() == "a" && r.line("sums").BronzeNext == 2 }, func() any { return landed() })
	end(2, true)
	p.Admit(1, 0)
	put(1, 2, "aborted")
	end(1, false)
	if one := r.settled(t, top); landed() != "a,b,c" || one.LagRecords != 0 {
		t.Fatalf("landed %s: %+v", landed(), one)
	}
	p.Admit(2, 0)
	put(2, 1, "d")
	r.halt()
	end(2, true)
	r.run()
	if r.settled(t, top); landed() != "a,b,c,d" {
		t.Fatalf("landed %s", landed())
	}
}
