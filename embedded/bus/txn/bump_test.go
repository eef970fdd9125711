package txn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/txn"
	"tarn/embedded/meta"
)

// exhausted is the last epoch that a producer has.
const exhausted = 32766

// TestAnEndGivesTheNextEpoch, is answered alike when it is asked for again, and lets nothing in that was sent before it.
func TestAnEndGivesTheNextEpoch(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	p := h.init(t, nil)
	end := func(of txn.Producer, commit bool, wants error) txn.Producer {
		t.Helper()
		next, err := h.txn.EndAndBump(ctx, "id", of, commit)
		want(t, err, wants)
		return next
	}
	end(p, true, txn.ErrState)
	for i, commit := range []bool{true, false, true} {
		want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
		for n := range h.parts {
			want(t, h.send(ctx, n, p, 0, fmt.Sprint(i)), nil)
		}
		want(t, h.txn.Commit(ctx, "id", p, "group", false, func() error { return nil }), txn.ErrState)
		want(t, h.txn.Commit(ctx, "id", p, "group", true, func() error { return h.groups.commit(p.ID, fmt.Sprint(i)) }), nil)
		next := end(p, commit, nil)
		if next != (txn.Producer{ID: p.ID, Epoch: p.Epoch + 1}) {
			t.Fatalf("after %+v comes %+v", p, next)
		}
		h.restart(t)
		if again := end(p, commit, nil); again != next {
			t.Fatalf("%+v, and again %+v", next, again)
		}
		end(p, !commit, txn.ErrState)
		want(t, h.txn.AddPartitions(ctx, "id", p, both), txn.ErrFenced)
		want(t, h.send(ctx, 0, p, 1, "late"), bus.ErrEpoch)
		p = next
	}
	next := end(p, false, nil) // nothing
	if again := end(p, false, nil); next.Epoch != p.Epoch+1 || again != next {
		t.Fatalf("after %+v comes %+v, then %+v", p, next, again)
	}
	end(txn.Producer{ID: p.ID, Epoch: p.Epoch - 1}, false, txn.ErrFenced)
	end(txn.Producer{ID: p.ID + 1, Epoch: p.Epoch}, false, txn.ErrMapping)
	p = h.init(t, &p) // does not know of its end
	if p != next {
		t.Fatalf("it recovers as %+v, want %+v", p, next)
	}
	end(txn.Producer{ID: p.ID, Epoch: p.Epoch - 1}, false, txn.ErrFenced)
	want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
	h.clock.move(2 * time.Minute)
	for end := time.Now().Add(waitLimit); ; time.Sleep(10 * time.Millisecond) {
		if one, err := h.txn.Describe("id"); err != nil || time.Now().After(end) {
			t.Fatalf("not aborted: %+v, %v", one, err)
		} else if one.State == txn.CompleteAbort {
			break
		}
	}
	for _, commit := range []bool{true, false} {
		end(p, commit, txn.ErrFenced)
	}
	for n := range h.parts {
		if got := h.committed(t, n); fmt.Sprint(got) != "[0 2]" {
			t.Fatalf("partition %d has %q", n, got)
		}
	}
	if got := h.groups.offset(); got != "2" {
		t.Fatalf("the group stands at %s", got)
	}
}

