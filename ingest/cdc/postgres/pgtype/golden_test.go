package pgtype_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/cdc/postgres/pgtype"
)

// golden is one line of types.jsonl: what Debezium 3.5.0.Final made of a workload on PostgreSQL 15.
type golden struct {
	Topic      string
	Key, Value *struct {
		Schema, Payload json.RawMessage
	}
}

func goldens(t *testing.T) (out []golden) {
	t.Helper()
	f, err := os.Open("../testdata/types.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(z)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var g golden
		if err := json.Unmarshal(in.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// attrs are the columns of the workload's tables, by the schema that postgres-schema.sql makes.
func attrs() map[string][]pgtype.Attr {
	id := pgtype.Attr{Name: "id", OID: 23, Typmod: -1, NotNull: true, Key: 1}
	plain := func(name string, oid uint32) pgtype.Attr { return pgtype.Attr{Name: name, OID: oid, Typmod: -1} }
	mod := func(name string, oid uint32, typmod int32) pgtype.Attr {
		return pgtype.Attr{Name: name, OID: oid, Typmod: typmod}
	}
	day := pgtype.Attr{Name: "day", OID: 1082, Typmod: -1, NotNull: true, Key: 2}
	part := []pgtype.Attr{id, day, plain("v", 25)}
	toast := []pgtype.Attr{id, plain("big", 25), plain("v", 23)}
	return map[string][]pgtype.Attr{
		"nopk": {plain("a", 23), plain("b", 25), {Name: "z", OID: 23, Typmod: -1, Default: "5"}},
		"pkc": {
			{Name: "a", OID: 23, Typmod: -1, NotNull: true, Key: 2},
			{Name: "b", OID: 25, Typmod: -1, NotNull: true, Key: 1},
			plain("c", 25),
			{Name: "d", OID: 23, Typmod: -1, Default: "1"},
			{Name: "dd", OID: 23, Typmod: -1, Default: "1"},
		},
		"full_t": toast, "toast_t": toast, "part": part, "part1": part,
		"t": {
			{Name: "id", OID: 20, Typmod: -1, NotNull: true, Key: 1, Default: "nextval('t_id_seq'::regclass)"},
			plain("i2", 21),
			{Name: "i4", OID: 23, Typmod: -1, NotNull: true, Default: "7"},
			plain("i8", 20), plain("f4", 700), plain("f8", 701), plain("n", 1700), mod("n102", 1700, numericMod(10, 2)), mod("n50", 1700, numericMod(5, 0)),
			plain("m", 790), plain("b", 16), mod("c", 1042, 9), mod("vc", 1043, 24), plain("tx", 25), plain("by", 17), plain("d", 1082), plain("t", 1083),
			mod("t3", 1083, 3), plain("tz", 1266), plain("ts", 1114), mod("ts3", 1114, 3), mod("ts0", 1114, 0), plain("tstz", 1184), plain("iv", 1186),
			plain("u", 2950), plain("j", 114), plain("jb", 3802), plain("x", 142), plain("e", 90000), plain("ia", 1007), plain("ta", 1009),
			mod("na", 1231, numericMod(10, 2)), plain("ea", 90001), plain("dom", 90002), plain("ip", 869), plain("cd", 650), plain("mac", 829),
			mod("bt", 1560, 1), mod("b8", 1560, 8), mod("vb", 1562, 10), plain("pt", 600), plain("r4", 3904), plain("tsr", 3910), plain("hs", 90004),
			plain("ci", 90003), plain("lt", 90005), plain("tsv", 3614), plain("bx", 603), plain("o", 26), plain("ad", 90006), plain("g", 23),
		},
	}
}

// schemaOf is the schema of a table of which the event has just these columns.
func schemaOf(t *testing.T, types pgtype.Catalog, table string, row json.RawMessage) *record.Schema {
	t.Helper()
	s := &record.Schema{Database: "types", Schema: "public", Table: table}
	for _, a := range attrs()[table] {
		c, known := types.Codec(a, pgtype.Modes{})
		if known && bytes.Contains(row, []byte(`"`+a.Name+`":`)) {
			s.Columns = append(s.Columns, c.Column)
		}
	}
	return s
}

// event is what is read of a golden payload to render it again.
type event struct {
	Before, After json.RawMessage
	Source        struct {
		Version, Connector, Name, Snapshot, DB, Schema, Table string

		Sequence string
		TSNanos  int64 `json:"ts_ns"`
		TxID     int64 `json:"txId"`
		LSN      uint64
	}
	Transaction *struct {
		ID    string
		Order int64 `json:"total_order"`
		Table int64 `json:"data_collection_order"`
	}
	Op      string
	TSMilli int64 `json:"ts_ms"`
	TSNanos int64 `json:"ts_ns"`
	Message struct {
		Prefix  string
		Content []byte
	}
	// Of the topic of transactions.
	Status string
	ID     string
	Count  int64 `json:"event_count"`
	Tables []struct {
		Name  string `json:"data_collection"`
		Count int64  `json:"event_count"`
	} `json:"data_collections"`
}

func (e *event) source(t *testing.T) *envelope.Source {
	t.Helper()
	src := &envelope.Source{
		Version: e.Source.Version, Connector: e.Source.Connector, Name: e.Source.Name, Snapshot: e.Source.Snapshot, Database: e.Source.DB,
		Schema: e.Source.Schema, Table: e.Source.Table, TSNanos: e.Source.TSNanos, Postgres: &envelope.PostgresPlace{TxID: e.Source.TxID, LSN: e.Source.LSN},
	}
	if e.Transaction != nil {
		src.Transaction = &envelope.Transaction{ID: e.Transaction.ID, Order: e.Transaction.Order, TableOrder: e.Transaction.Table}
	}
	var sequence []json.RawMessage
	if err := json.Unmarshal([]byte(e.Source.Sequence), &sequence); err != nil || len(sequence) != 2 {
		t.Fatalf("sequence %q: %v", e.Source.Sequence, err)
	}
	if text := strings.Trim(string(sequence[0]), `"`); text != "null" {
		if err := json.Unmarshal([]byte(text), &src.Postgres.CommitLSN); err != nil {
			t.Fatal(err)
		}
	}
	return src
}

// TestEveryRecordedEventIsRenderedAgain reads each event that Debezium wrote into rows, by the schema that pgtype makes of the
// table, and renders these rows: keys, values and both schemas are Debezium's to the byte.
func TestEveryRecordedEventIsRenderedAgain(t *testing.T) {
	types := catalog(t)
	events := goldens(t)
	if len(events) != 96 {
		t.Fatalf("%d events", len(events))
	}
	for n, g := range events {
		key, value, frame := rendered(t, types, &g)
		for _, part := range []struct {
			name  string
			want  *struct{ Schema, Payload json.RawMessage }
			frame []byte
			got   []byte
		}{{"key", g.Key, frame.Key, key}, {"value", g.Value, frame.Value, value}} {
			var want []byte
			if part.want != nil {
				want = []byte(`{"schema":` + string(part.want.Schema) + `,"payload":` + string(part.want.Payload) + `}`)
			}
			got := envelope.Wrap(part.frame, part.got)
			if got, want := exponents.Replace(string(got)), exponents.Replace(string(want)); got != want {
				t.Errorf("event %d of %s: %s\ngot  %.3000s\nwant %.3000s", n+1, g.Topic, part.name, got, want)
			}
		}
	}
}

// exponents takes a difference away that no reader of JSON sees.
var exponents = strings.NewReplacer("1e+308", "1.0E308")

func rendered(t *testing.T, types pgtype.Catalog, g *golden) (key, value []byte, frame envelope.Frame) {
	t.Helper()
	table := g.Topic[strings.LastIndexByte(g.Topic, '.')+1:]
	if g.Value == nil { // a tombstone, whose schema of the key is that of the delete before it
		s := schemaOf(t, types, table, g.Key.Payload)
		return envelope.AppendKey(nil, s, decoded(t, s, g.Key.Payload)), nil, envelope.FrameOf(s, g.Topic, true)
	}
	var e event
	if err := json.Unmarshal(g.Value.Payload, &e); err != nil {
		t.Fatal(err)
	}
	switch table {
	case "transaction":
		b := envelope.Boundary{ID: e.ID, End: e.Status == "END", Events: e.Count, TSMillis: e.TSMilli}
		for _, c := range e.Tables {
			b.Tables = append(b.Tables, envelope.TableEvents{Table: c.Name, Events: c.Count})
		}
		return envelope.AppendBoundaryKey(nil, &b), envelope.AppendBoundary(nil, &b), envelope.BoundaryFrame()
	case "message":
		return envelope.AppendMessageKey(nil, e.Message.Prefix),
			envelope.AppendMessage(nil, e.source(t), e.Message.Prefix, e.Message.Content, e.TSMilli*1_000_000), envelope.MessageFrame()
	}
	row := e.After
	if string(row) == "null" {
		row = e.Before
	}
	s := schemaOf(t, types, table, row)
	before, after := decoded(t, s, e.Before), decoded(t, s, e.After)
	if before != nil {
		key = envelope.AppendKey(nil, s, before)
	}
	if after != nil {
		key = envelope.AppendKey(nil, s, after)
	}
	return key, envelope.Append(nil, s, e.source(t), e.Op[0], before, after, e.TSNanos), envelope.FrameOf(s, g.Topic, true)
}

func decoded(t *testing.T, s *record.Schema, object json.RawMessage) record.Row {
	t.Helper()
	if string(object) == "null" {
		return nil
	}
	row, extra, err := envelope.Decode(s, object, nil)
	if err != nil || extra != nil {
		t.Fatalf("%v, %s", err, extra)
	}
	return row
}
