package embedded

// Growth is how far the heap may grow, in percent of what lives.
func Growth(live, allocated, spare int64) int64 { return growth(live, allocated, spare) }
