package bus_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tarn/embedded/bus"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// model is what the log must be, kept as simply as can be: which values stand at which
// offsets for certain, and which may stand somewhere.
type model struct {
	acked   map[int64]string // offset -> value; what was acknowledged and not trimmed or torn
	unknown map[string]bool  // values whose append was refused: there once or not at all
	gaps    map[int64]int64  // declared gaps: offset -> where the log goes on
	start   int64
	next    int64 // lowest offset that may be given out
	value   int   // values made so far
}

// walk is one random life of a partition, against the model.
type walk struct {
	h      *house
	faults *faults
	p      *bus.Partition
	m      model
}

const (
	modelTopic   = "model.t"
	modelTimeout = 20 * time.Millisecond // of what is never answered
)

func (w *walk) open() {
	w.p = w.h.partition(modelTopic, bus.TopicConfig{Source: "s", Retention: -1}) // the records are of 1970
}

// make returns batches of fresh values; each record carries the source's next place.
func (w *walk) make(t *rapid.T) (data []byte, values []string) {
	for range rapid.IntRange(1, 3).Draw(t, "batches") {
		var records []record.Record
		for range rapid.IntRange(1, 3).Draw(t, "records") {
			w.m.value++
			v := strconv.Itoa(w.m.value)
			values = append(values, v)
			pos := record.Pos{Source: "s", Incarnation: "i", Place: record.Hex16(int64(w.m.value))}
			records = append(records, record.Record{Timestamp: int64(w.m.value), Value: []byte(v), Headers: []record.Header{{Key: record.HeaderPos, Value: []byte(pos.String())}}})
		}
		data = append(data, record.Encode(records)...)
	}
	return data, values
}

// append appends as a source's runner does: after a refusal it asks for the place, and
// only when the append is not in the log it tries once more.
func (w *walk) append(t *rapid.T) {
	data, values := w.make(t)
	w.faults.plan(rapid.SampledFrom([]mishap{fine, fine, fine, fine, fine, lost, broken, muted, late, slow, twice, intruded}).Draw(t, "mishap"))
	a, err := w.p.Append(context.Background(), data)
	w.took(t, values, a, err)
	if err == nil || rapid.Bool().Draw(t, "give up") {
		return
	}
	w.faults.plan()
	last := record.Hex16(int64(w.m.value))
	waitFor(w.h.t, "a refused append to be in or appended again", func() bool {
		if pos, ok := w.p.Place("s"); ok && pos.Place >= last {
			return true
		}
		a, err := w.p.Append(context.Background(), data)
		w.took(t, values, a, err)
		return err == nil
	})
}

func (w *walk) took(t *rapid.T, values []string, a bus.Appended, err error) {
	if err != nil {
		if !errors.Is(err, bus.ErrRetry) {
			t.Fatal(err)
		}
		for _, v := range values {
			w.m.unknown[v] = true
		}
		return
	}
	if a.Next-a.Base != int64(len(values)) || a.Base < w.m.next {
		t.Fatalf("%d records got %+v, offsets below %d were given out", len(values), a, w.m.next)
	}
	for i, v := range values {
		w.m.acked[a.Base+int64(i)] = v
		delete(w.m.unknown, v)
	}
	w.m.next = a.Next
}

func (w *walk) deliverLate(*rapid.T) { w.faults.deliver() }

func (w *walk) trim(t *rapid.T) {
	before := rapid.Int64Range(w.p.LogStart(), w.p.Next()).Draw(t, "before")
	if err := w.p.Trim(context.Background(), before); err != nil {
		t.Fatal(err)
	}
	w.trimmedTo(before)
}

func (w *walk) trimmedTo(start int64) {
	w.m.start = max(w.m.start, start)
	maps.DeleteFunc(w.m.acked, func(offset int64, _ string) bool { return offset < w.m.start })
}

func (w *walk) restart(*rapid.T) {
	w.h.restart()
	w.open()
}

func (w *walk) loseCheckpoint(*rapid.T) {
	w.h.close()
	forget(w.h.t, w.h.dir, meta.Checks, modelTopic+"/0")
	w.h.open()
	w.open()
}