// age makes the epoch of the id's producer a late one: to come there takes minutes.
func (h *house) age(t *testing.T, epoch int16) {
	t.Helper()
	value, err := h.meta.Get(t.Context(), meta.Transactions, "id")
	if err != nil {
		t.Fatal(err)
	}
	var one txn.Transaction
	if err := json.Unmarshal(value, &one); err != nil {
		t.Fatal(err)
	}
	one.Epoch = max(one.Epoch, epoch)
	if value, err = json.Marshal(one); err == nil {
		err = h.meta.Put(t.Context(), meta.Entry{Bucket: meta.Transactions, Key: "id", Value: value})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheLastEpochGivesANewProducer with the end that uses it up.
func TestTheLastEpochGivesANewProducer(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	h.init(t, nil)
	h.age(t, exhausted-2)
	h.restart(t)
	p := h.init(t, nil)
	for i, epoch := range []int16{exhausted, 0, 1} {
		want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
		want(t, h.send(ctx, 0, p, 0, fmt.Sprint(i)), nil)
		want(t, h.txn.Commit(ctx, "id", p, "group", true, func() error { return h.groups.commit(p.ID, fmt.Sprint(i)) }), nil)
		got, err := h.txn.EndAndBump(ctx, "id", p, true)
		want(t, err, nil)
		if got.Epoch != epoch || (got.ID == p.ID) == (epoch == 0) {
			t.Fatalf("after %+v comes %+v", p, got)
		}
		h.restart(t)
		again, err := h.txn.EndAndBump(ctx, "id", p, true)
		want(t, err, nil)
		if again != got {
			t.Fatalf("%+v, and again %+v", got, again)
		}
		if _, err := h.txn.EndAndBump(ctx, "id", p, false); !errors.Is(err, txn.ErrState) {
			t.Fatalf("a commit is aborted: %v", err)
		}
		want(t, h.send(ctx, 0, p, 1, "late"), bus.ErrEpoch)
		p = got
	}
	if got := h.committed(t, 0); fmt.Sprint(got) != "[0 1 2]" || h.groups.offset() != "2" {
		t.Fatalf("there is %q, the group stands at %s", got, h.groups.offset())
	}
}

// TestAMarkerThatTheLogHasLostIsWrittenAgain, of transactions that have ended by EndAndBump, the last of a producer among them.
func TestAMarkerThatTheLogHasLostIsWrittenAgain(t *testing.T) {
	for _, epoch := range []int16{5, exhausted} {
		for _, commit := range []bool{true, false} {
			h, ctx := newHouse(t), t.Context()
			h.init(t, nil)
			h.age(t, epoch-1)
			h.restart(t)
			p := h.init(t, nil)
			want(t, h.txn.AddPartitions(ctx, "id", p, map[string][]int32{"t": {0}}), nil)
			h.parts[1].Admit(p.ID, p.Epoch)
			for n := range h.parts { // the second as if its marker were lost
				want(t, h.send(ctx, n, p, 0, "v"), nil)
			}
			next, err := h.txn.EndAndBump(ctx, "id", p, commit)
			want(t, err, nil)
			h.restart(t)
			h.ended(t)
			if again, err := h.txn.EndAndBump(ctx, "id", p, commit); err != nil || again != next {
				t.Fatalf("%+v, and again %+v, %v", next, again, err)
			}
			for n := range h.parts {
				if got := h.committed(t, n); len(got) == 1 != commit {
					t.Fatalf("from %+v, commit %v: partition %d has %q", p, commit, n, got)
				}
			}
		}
	}
}

// childSeed makes the child wander.
const childSeed = "TARN_TXN_TEST_SEED"

// step is one transaction of the wanderer, as its log has it: its number, bits of the partitions that it writes it to, whether it is
// the group's offset, whether it is to be committed.
type step struct {
	n, parts       int
	offset, commit bool
}

const stepFormat = "begin %d %d %t %t"

// wander makes transactions of any kind, by both protocols, until it is killed.
func wander(ctx context.Context, dir, seed string) error {
	h := &house{dir: dir}
	if err := h.open(ctx); err != nil {
		return err
	}
	p, err := h.txn.Init(ctx, "id", time.Minute, nil)
	if err != nil {
		return err
	}
	sum := fnv.New64()
	_, _ = sum.Write([]byte(seed))
	w := wanderer{h: h, p: p, dice: rand.New(rand.NewPCG(sum.Sum64(), 0))} //nolint:gosec // chance, not a secret
	if w.log, err = os.OpenFile(filepath.Join(dir, "steps"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	before, err := os.ReadFile(w.log.Name())
	if err != nil {
		return err
	}
	for n := strings.Count(string(before), "begin") + 1; ; n++ {
		if err := w.step(ctx, step{n, 1 + w.dice.IntN(3), w.dice.IntN(2) == 0, w.dice.IntN(3) > 0}); err != nil {
			return err
		}
	}
}

type wanderer struct {
	h         *house
	p         txn.Producer
	dice      *rand.Rand
	log       *os.File
	sequences [2]int32
}

func (w *wanderer) step(ctx context.Context, s step) error {
	if _, err := fmt.Fprintf(w.log, stepFormat+"\n", s.n, s.parts, s.offset, s.commit); err != nil {
		return err
	}
	second, value := w.dice.IntN(4) > 0, fmt.Sprint(s.n)
	if !second && s.offset {
		if err := w.h.txn.AddGroup(ctx, "id", w.p, "group"); err != nil {
			return err
		}
	}
	for n := range w.h.parts {
		if s.parts&(1<<n) == 0 {
			continue
		}
		if err := w.h.txn.AddPartitions(ctx, "id", w.p, map[string][]int32{"t": {int32(n)}}); err != nil { //nolint:gosec // one of two
			return err
		}
		for range 1 + w.dice.IntN(2) { // its answer may have been lost
			if err := w.h.send(ctx, n, w.p, w.sequences[n], value); err != nil {
				return err
			}
		}
		w.sequences[n]++
	}
	if s.offset {
		if err := w.h.txn.Commit(ctx, "id", w.p, "group", second, func() error { return w.h.groups.commit(w.p.ID, value) }); err != nil {
			return err
		}
	}
	var next txn.Producer
	for again := range 1 + w.dice.IntN(2) {
		end := w.h.txn.EndAndBump
		if !second {
			end = func(ctx context.Context, id string, p txn.Producer, commit bool) (txn.Producer, error) {
				return p, w.h.txn.End(ctx, id, p, commit)
			}
		}
		got, err := end(ctx, "id", w.p, s.commit)
		if err != nil {
			return err
		}
		if again > 0 && got != next {
			return fmt.Errorf("the end is answered with %+v, then with %+v", next, got)
		}
		next = got
	}
	if next != w.p {
		w.p, w.sequences = next, [2]int32{}
	}
	_, err := fmt.Fprintln(w.log, "end", s.n)
	return err
}

// judge holds what is committed against the wanderer's log.
func (h *house) judge(t *testing.T) (committed int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "steps"))
	if err != nil {
		t.Fatal(err)
	}
	got := [2][]string{h.committed(t, 0), h.committed(t, 1)}
	var wants [2][]string
	offset := ""
	for line := range strings.Lines(string(text)) {
		var s step
		if _, err := fmt.Sscanf(line, stepFormat, &s.n, &s.parts, &s.offset, &s.commit); err != nil || !s.commit {
			continue
		}
		value := fmt.Sprint(s.n)
		if !strings.Contains(string(text), "end "+value+"\n") && !slices.Contains(got[0], value) && !slices.Contains(got[1], value) {
			continue // killed before, and in neither
		}
		committed++
		for n := range wants {
			if s.parts&(1<<n) != 0 {
				wants[n] = append(wants[n], value)
			}
		}
		if s.offset {
			offset = value
		}
	}
	if !slices.Equal(got[0], wants[0]) || !slices.Equal(got[1], wants[1]) || h.groups.offset() != offset {
		t.Fatalf("there is %q, the group stands at %q; want %q and %q\n%s", got, h.groups.offset(), wants, offset, text)
	}
	return committed
}

// TestTransactionsAreAllOrNothingWhereverTarnIsKilled: random transactions, by both protocols, over the end of a producer's epochs,
// killed at random points.
func TestTransactionsAreAllOrNothingWhereverTarnIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	seed := os.Getenv(childSeed)
	if seed == "" {
		seed = fmt.Sprint(rand.Uint32()) //nolint:gosec // chance, not a secret
	}
	t.Logf("again with %s=%s", childSeed, seed)
	sum := fnv.New64()
	_, _ = sum.Write([]byte(seed))
	dice := rand.New(rand.NewPCG(sum.Sum64(), 1)) //nolint:gosec // chance, not a secret
	points := []string{"txn.added", "txn.prepared", "txn.marker", "txn.marked", "txn.completed", "bus.published"}
	h := newHouse(t)
	h.init(t, nil)
	const rounds = 25
	for round := range rounds {
		h.age(t, int16(exhausted-dice.IntN(16))) //nolint:gosec // small
		if err := h.close(); err != nil {
			t.Fatal(err)
		}
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		point := fmt.Sprintf("%s:%d", points[dice.IntN(len(points))], 1+dice.IntN(30))
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), childFolder+"="+h.dir, "TARN_CRASH="+point, fmt.Sprintf("%s=%s-%d", childSeed, seed, round))
		out, err := cmd.CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: the child was not killed: %v\n%s", point, err, out)
		}
		if err := h.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.init(t, nil)
		h.ended(t)
		t.Logf("round %d, %s: %d transactions are committed", round, point, h.judge(t))
	}
}
