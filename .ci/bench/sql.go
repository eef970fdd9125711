//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	proof "tarn/.ci/proof"
	"tarn/.ci/sql/tpch"
	"tarn/embedded/duck"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/sql/engine"
	"tarn/sql/postgres/catalog"
	"tarn/sql/trino"
)

// The load on the SQL doors.
const (
	tpchTimes     = 5 // the fastest of so many counts
	pointClients  = 32
	pointFor      = 5 * time.Second
	pointWarm     = 200
	pointTimes    = 2000
	gateTimes     = 300
	exportTimes   = 3
	idleClients   = 100
	exportColumns = "l_orderkey, l_partkey, l_quantity::DOUBLE AS quantity, l_shipdate, l_shipmode, l_comment"
)

// sqlParts measure the SQL doors over TPC-H's tables, of scale TARN_BENCH_SF, made by tpchgen-cli.
func (b *bench) sqlParts() map[string][]func(context.Context) error {
	part := func(do ...func(context.Context, *doors) error) []func(context.Context) error {
		return []func(context.Context) error{func(ctx context.Context) error { return b.sql(ctx, do...) }}
	}
	return map[string][]func(context.Context) error{
		"sql":      part(b.gateOverhead, b.tpch, b.points, b.export, b.exportFlight, b.idlers, b.trino),
		"sql-gate": part(b.gateOverhead), "sql-tpch": part(b.tpch), "sql-points": part(b.points), "sql-export": part(b.export, b.exportFlight), "sql-idle": part(b.idlers), "sql-trino": part(b.trino),
	}
}

// doors are a Tarn that holds TPC-H's tables, and what is there beside it.
type doors struct {
	house *proof.House
	p     *proof.Process // nil until it is started
	files tpch.Files
}

