package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/source"
)

// The topics that Debezium has beside those of tables: <prefix>.transaction, <prefix>.message and __debezium-heartbeat.<prefix>.
// Their records are no rows' changes.

// counts are the events of a transaction so far.
type counts struct {
	events int64
	tables []envelope.TableEvents // in the order in which they came
}

// add notes events of a table, and returns the place of the first of them.
func (c *counts) add(table string, n int64) *envelope.Transaction {
	at := -1
	for i := range c.tables {
		if c.tables[i].Table == table {
			at = i
		}
	}
	if at < 0 {
		at = len(c.tables)
		c.tables = append(c.tables, envelope.TableEvents{Table: table})
	}
	t := &envelope.Transaction{Order: c.events + 1, TableOrder: c.tables[at].Events + 1}
	c.events += n
	c.tables[at].Events += n
	return t
}

// told is the place of a change's events in its transaction; there are two where the last one's place says so.
func (t *transaction) told(name, last string, at pgoutput.LSN) *envelope.Transaction {
	events := int64(1)
	if source.Halved(last) {
		events = 2
	}
	out := t.add(name, events)
	out.ID = transactionID(t.xid, at)
	return out
}

// transactionID is what events call a transaction: its number, and where in the log they are.
func transactionID(xid uint32, at pgoutput.LSN) string { return fmt.Sprintf("%d:%d", xid, uint64(at)) }

// plain adds a record to a topic that is no table's, unless that has refused one for good, which the source's state says. One that is
// larger than the log takes goes to the dead letters.
func (r *reader) plain(g *gathering, topic string, frame envelope.Frame, key, value []byte, place string) {
	if r.skipped(topic) {
		return
	}
	at, ok := g.by[topic]
	if !ok {
		if g.by == nil {
			g.by = map[string]int{}
		}
		at = len(g.topics)
		g.by[topic] = at
		g.topics = append(g.topics, source.TopicBatch{
			Topic: topic, Schema: &record.Schema{Source: r.env.SourceID, Database: r.s.database, Table: topic}, Incarnation: r.pos.Incarnation,
		})
	}
	if !r.s.keySchemas {
		frame.Key = nil
	}
	if !r.s.valueSchemas {
		frame.Value = nil
	}
	b := &g.topics[at]
	one := source.Plain{Key: envelope.Wrap(frame.Key, key), Value: envelope.Wrap(frame.Value, value), Place: place}
	if size := len(one.Key) + len(one.Value); size > source.RecordBytesMax-plainRoom {
		b.Dead = append(b.Dead, source.Dead{Place: place, Key: key, Value: value, Why: fmt.Sprintf("a record of %d bytes is more than the log takes", size)})
	} else {
		b.Plain = append(b.Plain, one)
	}
	g.bytes += changeRoom + len(key) + len(value)
}

// plainRoom is more than a record's place and headers take.
const plainRoom = 1 << 10

// boundary tells the topic of transactions that one begins or ends.
func (r *reader) boundary(at pgoutput.LSN, end bool) {
	if !r.s.transactions {
		return
	}
	b := envelope.Boundary{ID: transactionID(r.tx.xid, at), End: end, TSMillis: r.tx.at.UnixMilli()}
	place := changePlace(r.tx.commit, 0, 0)
	if end {
		b.Events, b.Tables = r.tx.events, r.tx.tables
		place = changePlace(r.tx.commit, ^pgoutput.LSN(0), 0)
	}
	r.plain(&r.gathered, r.s.prefix+"."+r.s.transactionTopic, envelope.BoundaryFrame(), envelope.AppendBoundaryKey(nil, &b), envelope.AppendBoundary(nil, &b), place)
}

// logical takes a pg_logical_emit_message, which need not be of a transaction.
func (r *reader) logical(m *pgoutput.Message, at pgoutput.LSN) {
	if !r.s.messages.passes(m.Name) {
		return
	}
	now := r.env.Now()
	src := envelope.Source{
		Version: r.env.Version, Connector: Kind.Name, Name: r.s.prefix, TSNanos: now.UnixNano(), Snapshot: "false", Database: r.s.database,
		Postgres: &envelope.PostgresPlace{LSN: uint64(at), CommitLSN: uint64(r.pos.Commit)}, //nolint:gosec // not negative
	}
	place := changePlace(at, at, 0)
	if r.tx != nil {
		src.TSNanos, src.Postgres.TxID = r.tx.at.UnixNano(), int64(r.tx.xid)
		place = r.tx.place(at)
		if r.s.transactions {
			src.Transaction = r.tx.add(messagesCounted, 1)
			src.Transaction.ID = transactionID(r.tx.xid, at)
		}
	}
	r.plain(&r.gathered, r.s.prefix+".message", envelope.MessageFrame(), envelope.AppendMessageKey(nil, m.Name), envelope.AppendMessage(nil, &src, m.Name, m.Content, now.UnixNano()), place)
}

