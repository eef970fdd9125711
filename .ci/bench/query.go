//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	proof "tarn/.ci/proof"
	"tarn/embedded/disk"
	"tarn/embedded/duck"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// The table that is queried: an append table as landing makes them, in commits of a million.
var (
	gates       = table.Ident{Namespace: "bronze", Name: "gates"}
	gateColumns = []table.Column{
		{Name: "id", Type: record.Long},
		{Name: "gate", Type: record.String},
		{Name: "container", Type: record.String},
		{Name: "weight", Type: record.Double},
		{Name: "passed_at", Type: record.Timestamp},
	}
)

// queries are a scan, a filter and a grouping, over a relation named by %s.
var queries = []string{
	"SELECT count(*), sum(weight), max(passed_at) FROM %s",
	"SELECT gate, count(*) AS n, avg(weight) AS w FROM %s GROUP BY gate ORDER BY gate",
	"SELECT count(*), min(container) FROM %s WHERE id %% 7 = 3 AND weight > 500",
}

// queryTimes: the fastest of so many counts, for whatever else the machine does only adds.
const queryTimes = 15

// query times each query through /api/sql and on the table's Parquet files alone, in turns.
func (b *bench) query(ctx context.Context) error {
	rows, err := number("TARN_BENCH_ROWS", 5_000_000)
	if err != nil {
		return err
	}
	h, err := b.house("query")
	if err != nil {
		return err
	}
	files, err := fill(ctx, filepath.Join(h.Data, "lake"), rows)
	if err != nil {
		return fmt.Errorf("fill the lake: %w", err)
	}
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	alone, err := openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = alone.Close() }()
	var worst float64
	for i, q := range queries {
		ratio, err := b.compare(ctx, p, alone, fmt.Sprint("select", i+1), q, files)
		if err != nil {
			return err
		}
		worst = max(worst, ratio)
	}
	b.print("select_ratio", "%.2f", worst)
	return nil
}

// openAlone is a DuckDB as Tarn would have it, without Tarn.
func openAlone(ctx context.Context) (*duck.Conn, error) {
	in, err := duck.Open(ctx, duck.Options{})
	if err != nil {
		return nil, err
	}
	return in.Conn(ctx)
}

func (b *bench) compare(ctx context.Context, p *proof.Process, alone *duck.Conn, key, query string, files []string) (float64, error) {
	return b.compareOver(ctx, p, alone, key, query, gates, files)
}

func (b *bench) compareOver(ctx context.Context, p *proof.Process, alone *duck.Conn, key, query string, of table.Ident, files []string) (float64, error) {
	quoted := make([]string, len(files))
	for i, f := range files {
		quoted[i] = duck.Quote(f)
	}
	direct := fmt.Sprintf(query, "read_parquet(["+strings.Join(quoted, ", ")+"])")
	through := fmt.Sprintf(query, of)
	var ours, theirs []float64
	cpuBefore, _ := p.Cost()
	aloneBefore := ownCPU()
	for range queryTimes {
		began := time.Now()
		if _, err := p.SQL(ctx, through); err != nil {
			return 0, err
		}
		ours = append(ours, millis(time.Since(began)))
		began = time.Now()
		if err := drain(ctx, alone, direct); err != nil {
			return 0, err
		}
		theirs = append(theirs, millis(time.Since(began)))
	}
	cpuAfter, _ := p.Cost()
	b.print(key+"_ms", "%.1f", slices.Min(ours))
	b.print(key+"_duckdb_ms", "%.1f", slices.Min(theirs))
	b.print(key+"_cpu_s", "%.2f", (cpuAfter-cpuBefore).Seconds()/queryTimes)
	b.print(key+"_duckdb_cpu_s", "%.2f", (ownCPU()-aloneBefore).Seconds()/queryTimes)
	return slices.Min(ours) / slices.Min(theirs), nil
}

func drain(ctx context.Context, c *duck.Conn, query string) error {
	r, err := c.Arrow(ctx, query)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
	}
	return r.Err()
}

// fill writes the table with the lake's own committer and returns its files.
func fill(ctx context.Context, dir string, rows int) (files []string, err error) {
	if err := disk.Local.MkdirAll(dir); err != nil {
		return nil, err
	}
	l, err := lake.Open(ctx, lake.Options{
		Dir: dir, Disk: disk.Local, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler), MemoryBytes: 1 << 30, Threads: 2,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	t, err := l.Tables().Ensure(ctx, table.Spec{Ident: gates, Columns: gateColumns})
	if err != nil {
		return nil, err
	}
	const commit = 1_000_000
	for from := 0; from < rows; from += commit {
		batch := passages(from, min(commit, rows-from))
		if _, err := t.Commit(ctx, table.Change{Rows: []arrow.RecordBatch{batch}}); err != nil {
			return nil, err
		}
		batch.Release()
	}
	scan, err := l.Catalog().Scan(ctx, gates, catalog.At{})
	if err != nil {
		return nil, err
	}
	defer scan.Release()
	for _, f := range scan.Files {
		files = append(files, f.Path)
	}
	return files, nil
}

// passages are n lorries through the gates of a port.
func passages(from, n int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(gateColumns))
	defer b.Release()
	for i := from; i < from+n; i++ {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("gate ", i*7919%12))
		b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("TARN%07d", i*104729%9_999_991))
		b.Field(3).(*array.Float64Builder).Append(float64(i*31%30_000) / 10)
		b.Field(4).(*array.TimestampBuilder).Append(arrow.Timestamp(1_800_000_000_000_000 + int64(i)*1_000_000))
	}
	return b.NewRecordBatch()
}
