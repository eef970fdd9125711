//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	nexmark "tarn/.ci/nexmark"
	proof "tarn/.ci/proof"
	"tarn/embedded/duck"
)

const (
	streamSeed = 42
	// streamWithin bounds one query's way through all events; it paces nothing.
	streamWithin = 15 * time.Minute
	// stillFor is how long nothing may move before the result is taken to be wrong: last windows wait for a flush.
	stillFor    = 2 * time.Minute
	streamLooks = 250 * time.Millisecond
)

// streamParts are the parts of stream, each of which can be run alone as stream-<name>.
func (b *bench) streamParts() map[string][]func(context.Context) error {
	parts := map[string][]func(context.Context) error{}
	add := func(name string, do func(context.Context) error) {
		parts["stream-"+name] = append(parts["stream-"+name], do)
		parts["stream"] = append(parts["stream"], do)
	}
	for _, name := range nexmark.Queries {
		add(name, func(ctx context.Context) error { return b.streamQuery(ctx, name) })
	}
	add("tick", b.streamTick)
	add("idle", b.streamIdle)
	add("restart", b.streamRestart)
	add("visible", b.streamVisible)
	return parts
}

// streamQuery runs a query over the same events through the log into a table, and through the peer into
// files. Both results must be the batch answer.
func (b *bench) streamQuery(ctx context.Context, name string) error {
	events, err := number("TARN_BENCH_EVENTS", 2_000_000)
	if err != nil {
		return err
	}
	q, err := nexmark.Open(name)
	if err != nil {
		return err
	}
	files := filepath.Join(b.dir, fmt.Sprintf("nexmark-%d", events))
	if _, err := os.Stat(files); errors.Is(err, os.ErrNotExist) {
		if err := nexmark.WriteFiles(files, events, streamSeed); err != nil {
			return err
		}
	}
	truth, err := openTruth(ctx, files)
	if err != nil {
		return err
	}
	defer func() { _ = truth.Close() }()
	want, err := truth.bag(ctx, q.Bag("("+q.Truth+")"))
	if err != nil {
		return err
	}
	bids, err := truth.bag(ctx, "SELECT count(*), 0::BIGINT FROM bid")
	if err != nil {
		return err
	}
	b.print("stream_"+name+"_rows", "%d", want.rows)
	var ours time.Duration
	peer := setting("TARN_BENCH_FLINK", "yes")
	if peer != "only" {
		if ours, err = b.onTarn(ctx, q, events, want); err != nil {
			return fmt.Errorf("%s on Tarn: %w", name, err)
		}
		b.print(name+"_events_per_cpu_s", "%.0f", float64(bids.rows)/ours.Seconds())
	}
	if peer == "no" {
		return nil
	}
	theirs, err := b.onFlink(ctx, q, files, truth, want)
	if err != nil {
		return fmt.Errorf("%s on Flink: %w", name, err)
	}
	if ours > 0 {
		b.print("stream_"+name+"_flink_ratio", "%.2f", theirs/ours.Seconds())
	}
	return nil
}

// bag tells one result from another.
type bag struct{ rows, sum int64 }

func (w bag) check(got bag) error {
	if got != w {
		return fmt.Errorf("the result is wrong: %d rows with sum %d, DuckDB over all at once has %d with %d", got.rows, got.sum, w.rows, w.sum)
	}
	return nil
}

// truth is a DuckDB that sees the events' files.
type truth struct{ *duck.Conn }

func openTruth(ctx context.Context, files string) (*truth, error) {
	c, err := openAlone(ctx)
	if err != nil {
		return nil, err
	}
	return &truth{c}, c.Exec(ctx, nexmark.OfFiles(files))
}

func (t *truth) bag(ctx context.Context, query string) (bag, error) {
	r, err := t.Arrow(ctx, query)
	if err != nil {
		return bag{}, err
	}
	defer r.Release()
	if !r.Next() {
		return bag{}, errors.Join(errors.New("no row"), r.Err())
	}
	rows, ok := r.RecordBatch().Column(0).(*array.Int64)
	sum, ok2 := r.RecordBatch().Column(1).(*array.Int64)
	if !ok || !ok2 {
		return bag{}, fmt.Errorf("%.200s: no whole numbers", query)
	}
	return bag{rows.Value(0), sum.Value(0)}, nil
}

// streamHouse is a house whose log has so many events, for a Tarn with as much memory as the peer's heap.
func (b *bench) streamHouse(ctx context.Context, name string, events int) (*proof.House, error) {
	h, err := b.house(name)
	if err != nil {
		return nil, err
	}
	h.Args = []string{"--listen", "auto", "--set", "memory=" + setting("TARN_BENCH_MEMORY", "2GB")}
	if events > 0 {
		err = fillLog(ctx, h, events)
	}
	return h, err
}

func fillLog(ctx context.Context, h *proof.House, events int) error {
	_, err := nexmark.Fill{Data: h.Data, Events: events, Seed: streamSeed, Log: slog.New(slog.DiscardHandler)}.Run(ctx)
	return err
}

