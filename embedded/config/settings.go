package config

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one key: how it is documented, read and shown. takes says what values there are.
type setting struct {
	key, doc, takes string
	set             func(c *Config, v string) error
	get             func(c *Config) string
}

// The bounds of settings.
const (
	memoryBytesMin     = 384 << 20
	resultRowsMaxLimit = 100_000_000
)

var settings = []setting{
	text("data", "data folder", "a folder", func(c *Config) *string { return &c.Data }),
	text("project", "project folder; by default `.` when it holds tarn.yaml, and DATA/sample/project with `--sample`", "a folder", func(c *Config) *string { return &c.Project }),
	choice("listen", "`auto` takes free ports for the doors whose address is not set", func(c *Config) *string { return &c.Listen }, "", "auto"),
	bytesSize("memory", "memory that all parts share; by default half of the machine or cgroup", memoryBytesMin, func(c *Config) *int64 { return &c.Memory }),
	bytesSize("disk.reserve", "free disk below which doors, sources and the bus stop", 0, func(c *Config) *int64 { return &c.DiskReserve }),
	choice("bus.fsync", "`always` acknowledges after fsync; `interval` after write, synced each bus.sync_interval", func(c *Config) *string { return &c.BusFsync }, "always", "interval"),
	duration("bus.sync_interval", "how often `bus.fsync: interval` syncs", 100*time.Millisecond, time.Minute, func(c *Config) *time.Duration { return &c.BusSyncInterval }),
	duration("landing.commit_interval", "how often landing commits a table that has new rows", 50*time.Millisecond, time.Hour, func(c *Config) *time.Duration { return &c.LandingInterval }),
	duration("sql.timeout", "longest time of one statement", time.Millisecond, 24*time.Hour, func(c *Config) *time.Duration { return &c.SQLTimeout }),
	{
		"sql.result_rows_max", "most rows that one answer may have", fmt.Sprintf("a number from 1 to %d", resultRowsMaxLimit),
		func(c *Config, v string) error {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil || n < 1 || n > resultRowsMaxLimit {
				return fmt.Errorf("want a number from 1 to %d", resultRowsMaxLimit)
			}
			c.SQLResultRowsMax = n
			return nil
		},
		func(c *Config) string { return strconv.FormatInt(c.SQLResultRowsMax, 10) },
	},
	address("http.listen", "address of the page, /api, /metrics; loopback only until there is a login", func(c *Config) *string { return &c.HTTPListen }),
	address("kafka.listen", "address of Kafka's protocol; loopback only until there is a login", func(c *Config) *string { return &c.KafkaListen }),
	address("connect.listen", "address of Kafka Connect's REST API; loopback only until there is a login", func(c *Config) *string { return &c.ConnectListen }),
	address("postgres.listen", "address of PostgreSQL's protocol; loopback only without the three below", func(c *Config) *string { return &c.PostgresListen }),
	text("postgres.tls.cert", "certificate of PostgreSQL's protocol, with those that signed it, as PEM; read anew for each connection", "a file", func(c *Config) *string { return &c.PostgresCert }),
	text("postgres.tls.key", "the key of that certificate, as PEM", "a file", func(c *Config) *string { return &c.PostgresKey }),
	text("postgres.users", "who may log in by PostgreSQL's protocol: lines of [`tarn password`](commands/password.md); without it any user is let in", "a file", func(c *Config) *string { return &c.PostgresUsers }),
	address("trino.listen", "address of Trino's protocol; loopback only until there is a login", func(c *Config) *string { return &c.TrinoListen }),
	address("flight.listen", "address of Arrow Flight SQL; loopback only until there is a login", func(c *Config) *string { return &c.FlightListen }),
	{
		"http.hosts", "further names, by comma, by which the page, Kafka Connect's REST API and Trino's may be called", "names",
		func(c *Config, v string) error {
			c.HTTPHosts = nil
			for h := range strings.SplitSeq(v, ",") {
				if h = strings.TrimSpace(h); h != "" {
					c.HTTPHosts = append(c.HTTPHosts, h)
				}
			}
			return nil
		},
		func(c *Config) string { return strings.Join(c.HTTPHosts, ",") },
	},
	{
		"log.level", "how much is logged", "`debug`, `info`, `warn` or `error`",
		func(c *Config, v string) error {
			if err := c.LogLevel.UnmarshalText([]byte(v)); err != nil {
				return fmt.Errorf("want debug, info, warn or error")
			}
			return nil
		},
		func(c *Config) string { return strings.ToLower(slog.Level.String(c.LogLevel)) },
	},
}

func text(key, doc, takes string, at func(*Config) *string) setting {
	return setting{
		key, doc, takes,
		func(c *Config, v string) error { *at(c) = v; return nil },
		func(c *Config) string { return *at(c) },
	}
}

func address(key, doc string, at func(*Config) *string) setting {
	return setting{key, doc, "`host:port`", func(c *Config, v string) error {
		if _, port, err := net.SplitHostPort(v); err != nil || port == "" {
			return fmt.Errorf("want host:port, such as %s", *at(c))
		}
		*at(c) = v
		return nil
	}, func(c *Config) string { return *at(c) }}
}

func choice(key, doc string, at func(*Config) *string, values ...string) setting {
	said := strings.TrimPrefix(strings.Join(values, " or "), " or ") // an empty one goes without saying
	return setting{key, doc, "`" + strings.ReplaceAll(said, " or ", "` or `") + "`", func(c *Config, v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("want %s", said)
		}
		*at(c) = v
		return nil
	}, func(c *Config) string { return *at(c) }}
}

func duration(key, doc string, least, most time.Duration, at func(*Config) *time.Duration) setting {
	takes := fmt.Sprintf("a time from %s to %s", short(least), short(most))
	return setting{key, doc, takes, func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < least || d > most {
			return fmt.Errorf("want a time with its unit, such as 2s, from %s to %s", least, most)
		}
		*at(c) = d
		return nil
	}, func(c *Config) string { return short(*at(c)) }}
}

func bytesSize(key, doc string, least int64, at func(*Config) *int64) setting {
	takes := "a size"
	if least > 0 {
		takes += " of at least " + FormatBytes(least)
	}
	return setting{key, doc, takes, func(c *Config, v string) error {
		n, err := ParseBytes(v)
		if err != nil {
			return err
		}
		if n < least {
			return fmt.Errorf("want at least %s", FormatBytes(least))
		}
		*at(c) = n
		return nil
	}, func(c *Config) string { return FormatBytes(*at(c)) }}
}

// short is a time as people write it: 5m, where Go writes 5m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

var units = []struct {
	name  string
	bytes int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

// ParseBytes reads a size with its unit: "512MB", "1.5GB". Units are powers of 1024.
func ParseBytes(s string) (int64, error) {
	upper := strings.ToUpper(strings.TrimSpace(s))
	for _, u := range units {
		number, ok := strings.CutSuffix(upper, u.name)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || f < 0 || f*float64(u.bytes) >= 1<<62 {
			break
		}
		return int64(f * float64(u.bytes)), nil
	}
	return 0, fmt.Errorf("want a size with its unit, such as 512MB or 1GB")
}

// FormatBytes writes a size so that ParseBytes reads it.
func FormatBytes(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
