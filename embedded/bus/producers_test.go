package bus_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// produced is a batch of a producer.
func produced(id int64, epoch int16, sequence int32, transactional bool, values ...string) record.Batch {
	b := batch(values...)
	b.SetProducer(id, epoch, sequence, transactional)
	return b
}

func TestABatchSentAgainIsAnsweredAsTheFirstTime(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	first := h.append(p, produced(7, 0, 0, false, "a", "b"))
	var together sync.WaitGroup
	answers := make([]bus.Appended, 8)
	for i := range answers {
		together.Go(func() { answers[i] = h.append(p, produced(7, 0, 2, false, "c")) })
	}
	together.Wait()
	for _, a := range answers {
		if a != (bus.Appended{Base: 2, Next: 3}) {
			t.Fatalf("one batch was answered %+v", answers)
		}
	}
	if again := h.append(p, produced(7, 0, 0, false, "a", "b")); again != first {
		t.Fatalf("first %+v, again %+v", first, again)
	}
	h.restart()
	p = h.partition("t", bus.TopicConfig{})
	if again := h.append(p, produced(7, 0, 0, false, "a", "b")); again != first {
		t.Fatalf("after a restart: first %+v, again %+v", first, again)
	}
	if got := h.read(p, 0, 1<<20); len(got) != 3 {
		t.Fatalf("the log has %q", got)
	}
}

// TestAProducerIsKnownWhoseRecordsWereDeleted, after a crash too: it may not know yet that they got in.
func TestAProducerIsKnownWhoseRecordsWereDeleted(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, produced(7, 0, 0, false, "a"))
	h.restart()
	p = h.partition("t", bus.TopicConfig{})
	for n := range int32(9) {
		h.append(p, produced(7, 1, n, false, strconv.Itoa(int(n))))
	}
	last := h.append(p, produced(7, 1, 9, false, "last"))
	h.append(p, batch("another's"))
	if err := p.Trim(t.Context(), -1); err != nil {
		t.Fatal(err)
	}
	h.append(p, batch("another's"))
	h.crash()
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if again := h.append(p, produced(7, 1, 9, false, "last")); again != last {
		t.Errorf("first %+v, again %+v", last, again)
	}
	h.append(p, produced(7, 1, 10, false, "next"))
}

// TestAClockThatIsSetRightForgetsNoProducer in the next Tarn, which finds what was stamped while the clock was behind.
func TestAClockThatIsSetRightForgetsNoProducer(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := open(t, func(o *bus.Options) { o.Clock = c })
	p := h.partition("t", bus.TopicConfig{})
	before := h.append(p, produced(7, 0, 0, false, "a"))
	c.jump(48 * time.Hour)
	after := h.append(p, produced(8, 0, 0, false, "a"))
	h.restart()
	p = h.partition("t", bus.TopicConfig{})
	h.bus.ForgetProducers()
	for id, first := range map[int64]bus.Appended{7: before, 8: after} {
		if again := h.append(p, produced(id, 0, 0, false, "a")); again != first {
			t.Fatalf("producer %d: first %+v, again %+v", id, first, again)
		}
	}
	c.pass(25 * time.Hour)
	h.bus.ForgetProducers()
	if known := p.Producers(); len(known) != 0 {
		t.Fatalf("%+v", known)
	}
}

// TestProducersGrowOldOverRestarts, in Tarns none of which runs for a day.
func TestProducersGrowOldOverRestarts(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := open(t, func(o *bus.Options) { o.Clock = c })
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, produced(7, 0, 0, false, "a"))
	for _, known := range []int{1, 1, 0} {
		c.pass(9 * time.Hour)
		h.restart()
		p = h.partition("t", bus.TopicConfig{})
		if h.bus.ForgetProducers(); len(p.Producers()) != known {
			t.Fatalf("%+v, want %d", p.Producers(), known)
		}
	}
}

