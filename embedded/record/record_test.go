package record_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"tarn/embedded/record"
)

// some draws records as sources and producers make them; offsets count from 0.
func some() *rapid.Generator[[]record.Record] {
	blob := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 300))
	name := rapid.OneOf(rapid.SampledFrom([]string{record.HeaderPos, "b"}), rapid.String())
	header := rapid.Custom(func(t *rapid.T) record.Header {
		return record.Header{Key: name.Draw(t, "key"), Value: blob.Draw(t, "value")}
	})
	return rapid.Custom(func(t *rapid.T) []record.Record {
		out := make([]record.Record, rapid.IntRange(1, 20).Draw(t, "records"))
		for i := range out {
			out[i] = record.Record{
				Offset: int64(i), Timestamp: rapid.Int64Range(-1, math.MaxInt64/2).Draw(t, "timestamp"),
				Key: blob.Draw(t, "key"), Value: blob.Draw(t, "value"), Headers: rapid.SliceOfN(header, 0, 3).Draw(t, "headers"),
			}
			if len(out[i].Headers) == 0 {
				out[i].Headers = nil
			}
		}
		return out
	})
}

func TestRecordsSurviveEncodingAndAnyBaseOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := some().Draw(t, "records")
		base := rapid.Int64Range(0, math.MaxInt64/2).Draw(t, "base")
		encoded := record.Encode(want)
		encoded.SetBase(base)
		b, rest, err := record.Cut(append(slices.Clone([]byte(encoded)), "rest"...))
		if err != nil || string(rest) != "rest" {
			t.Fatalf("rest %q, %v", rest, err)
		}
		newest := int64(math.MinInt64)
		for i := range want {
			want[i].Offset += base
			newest = max(newest, want[i].Timestamp)
		}
		got, err := b.Records()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, %v", got, err)
		}
		var first, each [][]byte
		for i := range want {
			if v, ok := want[i].Header(record.HeaderPos); ok {
				first = append(first, v)
			}
		}
		if err := b.EachHeader(record.HeaderPos, func(v []byte) error { each = append(each, v); return nil }); err != nil || !reflect.DeepEqual(each, first) {
			t.Fatalf("headers %v, %v", each, err)
		}
		if b.Base() != base || b.Next() != base+int64(len(want)) || b.MaxTimestamp() != newest || b.Control() || b.Transactional() {
			t.Fatalf("header of %v", b)
		}
		if id, epoch, sequence := b.Producer(); id != -1 || epoch != -1 || sequence != -1 {
			t.Fatalf("producer %d %d %d", id, epoch, sequence)
		}
	})
}

// TestKafkaReadsWhatWeWrite holds the encoding against an independent reading of
// Kafka's format, and the decoding against an independent writing.
func TestKafkaReadsWhatWeWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := some().Draw(t, "records")
		ours := record.Encode(want)
		var theirs kmsg.RecordBatch
		if err := theirs.ReadFrom(ours); err != nil {
			t.Fatal(err)
		}
		if int(theirs.NumRecords) != len(want) || theirs.Magic != 2 || int(theirs.Length) != len(ours)-12 || theirs.CRC != int32(crc32.Checksum(ours[21:], crc32.MakeTable(crc32.Castagnoli))) { //nolint:gosec // two's complement on the wire
			t.Fatalf("batch is %+v", theirs)
		}
		var records []byte
		for left, i := theirs.Records, 0; len(left) > 0; i++ {
			n, size := binary.Varint(left)
			var r kmsg.Record
			if err := r.ReadFrom(left[:size+int(n)]); err != nil {
				t.Fatal(err)
			}
			same(t, &r, &want[i], i, theirs.FirstTimestamp)
			records, left = r.AppendTo(records), left[size+int(n):]
		}
		theirs.Records = records
		if !bytes.Equal(theirs.AppendTo(nil), ours) {
			t.Fatal("an independent writer makes other bytes")
		}
	})
}

func same(t *rapid.T, r *kmsg.Record, want *record.Record, i int, first int64) {
	headers := make([]record.Header, 0, len(r.Headers))
	for _, h := range r.Headers {
		headers = append(headers, record.Header{Key: h.Key, Value: h.Value})
	}
	if int(r.OffsetDelta) != i || first+r.TimestampDelta64 != want.Timestamp || !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) ||
		(r.Key == nil) != (want.Key == nil) || (r.Value == nil) != (want.Value == nil) || len(headers) != len(want.Headers) {
		t.Fatalf("record %d is %+v, want %+v", i, r, want)
	}
	for n := range headers {
		if headers[n].Key != want.Headers[n].Key || !bytes.Equal(headers[n].Value, want.Headers[n].Value) {
			t.Fatalf("header %d is %v, want %v", n, headers[n], want.Headers[n])
		}
	}
}

