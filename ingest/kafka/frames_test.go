package kafka_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// TestLargeRequestsAndAnswersKeepTheirBytes, whoever has the memory of the ones before.
func TestLargeRequestsAndAnswersKeepTheirBytes(t *testing.T) {
	h := newHouse(t)
	const clients, rounds = 4, 25
	// each value tells whose it is, and is of its one byte throughout
	value := func(client, round int) []byte {
		size := 20_000 + rand.IntN(300_000)
		return append(fmt.Appendf(nil, "%d-%d:", client, round), bytes.Repeat([]byte{byte('a' + (client*rounds+round)%26)}, size)...)
	}
	var all errgroup.Group
	for n := range clients {
		all.Go(func() error {
			topic := fmt.Sprint("frames-", n%2)
			ctx := within(t)
			c := h.client(kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ConsumeTopics(topic))
			for round := range rounds {
				if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value(n, round)}, &kgo.Record{Topic: topic, Value: value(n, round)}).FirstErr(); err != nil {
					return err
				}
			}
			mine := 0
			for mine < 2*rounds {
				fetches := c.PollFetches(ctx)
				if err := fetches.Err(); err != nil {
					return err
				}
				for r := range fetches.RecordsAll() {
					var client, round int
					if _, err := fmt.Sscanf(string(r.Value[:12]), "%d-%d:", &client, &round); err != nil {
						return err
					}
					rest := r.Value[bytes.IndexByte(r.Value, ':')+1:]
					if want := byte('a' + (client*rounds+round)%26); bytes.Count(rest, []byte{want}) != len(rest) {
						return fmt.Errorf("record %d of %s has other bytes", r.Offset, topic)
					}
					if client == n {
						mine++
					}
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
}
