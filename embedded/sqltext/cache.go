package sqltext

import (
	"container/list"
	"slices"
	"sync"
)

// The bounds of a Parser's cache.
const (
	cacheBytesMax = 8 << 20
	cachedMax     = 256 << 10 // bytes of one statement in it
	cachedGrowth  = 64        // bytes by which a relation's text may be longer than when the statement was weighed
)

// cache keeps what statements became, the least lately used first to go. It holds nothing of what stands in a table's place:
// that is asked for each time, and where it is of another form than it was, the statement is walked again. So no
// policy, schema or view that has changed is answered by what was before.
type cache struct {
	mu    sync.Mutex
	bytes int
	order *list.List // of *cached, the last used first
	by    map[cacheKey]*list.Element
}

type cacheKey struct {
	dialect *Dialect
	source  string
	rowsMax int64
}

// cached is a statement that passed the walk, with placeholders for what its tables become.
type cached struct {
	key     cacheKey
	text    string
	lower   string // the statement as it was walked, in lower case
	tables  []cachedTable
	outputs []Output
	kinds   []string
	bytes   int
	unlike  bool // what it becomes depends on its values: it is walked with each
}

// cachedTable is a reference, and of its relation what the walk went by.
type cachedTable struct {
	table       Table
	placeholder string
	name, form  string
	columns     []string
	types       []string
	hidden      []string
	length      int
}

func newCache() *cache { return &cache{order: list.New(), by: map[cacheKey]*list.Element{}} }

func (c *cache) get(key cacheKey) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached)
}

func (c *cache) put(one *cached) {
	one.bytes = len(one.key.source) + len(one.text) + len(one.lower) + 256
	for _, t := range one.tables {
		one.bytes += 256 + len(t.form) + 48*(len(t.columns)+len(t.types))
	}
	one.bytes += 24 * len(one.kinds)
	for _, o := range one.outputs {
		one.bytes += 64 + 64*len(o.Inputs)
	}
	if one.bytes > cachedMax {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.by[one.key]; e != nil {
		c.drop(e)
	}
	c.by[one.key] = c.order.PushFront(one)
	for c.bytes += one.bytes; c.bytes > cacheBytesMax; {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	one := c.order.Remove(e).(*cached)
	delete(c.by, one.key)
	c.bytes -= one.bytes
}

// again makes the statement of what its tables are now; false where they are not as they were, or cannot be told.
func (c *cached) again(resolve Resolver) (Rewritten, bool) {
	all := make([]*relation, len(c.tables))
	for i, t := range c.tables {
		r, err := resolve(t.table)
		if err != nil || r.Name != t.name || r.Form != t.form || len(r.Text) > t.length+cachedGrowth ||
			!slices.Equal(r.Columns, t.columns) || !slices.Equal(r.Types, t.types) || !slices.Equal(r.Hidden, t.hidden) {
			return Rewritten{}, false
		}
		all[i] = &relation{r, t.placeholder}
	}
	return Rewritten{Text: substitute(c.text, c.lower, all), Outputs: slices.Clone(c.outputs), Kinds: c.kinds, Tables: names(all), read: all}, true
}
