// Package uitest feeds a page with a port that never was, so that its tests, and a person
// who changes its looks, need no other room. Only tests import it.
package uitest

import (
	"context"
	"sync"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/life"
	"tarn/ingest/source"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/stream/pipeline"
)

// Clock is a clock that a test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a fixed moment.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 7, 1, 12, 4, 30, 0, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves it.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Feed is what the rooms would say. Its fields may be changed under Lock while it is read.
type Feed struct {
	sync.Mutex
	PartsNow     []life.Status
	SourcesNow   []source.Status
	TopicsNow    []bus.PartitionStats
	GroupsNow    []group.Line
	LandingsNow  []pipeline.Landing
	PipelinesNow []pipeline.Status
	StatsNow     []catalog.Stats
	ViewsNow     []catalog.View
	PortsNow     map[string]string
	CatalogErr   error
	CatalogRead  int // looks at the catalog
	HealthNow    []catalog.Health
	HealthErr    error
	HealthRead   int                        // looks at the manifests
	PastNow      map[string]catalog.History // of tables that have another than the usual
	PastErr      error
	Log          *Log
}

func read[T any](f *Feed, of func() T) func() T {
	return func() T {
		f.Lock()
		defer f.Unlock()
		return of()
	}
}

// Parts are the parts now; it and the other five are the functions of ui.Options.
func (f *Feed) Parts() []life.Status { return read(f, func() []life.Status { return f.PartsNow })() }

// Topic is a topic of Log.
func (f *Feed) Topic(name string) (*bus.Topic, error) {
	if f.Log == nil {
		return nil, bus.ErrNoTopic
	}
	return f.Log.Topic(name)
}

// Sources are the sources now.
func (f *Feed) Sources() []source.Status {
	return read(f, func() []source.Status { return append([]source.Status(nil), f.SourcesNow...) })()
}

// Groups are the consumer groups now.
func (f *Feed) Groups() []group.Line {
	return read(f, func() []group.Line { return append([]group.Line(nil), f.GroupsNow...) })()
}

// Topics are the partitions now.
func (f *Feed) Topics() []bus.PartitionStats {
	return read(f, func() []bus.PartitionStats { return append([]bus.PartitionStats(nil), f.TopicsNow...) })()
}

// Landings are the landings now.
func (f *Feed) Landings() []pipeline.Landing {
	return read(f, func() []pipeline.Landing { return append([]pipeline.Landing(nil), f.LandingsNow...) })()
}

// Pipelines are the pipelines now.
func (f *Feed) Pipelines() []pipeline.Status {
	return read(f, func() []pipeline.Status { return append([]pipeline.Status(nil), f.PipelinesNow...) })()
}

// Ports are the doors.
func (f *Feed) Ports() map[string]string {
	return read(f, func() map[string]string { return f.PortsNow })()
}

// Catalog is the feed as a catalog that can be read.
func (f *Feed) Catalog() catalog.Catalog { return &lake{feed: f} }

// lake answers what the page asks; the rest of the face is not called.
type lake struct {
	catalog.Catalog
	feed *Feed
}

func (l *lake) Stats(context.Context) ([]catalog.Stats, error) {
	l.feed.Lock()
	defer l.feed.Unlock()
	l.feed.CatalogRead++
	return append([]catalog.Stats(nil), l.feed.StatsNow...), l.feed.CatalogErr
}

func (l *lake) Health(context.Context) ([]catalog.Health, error) {
	l.feed.Lock()
	defer l.feed.Unlock()
	l.feed.HealthRead++
	return append([]catalog.Health(nil), l.feed.HealthNow...), l.feed.HealthErr
}

func (l *lake) Namespaces(context.Context) ([]string, error) {
	return []string{"bronze", "gold", "silver", "system"}, nil
}

func (l *lake) Entries(_ context.Context, namespace string) ([]catalog.Entry, error) {
	l.feed.Lock()
	defer l.feed.Unlock()
	var out []catalog.Entry
	for _, v := range l.feed.ViewsNow {
		if v.Namespace == namespace {
			out = append(out, catalog.Entry{Ident: v.Ident, View: true})
		}
	}
	return out, nil
}

func (l *lake) View(_ context.Context, id table.Ident) (catalog.View, error) {
	l.feed.Lock()
	defer l.feed.Unlock()
	for _, v := range l.feed.ViewsNow {
		if v.Ident == id {
			return v, nil
		}
	}
	return catalog.View{}, table.ErrNotFound
}
