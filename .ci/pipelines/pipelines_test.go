//go:build duckdb_arrow

// Package pipelines_test drives pipelines with all that they stand on, in one process.
package pipelines_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake"
	"tarn/lake/table"
	"tarn/sql/engine"
	"tarn/sql/system"
	"tarn/stream/command"
	"tarn/stream/landing"
	"tarn/stream/own"
	"tarn/stream/pipeline"
	"tarn/stream/provenance"
	"tarn/stream/replay"
)

// patience bounds every wait: not a claim of speed, but the end of a hang.
const patience = 3 * time.Minute

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

	guard   guard.Guard       // nil: all may do all
	written func(table.Table) // called when a statement has written its rows, before it commits them; nil for nothing
	renames func() error      // asked before a table of a pipeline gets another name; nil lets all pass
	commits time.Duration     // between two commits of a pipeline; 0 = 50 ms
	pulse   time.Duration     // between two looks for idle partitions; 0 = 20 ms
	memory  int64             // of all pipelines' states; 0 = 1 GiB
	log     io.Writer         // of pipelines; nil for none
}

// renaming are tables whose names change only where a test lets them.
type renaming struct {
	table.Tables
	s *site
}

// Rename is as in table.Tables.
func (r renaming) Rename(ctx context.Context, from, to table.Ident) error {
	if r.s.renames != nil {
		if err := r.s.renames(); err != nil {
			return err
		}
	}
	return r.Tables.Rename(ctx, from, to)
}

// written are tables that tell a test of rows that have no commit yet.
type written struct {
	table.Tables
	s *site
}

type writtenTable struct {
	table.Table
	s *site
}

// Open is as in table.Tables.
func (w written) Open(ctx context.Context, id table.Ident) (table.Table, error) {
	t, err := w.Tables.Open(ctx, id)
	if err != nil || w.s.written == nil {
		return t, err
	}
	return writtenTable{t, w.s}, nil
}

// Write is as in table.Table.
func (t writtenTable) Write(ctx context.Context, rows iter.Seq2[arrow.RecordBatch, error]) (table.Written, error) {
	files, err := t.Table.Write(ctx, rows)
	t.s.written(t.Table)
	return files, err
}

