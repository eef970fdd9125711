//go:build duckdb_arrow

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	proof "tarn/.ci/proof"
)

// paceMax is well above landing's interval, so that a change comes at any moment of it.
const paceMax = 1500 * time.Millisecond

// visible times an outside program's committed change until a SELECT shows it, one after
// the other, at moments that have nothing to do with Tarn's own pace.
func (b *bench) visible(ctx context.Context) error {
	changes, err := number("TARN_BENCH_CHANGES", 150)
	if err != nil {
		return err
	}
	h, err := b.house("visible")
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
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := shows(ctx, p, "silver.seen", 0); err != nil {
		return err
	}
	var took []float64
	began := time.Now()
	before, _ := p.Cost()
	for i := 1; i <= changes; i++ {
		time.Sleep(time.Duration(rand.Int64N(int64(paceMax)))) // an application's own pace
		if _, err := db.ExecContext(ctx, "INSERT INTO seen VALUES (?, 'x')", i); err != nil {
			return err
		}
		committed := time.Now()
		if err := shows(ctx, p, "silver.seen", i); err != nil {
			return err
		}
		took = append(took, millis(time.Since(committed)))
	}
	after, _ := p.Cost()
	b.print("change_visible_p50_ms", "%.0f", quantile(took, 0.5))
	b.print("change_visible_p99_ms", "%.0f", quantile(took, 0.99))
	b.print("change_visible_wall_s", "%.1f", time.Since(began).Seconds())
	b.print("change_visible_cpu_s", "%.1f", (after - before).Seconds())
	return nil
}

// shows asks until a row is in a table.
func shows(ctx context.Context, p *proof.Process, table string, id int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return proof.Until(ctx, func() (bool, error) {
		n, err := p.Numbers(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE id = %d", table, id))
		if err != nil {
			return false, err
		}
		return n[0] == 1, nil
	})
}
