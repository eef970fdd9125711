package transform

import (
	"encoding/json"

	"tarn/embedded/record/envelope"
	"tarn/embedded/record/jsonscan"
)

// member is one member of an object, its value as it stands.
type member struct {
	name  string
	value []byte
}

// object is a JSON object in its order.
type object []member

// parse takes an object apart; false for any other value.
func parse(text []byte) (object, bool) {
	if len(text) == 0 || text[0] != '{' {
		return nil, false
	}
	var s jsonscan.Scanner
	s.Reset(text)
	var out object
	for ok := s.Open(); ok; ok = s.More() {
		raw, escaped := s.Name()
		if escaped {
			raw = jsonscan.Unescape(nil, raw)
		}
		out = append(out, member{string(raw), s.Value().Raw})
	}
	return out, s.Err() == nil
}

// get is a member's value; nil where there is none.
func (o object) get(name string) []byte {
	for i := range o {
		if o[i].name == name {
			return o[i].value
		}
	}
	return nil
}

func (o object) bytes() []byte {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		out = envelope.AppendText(out, m.name)
		out = append(append(out, ':'), m.value...)
	}
	return append(out, '}')
}

func quoted(text string) []byte { return envelope.AppendText(nil, text) }

// null is what a value without one is.
var null = []byte("null")

func isNull(value []byte) bool { return value == nil || string(value) == "null" }

// unquoted is a JSON text without its quotes, and any other value as it stands.
func unquoted(value []byte) string {
	var text string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
