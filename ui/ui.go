// Package ui is the room of windows: one live page over all the others. It reads what
// the rooms say of themselves and draws it; it changes nothing but the sample's switches, and runs
// SQL only through /api/sql or, for the checks of Lab, the Gate, as anybody else does.
//
// In: functions that answer at once, and the catalog. Out: the page, its JSON twin and one
// stream of changes. It promises that nothing that came from data becomes HTML, and that
// the number of pages that are open costs the rooms nothing: one sampler feeds all.
package ui

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tarn/embedded"
	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/life"
	"tarn/embedded/telemetry"
	"tarn/ingest/source"
	"tarn/lake/catalog"
	"tarn/stream/pipeline"
	"tarn/ui/assets"
	"tarn/ui/health"
	"tarn/ui/home"
	"tarn/ui/live"
	"tarn/ui/pipelines"
	"tarn/ui/sources"
	"tarn/ui/tables"
	"tarn/ui/topics"
	"tarn/ui/words"
)

// How often the sampler looks.
const (
	sampleEvery = 500 * time.Millisecond // while a page is open
	restEvery   = 2 * time.Second        // while none is
	lakeEvery   = 2 * time.Second        // at the catalog, while a page is open
	lakeRest    = 4 * time.Second        // while none is
	lakeShare   = 10                     // and never more than a tenth of the time
	lakeTimeout = 10 * time.Second       // one look at the catalog

	careEvery   = time.Minute     // at what upkeep counts, while a page is open: it reads all manifests
	careShare   = 50              // and never more than a fiftieth of the time
	careTimeout = 2 * time.Minute // one such look
)

// Options are what the page is of. The functions answer at once and are called by one
// goroutine; Catalog may take its time. A nil function or Catalog shows nothing of its kind.
type Options struct {
	Parts     func() []life.Status
	Sources   func() []source.Status
	Kinds     []source.Kind // of connectors, for the form
	Topics    func() []bus.PartitionStats
	Groups    func() []group.Line
	Topic     func(name string) (*bus.Topic, error) // is read by many; nil shows no records
	Landings  func() []pipeline.Landing
	Pipelines func() []pipeline.Status
	Catalog   catalog.Catalog
	Ports     func() map[string]string
	Usage     func(context.Context) embedded.Usage // may take its time
	Lines     func(above uint64, level slog.Level) []telemetry.Line
	Lab       Lab
	Version   string
	Project   string // its folder
	Sample    bool
	Clock     life.Clock
	Log       *slog.Logger
}

// UI is the page and its sampler. Serve Handler, and run it as a part.
type UI struct {
	tour    tour // of Lab
	o       Options
	files   *assets.Assets
	hubs    map[words.Language]*live.Hub // each sends its texts
	sampler *home.Sampler
	seen    atomic.Pointer[seen]
	lake    atomic.Pointer[home.Lake]
	care    atomic.Pointer[home.Care]
	readers chan struct{} // of records, at once
	takers  chan struct{} // of scripts, at once
	lookers chan struct{} // at one table each, at once
	usage   usage
	packers sync.Pool    // of gzip, for documents
	asked   atomic.Int64 // when the page of tables was asked for last, in Unix nanoseconds
}

// seen is what the last look made for the pages.
type seen struct {
	home      home.State
	tables    tables.State
	topics    topics.State
	pipelines pipelines.State
	sources   sources.State
	health    health.State
	shape     string // of all pages
}

func newSeen(h home.State, t tables.State, p topics.State, l pipelines.State, c sources.State, s health.State) *seen {
	return &seen{h, t, p, l, c, s, h.Shape() + "." + t.Shape() + "." + p.Shape() + "." + l.Shape() + "." + c.Shape()}
}

