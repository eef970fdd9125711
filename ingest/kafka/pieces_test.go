package kafka_test

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"tarn/embedded/record"
	"tarn/ingest/kafka"
)

// TestAnswersToFetchesAreAsKmsgWritesThem, in each version, with batches that are copied and such that are not.
func TestAnswersToFetchesAreAsKmsgWritesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		resp, records := kmsg.NewPtrFetchResponse(), [][]record.Batch{}
		resp.Version = int16(rapid.IntRange(4, 18).Draw(t, "version"))
		resp.SessionID, resp.ErrorCode = rapid.Int32().Draw(t, "session"), rapid.Int16().Draw(t, "error")
		for range rapid.IntRange(0, 3).Draw(t, "topics") {
			topic := kmsg.NewFetchResponseTopic()
			if resp.Version >= 13 {
				copy(topic.TopicID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
			} else {
				topic.Topic = rapid.StringN(0, 200, 249).Draw(t, "topic")
			}
			for range rapid.IntRange(0, 3).Draw(t, "partitions") {
				part, batches := drawPart(t, resp.Version)
				topic.Partitions, records = append(topic.Partitions, part), append(records, batches)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		want := resp.AppendTo(nil)
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				resp.Topics[i].Partitions[j].RecordBatches = nil
			}
		}
		ours, theirs := net.Pipe()
		got := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(theirs)
			got <- b
		}()
		err := kafka.WriteFetched(resp, records, ours)
		_ = ours.Close()
		if b := <-got; err != nil || !bytes.Equal(b, want) {
			t.Errorf("%v; got %d bytes, want %d", err, len(b), len(want))
		}
	})
}

func drawPart(t *rapid.T, version int16) (kmsg.FetchResponseTopicPartition, []record.Batch) {
	part := kmsg.NewFetchResponseTopicPartition()
	part.Partition, part.ErrorCode = rapid.Int32().Draw(t, "partition"), rapid.Int16().Draw(t, "error")
	part.HighWatermark, part.LastStableOffset = rapid.Int64().Draw(t, "high"), rapid.Int64().Draw(t, "stable")
	if version >= 5 {
		part.LogStartOffset = rapid.Int64().Draw(t, "low")
	}
	if rapid.Bool().Draw(t, "committed") {
		part.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		for range rapid.IntRange(0, 3).Draw(t, "aborted") {
			gone := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			gone.ProducerID, gone.FirstOffset = rapid.Int64().Draw(t, "producer"), rapid.Int64().Draw(t, "first")
			part.AbortedTransactions = append(part.AbortedTransactions, gone)
		}
	}
	part.RecordBatches = []byte{}
	var batches []record.Batch
	for _, size := range rapid.SliceOfN(rapid.SampledFrom([]int{61, 200, 512 << 10, 512<<10 + 1, 1 << 20}), 0, 4).Draw(t, "sizes") {
		b := bytes.Repeat([]byte{byte(len(batches) + 1)}, size)
		batches = append(batches, b)
		part.RecordBatches = slices.Concat(part.RecordBatches, b)
	}
	return part, batches
}
