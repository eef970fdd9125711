//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake"
	"tarn/sql/engine"
	"tarn/stream/command"
	"tarn/stream/landing"
	"tarn/stream/own"
	"tarn/stream/pipeline"
)

// site is what a pipeline stands on, in this process: the log, the lake, landing, pipelines and the Gate. It can be
// stopped and started again on the same folder.
type site struct {
	*testing.T
	ctx  context.Context //nolint:containedctx // of the whole test
	dir  string
	meta *meta.Store
	bus  *bus.Bus
	lake *lake.Lake
	part *command.Pipelines
	gate *engine.Gate
	stop func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, ctx: context.WithoutCancel(t.Context()), dir: t.TempDir()}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) start() {
	s.Helper()
	log, clock := slog.New(slog.DiscardHandler), life.SystemClock{}
	var err error
	s.meta, err = meta.Open(s.ctx, filepath.Join(s.dir, "meta.db"))
	s.must(err)
	s.lake, err = lake.Open(s.ctx, lake.Options{Dir: filepath.Join(s.dir, "lake"), Disk: disk.Local, Clock: clock, Log: log, MemoryBytes: 256 << 20, Threads: 1})
	s.must(err)
	s.bus, err = bus.Open(s.ctx, bus.Options{
		Dir: filepath.Join(s.dir, "bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 8 << 20,
		Meta: s.meta, Disk: disk.Local, Clock: clock, Log: log, Recorded: s.lake.Recorded,
	})
	s.must(err)
	state, store := filepath.Join(s.dir, "state"), schemas.New(s.meta)
	s.must(os.MkdirAll(state, 0o700))
	s.part = command.New(command.Options{
		Bus: s.bus, Meta: s.meta, Schemas: store, Tables: s.lake.Tables(), Guard: guard.Open{}, Dir: state,
		CommitInterval: 50 * time.Millisecond, MemoryBytes: 1 << 30, Pulse: 20 * time.Millisecond, Clock: clock, Log: log,
	})
	lands := landing.New(landing.Options{
		Bus: s.bus, Schemas: store, Tables: s.lake.Tables(), CommitInterval: 50 * time.Millisecond, MemoryBytes: 64 << 20, Clock: clock, Log: log,
	})
	s.gate, err = engine.New(s.ctx, engine.Options{
		Catalog: s.lake.Catalog(), Guard: guard.Open{}, Drop: s.part.DropTable, Folders: []string{filepath.Join(s.dir, "lake", "warehouse")}, MemoryBytes: 256 << 20, Threads: 1,
		Clock: clock, Log: log,
	})
	s.must(err)
	for _, c := range s.part.Commands() {
		s.gate.Register(engine.Answering(c.Verbs, c.Run))
	}
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 2)
	for _, part := range []life.Part{lands, s.part} {
		ready := make(chan struct{})
		go func() { ended <- part.Run(ctx, func() { close(ready) }) }()
		<-ready
	}
	s.stop = func() {
		s.stop = func() {}
		cancel()
		s.must(errors.Join(<-ended, <-ended, s.gate.Close(), s.bus.Close(s.ctx), s.lake.Close(), s.meta.Close()))
	}
}