// New returns a UI that has seen nothing yet.
func New(o Options) *UI {
	files, err := assets.Load()
	if err != nil {
		panic(fmt.Sprintf("ui: embedded files cannot be read: %v", err)) // a defect of the build
	}
	u := &UI{o: o, files: files, hubs: map[words.Language]*live.Hub{}, sampler: home.NewSampler(), readers: make(chan struct{}, readersMax), takers: make(chan struct{}, takersMax), lookers: make(chan struct{}, lookersMax)}
	u.packers.New = func() any { return gzip.NewWriter(io.Discard) }
	for _, l := range words.Languages {
		u.hubs[l.Language] = live.NewHub(files.Hash())
	}
	u.seen.Store(newSeen(home.Starting(o.Version, o.Sample), tables.Look(tables.Input{}), topics.Look(topics.Input{}), pipelines.Look(pipelines.Input{}), sources.Look(sources.Input{Kinds: o.Kinds}), health.Look(home.State{}, nil)))
	u.lake.Store(&home.Lake{})
	u.care.Store(&home.Care{})
	return u
}

// Name is the part's name.
func (u *UI) Name() string { return "ui" }

// Run samples until ctx ends, then ends the streams of all pages.
func (u *UI) Run(ctx context.Context, ready func()) error {
	defer func() {
		for _, hub := range u.hubs {
			hub.Close()
		}
	}()
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(func() { u.readLake(ctx) })
	reader.Go(func() { u.readCare(ctx) })
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	u.sample()
	ready()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if u.clients() > 0 || time.Since(last) >= restEvery {
			u.sample()
			last = time.Now()
		}
	}
}

// sample looks at every room once and tells the pages.
func (u *UI) sample() {
	in := home.Input{Now: u.o.Clock.Now(), Lake: *u.lake.Load(), Care: *u.care.Load(), Version: u.o.Version, Sample: u.o.Sample}
	in.Parts, in.Sources, in.Topics = call(u.o.Parts), call(u.o.Sources), call(u.o.Topics)
	in.Landings, in.Pipelines, in.Ports = call(u.o.Landings), call(u.o.Pipelines), call(u.o.Ports)
	atHome := u.sampler.Sample(in)
	now := newSeen(atHome,
		tables.Look(tables.Input{Now: in.Now, Lake: in.Lake, Care: in.Care, Parts: in.Parts, Pipelines: in.Pipelines}),
		topics.Look(topics.Input{Now: in.Now, Topics: in.Topics, Landings: in.Landings, Groups: call(u.o.Groups)}),
		pipelines.Look(pipelines.Input{Home: atHome, Pipelines: in.Pipelines}),
		sources.Look(sources.Input{Home: atHome, Sources: in.Sources, Landings: in.Landings, Kinds: u.o.Kinds}),
		health.Look(atHome, in.Parts))
	u.seen.Store(now)
	for l, hub := range u.hubs {
		if hub.Clients() > 0 {
			u.publish(now, l)
		}
	}
}

// publish tells the pages of a language what has been seen.
func (u *UI) publish(now *seen, l words.Language) {
	values := now.home.Values(l)
	maps.Copy(values, now.tables.Values(l))
	maps.Copy(values, now.topics.Values(l))
	maps.Copy(values, now.pipelines.Values(l))
	maps.Copy(values, now.sources.Values(l))
	maps.Copy(values, now.health.Values(l))
	u.hubs[l].Publish(now.shape, values)
}

// clients is the number of open streams.
func (u *UI) clients() (n int) {
	for _, hub := range u.hubs {
		n += hub.Clients()
	}
	return n
}

func call[T any](f func() T) (none T) {
	if f == nil {
		return none
	}
	return f()
}

// readLake asks the catalog now and then, apart from the sampler, which a slow catalog
// must not hold up.
func (u *UI) readLake(ctx context.Context) {
	if u.o.Catalog == nil {
		return
	}
	wait, last := time.Duration(0), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = lakeEvery
		if u.clients() == 0 && u.lake.Load().Known && time.Since(last) < lakeRest {
			continue
		}
		last = time.Now()
		u.lookAtLake(ctx)
		wait = max(wait, lakeShare*time.Since(last))
	}
}

func (u *UI) lookAtLake(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, lakeTimeout)
	defer cancel()
	next, err := lakeOf(within, u.o.Catalog)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		old := *u.lake.Load()
		if old.Err == nil {
			u.o.Log.Warn("read catalog for the page", "error", err)
		}
		old.Err = err
		next = old
	}
	u.lake.Store(&next)
}

// viewsMax bounds how many views are read at each look.
const viewsMax = 200