func TestSequencesAreJudged(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	ask := func(b record.Batch, want error) {
		t.Helper()
		if _, err := p.Append(t.Context(), b); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	ask(produced(1, 3, 0, false, "a"), nil)
	ask(produced(1, 3, 2, false, "c"), bus.ErrSequence)   // one is missing
	ask(produced(1, 2, 1, false, "b"), bus.ErrEpoch)      // an older one
	ask(produced(1, 4, 1, false, "b"), bus.ErrSequence)   // a newer one begins at 0
	ask(produced(1, 3, 1, true, "b"), bus.ErrTransaction) // none is open
	for n := range 6 {
		ask(produced(1, 3, int32(n)+1, false, "x"), nil)
	}
	ask(produced(1, 3, 0, false, "a"), bus.ErrSequence) // older than the last five
	ask(produced(1, 4, 0, false, "b"), nil)
	ask(produced(2, 0, math.MaxInt32-1, false, "a", "b", "c"), nil) // unknown ones begin anywhere; sequences wrap
	ask(produced(2, 0, 1, false, "d"), nil)
	p.Admit(1, 4)
	ask(produced(1, 4, 1, true, "t"), nil)
	ask(produced(1, 4, 2, false, "u"), bus.ErrTransaction) // one is open
	control := record.EncodeMarker(record.Marker{Producer: 1, Epoch: 4}, 1)
	if _, err := p.Append(t.Context(), control); fault.CodeOf(err) != fault.Invalid {
		t.Fatalf("a client's control batch: %v", err)
	}
	if _, err := p.Append(t.Context(), append(produced(3, 0, 0, false, "a"), produced(3, 0, 1, false, "b")...)); fault.CodeOf(err) != fault.Invalid {
		t.Fatalf("two batches at once: %v", err)
	}
	mark := func(m record.Marker, want error) {
		t.Helper()
		if _, err := p.AppendMarker(t.Context(), m); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	mark(record.Marker{Producer: 1, Epoch: 3}, bus.ErrEpoch)
	mark(record.Marker{Producer: 1, Epoch: 5, Coordinator: 2}, nil) // fences
	mark(record.Marker{Producer: 1, Epoch: 5, Coordinator: 1}, bus.ErrCoordinator)
	ask(produced(1, 4, 2, true, "late"), bus.ErrEpoch)
}

// TestAProducersFirstBatchesAreTakenInTheirOrder, when the first of them was refused and the second comes before it is sent again.
func TestAProducersFirstBatchesAreTakenInTheirOrder(t *testing.T) {
	f := &faults{short: modelTimeout}
	h := open(t, f.options)
	p := h.partition(modelTopic, bus.TopicConfig{})
	first, second := func() []byte { return produced(1, 0, 0, false, "a") }, func() []byte { return produced(1, 0, 1, false, "b") }
	f.plan(broken)
	if _, err := p.Append(t.Context(), first()); !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("the first: %v", err)
	}
	waitFor(t, "the partition to be well", func() bool { return bus.Well(p) })
	if _, err := p.Append(t.Context(), second()); !errors.Is(err, bus.ErrSequence) {
		t.Fatalf("the second before the first: %v", err)
	}
	h.append(p, first())
	h.append(p, second())
}

// spirit is one transactional producer as the model knows it.
type spirit struct {
	id      int64
	epoch   int16
	next    int32 // sequence
	batches []deed
	open    []string // values of its open transaction
	first   int64    // offset of the first of them
	begun   bool
}

// deed is a batch that was acknowledged.
type deed struct {
	epoch    int16
	sequence int32
	in       bool // of a transaction
	values   []string
	at       bus.Appended
}

// rites is a random life of a partition with transactions, against the simplest model of it.
type rites struct {
	h         *house
	faults    *faults
	p         *bus.Partition
	all       map[int64]string // offset -> value
	committed map[string]bool
	aborted   map[string]bool
	spirits   []*spirit
	made      int
	end       int64
}

var mishaps = []mishap{fine, fine, fine, fine, fine, lost, broken, muted, late, slow, twice}

// sure appends until it is acknowledged, as a client does, and returns the answer.
func (r *rites) sure(t *rapid.T, what string, try func() (bus.Appended, error)) bus.Appended {
	r.faults.plan(rapid.SampledFrom(mishaps).Draw(t, "mishap"))
	var a bus.Appended
	waitFor(r.h.t, what, func() bool {
		var err error
		a, err = try()
		if err != nil && !errors.Is(err, bus.ErrRetry) {
			t.Fatalf("%s: %v", what, err)
		}
		r.faults.plan()
		return err == nil
	})
	return a
}

func (r *rites) one(t *rapid.T) *spirit { return rapid.SampledFrom(r.spirits).Draw(t, "producer") }

func (r *rites) send(t *rapid.T) {
	s := r.one(t)
	d := deed{epoch: s.epoch, sequence: s.next, in: s.begun}
	for range rapid.IntRange(1, 3).Draw(t, "records") {
		r.made++
		d.values = append(d.values, strconv.Itoa(r.made))
	}
	b := func() record.Batch { return produced(s.id, d.epoch, d.sequence, d.in, d.values...) }
	d.at = r.sure(t, "append a batch", func() (bus.Appended, error) { return r.p.Append(context.Background(), b()) })
	if d.at.Base < r.end || d.at.Next-d.at.Base != int64(len(d.values)) {
		t.Fatalf("%d records at %+v, the log ended at %d", len(d.values), d.at, r.end)
	}
	r.end = d.at.Next
	s.next += int32(len(d.values)) //nolint:gosec // few
	s.batches = append(s.batches, d)
	for i, v := range d.values {
		r.all[d.at.Base+int64(i)] = v
		r.committed[v] = !s.begun
	}
	if s.begun {
		if len(s.open) == 0 {
			s.first = d.at.Base
		}
		s.open = append(s.open, d.values...)
	}
}

func (r *rites) again(t *rapid.T) {
	s := r.one(t)
	if len(s.batches) == 0 {
		return
	}
	n := rapid.IntRange(0, len(s.batches)-1).Draw(t, "batch")
	d := s.batches[n]
	a, err := r.p.Append(context.Background(), produced(s.id, d.epoch, d.sequence, d.in, d.values...))
	switch old := len(s.batches)-n > 5; {
	case d.epoch < s.epoch && errors.Is(err, bus.ErrEpoch):
	case d.epoch == s.epoch && old && errors.Is(err, bus.ErrSequence):
	case d.epoch == s.epoch && !old && err == nil && a == d.at:
	default:
		t.Fatalf("batch %+v again: %+v, %v", d, a, err)
	}
}

func (r *rites) skip(t *rapid.T) {
	s := r.one(t)
	if len(s.batches) == 0 {
		return
	}
	if _, err := r.p.Append(context.Background(), produced(s.id, s.epoch, s.next+1, s.begun, "never")); !errors.Is(err, bus.ErrSequence) {
		t.Fatalf("a batch is missing before it: %v", err)
	}
}

func (r *rites) begin(t *rapid.T) {
	s := r.one(t)
	s.begun = true
	r.p.Admit(s.id, s.epoch)
}

func (r *rites) finish(t *rapid.T) {
	s := r.one(t)
	if !s.begun {
		return
	}
	commit, fence := rapid.Bool().Draw(t, "commit"), false
	if !commit {
		fence = rapid.Bool().Draw(t, "fence")
	}
	if fence {
		s.epoch++
		s.next, s.batches = 0, nil
	}
	a := r.sure(t, "end a transaction", func() (bus.Appended, error) {
		return r.p.AppendMarker(context.Background(), record.Marker{Producer: s.id, Epoch: s.epoch, Commit: commit})
	})
	r.end = a.Next
	for _, v := range s.open {
		r.committed[v], r.aborted[v] = commit, !commit
	}
	s.begun, s.open = false, nil
}

func (r *rites) openAgain() {
	r.p = r.h.partition(modelTopic, bus.TopicConfig{})
	for _, s := range r.spirits {
		if s.begun {
			r.p.Admit(s.id, s.epoch)
		}
	}
}

func (r *rites) restart(*rapid.T) { r.h.restart(); r.openAgain() }

func (r *rites) kill(*rapid.T) { r.h.crash(); r.h.open(); r.openAgain() }

func (r *rites) loseCheckpoint(*rapid.T) {
	r.h.close()
	forget(r.h.t, r.h.dir, meta.Checks, modelTopic+"/0")
	r.h.open()
	r.openAgain()
}

func (r *rites) checkpoint(*rapid.T) {
	if err := r.h.bus.CheckAll(context.Background()); err != nil {
		r.h.t.Fatal(err)
	}
}

// read reads records up to an end: offset -> value.
func read(t *rapid.T, in *bus.Reader, end int64) map[int64]string {
	defer in.Close()
	out := map[int64]string{}
	for at := int64(0); at < end; {
		got, err := in.Next(context.Background(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range got.Batches {
			if b.Base() != at {
				t.Fatalf("batch at %d, want %d", b.Base(), at)
			}
			at = b.Next()
			if b.Control() {
				continue
			}
			records, err := b.Records()
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range records {
				out[one.Offset] = string(one.Value)
			}
		}
		if at != got.Next {
			t.Fatalf("batches end at %d, next is %d", at, got.Next)
		}
	}
	return out
}

func (r *rites) check(t *rapid.T) {
	r.faults.plan()
	waitFor(r.h.t, "the partition to be well", func() bool { return bus.Well(r.p) })
	if got := read(t, r.p.ReaderOfAll(0), r.p.Written()); !maps.Equal(got, r.all) {
		t.Fatalf("the log has %v, want %v", got, r.all)
	}
	stable := r.p.Written()
	for _, s := range r.spirits {
		if len(s.open) > 0 {
			stable = min(stable, s.first)
		}
	}
	if got := r.p.Stable(); got != stable {
		t.Fatalf("stable up to %d, want %d", got, stable)
	}
	want := maps.Clone(r.all)
	maps.DeleteFunc(want, func(offset int64, v string) bool { return offset >= stable || !r.committed[v] })
	if got := read(t, r.p.Reader(0), stable); !maps.Equal(got, want) {
		t.Fatalf("committed are %v, want %v", got, want)
	}
	// What a client leaves out by the index is what was aborted.
	var out []string
	aborted := r.p.Aborted(0, stable)
	for offset := range stable {
		for _, s := range r.spirits {
			for _, d := range s.batches {
				if d.at.Base <= offset && offset < d.at.Next && slices.ContainsFunc(aborted, func(a bus.Aborted) bool { return a.Producer == s.id && a.First <= offset && offset < a.Last }) {
					out = append(out, r.all[offset])
				}
			}
		}
	}
	for _, v := range out {
		if !r.aborted[v] {
			t.Fatalf("%s counts as aborted by %v", v, aborted)
		}
	}
}

func TestProducersAgainstTheirModel(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what opens many servers")
	}
	dir, lives := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		f := &faults{short: modelTimeout}
		lives++
		h := &house{t: t, dir: filepath.Join(dir, strconv.Itoa(lives)), set: func(o *bus.Options) {
			f.options(o)
			o.CacheBytes = 300
		}}
		h.open()
		defer func() { h.close() }()
		r := &rites{h: h, faults: f, all: map[int64]string{}, committed: map[string]bool{}, aborted: map[string]bool{}}
		for id := range int64(3) {
			r.spirits = append(r.spirits, &spirit{id: id})
		}
		r.openAgain()
		rt.Repeat(map[string]func(*rapid.T){
			"":           r.check,
			"send":       r.send,
			"send2":      r.send,
			"send3":      r.send,
			"again":      r.again,
			"skip":       r.skip,
			"begin":      r.begin,
			"begin2":     r.begin,
			"finish":     r.finish,
			"restart":    r.restart,
			"kill":       r.kill,
			"lose":       r.loseCheckpoint,
			"checkpoint": r.checkpoint,
			"late":       func(*rapid.T) { f.deliver() },
		})
	})
}

