package bus_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/meta"
)

// childClaims makes the kill test's child give its topic to a source.
const childClaims = "TARN_BUS_TEST_CLAIMS"

// sources is what a source wants of its topic.
var sources = bus.TopicConfig{Partitions: 1, Source: "s", Land: true, Keyed: true, Plain: true}

func claimUntilKilled(ctx context.Context, dir string) error {
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return err
	}
	b, err := bus.Open(ctx, bus.Options{Dir: filepath.Join(dir, "bus"), Meta: m, CacheBytes: 1 << 20})
	if err != nil {
		return err
	}
	_, err = b.Claim(ctx, "t", sources)
	return errors.Join(err, errors.New("not killed"))
}

func TestASourceGetsATopicThatNeverHadARecord(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	for round, from := range []int64{0, 2} { // the second topic of the name begins above the first one's records
		p := h.partition("t", bus.TopicConfig{Retention: time.Hour})
		was := p.Topic().Config()
		r := p.Reader(p.Next())
		ended := make(chan error, 1)
		go func() { _, err := r.Next(context.Background(), 1); ended <- err }()
		changed := h.bus.Changed()
		top, err := h.bus.Claim(ctx, "t", sources)
		if err != nil {
			t.Fatal(err)
		}
		<-changed
		if err := <-ended; !errors.Is(err, bus.ErrNoTopic) {
			t.Fatalf("the reader got %v", err)
		}
		r.Close()
		if _, err := p.Append(ctx, batch("of a client that was let in before")); !errors.Is(err, bus.ErrNoTopic) {
			t.Fatalf("append got %v", err)
		}
		check := func() {
			t.Helper()
			c := top.Config()
			if c.ID != was.ID || c.Retention != time.Hour || c.Source != "s" || !c.Land || !c.Keyed || !c.Plain {
				t.Fatalf("round %d: config is %+v", round, c)
			}
			if same, err := h.bus.TopicOf(top.ID()); err != nil || same != top {
				t.Fatalf("by id: %v, %v", same, err)
			}
		}
		check()
		if _, err := h.bus.Writable("t"); fault.CodeOf(err) != fault.Conflict {
			t.Fatalf("a client may write: %v", err)
		}
		for i := range 2 {
			if got := h.append(top.Partitions()[0], placed(fmt.Sprintf("s/%d/%04d", round, i))); got.Base != from+int64(i) {
				t.Fatalf("appended at %+v", got)
			}
		}
		h.restart()
		if top, err = h.bus.Topic("t"); err != nil {
			t.Fatal(err)
		}
		check()
		if again, err := h.bus.Claim(ctx, "t", bus.TopicConfig{Source: "other"}); err != nil || again != top {
			t.Fatalf("another source got %v, %v", again, err)
		}
		if got := h.read(top.Partitions()[0], from, 1); len(got) != 2 {
			t.Fatalf("the log has %q", got)
		}
		if err := h.bus.DeleteTopic(ctx, "t"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.bus.Claim(ctx, "t", sources); !errors.Is(err, bus.ErrNoTopic) {
		t.Fatalf("a topic that is not there: %v", err)
	}
}

func TestASourceGetsNoTopicThatIsSomebodyElses(t *testing.T) {
	h := open(t, nil)
	h.append(h.partition("written", bus.TopicConfig{}), batch("a"))
	trimmed := h.partition("trimmed", bus.TopicConfig{})
	h.append(trimmed, batch("a"))
	if err := trimmed.Trim(t.Context(), -1); err != nil {
		t.Fatal(err)
	}
	h.partition("wide", bus.TopicConfig{Partitions: 2})
	h.partition("filled", bus.TopicConfig{Source: "other"})
	h.partition("tarn.own", bus.TopicConfig{})
	for range 2 {
		for _, top := range h.bus.Topics() {
			was := top.Config()
			got, err := h.bus.Claim(t.Context(), top.Name(), sources)
			if err != nil || got != top || got.Config().Source != was.Source {
				t.Errorf("topic %s: %+v, %v", top.Name(), got.Config(), err)
			}
		}
		h.restart()
	}
	if got := h.read(h.partition("written", bus.TopicConfig{}), 0, 1); len(got) != 1 {
		t.Fatalf("the log has %q", got)
	}
}

// TestWhatClientsAppendWhileASourceComesIsThere: they were let in before, and either all that is acknowledged to them is in a topic that
// stays theirs, or the source's topic has nothing of them.
func TestWhatClientsAppendWhileASourceComesIsThere(t *testing.T) {
	const rounds, clients = 30, 4
	h := open(t, nil)
	ctx := t.Context()
	acked := make([]map[string]bool, rounds)
	name := func(round int) string { return fmt.Sprintf("t-%d", round) }
	for round := range rounds {
		acked[round] = map[string]bool{}
		h.partition(name(round), bus.TopicConfig{})
		var mu sync.Mutex
		var all sync.WaitGroup
		var tries, over atomic.Int64
		for range clients {
			all.Go(func() {
				for over.Load() == 0 {
					top, err := h.bus.Writable(name(round))
					if fault.CodeOf(err) == fault.Conflict {
						return
					}
					if err != nil {
						continue // it is being opened
					}
					v := fmt.Sprint("v", tries.Add(1))
					_, err = top.Partitions()[0].Append(ctx, batch(v))
					switch {
					case err == nil:
						mu.Lock()
						acked[round][v] = true
						mu.Unlock()
					case !errors.Is(err, bus.ErrNoTopic) && !errors.Is(err, bus.ErrRetry):
						t.Errorf("append: %v", err)
						return
					}
				}
			})
		}
		for tries.Load() < int64(round%3) { // from before the first to a few
			time.Sleep(time.Microsecond)
		}
		if _, err := h.bus.Claim(ctx, name(round), sources); err != nil {
			t.Error(err)
		}
		over.Store(1)
		all.Wait()
	}
	given := 0
	for restarts := range 2 {
		for round := range rounds {
			top, err := h.bus.Topic(name(round))
			if err != nil {
				t.Fatal(err)
			}
			p, times := top.Partitions()[0], map[string]int{}
			for _, line := range h.read(p, 0, 1<<20) {
				var offset int
				var v string
				if _, err := fmt.Sscanf(line, "%d:%s", &offset, &v); err != nil {
					t.Fatal(err)
				}
				times[v]++
			}
			for v := range acked[round] {
				if times[v] != 1 {
					t.Errorf("%s: %s was acknowledged and is there %d times", name(round), v, times[v])
				}
			}
			if top.Config().Source != "" {
				if given++; len(times) > 0 {
					t.Errorf("%s is the source's, and has %v", name(round), times)
				}
				if restarts == 1 {
					h.append(p, placed("s/i/0001"))
				}
			}
		}
		if restarts == 0 {
			h.restart()
		}
	}
	t.Logf("%d of %d topics became the source's", given/2, rounds)
}

// TestAnAppendThatHasNoAnswerWhenASourceComes: what is stored is found, and what is not stored yet never will be.
func TestAnAppendThatHasNoAnswerWhenASourceComes(t *testing.T) {
	for _, stored := range []bool{true, false} {
		t.Run(fmt.Sprintf("stored %t", stored), func(t *testing.T) {
			var held func() error
			sent := make(chan struct{})
			var first sync.Once
			h := open(t, func(o *bus.Options) {
				o.WithAckTimeout(waitLimit)
				o.WithPublish(func(nc *nats.Conn, m *nats.Msg) (err error) {
					send := true
					first.Do(func() {
						send = false
						own := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: slices.Clone(m.Data)}
						held = func() error { return errors.Join(nc.PublishMsg(own), nc.Flush()) }
						if stored {
							err = held()
						}
						close(sent)
					})
					if send {
						err = nc.PublishMsg(m)
					}
					return err
				})
			})
			p := h.partition("t", bus.TopicConfig{})
			answer := make(chan error, 1)
			go func() { _, err := p.Append(context.Background(), batch("a")); answer <- err }()
			<-sent
			top, err := h.bus.Claim(t.Context(), "t", sources)
			if err != nil {
				t.Fatal(err)
			}
			if err := <-answer; !errors.Is(err, bus.ErrNoTopic) {
				t.Fatalf("the append got %v", err)
			}
			want := []string{"0:a", "1:x"}
			if !stored {
				_ = held() // on a connection that is gone it stays lost
				want = []string{"0:x"}
			}
			if given := top.Config().Source != ""; given == stored {
				t.Fatalf("config is %+v", top.Config())
			}
			h.append(top.Partitions()[0], placed("s/i/0001"))
			for range 2 {
				if got := h.read(h.partition("t", bus.TopicConfig{}), 0, 1); !slices.Equal(got, want) {
					t.Fatalf("the log has %q, want %q", got, want)
				}
				h.restart()
			}
		})
	}
}

// TestKilledWhileItIsGivenATopicASourceGetsItOrAsksAgain at each step.
func TestKilledWhileItIsGivenATopicASourceGetsItOrAsksAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	t.Setenv(childClaims, "1")
	for crash, given := range map[string]bool{"bus.claiming": false, "bus.claimed": true} {
		h := open(t, nil)
		id := h.partition("t", bus.TopicConfig{}).Topic().ID()
		h.close()
		runChild(t, h.dir, crash+":1", 0)
		h.open()
		top, err := h.bus.Topic("t")
		if err != nil || top.ID() != id || (top.Config().Source == "s") != given {
			t.Fatalf("%s: %+v, %v", crash, top, err)
		}
		if top, err = h.bus.Claim(t.Context(), "t", sources); err != nil || top.Config().Source != "s" || top.ID() != id {
			t.Fatalf("%s: %+v, %v", crash, top, err)
		}
		h.append(top.Partitions()[0], placed("s/i/0001"))
		h.restart()
		if got := h.read(h.partition("t", bus.TopicConfig{}), 0, 1); !slices.Equal(got, []string{"0:x"}) {
			t.Fatalf("%s: the log has %q", crash, got)
		}
	}
}
