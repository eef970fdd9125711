//go:build duckdb_arrow

package pipelines_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/stream/own"
)

// bid is an event as a test has put it, with what its partition's watermark was before, in seconds.
type bid struct {
	partition, offset int
	k                 string
	price, second     int
	mark              int
}

func (b bid) place() string { return fmt.Sprintf("%d/%d", b.partition, b.offset) }

// steps are the rows of EXPLAIN ROW OF: step, layer, name, partition, offset, key, value, note.
func (s *site) steps(of string) (out [][]string) {
	s.Helper()
	rows, err := s.run("EXPLAIN ROW OF " + of)
	if err != nil {
		s.Fatalf("%s: %v", of, err)
	}
	for _, r := range rows {
		out = append(out, strings.SplitN(r, "|", 8))
	}
	return out
}

// events are the places that the steps end at, in bronze, apart from those that came too late; each must be in the topic, too.
func (s *site) events(of, note string) (made, late []string) {
	s.Helper()
	var records []string
	all := s.steps(of)
	if !strings.Contains(all[0][7], note) {
		s.Errorf("%s: %s, want %s", of, all[0][7], note)
	}
	for _, step := range all {
		switch place := step[3] + "/" + step[4]; {
		case step[1] == "topic":
			records = append(records, place)
		case step[1] == "bronze" && strings.HasPrefix(step[7], "came too late"):
			late = append(late, place)
		case step[1] == "bronze":
			made = append(made, place)
		}
	}
	slices.Sort(records)
	slices.Sort(made)
	slices.Sort(late)
	if want := slices.Sorted(slices.Values(slices.Concat(made, late))); !slices.Equal(records, want) {
		s.Errorf("%s: the records %v are not those of bronze, %v", of, records, want)
	}
	return made, late
}

// fillBids puts bids with duplicates, rows that are late for some of their windows or for all, and what is no bid.
func (s *site) fillBids() (all []bid) {
	s.Helper()
	line := func(b bid) string {
		return fmt.Sprintf(`{"k":%q,"price":%d,"level":"%d","ts":"2026-01-01T00:00:%02d"}`, b.k, b.price, b.second, b.second)
	}
	for partition, seconds := range [][]int{{1, 2, 11, 2, 3, 24, 19, 24, 5, 40, 59}, {4, 4, 12, 12, 30, 1, 29, 59}} {
		mark := -100
		for offset, second := range seconds {
			b := bid{partition, offset, string(rune('a' + offset%2)), 10 * second, second, mark}
			mark = max(mark, second-1)
			all = append(all, b)
			s.put("bid", partition, line(b))
		}
	}
	s.put("bid", 1, "junk", `{"k":"a","price":"dear"}`, `{"k":"a","price":1,"level":"high","ts":"2026-01-01T00:00:59"}`)
	return append(all, bid{1, 10, "a", 1, 59, 58})
}

