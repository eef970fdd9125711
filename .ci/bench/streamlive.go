//go:build duckdb_arrow

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	nexmark "tarn/.ci/nexmark"
	proof "tarn/.ci/proof"
)

// streamIdle measures what twenty pipelines cost that have nothing to do, beside the same house without any.
func (b *bench) streamIdle(ctx context.Context) error {
	const many, events = 20, 20_000
	length, err := time.ParseDuration(setting("TARN_BENCH_IDLE", "60s"))
	if err != nil {
		return err
	}
	sources, err := nexmark.Sources()
	if err != nil {
		return err
	}
	statements := []string{sources}
	for i := range many {
		statements = append(statements, fmt.Sprintf(`CREATE MATERIALIZED VIEW gold.idle%02d AS SELECT auction, count(*) AS num, max(price) AS price, window_start AS dt
FROM TUMBLE(bid, "dateTime", INTERVAL '10 SECONDS') GROUP BY auction, window_start EMIT ON WINDOW CLOSE;`, i))
	}
	h, err := b.streamHouse(ctx, "stream-idle", events)
	if err != nil {
		return err
	}
	var shares, rss [2]float64
	for i, with := range [][]string{{sources}, statements} {
		if err := project(h, with...); err != nil {
			return err
		}
		p, err := h.Up(ctx)
		if err != nil {
			return err
		}
		shares[i], rss[i], err = idleCost(ctx, p, len(with)-1, length)
		p.Kill()
		if err != nil {
			return fmt.Errorf("%d pipelines: %w\n%s", len(with)-1, err, h.Tail())
		}
	}
	b.print("idle0_cpu_share", "%.4f", shares[0])
	b.print("idle20_cpu_share", "%.4f", shares[1])
	b.print("idle20_added_cpu_share", "%.4f", shares[1]-shares[0])
	b.print("idle0_rss_mb", "%.0f", rss[0])
	b.print("idle20_rss_mb", "%.0f", rss[1])
	b.print("idle_pipeline_rss_mb", "%.1f", (rss[1]-rss[0])/many)
	return nil
}

// idleCost waits until so many pipelines have read everything and have been quiet for a while, and returns
// the share of a core and the memory that the program takes from then on.
func idleCost(ctx context.Context, p *proof.Process, pipelines int, length time.Duration) (share, mb float64, err error) {
	if pipelines > 0 {
		if err := caughtUp(ctx, p, pipelines); err != nil {
			return 0, 0, err
		}
	}
	if err := rest(ctx, p, 30*time.Second); err != nil { // last windows are flushed
		return 0, 0, err
	}
	before, _ := p.Cost()
	if err := rest(ctx, p, length); err != nil {
		return 0, 0, err
	}
	after, rss := p.Cost()
	return (after - before).Seconds() / length.Seconds(), float64(rss) / 1e6, nil
}

// caughtUp waits until there are so many pipelines, all of which have read something, and all there is.
func caughtUp(ctx context.Context, p *proof.Process, many int) error {
	ctx, cancel := context.WithTimeout(ctx, streamWithin)
	defer cancel()
	return proof.Until(ctx, func() (bool, error) {
		lines, err := pipelines(ctx, p)
		if err != nil {
			return false, err
		}
		if len(lines) != many {
			refused, err := p.SQL(ctx, "SELECT name, error FROM system.parts WHERE name LIKE 'project:%' AND state = 'degraded'")
			if err == nil && len(refused.Rows) > 0 {
				return true, fmt.Errorf("a statement is refused: %v", refused.Rows)
			}
			return false, fmt.Errorf("%d pipelines of %d: %w", len(lines), many, err)
		}
		for _, l := range lines {
			if l["rows"] == "0" {
				return false, fmt.Errorf("pipeline %v", l)
			}
		}
		lag, err := lagOf(ctx, p)
		return err == nil && lag == 0, err
	})
}

// rest lets the program alone for a while, which is what is measured.
func rest(ctx context.Context, p *proof.Process, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.Done():
		return fmt.Errorf("tarn has ended\n%s", p.House.Tail())
	case <-time.After(length):
		return nil
	}
}

