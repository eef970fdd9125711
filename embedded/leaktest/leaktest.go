// Package leaktest finds goroutines that a test has left behind, on a busy machine too. It is for tests alone.
package leaktest

import (
	"time"

	"go.uber.org/goleak"
)

// patience is how long they have to end: goleak itself waits half a second, which is little on a busy machine.
const patience = 2 * time.Minute

// Find returns nil once none is left but those that options name, and else what is there still.
func Find(options ...goleak.Option) error {
	for end := time.Now().Add(patience); ; {
		err := goleak.Find(options...)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