// TestWhereARowComesFrom: the events that a row is walked back to are those that the row is made of, and no others, also where some came
// twice, came too late or cannot be read; and where the shape of a SELECT does not tell them, that is said.
func TestWhereARowComesFrom(t *testing.T) {
	s := &site{T: t, ctx: context.WithoutCancel(t.Context()), dir: t.TempDir(), guard: shut{}}
	s.start()
	t.Cleanup(func() { s.stop() })
	s.landed("bid", 2)
	s.topic("quiet", 1)
	c := s.changes("port.main.calls")
	c.mark(record.SnapshotBegin) // 0
	c.change('r', 1, "", "a")
	c.change('r', 2, "", "b")
	c.mark(record.SnapshotEnd) // 3
	c.change('u', 1, "a", "c")
	c.change('c', 3, "", "c")
	s.until("SELECT id, berth FROM silver.calls ORDER BY 1", "1|c", "2|b", "3|c")
	declared := "(k VARCHAR, price BIGINT, level VARCHAR, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH (connector = 'kafka', flush_timeout = 'off', idle_timeout = 'off', topic = '"
	const hop = "FROM HOP(bid, ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)"
	s.exec(
		"CREATE SOURCE bid "+declared+"bid')", "CREATE SOURCE quiet "+declared+"quiet')",
		"CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(price) AS total FROM bid GROUP BY k",
		"CREATE MATERIALIZED VIEW hot AS SELECT upper(k) AS who, window_end, count(*) AS n, sum(price) AS total "+hop+" GROUP BY upper(k), window_end EMIT ON WINDOW CLOSE",
		"CREATE MATERIALIZED VIEW most AS SELECT window_end AS until, max(n) AS most FROM (SELECT k, window_end, count(*) AS n "+hop+" WHERE price < 300 GROUP BY k, window_end) GROUP BY window_end EMIT ON WINDOW CLOSE",
		"CREATE MATERIALIZED VIEW bare AS SELECT count(*) AS n "+hop+" GROUP BY k, window_end EMIT ON WINDOW CLOSE",
		"INSERT INTO gold.both SELECT k, price * 2 AS twice FROM bid WHERE price >= 300 UNION ALL SELECT 'low ' || k, price FROM bid WHERE price < 30",
		"CREATE MATERIALIZED VIEW levels AS SELECT k, sum(CAST(level AS INT)) AS s FROM bid GROUP BY k",
		"CREATE MATERIALIZED VIEW every AS SELECT count(*) AS n, avg(price) AS mean FROM bid",
		"CREATE MATERIALIZED VIEW unheard AS SELECT count(*) AS n FROM quiet",
		"CREATE MATERIALIZED VIEW berths AS SELECT berth, count(*) AS n FROM silver.calls GROUP BY berth",
		"CREATE VIEW gold.over AS SELECT who AS name, sum(n) AS n FROM gold.hot WHERE window_end <= TIMESTAMP '2026-01-01 00:00:20' GROUP BY who",
		"CREATE VIEW gold.joined AS WITH windows AS (SELECT * FROM gold.hot) SELECT h.who, h.window_end, h.n, s.total, c.berth FROM windows AS h LEFT JOIN gold.sums AS s ON lower(h.who) = s.k LEFT JOIN silver.calls AS c ON c.id = 2 AND h.who = 'A' ORDER BY h.who",
		"CREATE VIEW gold.top AS SELECT k FROM gold.sums ORDER BY n DESC LIMIT 1",
	)
	bids := s.fillBids()
	s.caughtUp()
	s.until("SELECT sum(n) FROM gold.sums", fmt.Sprint(len(bids)))
	s.until("SELECT count(*) FROM bronze.bid", fmt.Sprint(len(bids)+2))
	s.until("SELECT n FROM gold.every", fmt.Sprint(len(bids)))
	s.until("SELECT n FROM gold.unheard", "0")
	s.until("SELECT berth, n FROM gold.berths ORDER BY 1", "b|1", "c|2")
	s.until("SELECT count(*) FROM gold.hot WHERE window_end = TIMESTAMP '2026-01-01 00:00:50'", "1") // the last that closes
	s.until("SELECT count(*) FROM gold.most WHERE until = TIMESTAMP '2026-01-01 00:00:35'", "1")
	s.until("SELECT count(*) FROM system.late", fmt.Sprint(len(s.own(own.Late))))

	t.Run("groups", func(t *testing.T) { s.at(t).ofGroups(bids) })
	t.Run("windows", func(t *testing.T) { s.at(t).ofWindows(bids) })
	t.Run("shapes", func(t *testing.T) { s.at(t).ofShapes(bids) })
	t.Run("changes", func(t *testing.T) { s.at(t).ofChanges() })
	t.Run("guests", func(t *testing.T) { s.at(t).ofGuests() })
	t.Run("refusals", func(t *testing.T) { s.at(t).rowsRefused() })
}

// at is the site within another test.
func (s *site) at(t *testing.T) *site {
	out := *s
	out.T = t
	return &out
}

const sameAgain = "computed again from them it is the same"

// places are those of the bids of a kind.
func places(bids []bid, of func(bid) bool) (out []string) {
	for _, b := range bids {
		if of(b) {
			out = append(out, b.place())
		}
	}
	slices.Sort(out)
	return out
}

