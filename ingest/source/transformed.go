package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// A connector's transforms are of two sorts. What only gives topics other names leaves change events as they are: they are landed
// with their mirrors as ever. Anything else makes records of any form, in any topic; these are landed as their values say, without
// a mirror. A topic may then have records of several tables, so each table's have places of their own there, under the source's id
// with the table's topic behind it; and where the source stands in a table is no longer what a topic tells, so meta keeps it with
// the position.

// changesRecords tells whether records are transformed and not only their topics.
func (r *Runner) changesRecords() bool { return r.o.Transform != nil && !r.o.Transform.Renames() }

// topicOf is the topic in which the records of a source's topic are, unless each has its own.
func (r *Runner) topicOf(topic string) string {
	if r.o.Transform == nil || !r.o.Transform.Renames() {
		return topic
	}
	to := Record{Topic: topic}
	r.o.Transform.Apply(&to)
	return to.Topic
}

// claimMark stands before a topic in the keys of claims.
const claimMark = "="

// claim keeps a topic for the table that came to it first: places and keys of two would be mistaken for each other.
func (r *Runner) claim(ctx context.Context, b *rendered) error {
	owner, known := r.claims[b.Topic]
	if !known {
		key := r.standKey(claimMark + b.Topic)
		value, err := r.o.Meta.Get(ctx, meta.Positions, key)
		if errors.Is(err, meta.ErrNotFound) {
			value = []byte(b.from)
			err = r.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Positions, Key: key, Value: value})
		}
		if err != nil {
			return err
		}
		owner = string(value)
		r.claims[b.Topic] = owner
	}
	if owner != b.from {
		return &quarantine{TableName(b.Schema), fault.Newf(fault.Conflict,
			"give it another name, or bring the tables together by io.debezium.transforms.ByLogicalTableRouter",
			"RegexRouter calls the topic of this table %s, as that of another whose topic would be %s", b.Topic, owner)}
	}
	return nil
}

// apartID is the id under which a table's transformed records have their places.
func apartID(id, topic string) string { return id + "~" + topic }

// transformed is what goes to each topic that a batch's records go to, in the order of the records.
func (r *Runner) transformed(b *rendered) []rendered {
	var out []rendered
	for i := range b.entries {
		if b.entries[i].mark != nil {
			continue // of a mirror
		}
		from := &b.entries[i].record
		to := Record{Topic: b.Topic, Key: from.Key, Value: from.Value}
		if !r.o.Transform.Apply(&to) {
			continue
		}
		at := slices.IndexFunc(out, func(t rendered) bool { return t.Topic == to.Topic })
		if at < 0 {
			at = len(out)
			own := b.TopicBatch
			own.Topic, own.apart, own.Begin, own.End, own.Dead = to.Topic, apartID(r.id, b.Topic), nil, nil, nil
			out = append(out, rendered{TopicBatch: own, from: b.Topic})
		}
		place := b.entries[i].place
		pos := record.Pos{Source: out[at].apart, Incarnation: b.Incarnation, Place: place}
		headers := append([]record.Header{{Key: record.HeaderPos, Value: []byte(pos.String())}}, to.Headers...)
		out[at].entries = append(out[at].entries, entry{
			place: place, size: len(to.Key) + len(to.Value) + len(place) + headerBytes,
			record: record.Record{Timestamp: from.Timestamp, Key: to.Key, Value: to.Value, Headers: headers},
		})
	}
	return out
}

// publishTransformed is publish for records that are transformed.
func (r *Runner) publishTransformed(ctx context.Context, b *rendered) (appended bool, err error) {
	if err := errors.Join(r.bury(ctx, &b.TopicBatch), r.raise(ctx, &b.TopicBatch)); err != nil {
		return false, err
	}
	if len(b.entries) == 0 {
		return false, nil
	}
	stand := record.Pos{Source: r.id, Incarnation: b.Incarnation, Place: b.entries[len(b.entries)-1].place}
	to := r.transformed(b)
	for i := range to {
		to[i].appends = r.cut(&to[i].TopicBatch, to[i].entries, &slab{}) // which intents keep
	}
	if b.Chunk && len(to) > 0 {
		if err := r.intend(ctx, &b.TopicBatch, to, stand); err != nil {
			return false, err
		}
	}
	for i := range to {
		n, err := r.insist(ctx, &to[i])
		appended = appended || n
		if err != nil {
			return appended, err
		}
	}
	r.stands[b.Topic] = stand
	return appended, nil
}

// standing are the entries of meta that say where the source stands in its tables: with its position no chunk is on its way.
func (r *Runner) standing() (out []meta.Entry) {
	for topic, pos := range r.stands {
		out = append(out, meta.Entry{Bucket: meta.Positions, Key: r.standKey(topic), Value: []byte(pos.String())})
	}
	for topic := range r.intents {
		out = append(out, meta.Entry{Bucket: meta.Positions, Key: r.standKey(intentMark + topic)})
	}
	return out
}

func (r *Runner) standKey(topic string) string { return standKey(r.id, topic) }

func standKey(id, topic string) string { return id + "//" + topic }

// recall reads where the source stood in its tables when its position was saved.
func (r *Runner) recall(ctx context.Context) error {
	if r.position == nil || !r.changesRecords() {
		return nil
	}
	list, err := r.o.Meta.List(ctx, meta.Positions)
	if err != nil {
		return err
	}
	for _, e := range list {
		topic, ours := strings.CutPrefix(e.Key, r.standKey(""))
		if !ours || strings.HasPrefix(topic, claimMark) {
			continue
		}
		if of, is := strings.CutPrefix(topic, intentMark); is {
			in := intent{}
			if err := json.Unmarshal(e.Value, &in); err != nil {
				return fmt.Errorf("read what was on its way to the topics of %s: %w", of, err)
			}
			r.intents[of] = in
			continue
		}
		if r.stands[topic], err = record.ParsePos(string(e.Value)); err != nil {
			return fmt.Errorf("read where the source stands in %s: %w", topic, err)
		}
	}
	return nil
}

// filled are the topics that the runner has appended to.
func (r *Runner) filled() (out []string) {
	for key := range r.parts {
		topic, _, _ := strings.Cut(key, "\x00")
		out = append(out, topic)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
