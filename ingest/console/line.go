package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The formats of lines.
const (
	formatValue = "value" // the value alone, or key and value with a separator
	formatJSON  = "json"  // line, as an object
)

// line is a record as JSON. What is no UTF-8 text is in the members in base64; null is Kafka's null.
type line struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp"`
	Key       *string   `json:"key"`
	KeyBytes  []byte    `json:"key_base64,omitempty"`
	Value     *string   `json:"value"`
	Bytes     []byte    `json:"value_base64,omitempty"`
	Headers   []header  `json:"headers"`
}

type header struct {
	Key   string  `json:"key"`
	Value *string `json:"value"`
	Bytes []byte  `json:"value_base64,omitempty"`
}

// text splits bytes into what a line has of them.
func text(b []byte) (text *string, raw []byte) {
	switch {
	case b == nil:
		return nil, nil
	case utf8.Valid(b):
		return new(string(b)), nil
	}
	return nil, b
}

// untext is text, undone.
func untext(text *string, raw []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	return raw
}

// appendJSON writes a record as a line.
func appendJSON(out *bytes.Buffer, r *kgo.Record) error {
	l := line{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Headers: []header{}}
	l.Key, l.KeyBytes = text(r.Key)
	l.Value, l.Bytes = text(r.Value)
	for _, h := range r.Headers {
		one := header{Key: h.Key}
		one.Value, one.Bytes = text(h.Value)
		l.Headers = append(l.Headers, one)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}

// parseJSON reads what appendJSON wrote. Where the record was does not count: it is a new one.
func parseJSON(text []byte) (*kgo.Record, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is more than one object")
	}
	r := &kgo.Record{Key: untext(l.Key, l.KeyBytes), Value: untext(l.Value, l.Bytes), Timestamp: l.Timestamp}
	for _, h := range l.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: untext(h.Value, h.Bytes)})
	}
	return r, nil
}

// parsePlain reads a line of the format value.
func (p *Produce) parsePlain(text []byte) (*kgo.Record, error) {
	r := &kgo.Record{Value: bytes.Clone(text)}
	if p.KeySeparator != "" {
		key, value, ok := bytes.Cut(r.Value, []byte(p.KeySeparator))
		if !ok {
			return nil, fmt.Errorf("it has no %q between key and value", p.KeySeparator)
		}
		r.Key, r.Value = key, value
	}
	if p.Tombstones && len(r.Value) == 0 {
		r.Value = nil
	}
	return r, nil
}