// messagesCounted is the name under which a transaction's messages are counted. Debezium has a Java object's there.
const messagesCounted = "message"

// beat writes a record to the topic of heartbeats when it is time, after the statement that is to be run with it. It tells whether it did.
func (r *reader) beat(ctx context.Context) (bool, error) {
	now := r.env.Now()
	if r.s.heartbeat == 0 || now.Sub(r.pulse) < r.s.heartbeat {
		return false, nil
	}
	r.pulse = now
	if r.s.heartbeatQuery != "" {
		if err := r.act(ctx); err != nil {
			return false, err
		}
	}
	topic := r.s.heartbeatTopic + "." + r.s.prefix
	// Places grow with the clock, and without it where somebody has set that back.
	if r.pulses == 0 && r.env.Place != nil {
		if last := r.env.Place(topic); last.Incarnation == r.pos.Incarnation {
			_, _ = fmt.Sscanf(last.Place, "%016x", &r.pulses)
		}
	}
	r.pulses = max(r.pulses+1, now.UnixMilli())
	key := append(envelope.AppendText([]byte(`{"serverName":`), r.s.prefix), '}')
	value := fmt.Appendf(nil, `{"ts_ms":%d}`, now.UnixMilli())
	r.plain(&r.gathered, topic, envelope.HeartbeatFrame(), key, value, fmt.Sprintf("%016x", r.pulses))
	return true, nil
}

// actMax is how long heartbeat.action.query may hold up the stream.
const actMax = 5 * time.Second

// act runs heartbeat.action.query. A statement that the server refuses, or that does not end, keeps nothing from going on, and is told.
func (r *reader) act(ctx context.Context) error {
	return r.onSQL(ctx, func() error {
		wait, cancel := context.WithTimeout(ctx, actMax)
		defer cancel()
		_, err := query(wait, r.sql, r.s.heartbeatQuery)
		if err != nil && wait.Err() != nil && ctx.Err() == nil {
			r.happened(beatEvent, source.Finding{Key: keyBeatQuery, Message: fmt.Sprintf("the statement of %s does not end within %s, and is given up", keyBeatQuery, actMax), Hint: "see what it waits for, or leave it out: the slot of an idle source needs none"})
			return nil
		}
		if code := codeOf(err); code != "" && !strings.HasPrefix(code, "57") {
			r.happened(beatEvent, source.Finding{Key: keyBeatQuery, Message: fmt.Sprintf("the statement of %s is refused: %v", keyBeatQuery, err), Hint: "run it by hand as the connector's user, and mend it"})
			return nil
		}
		if err != nil {
			return r.s.fault(err, "run "+keyBeatQuery+" on")
		}
		r.over(beatEvent)
		return nil
	})
}

// rest is how long an idle source may wait before it looks round.
func (r *reader) rest() time.Duration {
	now, rest := r.env.Now(), lookEvery
	if r.s.heartbeat > 0 {
		rest = min(rest, r.s.heartbeat-now.Sub(r.pulse))
	}
	if r.s.signalFile != "" || r.s.signalTopic != "" {
		rest = min(rest, r.s.signalPoll-now.Sub(r.polled))
	}
	return max(rest, time.Millisecond)
}

// opOf is the letter of a kind of change in skipped.operations.
func opOf(kind byte) byte {
	switch kind {
	case pgoutput.Insert:
		return byte(source.Create)
	case pgoutput.Update:
		return byte(source.Update)
	}
	return byte(source.Delete)
}

// truncated is the place of the event of a TRUNCATE in its transaction; nil where transactions are not told.
func (r *reader) truncated(name string, at pgoutput.LSN) *envelope.Transaction {
	if !r.s.transactions {
		return nil
	}
	t := r.tx.add(name, 1)
	t.ID = transactionID(r.tx.xid, at)
	return t
}
