package txn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/txn"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// childFolder names the folder that a child process of the kill test works in.
const childFolder = "TARN_TXN_TEST_CHILD"

const waitLimit = 2 * time.Minute

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := child(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func child(ctx context.Context, dir string) error {
	if seed := os.Getenv(childSeed); seed != "" {
		return wander(ctx, dir, seed)
	}
	return work(ctx, dir)
}

// groups stands for consumer groups: one offset of each producer, kept in meta as they keep theirs.
type groups struct{ m *meta.Store }

func (g groups) commit(producer int64, offset string) error {
	return g.m.Put(context.Background(), meta.Entry{Bucket: "pending", Key: fmt.Sprint(producer), Value: []byte(offset)})
}

func (g groups) Finish(ctx context.Context, producer int64, commit bool, own ...meta.Entry) error {
	key := fmt.Sprint(producer)
	value, err := g.m.Get(ctx, "pending", key)
	if err == nil {
		own = append(own, meta.Entry{Bucket: "pending", Key: key})
		if commit {
			own = append(own, meta.Entry{Bucket: "offsets", Key: "group", Value: value})
		}
	} else if !errors.Is(err, meta.ErrNotFound) {
		return err
	}
	return g.m.Put(ctx, own...)
}

func (g groups) Pending() (out []int64) {
	entries, err := g.m.List(context.Background(), "pending")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		var id int64
		_, _ = fmt.Sscan(e.Key, &id)
		out = append(out, id)
	}
	return out
}

func (g groups) offset() string {
	v, err := g.m.Get(context.Background(), "offsets", "group")
	if err != nil {
		return ""
	}
	return string(v)
}

// clock is the system's, moved ahead in time, and set wrong by somebody.
type clock struct {
	mu           sync.Mutex
	ahead, wrong time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead + c.wrong)
}

func (c *clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(time.Now().Add(c.ahead).UnixNano())
}

