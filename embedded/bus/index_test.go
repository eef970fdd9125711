package bus

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// The index is tested from within: through the face it is seen only as speed.
func TestIndexFindsEveryOffsetHoweverCoarse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		var all []run
		var bytes int64
		seq, next := uint64(rapid.IntRange(1, 9).Draw(t, "first")), int64(0) //nolint:gosec // small
		n := rapid.IntRange(1, 2*indexRunsMax+indexRunsMax/2).Draw(t, "messages")
		gap, size := int64(rapid.IntRange(0, 2).Draw(t, "gap")), int64(rapid.IntRange(1, 5).Draw(t, "records"))
		for i := range n {
			r := run{seq: seq, base: next + gap, newest: int64(i), bytes: 10}
			r.next = r.base + size
			x.add(r)
			all, bytes, seq, next = append(all, r), bytes+r.bytes, seq+1, r.next
		}
		if len(x.runs) > indexRunsMax || x.bytes != bytes {
			t.Fatalf("%d runs, %d bytes of %d", len(x.runs), x.bytes, bytes)
		}
		decoded, err := decodeIndex(x.encode())
		if err != nil || !reflect.DeepEqual(decoded, x) {
			t.Fatalf("decoded %d runs, %v", len(decoded.runs), err)
		}
		for range 50 {
			want := all[rapid.IntRange(0, n-1).Draw(t, "message")]
			got, ok := x.seq(want.base)
			if !ok || got.seq > want.seq || got.next <= want.base {
				t.Fatalf("offset %d is in message %d, found %+v", want.base, want.seq, got)
			}
		}
		if _, ok := x.seq(next); ok {
			t.Fatal("found an offset above the end")
		}
		first, dropped := x.trim(next)
		if len(x.runs) != 1 || first != x.runs[0].seq || dropped+x.bytes != bytes {
			t.Fatalf("trimmed to %d runs, %d bytes dropped of %d", len(x.runs), dropped, bytes)
		}
	})
}

func TestAGapOutlivesACoarserIndex(t *testing.T) {
	var x index
	for i := range int64(2 * indexRunsMax) {
		if i != 9 {
			x.add(run{seq: uint64(i) + 1, base: i, next: i + 1, bytes: 1}) //nolint:gosec // small
		}
	}
	if first, after, found := x.gap(0, 2*indexRunsMax); !found || first != 9 || after != 10 {
		t.Fatalf("gap is %d to %d, %t", first, after, found)
	}
}

func FuzzDecodeIndex(f *testing.F) {
	var x index
	for i := range int64(3) {
		x.add(run{seq: uint64(i) + 1, base: 2 * i, next: 2*i + 1, newest: 9 - i, bytes: i})
	}
	f.Add(x.encode())
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := decodeIndex(data)
		if err != nil {
			return
		}
		again, err := decodeIndex(x.encode())
		if err != nil || !reflect.DeepEqual(again, x) {
			t.Fatalf("%v: %v, was %v", err, again, x)
		}
	})
}
