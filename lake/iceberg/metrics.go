//go:build duckdb_arrow

package iceberg

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/lake/table"
)

type metrics struct {
	commits, rows   *prometheus.CounterVec
	files, failures prometheus.Counter
	conflicts       prometheus.Counter
	swept           prometheus.Counter
	sweptBytes      prometheus.Counter
	commitSeconds   prometheus.Histogram
	lookupSeconds   prometheus.Histogram
	scans           prometheus.Counter
	leases, damaged prometheus.Gauge
	upkeepSeconds   prometheus.Histogram
}

// newMetrics registers the lake's numbers; with a nil registerer they are counted for nobody.
func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.002, 2, 12)})
	}
	m := &metrics{
		commits:       vec("tarn_lake_commits_total", "Commits that are on disk.", "operation"),
		rows:          vec("tarn_lake_rows_total", "Rows written and rows taken out by position deletes.", "change"),
		files:         counter("tarn_lake_files_total", "Parquet files that commits added."),
		failures:      counter("tarn_lake_commit_failures_total", "Commits of which nothing became visible."),
		conflicts:     counter("tarn_lake_commit_conflicts_total", "Commits worked out again after a foreign one."),
		swept:         counter("tarn_lake_orphans_removed_total", "Files that nothing named and that were removed."),
		sweptBytes:    counter("tarn_lake_orphan_bytes_removed_total", "Bytes of those files."),
		commitSeconds: seconds("tarn_lake_commit_seconds", "From a commit's turn to its catalog commit."),
		lookupSeconds: seconds("tarn_lake_lookup_seconds", "Time to find the rows of an upsert's keys."),
		scans:         counter("tarn_lake_scans_total", "Snapshots resolved for readers."),
		leases:        gauge("tarn_lake_leases", "Snapshots in use by readers."),
		upkeepSeconds: seconds("tarn_lake_upkeep_seconds", "Time to compact a table."),
		damaged:       gauge("tarn_lake_damaged_tables", "Tables whose metadata cannot be read."),
	}
	if reg != nil {
		reg.MustRegister(m.commits, m.rows, m.files, m.failures, m.conflicts, m.commitSeconds, m.lookupSeconds, m.scans, m.leases, m.damaged, m.upkeepSeconds, m.swept, m.sweptBytes)
	}
	return m
}

// committed counts a commit that took some time from its turn to the end.
func (m *metrics) committed(c *table.Committed, took time.Duration) {
	m.commits.WithLabelValues(c.Operation).Inc()
	m.commitSeconds.Observe(took.Seconds())
	m.rows.WithLabelValues("added").Add(float64(c.AddedRows))
	m.rows.WithLabelValues("deleted").Add(float64(c.DeletedRows))
	m.files.Add(float64(c.AddedFiles))
}
