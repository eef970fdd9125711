// Package sourcetest is what a connector's test needs: a log in memory that can refuse, a
// fold of what is in it, and the suite that every connector passes.
package sourcetest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

// TB is what a check needs of a test; *testing.T and *rapid.T have it.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Log is a log in memory. It implements source.Log.
type Log struct {
	mu     sync.Mutex
	topics map[string]*topic
	// Refuse, when set, is asked before each append. ErrRetry with landed tells that the
	// append got in although its caller is told the opposite.
	Refuse func(topic string) (landed bool, err error)
}

type topic struct {
	log     *Log
	name    string
	config  bus.TopicConfig
	batches []record.Batch
	next    int64
	places  map[string]record.Pos
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{topics: map[string]*topic{}} }

// Open makes a topic or returns it.
func (l *Log) Open(_ context.Context, name string, c bus.TopicConfig) (source.Partition, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics[name] == nil {
		l.topics[name] = &topic{log: l, name: name, config: c, places: map[string]record.Pos{}}
	}
	if l.topics[name].config.Source != c.Source {
		return nil, fault.Newf(fault.Conflict, "", "topic %s is filled by somebody else", name)
	}
	return l.topics[name], nil
}

// Owners are the sources of topics that are there.
func (l *Log) Owners() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]string{}
	for name, t := range l.topics {
		out[name] = t.config.Source
	}
	return out
}

// Find returns a topic that is there.
func (l *Log) Find(name string) (source.Partition, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.topics[name]
	return t, ok
}

// Records are those of a topic from an offset on.
func (l *Log) Records(_ context.Context, name string, from int64) ([]record.Record, int64, error) {
	batches := l.Batches(name)
	if len(batches) == 0 {
		return nil, 0, nil
	}
	next := batches[len(batches)-1].Next()
	if from < 0 {
		return nil, next, nil
	}
	list, err := source.RecordsFrom(batches, from)
	return list, next, err
}

// Generation is that of a topic's last record.
func (l *Log) Generation(_ context.Context, name string) (int64, error) {
	batches := l.Batches(name)
	if len(batches) == 0 {
		return 0, nil
	}
	return source.GenerationOf(batches[len(batches)-1])
}

// Topics names the topics, in order.
func (l *Log) Topics() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for name := range l.topics {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Batches returns a topic's batches.
func (l *Log) Batches(name string) []record.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics[name] == nil {
		return nil
	}
	return slices.Clone(l.topics[name].batches)
}

// Cut takes the last batches of a topic away, as a power cut may.
func (l *Log) Cut(t TB, name string, batches int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.topics[name]
	c.batches = c.batches[:len(c.batches)-batches]
	clear(c.places)
	c.next = 0
	for _, b := range c.batches {
		c.next = b.Next()
		if err := c.note(b); err != nil {
			t.Fatal(err)
		}
	}
}

// Append appends, as bus.Partition does.
func (t *topic) Append(ctx context.Context, batches []byte) (bus.Appended, error) {
	if err := ctx.Err(); err != nil {
		return bus.Appended{}, err
	}
	var refusal error
	if t.log.Refuse != nil {
		landed, err := t.log.Refuse(t.name)
		if err != nil && !landed {
			return bus.Appended{}, err
		}
		refusal = err
	}
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	cut, err := record.Split(slices.Clone(batches))
	if err != nil {
		return bus.Appended{}, err
	}
	base := t.next
	for _, b := range cut {
		b.SetBase(t.next)
		t.next = b.Next()
		t.batches = append(t.batches, b)
		if err := t.note(b); err != nil {
			return bus.Appended{}, err
		}
	}
	return bus.Appended{Base: base, Next: t.next}, refusal
}

// Place is the source's last place.
func (t *topic) Place(id string) (record.Pos, bool) {
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	p, ok := t.places[id]
	return p, ok
}

func (t *topic) note(b record.Batch) error {
	for _, pos := range mustEvents(b) {
		p, err := record.ParsePos(pos.Pos)
		if err != nil {
			return err
		}
		t.places[p.Source] = p
	}
	return nil
}

// Event is one record or mark of a topic.
type Event struct {
	Offset int64
	Pos    string
	Gen    int64
	Schema int64 // 0 for none
	Key    []byte
	Value  []byte
	Mark   *record.Mark
}

// Events lists what is in a topic.
func (l *Log) Events(t TB, name string) []Event {
	t.Helper()
	var out []Event
	for _, b := range l.Batches(name) {
		out = append(out, mustEvents(b)...)
	}
	return out
}

func mustEvents(b record.Batch) []Event {
	mark, ok, err := b.Mark()
	if err != nil {
		panic(err) // a defect of the runner under test
	}
	if ok {
		return []Event{{Offset: b.Base(), Pos: mark.Pos, Gen: mark.Generation, Schema: mark.Schema, Mark: &mark}}
	}
	records, err := b.Records()
	if err != nil {
		panic(err)
	}
	var out []Event
	for i := range records {
		r := &records[i]
		e := Event{Offset: r.Offset, Key: r.Key, Value: r.Value}
		pos, _ := r.Header(record.HeaderPos)
		gen, _ := r.Header(record.HeaderGen)
		e.Pos = string(pos)
		if id, ok := r.Header(record.HeaderSchema); ok {
			if _, err := fmt.Sscan(string(id), &e.Schema); err != nil {
				panic(err)
			}
		}
		if gen == nil { // a plain record
			out = append(out, e)
			continue
		}
		if _, err := fmt.Sscan(string(gen), &e.Gen); err != nil {
			panic(err)
		}
		out = append(out, e)
	}
	return out
}