// tear cuts bytes off the newest file of the log, as a power cut without fsync does.
func (w *walk) tear(t *rapid.T) {
	w.settle(t)
	before := w.read(t)
	next, start := w.p.Next(), w.p.LogStart()
	w.h.close()
	cut := int64(rapid.IntRange(1, 400).Draw(t, "bytes"))
	files, err := filepath.Glob(filepath.Join(w.h.dir, "bus/jetstream/TARN/streams", strings.ReplaceAll(modelTopic, ".", "=")+"@0", "msgs/*.blk"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no log files: %v", err)
	}
	newest := slices.MaxFunc(files, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	if st, err := os.Stat(newest); err != nil {
		t.Fatal(err)
	} else if err := os.Truncate(newest, max(0, st.Size()-cut)); err != nil {
		t.Fatal(err)
	}
	w.h.open()
	w.open()
	if w.p.Next() < next || w.p.LogStart() < start {
		t.Fatalf("the torn log goes from %d to %d, it went from %d to %d", w.p.LogStart(), w.p.Next(), start, next)
	}
	w.trimmedTo(w.p.LogStart())
	// What is left is a front of what was there; what is gone makes a gap.
	left := w.read(t)
	for offset, v := range left {
		if before[offset] != v {
			t.Fatalf("%d holds %s after the tear, was %s", offset, v, before[offset])
		}
	}
	end := start
	for offset := range left {
		end = max(end, offset+1)
	}
	for offset := range w.m.acked {
		if _, ok := left[offset]; !ok {
			if offset < end {
				t.Fatalf("%d is gone from the middle: %v, was %v", offset, left, before)
			}
			delete(w.m.acked, offset)
		}
	}
	if end < w.p.Next() {
		w.m.gaps[max(end, w.m.start)] = w.p.Next()
	}
	w.m.next = max(w.m.next, w.p.Next())
}

// settle waits until no recovery is under way.
func (w *walk) settle(*rapid.T) {
	w.faults.plan()
	waitFor(w.h.t, "the partition to be well", func() bool { return bus.Well(w.p) })
	for _, s := range w.h.bus.Report() {
		w.h.t.Log(s.Error)
	}
}

// read reads the whole log: offset -> value.
func (w *walk) read(t *rapid.T) map[int64]string {
	r := w.p.Reader(w.p.LogStart())
	defer r.Close()
	out := map[int64]string{}
	last := int64(-1)
	for end := w.p.Stable(); last+1 < end && w.p.LogStart() < end; {
		f, err := r.Next(context.Background(), 200)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range f.Batches {
			records, err := b.Records()
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range records {
				if rec.Offset <= last {
					t.Fatalf("offset %d comes after %d", rec.Offset, last)
				}
				last = rec.Offset
				if rec.Offset >= w.p.LogStart() {
					out[rec.Offset] = string(rec.Value)
				}
			}
		}
	}
	return out
}

// check compares the whole log with the model.
func (w *walk) check(t *rapid.T) {
	w.settle(t)
	if w.p.LogStart() < w.m.start || w.p.Next() < w.m.next {
		t.Fatalf("log is %d to %d, model %d to %d", w.p.LogStart(), w.p.Next(), w.m.start, w.m.next)
	}
	got := w.read(t)
	seen := map[string]int64{}
	for offset, v := range got {
		if at, twice := seen[v]; twice {
			t.Fatalf("%s is at %d and at %d", v, at, offset)
		}
		seen[v] = offset
		if w.m.acked[offset] != v && !w.m.unknown[v] {
			t.Fatalf("%d holds %s, want %q", offset, v, w.m.acked[offset])
		}
	}
	for offset, v := range w.m.acked {
		if got[offset] != v {
			t.Fatalf("%s was acknowledged at %d and is not there; there is %q", v, offset, got[offset])
		}
	}
	order := slices.Sorted(maps.Keys(got))
	for i := 1; i < len(order); i++ {
		from, to := order[i-1]+1, order[i]
		if from != to && w.m.gaps[from] != to {
			t.Fatalf("offsets jump from %d to %d; declared gaps: %v", from, to, w.m.gaps)
		}
		a, _ := strconv.Atoi(got[order[i-1]])
		b, _ := strconv.Atoi(got[order[i]])
		if a >= b {
			t.Fatalf("%d comes before %d", a, b)
		}
	}
}

func TestPartitionLogAgainstItsModel(t *testing.T) {
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
		defer h.close()
		w := &walk{h: h, faults: f, m: model{acked: map[int64]string{}, unknown: map[string]bool{}, gaps: map[int64]int64{}}}
		w.open()
		rt.Repeat(map[string]func(*rapid.T){
			"":           w.check,
			"append":     w.append,
			"append2":    w.append,
			"append3":    w.append,
			"late":       w.deliverLate,
			"trim":       w.trim,
			"restart":    w.restart,
			"checkpoint": w.loseCheckpoint,
			"tear":       w.tear,
		})
	})
}
