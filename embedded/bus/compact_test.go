package bus_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"tarn/embedded/bus"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// compacted is a configuration that compacts whatever there is.
func compacted(t testing.TB, more ...string) bus.TopicConfig {
	t.Helper()
	c := bus.TopicConfig{}
	for all := append([]string{bus.SettingCleanup, "compact", bus.SettingDirtyRatio, "0"}, more...); len(all) > 0; all = all[2:] {
		var err error
		if c, err = c.With(all[0], all[1]); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func pair(key, value string) record.Record {
	r := record.Record{Timestamp: time.Now().UnixMilli(), Key: []byte(key), Value: []byte(value)}
	if value == "" {
		r.Value = nil
	}
	return r
}

// table is what a reader of a log comes to: the newest value of each key, and the offset that it stands at.
type kv struct {
	value  string
	offset int64
}

// readAll reads what the log holds, in order of offsets.
func readAll(t testing.TB, p *bus.Partition) (out []record.Record) {
	t.Helper()
	r := p.Reader(p.LogStart())
	defer r.Close()
	last := int64(-1)
	for at := p.LogStart(); at < p.Stable(); {
		f, err := r.Next(context.Background(), 300)
		if err != nil {
			t.Fatal(err)
		}
		if f.Next <= at {
			t.Fatalf("a read does not go on from %d", at)
		}
		at = f.Next
		for _, b := range f.Batches {
			if b.Control() {
				continue
			}
			records, err := b.Records()
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range records {
				if one.Offset <= last {
					t.Fatalf("offset %d behind %d", one.Offset, last)
				}
				if last = one.Offset; last >= p.LogStart() {
					out = append(out, one)
				}
			}
		}
	}
	if first, after, lost := p.Lost(p.LogStart()); lost {
		t.Fatalf("offsets %d to %d are told to be lost", first, after)
	}
	return out
}

func newestOf(records []record.Record) map[string]kv {
	out := map[string]kv{}
	for _, r := range records {
		out[string(r.Key)] = kv{string(r.Value), r.Offset}
	}
	return out
}

func TestCompactionKeepsTheNewestOfEachKey(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", compacted(t))
	for i := range 20 {
		h.append(p, record.Encode([]record.Record{pair("a", strconv.Itoa(i)), pair("b"+strconv.Itoa(i%3), strconv.Itoa(i))}))
	}
	before := newestOf(readAll(t, p))
	reader := p.Reader(0)
	defer reader.Close()
	if _, err := reader.Next(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := p.Compact(t.Context(), 1000); err != nil || p.Generation() != 1 {
		t.Fatalf("generation %d, %v", p.Generation(), err)
	}
	// Who is reading goes on, in the new stream.
	for at := int64(0); at < p.Next(); {
		f, err := reader.Next(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		at = f.Next
	}
	for range 3 {
		after := readAll(t, p)
		if len(after) > 6 { // four keys, and the last message as it was
			t.Fatalf("%d records are left", len(after))
		}
		if got := newestOf(after); !maps.Equal(got, before) {
			t.Fatalf("%v, were %v", got, before)
		}
		if got := h.append(p, record.Encode([]record.Record{pair("c", "x")})); got.Base != p.Next()-1 {
			t.Fatalf("appended at %+v", got)
		}
		before = newestOf(readAll(t, p))
		if err := p.Compact(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		h.restart()
		p = h.partition("t", bus.TopicConfig{})
	}
	if err := h.bus.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(h.dir, "bus/jetstream/TARN/streams/t@*")); err != nil || len(left) > 0 {
		t.Fatalf("left of the topic: %v, %v", left, err)
	}
	p = h.partition("t", bus.TopicConfig{})
	if p.LogStart() != 43 || p.Generation() != 0 {
		t.Fatalf("the next topic of the name begins at %d, generation %d", p.LogStart(), p.Generation())
	}
}

func TestCompactionWaitsForItsReaders(t *testing.T) {
	h := open(t, nil)
	c := compacted(t)
	c.Land = true
	p := h.partition("t", c)
	for range 10 {
		h.append(p, record.Encode([]record.Record{pair("a", "x")}))
	}
	for _, one := range []struct{ hold, left int64 }{{-1, 10}, {5, 6}, {10, 2}} {
		if one.hold >= 0 {
			p.Hold("bronze", one.hold)
		}
		if one.hold == 10 { // what was last stays as it is
			h.append(p, record.Encode([]record.Record{pair("a", "x")}))
		}
		if err := p.Compact(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, p); len(got) != int(one.left) {
			t.Fatalf("held at %d: %d records are left, want %d", one.hold, len(got), one.left)
		}
	}
}

func TestCompactionKeepsYoungRecordsAndTombstones(t *testing.T) {
	h := open(t, nil)
	p := h.partition("young", compacted(t, bus.SettingMinLag, "3600000"))
	q := h.partition("tombs", compacted(t, bus.SettingTombstones, "3600000"))
	r := h.partition("gone", compacted(t, bus.SettingTombstones, "0"))
	for _, p := range []*bus.Partition{p, q, r} {
		for _, v := range []string{"1", "2", ""} {
			h.append(p, record.Encode([]record.Record{pair("a", v)}))
		}
		for range 3 {
			h.append(p, record.Encode([]record.Record{pair("b", "x")}))
			if err := p.Compact(t.Context(), 1000); err != nil {
				t.Fatal(err)
			}
		}
	}
	for p, want := range map[*bus.Partition]string{p: "a1 a2 a bx bx bx", q: "a bx bx", r: "bx bx"} {
		var got string
		for _, one := range readAll(t, p) {
			got += " " + string(one.Key) + string(one.Value)
		}
		if got != " "+want {
			t.Errorf("%s holds%s, want %s", p.Topic().Name(), got, want)
		}
	}
}

// TestCompactionKeepsSequencesAndTransactions: a producer goes on where it was, also when the log alone tells, and what was
// aborted stays out of sight.
func TestCompactionKeepsSequencesAndTransactions(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", compacted(t, bus.SettingTombstones, "0"))
	put := func(id int64, seq int32, transactional bool, key string) {
		t.Helper()
		if transactional {
			p.Admit(id, 0)
		}
		b := record.Encode([]record.Record{pair(key, fmt.Sprint(id, seq))})
		b.SetProducer(id, 0, seq, transactional)
		h.append(p, b)
	}
	end := func(id int64, commit bool) {
		t.Helper()
		if _, err := p.AppendMarker(t.Context(), record.Marker{Producer: id, Commit: commit}); err != nil {
			t.Fatal(err)
		}
	}
	put(1, 0, false, "a")
	put(2, 0, true, "a") // aborted
	put(3, 0, true, "a") // committed
	end(2, false)
	end(3, true)
	put(4, 0, false, "a")
	h.append(p, record.Encode([]record.Record{pair("z", "end")}))
	for round := range 4 {
		if err := p.Compact(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		if got := newestOf(readAll(t, p)); len(got) != 2 || got["a"].value != "4 0" {
			t.Fatalf("round %d: %v", round, got)
		}
		h.append(p, record.Encode([]record.Record{pair("z", "end")}))
		if round%2 == 1 {
			h.close()
			forget(t, h.dir, meta.Checks, "t/0")
			h.open()
			p = h.partition("t", bus.TopicConfig{})
		}
		for id := range int64(4) {
			b := record.Encode([]record.Record{pair("a", "again")})
			b.SetProducer(id+1, 0, 5, false)
			if _, err := p.Append(t.Context(), b); !errors.Is(err, bus.ErrSequence) {
				t.Fatalf("round %d: producer %d is not known any more: %v", round, id+1, err)
			}
		}
	}
}

// TestAnAbortedTransactionWhoseMarkerHasGoneIsForgotten: a reader that is told of it would wait for the marker, and miss
// what the producer committed since.
func TestAnAbortedTransactionWhoseMarkerHasGoneIsForgotten(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", compacted(t, bus.SettingTombstones, "0"))
	for seq, commit := range []bool{false, true} {
		p.Admit(2, 0)
		b := record.Encode([]record.Record{pair("a", strconv.Itoa(seq))})
		b.SetProducer(2, 0, int32(seq), true) //nolint:gosec // 0 or 1
		h.append(p, b)
		if _, err := p.AppendMarker(t.Context(), record.Marker{Producer: 2, Commit: commit}); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Aborted(0, p.Stable()); len(got) != 1 || got[0].Last != 1 {
		t.Fatalf("aborted are %+v", got)
	}
	for range 3 {
		h.append(p, record.Encode([]record.Record{pair("z", "end")}))
		if err := p.Compact(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // as the running log knows it, and its checkpoint
		if got := p.Aborted(0, p.Stable()); len(got) > 0 {
			t.Fatalf("aborted are %+v, and the log has no marker of it", got)
		}
		if got := newestOf(readAll(t, p)); got["a"].value != "1" {
			t.Fatalf("%v", got)
		}
		h.restart()
		p = h.partition("t", bus.TopicConfig{})
	}
}

// TestWhatAReaderHasOfTheLogBeforeIsNotHandedOn: it has read a message of many batches, of which it has handed out the first, when
// compaction takes a transaction out that was aborted, and forgets it.
func TestWhatAReaderHasOfTheLogBeforeIsNotHandedOn(t *testing.T) {
	h := open(t, nil)
	c := compacted(t, bus.SettingTombstones, "0")
	c.Land = true // and so is not compacted above its hold
	p := h.partition("t", c)
	put := func(key, value string) { h.append(p, record.Encode([]record.Record{pair(key, value)})) }
	put("a", "1")
	put("a", "2")
	p.Admit(2, 0)
	b := record.Encode([]record.Record{pair("b", "aborted")})
	b.SetProducer(2, 0, 0, true)
	h.append(p, b)
	if _, err := p.AppendMarker(t.Context(), record.Marker{Producer: 2}); err != nil {
		t.Fatal(err)
	}
	b = record.Encode([]record.Record{pair("b", "since")})
	b.SetProducer(2, 0, 1, false)
	h.append(p, b)
	put("z", "end")
	p.Hold("bronze", 1)
	if err := p.Compact(t.Context(), 1000); err != nil || p.Generation() != 1 { // joins what lies above
		t.Fatalf("generation %d, %v", p.Generation(), err)
	}
	h.restart() // none is in memory
	p = h.partition("t", c)
	r := p.Reader(1)
	defer r.Close()
	f, err := r.Next(t.Context(), 1)
	if got := lines(t, f, 0); err != nil || len(got) != 1 || got[0] != "1:2" {
		t.Fatalf("%q, %v", got, err)
	}
	for range 2 { // the first one leaves the marker
		put("z", "end")
		p.Hold("bronze", p.Next())
		if err := p.Compact(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Aborted(0, p.Stable()); len(got) > 0 {
		t.Fatalf("aborted are %+v", got)
	}
	for f.Next < p.Stable() {
		if f, err = r.Next(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for _, got := range lines(t, f, 0) {
			if strings.HasSuffix(got, "aborted") {
				t.Fatalf("read %q", got)
			}
		}
	}
}

// TestACompactionThatIsNotWantedAnyMoreIsGivenUp: the topic is altered, or gets a reader, while its log is written anew.
func TestACompactionThatIsNotWantedAnyMoreIsGivenUp(t *testing.T) {
	for name, change := range map[string]func(*house, *bus.Partition) error{
		"lands": func(h *house, _ *bus.Partition) error {
			c := compacted(t)
			c.Land = true
			return h.bus.AlterTopic(context.Background(), "t", c)
		},
		"keeps all": func(h *house, _ *bus.Partition) error {
			return h.bus.AlterTopic(context.Background(), "t", bus.TopicConfig{})
		},
		"is read": func(_ *house, p *bus.Partition) error { p.Hold("pipeline", 3); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for the disk
			h := open(t, func(o *bus.Options) { o.Fsync, o.SyncInterval = bus.FsyncInterval, 2*time.Second })
			p := h.partition("t", compacted(t))
			for range 10 {
				h.append(p, record.Encode([]record.Record{pair("a", "x")}))
			}
			done := make(chan error)
			go func() { done <- p.Compact(context.Background(), 1000) }()
			waitFor(t, "the next generation's stream", func() bool { // which then waits for the disk
				_, err := os.Stat(filepath.Join(h.dir, "bus/jetstream/TARN/streams/t@0@1/msgs/1.blk"))
				return err == nil
			})
			if err := change(h, p); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err == nil || p.Generation() != 0 {
				t.Fatalf("generation %d, %v", p.Generation(), err)
			}
			if got := readAll(t, p); len(got) != 10 {
				t.Fatalf("%d records are left", len(got))
			}
			h.append(p, record.Encode([]record.Record{pair("a", "y")}))
		})
	}
}

// TestCompactionKeepsWhatItCannotUnpack, which got in before the topic was compacted, and goes on with the rest.
func TestCompactionKeepsWhatItCannotUnpack(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	broken := record.Encode([]record.Record{pair("a", strings.Repeat("x", 100))})
	copy(broken[61:], strings.Repeat("\xff", 8))
	binary.BigEndian.PutUint32(broken[17:], crc32.Checksum(broken[21:], crc32.MakeTable(crc32.Castagnoli)))
	h.append(p, record.Encode([]record.Record{pair("a", "1")}))
	h.append(p, broken)
	for range 3 {
		h.append(p, record.Encode([]record.Record{pair("b", "2")}))
	}
	if err := h.bus.AlterTopic(t.Context(), "t", compacted(t)); err != nil {
		t.Fatal(err)
	}
	if err := p.Compact(t.Context(), 1000); err != nil || p.Generation() != 1 {
		t.Fatalf("generation %d, %v", p.Generation(), err)
	}
	r := p.Reader(0)
	defer r.Close()
	f, err := r.Next(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var bases []int64
	for _, b := range f.Batches {
		bases = append(bases, b.Base())
	}
	if fmt.Sprint(bases) != "[0 1 3]" && fmt.Sprint(bases) != "[0 1 3 4]" {
		t.Fatalf("batches are at %v", bases)
	}
}

// TestCompactionDoesNotWaitForAWriterThatIsStuck: other topics wait for their turn.
func TestCompactionDoesNotWaitForAWriterThatIsStuck(t *testing.T) {
	var stuck atomic.Bool
	free := make(chan struct{})
	h := open(t, func(o *bus.Options) {
		o.WithAckTimeout(time.Second)
		o.WithPublish(func(nc *nats.Conn, m *nats.Msg) error {
			if stuck.Load() {
				<-free
			}
			return nc.PublishMsg(m)
		})
	})
	p := h.partition("t", compacted(t))
	for range 10 {
		h.append(p, record.Encode([]record.Record{pair("a", "x")}))
	}
	stuck.Store(true)
	wait, err := p.Enqueue(t.Context(), record.Encode([]record.Record{pair("a", "y")}), record.Survey{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Compact(t.Context(), 1000); !errors.Is(err, bus.ErrRetry) || p.Generation() != 0 {
		t.Fatalf("generation %d, %v", p.Generation(), err)
	}
	stuck.Store(false)
	close(free)
	if _, err := wait(t.Context()); err != nil && !errors.Is(err, bus.ErrRetry) {
		t.Fatal(err)
	}
}

// TestCompactionAgainstItsModel: whatever is appended, compacted with few keys a pass, trimmed and opened again, a
// reader comes to the same table.
func TestCompactionAgainstItsModel(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what opens many servers")
	}
	dir, lives := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		lives++
		h := &house{t: t, dir: filepath.Join(dir, strconv.Itoa(lives)), set: func(o *bus.Options) { o.CacheBytes = 300 }}
		h.open()
		defer h.close()
		p := h.partition("t", compacted(t))
		all := map[int64]record.Record{}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				want := map[string]kv{}
				for at := p.LogStart(); at < p.Next(); at++ {
					if r, ok := all[at]; ok {
						want[string(r.Key)] = kv{string(r.Value), at}
					}
				}
				records := readAll(t, p)
				if got := newestOf(records); !maps.Equal(got, want) {
					rt.Fatalf("%v, want %v", got, want)
				}
				for _, r := range records {
					if was := all[r.Offset]; string(was.Value) != string(r.Value) || was.Timestamp != r.Timestamp {
						rt.Fatalf("%d holds %q, was %q", r.Offset, r.Value, was.Value)
					}
				}
			},
			"append": func(rt *rapid.T) {
				var records []record.Record
				for range rapid.IntRange(1, 4).Draw(rt, "records") {
					records = append(records, pair(strconv.Itoa(rapid.IntRange(0, 5).Draw(rt, "key")), strconv.Itoa(len(all)+len(records))))
				}
				got := h.append(p, record.Encode(records))
				for i, r := range records {
					all[got.Base+int64(i)] = r
				}
			},
			"compact": func(rt *rapid.T) {
				if err := p.Compact(context.Background(), rapid.IntRange(1, 8).Draw(rt, "keys")); err != nil {
					rt.Fatal(err)
				}
			},
			"trim": func(rt *rapid.T) {
				if err := p.Trim(context.Background(), rapid.Int64Range(p.LogStart(), p.Next()).Draw(rt, "before")); err != nil {
					rt.Fatal(err)
				}
			},
			"restart": func(*rapid.T) { h.restart(); p = h.partition("t", bus.TopicConfig{}) },
			"forget": func(*rapid.T) {
				h.close()
				forget(t, h.dir, meta.Checks, "t/0")
				h.open()
				p = h.partition("t", bus.TopicConfig{})
			},
			"lose meta": func(*rapid.T) {
				if p.LogStart() > 0 {
					return // which meta alone knows
				}
				h.close()
				lose(t, h.dir, "meta.db*")
				h.open()
				p = h.partition("t", bus.TopicConfig{})
			},
		})
	})
}

// TestAppendsGoOnWhileTheLogIsCompacted: each is there, and readers miss nothing.
func TestAppendsGoOnWhileTheLogIsCompacted(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", compacted(t))
	const each = 200
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			for i := range each {
				if _, err := p.Append(context.Background(), record.Encode([]record.Record{pair(fmt.Sprintf("%d-%d", n, i), "x"), pair("all", fmt.Sprint(n, i))})); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	seen := map[string]bool{}
	var reading sync.WaitGroup
	reading.Go(func() {
		r := p.Reader(0)
		defer r.Close()
		for at := int64(0); at < 4*each*2; {
			f, err := r.Next(context.Background(), 2000)
			if err != nil {
				t.Error(err)
				return
			}
			at = f.Next
			for _, b := range f.Batches {
				if err := b.Each(func(e record.Entry) { seen[string(e.Key)] = true }); err != nil {
					t.Error(err)
				}
			}
		}
	})
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for going := true; going; {
		select {
		case <-done:
			going = false
		default:
		}
		if err := p.Compact(t.Context(), 100_000); err != nil {
			t.Error(err)
			break
		}
	}
	<-done
	reading.Wait()
	if got := newestOf(readAll(t, p)); len(got) != 4*each+1 || len(seen) != 4*each+1 || p.Generation() < 2 {
		t.Fatalf("%d keys in the log, %d seen, generation %d", len(got), len(seen), p.Generation())
	}
}
