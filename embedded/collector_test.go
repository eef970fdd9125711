package embedded_test

import (
	"testing"

	"tarn/embedded"
)

func TestTheHeapGrowsFurtherWhileMuchIsAllocated(t *testing.T) {
	const mb = 1 << 20
	for name, c := range map[string]struct{ live, allocated, spare, want int64 }{
		"idle":                            {live: 40 * mb, allocated: mb, spare: 64 * mb, want: 50},
		"a few collections a second":      {live: 40 * mb, allocated: 99 * mb, spare: 64 * mb, want: 50},
		"many":                            {live: 40 * mb, allocated: 100 * mb, spare: 64 * mb, want: 160},
		"many of a heap that is large":    {live: 400 * mb, allocated: 4000 * mb, spare: 64 * mb, want: 50},
		"many where there is no room":     {live: 40 * mb, allocated: 500 * mb, spare: 8 * mb, want: 50},
		"before anything has been marked": {live: 0, allocated: 10 * mb, spare: 64 * mb, want: 6400},
	} {
		if got := embedded.Growth(c.live, c.allocated, c.spare); got != c.want {
			t.Errorf("%s: %d %%, want %d", name, got, c.want)
		}
	}
}
