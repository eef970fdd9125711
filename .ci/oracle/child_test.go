//go:build duckdb_arrow

package oracle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/duck"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake"
	"tarn/lake/table"
	"tarn/stream/command"
	"tarn/stream/landing"
	"tarn/stream/own"
	"tarn/stream/pipeline"
)

const (
	pulse   = 100 * time.Millisecond
	timeout = 300 * time.Millisecond // idle_timeout and flush_timeout of the sources
	// still is how long nothing moves before a run ends. One that ends too early is run once more.
	still      = time.Second
	stillLooks = 50
	// patience bounds a run; it paces nothing.
	patience = 4 * time.Minute
)

// Answer is what a world came to.
type Answer struct {
	Refused  string // a statement that was refused, and why
	Tables   map[string]Rows
	Clock    []Decision
	Late     []Late
	Dead     []Dead
	Statuses []string
	Failed   string            // a pipeline that does not run, and why
	Stopped  map[string]string // by case: a value with which it cannot compute
	IDs      map[string]string // of the pipelines, by case, as of the end
}

// Rows are rows as text, nil for null.
type Rows struct {
	Columns []Column
	Rows    [][]*string
}

// Decision is a record of tarn.clock.
type Decision struct {
	Source    string    `json:"source"` // with those that it feeds windows together with
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Kind      string    `json:"kind"`
	Watermark time.Time `json:"watermark"`
}

