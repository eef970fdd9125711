//go:build duckdb_arrow

// Package histories_test holds the program's Kafka door against a model of it: producers with and without transactions,
// groups, readers and somebody who changes topics work at once, while the program is killed and stopped at random. After
// each round, and at the end, all that is there is read and judged. A history follows from its seed but for the moments
// in which the machine does what.
package histories_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	proof "tarn/.ci/proof"
)

var (
	flagHistories = flag.Int("histories", 2, "how many histories TestHistories leads")
	flagSide      = flag.Int("side", 2, "how many of them side by side")
	flagSeed      = flag.Uint64("seed", 0, "of the first history; 0 takes a new one")
	flagPlanted   = flag.Bool("planted", false, "build programs with a fault each, and see that histories find it")
	flagKeep      = flag.Bool("keep", false, "keep the folder of a history that failed")
)

const (
	rounds       = 3
	patience     = 5 * time.Minute // for a round: not a claim of speed, but the end of a hang
	groupName    = "readers"
	transactors  = 3
	endsMax      = 4   // of the program in a round
	journalLines = 120 // of a history that failed are shown
)

// offsetsOf is the partition whose offsets transactions commit.
var offsetsOf = place{"plain", 0}

// history is one life of a door.
type history struct {
	model *model
	door  *door
	asker
	quiet atomic.Bool // the round comes to its end

	mu         sync.Mutex
	partitions map[string]int32
	upTo       map[string]map[place]int64 // what followers have read
}

// busy tells whether there is still to be something going on.
func (h *history) busy() bool { return !h.quiet.Load() }

func (h *history) topics() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for name := range h.partitions {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (h *history) places() (out []place) {
	names := h.topics()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		for n := range h.partitions[name] {
			out = append(out, place{name, n})
		}
	}
	return out
}

func (h *history) followed(name string, next map[place]int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.upTo[name] == nil {
		h.upTo[name] = map[place]int64{}
	}
	maps.Copy(h.upTo[name], next)
}

// TestHistories leads random histories.
func TestHistories(t *testing.T) {
	seed := *flagSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) //nolint:gosec // any
	}
	binary, err := restless(t.Context(), t.TempDir(), "restless")
	if err != nil {
		t.Fatal(err)
	}
	turns := make(chan struct{}, *flagSide)
	var all sync.WaitGroup
	for n := range *flagHistories {
		seed := seed + uint64(n) //nolint:gosec // not negative
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			dir, err := os.MkdirTemp("", "tarn-history-") //nolint:usetesting // it stays where -keep says so
			if err != nil {
				t.Error(err)
				return
			}
			said, err := lead(t.Context(), binary, dir, seed)
			if err != nil {
				t.Errorf("history with -seed %d (its moments may differ): %v\n%s", seed, err, strings.Join(said, "\n"))
			} else {
				t.Logf("seed %d: %s", seed, said[len(said)-1])
			}
			if err == nil || !*flagKeep {
				_ = os.RemoveAll(dir)
			}
		})
	}
	all.Wait()
}

// restless is the program, but that it compacts without rest, and with other changes. TARN_PROOF_RESTLESS names one
// without others that is there already.
func restless(ctx context.Context, dir, name string, more ...proof.Change) (string, error) {
	if path := os.Getenv("TARN_PROOF_RESTLESS"); path != "" && len(more) == 0 {
		return filepath.Abs(path)
	}
	return proof.BuildChanged(ctx, dir, name, append(more,
		proof.Change{File: "embedded/bus/compact.go", From: "compactInterval = 15 * time.Second", To: "compactInterval = 200 * time.Millisecond"},
		proof.Change{File: "embedded/bus/retention.go", From: "keepInterval = 5 * time.Second", To: "keepInterval = 200 * time.Millisecond"},
	)...)
}

// planted are faults, each of which histories must find.
var planted = map[string][]proof.Change{
	"a batch that is sent again gets in again": {
		{File: "embedded/bus/producers.go", From: "was.first == s.first && was.last == s.last {", To: "was.first == s.first && was.last == s.last && was.base < 0 {"},
		{File: "embedded/bus/producers.go", From: "if p.epoch >= 0 && s.first != want {", To: "if p.epoch >= 0 && s.first > want {"},
	},
	"some aborted transactions are forgotten": {
		{File: "embedded/bus/producers.go", From: "\t\tx.aborted = append(x.aborted, *aborted)", To: "\t\tif base%5 != 0 {\n\t\t\tx.aborted = append(x.aborted, *aborted)\n\t\t}"},
	},
	"a commit is one offset back": {
		{File: "embedded/bus/group/offsets.go", From: "c := Committed{Offset: o.At,", To: "c := Committed{Offset: max(o.At-1, 0),"},
	},
	"the last stable offset passes open transactions": {
		{File: "embedded/bus/producers.go", From: "\t\tend = min(end, first)", To: "\t\tend = max(end, first)"},
	},
	"compaction takes the newest of a key": {
		{File: "embedded/bus/rewrite.go", From: "known && e.Offset < newest", To: "known && (e.Offset < newest || e.Offset%11 == 0)"},
	},
}

