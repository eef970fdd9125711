package own_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tarn/embedded/record"
	"tarn/stream/own"
)

// TestAppendLeavesOutWhatIsThere: what the topic has from the source is left out, and so is what comes after a place only because
// places have got longer since it was kept.
func TestAppendLeavesOutWhatIsThere(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	topics, _ := ownTopics(t)
	outs := func(places ...string) (list []own.Out) {
		for _, p := range places {
			list = append(list, own.Out{Place: p, Record: record.Record{Value: fmt.Appendf(nil, `{"pipeline":%q}`, p)}})
		}
		return list
	}
	late := topics[own.Late]
	for _, c := range []struct {
		incarnation string
		places      []string
		more        int64
	}{
		{"i", []string{"11", "12"}, 2},
		{"i", []string{"11", "12", "13"}, 1},
		{"i", []string{"11", "13"}, 0},
		{"i", []string{"12a", "13a", "13b", "14a", "14b"}, 2},
		{"i", []string{"14a", "14b", "14c"}, 1},
		{"j", []string{"14a"}, 1},
	} {
		before := late.Partition.Next()
		if err := late.Append(ctx, "src", c.incarnation, outs(c.places...)); err != nil {
			t.Fatal(err)
		}
		if got := late.Partition.Next() - before; got != c.more {
			t.Errorf("%v: %d were appended, want %d", c.places, got, c.more)
		}
	}
}

// TestTwoWhoAppendTheSameAreOne: a pipeline that was resumed appends what its stop cut off, and what may be on
// its way still; neither is refused, nor anything doubled.
func TestTwoWhoAppendTheSameAreOne(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	topics, _ := ownTopics(t)
	letter := []own.Letter{{Record: &record.Record{Offset: 7, Value: []byte("x")}, Why: "planted"}}
	const tries = 8
	done := make(chan error)
	for range tries {
		go func() { done <- topics.Letters(ctx, "t", "r", "pipeline p", "i", letter, time.UnixMilli(1)) }()
	}
	for range tries {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := topics[own.DeadLetter].Partition.Next(); got != 1 {
		t.Errorf("the dead letter is there %d times", got)
	}
}
