// Package replay sends dead letters again: a record that was refused goes back to the topic that it was refused from, as it
// was or mended, as a new record behind all others. Every reader of the topic takes it, as if it had been written so at
// once, for a table is what its log says, and nothing else. The letter stays, and is marked.
//
// A letter is sent once, however often it is asked for and whatever crashes between. What is to be sent is noted in meta
// before it is appended, with the place that the record has in its partition; each partition has one such note at most. The
// log's last place says whether the record of a note got in. Notes are kept for as long as the letter is in its log, and
// as there are not too many of them.
package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/stream/own"
)

// Source is the source of the places of all records that were sent again.
const Source = "replay"

// The bounds of a replay.
const (
	triesMax   = 5
	backoffMin = 100 * time.Millisecond
	sendMax    = 20 * time.Second // one append with all its tries
	findBytes  = 64 << 20         // of a log that is read for a record whose offset a crash took
	fetchBytes = 1 << 20

	notesMax  = 20_000 // that are kept, of some hundred bytes each
	notesKept = 18_000 // when the oldest have gone
)

// Options of the replays.
type Options struct {
	Bus   *bus.Bus
	Meta  *meta.Store
	Guard guard.Guard // nil: everyone may do everything
	Clock life.Clock
}

// Replays sends letters again. Its methods may be called by many; letters are sent one after the other.
type Replays struct {
	o    Options
	turn chan struct{} // of one: held by who uses what follows

	known map[int64]note // by letter; nil before meta was read
}

// New returns replays that have read nothing yet.
func New(o Options) *Replays { return &Replays{o: o, turn: make(chan struct{}, 1)} }

// begin waits for the turn, and has the notes read.
func (r *Replays) begin(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := r.load(ctx); err != nil {
		r.end()
		return err
	}
	return nil
}

func (r *Replays) end() { <-r.turn }

// note is a letter that is being sent again, or was. It is kept as JSON.
type note struct {
	Letter    int64     `json:"letter"`
	Topic     string    `json:"topic"`
	TopicID   string    `json:"topic_id"`
	Partition int32     `json:"partition"`
	Origin    string    `json:"origin,omitempty"` // the record that was refused, which several letters may be of
	Place     string    `json:"place"`            // of the record in its partition
	From      int64     `json:"from"`             // the offset that it has at least
	Offset    int64     `json:"offset"`
	Sum       string    `json:"sum"` // of the value that was sent
	Edited    bool      `json:"edited"`
	Who       string    `json:"who"`
	At        time.Time `json:"at"`
	Done      bool      `json:"done"`
}

// unknown is the offset of a record that is in its log and was not found again.
const unknown = -1

// Sent is where a letter's record went.
type Sent struct {
	Topic     string
	Partition int32
	Offset    int64 // below 0 where it is not known
	Repeated  bool  // it had been sent before
}

// Send sends a letter again, with another value where edited is not nil.
func (r *Replays) Send(ctx context.Context, who guard.Principal, letter int64, edited *string) (Sent, error) {
	if err := r.begin(ctx); err != nil {
		return Sent{}, err
	}
	defer r.end()
	if was, ok := r.known[letter]; ok {
		if err := r.may(who, was.Topic); err != nil {
			return Sent{}, err
		}
		if was, ok, err := r.standing(ctx, was); ok || err != nil {
			return was.again(edited, err)
		}
	}
	l, err := r.letter(ctx, letter)
	if err != nil {
		return Sent{}, err
	}
	if err := r.may(who, l.Topic); err != nil {
		return Sent{}, err
	}
	for _, other := range r.known {
		if origin := l.origin(); origin == "" || other.Origin != origin {
			continue
		}
		if was, ok, err := r.standing(ctx, other); ok || err != nil {
			return was.again(edited, err)
		}
	}
	p, err := r.target(l)
	if err != nil {
		return Sent{}, err
	}
	sent, err := r.record(ctx, p, l, edited)
	if err != nil {
		return Sent{}, err
	}
	n := note{Letter: letter, Topic: l.Topic, Origin: l.origin(), Sum: sum(sent.Value), Edited: edited != nil, Who: who.User}
	return r.send(ctx, p, n, sent)
}

func (r *Replays) may(who guard.Principal, topic string) error {
	if r.o.Guard != nil && !r.o.Guard.Decide(who, guard.Write, guard.Resource{Kind: guard.Topic, Path: []string{topic}}).Allow {
		return fault.Newf(fault.Denied, "ask for a grant", "you may not write to the topic %s", topic)
	}
	return nil
}

// standing is what became of a note; false where its record is not in the log, and so the note is gone. A record that was sent
// is looked for again, for a log that is not synced at once may have lost it.
func (r *Replays) standing(ctx context.Context, n note) (note, bool, error) {
	if !n.Done || r.lost(n) {
		if err := r.settle(ctx, n); err != nil {
			return n, false, err
		}
	}
	n, ok := r.known[n.Letter]
	return n, ok, nil
}

