package landing_test

import (
	"fmt"
	"syscall"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// BenchmarkLand lands 10,000 updates, one operation, in bronze and silver of a lake in memory.
func BenchmarkLand(b *testing.B) {
	const changes = 10_000
	r := newRig(b)
	s := &source{rig: r, topic: r.topic(b, "port.main.calls", bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"}), gen: 1}
	s.put(b, calls())
	r.run()
	cpu := 0.0
	for b.Loop() {
		b.StopTimer()
		r.lake.drop()
		var list []record.Record
		bytes := 0
		for i := range changes { // each with a place of its own
			list = append(list, s.change('u', row(int64(i), "A1", 1), row(int64(i), "B2", 2.5))...)
			bytes += len(list[i].Value)
		}
		batch := record.Encode(list)
		b.SetBytes(int64(bytes))
		before := spent(b)
		b.StartTimer()
		s.append(b, batch)
		r.settled(b, s.topic)
		cpu += spent(b) - before
	}
	b.ReportMetric(cpu/float64(b.N)/changes, "cpu-ns/record")
}

// BenchmarkLandPlain lands 10,000 plain JSON records of seven fields, one operation, in bronze.
func BenchmarkLandPlain(b *testing.B) {
	const records = 10_000
	r := newRig(b)
	top := r.topic(b, "bid", bus.TopicConfig{Partitions: 1, Land: true})
	var list []record.Record
	bytes := 0
	for i := range records {
		value := fmt.Appendf(nil, `{"auction":%d,"bidder":%d,"price":%d,"channel":"Facebook","url":"https://www.nexmark.com/abcde/item.htm?query=1","dateTime":"2026-01-01T00:00:12.345Z","extra":"abcdefghijabcdefghijabcdefghij"}`,
			1000+i/100, 1000+i%997, 100+i)
		list = append(list, record.Record{Timestamp: 1, Value: value})
		bytes += len(value)
	}
	batch := record.Encode(list)
	b.SetBytes(int64(bytes))
	r.run()
	before := spent(b)
	for b.Loop() {
		if _, err := top.Partitions()[0].Append(r.ctx, batch); err != nil {
			b.Fatal(err)
		}
		r.settled(b, top)
		b.StopTimer()
		r.lake.drop()
		b.StartTimer()
	}
	b.ReportMetric((spent(b)-before)/float64(b.N)/records, "cpu-ns/record")
}

// spent is the process's own time, which a busy machine does not stretch.
func spent(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}
