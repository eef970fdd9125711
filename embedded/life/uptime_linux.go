package life

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long the machine has been up, asleep or not; negative where the system does not tell.
func uptime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return -1
	}
	return time.Duration(t.Nano())
}
