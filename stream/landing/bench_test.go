package landing_test

import (
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
	var list []record.Record
	bytes := 0
	for i := range changes {
		list = append(list, s.change('u', row(int64(i), "A1", 1), row(int64(i), "B2", 2.5))...)
		bytes += len(list[i].Value)
	}
	batch := record.Encode(list)
	b.SetBytes(int64(bytes))
	r.run()
	for b.Loop() {
		s.append(b, batch)
		r.settled(b, s.topic)
		b.StopTimer()
		r.lake.drop()
		b.StartTimer()
	}
}
