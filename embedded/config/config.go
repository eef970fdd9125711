// Package config is Tarn's settings: one value of defaults, overridden by
// tarn.yaml, then TARN_* variables, then flags. An unknown key is an error that names
// the nearest one. It opens nothing and starts nothing.
package config

import (
	"log/slog"
	"strings"
	"time"
)

// Config is every setting in force. Bytes are bytes, times are durations; in files and
// variables both carry their unit ("1GB", "2s").
type Config struct {
	Data    string // the data folder
	Project string // the project folder
	Listen  string // "" or "auto"
	Memory  int64  // bytes that all parts share

	DiskReserve      int64
	BusFsync         string // "always" or "interval"
	BusSyncInterval  time.Duration
	LandingInterval  time.Duration
	SQLTimeout       time.Duration
	SQLResultRowsMax int64
	HTTPListen       string
	KafkaListen      string
	ConnectListen    string
	HTTPHosts        []string // names by which the doors of HTTP may be called, beside loopback's
	PostgresListen   string
	PostgresCert     string // files; "" for none
	PostgresKey      string
	PostgresUsers    string
	TrinoListen      string
	FlightListen     string
	LogLevel         slog.Level
	origins          map[string]string
}

// Default is a Tarn on a laptop. Memory is half of what the machine or its cgroup has.
func Default() Config {
	return Config{
		Data:             "./tarn-data",
		Memory:           machineBytes() / 2,
		DiskReserve:      1 << 30,
		BusFsync:         "always",
		BusSyncInterval:  time.Second,
		LandingInterval:  time.Second,
		SQLTimeout:       5 * time.Minute,
		SQLResultRowsMax: 1_000_000,
		HTTPListen:       "127.0.0.1:7700",
		KafkaListen:      "127.0.0.1:9092",
		ConnectListen:    "127.0.0.1:8083",
		PostgresListen:   "127.0.0.1:5433",
		TrinoListen:      "127.0.0.1:8080",
		FlightListen:     "127.0.0.1:8815",
		LogLevel:         slog.LevelInfo,
		origins:          map[string]string{},
	}
}

// Origin tells where a setting's value came from: "default", "tarn.yaml", a variable's
// or a flag's name.
func (c *Config) Origin(key string) string {
	if o, ok := c.origins[key]; ok {
		return o
	}
	return "default"
}

// IsSet tells whether the user gave a setting.
func (c *Config) IsSet(key string) bool { return c.Origin(key) != "default" }

// Line is one setting for `tarn config` and docs/config.md: Takes says what values it may have,
// Variable is its name in the environment.
type Line struct {
	Key      string `json:"key"`
	Value    string `json:"value"`
	Origin   string `json:"origin"`
	Doc      string `json:"doc"`
	Takes    string `json:"takes"`
	Variable string `json:"variable"`
}

// Lines lists every setting in the order of the documentation.
func (c *Config) Lines() []Line {
	out := make([]Line, len(settings))
	for i, s := range settings {
		out[i] = Line{s.key, s.get(c), c.Origin(s.key), s.doc, s.takes, "TARN_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))}
	}
	return out
}

// Shares is how one memory budget is given out, so that no part assumes that it has the
// machine. All are bytes.
type Shares struct {
	Go       int64 // the Go heap (GOMEMLIMIT), the bus's caches and landing's batches in it
	BusCache int64
	Landing  int64
	Lake     int64 // DuckDB for upserts and upkeep
	Query    int64 // DuckDB for the Gate
	// Pipelines is for the DuckDBs in which pipelines keep their state, all together.
	Pipelines int64
}

// programBytes is what the program takes whatever Memory is: its code, of which nearly all is read in over
// time, and the libraries' own.
const programBytes = 120 << 20

// busCacheMax is enough for readers who keep up: the system keeps what others read.
const busCacheMax = 32 << 20

// Shares gives out Memory: a third to Go, which is little where many topics are written to (the log's
// server holds up to 8 MB for each), and the rest to DuckDB but for an eighth of it: allocators keep more
// than they hand out. Go is told a tenth less than its third, for it passes its limit where it allocates faster
// than it collects. TestMemory of `make proof` holds the process to it.
func (c *Config) Shares() Shares {
	ours := c.Memory / 3
	rest := c.Memory - programBytes - ours
	return Shares{Go: ours * 9 / 10, BusCache: min(c.Memory/40, busCacheMax), Landing: c.Memory / 20, Lake: rest * 6 / 16, Query: rest * 7 / 16, Pipelines: rest / 16}
}
