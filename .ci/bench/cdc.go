//go:build duckdb_arrow

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	proof "tarn/.ci/proof"
	"tarn/ingest/cdc/postgres/pgtest"
)

// The load on change data capture.
const (
	cdcTopic  = "p.public.moves"
	cdcPerTx  = 1000 // changes of a transaction: single ones would measure the server's commits
	cdcWithin = 5 * time.Minute
	cdcPoll   = 2 * time.Millisecond
	cdcIdle   = 3 * time.Second // after which an idle program's memory is read
	// never is a commit interval at which landing does nothing: the source alone, as Debezium embedded.
	never = "TARN_LANDING_COMMIT_INTERVAL=1h"
)

// cdcRow is a row of the table by its number i.
const cdcRow = `i, 'TCLU' || lpad(i::text, 7, '0'), 'VES' || i % 500, 1 + i % 2, (i % 30000) / 7.0, '2026-01-01'::timestamptz + i * interval '1 second', i % 3 = 0, 'note ' || i`

// cdcParts measure change data capture of PostgreSQL beside Debezium embedded.
func (b *bench) cdcParts() map[string][]func(context.Context) error {
	part := func(do func(*capture, context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error { return b.withCapture(ctx, do) }
	}
	source, mirror, connect := part((*capture).source), part((*capture).mirror), part((*capture).connect)
	return map[string][]func(context.Context) error{
		"cdc": {source, connect, mirror}, "cdc-source": {source}, "cdc-connect": {connect}, "cdc-mirror": {mirror},
	}
}

// capture is a PostgreSQL with a table of rows, which changes will change.
type capture struct {
	*bench
	server        *pgtest.Server
	db            *pgtest.Database
	rows, changes int
	end           int64 // of the topic
}

// outside lets what is for tests be used here: a failure is a panic, and what was to be cleaned up is when it is over.
type outside struct {
	testing.TB
	ends []func()
}

func (o *outside) Helper()                           {}
func (o *outside) Context() context.Context          { return context.Background() }
func (o *outside) Cleanup(f func())                  { o.ends = append(o.ends, f) }
func (o *outside) Fatal(args ...any)                 { panic(errors.New(fmt.Sprint(args...))) }
func (o *outside) Skip(args ...any)                  { o.Fatal(args...) }
func (o *outside) Fatalf(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

func (b *bench) withCapture(ctx context.Context, do func(*capture, context.Context) error) (err error) {
	c := &capture{bench: b}
	if c.rows, err = number("TARN_BENCH_CDC_ROWS", 500_000); err != nil {
		return err
	}
	if c.changes, err = number("TARN_BENCH_CDC_CHANGES", 400_000); err != nil {
		return err
	}
	o := &outside{}
	defer func() {
		for _, end := range slices.Backward(o.ends) {
			end()
		}
		if r := recover(); r != nil {
			failed, ok := r.(error)
			if !ok {
				panic(r)
			}
			err = failed
		}
	}()
	c.server = pgtest.Start(o, "max_wal_size = '8GB'", "shared_buffers = '512MB'", "autovacuum = off")
	c.db = c.server.Database("bench",
		`CREATE TABLE moves (id bigint PRIMARY KEY, container text, vessel text, teu integer, weight numeric(10,2), moved_at timestamptz, ok boolean, note text)`,
		`CREATE PUBLICATION bench FOR TABLE moves`,
		fmt.Sprintf(`INSERT INTO moves SELECT %s FROM generate_series(1, %d) i`, cdcRow, c.rows), `VACUUM (FREEZE, ANALYZE) moves`, `CHECKPOINT`)
	return do(c, ctx)
}

// change writes the changes: half of them inserts, a quarter updates of one column, a quarter deletes. The last change is an update of row 1.
func (c *capture) change() (records int) {
	half, quarter := c.changes/2, c.changes/4
	for from := 0; from < half; from += cdcPerTx {
		c.db.Exec(fmt.Sprintf(`INSERT INTO moves SELECT %s FROM generate_series(%d, %d) i`, cdcRow, c.rows+from+1, c.rows+min(from+cdcPerTx, half)))
	}
	for from := 0; from < quarter; from += cdcPerTx {
		to := min(from+cdcPerTx, quarter)
		c.db.Exec(
			fmt.Sprintf(`UPDATE moves SET teu = teu + 1 WHERE id BETWEEN %d AND %d`, from+2, to+1),
			fmt.Sprintf(`DELETE FROM moves WHERE id BETWEEN %d AND %d`, quarter+from+2, quarter+to+1))
	}
	c.db.Exec(`UPDATE moves SET teu = ` + fmt.Sprint(lastTEU) + ` WHERE id = 1`)
	return half + quarter + 2*quarter + 1 // with the tombstones
}

// pass is one run of a source over rows or changes.
type pass struct {
	first     time.Duration // from the start of its process until its first event
	span, cpu time.Duration // from the first event until the last
	rss       float64       // the most that the process took, in MB
}

// source reads a snapshot, and then changes that wait, by Debezium and by Tarn, which makes no tables meanwhile: its log goes into the mirror after each.
func (c *capture) source(ctx context.Context) error {
	peer := func(int) (pass, error) { return pass{}, nil }
	if setting("TARN_BENCH_PEER", "yes") != "no" {
		if err := exec.CommandContext(ctx, "./.ci/bench/cdc/debezium").Run(); err != nil {
			return fmt.Errorf("fetch Debezium: %w", err)
		}
		peer = func(want int) (pass, error) { return c.debezium(ctx, want) }
	}
	h, err := c.house("cdc-source")
	if err != nil {
		return err
	}
	h.Env = []string{never}
	idle, err := c.idle(ctx, h)
	if err != nil {
		return err
	}
	if err := proof.WriteConnector(h.Project, "moves", c.keys("bench_tarn")); err != nil {
		return err
	}
	both := func(want int) (theirs, ours pass, err error) {
		if theirs, err = peer(want); err != nil {
			return theirs, ours, fmt.Errorf("debezium: %w", err)
		}
		ours, err = c.tarn(ctx, h, int64(want))
		return theirs, ours, err
	}
	theirs, ours, err := both(c.rows)
	if err != nil {
		return err
	}
	c.compare("cdc_snapshot", "rows_s", c.rows, theirs, ours)
	most := [2]float64{theirs.rss, ours.rss}
	h.Env = nil
	if err := c.lands(ctx, h, "cdc_mirror_snapshot", "rows_s", c.rows, countRows, int64(c.rows)); err != nil {
		return err
	}
	h.Env = []string{never}
	records := c.change()
	if theirs, ours, err = both(records); err != nil {
		return err
	}
	c.compare("cdc_stream", "changes_s", c.changes, theirs, ours)
	most[0], most[1] = max(most[0], theirs.rss), max(most[1], ours.rss)
	c.print("cdc_idle_rss_mb", "%.0f", idle)
	c.print("cdc_rss_added_mb", "%.0f", most[1]-idle)
	c.print("cdc_peer_rss_mb", "%.0f", most[0])
	c.print("cdc_rss_added_of_peer", "%.2f", (most[1]-idle)/most[0])
	h.Env = nil
	c.server.Kill() // what is in the log goes on by itself
	return c.lands(ctx, h, "cdc_mirror_stream", "changes_s", c.changes, lastChange, lastTEU)
}

// compare prints two runs and their ratio: above 1 Tarn is faster, or takes less CPU.
func (c *capture) compare(key, unit string, n int, theirs, ours pass) {
	rate := func(p pass) float64 { return float64(n) / p.span.Seconds() }
	per := func(p pass) float64 { return p.cpu.Seconds() * 1e5 / float64(n) }
	c.print(key+"_"+unit, "%.0f", rate(ours))
	c.print(key+"_peer_"+unit, "%.0f", rate(theirs))
	c.print(key+"_ratio", "%.1f", rate(ours)/rate(theirs))
	c.print(key+"_cpu_s_100k", "%.2f", per(ours))
	c.print(key+"_peer_cpu_s_100k", "%.2f", per(theirs))
	c.print(key+"_cpu_ratio", "%.1f", per(theirs)/per(ours))
	c.print(key+"_first_event_ms", "%.0f", millis(ours.first))
	c.print(key+"_peer_first_event_ms", "%.0f", millis(theirs.first))
}

func (c *capture) keys(slot string) map[string]string {
	return c.db.Keys("slot.name", slot, "publication.name", "bench", "publication.autocreate.mode", "disabled", "snapshot.mode", "initial")
}

// idle is the most memory that the program takes without a source.
func (c *capture) idle(ctx context.Context, h *proof.House) (float64, error) {
	p, err := h.Up(ctx)
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	select {
	case <-time.After(cdcIdle):
	case <-p.Done():
		return 0, errors.New(h.Tail())
	}
	return p.Status("VmHWM"), nil
}

// tarn runs the program until so many records more are in the topic, where each is synced.
func (c *capture) tarn(ctx context.Context, h *proof.House, want int64) (p pass, err error) {
	from := c.end
	began := time.Now()
	run, err := h.Start()
	if err != nil {
		return p, err
	}
	defer run.Kill()
	end, closed, err := c.watch(ctx, h, run)
	if err != nil {
		return p, err
	}
	defer closed()
	if _, err := end(cdcTopic, from+1); err != nil {
		return p, err
	}
	first, spent := time.Now(), costOf(run)
	p.first = first.Sub(began)
	if c.end, err = end(cdcTopic, from+want); err != nil {
		return p, err
	}
	p.span, p.cpu, p.rss = time.Since(first), costOf(run)-spent, run.Status("VmHWM")
	return p, nil // it is killed: in order it would land what it can
}

func costOf(p *proof.Process) time.Duration {
	cpu, _ := p.Cost()
	return cpu
}

// watch waits for the program's Kafka door. What it returns waits until a topic has so many records.
func (c *capture) watch(ctx context.Context, h *proof.House, run *proof.Process) (end func(topic string, want int64) (int64, error), closed func(), err error) {
	var ports map[string]string
	for late := time.Now().Add(cdcWithin); ; time.Sleep(cdcPoll) {
		if ports, err = h.Ports(); err == nil && ports["kafka"] != "" {
			break
		}
		if run.Ended() || time.Now().After(late) {
			return nil, nil, fmt.Errorf("there is no Kafka door: %w\n%s", err, h.Tail())
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(ports["kafka"])) // which makes no topics
	if err != nil {
		return nil, nil, err
	}
	end = func(topic string, want int64) (int64, error) {
		var have int64
		for late := time.Now().Add(cdcWithin); time.Now().Before(late) && !run.Ended(); time.Sleep(cdcPoll) {
			if have = endOf(ctx, cl, topic); have >= want {
				return have, nil
			}
		}
		return 0, fmt.Errorf("%d records came, and not %d\n%s", have, want, h.Tail())
	}
	return end, cl.Close, nil
}

// endOf is the offset after a topic's last record; 0 where there is no topic yet.
func endOf(ctx context.Context, cl *kgo.Client, topic string) int64 {
	req := kmsg.NewListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp, p.CurrentLeaderEpoch = -1, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := cl.SeedBrokers()[0].Request(ctx, &req) // the client itself would keep for seconds that there was no topic
	if got, ok := resp.(*kmsg.ListOffsetsResponse); ok && err == nil && len(got.Topics) > 0 && len(got.Topics[0].Partitions) > 0 && got.Topics[0].Partitions[0].ErrorCode == 0 {
		return got.Topics[0].Partitions[0].Offset
	}
	return 0
}

// connect gives a running program Debezium's own configuration by Kafka Connect's door, and waits for the first rows of the snapshot.
func (c *capture) connect(ctx context.Context) error {
	const times = 5
	h, err := c.house("cdc-connect")
	if err != nil {
		return err
	}
	h.Env = []string{never}
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	end, closed, err := c.watch(ctx, h, p)
	if err != nil {
		return err
	}
	defer closed()
	ports, err := h.Ports()
	if err != nil {
		return err
	}
	door := "http://" + ports["connect"] + "/connectors"
	var took []float64
	for i := range times {
		name := fmt.Sprintf("moves%d", i)
		keys := c.keys("bench_" + name)
		keys["topic.prefix"] = name
		body, err := json.Marshal(map[string]any{"name": name, "config": keys})
		if err != nil {
			return err
		}
		began := time.Now()
		if err := ask(ctx, http.MethodPost, door, body); err != nil {
			return err
		}
		if _, err := end(name+cdcTopic[1:], 1); err != nil {
			return err
		}
		took = append(took, millis(time.Since(began)))
		if err := ask(ctx, http.MethodDelete, door+"/"+name, nil); err != nil {
			return err
		}
	}
	c.print("cdc_connect_first_event_ms", "%.0f", quantile(took, 0.5))
	c.print("cdc_connect_first_event_worst_ms", "%.0f", quantile(took, 1))
	return nil
}

func ask(ctx context.Context, method, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, text)
	}
	return err
}

// lands runs the program with landing until a query of the mirror gives what it should, and tells how long that took from when it was ready.
func (c *capture) lands(ctx context.Context, h *proof.House, key, unit string, n int, query string, want int64) error {
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	began, spent := time.Now(), costOf(p)
	if err := c.until(ctx, p, query, want); err != nil {
		return err
	}
	c.print(key+"_"+unit, "%.0f", float64(n)/time.Since(began).Seconds())
	c.print(key+"_cpu_s_100k", "%.2f", (costOf(p)-spent).Seconds()*1e5/float64(n))
	c.print(key+"_rss_mb", "%.0f", p.Status("VmHWM"))
	return nil
}

func (c *capture) until(ctx context.Context, p *proof.Process, query string, want int64) error {
	ctx, cancel := context.WithTimeout(ctx, cdcWithin)
	defer cancel()
	for {
		n, err := p.Numbers(ctx, query)
		if err == nil && len(n) == 1 && n[0] == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s gives %d, and not %d: %w\n%s", query, n, want, err, p.House.Tail())
		case <-p.Done():
			return errors.New(p.House.Tail())
		case <-time.After(500 * time.Millisecond): // asking takes of what is measured
		}
	}
}

