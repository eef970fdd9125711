package kafka

import "github.com/prometheus/client_golang/prometheus"

// metrics are the door's counts.
type metrics struct {
	requests *prometheus.CounterVec
	refusals *prometheus.CounterVec
	received prometheus.Counter
	sent     prometheus.Counter
	conns    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "tarn", Subsystem: "kafka", Name: name, Help: help}
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts(opts("requests_total", "Requests of Kafka's clients, by API.")), []string{"api"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts(opts("refusals_total", "Connections and requests that the door itself turned away: too many connections, too large, not readable, of a version that is not there.")), []string{"why"}),
		received: prometheus.NewCounter(prometheus.CounterOpts(opts("received_bytes_total", "Bytes of requests."))),
		sent:     prometheus.NewCounter(prometheus.CounterOpts(opts("sent_bytes_total", "Bytes of answers."))),
		conns:    prometheus.NewGauge(prometheus.GaugeOpts(opts("connections", "Connections that are open."))),
	}
	if r != nil {
		r.MustRegister(m.requests, m.refusals, m.received, m.sent, m.conns)
	}
	return m
}
