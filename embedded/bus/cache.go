package bus

import (
	"container/list"
	"sort"
	"sync"
)

// tailCache keeps copies of the newest messages of all partitions in RAM, so that
// readers near the end touch no disk. The oldest message of any partition goes first.
type tailCache struct {
	bytesMax int64

	mu    sync.Mutex
	bytes int64
	order list.List // of *cached, oldest first
}

// tail is one partition's share; tailCache.mu guards it. Messages are in order of offset.
type tail struct{ messages []*cached }

type cached struct {
	tail       *tail
	base, next int64
	data       []byte
	at         *list.Element
}

// put takes over data, which nobody changes any more.
func (c *tailCache) put(t *tail, base, next int64, data []byte) {
	size := int64(len(data))
	if size > c.bytesMax {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &cached{tail: t, base: base, next: next, data: data}
	m.at = c.order.PushBack(m)
	t.messages = append(t.messages, m)
	c.bytes += size
	for c.bytes > c.bytesMax {
		c.dropFirst(c.order.Front().Value.(*cached).tail) //nolint:forcetypeassert // the list holds nothing else
	}
}

// dropFirst drops a tail's oldest message. The oldest of all is the first of its tail,
// since each partition puts in order.
func (c *tailCache) dropFirst(t *tail) {
	m := t.messages[0]
	t.messages[0] = nil
	t.messages = t.messages[1:]
	c.order.Remove(m.at)
	c.bytes -= int64(len(m.data))
}

// trim drops a tail's messages that end at or below offset.
func (c *tailCache) trim(t *tail, offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(t.messages) > 0 && t.messages[0].next <= offset {
		c.dropFirst(t)
	}
}

// from returns neighbouring messages, the first of which holds offset, of about
// bytesMax bytes (one at least), or nothing.
func (c *tailCache) from(t *tail, offset, before int64, bytesMax int) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(t.messages), func(i int) bool { return t.messages[i].next > offset })
	var out [][]byte
	for size := 0; i < len(t.messages) && size < bytesMax; i++ {
		m := t.messages[i]
		if m.base > offset || m.next > before {
			break
		}
		out, offset, size = append(out, m.data), m.next, size+len(m.data)
	}
	return out
}
