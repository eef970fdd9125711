package replay

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/stream/own"
)

// lookMax bounds the wait for a record that is in the log.
const lookMax = 10 * time.Second

// letter is a dead letter as its topic has it. One that a source found has no offset.
type letter struct {
	Number    int64  `json:"-"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    *int64 `json:"offset"`
	Error     string `json:"error"`
	Key       *string
	Value     *string
	Headers   string
	from      string // the incarnation of the place that the letter has: the id of its topic
}

// origin names the record that was refused; "" for one that has no place in a log.
func (l letter) origin() string {
	if l.Offset == nil || l.from == "" {
		return ""
	}
	return fmt.Sprintf("%s/%d/%d", l.from, l.Partition, *l.Offset)
}

// letter reads a letter by its number, which is its offset in its topic.
func (r *Replays) letter(ctx context.Context, number int64) (letter, error) {
	none := fault.Newf(fault.NotFound, "see the column letter of system.dead_letter", "there is no dead letter %d", number)
	t, err := r.o.Bus.Topic(own.DeadLetter)
	if errors.Is(err, bus.ErrNoTopic) {
		return letter{}, none
	}
	if err != nil {
		return letter{}, err
	}
	p := t.Partitions()[0]
	switch {
	case number < 0 || number >= p.Stable():
		return letter{}, none
	case number < p.LogStart():
		return letter{}, fault.Newf(fault.NotFound, "post its value to /ingest/ and its topic", "dead letter %d is no longer in the log of dead letters", number)
	}
	one, ok, err := read(ctx, p, number)
	if err != nil {
		return letter{}, err
	}
	if !ok {
		return letter{}, none
	}
	l := letter{Number: number}
	if err := json.Unmarshal(one.Value, &l); err != nil {
		return letter{}, fault.Wrap(err, fault.Damaged, fmt.Sprintf("read dead letter %d", number), "post what its record should be to /ingest/ and the topic")
	}
	if text, ok := one.Header(record.HeaderPos); ok {
		if pos, err := record.ParsePos(string(text)); err == nil {
			l.from = pos.Incarnation
		}
	}
	return l, nil
}

// read reads the record at an offset; false where there is none.
func read(ctx context.Context, p *bus.Partition, offset int64) (record.Record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookMax)
	defer cancel()
	reader := p.Reader(offset)
	defer reader.Close()
	got, err := reader.Next(ctx, 1)
	if errors.Is(err, bus.ErrOutOfRange) {
		return record.Record{}, false, nil
	}
	if err != nil {
		return record.Record{}, false, fmt.Errorf("read topic %s offset %d: %w", p.Topic().Name(), offset, err)
	}
	for _, b := range got.Batches {
		if b.Control() {
			continue
		}
		list, err := b.Records()
		if err != nil {
			return record.Record{}, false, err
		}
		for i := range list {
			if list[i].Offset == offset {
				return list[i], true, nil
			}
		}
	}
	return record.Record{}, false, nil
}

// target is the partition that a letter's record goes to, or why it goes nowhere.
func (r *Replays) target(l letter) (*bus.Partition, error) {
	if strings.HasPrefix(l.Topic, record.OwnPrefix) {
		return nil, fault.Newf(fault.Denied, "Tarn alone writes it", "the topic %s is Tarn's own", l.Topic)
	}
	t, err := r.o.Bus.Topic(l.Topic)
	if errors.Is(err, bus.ErrNoTopic) {
		return nil, fault.Newf(fault.NotFound, "post the value to /ingest/"+l.Topic+", which makes the topic", "the topic %s of dead letter %d is no longer there", l.Topic, l.Number)
	}
	if err != nil {
		return nil, err
	}
	c, parts := t.Config(), t.Partitions()
	if c.Source != "" && !c.Plain {
		return nil, fault.Newf(fault.Conflict, "mend the row in the source: its next change comes by itself",
			"topic %s has the changes of a database alone, or its mirror would differ from it", l.Topic)
	}
	if l.Partition < 0 || int(l.Partition) >= len(parts) {
		return nil, fault.Newf(fault.NotFound, "post the value to /ingest/"+l.Topic, "topic %s has no partition %d any more", l.Topic, l.Partition)
	}
	return parts[l.Partition], nil
}

// record is what is sent: the record as it was, with another value where one was given.
func (r *Replays) record(ctx context.Context, p *bus.Partition, l letter, edited *string) (record.Record, error) {
	was, whole, err := l.record(ctx, p)
	if err != nil {
		return record.Record{}, err
	}
	sent := record.Record{Key: was.Key, Value: was.Value, Headers: foreign(was.Headers)}
	hint := fmt.Sprintf("write the record that it should be: REPLAY DEAD LETTER %d AS '{…}'", l.Number)
	if edited != nil {
		sent.Value, whole = []byte(*edited), true
	}
	if !whole {
		return record.Record{}, fault.Newf(fault.Invalid, hint, "dead letter %d has a part of its record alone, and the topic has it no longer", l.Number)
	}
	if l.Offset == nil {
		sent.Key = nil // it says where the piece was found
	}
	if edited != nil || l.Offset == nil {
		if err := object(sent.Value); err != nil {
			return record.Record{}, fault.Wrap(err, fault.Invalid, "the value is no JSON object", hint)
		}
	}
	return sent, nil
}

// record is the letter's record: as its topic has it, or else as the letter says, whole or not.
func (l letter) record(ctx context.Context, p *bus.Partition) (was record.Record, whole bool, err error) {
	if l.Offset != nil && l.from == p.Topic().Config().ID && *l.Offset >= p.LogStart() && *l.Offset < p.Stable() {
		was, ok, err := read(ctx, p, *l.Offset)
		if ok || err != nil {
			return was, true, err
		}
	}
	was = record.Record{Key: bytesOf(l.Key), Value: bytesOf(l.Value)}
	var headers []struct {
		Key   string
		Value *string
	}
	if l.Headers != "" {
		if err := json.Unmarshal([]byte(l.Headers), &headers); err != nil {
			return was, false, fault.Wrap(err, fault.Damaged, fmt.Sprintf("read the headers of dead letter %d", l.Number), "post what its record should be to /ingest/"+l.Topic)
		}
	}
	for _, h := range headers {
		was.Headers = append(was.Headers, record.Header{Key: h.Key, Value: bytesOf(h.Value)})
	}
	return was, !strings.Contains(l.Error, own.CutWords), nil
}

// bytesOf reads what own.Text wrote.
func bytesOf(text *string) []byte {
	if text == nil {
		return nil
	}
	if digits, ok := strings.CutPrefix(*text, `\x`); ok {
		if b, err := hex.DecodeString(digits); err == nil && !utf8.Valid(b) {
			return b
		}
	}
	return []byte(*text)
}

// object refuses what is no JSON object, as /ingest does.
func object(value []byte) error {
	if !utf8.Valid(value) {
		return errors.New("it is not UTF-8")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{")) {
		return errors.New("it does not begin with {")
	}
	var whole json.RawMessage
	return json.Unmarshal(value, &whole)
}
