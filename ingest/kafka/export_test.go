package kafka

import "time"

// WithDrain sets how long a stop waits for what is on its way.
func (o *Options) WithDrain(d time.Duration) { o.drain = d }
