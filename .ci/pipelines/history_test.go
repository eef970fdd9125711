//go:build duckdb_arrow

package pipelines_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/stream/decode"
	"tarn/stream/history"
)

// landed makes a topic that lands.
func (s *site) landed(name string, partitions int32) {
	s.Helper()
	_, err := s.bus.CreateTopic(s.ctx, name, bus.TopicConfig{Partitions: partitions, Land: true})
	s.must(err)
}

// cut moves the log start of a partition, as soon as its readers let it.
func (s *site) cut(topic string, partition int, before int64) {
	s.Helper()
	t, err := s.bus.Topic(topic)
	s.must(err)
	p := t.Partitions()[partition]
	s.wait(func() (bool, string) {
		s.must(p.Trim(context.WithoutCancel(s.ctx), before))
		return p.LogStart() == before, fmt.Sprintf("the log of %s/%d begins at %d, want %d", topic, partition, p.LogStart(), before)
	})
}

// TestHistoryComesFromBronze: a pipeline that is made when the log has lost its beginning reads it from bronze, then goes on in the log.
func TestHistoryComesFromBronze(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 2)
	for i := range 10 {
		s.put("bid", 0, fmt.Sprintf(`{"auction":%d,"price":%d,"ts":"2026-01-01T00:00:%02dZ","who":"a\"%d"}`, i%3, i, i, i), fmt.Sprintf(`{"auction":%d}`, i%3))
		s.put("bid", 1, fmt.Sprintf(`{"auction":7,"price":%d}`, i))
	}
	s.cut("bid", 0, 13)
	s.cut("bid", 1, 4)
	s.put("bid", 1, `{"auction":8,"price":100}`)
	s.exec(
		"CREATE SOURCE bid (auction BIGINT, price BIGINT, ts TIMESTAMP(3), who VARCHAR) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE MATERIALIZED VIEW sums AS SELECT auction, count(*) AS n, sum(price) AS s, max(who) AS who, max(ts) AS ts FROM bid GROUP BY auction",
		"CREATE PIPELINE raw INTO gold.raw AS SELECT auction, price FROM bid",
	)
	s.caughtUp()
	s.until("SELECT auction, n, s, who, ts FROM gold.sums ORDER BY 1", `0|8|18|a"9|2026-01-01T00:00:09`, `1|6|12|a"7|2026-01-01T00:00:07`, `2|6|15|a"8|2026-01-01T00:00:08`,
		"7|10|45|(null)|(null)", "8|1|100|(null)|(null)")
	s.until("SELECT count(*), count(price), sum(price) FROM gold.raw", "31|21|190")
}

// TestHistoryThatCannotBeReadIsRefused: what bronze has not as it was, or has not, makes no pipeline; what is refused says what to write instead.
func TestHistoryThatCannotBeReadIsRefused(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 1)
	s.topic("plain", 1)
	s.put("bid", 0, `{"k":1,"price":1.50}`)
	s.until("SELECT k FROM bronze.bid", "1") // what comes later does not fit that column
	s.put("bid", 0, `{"k":2,"price":2}`, `{"k":"two","price":0.1}`, `[1]`)
	s.put("bid", 0, `{"k":{"a": 1},"price":null}`, `{}`, `{"k":3,"price":3}`)
	s.put("plain", 0, `{"k":1}`)
	s.put("plain", 0, `{"k":2}`)
	s.cut("bid", 0, 4)
	s.cut("plain", 0, 1)
	s.exec(
		"CREATE SOURCE dec (k BIGINT, price DECIMAL(10, 2)) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE SOURCE bid (k VARCHAR, price DOUBLE) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE SOURCE rest (k VARCHAR, price VARCHAR) WITH (connector = 'kafka', topic = 'bid', scan.startup.mode = 'log')",
		"CREATE SOURCE plain (k BIGINT) WITH (connector = 'kafka', topic = 'plain')",
	)
	s.refused("CREATE MATERIALIZED VIEW d AS SELECT k, sum(price) AS s FROM dec GROUP BY k", "column price is double there", "declare it as it is there")
	s.exec(
		"CREATE PIPELINE a INTO gold.a AS SELECT k, price FROM bid",
		"CREATE PIPELINE b INTO gold.b AS SELECT k, price FROM rest",
		"CREATE PIPELINE c INTO gold.c AS SELECT k FROM plain",
	)
	s.until("SELECT k, price FROM gold.a ORDER BY price NULLS LAST", "two|0.1", "1|1.5", "2|2", "3|3", `{"a": 1}|(null)`, "(null)|(null)")
	s.until("SELECT k, price FROM gold.b ORDER BY 1 NULLS LAST", "3|3", `{"a": 1}|(null)`, "(null)|(null)")
	s.until("SELECT k FROM gold.c", "2") // it does not land: its log is all that there is
	s.cut("bid", 0, 5)
	s.exec("CREATE PIPELINE e INTO gold.e AS SELECT k, price FROM bid")
	s.fails("e", "partition 0, offset 4: member k is in _extra", "scan.startup.mode = 'log'")
	s.exec("DROP PIPELINE e", "DROP TABLE gold.e", "CREATE SOURCE num (k INT, price DOUBLE) WITH (connector = 'kafka', topic = 'bid')")
	s.cut("bid", 0, 6)
	s.exec("CREATE PIPELINE f INTO gold.f AS SELECT k, price FROM num")
	s.fails("f", "partition 0, offset 5: nothing tells whether it was an object without values", "scan.startup.mode = 'log'")
}