func (s *site) madeOf(of, note string, want []string) {
	s.Helper()
	if got, late := s.events(of, note); !slices.Equal(got, want) || len(late) > 0 {
		s.Errorf("%s is made of %v, late %v, want %v", of, got, late, want)
	}
}

func (s *site) ofGroups(bids []bid) {
	for _, k := range []string{"a", "b"} {
		s.madeOf("gold.sums WHERE k = '"+k+"'", sameAgain, places(bids, func(b bid) bool { return b.k == k }))
	}
	s.madeOf("every WHERE n > 0", sameAgain, places(bids, func(bid) bool { return true }))
	// A record with which the SELECT cannot compute is a dead letter.
	s.madeOf("gold.levels WHERE k = 'a'", "system.dead_letter are left out", places(bids, func(b bid) bool { return b.k == "a" && b.price != 1 }))
}

// ofWindows holds each window's row against the bids that are in it, and those that came too late for it.
func (s *site) ofWindows(bids []bid) {
	rows, err := s.run("SELECT who, epoch(window_end)::BIGINT - epoch(TIMESTAMP '2026-01-01')::BIGINT, n, window_end::VARCHAR FROM gold.hot")
	s.must(err)
	if len(rows) < 10 {
		s.Fatalf("there are %d windows", len(rows))
	}
	lateRows := 0
	for _, row := range rows {
		cells := strings.Split(row, "|")
		var end, n int
		_, err := fmt.Sscan(cells[1]+" "+cells[2], &end, &n)
		s.must(err)
		within := func(b bid) bool { return strings.ToUpper(b.k) == cells[0] && b.second >= end-10 && b.second < end }
		want := places(bids, func(b bid) bool { return within(b) && b.mark < end })
		late := places(bids, func(b bid) bool { return within(b) && b.mark >= end })
		got, gotLate := s.events(fmt.Sprintf("gold.hot WHERE who = '%s' AND window_end = TIMESTAMP '%s'", cells[0], cells[3]), sameAgain)
		if !slices.Equal(got, want) || !slices.Equal(gotLate, late) || len(got) != n {
			s.Errorf("%s is made of %v and late %v, want %v and late %v", row, got, gotLate, want, late)
		}
		lateRows += len(late)
	}
	if lateRows < 4 {
		s.Errorf("%d rows were late", lateRows)
	}
}

func (s *site) ofShapes(bids []bid) {
	s.Helper()
	made := func(of, note string, want []string) {
		s.Helper()
		if got, _ := s.events(of, note); !slices.Equal(got, want) {
			s.Errorf("%s is made of %v, want %v", of, got, want)
		}
	}
	made("gold.most WHERE until = TIMESTAMP '2026-01-01 00:00:10'", sameAgain, places(bids, func(b bid) bool { return b.second < 10 && b.mark < 10 }))
	made("gold.both WHERE k = 'b' AND twice = 800", sameAgain, []string{"0/9"})
	made("gold.both WHERE k = 'low b' AND twice = 20", "which of them it is, nothing tells", []string{"0/1", "0/3"})
	made("gold.over WHERE name = 'B'", sameAgain, places(bids, func(b bid) bool { return b.k == "b" && b.second < 20 && b.mark < min(20, 5*((b.second+10)/5)) }))
	if got, _ := s.events("gold.bare WHERE n = 2", "groups have this very row"); len(got) < 4 {
		s.Errorf("gold.bare is made of %v", got)
	}
	// Of each side that has a row in it, the one that has none adds none.
	made("gold.joined WHERE who = 'B' AND window_end = TIMESTAMP '2026-01-01 00:00:50'", sameAgain, places(bids, func(b bid) bool { return b.k == "b" }))
	if got, _ := s.events("gold.joined WHERE who = 'A' AND window_end = TIMESTAMP '2026-01-01 00:00:15'", sameAgain); len(got) != 1+len(places(bids, func(b bid) bool { return b.k == "a" })) {
		s.Errorf("gold.joined is made of %v", got)
	}
	made("gold.top WHERE true", "cannot use ORDER BY", nil)
	made("gold.unheard WHERE n = 0", "topic quiet does not land", nil)
}

