package landing

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/record"
)

// collector reads the numbers of all ways when it is asked, so that nothing is counted twice.
type collector struct{ l *Landing }

var labels = []string{"topic", "reader"}

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tarn_stream_"+name, help, labels, nil)
}

var (
	descRows      = desc("rows_landed_total", "Records committed in bronze, or changes in silver.")
	descCommits   = desc("commits_total", "Commits of the topic's table.")
	descSeconds   = desc("commit_seconds_total", "Time that commits took.")
	descFailures  = desc("failures_total", "Times that landing had to begin again from the table.")
	descDead      = desc("dead_letters_total", "Records sent to tarn.dead_letter.")
	descMisfits   = desc("misfits_total", "Cells that went to _extra, and values to _value.")
	descLag       = desc("lag_records", "Records durable on the bus and not yet committed.")
	descFreshness = desc("freshness_seconds", "Age of the oldest record of the last commit when it was committed.")
	descUntold    = prometheus.NewDesc("tarn_stream_commits_untold_total", "Commits left out of tarn.commits.", nil, nil)
)

// Describe tells nothing ahead: the collector is unchecked, for topics come and go.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the numbers of every way.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.l.mu.Lock()
	ways := make([]*way, 0, len(c.l.ways))
	for _, w := range c.l.ways {
		ways = append(ways, w)
	}
	c.l.mu.Unlock()
	for _, w := range ways {
		w.collect(ch)
	}
	ch <- prometheus.MustNewConstMetric(descUntold, prometheus.CounterValue, float64(c.l.commits.Dropped()))
}

func (w *way) collect(ch chan<- prometheus.Metric) {
	stable := w.stable()
	p := &w.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, w.key.topic, w.key.reader)
	}
	send(descRows, prometheus.CounterValue, float64(p.rows))
	send(descCommits, prometheus.CounterValue, float64(p.commits))
	send(descSeconds, prometheus.CounterValue, p.commitTime.Seconds())
	send(descFailures, prometheus.CounterValue, float64(p.failures))
	send(descDead, prometheus.CounterValue, float64(p.deadLetters))
	send(descMisfits, prometheus.CounterValue, float64(p.misfits))
	send(descLag, prometheus.GaugeValue, float64(max(0, stable-p.next)))
	send(descFreshness, prometheus.GaugeValue, p.freshness.Seconds())
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func marshalOffsets(o record.Offsets) (string, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("render offsets: %w", err)
	}
	return string(raw), nil
}