// TestATopicMadeAgainHasNoHistory: the records of the topic that had its name before are not its own.
func TestATopicMadeAgainHasNoHistory(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 1)
	s.put("bid", 0, `{"k":1}`, `{"k":2}`)
	s.until("SELECT count(*) FROM bronze.bid", "2")
	s.must(s.bus.DeleteTopic(s.ctx, "bid"))
	s.landed("bid", 1)
	s.put("bid", 0, `{"k":3}`)
	s.put("bid", 0, `{"k":4}`)
	s.stop()
	s.start()
	s.cut("bid", 0, 3)
	s.exec("CREATE SOURCE bid (k BIGINT) WITH (connector = 'kafka', topic = 'bid')", "CREATE PIPELINE a INTO gold.a AS SELECT k FROM bid")
	s.until("SELECT k FROM gold.a ORDER BY 1", "3", "4")
}

// TestAPipelineIsMadeAnewOfItsHistory: ALTER … AS, REBUILD and a state that is damaged all read what the log has lost.
func TestAPipelineIsMadeAnewOfItsHistory(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 1)
	s.put("bid", 0, `{"k":1,"n":1}`)
	s.put("bid", 0, `{"k":1,"n":2}`, `{"k":2,"n":3}`)
	s.put("bid", 0, `{"k":2,"n":4}`)
	s.exec(
		"CREATE SOURCE bid (k BIGINT, n BIGINT) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE MATERIALIZED VIEW a AS SELECT k, sum(n) AS s FROM bid GROUP BY k",
	)
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|3", "2|7")
	s.cut("bid", 0, 3)
	s.exec("ALTER PIPELINE a AS SELECT k, max(n) AS s FROM bid GROUP BY k")
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|2", "2|4")
	s.exec("ALTER PIPELINE a REBUILD")
	s.until("SELECT count(*) FROM system.pipelines WHERE name = 'gold.a' AND state = 'running'", "1")
	s.put("bid", 0, `{"k":2,"n":5}`)
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|2", "2|5")
	id := s.part.Statuses()[0].ID
	s.stop()
	s.must(os.WriteFile(filepath.Join(s.dir, "state", id+".duckdb"), []byte("junk"), 0o600))
	s.start()
	s.put("bid", 0, `{"k":1,"n":6}`)
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|6", "2|5")
}

// changes is the topic of a source's table calls (id, berth), as a connector fills it.
type changes struct {
	*site
	topic  *bus.Topic
	schema int64
	place  int64
	gen    int64
}