// TestCommittedRecordsWakeTheirReaders when the transaction before them ends.
func TestCommittedRecordsWakeTheirReaders(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	p.Admit(1, 0)
	h.append(p, produced(1, 0, 0, true, "in"))
	h.append(p, batch("behind"))
	got := make(chan []string)
	var reading sync.WaitGroup
	reading.Go(func() {
		r := p.Reader(0)
		defer r.Close()
		var values []string
		for at := int64(0); at < 3; {
			f, err := r.Next(context.Background(), 1<<20)
			if err != nil {
				values = append(values, err.Error())
				break
			}
			for _, b := range f.Batches {
				values = append(values, fmt.Sprint(b.Base(), b.Control()))
			}
			at = f.Next
		}
		got <- values
	})
	if _, err := p.AppendMarker(t.Context(), record.Marker{Producer: 1}); err != nil {
		t.Fatal(err)
	}
	if values := <-got; !slices.Equal(values, []string{"0 true", "1 false", "2 true"}) {
		t.Fatalf("read %q", values)
	}
	reading.Wait()
}

// TestAnOpenTransactionIsNotPurged, and what was aborted is forgotten with its records.
func TestAnOpenTransactionIsNotPurged(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, batch("a"))
	p.Admit(1, 0)
	h.append(p, produced(1, 0, 0, true, "b"))
	h.append(p, batch("c"))
	if err := p.Trim(t.Context(), -1); err != nil || p.LogStart() != 1 {
		t.Fatalf("trimmed to %d, %v", p.LogStart(), err)
	}
	if _, err := p.AppendMarker(t.Context(), record.Marker{Producer: 1}); err != nil {
		t.Fatal(err)
	}
	if got := p.Aborted(0, 4); len(got) != 1 || got[0].First != 1 || got[0].Last != 3 {
		t.Fatalf("aborted are %+v", got)
	}
	if err := p.Trim(t.Context(), -1); err != nil || p.LogStart() != 4 || len(p.Aborted(0, 9)) != 0 {
		t.Fatalf("trimmed to %d, %v, aborted are %+v", p.LogStart(), err, p.Aborted(0, 9))
	}
}