// Late is a record of tarn.late; who tells it is in a header.
type Late struct {
	Reader    string    `json:"reader"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Begin     time.Time `json:"window_start"`
	End       time.Time `json:"window_end"`
	Value     *string   `json:"value"`
}

// Dead is a record of tarn.dead_letter; its reader is in a header.
type Dead struct {
	Reader    string  `json:"reader"`
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	Value     *string `json:"value"`
	Error     string  `json:"error"`
}

// house is what a process has open.
type house struct {
	dir     string
	meta    *meta.Store
	bus     *bus.Bus
	lake    *lake.Lake
	landing *landing.Landing // nil without mirrors
	part    *command.Pipelines
	topics  []*bus.Topic
	partly  bool // later runs append the rest of the log
}

// child is the process that is killed: it makes what is not there yet, appends what the log has not,
// waits until nothing moves, and tells what there is.
func child(dir string) (err error) {
	w, err := readWorld(filepath.Join(dir, "world.json"))
	if err != nil {
		return err
	}
	h := &house{dir: dir}
	if n, err := strconv.Atoi(os.Getenv(childSteps)); err == nil {
		w.Steps, h.partly = w.Steps[:n], true
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.open(ctx, w); err != nil {
		return err
	}
	a := &Answer{}
	if err := h.run(ctx, w, a); err != nil {
		return err
	}
	if h.partly {
		return nil // nobody asks
	}
	if err := h.tell(context.WithoutCancel(ctx), w, a); err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "answer.json"), text, 0o600)
}

func (h *house) open(ctx context.Context, w *World) (err error) {
	level := slog.LevelWarn
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if h.meta, err = meta.Open(ctx, filepath.Join(h.dir, "meta.db")); err != nil {
		return err
	}
	h.bus, err = bus.Open(ctx, bus.Options{
		Dir: filepath.Join(h.dir, "bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 8 << 20,
		Meta: h.meta, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		return err
	}
	h.lake, err = lake.Open(ctx, lake.Options{
		Dir: filepath.Join(h.dir, "lake"), Disk: disk.Local, Clock: life.SystemClock{}, Log: log, MemoryBytes: 256 << 20, Threads: 1,
	})
	if err != nil {
		return err
	}
	for _, s := range w.Sources {
		t, err := h.bus.CreateTopic(ctx, s.Name, s.topic())
		if err != nil {
			return err
		}
		h.topics = append(h.topics, t)
	}
	if slices.ContainsFunc(w.Sources, func(s *Source) bool { return s.Mirror || len(s.Cut) > 0 }) {
		h.landing = landing.New(landing.Options{
			Bus: h.bus, Schemas: schemas.New(h.meta), Tables: h.lake.Tables(), CommitInterval: 200 * time.Millisecond, MemoryBytes: 64 << 20, Clock: life.SystemClock{}, Log: log,
		})
	}
	h.part = command.New(command.Options{
		Bus: h.bus, Meta: h.meta, Schemas: schemas.New(h.meta), Tables: h.lake.Tables(), Guard: guard.Open{}, Dir: filepath.Join(h.dir, "state"),
		CommitInterval: 200 * time.Millisecond, MemoryBytes: 1 << 30, Pulse: pulse, Clock: life.SystemClock{}, Log: log,
	})
	return os.MkdirAll(filepath.Join(h.dir, "state"), 0o700)
}

func (h *house) close() error {
	var errs []error
	if h.lake != nil {
		errs = append(errs, h.lake.Close())
	}
	if h.bus != nil {
		errs = append(errs, h.bus.Close(context.Background()))
	}
	if h.meta != nil {
		errs = append(errs, h.meta.Close())
	}
	return errors.Join(errs...)
}

// run starts the pipelines, appends, waits and stops.
func (h *house) run(ctx context.Context, w *World, a *Answer) error {
	stop, cancel := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- h.part.Run(stop, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		return fmt.Errorf("the pipelines do not start: %w", err)
	}
	landed := make(chan error, 1)
	go func() {
		var err error
		if h.landing != nil {
			err = h.landing.Run(stop, func() {})
		}
		landed <- err
	}()
	err := h.fill(ctx, w, a)
	a.IDs, a.Stopped = map[string]string{}, map[string]string{}
	for _, s := range h.part.Statuses() {
		if a.IDs[s.Into.Name] = s.ID; s.State == pipeline.Failed {
			a.Stopped[s.Into.Name] = s.Error
		}
		a.Statuses = append(a.Statuses, fmt.Sprintf("%s %s rows %d emitted %d lag %d late %d dead %d ticks %d epoch %d %s", s.Name, s.State, s.Rows, s.Emitted, s.LagRecords, s.Late, s.Dead, s.Ticks, s.Epoch, s.Error))
	}
	cancel()
	return errors.Join(err, <-ended, <-landed)
}

func (h *house) fill(ctx context.Context, w *World, a *Answer) error {
	for i, s := range w.Sources {
		if s.Mirror {
			if err := h.ahead(ctx, s, h.topics[i]); err != nil {
				return err
			}
			continue
		}
		if err := h.cut(ctx, s, h.topics[i]); err != nil {
			return err
		}
		if err := h.execute(ctx, s.Declared); err != nil {
			a.Refused = fmt.Sprintf("%s: %v", s.Declared, err)
			return nil
		}
	}
	for _, c := range w.Cases {
		if h.altered(c) {
			continue // it is no longer what its first statement says
		}
		if err := h.execute(ctx, c.Statement); err != nil {
			a.Refused = fmt.Sprintf("%s: %v", c.Statement, err)
			return nil
		}
	}
	if err := h.append(ctx, w, a); err != nil || a.Refused != "" {
		return err
	}
	return h.settle(ctx, a)
}

// altered tells whether a case's pipeline was made anew, or is being made so.
func (h *house) altered(c *Case) bool {
	return slices.ContainsFunc(h.part.Statuses(), func(s pipeline.Status) bool {
		return s.Head != "" && (s.Into.Name == c.Name || strings.HasPrefix(s.Into.Name, c.Name+"__"))
	})
}

// alter alters what is to be altered before a step.
func (h *house) alter(ctx context.Context, w *World, a *Answer, step int) {
	for _, c := range w.Cases {
		last := step == len(w.Steps) && !h.partly
		if c.Altered == "" || h.altered(c) || c.At > step && !last {
			continue
		}
		if err := h.execute(ctx, c.Altered); err != nil {
			a.Refused = fmt.Sprintf("%s: %v", c.Altered, err)
			return
		}
	}
}

func (h *house) execute(ctx context.Context, statement string) error {
	for _, c := range h.part.Commands() {
		for _, verb := range c.Verbs {
			if strings.HasPrefix(statement, verb) {
				_, err := c.Run(ctx, guard.Principal{User: "tarn"}, statement)
				return err
			}
		}
	}
	return errors.New("no command takes it")
}

// settle waits until nothing has moved for stillLooks: looks are counted, and no time is taken, for on a machine with much
// else to do the process may not run for longer than that.
func (h *house) settle(ctx context.Context, a *Answer) error {
	var last string
	for looks := 0; looks < stillLooks; looks++ {
		now := ""
		for _, s := range h.part.Statuses() {
			now += fmt.Sprint(s.Name, s.State, s.Epoch, s.LagRecords, s.CommittedAt, " ")
			if s.State == pipeline.Failed {
				continue // the cases tell whether it may
			}
			if s.State != pipeline.Running || s.LagRecords > 0 || s.Replaces != "" {
				looks = 0
			}
		}
		if now != last {
			last, looks = now, 0
		}
		select {
		case <-time.After(still / stillLooks):
		case <-ctx.Done():
			a.Failed = "nothing comes to rest: " + now
			return nil
		}
	}
	return nil
}

// tell reads back all that there is.
func (h *house) tell(ctx context.Context, w *World, a *Answer) error {
	in, err := duck.Open(ctx, duck.Options{MemoryBytes: 256 << 20, Threads: 1})
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	conn, err := in.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	a.Tables = map[string]Rows{}
	for _, c := range w.Cases {
		if a.Tables[c.Name], err = h.table(ctx, conn, table.Ident{Namespace: "gold", Name: c.Name}); err != nil {
			return fmt.Errorf("read %s: %w", c.Name, err)
		}
	}
	if err := each(ctx, h.bus, own.Clock, func(r record.Record) error { return add(&a.Clock, r) }); err != nil {
		return err
	}
	reader := func(r record.Record) string {
		pos, _ := r.Header(record.HeaderPos)
		return string(pos)
	}
	err = each(ctx, h.bus, own.Late, func(r record.Record) error {
		err := add(&a.Late, r)
		a.Late[len(a.Late)-1].Reader = reader(r)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, h.bus, own.DeadLetter, func(r record.Record) error {
		err := add(&a.Dead, r)
		a.Dead[len(a.Dead)-1].Reader = reader(r)
		return err
	})
}

func add[T any](list *[]T, r record.Record) error {
	var one T
	err := json.Unmarshal(r.Value, &one)
	*list = append(*list, one)
	return err
}

func (h *house) table(ctx context.Context, conn *duck.Conn, id table.Ident) (out Rows, err error) {
	t, err := h.lake.Tables().Open(ctx, id)
	if errors.Is(err, table.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	var names, items []string
	for _, c := range t.Columns() {
		typ, _ := duck.TypeOf(c.Type)
		out.Columns = append(out.Columns, Column{c.Name, typ})
		names, items = append(names, c.Name), append(items, "CAST("+duck.Ident(c.Name)+" AS VARCHAR)")
	}
	var batches []arrow.RecordBatch
	_, _, err = t.Read(ctx, names, func(b arrow.RecordBatch) error {
		b.Retain()
		batches = append(batches, b)
		return nil
	})
	if err != nil || len(batches) == 0 {
		return out, err
	}
	if err := conn.Load(ctx, "t", batches[0].Schema(), batches); err != nil {
		return out, err
	}
	out.Rows, err = texts(ctx, conn, "SELECT "+strings.Join(items, ", ")+" FROM t")
	return out, err
}

// texts reads rows of texts.
func texts(ctx context.Context, conn *duck.Conn, query string) (out [][]*string, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, query)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, into := make([]*string, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// each reads a topic of one partition.
func each(ctx context.Context, b *bus.Bus, name string, do func(record.Record) error) error {
	t, err := b.Topic(name)
	if err != nil {
		return err
	}
	p := t.Partitions()[0]
	r := p.Reader(0)
	defer r.Close()
	for at := int64(0); at < p.Stable(); {
		got, err := r.Next(ctx, 1<<20)
		if err != nil {
			return err
		}
		for _, b := range got.Batches {
			records, err := b.Records()
			if err != nil {
				return err
			}
			for _, one := range records {
				if err := do(one); err != nil {
					return err
				}
			}
		}
		at = got.Next
	}
	return nil
}
