package pgoutput_test

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"tarn/ingest/cdc/postgres/pgoutput"
)

// bytes renders numbers by their width, texts with a zero behind, and bytes as they are.
func bytes(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case int16:
			b = binary.BigEndian.AppendUint16(b, uint16(p))
		case int32:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(p))
		case string:
			b = append(append(b, p...), 0)
		case []byte:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
		}
	}
	return b
}

var messages = map[string]struct {
	in   []byte
	want pgoutput.Message
}{
	"begin":  {bytes(byte('B'), int64(0x1_0000_0002), int64(5), int32(7)), pgoutput.Message{Kind: 'B', LSN: 0x1_0000_0002, At: 5, XID: 7}},
	"commit": {bytes(byte('C'), byte(0), int64(1), int64(2), int64(3)), pgoutput.Message{Kind: 'C', LSN: 1, End: 2, At: 3}},
	"origin": {bytes(byte('O'), int64(1), "other"), pgoutput.Message{Kind: 'O', LSN: 1, Name: "other"}},
	"relation": {
		bytes(byte('R'), int32(16384), "public", "calls", byte('d'), int16(2), byte(1), "id", int32(20), int32(-1), byte(0), "n", int32(1700), int32(655366)),
		pgoutput.Message{Kind: 'R', Relation: 16384, Schema: "public", Name: "calls", Identity: 'd', Columns: []pgoutput.Column{{true, "id", 20, -1}, {false, "n", 1700, 655366}}},
	},
	"insert": {
		bytes(byte('I'), int32(1), byte('N'), int16(3), byte('t'), []byte("a"), byte('n'), byte('b'), []byte{1}),
		pgoutput.Message{Kind: 'I', Relation: 1, After: []pgoutput.Cell{{'t', []byte("a")}, {Kind: 'n'}, {'b', []byte{1}}}},
	},
	"update": {
		bytes(byte('U'), int32(1), byte('K'), int16(1), byte('t'), []byte{}, byte('N'), int16(1), byte('u')),
		pgoutput.Message{Kind: 'U', Relation: 1, Old: 'K', Before: []pgoutput.Cell{{'t', []byte{}}}, After: []pgoutput.Cell{{Kind: 'u'}}},
	},
	"delete":        {bytes(byte('D'), int32(1), byte('O'), int16(1), byte('n')), pgoutput.Message{Kind: 'D', Relation: 1, Old: 'O', Before: []pgoutput.Cell{{Kind: 'n'}}}},
	"truncate":      {bytes(byte('T'), int32(2), byte(1), int32(8), int32(9)), pgoutput.Message{Kind: 'T', Relations: []uint32{8, 9}}},
	"message":       {bytes(byte('M'), byte(1), int64(4), "tarn", []byte("low")), pgoutput.Message{Kind: 'M', Transactional: true, LSN: 4, Name: "tarn", Content: []byte("low")}},
	"stream start":  {bytes(byte('S'), int32(7), byte(1)), pgoutput.Message{Kind: 'S', XID: 7, First: true}},
	"stream end":    {bytes(byte('E')), pgoutput.Message{Kind: 'E'}},
	"stream commit": {bytes(byte('c'), int32(7), byte(0), int64(1), int64(2), int64(3)), pgoutput.Message{Kind: 'c', XID: 7, LSN: 1, End: 2, At: 3}},
	"abort":         {bytes(byte('A'), int32(7), int32(8)), pgoutput.Message{Kind: 'A', XID: 7, Sub: 8}},
}

func TestMessages(t *testing.T) {
	for name, c := range messages {
		t.Run(name, func(t *testing.T) {
			var d pgoutput.Decoder
			got, err := d.Decode(c.in)
			if err != nil || !reflect.DeepEqual(*got, c.want) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if at, commits := pgoutput.Commits(c.in); commits != (got.Kind == 'B' || got.Kind == 'c') || commits && at != got.LSN {
				t.Fatalf("commits at %v, %t", at, commits)
			}
			for n := range c.in {
				var d pgoutput.Decoder
				if _, err := d.Decode(c.in[:n]); !errors.Is(err, pgoutput.ErrMalformed) {
					t.Fatalf("the first %d bytes: %v", n, err)
				}
			}
		})
	}
}

func TestChangesOfAStreamSayWhose(t *testing.T) {
	var d pgoutput.Decoder
	for _, c := range []struct {
		in  []byte
		xid uint32
	}{
		{bytes(byte('S'), int32(7), byte(1)), 7},
		{bytes(byte('I'), int32(8), int32(1), byte('N'), int16(1), byte('n')), 8},
		{bytes(byte('E')), 0},
		{bytes(byte('I'), int32(1), byte('N'), int16(1), byte('n')), 0},
		{bytes(byte('c'), int32(7), byte(0), int64(1), int64(2), int64(3)), 7},
	} {
		m, err := d.Decode(c.in)
		if err != nil || m.XID != c.xid {
			t.Fatalf("%q: %+v, %v", c.in[0], m, err)
		}
	}
}

func TestPlacesAndTimes(t *testing.T) {
	lsn, err := pgoutput.ParseLSN("1A/2B")
	if err != nil || lsn != 0x1A_0000_002B || lsn.String() != "1A/2B" {
		t.Fatal(lsn, err)
	}
	for _, s := range []string{"", "1", "x/1", "1/"} {
		if got, err := pgoutput.ParseLSN(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
	at := time.Date(2026, 11, 29, 1, 2, 3, 456000, time.UTC)
	if got := pgoutput.Time(pgoutput.Micros(at)); !got.Equal(at) {
		t.Fatal(got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range messages {
		f.Add(c.in, false)
		f.Add(c.in, true)
	}
	f.Fuzz(func(t *testing.T, in []byte, stream bool) {
		d := pgoutput.Decoder{InStream: stream}
		m, err := d.Decode(in)
		if err != nil && !errors.Is(err, pgoutput.ErrMalformed) {
			t.Fatal(err)
		}
		if err == nil && len(m.Columns)+len(m.After)+len(m.Before)+len(m.Relations) > len(in) {
			t.Fatalf("%d bytes became %+v", len(in), m)
		}
	})
}