func lakeOf(ctx context.Context, c catalog.Catalog) (home.Lake, error) {
	stats, err := c.Stats(ctx)
	if err != nil {
		return home.Lake{}, err
	}
	out := home.Lake{Known: true, Stats: stats}
	namespaces, err := c.Namespaces(ctx)
	if err != nil {
		return home.Lake{}, err
	}
	for _, ns := range namespaces {
		entries, err := c.Entries(ctx, ns)
		if err != nil {
			return home.Lake{}, err
		}
		for _, e := range entries {
			if !e.View || len(out.Views) >= viewsMax {
				continue
			}
			v, err := c.View(ctx, e.Ident)
			if err != nil {
				return home.Lake{}, fmt.Errorf("view %s: %w", e.Ident, err)
			}
			out.Views = append(out.Views, v)
		}
	}
	return out, nil
}

// readCare asks what upkeep counts, while somebody looks.
func (u *UI) readCare(ctx context.Context) {
	if u.o.Catalog == nil {
		return
	}
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	var last time.Time
	wait := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		looked := u.clients() > 0 || time.Since(time.Unix(0, u.asked.Load())) < careEvery
		if !looked || time.Since(last) < wait {
			continue
		}
		last = time.Now()
		u.lookAtCare(ctx)
		wait = max(careEvery, careShare*time.Since(last))
	}
}

func (u *UI) lookAtCare(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, careTimeout)
	defer cancel()
	list, err := u.o.Catalog.Health(within)
	if ctx.Err() != nil {
		return
	}
	next := *u.care.Load()
	if err == nil {
		next = next.Next(u.o.Clock.Now(), list)
	} else if next.Err == nil {
		u.o.Log.Warn("ask for the health of tables", "error", err)
	}
	next.Err = err
	u.care.Store(&next)
}

// Handler serves the pages /, /sources, /topics, /pipelines, /lake, /row and /sql, their twins under /api/, /api/live and /assets/…. Who may come in (Host, Origin)
// is checked by the door that it hangs in.
func (u *UI) Handler() http.Handler {
	mux := http.NewServeMux()
	u.mountLab(mux)
	mux.HandleFunc("GET /{$}", u.homePage)
	mux.HandleFunc("GET /api/home", u.homeTwin)
	mux.HandleFunc("GET /facts", u.factsPart)
	mux.HandleFunc("GET /topics", u.topicsPage)
	mux.HandleFunc("GET /api/topics", u.topicsTwin)
	mux.HandleFunc("GET /api/topics/{topic}/records", u.recordsTwin)
	mux.HandleFunc("GET /sources", u.sourcesPage)
	mux.HandleFunc("GET /sources/{name}", u.sourcePage)
	mux.HandleFunc("GET /api/sources", u.sourcesTwin)
	mux.HandleFunc("GET /api/sources/{name}", u.sourceTwin)
	mux.HandleFunc("GET /pipelines", u.pipelinesPage)
	mux.HandleFunc("GET /pipelines/{name}", u.pipelinePage)
	mux.HandleFunc("GET /api/pipelines", u.pipelinesTwin)
	mux.HandleFunc("GET /api/pipelines/{name}", u.pipelineTwin)
	mux.HandleFunc("POST /api/pipelines/statements", u.statements)
	mux.HandleFunc("GET /lake", u.lakePage)
	mux.HandleFunc("GET /row", u.rowPage)
	mux.HandleFunc("GET /api/row", u.rowTwin)
	mux.HandleFunc("GET /lake/{name}", u.tablePage)
	mux.HandleFunc("GET /api/lake/{name}", u.tableTwin)
	mux.HandleFunc("GET /sql", u.sqlPage)
	mux.HandleFunc("GET /api/sql", u.sqlTwin)
	mux.HandleFunc("GET /api/lake", u.lakeTwin)
	mux.HandleFunc("GET /status", u.healthPage)
	mux.HandleFunc("GET /status/log", u.logPart)
	mux.HandleFunc("GET /api/status", u.healthTwin)
	mux.HandleFunc("GET /api/live", u.stream)
	mux.Handle("GET /assets/", u.files)
	mux.HandleFunc("GET /", u.missingPage)
	mux.HandleFunc("GET /api/", u.missingTwin)
	return secure(mux)
}
