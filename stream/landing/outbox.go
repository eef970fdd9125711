package landing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// The bounds of what landing appends itself.
const (
	outRecordsMax = 500
	outBytesMax   = 1 << 20
	outTriesMax   = 5
	deadBytesMax  = 8 << 20 // of a dead letter as it is rendered; what it carries is cut for it, and its error says so
)

// out is a record to append, with its place.
type out struct {
	place string
	r     record.Record
}

// appendOnce appends records in order of their places, each once: what the partition has
// from the source already, from before a crash or from a try whose answer was lost, is left out.
func appendOnce(ctx context.Context, to systemTopic, source, incarnation string, list []out) error {
	wait := backoffMin
	for tries := 0; ; {
		if last, ok := to.partition.Place(source); ok && last.Incarnation == incarnation {
			for len(list) > 0 && list[0].place <= last.Place {
				list = list[1:]
			}
		}
		if len(list) == 0 {
			return nil
		}
		n, bytes := 0, 0
		records := make([]record.Record, 0, min(len(list), outRecordsMax))
		for n < len(list) && n < outRecordsMax && (n == 0 || bytes+len(list[n].r.Value) <= outBytesMax) {
			r := list[n].r
			pos := record.Pos{Source: source, Incarnation: incarnation, Place: list[n].place}
			r.Headers = []record.Header{{Key: record.HeaderPos, Value: []byte(pos.String())}, {Key: record.HeaderSchema, Value: to.schema}}
			records = append(records, r)
			bytes += len(r.Value)
			n++
		}
		_, err := to.partition.Append(ctx, record.Encode(records))
		switch {
		case err == nil:
			list, tries, wait = list[n:], 0, backoffMin
		case !errors.Is(err, bus.ErrRetry) || tries == outTriesMax || ctx.Err() != nil:
			return err
		default:
			tries++
			pause(ctx, wait)
			wait = min(2*wait, backoffMax)
		}
	}
}

// letter is a record that a table could not take, and why.
type letter struct {
	partition int32
	r         *record.Record
	why       string
}

// deadLetters appends letters to tarn.dead_letter before the offset of their topic moves.
// A record's source is its topic, partition and reader, its place the offset, so that a
// crash between the two does not double it.
func (l *Landing) deadLetters(ctx context.Context, w *way, letters []letter) error {
	parts := map[int32][]out{}
	for _, d := range letters {
		value, err := d.render(w.key.topic, l.o.Clock.Now())
		if err != nil {
			return err
		}
		w.progress.finding("records go to system.dead_letter: " + d.why)
		parts[d.partition] = append(parts[d.partition], out{
			record.Hex16(d.r.Offset),
			record.Record{Timestamp: l.o.Clock.Now().UnixMilli(), Value: value},
		})
	}
	if len(letters) > 0 {
		w.log.Warn("records go to the dead letters", "records", len(letters),
			"partition", letters[0].partition, "offset", letters[0].r.Offset, "error", letters[0].why)
	}
	for partition, list := range parts {
		source := fmt.Sprintf("dead:%s:%d:%s", w.key.topic, partition, w.key.reader)
		if err := appendOnce(ctx, l.own.dead, source, w.config.ID, list); err != nil {
			return fmt.Errorf("append to %s: %w", deadLetterTopic, err)
		}
	}
	return nil
}

func (d *letter) render(topic string, at time.Time) ([]byte, error) {
	type header struct {
		Key   string  `json:"key"`
		Value *string `json:"value"`
	}
	headers := []header{}
	for _, h := range d.r.Headers {
		headers = append(headers, header{h.Key, pointer(h.Value)})
	}
	headerText, err := plainJSON(headers)
	if err != nil {
		return nil, err
	}
	key, value, why := cut(d.r.Key, deadBytesMax), cut(d.r.Value, deadBytesMax), cut(d.why, deadBytesMax/8)
	for {
		out, err := plainJSON(struct {
			Topic     string  `json:"topic"`
			Partition int32   `json:"partition"`
			Offset    int64   `json:"offset"`
			At        string  `json:"at"`
			Error     string  `json:"error"`
			Key       *string `json:"key"`
			Value     *string `json:"value"`
			Headers   string  `json:"headers"`
		}{topic, d.partition, d.r.Offset, at.Format(time.RFC3339Nano), why, pointer(key), pointer(value), string(headerText)})
		if err != nil || len(out) <= deadBytesMax {
			return out, err
		}
		why = fmt.Sprintf("%s (the record of %d bytes is cut; it is whole in the topic)", cut(d.why, deadBytesMax/8), len(d.r.Key)+len(d.r.Value))
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

// plainJSON renders without the escapes that only a web page needs.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// pointer is bytes as text, nil for null.
func pointer(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(text(b).B)
	return &s
}
