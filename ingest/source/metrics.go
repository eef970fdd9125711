package source

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the numbers of all runners of a Tarn.
type Metrics struct {
	records, bytes, dropped, dead *prometheus.CounterVec // by source and topic
	retries, resnapshots          *prometheus.CounterVec // by source
	lag                           *prometheus.GaugeVec   // by source
}

// NewMetrics registers the metrics; nil for a registry makes them count for nobody.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tarn", Subsystem: "ingest", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		records:     counter("published_records_total", "Records appended to topics by sources.", "source", "topic"),
		bytes:       counter("published_bytes_total", "Bytes appended to topics by sources.", "source", "topic"),
		dropped:     counter("repeated_records_total", "Records read again that the topic held already.", "source", "topic"),
		dead:        counter("dead_letters_total", "Pieces of sources that are no records, sent to tarn.dead_letter.", "source", "topic"),
		retries:     counter("retries_total", "Times that a source was tried again.", "source"),
		resnapshots: counter("resnapshots_total", "Times that tables needed a new snapshot.", "source"),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "tarn", Subsystem: "ingest", Name: "lag_seconds", Help: "Age of the oldest change that waits in the source.",
		}, []string{"source"}),
	}
	if reg != nil {
		reg.MustRegister(m.records, m.bytes, m.dropped, m.dead, m.retries, m.resnapshots, m.lag)
	}
	return m
}