// packed re-encodes a batch under one of Kafka's codecs, as a producer's client does.
func packed(t testing.TB, b record.Batch, codec byte) record.Batch {
	t.Helper()
	body := []byte(b[61:])
	var out bytes.Buffer
	var err error
	switch codec {
	case 0:
		out.Write(body)
	case 1:
		w := gzip.NewWriter(&out)
		_, err = w.Write(body)
		err = errors.Join(err, w.Close())
	case 2:
		out.Write(s2.EncodeSnappy(nil, body))
	case 3:
		w := lz4.NewWriter(&out)
		_, err = w.Write(body)
		err = errors.Join(err, w.Close())
	case 4:
		var w *zstd.Encoder
		if w, err = zstd.NewWriter(nil); err == nil {
			out.Write(w.EncodeAll(body, nil))
			err = w.Close()
		}
	case 5: // Java's frame round Snappy
		codec = 2
		block := s2.EncodeSnappy(nil, body)
		out.Write([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1})
		_ = binary.Write(&out, binary.BigEndian, int32(len(block))) //nolint:gosec // small
		out.Write(block)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := append(slices.Clone([]byte(b[:61])), out.Bytes()...)
	p[22] |= codec
	return sealed(p)
}

// sealed sets the length and checksum of a batch that was changed.
func sealed(p []byte) record.Batch {
	binary.BigEndian.PutUint32(p[8:], uint32(len(p)-12)) //nolint:gosec // small
	binary.BigEndian.PutUint32(p[17:], crc32.Checksum(p[21:], crc32.MakeTable(crc32.Castagnoli)))
	return p
}

func TestEveryCodecOfKafkaIsRead(t *testing.T) {
	want := []record.Record{{Timestamp: 5, Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 1000)}, {Offset: 1, Timestamp: 6}}
	for codec := byte(1); codec <= 5; codec++ {
		b, _, err := record.Cut(packed(t, record.Encode(want), codec))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Records(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("codec %d: got %v, %v", codec, got, err)
		}
	}
}

func TestMarksAreControlBatches(t *testing.T) {
	want := record.Mark{Kind: record.SnapshotEnd, Generation: 7, Schema: 3, Pos: "s/i/0001"}
	b, _, err := record.Cut(record.EncodeMark(want, 42))
	if err != nil || !b.Control() || b.Count() != 1 || b.MaxTimestamp() != 42 {
		t.Fatalf("%v, %v", b, err)
	}
	if got, ok, err := b.Mark(); got != want || !ok || err != nil {
		t.Fatalf("got %v %t %v", got, ok, err)
	}
	for name, other := range map[string]record.Batch{
		"data":   record.Encode([]record.Record{{Timestamp: 1}}),
		"commit": record.EncodeControl(1, 1, []byte{0, 0, 0, 0, 0, 0}),
	} {
		if _, ok, err := other.Mark(); ok || err != nil {
			t.Errorf("%s: %t %v", name, ok, err)
		}
	}
}

