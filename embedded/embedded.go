// Package embedded is the floor's front: it opens what every room stands on, in order, and
// hands it to main as one Floor. In comes a configuration; out go the data folder, the log
// of what happened, the doors, Tarn's memory and the bus. It knows no room.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/bus/txn"
	"tarn/embedded/config"
	"tarn/embedded/datadir"
	"tarn/embedded/disk"
	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/schemas"
	"tarn/embedded/telemetry"
)

// Floor is what every room stands on. Meta, Schemas, Bus, Groups and Transactions are set by their parts, before
// the parts after them start.
type Floor struct {
	Config  config.Config
	Version string
	Dir     *datadir.Dir
	Disk    *disk.FS
	Clock   life.Clock
	Guard   guard.Guard
	House   *life.House
	Front   *door.Front // where rooms mount their HTTP handlers
	*telemetry.Telemetry

	Meta         *meta.Store
	Schemas      *schemas.Store
	Bus          *bus.Bus
	Groups       *group.Coordinator
	Transactions *txn.Coordinator

	open   map[string]net.Listener
	pacing func() // ends it
}

// Open takes the data folder and opens every port, before any data moves. Close the floor
// after the house has stopped.
func Open(cfg config.Config, version string, stderr io.Writer) (*Floor, error) {
	f := &Floor{
		Config: cfg, Version: version, Disk: &disk.FS{}, Clock: life.SystemClock{}, Guard: guard.Open{},
		Telemetry: telemetry.New(stderr, cfg.LogLevel),
	}
	var err error
	if f.Dir, err = datadir.Open(cfg.Data, f.Disk); err != nil {
		return nil, err
	}
	f.Disk.Dir, f.Disk.Reserve = f.Dir.Path(), uint64(cfg.DiskReserve) //nolint:gosec // sizes are not negative
	if err := f.takePorts(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.pacing = pace(cfg.Shares().Go)
	f.House = life.NewHouse(f.Clock, f.Log)
	f.House.Blocked = f.Disk.Blocked
	f.Front = door.NewFront(f.House, version, f.Handler())
	return f, nil
}

func (f *Floor) takePorts() (err error) {
	if err := f.Disk.Remove(f.Dir.Path(door.PortsFile)); err != nil { // of a Tarn that was killed
		return err
	}
	if err := f.ToFile(f.Dir.Path("logs", "tarn.log")); err != nil {
		return err
	}
	f.open, err = door.Open([]door.Door{
		{Name: "http", Setting: "http.listen", Addr: f.Config.HTTPListen, Set: f.Config.IsSet("http.listen")},
		{Name: "kafka", Setting: "kafka.listen", Addr: f.Config.KafkaListen, Set: f.Config.IsSet("kafka.listen")},
		{Name: "connect", Setting: "connect.listen", Addr: f.Config.ConnectListen, Set: f.Config.IsSet("connect.listen")},
		{
			Name: "postgres", Setting: "postgres.listen", Addr: f.Config.PostgresListen, Set: f.Config.IsSet("postgres.listen"),
			Closed: f.Config.PostgresUsers != "" && f.Config.PostgresCert != "" && f.Config.PostgresKey != "", Close: "set postgres.users, postgres.tls.cert and postgres.tls.key, or listen on loopback",
		},
		{Name: "trino", Setting: "trino.listen", Addr: f.Config.TrinoListen, Set: f.Config.IsSet("trino.listen")},
		{Name: "flight", Setting: "flight.listen", Addr: f.Config.FlightListen, Set: f.Config.IsSet("flight.listen")},
	}, f.Config.Listen == "auto", f.Log)
	return err
}

// Close frees the data folder.
func (f *Floor) Close() error {
	if f.pacing != nil {
		f.pacing()
	}
	return errors.Join(f.Telemetry.Close(), f.Dir.Close())
}

// Listener is that of an open door, by name; the part of the door closes it.
func (f *Floor) Listener(name string) net.Listener { return f.open[name] }

// Ports are the addresses of the open doors, by name.
func (f *Floor) Ports() map[string]string { return door.Addrs(f.open) }

// HTTP is the part of the HTTP door. It is the first part, so that /ready and /health answer
// while the others start, and so the last to stop.
func (f *Floor) HTTP() life.Part {
	return life.Func("http", func(ctx context.Context, ready func()) error {
		ready()
		return door.Serve(ctx, f.open["http"], door.Checked(f.Config.HTTPHosts, f.Front), f.Log)
	})
}

// Room is the part that watches the disk of the data folder.
func (f *Floor) Room() life.Part {
	return life.Opened("disk", func(context.Context) (func(context.Context) error, error) {
		return func(context.Context) error { return nil }, nil
	}, func() []life.Status {
		if err := f.Disk.Trouble(); err != nil {
			return []life.Status{{Name: "disk", State: life.Degraded, Error: err.Error(), Hint: fault.HintOf(err)}}
		}
		return nil
	})
}

// Memory is the part of meta.db.
func (f *Floor) Memory() life.Part {
	return life.Opened("meta", func(ctx context.Context) (_ func(context.Context) error, err error) {
		if f.Meta, err = meta.Open(ctx, f.Dir.Path("meta.db")); err != nil {
			return nil, err
		}
		f.Schemas = schemas.New(f.Meta)
		return func(context.Context) error { return f.Meta.Close() }, nil
	}, nil)
}

// BusPart is the part of the log; recorded tells it how far the lake's tables have come.
func (f *Floor) BusPart(recorded bus.Recorded) life.Part {
	return life.Opened("bus", func(ctx context.Context) (_ func(context.Context) error, err error) {
		f.Bus, err = bus.Open(ctx, bus.Options{
			Dir: f.Dir.Path("bus"), Fsync: bus.Fsync(f.Config.BusFsync), SyncInterval: f.Config.BusSyncInterval,
			DiskReserve: uint64(f.Config.DiskReserve), CacheBytes: f.Config.Shares().BusCache, //nolint:gosec // sizes are not negative
			Meta: f.Meta, Disk: f.Disk, Clock: f.Clock, Log: f.Log.With("part", "bus"), Metrics: f.Metrics, Recorded: recorded, AwaitReaders: true,
		})
		if err != nil {
			return nil, err
		}
		return f.Bus.Close, nil
	}, func() []life.Status { return f.Bus.Report() })
}

// GroupsPart is the part of consumer groups.
func (f *Floor) GroupsPart() life.Part {
	return life.Opened("groups", func(ctx context.Context) (_ func(context.Context) error, err error) {
		f.Groups, err = group.Open(ctx, group.Options{
			Meta: f.Meta, Topic: group.Topics(f.Bus), TopicsChanged: f.Bus.Changed, Clock: f.Clock, Log: f.Log.With("part", "groups"), Metrics: f.Metrics,
		})
		if err != nil {
			return nil, err
		}
		return f.Groups.Close, nil
	}, nil)
}

// TransactionsPart is the part of producers' transactions.
func (f *Floor) TransactionsPart() life.Part {
	return life.Opened("transactions", func(ctx context.Context) (_ func(context.Context) error, err error) {
		f.Transactions, err = txn.Open(ctx, txn.Options{Bus: f.Bus, Groups: f.Groups, Meta: f.Meta, Clock: f.Clock, Log: f.Log.With("part", "transactions")})
		if err != nil {
			return nil, err
		}
		return f.Transactions.Close, nil
	}, nil)
}

// AckDelay is how long acknowledgments to sources wait behind the log's: rule 3.
func (f *Floor) AckDelay() time.Duration {
	if f.Config.BusFsync == string(bus.FsyncInterval) {
		return 2 * f.Config.BusSyncInterval
	}
	return 0
}

// Announce is the last part: when everything is ready it writes ports.json and shows the
// addresses on out; it takes the file away first at a stop.
func (f *Floor) Announce(out io.Writer) life.Part {
	return life.Func("doors", func(ctx context.Context, ready func()) error {
		ports := f.Ports()
		if err := door.WritePorts(f.Disk, f.Dir.Path(door.PortsFile), ports); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "\n  Tarn %s\n\n  page      http://%s\n", f.Version, ports["http"])
		for _, name := range slices.Sorted(maps.Keys(ports)) {
			if name != "http" { // which is the page's
				_, _ = fmt.Fprintf(out, "  %-9s %s\n", name, ports[name])
			}
		}
		_, _ = fmt.Fprintf(out, "  data      %s\n\n  try       tarn sql --data %s 'SHOW TABLES'\n  stop      Ctrl-C\n\n", f.Dir.Path(), f.Config.Data)
		ready()
		<-ctx.Done()
		return os.Remove(f.Dir.Path(door.PortsFile))
	})
}
