package transform

import (
	"slices"
	"strings"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

var unwrapKeys = []string{
	"delete.tombstone.handling.mode", "add.fields", "add.fields.prefix", "add.headers", "add.headers.prefix", "route.by.field", "drop.fields.header.name", "drop.fields.from.key",
	"drop.fields.keep.schema.compatible", "replace.null.with.default",
}

// The modes in which a delete and its tombstone are written.
const (
	deleteDrop          = "drop"
	deleteTombstone     = "tombstone"
	deleteRewrite       = "rewrite"
	deleteRewriteBoth   = "rewrite-with-tombstone"
	deleteToTombstone   = "delete-to-tombstone"
	deletedField        = "__deleted"
	addedPrefix         = "__"
	envelopeSource      = "source"
	envelopeTransaction = "transaction"
)

// unwrap is Debezium's ExtractNewRecordState: the row after a change in the place of the change event.
type unwrap struct {
	deletes         string
	fields, headers []reference
	routeBy         string
}

// reference is a member of an event that is added under another name.
type reference struct{ in, name, as string }

func newUnwrap(o options) (step, error) {
	mode, err := o.choice("delete.tombstone.handling.mode", deleteTombstone, deleteDrop, deleteTombstone, deleteRewrite, deleteRewriteBoth, deleteToTombstone)
	if err != nil {
		return nil, err
	}
	if o.get("drop.fields.header.name", "") != "" {
		return nil, o.wrong("drop.fields.header.name", "leave fields out by ReplaceField", "is not supported")
	}
	return &unwrap{
		deletes: mode, routeBy: o.get("route.by.field", ""),
		fields:  references(o.list("add.fields"), o.get("add.fields.prefix", addedPrefix)),
		headers: references(o.list("add.headers"), o.get("add.headers.prefix", addedPrefix)),
	}, nil
}

// references reads "op", "source.ts_ms" and "op:operation".
func references(list []string, prefix string) (out []reference) {
	for _, text := range list {
		path, as, renamed := strings.Cut(text, ":")
		in, name, nested := strings.Cut(path, ".")
		if !nested {
			in, name = structOf(path), path
		}
		if !renamed {
			as = strings.ReplaceAll(path, ".", "_")
		}
		out = append(out, reference{in, name, prefix + as})
	}
	return out
}

// structOf is where in an event a member is that is named alone; "" for the event itself.
func structOf(name string) string {
	switch name {
	case "op", "ts_ms", "ts_us", "ts_ns":
		return ""
	case "id", "total_order", "data_collection_order":
		return envelopeTransaction
	}
	return envelopeSource
}

func (f reference) value(event object) []byte {
	if f.in != "" {
		event, _ = parse(event.get(f.in))
	}
	if v := event.get(f.name); v != nil {
		return v
	}
	return null
}

func (t *unwrap) apply(r *source.Record) bool {
	if r.Value == nil { // a tombstone
		return t.deletes == deleteRewriteBoth // in the other modes what becomes of the delete is enough
	}
	event, ok := parse(r.Value)
	op := unquoted(event.get("op"))
	if !ok || !slices.Contains([]string{"c", "u", "d", "r"}, op) {
		return true // no change event
	}
	for _, h := range t.headers {
		r.Headers = append(r.Headers, record.Header{Key: h.as, Value: []byte(unquoted(h.value(event)))})
	}
	text, deleted := event.get("after"), "false"
	if op == "d" {
		switch t.deletes {
		case deleteDrop:
			return false
		case deleteTombstone, deleteToTombstone:
			r.Value = nil
			return true
		}
		text, deleted = event.get("before"), "true"
	}
	row, _ := parse(text)
	if by := row.get(t.routeBy); t.routeBy != "" && !isNull(by) {
		r.Topic = unquoted(by)
	}
	if t.deletes == deleteRewrite || t.deletes == deleteRewriteBoth {
		row = append(row, member{deletedField, quoted(deleted)})
	}
	for _, f := range t.fields {
		row = append(row, member{f.as, f.value(event)})
	}
	r.Value = row.bytes()
	return true
}
