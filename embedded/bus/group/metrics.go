package group

import (
	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/telemetry"
)

// metrics counts what groups do.
type metrics struct {
	rebalances, commits prometheus.Counter

	unregister func()
}

func newMetrics(to prometheus.Registerer, c *Coordinator) (*metrics, error) {
	m := &metrics{
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{Name: "tarn_bus_group_rebalances_total", Help: "Generations that consumer groups began."}),
		commits:    prometheus.NewCounter(prometheus.CounterOpts{Name: "tarn_bus_offset_commits_total", Help: "Offsets that consumer groups committed."}),
	}
	all := []prometheus.Collector{
		m.rebalances, m.commits,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tarn_bus_groups", Help: "Consumer groups."}, func() float64 { return float64(len(c.all())) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tarn_bus_group_members", Help: "Members of consumer groups."}, c.size),
	}
	var err error
	m.unregister, err = telemetry.Register(to, all...)
	return m, err
}

// size is how many members all groups have.
func (c *Coordinator) size() (n float64) {
	for _, g := range c.all() {
		g.mu.Lock()
		n += float64(len(g.members))
		g.mu.Unlock()
	}
	return n
}