func (s *site) changes(name string) *changes {
	s.Helper()
	t, err := s.bus.CreateTopic(s.ctx, name, bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"})
	s.must(err)
	id, err := schemas.New(s.meta).Put(s.ctx, record.Schema{Source: "src", Database: "port.db", Schema: "main", Table: "calls", Columns: []record.Column{
		{Name: "id", Type: record.Long, Key: 1}, {Name: "berth", Type: record.String, Nullable: true},
	}})
	s.must(err)
	return &changes{site: s, topic: t, schema: id}
}

func (c *changes) pos() string {
	c.place++
	return record.Pos{Source: "src", Incarnation: "1", Place: record.Hex16(c.place)}.String()
}

// mark begins or ends a snapshot.
func (c *changes) mark(kind record.MarkKind) {
	c.Helper()
	if kind == record.SnapshotBegin {
		c.gen++
	}
	_, err := c.topic.Partitions()[0].Append(c.ctx, record.EncodeMark(record.Mark{Kind: kind, Generation: c.gen, Schema: c.schema, Pos: c.pos()}, time.Now().UnixMilli()))
	c.must(err)
}

// change appends a change event; "" for no row.
func (c *changes) change(op byte, id int, before, after string) {
	c.Helper()
	row := func(berth string) string {
		if berth == "" {
			return "null"
		}
		return fmt.Sprintf(`{"id":%d,"berth":%q}`, id, berth)
	}
	_, err := c.topic.Partitions()[0].Append(c.ctx, record.Encode([]record.Record{{
		Timestamp: time.Now().UnixMilli(), Key: fmt.Appendf(nil, `{"id":%d}`, id), Value: fmt.Appendf(nil, `{"before":%s,"after":%s,"source":{},"op":"%c"}`, row(before), row(after), op),
		Headers: []record.Header{
			{Key: record.HeaderPos, Value: []byte(c.pos())},
			{Key: record.HeaderSchema, Value: strconv.AppendInt(nil, c.schema, 10)},
			{Key: record.HeaderGen, Value: strconv.AppendInt(nil, c.gen, 10)},
		},
	}}))
	c.must(err)
}

// TestTheHistoryOfChanges: a changelog is made again of bronze from its latest whole snapshot on, and rows that a snapshot has taken out
// do not come back; events that are read as rows come all, if all are known to be there.
func TestTheHistoryOfChanges(t *testing.T) {
	s := newSite(t)
	c := s.changes("port.main.calls")
	c.mark(record.SnapshotBegin) // 0
	c.change('r', 1, "", "a")
	c.change('r', 2, "", "b")
	c.mark(record.SnapshotEnd) // 3
	c.change('u', 1, "a", "c")
	c.change('d', 2, "b", "")
	c.change('c', 3, "", "ghost") // 6
	c.change('c', 4, "", "d")
	s.cut(c.topic.Name(), 0, 6)
	s.exec(
		"CREATE SOURCE calls (id BIGINT, berth VARCHAR, PRIMARY KEY (id)) WITH (connector = 'kafka', topic = 'port.main.calls', format = 'debezium-json')",
		"CREATE SOURCE events (id BIGINT, berth VARCHAR) WITH (connector = 'kafka', topic = 'port.main.calls', format = 'debezium-json')",
		"CREATE SOURCE texts (op VARCHAR) WITH (connector = 'kafka', topic = 'port.main.calls')",
		"CREATE MATERIALIZED VIEW keyed AS SELECT id, berth FROM calls",
		"CREATE MATERIALIZED VIEW berths AS SELECT berth, count(*) AS n FROM calls GROUP BY berth",
		"CREATE MATERIALIZED VIEW mirrored AS SELECT berth, count(*) AS n FROM silver.calls GROUP BY berth",
		"CREATE PIPELINE rows INTO gold.rows AS SELECT id, berth FROM events",
	)
	s.refused("CREATE PIPELINE t INTO gold.t AS SELECT op FROM texts", "not their text", "format = 'debezium-json'")
	s.until("SELECT id, berth FROM gold.keyed ORDER BY 1", "1|c", "3|ghost", "4|d")
	s.until("SELECT id, berth FROM gold.rows ORDER BY 1, 2", "1|a", "1|c", "2|b", "2|b", "3|ghost", "4|d")
	s.until("SELECT berth, n FROM gold.berths ORDER BY 1", "c|1", "d|1", "ghost|1")
	s.until("SELECT berth, n FROM gold.mirrored ORDER BY 1", "c|1", "d|1", "ghost|1")

	c.mark(record.SnapshotBegin) // 8
	c.change('r', 1, "", "e")
	c.change('u', 4, "d", "f") // while it goes on
	c.mark(record.SnapshotEnd) // 11
	c.change('c', 5, "", "g")
	c.change('c', 6, "", "h")
	s.until("SELECT id, berth FROM silver.calls ORDER BY 1", "1|e", "4|f", "5|g", "6|h")
	for _, cut := range []int64{10, 12, 13} {
		s.cut(c.topic.Name(), 0, cut)
		for _, name := range []string{"keyed", "berths", "mirrored"} {
			s.exec("ALTER PIPELINE gold." + name + " REBUILD")
		}
		s.wait(func() (bool, string) { n := len(s.part.Statuses()); return n == 4, s.pipelines() })
		s.until("SELECT id, berth FROM gold.keyed ORDER BY 1", "1|e", "4|f", "5|g", "6|h")
		s.until("SELECT berth, n FROM gold.berths ORDER BY 1", "e|1", "f|1", "g|1", "h|1")
		s.until("SELECT berth, n FROM gold.mirrored ORDER BY 1", "e|1", "f|1", "g|1", "h|1")
	}
	s.refused("ALTER PIPELINE rows AS SELECT id FROM events", "partition 0, offsets", "scan.startup.mode = 'log'")
}

// TestHistoryIsAsTheLogWas: pipelines that read random records from a log that is whole are equal to those that read them from bronze and what
// is left of the log, each partition cut at a place of its own, and Tarn stopped on the way; late rows and dead letters, too.
func TestHistoryIsAsTheLogWas(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any
	if text := os.Getenv("TARN_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("TARN_SEED=%d", seed)
	chance := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be repeated
	s := newSite(t)
	s.landed("bid", 2)
	statements := func(suffix string) []string {
		return []string{
			"CREATE SOURCE bid" + suffix + " (auction BIGINT, price DOUBLE, what VARCHAR, tags JSON, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND) WITH (connector = 'kafka', topic = 'bid', idle_timeout = 'off', flush_timeout = 'off')",
			"CREATE PIPELINE wins" + suffix + " INTO gold.wins" + suffix + " AS SELECT auction, count(*) AS n, max(price) AS s, max(what) AS what, window_start FROM HOP(bid" + suffix +
				", ts, INTERVAL '2 seconds', INTERVAL '6 seconds') GROUP BY auction, window_start, window_end",
			"CREATE MATERIALIZED VIEW sums" + suffix + " AS SELECT auction, count(*) AS n, count(what) AS w, count(tags) AS tags, min(tags) AS least, median(price) AS m FROM bid" + suffix + " GROUP BY auction",
			"CREATE PIPELINE raw" + suffix + " INTO gold.raw" + suffix + " AS SELECT * FROM bid" + suffix,
		}
	}
	s.exec(statements("1")...)
	const each = 6_000
	for p := range 2 {
		for range 12 {
			var values []string
			for i := range each / 12 {
				values = append(values, randomBid(chance, i))
			}
			s.put("bid", p, values...)
		}
	}
	s.until("SELECT count(*) FROM bronze.bid", fmt.Sprint(2*each))
	s.caughtUp()
	for p := range 2 {
		s.cut("bid", p, 1+chance.Int64N(each-1))
	}
	s.exec(statements("2")...)
	for range 3 {
		time.Sleep(time.Duration(chance.IntN(300)) * time.Millisecond) // a moment that nothing tells
		s.stop()
		s.start()
	}
	for p := range 2 {
		s.put("bid", p, `{"auction":1,"price":0.5,"ts":"2026-01-01T02:00:00Z"}`)
	}
	equal := func(what string) {
		s.Helper()
		query := "SELECT count(*) FROM (" + what + ")"
		s.until(query, s.one(query))
		diff := "SELECT count(*) FROM ((" + what + " EXCEPT ALL " + strings.ReplaceAll(what, "1", "2") + ") UNION ALL (" + strings.ReplaceAll(what, "1", "2") + " EXCEPT ALL " + what + "))"
		s.until(diff, "0")
		t.Logf("%s: %s rows", what, s.one(query))
	}
	s.until("SELECT count(*) FROM gold.raw1 a", s.one("SELECT count(*) FROM gold.raw1"))
	s.until("SELECT count(*) FROM system.pipelines WHERE state = 'running' AND lag = 0", "6")
	equal("SELECT * FROM gold.raw1")
	equal("SELECT * FROM gold.sums1")
	equal("SELECT * FROM gold.wins1")
	equal(`SELECT "partition", "offset", window_start, watermark FROM system.late WHERE pipeline = 'wins1'`)
	s.until(`SELECT count(*) FROM (SELECT "partition", "offset", error, count(*) AS n FROM system.dead_letter GROUP BY ALL) WHERE n <> 6`, "0")
}

// TestHistoryWhileItsTableIsWrittenAnew: between two portions of a reading the table is compacted and its snapshots expire; each record comes
// once, as it was.
func TestHistoryWhileItsTableIsWrittenAnew(t *testing.T) {
	const records, bytes = 24, 900_000 // several portions
	s := newSite(t)
	s.landed("large", 1)
	value := func(i int) string {
		return fmt.Sprintf(`{"k":%d,"what":"%s"}`, i, strings.Repeat(string(rune('a'+i)), bytes))
	}
	for i := range records {
		s.put("large", 0, value(i))
		s.until("SELECT count(*) FROM bronze.large", fmt.Sprint(i+1)) // a commit each, so that there is something to compact
	}
	topic, err := s.bus.Topic("large")
	s.must(err)
	h, err := history.Open(s.ctx, s.lake.Tables(), history.Source{Topic: topic, Columns: []decode.Column{{Name: "k", Type: record.Long}, {Name: "what", Type: record.String}}})
	s.must(err)
	spans := history.Spans{{0, records}}
	s.must(h.Check(s.ctx, spans))
	next, portions, compacted := int64(0), 0, int64(0)
	s.must(h.Read(s.ctx, spans, func(_ int32, list []record.Record, to int64) error {
		for _, r := range list {
			if r.Offset != next || string(r.Value) != value(int(next)) {
				t.Errorf("offset %d: %.40s, want offset %d", r.Offset, r.Value, next)
			}
			next = r.Offset + 1
		}
		if portions++; to >= records {
			return nil
		}
		for _, order := range []catalog.Order{{Action: catalog.Compact}, {Action: catalog.ExpireSnapshots, Retention: time.Nanosecond}, {Action: catalog.RemoveOrphanFiles}} {
			done, err := s.lake.Upkeep().Execute(s.ctx, table.Ident{Namespace: "bronze", Name: "large"}, order)
			s.must(err)
			if order.Action == catalog.Compact {
				compacted += done.FilesRemoved - done.FilesAdded
			}
		}
		s.put("large", 0, value(0)) // which lands in the midst, and is not of the span
		return nil
	}))
	if next != records || portions < 2 || compacted == 0 {
		t.Errorf("%d of %d records in %d portions; %d files fewer by compaction", next, records, portions, compacted)
	}
}

// one is the answer of a query of one row.
func (s *site) one(query string) string {
	s.Helper()
	got, err := s.run(query)
	s.must(err)
	return strings.Join(got, "\n")
}

// randomBid is a record: most are bids, some late, some lack what others have, some cannot be read.
func randomBid(chance *rand.Rand, i int) string {
	at := time.Date(2026, 1, 1, 0, 0, i/20, 0, time.UTC).Add(-time.Duration(chance.IntN(5000)) * time.Millisecond)
	if chance.IntN(50) == 0 {
		at = at.Add(-time.Minute)
	}
	fields := []string{fmt.Sprintf(`"auction": %d`, chance.IntN(20)), fmt.Sprintf(`"ts":"%s"`, at.Format("2006-01-02T15:04:05.000Z"))}
	switch chance.IntN(8) {
	case 0:
		fields = append(fields, `"price":null`)
	case 1:
		fields = append(fields, fmt.Sprintf(`"price":%d`, chance.IntN(100)))
	case 2:
		fields = append(fields, fmt.Sprintf(`"price":"%d.25"`, chance.IntN(100)))
	case 3:
		fields = append(fields, fmt.Sprintf(`"price":%de-1`, chance.IntN(100)))
	default:
		fields = append(fields, fmt.Sprintf(`"price":%g`, chance.Float64()*100))
	}
	switch chance.IntN(8) {
	case 0:
		fields = append(fields, `"what":7`)
	case 1:
		fields = append(fields, `"what":true`)
	case 2:
		fields = append(fields, `"what":"\u00e9 \\ \" \ud800 </b>"`)
	case 3:
		fields = append(fields, `"tags":{"a" : [1, 2.50]}`)
	case 4:
		fields = append(fields, `"tags":"x", "other":1.5, "auction": 3`)
	case 5:
		fields = append(fields, fmt.Sprintf(`"more%d":%d`, chance.IntN(30), i))
	case 6:
		if chance.IntN(10) == 0 {
			return []string{`[1]`, `{"auction":1`, ``, `{"auction":"x"}`}[chance.IntN(4)]
		}
	}
	return "{" + strings.Join(fields, ",") + "}"
}