func TestAnyFlippedBitAndAnyCutIsFound(t *testing.T) {
	b := record.Encode([]record.Record{{Timestamp: 1, Key: []byte("key"), Value: []byte("value")}})
	for i := 16; i < len(b); i++ { // base offset, length and epoch lie outside the checksum
		bad := slices.Clone(b)
		bad[i] ^= 0x10
		if _, _, err := record.Cut(bad); !errors.Is(err, record.ErrCorrupt) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	for n := range b {
		if _, _, err := record.Cut(b[:n]); !errors.Is(err, record.ErrShort) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
	got, err := record.Split(slices.Concat(b, b, b[:20]))
	if len(got) != 2 || !errors.Is(err, record.ErrShort) {
		t.Fatalf("got %d batches, %v", len(got), err)
	}
}

func TestPositionsAndOffsets(t *testing.T) {
	for _, s := range []string{"", "a", "a/b", "/b/c", "a/b/"} {
		if _, err := record.ParsePos(s); err == nil {
			t.Errorf("%q is no position", s)
		}
		if source, ok := record.SourceOf([]byte(s)); ok {
			t.Errorf("%q has source %q", s, source)
		}
	}
	p, err := record.ParsePos("s/i/" + record.Hex16(10) + "/x")
	if err != nil || p != (record.Pos{Source: "s", Incarnation: "i", Place: "000000000000000a/x"}) || p.String() != "s/i/000000000000000a/x" {
		t.Fatalf("%v %v", p, err)
	}
	if source, ok := record.SourceOf([]byte(p.String())); !ok || string(source) != p.Source {
		t.Fatalf("%q %v", source, ok)
	}
	if q := (record.Pos{Place: record.Hex16(9)}); !p.After(q) || q.After(p) || p.After(p) {
		t.Fatal("places do not compare")
	}
	o := record.Offsets{}
	o.Set("t", 0, record.PartitionOffsets{Next: 5})
	o.Raise(record.Offsets{"t": {"0": {Next: 4}, "1": {Next: 2}}, "u": {"0": {Next: 1}}})
	if fmt.Sprint(o.At("t", 0).Next, o.At("t", 1).Next, o.At("u", 0).Next, o.At("none", 3).Next) != "5 2 1 0" {
		t.Fatalf("got %v", o)
	}
}

// seeds are batches of every kind, and ruins of them.
func seeds(f *testing.F) [][]byte {
	plain := record.Encode([]record.Record{
		{Timestamp: 1, Key: []byte("k"), Value: []byte("v"), Headers: []record.Header{{Key: record.HeaderPos, Value: []byte("s/i/1")}, {Key: "nil"}}},
		{Timestamp: -5},
	})
	out := [][]byte{nil, plain, plain[:30], record.Encode(nil), record.EncodeMark(record.Mark{Kind: record.SnapshotBegin, Pos: "s/i/1"}, 1), slices.Concat(plain, plain)}
	for codec := byte(1); codec <= 5; codec++ {
		out = append(out, packed(f, plain, codec))
	}
	lying := slices.Clone(plain)
	binary.BigEndian.PutUint32(lying[57:], 1<<30)
	return append(out, sealed(lying))
}

func FuzzCut(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		batches, err := record.Split(data)
		if err != nil && !errors.Is(err, record.ErrShort) && !errors.Is(err, record.ErrCorrupt) {
			t.Fatalf("an error of no kind: %v", err)
		}
		var whole []byte
		for _, b := range batches {
			whole = append(whole, b...)
			if b.LastDelta() < 0 || b.Count() < 0 {
				t.Fatalf("%d records to delta %d", b.Count(), b.LastDelta())
			}
		}
		if !bytes.HasPrefix(data, whole) || err == nil && len(whole) != len(data) {
			t.Fatal("the batches are not the bytes")
		}
	})
}

func FuzzRecords(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 61 {
			return
		}
		data = slices.Clone(data) // a checksum would keep all mutations out
		data[16] = 2
		b, _, err := record.Cut(sealed(data))
		if err != nil {
			return
		}
		if _, _, err := b.Mark(); err != nil && !errors.Is(err, record.ErrShort) && !errors.Is(err, record.ErrCorrupt) {
			t.Fatalf("an error of no kind: %v", err)
		}
		records, err := b.Records()
		if err != nil {
			if !errors.Is(err, record.ErrShort) && !errors.Is(err, record.ErrCorrupt) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if len(records) != int(b.Count()) {
			t.Fatalf("%d records, header says %d", len(records), b.Count())
		}
		again, err := record.Encode(records).Records()
		if err != nil || len(again) != len(records) {
			t.Fatalf("read back: %d records, %v", len(again), err)
		}
		for i := range again {
			if !bytes.Equal(again[i].Key, records[i].Key) || !bytes.Equal(again[i].Value, records[i].Value) || again[i].Timestamp != records[i].Timestamp {
				t.Fatalf("record %d: %v, was %v", i, again[i], records[i])
			}
		}
	})
}

func TestSurvey(t *testing.T) {
	key := []byte("k")
	for name, one := range map[string]struct {
		records []record.Record
		want    record.Survey
	}{
		"times":         {[]record.Record{{Timestamp: 5, Key: key}, {Timestamp: 9, Key: key}, {Timestamp: 3, Key: key}}, record.Survey{Newest: 9, Oldest: 3}},
		"one has none":  {[]record.Record{{Timestamp: -1, Key: key}, {Timestamp: 9, Key: key}}, record.Survey{Newest: 9, Oldest: 9}},
		"none has one":  {[]record.Record{{Timestamp: -1, Key: key}}, record.Survey{Newest: -1, Oldest: -1}},
		"without a key": {[]record.Record{{Timestamp: 1, Key: key}, {Timestamp: 1}}, record.Survey{Newest: 1, Oldest: 1, Keyless: true}},
	} {
		for codec := range byte(5) {
			if got, err := packed(t, record.Encode(one.records), codec).Survey(); err != nil || got != one.want {
				t.Errorf("%s, codec %d: %+v %v, want %+v", name, codec, got, err, one.want)
			}
		}
	}
	b := record.Encode([]record.Record{{Timestamp: 1, Key: key, Value: []byte("v")}})
	if _, err := sealed(b[:len(b)-1]).Survey(); !errors.Is(err, record.ErrCorrupt) {
		t.Errorf("a batch that is cut: %v", err)
	}
}
