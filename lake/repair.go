//go:build duckdb_arrow

package lake

import (
	"context"
	"fmt"
	"log/slog"

	"tarn/embedded/repair"
	"tarn/lake/iceberg"
)

// RepairOptions are what a repair asks of the rooms before it in the way.
type RepairOptions struct {
	// LogStart tells the first offset that the log holds of a partition, and what it has lost
	// behind that, each from an offset to before another; false where nobody knows.
	LogStart func(topic string, partition int32) (start int64, lost [][2]int64, known bool)
	// Lands tells whether a topic lands in the mirror of a name; nil where nobody knows.
	Lands func(topic, mirror string) bool
	// Schemas are the ids of those that meta.db holds; nil where nobody knows.
	Schemas map[int64]bool
	// Resnapshot asks for a new snapshot of a source's table, "source id/schema.table".
	Resnapshot func(ctx context.Context, source, reason string) error
}

// Repair is the lake's part of `tarn repair`, on a folder where no Tarn runs.
func Repair(o Options, r RepairOptions) repair.Part {
	return func(ctx context.Context, order repair.Order) ([]repair.Finding, error) {
		if o.Log == nil {
			o.Log = slog.New(slog.DiscardHandler)
		}
		found, err := iceberg.Repair(ctx, iceberg.RepairOptions{
			Options: iceberg.Options{
				Dir: o.Dir, Disk: o.Disk, Clock: o.Clock, Log: o.Log, MemoryBytes: o.MemoryBytes, Threads: o.Threads, TempDir: o.TempDir,
			},
			Order: order, LogStart: r.LogStart, Lands: r.Lands, Schemas: r.Schemas, Resnapshot: r.Resnapshot,
		})
		if err != nil {
			return found, fmt.Errorf("repair the lake: %w", err)
		}
		return found, nil
	}
}
