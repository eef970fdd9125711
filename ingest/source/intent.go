package source

import (
	"context"
	"encoding/json"
	"fmt"

	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// A chunk that a crash keeps from its saved position is read again, and then has another place. Of one that is not transformed the
// topic tells that it has it. A transformed one may be in several topics, some of them or none: what it is about to append is in
// meta before.

// intentMark stands before a table's topic in the keys of intents.
const intentMark = "!"

// intent is a transformed chunk on its way to its topics.
type intent struct {
	Table  string     `json:"table"`
	Stand  string     `json:"stand"` // where the source stands in the table when all is there
	Topics []intended `json:"topics"`
}

// intended is what one topic gets.
type intended struct {
	Topic string `json:"topic"`
	// Batches are the append, of a chunk for several topics: one that a crash came before is made up for.
	Batches []byte `json:"batches,omitempty"`
}

// intend keeps what a chunk is about to append, and that the chunks before it are there.
func (r *Runner) intend(ctx context.Context, b *TopicBatch, to []rendered, stand record.Pos) error {
	in := intent{Table: TableName(b.Schema), Stand: stand.String()}
	for i := range to {
		one := intended{Topic: to[i].Topic}
		if len(to) > 1 {
			one.Batches = to[i].appends[0].batches // a chunk is one
		}
		in.Topics = append(in.Topics, one)
	}
	value, err := json.Marshal(in)
	if err != nil {
		return err
	}
	entries := []meta.Entry{{Bucket: meta.Positions, Key: r.standKey(intentMark + b.Topic), Value: value}}
	if before, ok := r.stands[b.Topic]; ok {
		entries = append(entries, meta.Entry{Bucket: meta.Positions, Key: r.standKey(b.Topic), Value: []byte(before.String())})
	}
	if err := r.o.Meta.Put(ctx, entries...); err != nil {
		return fmt.Errorf("keep what is on its way to the topics of %s: %w", b.Topic, err)
	}
	r.intents[b.Topic] = in
	return nil
}

// settle finds out what became of chunks that were on their way when the last session ended. One that reached any of its topics
// goes to all of them, and the source stands behind it; of one that reached none nothing is known.
func (r *Runner) settle(ctx context.Context) error {
	for table, in := range r.intents {
		stand, err := record.ParsePos(in.Stand)
		if err != nil {
			return fmt.Errorf("read what was on its way to the topics of %s: %w", table, err)
		}
		id := apartID(r.id, table)
		var missing []intended
		for _, to := range in.Topics {
			if !r.reached(to.Topic, id, stand) {
				missing = append(missing, to)
			}
		}
		if len(missing) == len(in.Topics) {
			continue
		}
		for _, to := range missing {
			b := TopicBatch{Topic: to.Topic, apart: id}
			delete(r.parts, b.partKey()) // its last place is another one afterwards
			p, err := r.partition(ctx, &b)
			if err == nil {
				_, err = p.log.Append(ctx, to.Batches)
			}
			delete(r.parts, b.partKey())
			if refusesForGood(err) { // the table's next snapshot has the rows
				r.intents[table] = intent{Table: in.Table, Stand: in.Stand}
				r.quarantine(&quarantine{in.Table, err})
				break
			}
			if err != nil {
				return fmt.Errorf("append the rest of a chunk to topic %s: %w", to.Topic, err)
			}
		}
		r.stands[table] = stand
	}
	return nil
}

// reached tells whether a topic has records up to a place of a table's own.
func (r *Runner) reached(topic, id string, stand record.Pos) bool {
	log, ok := r.o.Log.Find(topic)
	if !ok {
		return false
	}
	at, ok := log.Place(id)
	return ok && at.Incarnation == stand.Incarnation && at.Place >= stand.Place
}
