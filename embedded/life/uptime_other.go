//go:build !linux

package life

import "time"

func uptime() time.Duration { return -1 }
