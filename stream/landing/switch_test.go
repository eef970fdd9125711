package landing_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// packed is a batch as a client with a codec sends it (Kafka protocol guide, "Record Batch").
func packed(t *testing.T, codec byte, values ...string) record.Batch {
	t.Helper()
	var list []record.Record
	for _, v := range values {
		list = append(list, record.Record{Timestamp: 1_700_000_000_000, Key: []byte("k"), Value: []byte(v)})
	}
	b := record.Encode(list)
	const header = 61
	var body bytes.Buffer
	through := func(w io.WriteCloser) {
		if _, err := w.Write(b[header:]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	switch codec {
	case 0:
		return b
	case 1:
		through(gzip.NewWriter(&body))
	case 2:
		body.Write(s2.EncodeSnappy(nil, b[header:]))
	case 3:
		through(lz4.NewWriter(&body))
	case 4:
		w, err := zstd.NewWriter(&body)
		if err != nil {
			t.Fatal(err)
		}
		through(w)
	}
	out := append(bytes.Clone(b[:header]), body.Bytes()...)
	out[22] |= codec
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-12)) //nolint:gosec // a few bytes
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

func (r *rig) land(t tb, topic, value string) {
	t.Helper()
	top, err := r.bus.Topic(topic)
	if err != nil {
		t.Fatalf("%v", err)
	}
	c, err := top.Config().With(bus.SettingLand, value)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := r.bus.AlterTopic(r.ctx, topic, c); err != nil {
		t.Fatalf("%v", err)
	}
}

// TestLandingIsSwitchedOnLater: what came before, packed by any codec, lands from the log's start on.
func TestLandingIsSwitchedOnLater(t *testing.T) {
	r := newRig(t)
	top := r.topic(t, "gate.events", bus.TopicConfig{})
	p := top.Partitions()[0]
	put := func(b record.Batch) {
		t.Helper()
		if _, err := p.Append(r.ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	r.run()
	for codec := range byte(5) {
		put(packed(t, codec, `{"n":`+string('0'+codec)+`}`, `no object`))
	}
	if one := r.line("gate.events"); one.Topic != "" {
		t.Fatalf("it lands already: %+v", one)
	}
	r.land(t, "gate.events", "true")
	one := r.settled(t, top)
	if rows := r.lake.rows("bronze.gate_events"); len(rows) != 10 || rows[0]["_offset"] != int64(0) || one.Misfits != 5 || rows[1]["_value"] == nil {
		t.Fatalf("%v, %+v", rows, one)
	}
	// Off: nothing lands, and nothing is held.
	r.land(t, "gate.events", "false")
	r.wait(t, func() bool { return r.line("gate.events").Topic == "" }, func() any { return r.line("gate.events") })
	put(packed(t, 0, `{"n":10}`))
	put(packed(t, 0, `{"n":11}`))
	if err := p.Trim(r.ctx, 11); err != nil || p.LogStart() != 11 {
		t.Fatalf("log starts at %d, %v", p.LogStart(), err)
	}
	// On again: it goes on behind what left the log meanwhile, and says so.
	r.land(t, "gate.events", "true")
	one = r.settled(t, top)
	rows := r.lake.rows("bronze.gate_events")
	if len(rows) != 11 || rows[10]["n"] != int64(11) {
		t.Fatalf("%v", rows)
	}
	if one.State != "landing" || !strings.Contains(strings.Join(one.Findings, ""), "left the log while it did not land") {
		t.Fatalf("%+v", one)
	}
}

func TestPartitionsThatAreAddedLand(t *testing.T) {
	r := newRig(t)
	top := r.topic(t, "gate.events", bus.TopicConfig{Land: true})
	put := func(n int, value string) {
		t.Helper()
		if _, err := top.Partitions()[n].Append(r.ctx, packed(t, 0, value)); err != nil {
			t.Fatal(err)
		}
	}
	r.run()
	put(0, `{"n":1}`)
	r.settled(t, top)
	if err := r.bus.AddPartitions(r.ctx, "gate.events", 3); err != nil {
		t.Fatal(err)
	}
	top, err := r.bus.Topic("gate.events")
	if err != nil {
		t.Fatal(err)
	}
	put(2, `{"n":2}`)
	put(0, `{"n":3}`)
	r.settled(t, top)
	if rows := r.lake.rows("bronze.gate_events"); len(rows) != 3 {
		t.Fatalf("%v", rows)
	}
	if err := top.Partitions()[2].Trim(r.ctx, -1); err != nil || top.Partitions()[2].LogStart() != 1 {
		t.Fatalf("log starts at %d, %v", top.Partitions()[2].LogStart(), err)
	}
}