// lost tells whether the log has not come to the place of a record that was sent.
func (r *Replays) lost(n note) bool {
	t, err := r.o.Bus.Topic(n.Topic)
	if err != nil || t.Config().ID != n.TopicID {
		return false
	}
	last, ok := t.Partitions()[n.Partition].Place(Source)
	return !ok || last.Incarnation != n.TopicID || last.Place < n.Place
}

// again answers for a letter that was sent before, or cannot be told of.
func (n note) again(edited *string, err error) (Sent, error) {
	if err != nil {
		return Sent{}, err
	}
	same := edited == nil && !n.Edited || edited != nil && sum([]byte(*edited)) == n.Sum
	if !same {
		return Sent{}, fault.Newf(fault.Exists, "mend what came of it: a record that was refused again is a letter of its own",
			"letter %d was sent again already, with another value, to %s", n.Letter, n.where())
	}
	return Sent{n.Topic, n.Partition, n.Offset, true}, nil
}

func (n note) where() string {
	if n.Offset < 0 {
		return fmt.Sprintf("topic %s partition %d", n.Topic, n.Partition)
	}
	return fmt.Sprintf("topic %s partition %d offset %d", n.Topic, n.Partition, n.Offset)
}

// send notes a record, appends it, and notes that it is there.
func (r *Replays) send(ctx context.Context, p *bus.Partition, n note, sent record.Record) (Sent, error) {
	// Whoever asked may go away: what has begun is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendMax)
	defer cancel()
	for _, other := range r.known {
		if !other.Done && other.Topic == n.Topic && other.Partition == p.Number() {
			if err := r.settle(ctx, other); err != nil {
				return Sent{}, err
			}
		}
	}
	if err := p.Settled(); err != nil {
		return Sent{}, unsure(err)
	}
	n.TopicID, n.Partition, n.From, n.Offset, n.At = p.Topic().Config().ID, p.Number(), p.Next(), unknown, r.o.Clock.Now().UTC()
	n.Place = record.Hex16(1)
	if last, ok := p.Place(Source); ok && last.Incarnation == n.TopicID {
		at, err := strconv.ParseUint(last.Place, 16, 63)
		if err != nil {
			return Sent{}, fmt.Errorf("read the last place of replays in topic %s: %w", n.Topic, err)
		}
		n.Place = record.Hex16(int64(at) + 1) //nolint:gosec // of 63 bits
	}
	pos := record.Pos{Source: Source, Incarnation: n.TopicID, Place: n.Place}
	sent.Timestamp = n.At.UnixMilli()
	sent.Headers = append([]record.Header{
		{Key: record.HeaderPos, Value: []byte(pos.String())}, {Key: record.HeaderLetter, Value: strconv.AppendInt(nil, n.Letter, 10)},
	}, sent.Headers...)
	batch := record.Encode([]record.Record{sent})
	if len(batch) > record.BatchBytesMax {
		return Sent{}, fault.Newf(fault.TooLarge, "make it smaller", "the record has %d bytes, at most %d", len(batch), record.BatchBytesMax)
	}
	if err := r.room(ctx); err != nil {
		return Sent{}, err
	}
	if err := r.keep(ctx, n); err != nil {
		return Sent{}, err
	}
	fault.Point("replay.noted")
	got, err := push(ctx, p, pos, batch)
	if err != nil {
		return Sent{}, unsure(err)
	}
	fault.Point("replay.sent")
	n.Offset, n.Done = got, true
	if err := r.keep(ctx, n); err != nil {
		return Sent{}, unsure(err)
	}
	return Sent{n.Topic, n.Partition, n.Offset, false}, nil
}

// push appends a batch with one record at a place, once. The offset is unknown where an earlier try got in.
func push(ctx context.Context, p *bus.Partition, pos record.Pos, batch []byte) (int64, error) {
	wait := backoffMin
	for tries := 1; ; tries++ {
		err := p.Settled()
		if err == nil {
			if last, ok := p.Place(Source); ok && last.Incarnation == pos.Incarnation && last.Place >= pos.Place {
				return unknown, nil
			}
			var got bus.Appended
			// It is never left on its way, or who looks for it next would not find it and send it again.
			if got, err = p.Append(context.WithoutCancel(ctx), batch); err == nil {
				return got.Base, nil
			}
		}
		if tries == triesMax || !errors.Is(err, bus.ErrRetry) && fault.CodeOf(err) != fault.Unavailable {
			return unknown, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return unknown, ctx.Err()
		}
		wait *= 2
	}
}

// unsure is what is said of a replay that may be in its log.
func unsure(err error) error {
	return fault.Wrap(err, fault.Unavailable, "send the letter again", "say it once more: what is in the log already is not sent twice")
}

