package bus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// childCompacts makes the kill test's child compact its log, too.
const childCompacts = "TARN_BUS_TEST_COMPACTS"

const compactedKeys = 20 // of each of the child's producers

// compactUntilKilled appends to a compacted topic, whose values grow, and compacts it all the while.
func compactUntilKilled(ctx context.Context, dir string) error {
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return err
	}
	b, err := bus.Open(ctx, bus.Options{Dir: filepath.Join(dir, "bus"), Meta: m, CacheBytes: 1 << 20})
	if err != nil {
		return err
	}
	t, err := b.Topic("t")
	if err != nil {
		return err
	}
	p := t.Partitions()[0]
	acks, err := os.OpenFile(filepath.Join(dir, "acks"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	errs := make(chan error)
	begin := time.Now().UnixNano()
	for n := range int64(4) {
		go func() {
			for i := int64(0); ; i++ {
				key := fmt.Sprintf("%d-%d", n, i%compactedKeys)
				value := strconv.FormatInt(begin+i, 10)
				a, err := p.Append(ctx, record.Encode([]record.Record{{Timestamp: time.Now().UnixMilli(), Key: []byte(key), Value: []byte(value)}}))
				if err == nil {
					_, err = fmt.Fprintf(acks, "%d %s=%s\n", a.Base, key, value)
				}
				if err != nil {
					errs <- err
				}
			}
		}()
	}
	go func() {
		for {
			if err := p.Compact(ctx, 30); err != nil {
				errs <- err
			}
		}
	}()
	return <-errs
}

// TestKilledWhileItIsCompactedALogHasTheNewestOfEachKey at random moments, and at each step of a pass.
func TestKilledWhileItIsCompactedALogHasTheNewestOfEachKey(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	t.Setenv(childCompacts, "1")
	h := open(t, nil)
	h.partition("t", compacted(t))
	h.close()
	last := int64(0)
	for round, crash := range []string{"", "bus.compacting:3", "bus.compacted:1", "bus.swapped:1", "bus.compacted:4", "bus.swapped:3", "bus.compacting:20", ""} {
		runChild(t, h.dir, crash, len(readAcks(t, h.dir))+rand.IntN(1000))
		acked := map[string]kv{}
		for text, offset := range readAcks(t, h.dir) {
			key, value, _ := strings.Cut(text, "=")
			if offset >= acked[key].offset {
				acked[key] = kv{value, offset}
			}
		}
		if round == 2 {
			h.close()
			forget(t, h.dir, meta.Checks, "t/0")
		}
		h.open()
		p := h.partition("t", bus.TopicConfig{})
		got := newestOf(readAll(t, p))
		for key, want := range acked {
			switch have := got[key]; {
			case have.offset < want.offset, have.offset == want.offset && have.value != want.value, have.value < want.value:
				t.Fatalf("round %d, %s: %s holds %+v, acknowledged was %+v", round, crash, key, have, want)
			}
		}
		if p.Next() < last {
			t.Fatalf("round %d: the log ends at %d, it ended at %d", round, p.Next(), last)
		}
		last = p.Next()
		if err := p.Compact(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		h.close()
		if left, err := filepath.Glob(filepath.Join(h.dir, "bus/jetstream/TARN/streams/t@0*")); err != nil || len(left) != 1 {
			t.Fatalf("round %d: streams are %v, %v", round, left, err)
		}
	}
}
