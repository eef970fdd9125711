//go:build duckdb_arrow

package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/fault"
)

type metrics struct {
	seconds  prometheus.Histogram
	refusals *prometheus.CounterVec
	hot      prometheus.Counter
}

func newMetrics(r prometheus.Registerer, waiting func() int, hot *hotFiles) metrics {
	m := metrics{
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tarn_sql_statement_seconds", Help: "Time from a statement to its last row.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tarn_sql_refusals_total", Help: "Statements that ended with an error, by its code.",
		}, []string{"code"}),
		hot: prometheus.NewCounter(prometheus.CounterOpts{Name: "tarn_sql_hot_statements_total", Help: "Statements that read hot files."}),
	}
	if r != nil {
		r.MustRegister(m.seconds, m.refusals, m.hot, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tarn_sql_waiting", Help: "Statements that wait for a turn.",
		}, func() float64 { return float64(waiting()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tarn_sql_hot_files", Help: "Data files that are kept in memory: statements ask for few rows of them again and again.",
		}, func() float64 { files, _ := hot.held(); return float64(files) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tarn_sql_hot_bytes", Help: "Memory of those, about.",
		}, func() float64 { _, bytes := hot.held(); return float64(bytes) }))
	}
	return m
}

func (m metrics) answered(took time.Duration) { m.seconds.Observe(took.Seconds()) }

func (m metrics) refused(code fault.Code) { m.refusals.WithLabelValues(string(code)).Inc() }