// settle finds out what became of a note that was not done: its record is in the log, or never will be and the note goes.
func (r *Replays) settle(ctx context.Context, n note) error {
	t, err := r.o.Bus.Topic(n.Topic)
	if err != nil && !errors.Is(err, bus.ErrNoTopic) {
		return err
	}
	in := false
	if err == nil && t.Config().ID == n.TopicID {
		p := t.Partitions()[n.Partition]
		if err := p.Settled(); err != nil {
			return unsure(err)
		}
		last, ok := p.Place(Source)
		if in = ok && last.Incarnation == n.TopicID && last.Place >= n.Place; in {
			n.Offset = find(ctx, p, n)
		}
	}
	if !in {
		return r.forget(ctx, n)
	}
	n.Done = true
	return r.keep(ctx, n)
}

// find looks for the record of a note; unknown where the log no longer has it, or it is far away.
func find(ctx context.Context, p *bus.Partition, n note) int64 {
	at, end := max(n.From, p.LogStart()), p.Written()
	reader := p.ReaderOfAll(at) // it is of no transaction, and need not wait for those before it
	defer reader.Close()
	want := record.Pos{Source: Source, Incarnation: n.TopicID, Place: n.Place}.String()
	for read := 0; at < end && read < findBytes; read += fetchBytes {
		got, err := reader.Next(ctx, fetchBytes)
		if err != nil {
			return unknown
		}
		for _, b := range got.Batches {
			if b.Control() {
				continue
			}
			list, err := b.Records()
			if err != nil {
				return unknown
			}
			for i := range list {
				if pos, ok := list[i].Header(record.HeaderPos); ok && string(pos) == want {
					return list[i].Offset
				}
			}
		}
		at = got.Next
	}
	return unknown
}

// load reads the notes, once.
func (r *Replays) load(ctx context.Context) error {
	if r.known != nil {
		return nil
	}
	list, err := r.o.Meta.List(ctx, meta.Replays)
	if err != nil {
		return err
	}
	known := map[int64]note{}
	for _, e := range list {
		var n note
		if err := json.Unmarshal(e.Value, &n); err != nil {
			return fmt.Errorf("read the replay of letter %s: %w", e.Key, err)
		}
		known[n.Letter] = n
	}
	r.known = known
	return nil
}

func (r *Replays) keep(ctx context.Context, n note) error {
	value, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := r.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Replays, Key: record.Hex16(n.Letter), Value: value}); err != nil {
		return err
	}
	r.known[n.Letter] = n
	return nil
}

func (r *Replays) forget(ctx context.Context, n note) error {
	if err := r.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Replays, Key: record.Hex16(n.Letter)}); err != nil {
		return err
	}
	delete(r.known, n.Letter)
	return nil
}

// room lets the oldest notes go where there are too many, of letters that their log has no longer: nobody can send those again.
func (r *Replays) room(ctx context.Context) error {
	if len(r.known) < notesMax {
		return nil
	}
	t, err := r.o.Bus.Topic(own.DeadLetter)
	if err != nil {
		return err
	}
	start := t.Partitions()[0].LogStart()
	var gone []meta.Entry
	for _, letter := range slices.Sorted(maps.Keys(r.known)) {
		if letter >= start || len(r.known)-len(gone) == notesKept {
			break
		}
		if r.known[letter].Done {
			gone = append(gone, meta.Entry{Bucket: meta.Replays, Key: record.Hex16(letter)})
		}
	}
	if len(gone) == 0 {
		return fault.Newf(fault.TooLarge, "post the values to /ingest/ and their topic", "%d letters were sent again, and the log has them all still: more are not kept apart", len(r.known))
	}
	if err := r.o.Meta.Put(ctx, gone...); err != nil {
		return err
	}
	for _, e := range gone {
		letter, _ := strconv.ParseInt(e.Key, 16, 64)
		delete(r.known, letter)
	}
	return nil
}

// Columns are those of Rows, as sql/system writes them.
const Columns = "letter long, at timestamptz, who string, edited boolean, topic string, partition int, offset long"

// Rows are the letters that were sent again, in order of their numbers.
func (r *Replays) Rows(ctx context.Context) ([][]any, error) {
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	defer r.end()
	for _, n := range r.known {
		if !n.Done { // a crash came between
			_ = r.settle(ctx, n) // what cannot be told now is not shown
		}
	}
	var rows [][]any
	for _, n := range r.known {
		var offset any
		if n.Offset >= 0 {
			offset = n.Offset
		}
		if n.Done {
			rows = append(rows, []any{n.Letter, n.At, n.Who, n.Edited, n.Topic, int64(n.Partition), offset})
		}
	}
	slices.SortFunc(rows, func(a, b []any) int { return int(a[0].(int64) - b[0].(int64)) })
	return rows, nil
}

func sum(value []byte) string {
	digest := sha256.Sum256(value)
	return hex.EncodeToString(digest[:])
}

// foreign are the headers that are not Tarn's own.
func foreign(headers []record.Header) (out []record.Header) {
	for _, h := range headers {
		if !strings.HasPrefix(h.Key, record.OwnPrefix) {
			out = append(out, h)
		}
	}
	return out
}
