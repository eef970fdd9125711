package telemetry

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Register counts with all of the collectors or, where one is refused, with none. What it returns takes them out again.
func Register(to prometheus.Registerer, all ...prometheus.Collector) (unregister func(), err error) {
	unregister = func() {
		for _, c := range all {
			to.Unregister(c)
		}
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, to.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		unregister()
		return func() {}, err
	}
	return unregister, nil
}