func (s *site) ofChanges() {
	s.Helper()
	for of, want := range map[string]string{
		"gold.berths WHERE berth = 'c'": `1|gold|gold.berths|(null)|(null)|{"berth":"c"}|filled by pipeline gold.berths; made of 2 events; computed again from them it is the same
2|silver|silver.calls|(null)|4|{"id":1}|(null)
2|silver|silver.calls|(null)|5|{"id":3}|(null)
3|bronze|bronze.port_main_calls|0|4|{"id":1}|(null)
3|bronze|bronze.port_main_calls|0|5|{"id":3}|(null)
4|topic|port.main.calls|0|4|(null)|in the log
4|topic|port.main.calls|0|5|(null)|in the log`,
		"silver.calls WHERE id = 1": `1|silver|silver.calls|(null)|4|{"id":1}|the mirror of topic port.main.calls: it is what event 4 says
2|bronze|bronze.port_main_calls|0|1|{"id":1}|an earlier event of its key
2|bronze|bronze.port_main_calls|0|4|{"id":1}|made the row what it is
3|topic|port.main.calls|0|1|(null)|in the log
3|topic|port.main.calls|0|4|(null)|in the log`,
		"bronze.port_main_calls WHERE _offset = 4": `1|bronze|bronze.port_main_calls|0|4|{"id":1}|every event of topic port.main.calls that lands is a row
2|topic|port.main.calls|0|4|(null)|in the log`,
	} {
		var got []string
		for _, step := range s.steps(of) {
			got = append(got, strings.Join(append(step[:6:6], step[7]), "|"))
		}
		if text := strings.Join(got, "\n"); text != want {
			s.Errorf("%s\n%s\nwant\n%s", of, text, want)
		}
	}
	if value := s.steps("gold.berths WHERE berth = 'b'")[2][6]; value != `{"op":"r","before":null,"after":{"id":2,"berth":"b"},"source":{}}` {
		s.Errorf("the event is %s", value)
	}
}

// shut lets a guest not read bronze.bid.
type shut struct{ guard.Open }

// Decide is as in guard.Guard.
func (shut) Decide(p guard.Principal, _ guard.Action, r guard.Resource) guard.Decision {
	return guard.Decision{Allow: p.User != "guest" || strings.Join(r.Path, ".") != "bronze.bid"}
}

// ofGuests holds that nobody is shown what he may not read.
func (s *site) ofGuests() {
	s.Helper()
	rows, err := s.runAs("guest", "EXPLAIN ROW OF gold.sums WHERE k = 'a'")
	if err != nil || len(rows) != 1 || !strings.Contains(rows[0], "you may not read bronze.bid") {
		s.Errorf("%q, %v", rows, err)
	}
	if rows, err = s.runAs("guest", "EXPLAIN ROW OF bronze.bid WHERE _offset = 1 AND _partition = 0"); err == nil {
		s.Errorf("%q", rows)
	}
}

func (s *site) rowsRefused() {
	for statement, want := range map[string][2]string{
		"EXPLAIN ROW OF gold.sums":                               {"WHERE", "WHERE id = 17"},
		"EXPLAIN ROW OF gold.sums WHERE":                         {"the end", "id = 17"},
		"EXPLAIN ROW OF gold.sums WHERE k = 'none'":              {"no row of gold.sums is so", "key"},
		"EXPLAIN ROW OF gold.sums WHERE n > 0":                   {"more than one row of gold.sums is so", "name all"},
		"EXPLAIN ROW OF system.pipelines WHERE true":             {"Tarn's own", "gold, silver or bronze"},
		"EXPLAIN ROW OF gold.none WHERE n > 0":                   {"there is no table gold.none", "SHOW TABLES"},
		"EXPLAIN ROW OF gold.sums WHERE true) UNION ALL (FROM x": {"a bracket is closed", "leave it out"},
	} {
		s.refused(statement, want[0], want[1])
	}
}
