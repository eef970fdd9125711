package kafka

import (
	"slices"
	"sync"
)

// The sizes of frames that are kept.
const (
	frameBytesMin = 16 << 10
	frameBytesMax = 16 << 20
	frameSteps    = 4 // from one size to its double: so much less than a whole doubling is never used
)

// frames keeps the memory of large requests and answers for the next ones, until two collections have found it unused.
// Who gives some back looks at it no more.
type frames struct {
	sizes []int
	pools []sync.Pool
}

func newFrames() *frames {
	f := &frames{}
	for size := frameBytesMin; size < frameBytesMax; size *= 2 {
		for step := range frameSteps {
			f.sizes = append(f.sizes, size+size/frameSteps*step)
		}
	}
	f.pools = make([]sync.Pool, len(f.sizes))
	return f
}

// get returns n bytes, which hold anything.
func (f *frames) get(n int) []byte {
	i, _ := slices.BinarySearch(f.sizes, n)
	if n < frameBytesMin || i == len(f.sizes) {
		return make([]byte, n)
	}
	if b, ok := f.pools[i].Get().(*[]byte); ok {
		return (*b)[:n]
	}
	return make([]byte, f.sizes[i])[:n]
}

// put takes back what get returned.
func (f *frames) put(b []byte) {
	if i, ok := slices.BinarySearch(f.sizes, cap(b)); ok {
		f.pools[i].Put(&b)
	}
}
