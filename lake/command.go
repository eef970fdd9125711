//go:build duckdb_arrow

package lake

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"tarn/embedded/bus"
	"tarn/embedded/config"
	"tarn/embedded/datadir"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/schemas"
	"tarn/embedded/repair"
	"tarn/lake/table"
)

// RepairCommand is `tarn repair`, on a data folder where no Tarn runs.
type RepairCommand struct{ repair.Command }

// Resnapshot asks for a new snapshot of a source's table, "source id/schema.table", in the meta.db
// of a path: what the repair asks of the room that reads sources.
type Resnapshot func(ctx context.Context, metaPath, source, reason string) error

// Run repairs the data folder that flags name.
func (r *RepairCommand) Run(ctx context.Context, flags *config.Flags, out io.Writer, again Resnapshot) (err error) {
	cfg, err := flags.Read()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, "VERSION")); err != nil {
		return fault.Wrap(err, fault.NotFound, "repair "+cfg.Data, "name a data folder with --data")
	}
	dir, err := datadir.Open(cfg.Data, disk.Local)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	w := &wards{dir: dir, cfg: cfg, again: again}
	return r.Command.Run(ctx, out, w.memory, w.tables)
}

// wards are the parts of a data folder under repair, in the order in which they are looked at.
type wards struct {
	dir *datadir.Dir
	cfg config.Config

	again Resnapshot
	// What meta.db tells; nil where it cannot be read.
	starts  func(topic string, partition int32) (int64, [][2]int64, bool)
	lands   func(topic, mirror string) bool
	schemas map[int64]bool
}

// memory looks at meta.db, which nothing else holds, and reads from it where the log begins.
func (w *wards) memory(ctx context.Context, _ repair.Order) ([]repair.Finding, error) {
	m, closed, err := meta.Inspect(ctx, w.dir.Path("meta.db"))
	if err != nil {
		problem := err.Error()
		if cause := errors.Unwrap(err); cause != nil {
			problem = cause.Error()
		}
		return []repair.Finding{{
			Part: "meta", Of: "meta.db", Damage: []repair.Damage{{File: "meta.db", Problem: problem}},
			Hint: "put the data folder back from a backup: meta.db holds the sources' positions and schemas",
		}}, nil
	}
	w.starts, err = bus.LogStarts(ctx, m, w.dir.Path("bus"))
	topics, err2 := bus.Configs(ctx, m)
	w.lands = func(topic, mirror string) bool {
		c, ok := topics[topic]
		return ok && c.Land && c.Keyed && (c.Mirror == "" || table.NameOf(c.Mirror) == mirror)
	}
	var err3 error
	w.schemas, err3 = schemas.IDs(ctx, m)
	return nil, errors.Join(err, err2, err3, closed())
}

// tables looks at the lake.
func (w *wards) tables(ctx context.Context, o repair.Order) ([]repair.Finding, error) {
	return Repair(Options{
		Dir: w.dir.Path("lake"), Disk: disk.Local, Clock: life.SystemClock{}, MemoryBytes: w.cfg.Shares().Lake, Threads: 2, TempDir: w.dir.Path("state"),
	}, RepairOptions{LogStart: w.starts, Lands: w.lands, Schemas: w.schemas, Resnapshot: func(ctx context.Context, source, reason string) error {
		return w.again(ctx, w.dir.Path("meta.db"), source, reason)
	}})(ctx, o)
}
