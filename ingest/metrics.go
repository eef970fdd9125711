package ingest

import (
	"github.com/prometheus/client_golang/prometheus"

	"tarn/ingest/source"
)

// collector reads how the tables of sources stand when it is asked.
type collector struct{ statuses func() []source.Status }

var (
	descTables   = prometheus.NewDesc("tarn_ingest_tables", "Tables of a source in a state.", []string{"source", "state"}, nil)
	descDone     = prometheus.NewDesc("tarn_ingest_snapshot_ratio", "The part of a table's snapshot that is read, while it is.", []string{"source", "table"}, nil)
	descRetained = prometheus.NewDesc("tarn_ingest_retained_bytes", "Bytes that a source keeps until Tarn has read them.", []string{"source"}, nil)
)

// Describe tells nothing ahead: the collector is unchecked, for sources come and go.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the numbers of every source.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, s := range c.statuses() {
		states := map[string]int{}
		for _, t := range s.Tables {
			if states[t.State]++; t.State == source.Snapshotting && t.Done >= 0 {
				send(descDone, t.Done, s.Name, t.Table)
			}
		}
		for state, n := range states {
			send(descTables, float64(n), s.Name, state)
		}
		if s.Lag.Bytes > 0 {
			send(descRetained, float64(s.Lag.Bytes), s.Name)
		}
	}
}