// streamRestart kills the program when a pipeline holds a million keys, adds a few events to the log, and
// times its way back to where these are in the pipeline.
func (b *bench) streamRestart(ctx context.Context) error {
	const times, more = 5, 500
	keys, err := number("TARN_BENCH_KEYS", 1_000_000)
	if err != nil {
		return err
	}
	events := keys*50/46 + 50 // of 50 events 46 are bids
	h, err := b.streamHouse(ctx, "stream-restart", events)
	if err != nil {
		return err
	}
	var took [2][]float64
	for i, with := range [][]string{nil, keyed} {
		if err := project(h, with...); err != nil {
			return err
		}
		for n := range times + i { // the first with the pipeline makes its state
			ms, err := b.restart(ctx, h, i)
			if err != nil {
				return fmt.Errorf("%w\n%s", err, h.Tail())
			}
			if n >= i {
				took[i] = append(took[i], ms)
			}
			events += more
			if err := fillLog(ctx, h, events); err != nil {
				return err
			}
		}
	}
	b.print("restart_keys", "%d", keys)
	b.print("restart_without_ms", "%.0f", quantile(took[0], 0.5))
	b.print("restart_ms", "%.0f", quantile(took[1], 0.5))
	b.print("restart_added_ms", "%.0f", quantile(took[1], 0.5)-quantile(took[0], 0.5))
	return nil
}

// restart is one run, from the start of the program until so many pipelines have read what is in the log.
func (b *bench) restart(ctx context.Context, h *proof.House, pipelines int) (ms float64, err error) {
	began := time.Now()
	p, err := h.Up(ctx)
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	if pipelines > 0 {
		err = caughtUp(ctx, p, pipelines)
	}
	ms = millis(time.Since(began))
	if err == nil {
		err = rest(ctx, p, 5*time.Second) // what it took is in its state, and its table is committed
	}
	return ms, err
}

// keyed counts by a column that has as many values as there are bids, which a pipeline has to keep for ever.
var keyed = []string{
	`CREATE SOURCE IF NOT EXISTS keyed (extra VARCHAR, bidder BIGINT, price BIGINT) WITH (connector = 'kafka', topic = 'bid', format = 'json');`,
	`CREATE MATERIALIZED VIEW IF NOT EXISTS gold.keyed AS SELECT extra, count(*) AS num, max(price) AS price FROM keyed GROUP BY extra;`,
}

// streamVisible times an outside program's committed change until a SELECT shows what a pipeline made of it,
// at moments that have nothing to do with Tarn's own pace.
func (b *bench) streamVisible(ctx context.Context) error {
	changes, err := number("TARN_BENCH_CHANGES", 150)
	if err != nil {
		return err
	}
	h, err := b.streamHouse(ctx, "stream-visible", 0)
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(h.Data), "source.db")
	db, err := proof.OpenSource(path, "WAL")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "CREATE TABLE seen (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO seen VALUES (0, 'first')"); err != nil {
		return err
	}
	config := proof.Connector(path)
	delete(config, "poll.interval.ms") // the default is what is measured
	if err := proof.WriteConnector(h.Project, "source", config); err != nil {
		return err
	}
	if err := project(h, "CREATE MATERIALIZED VIEW gold.seen AS SELECT id, upper(v) AS v FROM silver.seen;"); err != nil {
		return err
	}
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	var took []float64
	for i := range changes + 1 {
		if i > 0 { // the first is the snapshot's
			time.Sleep(time.Duration(rand.Int64N(int64(paceMax)))) // an application's own pace
			if _, err := db.ExecContext(ctx, "INSERT INTO seen VALUES (?, 'x')", i); err != nil {
				return err
			}
		}
		committed := time.Now()
		if err := shows(ctx, p, "gold.seen", i); err != nil {
			return fmt.Errorf("%w\n%s", err, h.Tail())
		}
		if i > 0 {
			took = append(took, millis(time.Since(committed)))
		}
	}
	b.print("event_gold_visible_p50_ms", "%.0f", quantile(took, 0.5))
	b.print("event_gold_visible_p99_ms", "%.0f", quantile(took, 0.99))
	return nil
}