// newSite is a site of its own, beside those of other tests: they wait more than they work.
func newSite(t *testing.T) *site {
	t.Helper()
	t.Parallel()
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

// refusedAs runs statements that are refused, each with its code.
func (s *site) refusedAs(statements map[string]fault.Code) {
	s.Helper()
	for statement, code := range statements {
		if got, err := s.run(statement); fault.CodeOf(err) != code {
			s.Errorf("%s: %q, %v, want %s", statement, got, err, code)
		}
	}
}

func (s *site) start() {
	s.Helper()
	log, clock := slog.New(slog.DiscardHandler), life.SystemClock{}
	keeper := cmp.Or(s.guard, guard.Guard(guard.Open{}))
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
	told := log
	if s.log != nil {
		told = slog.New(slog.NewTextHandler(s.log, nil))
	}
	s.part = command.New(command.Options{
		Bus: s.bus, Meta: s.meta, Schemas: store, Tables: renaming{s.lake.Tables(), s}, Guard: keeper, Dir: state,
		CommitInterval: cmp.Or(s.commits, 50*time.Millisecond), MemoryBytes: cmp.Or(s.memory, 1<<30), Pulse: cmp.Or(s.pulse, 20*time.Millisecond), Clock: clock, Log: told,
	})
	lands := landing.New(landing.Options{
		Bus: s.bus, Schemas: store, Tables: s.lake.Tables(), CommitInterval: 50 * time.Millisecond, MemoryBytes: 64 << 20, Clock: clock, Log: log,
	})
	replays := replay.New(replay.Options{Bus: s.bus, Meta: s.meta, Guard: guard.Open{}, Clock: clock})
	s.gate, err = engine.New(s.ctx, engine.Options{
		Catalog: s.lake.Catalog(), Tables: written{s.lake.Tables(), s}, Guard: keeper, Drop: s.part.DropTable, Folders: []string{filepath.Join(s.dir, "lake", "warehouse")}, MemoryBytes: 256 << 20, Threads: 1,
		System: []engine.SystemTable{
			system.Table("pipelines", command.StatusColumns, s.part.StatusRows), system.Tables(s.lake.Catalog()), system.Files(s.lake.Catalog()),
			system.Snapshots(s.lake.Catalog()), system.Schemas(s.lake.Catalog()), system.Table("replays", replay.Columns, replays.Rows),
		},
		Clock: clock, Log: log,
	})
	s.must(err)
	row := provenance.New(provenance.Options{Pipelines: s.part, Tables: s.lake.Tables(), Bus: s.bus, Guard: keeper, Ask: s.gate.Whole})
	for _, c := range append(s.part.Commands(), replays.Command(), row.Command()) {
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
func (s *site) run(statement string) ([]string, error) { return s.runAs("tarn", statement) }

func (s *site) runAs(user, statement string) ([]string, error) {
	r, err := s.gate.Run(s.ctx, engine.Request{Text: statement, Principal: guard.Principal{User: user}})
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
			out = append(out, strings.Clone(strings.Join(cells, "|"))) // the batch goes
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

	// The letter says who refused it, and is sent again as what it should have been: the pipeline takes it.
	s.until("SELECT letter, reader, value FROM system.dead_letter", "0|pipeline gold.sums|junk")
	for _, repeated := range []string{"false", "true"} {
		got, err := s.run(`REPLAY DEAD LETTER 0 AS '{"auction":3,"price":7}'`)
		if err != nil || len(got) != 1 || got[0] != "0|bid|1|3|"+repeated {
			t.Fatalf("%q, %v", got, err)
		}
	}
	s.until("SELECT auction, s FROM gold.sums ORDER BY 1", "1|5", "2|9", "3|7")
	s.until(`SELECT d.error IS NULL, r.edited, r.partition, r."offset" FROM system.dead_letter AS d LEFT JOIN system.replays AS r ON r.letter = d.letter`, "false|true|1|3")
}

// TestPartitionsThatAreAdded are read by a pipeline that runs, from their start.
func TestPartitionsThatAreAdded(t *testing.T) {
	s := newSite(t)
	s.topic("bid", 1)
	s.exec("CREATE SOURCE bid (auction BIGINT) WITH (connector = 'kafka', topic = 'bid')", "CREATE MATERIALIZED VIEW sums AS SELECT auction, count(*) AS n FROM bid GROUP BY auction")
	s.put("bid", 0, `{"auction":1}`)
	s.until("SELECT auction, n FROM gold.sums ORDER BY 1", "1|1")
	s.must(s.bus.AddPartitions(s.ctx, "bid", 3))
	s.put("bid", 2, `{"auction":2}`)
	s.put("bid", 0, `{"auction":1}`)
	s.until("SELECT auction, n FROM gold.sums ORDER BY 1", "1|2", "2|1")
}

// TestLagGoesAtOnce: what a pipeline has taken is no lag any more, and not only from the next beat on.
func TestLagGoesAtOnce(t *testing.T) {
	s := newSite(t)
	s.stop()
	s.pulse = time.Hour
	s.start()
	s.topic("bid", 1)
	s.put("bid", 0, `{"auction":1}`)
	s.exec("CREATE SOURCE bid (auction BIGINT) WITH (connector = 'kafka', topic = 'bid')", "CREATE MATERIALIZED VIEW sums AS SELECT auction, count(*) AS n FROM bid GROUP BY auction")
	s.wait(func() (bool, string) {
		all := s.part.Statuses()
		return len(all) == 1 && all[0].Rows == 1 && all[0].LagRecords == 0, s.pipelines()
	})
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

// letters are the dead letters of a topic: partition, offset, value and a part of the error, in order.
func (s *site) letters(topic string) (out []string) {
	s.Helper()
	for _, text := range s.own(own.DeadLetter) {
		var l struct {
			Topic, Error, Value string
			Partition, Offset   int
		}
		s.must(json.Unmarshal([]byte(text), &l))
		if l.Topic == topic {
			out = append(out, fmt.Sprintf("%d/%d %s: %.22s", l.Partition, l.Offset, l.Value, l.Error))
		}
	}
	slices.Sort(out)
	return out
}

// TestPoison: a record with which the SELECT cannot compute is treated by on_error, as one that cannot be read; the
// pipeline goes on, and so do those over changelogs once their SELECT is mended.
func TestPoison(t *testing.T) {
	s := newSite(t)
	s.topic("reading", 2)
	s.topic("sound", 1)
	declared := "(station VARCHAR, level VARCHAR, n BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (connector = 'kafka', topic = 'reading', flush_timeout = '1s'"
	s.exec(
		"CREATE SOURCE reading "+declared+")",
		"CREATE SOURCE hasty "+declared+", on_error = 'skip')",
		"CREATE SOURCE strict "+strings.Replace(declared, "'reading'", "'sound'", 1)+", on_error = 'stop')",
	)
	line := func(station, level string, second int) string {
		return fmt.Sprintf(`{"station":%q,"level":%q,"ts":"2026-01-01T00:00:%02d"}`, station, level, second)
	}
	// All is there before anybody reads: what came a second after the rest would come behind a flush, on a slow machine.
	s.put("reading", 0, line("a", "1", 1), line("a", "high", 2), line("a", "2", 3), line("none", "low", 4), "junk")
	s.put("reading", 1, line("b", "9999999999", 1), line("b", "3", 1), line("b", "?", 2))
	s.exec(
		"INSERT INTO gold.plain SELECT station, CAST(level AS INT) AS level FROM reading WHERE station <> 'none'",
		"CREATE MATERIALIZED VIEW grouped AS SELECT station, sum(CAST(level AS INT)) AS s FROM hasty GROUP BY station",
		"INSERT INTO gold.windows SELECT station, max(CAST(level AS INT)) AS most FROM TUMBLE(reading, ts, INTERVAL '10 seconds') GROUP BY station, window_start",
		"CREATE MATERIALIZED VIEW stopped AS SELECT station, sum(CAST(level AS INT)) AS s FROM strict GROUP BY station",
	)
	s.until("SELECT station, level FROM gold.plain ORDER BY ALL", "a|1", "a|2", "b|3")
	s.until("SELECT station, s FROM gold.grouped ORDER BY 1", "a|3", "b|3")
	s.until("SELECT station, most FROM gold.windows ORDER BY 1", "a|2", "b|3")
	// By reader: two pipelines told each of those that the SELECT of both meets, all readers the one that is no JSON.
	high, far, what, junk := `0/1 {"station":"a","level":"high","ts":"2026-01-01T00:00:02"}: Conversion Error: Coul`,
		`1/0 {"station":"b","level":"9999999999","ts":"2026-01-01T00:00:01"}: Conversion Error: Coul`,
		`1/2 {"station":"b","level":"?","ts":"2026-01-01T00:00:02"}: Conversion Error: Coul`, "0/4 junk: the value is no JSON o"
	low := `0/3 {"station":"none","level":"low","ts":"2026-01-01T00:00:04"}: Conversion Error: Coul`
	want := []string{high, high, low, junk, junk, far, far, what, what}
	told := func() (bool, string) {
		got := s.letters("reading")
		return slices.Equal(got, want), fmt.Sprintf("%q", got)
	}
	s.wait(told)

	// Whoever begins anew tells nothing twice, and goes on. For the windows, which were flushed, what comes is late.
	s.stop()
	s.start()
	s.put("reading", 0, line("a", "5", 5), line("a", "", 5))
	s.until("SELECT station, level FROM gold.plain ORDER BY ALL", "a|1", "a|2", "a|5", "b|3")
	s.until("SELECT station, s FROM gold.grouped ORDER BY 1", "a|8", "b|3")
	s.wait(func() (bool, string) { got := s.own(own.Late); return len(got) == 2, fmt.Sprintf("%q", got) })
	empty := `0/6 {"station":"a","level":"","ts":"2026-01-01T00:00:05"}: Conversion Error: Coul`
	want = slices.Sorted(slices.Values(append(want, empty)))
	s.wait(told)

	// Where it says stop it stops, and says at which record; nothing is read past it.
	s.put("sound", 0, line("c", "1", 1), line("c", "x", 1), line("c", "2", 1))
	s.wait(func() (bool, string) {
		text := s.pipelines()
		return strings.Contains(text, `cannot compute with topic sound partition 0 offset 1: Conversion Error: Could not convert string 'x' to INT32`), text
	})
	s.exec("ALTER PIPELINE stopped AS SELECT station, sum(TRY_CAST(level AS INT)) AS s FROM strict GROUP BY station")
	s.until("SELECT station, s FROM gold.stopped", "c|3")
}

// TestPoisonInNumbers: a tick that is full of records which cannot be read or computed with, and one in which they are rare.
func TestPoisonInNumbers(t *testing.T) {
	s := newSite(t)
	s.topic("n", 1)
	s.exec("CREATE SOURCE n (v VARCHAR) WITH (connector = 'kafka', topic = 'n')")
	var list []string
	for i := range 5000 {
		if i < 500 || i%1000 == 7 {
			list = append(list, fmt.Sprintf(`{"v":"x%d"}`, i), fmt.Sprintf("junk %d", i))
		} else {
			list = append(list, fmt.Sprintf(`{"v":"%d"}`, i))
		}
	}
	s.put("n", 0, list...)
	s.exec("INSERT INTO gold.n SELECT CAST(v AS BIGINT) AS v FROM n")
	s.until("SELECT count(*), count(DISTINCT v), min(v), max(v) FROM gold.n", "4496|4496|500|4999")
	if got := s.letters("n"); len(got) != 2*504 || len(slices.Compact(got)) != 2*504 {
		t.Errorf("%d letters", len(got))
	}
	s.until("SELECT rows, dead FROM system.pipelines", "5000|1008") // each once, though a tick was begun again for what was in it
}

// TestPoisonOfAggregates: what an aggregate makes cannot be told of one record, so the pipeline stops and says what to write.
func TestPoisonOfAggregates(t *testing.T) {
	s := newSite(t)
	s.topic("n", 1)
	s.topic("c", 1)
	s.exec(
		"CREATE SOURCE n (k BIGINT, v VARCHAR) WITH (connector = 'kafka', topic = 'n')",
		"CREATE SOURCE c (k BIGINT, v VARCHAR, PRIMARY KEY (k)) WITH (connector = 'kafka', topic = 'c', format = 'debezium-json')",
		"CREATE MATERIALIZED VIEW most AS SELECT k, CAST(max(v) AS INT) AS v FROM n GROUP BY k",
		"CREATE MATERIALIZED VIEW mirrored AS SELECT k, CAST(v AS INT) AS v FROM c",
	)
	s.put("n", 0, `{"k":1,"v":"1"}`, `{"k":2,"v":"x"}`)
	s.put("c", 0, `{"op":"c","after":{"k":1,"v":"1"}}`, `{"op":"c","after":{"k":2,"v":"x"}}`)
	for _, name := range []string{"gold.most", "gold.mirrored"} {
		s.until("SELECT state, dead, error LIKE '%Could not convert string ''x''%', hint LIKE '%on_error%no single record%ALTER PIPELINE%TRY_CAST%' FROM system.pipelines WHERE name = '"+name+"'", "failed|0|true|true")
	}
	s.exec(
		"ALTER PIPELINE most AS SELECT k, TRY_CAST(max(v) AS INT) AS v FROM n GROUP BY k",
		"ALTER PIPELINE mirrored AS SELECT k, TRY_CAST(v AS INT) AS v FROM c",
	)
	s.until("SELECT * FROM gold.most ORDER BY 1", "1|1", "2|(null)")
	s.until("SELECT * FROM gold.mirrored ORDER BY 1", "1|1", "2|(null)")
}

// TestASilentSource: of two sources under one UNION ALL one may be silent, as a partition may. Windows close without it, by
// decisions that whoever reads both later repeats; whoever reads one of them alone is not concerned.
func TestASilentSource(t *testing.T) {
	s := newSite(t)
	s.topic("loud", 1)
	s.topic("shy", 2)
	// Where somebody speaks, it does so more often than flush_timeout, also on a machine that is slow and busy.
	const declared = " (k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (connector = 'kafka', idle_timeout = '100ms', flush_timeout = '5s', topic = "
	const both = "SELECT k, count(*) AS n, window_end FROM TUMBLE((SELECT k, ts FROM loud UNION ALL SELECT k, ts FROM shy), ts, INTERVAL '10 seconds') GROUP BY k, window_end"
	s.exec("CREATE SOURCE loud"+declared+"'loud')", "CREATE SOURCE shy"+declared+"'shy')",
		"INSERT INTO gold.first "+both,
		"INSERT INTO gold.alone SELECT k, count(*) AS n, window_end FROM TUMBLE(shy, ts, INTERVAL '10 seconds') GROUP BY k, window_end")
	second := 0
	line := func(k, second int) string {
		return fmt.Sprintf(`{"k":%d,"ts":"2026-01-01T%02d:%02d:%02d"}`, k, second/3600, second/60%60, second%60)
	}
	speak := func(until string, want ...string) {
		s.Helper()
		s.wait(func() (bool, string) {
			s.put("loud", 0, line(1, second))
			second++
			got, err := s.run(until)
			return err == nil && strings.Join(got, " ") == strings.Join(want, " "), fmt.Sprintf("%s: %q, %v; %s", until, got, err, s.pipelines())
		})
	}
	speak("SELECT count(*) >= 3 FROM gold.first", "true")

	// It speaks again: what it tells of windows that were closed is late, the rest counts, and it holds them from now on.
	s.put("shy", 1, line(2, 1), line(2, second+50))
	s.until("SELECT count(*) FROM system.late WHERE topic = 'shy' AND pipeline = 'gold.first'", "1")
	// Both fall silent, the one that is further ahead too.
	s.put("loud", 0, line(1, second+200))
	s.until("SELECT max(epoch(window_end)) - "+fmt.Sprint(second+200)+" BETWEEN epoch(TIMESTAMP '2026-01-01') AND epoch(TIMESTAMP '2026-01-01') + 10 FROM gold.first", "true")
	s.until("SELECT sum(n) FROM gold.alone WHERE k = 2", "2")
	s.until("SELECT sum(n) FROM gold.first WHERE k = 2", "1")

	s.exec("INSERT INTO gold.again " + both)
	s.caughtUp()
	s.until("SELECT (SELECT count(*) FROM (FROM gold.first EXCEPT ALL FROM gold.again)) + (SELECT count(*) FROM (FROM gold.again EXCEPT ALL FROM gold.first))", "0")
	s.until("SELECT pipeline, \"partition\", \"offset\" FROM system.late ORDER BY ALL", "gold.again|1|0", "gold.first|1|0")
}

// TestLatePolicy: a row is late by its own partition's watermark, or, where that is asked for, by that of its whole source;
// both are the same for whoever reads the log later.
func TestLatePolicy(t *testing.T) {
	s := newSite(t)
	s.topic("reading", 2)
	const declared = " (k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (connector = 'kafka', topic = 'reading', idle_timeout = 'off', flush_timeout = 'off'"
	const counted = "SELECT k, count(*) AS n, window_end FROM TUMBLE(%s, ts, INTERVAL '10 seconds') GROUP BY k, window_end"
	s.exec("CREATE SOURCE strict"+declared+")", "CREATE SOURCE lenient"+declared+", late_policy = 'global')",
		"INSERT INTO gold.strict "+fmt.Sprintf(counted, "strict"), "INSERT INTO gold.lenient "+fmt.Sprintf(counted, "lenient"),
		"CREATE PIPELINE asked INTO gold.asked WITH (late_policy = 'global') AS "+fmt.Sprintf(counted, "strict"),
		"CREATE PIPELINE unasked INTO gold.unasked WITH (late_policy = 'partition') AS "+fmt.Sprintf(counted, "lenient"))
	put := func(partition int, seconds ...int) {
		s.Helper()
		for _, second := range seconds {
			s.put("reading", partition, fmt.Sprintf(`{"k":%d,"ts":"2026-01-01T00:%02d:%02d"}`, second, second/60, second%60))
		}
		s.caughtUp()
	}
	late := func(pipeline string) string {
		return "SELECT \"partition\", \"offset\" FROM system.late WHERE pipeline = '" + pipeline + "' ORDER BY ALL"
	}
	put(0, 5, 100, 20) // 20 comes behind 100
	put(1, 8)
	put(1, 101)
	strict, lenient := "SELECT k, n FROM gold.strict ORDER BY k", "SELECT k, n FROM gold.lenient ORDER BY k"
	s.until(strict, "5|1", "8|1")
	s.until(lenient, "5|1", "8|1", "20|1")
	s.until(strings.Replace(lenient, "lenient", "asked", 1), "5|1", "8|1", "20|1")
	s.until(late("gold.strict"), "0|2")
	put(0, 21, 150) // closed for both
	put(1, 99, 151) // the window was closed at 101 by the other's 100, up to 100
	s.until(late("gold.strict"), "0|2", "0|3", "1|2")
	s.until(late("gold.lenient"), "0|3", "1|2")
	s.until(lenient, "5|1", "8|1", "20|1", "100|1", "101|1")
	s.until(strings.Replace(lenient, "lenient", "asked", 1), "5|1", "8|1", "20|1", "100|1", "101|1")

	s.stop()
	s.start()
	put(0, 130, 170) // late where its own partition has come to 150, and else, too: so has the other one
	put(1, 155, 171)
	s.exec("INSERT INTO gold.strictly "+fmt.Sprintf(counted, "strict"), "INSERT INTO gold.leniently "+fmt.Sprintf(counted, "lenient"))
	s.caughtUp()
	s.until(late("gold.strictly"), "0|2", "0|3", "0|5", "1|2")
	s.until(late("gold.leniently"), "0|3", "0|5", "1|2")
	s.until(late("asked"), "0|3", "0|5", "1|2")
	for _, pair := range [][2]string{{"strict", "strictly"}, {"strict", "unasked"}, {"lenient", "leniently"}, {"lenient", "asked"}} {
		s.until(fmt.Sprintf("SELECT (SELECT count(*) FROM (FROM gold.%[1]s EXCEPT ALL FROM gold.%[2]s)) + (SELECT count(*) FROM (FROM gold.%[2]s EXCEPT ALL FROM gold.%[1]s))", pair[0], pair[1]), "0")
	}
}

// TestShown: what a pipeline does, and who reads a source, can be asked for.
func TestShown(t *testing.T) {
	s := newSite(t)
	s.topic("bid", 1)
	const source = "CREATE SOURCE bid (auction BIGINT, price BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '4' SECOND) WITH (connector = 'kafka', topic = 'bid', late_policy = 'global')"
	s.exec(
		source,
		"CREATE MATERIALIZED VIEW sums AS SELECT auction, sum(price) AS s FROM bid GROUP BY auction",
		"INSERT INTO gold.w SELECT max(price) AS most, window_end FROM TUMBLE(bid, ts, INTERVAL '10' SECOND) GROUP BY window_end",
	)
	s.until("EXPLAIN PIPELINE sums", "in0|read topic bid as json|auction long, price long|(null)", "op0|groups, each change told: sum(_x0) by (auction)|(null)|in0",
		"table|keep gold.sums by (auction)|auction long, s decimal(38,0)|op0")
	rows, err := s.run("EXPLAIN PIPELINE gold.w")
	if err != nil || len(rows) != 3 || rows[0] != "in0|read topic bid as json; watermark ts - 4s|price long, ts timestamp|(null)" {
		t.Errorf("%q, %v", rows, err)
	}
	s.until("SHOW SOURCES", "bid|bid|json|ts - 4s|dead_letter|global|gold.sums, gold.w|"+source)
	s.refused("EXPLAIN PIPELINE sum", "there is no pipeline sum", "did you mean sums?")
	for statement, column := range map[string]int{"EXPLAIN INSERT INTO x SELECT wrong FROM bid": 30, " EXPLAIN CREATE PIPELINE y x": 28} {
		_, err := s.run(statement)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Column != column {
			s.Errorf("%s: %v stands at %+v", statement, err, f)
		}
	}
}