// TestPlanted builds a program with each of the faults, and leads histories until one is red.
func TestPlanted(t *testing.T) {
	if !*flagPlanted {
		t.Skip("-planted builds programs with faults")
	}
	const tries = 5
	for what, changes := range planted {
		t.Run(what, func(t *testing.T) {
			binary, err := restless(t.Context(), t.TempDir(), "planted", changes...)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(tries) {
				if _, err := lead(t.Context(), binary, t.TempDir(), seed); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("%d histories do not find it", tries)
		})
	}
}

// lead leads a history, and returns the end of its journal with what was wrong.
func lead(ctx context.Context, binary, dir string, seed uint64) (said []string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // chance that can be repeated
	d, err := newDoor(binary, dir, pick(r, "always", "always", "interval"))
	if err != nil {
		return nil, err
	}
	h := &history{model: newModel(), door: d, partitions: map[string]int32{}, upTo: map[string]map[place]int64{}}
	if h.asker, err = newAsker(d.address, false); err != nil {
		return nil, err
	}
	defer h.cl.Close()
	if err := d.up(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.down(false)) }()
	err = h.live(ctx, r, seed)
	h.model.mu.Lock()
	defer h.model.mu.Unlock()
	if n := len(h.model.faults); n > 0 {
		err = fmt.Errorf("%s (%d in all)", h.model.faults[0], n)
	}
	h.model.tell()
	return h.model.journal[max(0, len(h.model.journal)-journalLines):], err
}

// live leads the rounds. Readers go on through all of them.
func (h *history) live(ctx context.Context, r *rand.Rand, seed uint64) error {
	if err := h.makeTopics(ctx, r); err != nil {
		return err
	}
	chance := func(of uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, of)) } //nolint:gosec // chance that can be repeated
	var xs []*transactor
	for i := range transactors {
		x, err := h.transactor(fmt.Sprintf("t%d", i), chance(100+uint64(i))) //nolint:gosec // a few
		if err != nil {
			return err
		}
		defer x.cl.Close()
		xs = append(xs, x)
	}
	reading, stop := context.WithCancel(ctx)
	var readers errgroup.Group
	defer func() { stop(); _ = readers.Wait() }()
	for i, name := range []string{"m0", "m1"} {
		readers.Go(func() error { return h.member(reading, name, chance(200+uint64(i))) }) //nolint:gosec // two
	}
	for name, only := range map[string]bool{"follower": false, "follower of committed": true} {
		readers.Go(func() error { return h.follow(reading, name, only) })
	}
	for n := range uint64(rounds) {
		if err := h.round(ctx, n, xs, chance); err != nil {
			return err
		}
		if err := h.check(ctx, xs); err != nil || h.model.faulty() {
			return err
		}
	}
	for _, x := range xs {
		if err := x.begin(ctx, longTimeout); err != nil {
			return err
		}
	}
	if err := h.check(ctx, xs); err != nil || h.model.faulty() {
		return err
	}
	return h.caughtUp(ctx)
}

// round lets everybody work while the program is killed and stopped some times.
func (h *history) round(ctx context.Context, n uint64, xs []*transactor, chance func(uint64) *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := h.grow(ctx, chance(1000+n)); err != nil {
		return err
	}
	h.quiet.Store(false)
	var work errgroup.Group
	for i := range 3 {
		work.Go(func() error {
			return h.idempotent(ctx, fmt.Sprintf("p%d.%d", n, i), chance(2000+10*n+uint64(i))) //nolint:gosec // a few
		})
	}
	for _, x := range xs {
		work.Go(func() error { return x.round(ctx) })
	}
	work.Go(func() error { return h.administer(ctx, chance(3000+n)) })
	err := h.end(ctx, chance(4000+n))
	if h.quiet.Store(true); err != nil {
		cancel()
	}
	return errors.Join(err, work.Wait())
}

