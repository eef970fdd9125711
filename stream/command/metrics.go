//go:build duckdb_arrow

package command

import (
	"github.com/prometheus/client_golang/prometheus"

	"tarn/stream/pipeline"
)

// collector reads the numbers of all pipelines when it is asked, so that nothing is counted twice. There are at
// most pipelinesMax of them.
type collector struct{ p *Pipelines }

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tarn_stream_pipeline_"+name, help, []string{"pipeline"}, nil)
}

var (
	descRows      = desc("rows_total", "Rows that came in.")
	descEmitted   = desc("emitted_rows_total", "Rows that went to the table.")
	descLate      = desc("late_rows_total", "Rows that came too late, sent to tarn.late.")
	descDead      = desc("dead_letters_total", "Records that could not be read.")
	descAhead     = desc("ahead_rows_total", "Rows whose time lay so far ahead that it moved no watermark.")
	descTicks     = desc("ticks_total", "Ticks.")
	descSeconds   = desc("tick_seconds_total", "Time that ticks took.")
	descRunning   = desc("running", "1 where it runs, 0 where it is paused, waits or failed.")
	descLag       = desc("lag_records", "Records durable on the bus and not yet taken.")
	descWatermark = desc("watermark_lag_seconds", "How far the watermark is behind the clock.")
	descState     = desc("state_rows", "Rows of its state, counted every ten seconds at most.")
	descUntold    = prometheus.NewDesc("tarn_stream_ticks_untold_total", "Records left out of tarn.ticks.", nil, nil)
)

// Describe tells nothing ahead: the collector is unchecked, for pipelines come and go.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the numbers of every pipeline.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := c.p.o.Clock.Now()
	for _, s := range c.p.Statuses() {
		send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, s.Name)
		}
		send(descRows, prometheus.CounterValue, float64(s.Rows))
		send(descEmitted, prometheus.CounterValue, float64(s.Emitted))
		send(descLate, prometheus.CounterValue, float64(s.Late))
		send(descDead, prometheus.CounterValue, float64(s.Dead))
		send(descAhead, prometheus.CounterValue, float64(s.Ahead))
		send(descTicks, prometheus.CounterValue, float64(s.Ticks))
		send(descSeconds, prometheus.CounterValue, s.TicksTime.Seconds())
		if s.State != pipeline.Running { // it does not know what waits
			send(descRunning, prometheus.GaugeValue, 0)
		} else {
			send(descRunning, prometheus.GaugeValue, 1)
			send(descLag, prometheus.GaugeValue, float64(s.LagRecords))
		}
		if !s.Watermark.IsZero() {
			send(descWatermark, prometheus.GaugeValue, now.Sub(s.Watermark).Seconds())
		}
		if s.StateRows != nil {
			send(descState, prometheus.GaugeValue, float64(*s.StateRows))
		}
	}
	ch <- prometheus.MustNewConstMetric(descUntold, prometheus.CounterValue, float64(c.p.ticks.Dropped()))
}