func (b *bench) sql(ctx context.Context, measures ...func(context.Context, *doors) error) error {
	h, err := b.house("sql")
	if err != nil {
		return err
	}
	sf := setting("TARN_BENCH_SF", "1")
	files, err := tpch.Fill(ctx, sf, filepath.Join(h.Data, "lake"), filepath.Join(b.dir, "tpch"))
	if err != nil {
		return fmt.Errorf("fill the lake: %w", err)
	}
	d := &doors{house: h, files: files}
	b.print("tpch_sf", "%s", sf)
	defer func() {
		if d.p != nil {
			d.p.Kill()
		}
	}()
	for _, measure := range measures {
		if err := measure(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// up starts the program once.
func (d *doors) up(ctx context.Context) (err error) {
	if d.p == nil {
		d.p, err = d.house.Up(ctx)
	}
	return err
}

// connect is a connection to the PostgreSQL door.
func (d *doors) connect(ctx context.Context) (*pgconn.PgConn, error) {
	if err := d.up(ctx); err != nil {
		return nil, err
	}
	ports, err := d.house.Ports()
	if err != nil {
		return nil, err
	}
	return pgconn.Connect(ctx, "postgres://bench@"+ports["postgres"]+"/lake?sslmode=disable")
}

// gateOverhead compares the Gate with a bare DuckDB in this process: a statement that it sees first, and one that it knows.
func (b *bench) gateOverhead(ctx context.Context, d *doors) (err error) {
	l, err := openLake(ctx, filepath.Join(d.house.Data, "lake"), false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	gate, err := engine.New(ctx, engine.Options{
		Catalog: l.Catalog(), Guard: guard.Open{}, Folders: []string{filepath.Join(d.house.Data, "lake", "warehouse")}, MemoryBytes: 1 << 30,
		Threads: runtime.GOMAXPROCS(0), Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gate.Close()) }()
	conn, err := openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var first, known, alone []float64
	timed := func(into *[]float64, do func() error) error {
		began := time.Now()
		err := do()
		*into = append(*into, float64(time.Since(began).Nanoseconds())/1e6)
		return err
	}
	through := func(in *engine.Dialect, text string) func() error {
		return func() error {
			r, err := gate.Run(ctx, engine.Request{Text: text, Principal: guard.Principal{User: "bench"}, Dialect: in})
			if err != nil {
				return err
			}
			defer r.Close()
			for r.Reader.Next() {
			}
			return r.Reader.Err()
		}
	}
	const same = "SELECT r_name FROM %s WHERE r_regionkey = 3"
	for i := range gateTimes {
		err := errors.Join(
			timed(&first, through(nil, fmt.Sprintf("SELECT r_name AS n%d FROM silver.region WHERE r_regionkey = 3", i))),
			timed(&known, through(nil, fmt.Sprintf(same, "silver.region"))),
			timed(&alone, func() error { return drain(ctx, conn, fmt.Sprintf(same, d.files.Of("region"))) }),
		)
		if err != nil {
			return err
		}
	}
	base := quantile(alone, 0.5)
	b.print("gate_bare_ms", "%.2f", base)
	b.print("gate_first_overhead_ms", "%.2f", quantile(first, 0.5)-base)
	b.print("gate_cached_overhead_ms", "%.2f", quantile(known, 0.5)-base)
	const typed = "SELECT r_regionkey / 2 AS n%d, r_regionkey %% 2 AS a, r_regionkey + 1.5 AS b, r_regionkey - 1 AS c, 10 / r_regionkey AS d FROM silver.region WHERE r_regionkey = 3"
	dialects := map[string]*engine.Dialect{"duckdb": nil, "postgres": catalog.New(catalog.Options{Database: "lake", Version: "15.0"}), "trino": {Words: trino.Words()}}
	for _, name := range []string{"duckdb", "postgres", "trino"} {
		in := dialects[name]
		var first, known []float64
		for i := range gateTimes {
			err := errors.Join(timed(&first, through(in, fmt.Sprintf(typed, i))), timed(&known, through(in, fmt.Sprintf(typed, 0))))
			if err != nil {
				return err
			}
		}
		b.print("gate_typed_"+name+"_first_overhead_ms", "%.2f", quantile(first, 0.5)-base)
		b.print("gate_typed_"+name+"_cached_overhead_ms", "%.2f", quantile(known, 0.5)-base)
	}
	return nil
}

// tpch times each query through the PostgreSQL door and on the same files by DuckDB alone, in turns, and compares the answers.
func (b *bench) tpch(ctx context.Context, d *doors) error {
	pg, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pg.Close(ctx) }()
	conn, err := openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := d.files.Views(ctx, conn); err != nil {
		return err
	}
	var worst, logs float64
	var ourCPU, theirCPU time.Duration
	var name string
	all := tpch.Queries()
	for _, q := range all {
		var ours, theirs []float64
		for range tpchTimes {
			before, _ := d.p.Cost()
			began := time.Now()
			got, err := pgRows(ctx, pg, q.Text)
			ours = append(ours, millis(time.Since(began)))
			after, _ := d.p.Cost()
			ourCPU += after - before
			if err != nil {
				return fmt.Errorf("%s: %w", q.Name, err)
			}
			before = ownCPU()
			began = time.Now()
			want, err := duckRows(ctx, conn, q.Text)
			theirs = append(theirs, millis(time.Since(began)))
			theirCPU += ownCPU() - before
			if err != nil {
				return fmt.Errorf("%s: %w", q.Name, err)
			}
			if at := unlike(got, want, 0); at != "" {
				return fmt.Errorf("%s is answered in another way: %s", q.Name, at)
			}
		}
		ratio := slices.Min(ours) / slices.Min(theirs)
		b.print("tpch_"+q.Name+"_ms", "%.1f", slices.Min(ours))
		b.print("tpch_"+q.Name+"_ratio", "%.2f", ratio)
		logs += math.Log(ratio)
		if ratio > worst {
			worst, name = ratio, q.Name
		}
	}
	b.print("tpch_queries", "%d", len(all))
	b.print("tpch_ratio_geomean", "%.2f", math.Exp(logs/float64(len(all))))
	b.print("tpch_cpu_ratio", "%.2f", ourCPU.Seconds()/theirCPU.Seconds())
	b.print("tpch_ratio_worst", "%.2f", worst)
	b.print("tpch_worst", "%s", name)
	return nil
}

func pgRows(ctx context.Context, pg *pgconn.PgConn, query string) (rows [][]string, _ error) {
	r := pg.ExecParams(ctx, query, nil, nil, nil, nil)
	for r.NextRow() {
		var row []string
		for _, v := range r.Values() {
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
	_, err := r.Close()
	return rows, err
}

func duckRows(ctx context.Context, conn *duck.Conn, query string) (rows [][]string, _ error) {
	r, err := conn.Arrow(ctx, query)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	for r.Next() {
		batch := r.RecordBatch()
		for i := range int(batch.NumRows()) {
			var row []string
			for _, c := range batch.Columns() {
				row = append(row, strings.Clone(c.ValueStr(i)))
			}
			rows = append(rows, row)
		}
	}
	return rows, r.Err()
}

// unlike tells where two answers differ by more than rounding, and by more than within.
func unlike(got, want [][]string, within float64) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d rows, not %d", len(got), len(want))
	}
	for i, row := range got {
		for n, cell := range row {
			if cell == want[i][n] {
				continue
			}
			x, err := strconv.ParseFloat(cell, 64)
			y, err2 := strconv.ParseFloat(want[i][n], 64)
			if err != nil || err2 != nil || math.Abs(x-y) > within+1e-9*math.Max(math.Abs(x), 1) {
				return fmt.Sprintf("row %d, column %d is %q, not %q", i+1, n+1, cell, want[i][n])
			}
		}
	}
	return ""
}
