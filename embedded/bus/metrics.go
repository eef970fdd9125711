package bus

import (
	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/telemetry"
)

// metrics counts what the log does.
type metrics struct {
	appendBytes, appendRecords, messages       prometheus.Counter
	refused, recoveries, restarts              prometheus.Counter
	foreign, damaged, purgedBytes, compactions prometheus.Counter
	fetchedCache, fetchedDisk                  prometheus.Counter
	inFlight                                   prometheus.Gauge
	ackSeconds                                 prometheus.Histogram

	unregister func()
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	var all []prometheus.Collector
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		all = append(all, c)
		return c
	}
	fetched := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tarn_bus_fetched_bytes_total", Help: "Bytes handed to readers, by where they came from."}, []string{"from"})
	m := &metrics{
		appendBytes:   counter("tarn_bus_append_bytes_total", "Bytes of batches acknowledged."),
		appendRecords: counter("tarn_bus_append_records_total", "Offsets given to acknowledged records."),
		messages:      counter("tarn_bus_messages_total", "Messages acknowledged, each one fsync."),
		refused:       counter("tarn_bus_refused_total", "Appends refused with a retriable error."),
		recoveries:    counter("tarn_bus_recoveries_total", "Times a partition read its log again after an error."),
		restarts:      counter("tarn_bus_restarts_total", "Restarts of the embedded server."),
		foreign:       counter("tarn_bus_foreign_messages_total", "Messages passed over because no writer of this log wrote them."),
		damaged:       counter("tarn_bus_damaged_messages_total", "Messages that the disk has lost."),
		purgedBytes:   counter("tarn_bus_purged_bytes_total", "Bytes purged by retention or trim."),
		compactions:   counter("tarn_bus_compactions_total", "Times a partition's log was compacted."),
		fetchedCache:  fetched.WithLabelValues("cache"),
		fetchedDisk:   fetched.WithLabelValues("disk"),
		inFlight:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "tarn_bus_in_flight_bytes", Help: "Bytes published and not yet acknowledged."}),
		ackSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tarn_bus_ack_seconds", Help: "Time from publish to acknowledgment.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 18),
		}),
	}
	all = append(all, fetched, m.inFlight, m.ackSeconds)
	var err error
	m.unregister, err = telemetry.Register(to, all...)
	return m, err
}