// run runs a statement, and returns its rows as text, columns parted by a bar.
func (s *site) run(statement string) ([]string, error) {
	r, err := s.gate.Run(s.ctx, engine.Request{Text: statement, Principal: guard.Principal{User: "tarn"}})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []string
	for r.Reader.Next() {
		b := r.Reader.RecordBatch()
		for row := range int(b.NumRows()) {
			cells := make([]string, b.NumCols())
			for i := range cells {
				cells[i] = b.Column(i).ValueStr(row)
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	return out, r.Reader.Err()
}

func (s *site) exec(statements ...string) {
	s.Helper()
	for _, one := range statements {
		if _, err := s.run(one); err != nil {
			s.Fatalf("%s: %v", one, err)
		}
	}
}

// until waits until a query answers as wanted.
func (s *site) until(query string, want ...string) {
	s.Helper()
	s.wait(func() (bool, string) {
		got, err := s.run(query)
		return err == nil && strings.Join(got, "\n") == strings.Join(want, "\n"), fmt.Sprintf("%s: %q, %v, want %q; pipelines: %s", query, got, err, want, s.pipelines())
	})
}

func (s *site) wait(done func() (bool, string)) {
	s.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		ok, state := done()
		if ok {
			return
		}
		if time.Now().After(end) {
			s.Fatal(state)
		}
	}
}

func (s *site) pipelines() string {
	var out []string
	for _, p := range s.part.Statuses() {
		out = append(out, fmt.Sprintf("%s %s lag %d dead %d late %d holder %q error %q", p.Name, p.State, p.LagRecords, p.Dead, p.Late, p.Holder, p.Error))
	}
	return strings.Join(out, "; ")
}

// caughtUp waits until every pipeline has read and committed all that there is, and tells whether one has failed.
func (s *site) caughtUp() {
	s.Helper()
	s.wait(func() (bool, string) {
		for _, p := range s.part.Statuses() {
			if p.State == pipeline.Failed {
				s.Fatalf("%s: %s", p.Name, p.Error)
			}
			if p.State != pipeline.Running || p.LagRecords > 0 || p.Epoch == 0 {
				return false, s.pipelines()
			}
		}
		return true, ""
	})
}

func (s *site) topic(name string, partitions int32) *bus.Topic {
	s.Helper()
	t, err := s.bus.CreateTopic(s.ctx, name, bus.TopicConfig{Partitions: partitions, Retention: -1, RetentionBytes: -1})
	s.must(err)
	return t
}

// put appends values to a partition, one batch.
func (s *site) put(topic string, partition int, values ...string) {
	s.Helper()
	t, err := s.bus.Topic(topic)
	s.must(err)
	var list []record.Record
	for _, v := range values {
		list = append(list, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(v)})
	}
	_, err = t.Partitions()[partition].Append(s.ctx, record.Encode(list))
	s.must(err)
}

// own reads one of Tarn's own topics whole.
func (s *site) own(topic string) (out []string) {
	s.Helper()
	t, err := s.bus.Topic(topic)
	s.must(err)
	p := t.Partitions()[0]
	r := p.Reader(p.LogStart())
	defer r.Close()
	for at := p.LogStart(); at < p.Stable(); {
		got, err := r.Next(s.ctx, 1<<20)
		s.must(err)
		for _, b := range got.Batches {
			records, err := b.Records()
			s.must(err)
			for _, one := range records {
				out = append(out, string(one.Value))
			}
		}
		at = got.Next
	}
	return out
}

// TestPipelinesCompute is the least that a site must do.
func TestPipelinesCompute(t *testing.T) {
	s := newSite(t)
	s.topic("bid", 2)
	s.exec(
		"CREATE SOURCE bid (auction BIGINT, price BIGINT) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE MATERIALIZED VIEW sums AS SELECT auction, sum(price) AS s FROM bid GROUP BY auction",
	)
	s.put("bid", 0, `{"auction":1,"price":2}`, `{"auction":1,"price":3}`)
	s.put("bid", 1, `{"auction":2,"price":4}`, `junk`)
	s.until("SELECT auction, s FROM gold.sums ORDER BY 1", "1|5", "2|4")
	s.wait(func() (bool, string) { got := s.own(own.DeadLetter); return len(got) == 1, fmt.Sprint(got) })
	s.stop()
	s.start()
	s.put("bid", 1, `{"auction":2,"price":5}`)
	s.until("SELECT auction, s FROM gold.sums ORDER BY 1", "1|5", "2|9")
}

// refused holds what a statement is refused with: a piece of the message and of the hint.
func (s *site) refused(statement, message, hint string) {
	s.Helper()
	_, err := s.run(statement)
	if err == nil || !strings.Contains(err.Error(), message) || !strings.Contains(fault.HintOf(err), hint) {
		s.Errorf("%s: %v, hint %q; want %q, %q", statement, err, fault.HintOf(err), message, hint)
	}
}

// TestDropTable: a table goes when nobody fills it and nobody reads it, and else is refused with what to write.
func TestDropTable(t *testing.T) {
	s := newSite(t)
	topic, err := s.bus.CreateTopic(s.ctx, "port.main.calls", bus.TopicConfig{Partitions: 1, Land: true})
	s.must(err)
	s.topic("bid", 1)
	s.exec(
		"CREATE SOURCE bid (auction BIGINT, price BIGINT) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE MATERIALIZED VIEW sums AS SELECT auction, sum(price) AS s FROM bid GROUP BY auction",
		"CREATE PIPELINE raw INTO gold.bids AS SELECT auction, price FROM bid",
	)
	s.put("bid", 0, `{"auction":1,"price":2}`)
	s.put("port.main.calls", 0, `{"id":1}`)
	s.until("SELECT * FROM gold.sums", "1|2")
	s.until("SELECT * FROM gold.bids", "1|2")
	s.until("SELECT id FROM bronze.port_main_calls", "1")
	s.refused("DROP TABLE gold.sums", "gold.sums is filled by pipeline gold.sums", "DROP PIPELINE gold.sums ends it and leaves the table")
	s.refused("DROP TABLE Bids", "gold.bids is filled by pipeline raw", "DROP MATERIALIZED VIEW raw takes the table along")
	s.refused("DROP TABLE bronze.port_main_calls", "has the history of topic port.main.calls", "connector")
	s.refused("DROP TABLE system.dead_letter", "Tarn's own", "leave it")
	s.refused("DROP TABLE gold.none", "there is no table gold.none", "SHOW TABLES")
	s.refused("DROP TABLE gold.bid", "there is no table gold.bid", "did you mean gold.bids?")
	s.refused("DROP TABLE gold.bids now", "does not go on", "")
	s.exec("CREATE VIEW gold.v AS SELECT * FROM gold.bids", "DROP TABLE IF EXISTS gold.none", "DROP PIPELINE raw")
	s.refused("DROP TABLE gold.bids", "gold.bids is read by the view gold.v", "DROP VIEW gold.v first")
	s.refused("DROP TABLE gold.v", "gold.v is a view", "DROP VIEW gold.v")
	s.exec("DROP VIEW gold.v", "DROP TABLE gold.bids", "DROP TABLE IF EXISTS gold.bids")
	s.refused("SELECT * FROM gold.bids", "there is no table gold.bids", "")

	s.exec("ALTER PIPELINE sums AS SELECT auction, min(price) AS s FROM bid GROUP BY auction")
	s.until("SHOW TABLES FROM gold", "gold|sums|table", "gold|sums__old|table")
	s.exec("DROP TABLE gold.sums__old")
	s.until("SHOW TABLES FROM gold", "gold|sums|table")
	s.must(s.bus.DeleteTopic(s.ctx, topic.Name()))
	s.exec("DROP TABLE bronze.port_main_calls")
}
