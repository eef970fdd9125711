//go:build duckdb_arrow

package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// points asks for one row by its key, prepared: one client, then many.
func (b *bench) points(ctx context.Context, d *doors) error {
	orders := int64(0)
	client := func() (ask func() error, end func(), err error) {
		pg, err := d.connect(ctx)
		if err != nil {
			return nil, nil, err
		}
		if _, err := pg.Prepare(ctx, "point", "SELECT o_custkey, o_totalprice, o_orderdate FROM silver.orders WHERE o_orderkey = $1", nil); err != nil {
			return nil, nil, err
		}
		var n atomic.Int64
		return func() error {
			key := (n.Add(1)*7919 + 1) % orders / 8 * 32 // keys are sparse: eight of each 32
			r := pg.ExecPrepared(ctx, "point", [][]byte{[]byte(strconv.FormatInt(key+1, 10))}, nil, []int16{1})
			for r.NextRow() {
			}
			_, err := r.Close()
			return err
		}, func() { _ = pg.Close(ctx) }, nil
	}
	pg, err := d.connect(ctx)
	if err != nil {
		return err
	}
	rows, err := pgRows(ctx, pg, "SELECT count(*) FROM silver.orders")
	_ = pg.Close(ctx)
	if err != nil {
		return err
	}
	if orders, err = strconv.ParseInt(rows[0][0], 10, 64); err != nil {
		return err
	}
	ask, end, err := client()
	if err != nil {
		return err
	}
	defer end()
	var took []float64
	for i := range pointWarm + pointTimes {
		began := time.Now()
		if err := ask(); err != nil {
			return err
		}
		if i >= pointWarm {
			took = append(took, millis(time.Since(began)))
		}
	}
	b.print("point_p50_ms", "%.2f", quantile(took, 0.5))
	b.print("point_p99_ms", "%.2f", quantile(took, 0.99))
	return b.crowd(d, client)
}

// crowd asks by many clients at once.
func (b *bench) crowd(d *doors, client func() (ask func() error, end func(), err error)) error {
	var all errgroup.Group
	var answered atomic.Int64
	cpu, _ := d.p.Cost()
	began := time.Now()
	for range pointClients {
		ask, end, err := client()
		if err != nil {
			return err
		}
		all.Go(func() error {
			defer end()
			for time.Since(began) < pointFor {
				if err := ask(); err != nil {
					return err
				}
				answered.Add(1)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	spent, _ := d.p.Cost()
	b.print("point_32_clients_per_s", "%.0f", float64(answered.Load())/time.Since(began).Seconds())
	b.print("point_cpu_ms", "%.2f", millis(spent-cpu)/float64(answered.Load()))
	return nil
}

// export reads up to a million rows of six columns in PostgreSQL's binary form.
func (b *bench) export(ctx context.Context, d *doors) error {
	pg, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pg.Close(ctx) }()
	best := 0.0
	for range exportTimes {
		began, n := time.Now(), 0
		r := pg.ExecParams(ctx, "SELECT "+exportColumns+" FROM silver.lineitem LIMIT 1000000", nil, nil, nil, []int16{1})
		for r.NextRow() {
			n++
		}
		if _, err := r.Close(); err != nil {
			return err
		}
		best = max(best, float64(n)/time.Since(began).Seconds())
	}
	b.print("export_binary_rows_s", "%.0f", best)
	return nil
}

// exportFlight reads the same rows by Flight SQL.
func (b *bench) exportFlight(ctx context.Context, d *doors) error {
	if err := d.up(ctx); err != nil {
		return err
	}
	ports, err := d.house.Ports()
	if err != nil {
		return err
	}
	c, err := flightsql.NewClient(ports["flight"], nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	best := 0.0
	for range exportTimes {
		began := time.Now()
		n, err := flightRows(ctx, c, "SELECT "+exportColumns+" FROM silver.lineitem LIMIT 1000000")
		if err != nil {
			return err
		}
		best = max(best, float64(n)/time.Since(began).Seconds())
	}
	b.print("export_flight_rows_s", "%.0f", best)
	return nil
}

func flightRows(ctx context.Context, c *flightsql.Client, query string) (n int64, err error) {
	info, err := c.Execute(ctx, query)
	if err != nil {
		return 0, err
	}
	r, err := c.DoGet(ctx, info.GetEndpoint()[0].GetTicket())
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for r.Next() {
		n += r.RecordBatch().NumRows()
	}
	return n, r.Err()
}

// idlers is what connections cost that have asked something and stay.
func (b *bench) idlers(ctx context.Context, d *doors) error {
	if err := d.up(ctx); err != nil {
		return err
	}
	_, before := d.p.Cost()
	for range idleClients {
		pg, err := d.connect(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = pg.Close(ctx) }()
		if _, err := pgRows(ctx, pg, "SELECT r_name FROM silver.region"); err != nil {
			return err
		}
	}
	_, after := d.p.Cost()
	b.print("idle_100_connections_mb", "%.1f", float64(after-before)/1e6)
	return nil
}
