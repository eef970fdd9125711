package topics_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/ui/topics"
	"tarn/ui/uitest"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// filled is a topic of two partitions: in 0 the even seconds after noon, in 1 the odd ones.
func filled(t *testing.T, n int) *uitest.Log {
	t.Helper()
	l := uitest.OpenLog(t)
	l.Create("moves", 2)
	for from := 0; from < n; from += 100 {
		var half [2][]record.Record
		for i := from; i < min(n, from+100); i++ {
			half[i%2] = append(half[i%2], record.Record{Timestamp: noon.Add(time.Duration(i) * time.Second).UnixMilli(), Key: fmt.Append(nil, "k", i%7), Value: fmt.Appendf(nil, `{"n":%d}`, i)})
		}
		for p := range half {
			if len(half[p]) > 0 {
				l.Append("moves", p, half[p]...)
			}
		}
	}
	return l
}

func read(t *testing.T, l *uitest.Log, a topics.Ask) topics.Answer {
	t.Helper()
	a.Topic = "moves"
	out, err := topics.Read(t.Context(), l.Topic, a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func numbers(a topics.Answer) string {
	var out []string
	for _, r := range a.Records {
		out = append(out, strings.Trim(r.Value.Text, `{}"n:`))
	}
	return strings.Join(out, " ")
}

func TestReadFromAPlace(t *testing.T) {
	l := filled(t, 1000)
	for _, c := range []struct{ partition, from, find, want string }{
		{"", "", "", "999 998 997 996"},
		{"", "latest", "", "999 998 997 996"},
		{"1", "latest", "", "999 997 995 993"},
		{"", "earliest", "", "0 1 2 3"},
		{"0", "100", "", "200 202 204 206"},
		{"", "100", "", "200 201 202 203"},
		{"", "2026-07-01 12:01", "", "60 61 62 63"},
		{"1", "2026-07-01T12:01:00Z", "", "61 63 65 67"},
		{"", "2026-07-01", "", "0 1 2 3"},
		{"", "2027-01-01", "", ""},
		{"", "", `"N":50`, "509 508 507 506"},
		{"", "earliest", "k6", "6 13 20 27"},
		{"", "", "nowhere", ""},
		{"0", "100000", "", ""},
	} {
		if got := numbers(read(t, l, topics.Ask{Partition: c.partition, From: c.from, Find: c.find, Limit: 4})); got != c.want {
			t.Errorf("partition %q from %q holding %q: %q, want %q", c.partition, c.from, c.find, got, c.want)
		}
	}
}

// TestReadingOnGivesEachRecordOnce walks the topic both ways, in pages of any size.
func TestReadingOnGivesEachRecordOnce(t *testing.T) {
	const n = 1000
	l := filled(t, n)
	random := rand.New(rand.NewPCG(1, 2))
	walk := func(from, find string, next func(topics.Answer) string) (seen []string) {
		for range n {
			a := read(t, l, topics.Ask{From: from, Find: find, Limit: 1 + random.IntN(120)})
			for _, r := range a.Records {
				seen = append(seen, r.Value.Text)
			}
			if from = next(a); from == "" {
				return seen
			}
		}
		t.Fatal("no end")
		return nil
	}
	forwards := func(a topics.Answer) string {
		if !a.More {
			return ""
		}
		return a.Newer
	}
	backwards := func(a topics.Answer) string { return a.Older }
	for _, find := range []string{"", "k3"} {
		up, down := walk("earliest", find, forwards), walk("latest", find, backwards)
		slices.Sort(up)
		slices.Sort(down)
		want := n
		if find != "" {
			want = 143
		}
		if len(up) != want || len(slices.Compact(slices.Clone(up))) != want || !slices.Equal(up, down) {
			t.Errorf("holding %q: %d records forwards, %d backwards", find, len(up), len(down))
		}
	}
}

// TestATailMissesNothing reads on from an answer of the latest.
func TestATailMissesNothing(t *testing.T) {
	l := filled(t, 10)
	at := read(t, l, topics.Ask{Limit: 3}).Newer
	if got := read(t, l, topics.Ask{From: at}); len(got.Records) != 0 {
		t.Errorf("%d records before any was written", len(got.Records))
	}
	l.Append("moves", 1, record.Record{Timestamp: noon.UnixMilli(), Value: []byte(`{"n":77}`)})
	got := read(t, l, topics.Ask{From: at})
	if numbers(got) != "77" {
		t.Errorf("%q", numbers(got))
	}
	if again := read(t, l, topics.Ask{From: got.Newer}); len(again.Records) != 0 {
		t.Errorf("told twice: %q", numbers(again))
	}
}

func TestBadAsksAreRefused(t *testing.T) {
	l := filled(t, 10)
	for ask, code := range map[topics.Ask]fault.Code{
		{Topic: "nothing"}:                   fault.NotFound,
		{Topic: "moves", Partition: "2"}:     fault.Invalid,
		{Topic: "moves", Partition: "-1"}:    fault.Invalid,
		{Topic: "moves", Partition: "x"}:     fault.Invalid,
		{Topic: "moves", From: "yesterday"}:  fault.Invalid,
		{Topic: "moves", From: "<"}:          fault.Invalid,
		{Topic: "moves", From: "<0:x"}:       fault.Invalid,
		{Topic: "moves", From: "2026-13-01"}: fault.Invalid,
	} {
		_, err := topics.Read(t.Context(), l.Topic, ask)
		if fault.CodeOf(err) != code || fault.HintOf(err) == "" {
			t.Errorf("%+v: %v (%s, %q)", ask, err, fault.CodeOf(err), fault.HintOf(err))
		}
	}
	for _, from := range []string{"-5", "0:-7,1:-9", "<0:-1", "9:9", "0:99999999,1:99999999"} {
		if _, err := topics.Read(t.Context(), l.Topic, topics.Ask{Topic: "moves", From: from}); err != nil {
			t.Errorf("from %q: %v", from, err)
		}
	}
}

func TestRecordsAreShownForWhatTheyAre(t *testing.T) {
	l := uitest.OpenLog(t)
	l.Create("moves", 1)
	long := strings.Repeat("é", 40_000)
	l.Append("moves", 0,
		record.Record{Value: []byte(`{"before":null,"after":{"id":1,"name":"Ann"},"op":"c"}`), Headers: []record.Header{{Key: "h", Value: []byte{0xff, 0}}}},
		record.Record{Key: []byte(`{"id":1}`), Value: []byte(`{"payload":{"before":{"id":1},"after":null,"op":"d"}}`)},
		record.Record{Value: nil},
		record.Record{Value: []byte{}},
		record.Record{Value: []byte("a\tb\n<b>")},
		record.Record{Value: []byte{0, 1, 2}},
		record.Record{Value: []byte(long)},
		record.Record{Value: []byte(`{"op":"c"}`)},
	)
	a := read(t, l, topics.Ask{From: "earliest"})
	for i, want := range []struct{ format, line, change string }{
		{"json", `{"id":1,"name":"Ann"}`, "create"},
		{"json", `{"id":1}`, "delete"},
		{"null", "", ""},
		{"text", "", ""},
		{"text", "a b <b>", ""},
		{"hex", "000102", ""},
		{"text", strings.Repeat("é", 200) + "…", ""},
		{"json", `{"op":"c"}`, ""},
	} {
		r := a.Records[i]
		if r.Value.Format != want.format || r.Line(false) != want.line || r.Change != want.change {
			t.Errorf("%d: %s %.60q %s", i, r.Value.Format, r.Line(false), r.Change)
		}
	}
	if h := a.Records[0].Headers; len(h) != 1 || h[0].Value.Text != "ff00" {
		t.Errorf("headers %+v", h)
	}
	if got := a.Records[0].Value.Pretty(); !strings.Contains(got, "\n  \"after\": {\n    \"id\": 1,") {
		t.Errorf("pretty: %s", got)
	}
	if v := a.Records[6].Value; !v.Cut || v.Bytes != 80_000 || strings.ToValidUTF8(v.Text, "?") != v.Text {
		t.Errorf("cut: %v of %d", v.Cut, v.Bytes)
	}
}
