package txn_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/txn"
	"tarn/embedded/record"
)

// BenchmarkTransactions is so many producers, each with one transaction of one record after the other.
func BenchmarkTransactions(b *testing.B) {
	for _, producers := range []int{1, 16} {
		b.Run(fmt.Sprint(producers, " producers"), func(b *testing.B) {
			h, ctx := &house{dir: b.TempDir()}, context.Background()
			if err := h.open(ctx); err != nil {
				b.Fatal(err)
			}
			defer func() { _ = h.close() }()
			topic, err := h.bus.CreateTopic(ctx, "b", bus.TopicConfig{Partitions: int32(producers)}) //nolint:gosec // a few
			if err != nil {
				b.Fatal(err)
			}
			one := func(n int, p txn.Producer) (txn.Producer, error) {
				id := fmt.Sprint(n)
				if err := h.txn.AddPartitions(ctx, id, p, map[string][]int32{"b": {int32(n)}}); err != nil { //nolint:gosec // a few
					return p, err
				}
				batch := record.Encode([]record.Record{{Timestamp: 1, Value: []byte("v")}})
				batch.SetProducer(p.ID, p.Epoch, 0, true)
				if _, err := topic.Partitions()[n].Append(ctx, batch); err != nil {
					return p, err
				}
				return h.txn.EndAndBump(ctx, id, p, true)
			}
			var all sync.WaitGroup
			b.ResetTimer()
			for n := range producers {
				all.Go(func() {
					p, err := h.txn.Init(ctx, fmt.Sprint(n), time.Minute, nil)
					for range b.N / producers {
						if err == nil {
							p, err = one(n, p)
						}
					}
					if err != nil {
						b.Error(err)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "txn/s")
		})
	}
}
