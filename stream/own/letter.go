package own

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"tarn/embedded/record"
)

// letterBytesMax is of a dead letter as it is rendered; what it carries is cut for it, and its
// error says so.
const letterBytesMax = 8 << 20

// CutWords are in the error of a letter that does not carry all of its record.
const CutWords = "is cut; it is whole in the topic"

// Letter is a record that could not be taken, and why.
type Letter struct {
	Partition int32
	Record    *record.Record
	Why       string
}

// Letters appends letters of one topic to tarn.dead_letter, before the reader's offset moves. A
// record's source is its topic, partition and reader, its place the offset, so that a crash between
// the two does not double it. Those of one partition are in the order of their offsets. by is who refused them, for a person.
func (t Topics) Letters(ctx context.Context, topic, reader, by, incarnation string, letters []Letter, at time.Time) error {
	parts := map[int32][]Out{}
	for _, d := range letters {
		value, err := d.render(topic, by, at)
		if err != nil {
			return err
		}
		headers := errorHeaders(topic, by, "VALUE_CONVERTER", d.Why,
			record.Header{Key: errorPrefix + "partition", Value: strconv.AppendInt(nil, int64(d.Partition), 10)},
			record.Header{Key: errorPrefix + "offset", Value: strconv.AppendInt(nil, d.Record.Offset, 10)})
		parts[d.Partition] = append(parts[d.Partition], Out{record.Hex16(d.Record.Offset), record.Record{Timestamp: at.UnixMilli(), Value: value, Headers: headers}})
	}
	for partition, list := range parts {
		source := fmt.Sprintf("dead:%s:%d:%s", topic, partition, reader)
		if err := t[DeadLetter].Append(ctx, source, incarnation, list); err != nil {
			return fmt.Errorf("append to %s: %w", DeadLetter, err)
		}
	}
	return nil
}

// errorPrefix begins the names of the headers that Kafka Connect gives to dead letters (KIP-298), by which its users' programs
// find where one came from. Those of Java's classes and stack are not there.
const errorPrefix = "__connect.errors."

// errorHeaders are a letter's: by is who refused it, stage what Connect calls the step in which.
func errorHeaders(topic, by, stage, why string, more ...record.Header) []record.Header {
	return append([]record.Header{
		{Key: errorPrefix + "topic", Value: []byte(topic)},
		{Key: errorPrefix + "connector.name", Value: []byte(by)},
		{Key: errorPrefix + "stage", Value: []byte(stage)},
		{Key: errorPrefix + "exception.message", Value: []byte(cut(why, errorHeaderMax))},
	}, more...)
}

// errorHeaderMax bounds a header, in bytes.
const errorHeaderMax = 4096

func (d *Letter) render(topic, by string, at time.Time) ([]byte, error) {
	type header struct {
		Key   string  `json:"key"`
		Value *string `json:"value"`
	}
	headers := []header{}
	for _, h := range d.Record.Headers {
		headers = append(headers, header{h.Key, Text(h.Value)})
	}
	headerText, err := JSON(headers)
	if err != nil {
		return nil, err
	}
	key, value, why := cut(d.Record.Key, letterBytesMax), cut(d.Record.Value, letterBytesMax), cut(d.Why, letterBytesMax/8)
	for {
		out, err := JSON(struct {
			Topic     string  `json:"topic"`
			Partition int32   `json:"partition"`
			Offset    int64   `json:"offset"`
			At        string  `json:"at"`
			Error     string  `json:"error"`
			Key       *string `json:"key"`
			Value     *string `json:"value"`
			Headers   string  `json:"headers"`
			Reader    string  `json:"reader"`
		}{topic, d.Partition, d.Record.Offset, at.Format(time.RFC3339Nano), why, Text(key), Text(value), string(headerText), by})
		if err != nil || len(out) <= letterBytesMax {
			return out, err
		}
		why = fmt.Sprintf("%s (the record of %d bytes %s)", cut(d.Why, letterBytesMax/8), len(d.Record.Key)+len(d.Record.Value), CutWords)
		switch longest := max(len(key), len(value), len(headerText)); longest {
		case len(value):
			value = value[:longest/2]
		case len(key):
			key = key[:longest/2]
		default:
			headerText = []byte("[]")
		}
	}
}

// cut is at most so many bytes of a text.
func cut[T []byte | string](text T, bytes int) T { return text[:min(len(text), bytes)] }

// Text is bytes as text, nil for null; what is not UTF-8 as \x and hex digits.
func Text(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	if !utf8.Valid(b) {
		s = `\x` + hex.EncodeToString(b)
	}
	return &s
}
