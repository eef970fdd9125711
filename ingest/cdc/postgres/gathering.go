package postgres

import (
	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/source"
)

// gathering is what will be one batch.
type gathering struct {
	topics []source.TopicBatch
	by     map[string]int // the last of each topic
	bytes  int
	piece  bool // a transaction is handed over before its end
}

// batchOf is where changes of a table go.
func (g *gathering) batchOf(r *reader, c *captured, st *standing) *source.TopicBatch {
	if i, ok := g.by[c.topic]; ok {
		b := &g.topics[i]
		if b.Schema == c.schema && b.Generation == st.Generation && b.End == nil {
			return b
		}
	}
	if g.by == nil {
		g.by = map[string]int{}
	}
	g.by[c.topic] = len(g.topics)
	g.topics = append(g.topics, source.TopicBatch{
		Topic: c.topic, Schema: c.schema, Incarnation: r.pos.Incarnation, Generation: st.Generation, Snapshot: "false", NoTombstones: !r.s.tombstones,
	})
	return &g.topics[len(g.topics)-1]
}

// weigh counts what a change takes.
func (g *gathering) weigh(m *pgoutput.Message, cells int) {
	g.bytes += changeRoom + cellRoom*cells + bytesOf(m)
}

// bytesOf are those of a change's cells as the server sends them.
func bytesOf(m *pgoutput.Message) (n int) {
	for i := range m.After {
		n += len(m.After[i].Data)
	}
	for i := range m.Before {
		n += len(m.Before[i].Data)
	}
	return n
}

// changeRoom is about what a change takes beside its cells, cellRoom a cell beside its data.
const (
	changeRoom = 256
	cellRoom   = 48
)
