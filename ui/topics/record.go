package topics

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"tarn/embedded/record"
)

// textMax bounds one key, value or header as it is shown.
const textMax = 64 << 10

// Record is one record as people read it.
type Record struct {
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	At        time.Time `json:"timestamp"`
	Key       Text      `json:"key"`
	Value     Text      `json:"value"`
	Headers   []Named   `json:"headers"`
	Change    string    `json:"change,omitempty"` // of Debezium's envelope: create, update, delete, read, truncate
}

// Text is bytes as text.
type Text struct {
	Format string `json:"format"` // null, json, text or hex
	Text   string `json:"text"`
	Bytes  int    `json:"bytes"`         // of all of it
	Cut    bool   `json:"cut,omitempty"` // Text is its beginning
}

// Named is a header.
type Named struct {
	Name  string `json:"name"`
	Value Text   `json:"value"`
}

func show(partition int32, r *record.Record) Record {
	out := Record{
		Partition: partition, Offset: r.Offset, At: time.UnixMilli(r.Timestamp).UTC(),
		Key: textOf(r.Key), Value: textOf(r.Value), Headers: []Named{}, Change: changeOf(r.Value),
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, Named{h.Key, textOf(h.Value)})
	}
	return out
}

func textOf(b []byte) Text {
	t := Text{Format: "null", Bytes: len(b)}
	if b == nil {
		return t
	}
	isJSON := json.Valid(b)
	if len(b) > textMax {
		b, t.Cut = b[:textMax], true
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) { // never half a character
			b = b[:len(b)-1]
		}
		if len(b) > 0 && !utf8.FullRune(b[len(b)-1:]) {
			b = b[:len(b)-1]
		}
	}
	switch {
	case isJSON:
		t.Format, t.Text = "json", string(b)
	case utf8.Valid(b) && !bytes.ContainsFunc(b, control):
		t.Format, t.Text = "text", string(b)
	default:
		t.Format, t.Text = "hex", hex.EncodeToString(b[:min(len(b), textMax/2)])
	}
	return t
}

func control(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }

// Pretty is JSON with its members on lines of their own; other text as it is.
func (t Text) Pretty() string {
	var out bytes.Buffer
	if t.Format != "json" || t.Cut || json.Indent(&out, []byte(t.Text), "", "  ") != nil {
		return t.Text
	}
	return out.String()
}

// envelope is what of Debezium's change events tells what a record is.
type envelope struct {
	Op            string          `json:"op"`
	Before, After json.RawMessage //nolint:tagliatelle // Debezium's names in lower case match
	Payload       *envelope       `json:"payload"`
}

var changes = map[string]string{"c": "create", "u": "update", "d": "delete", "r": "read", "t": "truncate"}

func envelopeOf(value []byte) *envelope {
	var e envelope
	if len(value) == 0 || value[0] != '{' || json.Unmarshal(value, &e) != nil {
		return nil
	}
	if e.Payload != nil {
		e = *e.Payload
	}
	if changes[e.Op] == "" || e.Before == nil && e.After == nil {
		return nil
	}
	return &e
}

func changeOf(value []byte) string {
	if e := envelopeOf(value); e != nil {
		return changes[e.Op]
	}
	return ""
}

// Line is the record in one line: of a change the row after it, or before a delete.
func (r Record) Line(raw bool) string {
	if !raw && r.Change != "" && !r.Value.Cut {
		if e := envelopeOf([]byte(r.Value.Text)); e != nil {
			row := e.After
			if len(row) == 0 || string(row) == "null" {
				row = e.Before
			}
			return OneLine(string(row))
		}
	}
	return OneLine(r.Value.Text)
}

// lineMax is what of a record one line of the page can show, in bytes.
const lineMax = 400

// OneLine is a text without its breaks, and its beginning if it is long.
func OneLine(s string) string {
	if len(s) > lineMax {
		s = strings.ToValidUTF8(s[:lineMax], "") + "…"
	}
	return strings.Join(strings.Fields(s), " ")
}

// holds tells whether the key or the value has text in it, in any case.
func holds(r *record.Record, find string) bool {
	if find == "" {
		return true
	}
	find = strings.ToLower(find)
	return strings.Contains(strings.ToLower(string(r.Key)), find) || strings.Contains(strings.ToLower(string(r.Value)), find)
}