const (
	countRows  = "SELECT count(*) FROM silver.moves"
	lastChange = "SELECT coalesce(max(teu), 0) FROM silver.moves WHERE id = 1"
)

// mirror lets all parts run together: what waits in the server's log goes into the mirror, and then so many changes a second, of
// each of which is told how long after its commit a SELECT shows it.
func (c *capture) mirror(ctx context.Context) error {
	h, err := c.house("cdc-mirror")
	if err != nil {
		return err
	}
	if err := proof.WriteConnector(h.Project, "moves", c.keys("bench_mirror")); err != nil {
		return err
	}
	if err := c.lands(ctx, h, "cdc_all_snapshot", "rows_s", c.rows, countRows, int64(c.rows)); err != nil {
		return err
	}
	c.change()
	if err := c.lands(ctx, h, "cdc_all_stream", "changes_s", c.changes, lastChange, lastTEU); err != nil {
		return err
	}
	return c.visibleAt(ctx, h)
}

// lastTEU is what the last change sets.
const lastTEU = 100

// visibleAt commits so many changes a second.
func (c *capture) visibleAt(ctx context.Context, h *proof.House) error {
	const perTx, every = 100, 20 * time.Millisecond // 5,000 changes a second
	length, err := time.ParseDuration(setting("TARN_BENCH_CDC_PACE", "20s"))
	if err != nil {
		return err
	}
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	db := c.db.Another()
	committed := make([]time.Time, int(length/every))
	wrote := make(chan error, 1)
	began, spent := time.Now(), costOf(p)
	go func() {
		from, room := c.changes/2+2, c.rows-c.changes/2-perTx
		for i := range committed {
			time.Sleep(time.Until(began.Add(time.Duration(i) * every))) // the pace that is measured
			at := from + i*7919%room
			if err := db.Try(fmt.Sprintf("UPDATE moves SET teu = teu + 1 WHERE id BETWEEN %d AND %d; UPDATE moves SET teu = %d WHERE id = 1", at, at+perTx-2, lastTEU+1+i)); err != nil {
				wrote <- err
				return
			}
			committed[i] = time.Now()
		}
		wrote <- nil
	}()
	type sight struct {
		teu int64
		at  time.Time
	}
	var seen []sight
	for last := int64(lastTEU + len(committed)); len(seen) == 0 || seen[len(seen)-1].teu < last; {
		n, err := p.Numbers(ctx, lastChange)
		if err != nil {
			return err
		}
		if now := time.Now(); len(seen) == 0 || n[0] > seen[len(seen)-1].teu {
			seen = append(seen, sight{n[0], now})
		}
		if time.Since(began) > length+cdcWithin || p.Ended() {
			return fmt.Errorf("the last change is not seen\n%s", h.Tail())
		}
	}
	if err := <-wrote; err != nil {
		return err
	}
	took, cpu := time.Since(began), costOf(p)-spent
	var late []float64
	for i, at := 0, 0; i < len(committed); i++ {
		for seen[at].teu < int64(lastTEU+1+i) {
			at++
		}
		late = append(late, millis(seen[at].at.Sub(committed[i])))
	}
	c.print("cdc_visible_changes_s", "%.0f", float64(len(committed)*perTx)/took.Seconds())
	c.print("cdc_visible_p50_ms", "%.0f", quantile(late, 0.5))
	c.print("cdc_visible_p99_ms", "%.0f", quantile(late, 0.99))
	c.print("cdc_visible_cpu_share", "%.2f", cpu.Seconds()/took.Seconds())
	return nil
}