// end ends the program several times, and starts it again.
func (h *history) end(ctx context.Context, r *rand.Rand) error {
	for range 1 + r.IntN(endsMax) {
		pause(ctx, r, 3*time.Second)
		kill := r.IntN(4) > 0
		h.model.did("the program ends, by kill -9: %v", kill)
		if err := errors.Join(h.door.down(kill), h.door.up(ctx)); err != nil {
			return err
		}
		h.model.did("the program is up")
	}
	pause(ctx, r, time.Second)
	return nil
}

// check reads all there is while nobody writes, and judges it.
func (h *history) check(ctx context.Context, xs []*transactor) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h.model.did("all is read")
	for _, p := range h.model.places() {
		if err := h.settled(ctx, p); err != nil {
			return err
		}
		for _, only := range []bool{true, false} {
			got, err := h.read(ctx, p, only)
			if err != nil {
				return err
			}
			h.model.judge(p, got)
		}
		if err := h.bounds(ctx, p); err != nil {
			return err
		}
		c := h.model.committed(groupName, p)
		got, err := h.committedOffset(ctx, groupName, p)
		if err != nil {
			return err
		}
		if most := h.model.committed(groupName, p).tried; got < c.acked || got > most {
			h.model.fails("group %s: the offset of %s is %d, %d is acknowledged and %d was tried", groupName, p, got, c.acked, most)
		}
	}
	for _, x := range xs {
		got, err := h.committedOffset(ctx, x.group(), offsetsOf)
		if err != nil {
			return err
		}
		h.model.offsetOf(x.group(), got)
	}
	return nil
}

// settled waits until the markers of all transactions that have ended are there.
func (h *history) settled(ctx context.Context, p place) error {
	for {
		high, err := h.offset(ctx, p, false, -1)
		if err != nil {
			return err
		}
		stable, err := h.offset(ctx, p, true, -1)
		if err != nil {
			return err
		}
		if stable == h.model.wants(p, high) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the last stable offset of %s stays %d, want %d", p, stable, h.model.wants(p, high))
		case <-time.After(retryPause):
		}
	}
}

// bounds judges low watermark, last stable offset and high watermark, and that nothing can be read below the first.
func (h *history) bounds(ctx context.Context, p place) error {
	var ends [3]int64
	for i, one := range []struct {
		only  bool
		which int64
	}{{false, -2}, {true, -1}, {false, -1}} {
		var err error
		if ends[i], err = h.offset(ctx, p, one.only, one.which); err != nil {
			return err
		}
	}
	h.model.bounds(p, ends[0], ends[1], ends[2])
	if ends[0] == 0 {
		return nil
	}
	if _, err := h.fetch(ctx, p, false, ends[0]-1); !errors.Is(err, kerr.OffsetOutOfRange) {
		h.model.fails("%s: a fetch below the low watermark %d is answered with %v", p, ends[0], err)
	}
	return nil
}

// caughtUp waits until who follows the topics has read all that is there, which it then has seen once.
func (h *history) caughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, p := range h.model.places() {
		last, err := h.read(ctx, p, true)
		if err != nil {
			return err
		}
		if len(last.records) == 0 {
			continue
		}
		want := last.records[len(last.records)-1].offset
		for _, name := range []string{"follower", "follower of committed"} {
			err := proof.Until(ctx, func() (bool, error) {
				h.mu.Lock()
				defer h.mu.Unlock()
				return h.upTo[name][p] > want, nil
			})
			if err != nil {
				return fmt.Errorf("%s has not read %s up to %d: %w", name, p, want, err)
			}
		}
	}
	return nil
}

// wanted is what a topic is made with.
type wanted struct {
	partitions int32
	settings   map[string]string
	rules      rules
}

// makeTopics makes one topic of each kind.
func (h *history) makeTopics(ctx context.Context, r *rand.Rand) error {
	for name, w := range map[string]wanted{
		"plain":   {1 + r.Int32N(2), nil, rules{}},
		"deleted": {1 + r.Int32N(2), nil, rules{}},
		"compact": {1 + r.Int32N(2), map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"}, rules{compacts: true}},
		"both":    {1, map[string]string{"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0"}, rules{compacts: true, tombstones: true}},
		"young":   {1, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "min.compaction.lag.ms": "3600000"}, rules{}},
	} {
		h.model.allow(name, w.rules)
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = int32(answerWithin.Milliseconds())
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, w.partitions, 1
		for key, value := range w.settings {
			t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: key, Value: &value})
		}
		req.Topics = append(req.Topics, t)
		if _, _, err := ask(ctx, h.asker, req, func(r *kmsg.CreateTopicsResponse) int16 { return r.Topics[0].ErrorCode }); err != nil {
			return fmt.Errorf("make topic %s: %w", name, err)
		}
		h.partitions[name] = w.partitions
	}
	return nil
}
