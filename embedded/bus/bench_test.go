package bus_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// BenchmarkAppend1MB is one producer that appends batches of 1 MB, each acknowledged
// after its fsync before the next is sent.
func BenchmarkAppend1MB(b *testing.B) {
	h := open(b, func(o *bus.Options) { o.CacheBytes = 16 << 20 })
	p := h.partition("bench", bus.TopicConfig{})
	const values, valueBytes = 1000, 1000
	records := make([]record.Record, values)
	for i := range records {
		value := make([]byte, valueBytes)
		_, _ = rand.Read(value)
		records[i] = record.Record{Timestamp: 1, Value: value}
	}
	batch := record.Encode(records)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	took := make([]time.Duration, 0, 1<<16)
	for b.Loop() {
		start := time.Now()
		if _, err := p.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(len(batch))*float64(len(took))/1e6/b.Elapsed().Seconds(), "MB/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkProducers is 64 producers that append to one partition at once, each with five batches in
// flight, as Kafka's clients have, and each batch acknowledged after an fsync, which the writer shares
// between those that wait. Beside it stands what a plain file takes in such pieces.
func BenchmarkProducers(b *testing.B) {
	for name, bytes := range map[string]int{"1KB": 1000, "16KB": 16_000} {
		b.Run(name, func(b *testing.B) {
			h := open(b, func(o *bus.Options) { o.CacheBytes = 16 << 20 })
			p := h.partition("bench", bus.TopicConfig{})
			value := make([]byte, bytes)
			_, _ = rand.Read(value)
			batch := record.Encode([]record.Record{{Timestamp: 1, Value: value}})
			const producers, inFlight = 64, 5
			b.SetParallelism(producers * inFlight / runtime.GOMAXPROCS(0))
			b.SetBytes(int64(len(batch)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := p.Append(context.Background(), slices.Clone(batch)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(plainSynced(b, len(batch)*producers*inFlight), "disk-MB/s")
		})
	}
}

// plainSynced is how many MB a second a plain file takes in pieces of so many bytes, each synced: what the
// disk has to give when all that waits goes into one sync.
func plainSynced(b *testing.B, bytes int) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	piece, n, began := make([]byte, bytes), 0, time.Now()
	for ; time.Since(began) < time.Second; n++ {
		if _, err := f.Write(piece); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) * float64(bytes) / 1e6 / time.Since(began).Seconds()
}

// BenchmarkRead reads a log of joined messages from disk.
func BenchmarkRead(b *testing.B) {
	h := open(b, func(o *bus.Options) { o.CacheBytes = 0 })
	p := h.partition("bench", bus.TopicConfig{})
	batch := record.Encode(slices.Repeat([]record.Record{{Timestamp: 1, Value: make([]byte, 1000)}}, 1000))
	const batches = 100
	for range batches {
		if _, err := p.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(batch) * batches))
	for b.Loop() {
		r := p.Reader(0)
		for at := int64(0); at < p.Next(); {
			f, err := r.Next(context.Background(), 1<<20)
			if err != nil {
				b.Fatal(err)
			}
			at = f.Next
		}
		r.Close()
	}
}