// set sets the clock, by how much it is wrong from then on.
func (c *clock) set(wrong time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = wrong
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// house is a bus with a coordinator.
type house struct {
	dir    string
	clock  clock
	ids    int // at most; 0 for the default
	meta   *meta.Store
	bus    *bus.Bus
	groups groups
	txn    *txn.Coordinator
	parts  []*bus.Partition
}

func (h *house) open(ctx context.Context) (err error) {
	if h.meta, err = meta.Open(ctx, filepath.Join(h.dir, "meta.db")); err != nil {
		return err
	}
	if h.bus, err = bus.Open(ctx, bus.Options{Dir: filepath.Join(h.dir, "bus"), Meta: h.meta, CacheBytes: 1 << 20}); err != nil {
		return err
	}
	topic, err := h.bus.CreateTopic(ctx, "t", bus.TopicConfig{Partitions: 2, Retention: -1})
	if err != nil {
		return err
	}
	h.parts, h.groups = topic.Partitions(), groups{h.meta}
	h.txn, err = txn.Open(ctx, txn.Options{Bus: h.bus, Groups: h.groups, Meta: h.meta, Clock: &h.clock, Log: slog.New(slog.DiscardHandler), IDsMax: h.ids})
	return err
}

func (h *house) close() error {
	return errors.Join(h.txn.Close(context.Background()), h.bus.Close(context.Background()), h.meta.Close())
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{dir: t.TempDir()}
	if err := h.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) restart(t *testing.T) {
	t.Helper()
	if err := errors.Join(h.close(), h.open(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func (h *house) init(t *testing.T, want *txn.Producer) txn.Producer {
	t.Helper()
	p, err := h.txn.Init(t.Context(), "id", time.Minute, want)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (h *house) send(ctx context.Context, part int, p txn.Producer, sequence int32, value string) error {
	b := record.Encode([]record.Record{{Timestamp: 1, Value: []byte(value)}})
	b.SetProducer(p.ID, p.Epoch, sequence, true)
	for {
		_, err := h.parts[part].Append(ctx, b)
		if !errors.Is(err, bus.ErrRetry) {
			return err
		}
	}
}

// committed are the committed records of a partition.
func (h *house) committed(t *testing.T, part int) (out []string) {
	t.Helper()
	p := h.parts[part]
	if p.Stable() != p.Next() {
		t.Fatalf("partition %d is stable up to %d of %d", part, p.Stable(), p.Next())
	}
	r := p.Reader(0)
	defer r.Close()
	for at := int64(0); at < p.Stable(); {
		got, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range got.Batches {
			if b.Control() {
				continue
			}
			records, err := b.Records()
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range records {
				out = append(out, string(one.Value))
			}
		}
		at = got.Next
	}
	return out
}

func want(t *testing.T, err, expected error) {
	t.Helper()
	if !errors.Is(err, expected) {
		t.Fatalf("got %v, want %v", err, expected)
	}
}

var both = map[string][]int32{"t": {0, 1}}

func TestTransactionsAreAllOrNothing(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	p := h.init(t, nil)
	want(t, h.txn.End(ctx, "id", p, true), txn.ErrState) // none was begun
	want(t, h.send(ctx, 0, p, 0, "early"), bus.ErrTransaction)
	for i, commit := range []bool{true, false, true} {
		want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
		want(t, h.txn.AddGroup(ctx, "id", p, "group"), nil)
		for n := range h.parts {
			want(t, h.send(ctx, n, p, int32(i), fmt.Sprint(i)), nil)
		}
		want(t, h.txn.Commit(ctx, "id", p, "group", false, func() error { return h.groups.commit(p.ID, fmt.Sprint(i)) }), nil)
		want(t, h.txn.End(ctx, "id", p, commit), nil)
		want(t, h.txn.End(ctx, "id", p, commit), nil) // its answer was lost
		want(t, h.txn.End(ctx, "id", p, !commit), txn.ErrState)
		want(t, h.send(ctx, 0, p, int32(i)+1, "late"), bus.ErrTransaction)
	}
	want(t, h.txn.AddPartitions(ctx, "id", txn.Producer{ID: p.ID + 1}, both), txn.ErrMapping)
	want(t, h.txn.AddPartitions(ctx, "id", txn.Producer{ID: p.ID, Epoch: p.Epoch + 1}, both), txn.ErrFenced)
	want(t, h.txn.AddPartitions(ctx, "other", p, both), txn.ErrMapping)
	for n := range h.parts {
		if got := h.committed(t, n); fmt.Sprint(got) != "[0 2]" {
			t.Fatalf("partition %d has %q", n, got)
		}
	}
	if got := h.groups.offset(); got != "2" {
		t.Fatalf("the group stands at %s", got)
	}
}

// TestAMarkerThatIsRefusedIsWrittenAnew, when somebody else has written a marker of a newer coordinator, or a batch of a
// newer epoch: what is open in a partition is ended all the same.
func TestAMarkerThatIsRefusedIsWrittenAnew(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	p := h.init(t, nil)
	_, err := h.parts[0].AppendMarker(ctx, record.Marker{Producer: p.ID, Epoch: p.Epoch, Coordinator: 5})
	want(t, err, nil)
	want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
	for n := range h.parts {
		want(t, h.send(ctx, n, p, 0, "own"), nil)
	}
	want(t, h.send(ctx, 1, txn.Producer{ID: p.ID, Epoch: p.Epoch + 3}, 0, "foreign"), nil)
	want(t, h.txn.End(ctx, "id", p, true), nil)
	for n, values := range []string{"[own]", "[own foreign]"} {
		if got := h.committed(t, n); fmt.Sprint(got) != values {
			t.Fatalf("partition %d has %q", n, got)
		}
	}
}

func TestANewProducerFencesTheOneBefore(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	zombie := h.init(t, nil)
	want(t, h.txn.AddPartitions(ctx, "id", zombie, both), nil)
	want(t, h.send(ctx, 0, zombie, 0, "zombie"), nil)
	p := h.init(t, nil)
	if p.ID != zombie.ID || p.Epoch <= zombie.Epoch {
		t.Fatalf("first %+v, then %+v", zombie, p)
	}
	want(t, h.send(ctx, 0, zombie, 1, "zombie"), bus.ErrEpoch)
	want(t, h.txn.End(ctx, "id", zombie, true), txn.ErrFenced)
	want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
	want(t, h.send(ctx, 0, p, 0, "living"), nil)
	want(t, h.txn.End(ctx, "id", p, true), nil)
	if got := h.committed(t, 0); fmt.Sprint(got) != "[living]" {
		t.Fatalf("there is %q", got)
	}
	if _, err := h.txn.Init(ctx, "id", time.Minute, &zombie); !errors.Is(err, txn.ErrFenced) {
		t.Fatalf("a fenced producer recovers: %v", err)
	}
}

func TestAProducerRecoversByItsEpoch(t *testing.T) {
	h := newHouse(t)
	p := h.init(t, nil)
	next := h.init(t, &p)
	if again := h.init(t, &p); next.ID != p.ID || next.Epoch != p.Epoch+1 || again != next {
		t.Fatalf("%+v, then %+v, and the same again %+v", p, next, again)
	}
	// All epochs take minutes: go on near the end.
	if err := h.meta.Put(t.Context(), meta.Entry{Bucket: meta.Transactions, Key: "id", Value: []byte(`{"producer":0,"epoch":32765,"last_producer":-1,"last_epoch":-1,"state":"Empty"}`)}); err != nil {
		t.Fatal(err)
	}
	h.restart(t)
	last := h.init(t, &txn.Producer{ID: 0, Epoch: 32765})
	fresh := h.init(t, &last)
	if again := h.init(t, &last); last.Epoch != 32766 || fresh.ID == last.ID || fresh.Epoch != 0 || again != fresh {
		t.Fatalf("%+v, then %+v, and the same again %+v", last, fresh, again)
	}
	if after := h.init(t, &fresh); after.ID != fresh.ID || after.Epoch != 1 {
		t.Fatalf("%+v, then %+v", fresh, after)
	}
}

func TestATransactionThatTakesTooLongIsAborted(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	for _, timeout := range []time.Duration{0, txn.TimeoutMax + 1} {
		_, err := h.txn.Init(ctx, "id", timeout, nil)
		want(t, err, txn.ErrTimeout)
	}
	p := h.init(t, nil)
	want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
	want(t, h.send(ctx, 1, p, 0, "late"), nil)
	h.clock.move(2 * time.Minute)
	for end := time.Now().Add(waitLimit); ; time.Sleep(10 * time.Millisecond) {
		if one, err := h.txn.Describe("id"); err != nil || time.Now().After(end) {
			t.Fatalf("not aborted: %+v, %v", one, err)
		} else if one.State == txn.CompleteAbort {
			break
		}
	}
	want(t, h.txn.End(ctx, "id", p, true), txn.ErrFenced)
	want(t, h.send(ctx, 1, p, 1, "late"), bus.ErrEpoch)
	if got := h.committed(t, 1); len(got) != 0 {
		t.Fatalf("there is %q", got)
	}
	h.clock.move(8 * 24 * time.Hour)
	for end := time.Now().Add(waitLimit); len(h.txn.List()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not forgotten: %+v", h.txn.List())
		}
	}
}

// TestAClockThatIsSetRight makes nothing old that a Tarn has written while its clock was behind, and lets nothing stay open
// that it has begun while its clock was ahead.
func TestAClockThatIsSetRight(t *testing.T) {
	h, ctx := &house{dir: t.TempDir()}, t.Context()
	const month = 30 * 24 * time.Hour
	h.clock.set(-month)
	if err := h.open(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.close() })
	p := h.init(t, nil)
	aborted := func(id string) {
		t.Helper()
		for end := time.Now().Add(waitLimit); ; time.Sleep(10 * time.Millisecond) {
			if one, err := h.txn.Describe(id); err != nil || time.Now().After(end) {
				t.Fatalf("not aborted: %+v, %v", one, err)
			} else if one.State == txn.CompleteAbort {
				return
			}
		}
	}
	begin := func(id string) {
		t.Helper()
		one, err := h.txn.Init(ctx, id, time.Minute, nil)
		want(t, errors.Join(err, h.txn.AddPartitions(ctx, id, one, both)), nil)
	}
	h.clock.set(month)
	h.restart(t)
	begin("ahead")
	h.clock.set(0)
	h.restart(t)
	for _, id := range []string{"ahead", "later"} { // the second in a later sweep: the one before is over then
		if id == "later" {
			begin(id)
		}
		h.clock.move(2 * time.Minute)
		aborted(id)
	}
	want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
}

// TestIDsThatNobodyUsesMakeRoom when there are as many as there may be: some clients make a new one at each start.
func TestIDsThatNobodyUsesMakeRoom(t *testing.T) {
	h, ctx := newHouse(t), t.Context()
	h.ids = 20
	h.restart(t)
	p := h.init(t, nil)
	want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
	init := func(id string) error {
		_, err := h.txn.Init(ctx, id, time.Minute, nil)
		return err
	}
	for n := range h.ids - 1 {
		h.clock.move(time.Second)
		want(t, init(fmt.Sprint(n)), nil)
	}
	want(t, h.txn.AddGroup(ctx, "id", p, "group"), nil)
	want(t, init("new"), txn.ErrUnavailable)
	h.clock.move(time.Hour - 10*time.Second)
	want(t, init("0"), nil)
	want(t, init("new"), nil)
	for id, there := range map[string]bool{"id": true, "0": true, "1": false, "2": false, "3": true, "new": true} {
		if _, err := h.txn.Describe(id); errors.Is(err, txn.ErrNotFound) == there {
			t.Fatalf("%s: %v", id, err)
		}
	}
	h.restart(t)
	if n := len(h.txn.List()); n != h.ids-1 {
		t.Fatalf("%d ids", n)
	}
}

func TestProducerIDsAreNeverGivenTwice(t *testing.T) {
	h := newHouse(t)
	seen := map[int64]bool{}
	for range 3 {
		for range 700 {
			p, err := h.txn.NewProducer(t.Context())
			if err != nil || seen[p.ID] {
				t.Fatalf("%+v: %v, seen %v", p, err, seen[p.ID])
			}
			seen[p.ID] = true
		}
		h.restart(t)
	}
}

// TestProducerIDsAreAboveThoseOfTheLog when meta.db was lost: a new producer would be taken for an old one.
func TestProducerIDsAreAboveThoseOfTheLog(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	const far = 1 << 40 // that many numbers of a counter would never end
	for _, id := range []int64{4321, far, bus.ProducersEnd - 1} {
		b := record.Encode([]record.Record{{Value: []byte("v")}})
		b.SetProducer(id, 0, 0, false)
		if _, err := h.parts[1].Append(ctx, b); err != nil {
			t.Fatal(err)
		}
		h.restart(t)
		if p, err := h.txn.NewProducer(ctx); err != nil || p.ID <= min(id, far) || p.ID > far+10_000 {
			t.Fatalf("after %d: %+v, %v", id, p, err)
		}
	}
	want(t, h.send(ctx, 1, txn.Producer{ID: bus.ProducersEnd}, 0, "v"), bus.ErrProducer)
}

// TestWhatNobodyWouldEndIsEnded: partitions have a transaction open of which meta knows something else, since the end of a log
// or of meta.db was lost. It ends as meta says, and no later transaction takes it in.
func TestWhatNobodyWouldEndIsEnded(t *testing.T) {
	one := map[string][]int32{"t": {1}}
	for _, c := range []struct {
		name   string
		known  *txn.Transaction // nil for none
		epochs int16            // that meta is behind
		there  [2]string
		fenced bool
	}{
		{name: "committed", known: &txn.Transaction{State: txn.CompleteCommit}, there: [2]string{"[lost after]", "[lost after]"}},
		{name: "committed in one partition yet", known: &txn.Transaction{State: txn.PrepareCommit, Partitions: one}, there: [2]string{"[after]", "[lost after]"}},
		{name: "aborted", known: &txn.Transaction{State: txn.CompleteAbort}, there: [2]string{"[after]", "[after]"}, fenced: true},
		{name: "begun in one partition", known: &txn.Transaction{State: txn.Ongoing, Partitions: one}, there: [2]string{"[after]", "[after]"}, fenced: true},
		{name: "not begun", known: &txn.Transaction{State: txn.Empty}, there: [2]string{"[after]", "[after]"}, fenced: true},
		{name: "older and committed", known: &txn.Transaction{State: txn.CompleteCommit}, epochs: 2, there: [2]string{"[after]", "[after]"}, fenced: true},
		{name: "older and begun", known: &txn.Transaction{State: txn.Ongoing, Partitions: both}, epochs: 2, there: [2]string{"[after]", "[after]"}, fenced: true},
		{name: "older and being committed", known: &txn.Transaction{State: txn.PrepareCommit, Partitions: both}, epochs: 2, there: [2]string{"[lost after]", "[lost after]"}, fenced: true},
		{name: "not known", there: [2]string{"[after]", "[after]"}, fenced: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, ctx := newHouse(t), t.Context()
			var p txn.Producer
			for range 3 {
				p = h.init(t, nil)
			}
			want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
			for n := range h.parts {
				want(t, h.send(ctx, n, p, 0, "lost"), nil)
			}
			e := meta.Entry{Bucket: meta.Transactions, Key: "id"}
			if c.known != nil {
				one := *c.known
				one.Producer, one.Epoch, one.LastProducer, one.LastEpoch, one.Timeout = p.ID, p.Epoch-c.epochs, -1, -1, time.Minute
				one.Started = time.Now().UnixMilli()
				one.Updated = one.Started
				e.Value, _ = json.Marshal(one)
			}
			want(t, h.meta.Put(ctx, e), nil)
			h.restart(t)
			h.ended(t)
			if c.fenced {
				for _, commit := range []bool{true, false} {
					if err := h.txn.End(ctx, "id", p, commit); !errors.Is(err, txn.ErrFenced) && !errors.Is(err, txn.ErrMapping) {
						t.Fatalf("who had it open ends it: %v", err)
					}
				}
			}
			p = h.init(t, nil)
			want(t, h.txn.AddPartitions(ctx, "id", p, both), nil)
			for n := range h.parts {
				want(t, h.send(ctx, n, p, 0, "after"), nil)
			}
			want(t, h.txn.End(ctx, "id", p, true), nil)
			h.ended(t)
			for n := range h.parts {
				if got := h.committed(t, n); fmt.Sprint(got) != c.there[n] {
					t.Errorf("partition %d has %q, want %s", n, got, c.there[n])
				}
			}
		})
	}
}

// ended waits until the partitions have no open transaction.
func (h *house) ended(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(waitLimit); h.parts[0].Stable() != h.parts[0].Next() || h.parts[1].Stable() != h.parts[1].Next(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a transaction is open still: %+v", h.txn.List())
		}
	}
}

// work makes transactions until it is killed. Each one writes its number to both partitions and stores it as the
// group's offset; every third one is aborted.
func work(ctx context.Context, dir string) error {
	h := &house{dir: dir}
	if err := h.open(ctx); err != nil {
		return err
	}
	p, err := h.txn.Init(ctx, "id", time.Minute, nil)
	if err != nil {
		return err
	}
	from := 0
	_, _ = fmt.Sscan(h.groups.offset(), &from)
	acks, err := os.OpenFile(filepath.Join(dir, "acks"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for n, sequence := from+1, int32(0); ; sequence++ {
		abort := sequence%3 == 1
		steps := []func() error{
			func() error { return h.txn.AddPartitions(ctx, "id", p, both) },
			func() error { return h.send(ctx, 0, p, sequence, fmt.Sprint(n)) },
			func() error { return h.send(ctx, 1, p, sequence, fmt.Sprint(n)) },
			func() error { return h.txn.AddGroup(ctx, "id", p, "group") },
			func() error {
				return h.txn.Commit(ctx, "id", p, "group", false, func() error { return h.groups.commit(p.ID, fmt.Sprint(n)) })
			},
			func() error { return h.txn.End(ctx, "id", p, !abort) },
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		if !abort {
			if _, err := fmt.Fprintln(acks, n); err != nil {
				return err
			}
			n++
		}
	}
}

// TestKilledAtEachStepTransactionsAreAllOrNothing: after each kill both partitions and the group's offset tell of the
// same transactions, each once, and of all that were acknowledged.
func TestKilledAtEachStepTransactionsAreAllOrNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	h := newHouse(t)
	for round, point := range []string{"txn.added:5", "bus.published:9", "txn.prepared:2", "txn.prepared:4", "txn.marker:3", "txn.marker:4", "txn.marked:3", "txn.completed:3", "bus.published:20"} {
		if err := h.close(); err != nil {
			t.Fatal(err)
		}
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), childFolder+"="+h.dir, "TARN_CRASH="+point)
		out, err := cmd.CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: the child was not killed: %v\n%s", point, err, out)
		}
		if err := h.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p := h.init(t, nil); p.Epoch < 1 {
			t.Fatalf("%+v", p)
		}
		var last int
		for n := range h.parts {
			values := h.committed(t, n)
			for i, v := range values {
				if v != fmt.Sprint(i+1) {
					t.Fatalf("%s: partition %d has %q", point, n, values)
				}
			}
			if n > 0 && len(values) != last {
				t.Fatalf("%s: partition %d has %d transactions, the one before %d", point, n, len(values), last)
			}
			last = len(values)
		}
		if got := h.groups.offset(); got != fmt.Sprint(last) && (got != "" || last > 0) {
			t.Fatalf("%s: the group stands at %s, the partitions at %d", point, got, last)
		}
		acks, err := os.ReadFile(filepath.Join(h.dir, "acks"))
		if err != nil || strings.Count(string(acks), "\n") > last {
			t.Fatalf("%s: %d transactions were acknowledged, there are %d, %v", point, strings.Count(string(acks), "\n"), last, err)
		}
		t.Logf("round %d, %s: %d transactions", round, point, last)
	}
}
