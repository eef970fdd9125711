package transform

import (
	"regexp"
	"strings"

	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
	"tarn/ingest/source"
)

var outboxKeys = []string{
	"table.field.event.id", "table.field.event.key", "table.field.event.payload", "table.field.event.timestamp", "table.field.event.schema.version", "route.by.field", "route.topic.regex",
	"route.topic.replacement", "route.tombstone.on.empty.payload", "table.fields.additional.placement", "table.expand.json.payload", "table.op.invalid.behavior", "table.fields.additional.error.on.missing",
}

// outbox is Debezium's EventRouter: the rows that are inserted into a table of events become those events.
type outbox struct {
	id, key, payload, by string
	regex                *regexp.Regexp
	to                   string
	headers, members     []reference // as name -> as
	expand, empty        bool
}

func newOutbox(o options) (step, error) {
	t := &outbox{
		id: o.get("table.field.event.id", "id"), key: o.get("table.field.event.key", "aggregateid"), payload: o.get("table.field.event.payload", "payload"),
		by: o.get("route.by.field", "aggregatetype"), to: replacement(o.get("route.topic.replacement", "outbox.event.${routedByValue}")),
	}
	var err error
	if t.regex, err = o.pattern("route.topic.regex", "(?<routedByValue>.*)"); err != nil {
		return nil, err
	}
	if t.expand, err = o.bool("table.expand.json.payload", false); err != nil {
		return nil, err
	}
	if t.empty, err = o.bool("route.tombstone.on.empty.payload", false); err != nil {
		return nil, err
	}
	for _, text := range o.list("table.fields.additional.placement") {
		f := strings.Split(text, ":")
		if len(f) < 2 || len(f) > 3 {
			return nil, o.wrong("table.fields.additional.placement", "write column:header or column:envelope:name, separated by commas", "has %q", text)
		}
		to := reference{name: f[0], as: f[len(f)-1]}
		if len(f) == 2 {
			to.as = f[0]
		}
		switch f[1] {
		case "header":
			t.headers = append(t.headers, to)
		case "envelope":
			t.members = append(t.members, to)
		default:
			return nil, o.wrong("table.fields.additional.placement", "write header or envelope", "has the place %q", f[1])
		}
	}
	return t, nil
}

func (t *outbox) apply(r *source.Record) bool {
	event, ok := parse(r.Value)
	op := unquoted(event.get("op"))
	if r.Value == nil || ok && (op == "d" || op == "u") {
		return false // an event is inserted, and what becomes of its row then tells nobody anything
	}
	row, is := parse(event.get("after"))
	if !is {
		return true // no change event
	}
	r.Headers = append(r.Headers, record.Header{Key: "id", Value: []byte(unquoted(row.get(t.id)))})
	for _, h := range t.headers {
		if v := row.get(h.name); !isNull(v) {
			r.Headers = append(r.Headers, record.Header{Key: h.as, Value: []byte(unquoted(v))})
		}
	}
	r.Topic = renamed(t.regex, t.to, unquoted(row.get(t.by)))
	if r.Key = row.get(t.key); isNull(r.Key) {
		r.Key = nil
	}
	r.Value = t.body(row)
	return true
}

// body is the value of an event: its payload, beside which are the members that belong there.
func (t *outbox) body(row object) []byte {
	payload := row.get(t.payload)
	if isNull(payload) {
		payload = null
	}
	if t.expand && payload[0] == '"' {
		if text := []byte(unquoted(payload)); isJSON(text) {
			payload = text
		}
	}
	if isNull(payload) && t.empty {
		return nil
	}
	if len(t.members) == 0 {
		return payload
	}
	out := object{{"payload", payload}}
	for _, m := range t.members {
		v := row.get(m.name)
		if v == nil {
			v = null
		}
		out = append(out, member{m.as, v})
	}
	return out.bytes()
}

// isJSON tells whether a text is an object or a list.
func isJSON(text []byte) bool {
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	var s jsonscan.Scanner
	s.Reset(text)
	s.Value()
	return s.End() == nil
}