// project writes statements as the project's files, in the order given.
func project(h *proof.House, statements ...string) error {
	dir := filepath.Join(h.Project, "sql")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, s := range statements {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.sql", i)), []byte(s), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// onTarn returns the CPU of the whole program from its start to the complete result, without what a start
// on that folder costs by itself.
func (b *bench) onTarn(ctx context.Context, q nexmark.Query, events int, want bag) (time.Duration, error) {
	sources, err := nexmark.Sources()
	if err != nil {
		return 0, err
	}
	h, err := b.streamHouse(ctx, "stream-"+q.Name, events)
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(filepath.Dir(h.Data)) }()
	idle, err := h.Up(ctx)
	if err != nil {
		return 0, err
	}
	start, _ := idle.Cost()
	if _, err := idle.Stop(10 * time.Second); err != nil {
		return 0, err
	}
	if err := project(h, sources, q.Tarn); err != nil {
		return 0, err
	}
	began := time.Now()
	p, err := h.Up(ctx)
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	if err := through(ctx, p, "gold."+q.Name, want.rows); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, h.Tail())
	}
	cpu, _ := p.Cost()
	wall := time.Since(began)
	if got, err := p.Numbers(ctx, q.Bag("gold."+q.Name)); err != nil {
		return 0, err
	} else if err := want.check(bag{got[0], got[1]}); err != nil {
		return 0, err
	}
	cpu -= start
	b.print("stream_"+q.Name+"_cpu_s", "%.2f", cpu.Seconds())
	b.print("stream_"+q.Name+"_wall_s", "%.1f", wall.Seconds())
	b.print("stream_"+q.Name+"_peak_mb", "%.0f", p.Status("VmHWM"))
	return cpu, nil
}

// through waits until no pipeline has lag and a table has so many rows.
func through(ctx context.Context, p *proof.Process, table string, rows int64) error {
	ctx, cancel := context.WithTimeout(ctx, streamWithin)
	defer cancel()
	look := time.NewTicker(streamLooks)
	defer look.Stop()
	var last string
	since := time.Now()
	for {
		have := int64(-1)
		lag, err := lagOf(ctx, p)
		if err == nil && lag == 0 {
			var n []int64
			if n, err = p.Numbers(ctx, "SELECT count(*) FROM "+table); err == nil {
				have = n[0]
			}
		}
		if have == rows {
			return nil
		}
		if now := fmt.Sprintf("lag %d, %d rows of %d in %s, %v", lag, have, rows, table, err); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > stillFor {
			return errors.New("nothing moves: " + last)
		}
		select {
		case <-ctx.Done():
			return errors.New("not through in time: " + last)
		case <-p.Done():
			return errors.New("tarn has ended")
		case <-look.C:
		}
	}
}

// lagOf is the lag of all pipelines. That there is none, or one that does not run, is an error: it may be early.
func lagOf(ctx context.Context, p *proof.Process) (int64, error) {
	lines, err := pipelines(ctx, p)
	if err != nil {
		return 0, err
	}
	if len(lines) == 0 {
		return 0, errors.New("there is no pipeline yet")
	}
	var lag int64
	for _, l := range lines {
		if l["state"] != "running" {
			return 0, fmt.Errorf("pipeline %v", l)
		}
		n, err := strconv.ParseInt(l["lag"], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("pipeline %v: %w", l, err)
		}
		lag += n
	}
	return lag, nil
}

// pipelines are the lines of SHOW PIPELINES, by the names of their columns.
func pipelines(ctx context.Context, p *proof.Process) (out []map[string]string, err error) {
	a, err := p.SQL(ctx, "SHOW PIPELINES")
	if err != nil {
		return nil, err
	}
	for _, row := range a.Rows {
		line := map[string]string{}
		for i, v := range row {
			line[a.Columns[i].Name] = fmt.Sprint(v)
		}
		out = append(out, line)
	}
	return out, nil
}

// onFlink returns the CPU seconds of the peer's second run in one process, when it is warm.
func (b *bench) onFlink(ctx context.Context, q nexmark.Query, files string, t *truth, want bag) (float64, error) {
	dir := filepath.Join(b.dir, "flink-"+q.Name)
	defer func() { _ = os.RemoveAll(dir) }()
	query := dir + ".sql"
	if err := os.WriteFile(query, []byte(q.Flink), 0o600); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, ".ci/flink/run", files, query, dir) //nolint:gosec // ours
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	got, err := t.bag(ctx, q.Bag(q.OfFlink(dir)))
	if err != nil {
		return 0, err
	}
	if err := want.check(got); err != nil {
		return 0, err
	}
	figures := map[string]float64{}
	for line := range strings.Lines(string(said)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if figures[key], err = strconv.ParseFloat(value, 64); err != nil {
			return 0, fmt.Errorf("flink/run said %q", line)
		}
	}
	for _, f := range [][2]string{{"cpu_s", "result_cpu_s"}, {"first_cpu_s", "warm_cpu_s"}, {"wall_s", "result_wall_s"}, {"peak_mb", "rss_mb"}} {
		b.print("flink_"+q.Name+"_"+f[0], "%.2f", figures[f[1]])
	}
	return figures["result_cpu_s"], nil
}
