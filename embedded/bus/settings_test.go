package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

func TestEverySettingTakesItsDefault(t *testing.T) {
	var c bus.TopicConfig
	for _, s := range bus.Settings() {
		value, set := s.Value(c)
		if set || value != s.Default(c) || s.Doc == "" {
			t.Errorf("%s is %q (set: %v), by default %q, doc %q", s.Name, value, set, s.Default(c), s.Doc)
		}
		if value == "" {
			continue
		}
		with, err := c.With(s.Name, value)
		if err != nil {
			t.Errorf("%s does not take its default %q: %v", s.Name, value, err)
		}
		if again, err := with.Without(s.Name); err != nil || func() bool { _, set := s.Value(again); return set }() {
			t.Errorf("%s is not back at its default: %v", s.Name, err)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, one := range []struct {
		name, value, want string // want "" is a refusal
	}{
		{"cleanup.policy", "compact,delete", "compact,delete"},
		{"cleanup.policy", "shred", ""},
		{"retention.ms", "3600000", "3600000"},
		{"retention.ms", "0", "0"},
		{"retention.ms", "-1", "-1"},
		{"retention.ms", "9223372036854775807", "-1"},
		{"retention.ms", "-2", ""},
		{"retention.ms", "a day", ""},
		{"retention.bytes", "1000", "1000"},
		{"retention.bytes", "-1", "-1"},
		{"max.message.bytes", "100", "100"},
		{"max.message.bytes", "-1", ""},
		{"message.timestamp.type", "LogAppendTime", "LogAppendTime"},
		{"message.timestamp.type", "now", ""},
		{"min.cleanable.dirty.ratio", "0.01", "0.01"},
		{"min.cleanable.dirty.ratio", "NaN", ""},
		{"tarn.land", "true", "true"},
		{"tarn.land", "yes", ""},
		{"tarn.table", "calls", "calls"},
		{"no.such", "1", ""},
	} {
		c, err := bus.TopicConfig{}.With(one.name, one.value)
		if one.want == "" {
			if err == nil {
				t.Errorf("%s takes %q", one.name, one.value)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s does not take %q: %v", one.name, one.value, err)
			continue
		}
		s, err := bus.SettingNamed(one.name)
		if err != nil {
			t.Fatal(err)
		}
		if got, set := s.Value(c); got != one.want || !set && one.value != "-1" {
			t.Errorf("%s = %q is %q (set: %v), want %q", one.name, one.value, got, set, one.want)
		}
	}
}

func TestConfigurationsOfOlderVersionsAreRead(t *testing.T) {
	var c bus.TopicConfig
	err := json.Unmarshal([]byte(`{"id":"x","partitions":3,"land":true,"keyed":true,"retention":3600000000000,"retention_bytes":-1,"table":"calls"}`), &c)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		bus.SettingRetention: "3600000", bus.SettingRetentionBytes: "-1", bus.SettingLand: "true", bus.SettingTable: "calls", bus.SettingCleanup: "delete",
	}
	for name, value := range want {
		s, err := bus.SettingNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := s.Value(c); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestSettingsOutliveAStart(t *testing.T) {
	h := open(t, nil)
	c, err := bus.TopicConfig{}.With(bus.SettingMessageBytes, "100")
	if err != nil {
		t.Fatal(err)
	}
	h.partition("t", c)
	h.restart()
	if got := h.partition("t", bus.TopicConfig{}).Topic().Config().MessageBytesMax(); got != 100 {
		t.Fatalf("max.message.bytes is %d", got)
	}
}

func TestAdmit(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	at := func(ms int64) record.Batch {
		return record.Encode([]record.Record{{Timestamp: now.UnixMilli() + ms, Key: []byte("k"), Value: []byte("some value")}})
	}
	with := func(pairs ...string) (c bus.TopicConfig) {
		for i := 0; i < len(pairs); i += 2 {
			var err error
			if c, err = c.With(pairs[i], pairs[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	const hour = 3_600_000
	for name, one := range map[string]struct {
		c    bus.TopicConfig
		b    record.Batch
		want error
	}{
		"usual":              {with(), at(0), nil},
		"old":                {with(), at(-10_000 * hour), nil},
		"in the future":      {with(), at(hour + 1), bus.ErrTimestamp},
		"allowed future":     {with(bus.SettingTimestampAfter, "7200000"), at(hour + 1), nil},
		"too old":            {with(bus.SettingTimestampBefore, "1000"), at(-1001), bus.ErrTimestamp},
		"not too old":        {with(bus.SettingTimestampBefore, "1000"), at(-1000), nil},
		"the log's own time": {with(bus.SettingTimestampType, "LogAppendTime"), at(2 * hour), nil},
		"too large":          {with(bus.SettingMessageBytes, "60"), at(0), bus.ErrBatchTooLarge},
	} {
		survey, err := one.b.Survey()
		if err != nil {
			t.Fatal(err)
		}
		if err := one.c.Admit(one.b, survey, now); !errors.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
	}
}

func TestTheLogsTime(t *testing.T) {
	h := open(t, nil)
	c, err := bus.TopicConfig{}.With(bus.SettingTimestampType, "LogAppendTime")
	if err != nil {
		t.Fatal(err)
	}
	p := h.partition("t", c)
	before := time.Now().UnixMilli()
	got := h.append(p, record.Encode([]record.Record{{Timestamp: 1, Value: []byte("a")}, {Timestamp: 2, Value: []byte("b")}}))
	if got.Time < before {
		t.Fatalf("appended at %d, not after %d", got.Time, before)
	}
	for i := range 2 { // from RAM, then from the disk, whose batches are checked
		r := p.Reader(0)
		f, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		records, err := f.Batches[0].Records()
		if err != nil || !f.Batches[0].AppendTime() {
			t.Fatal(err)
		}
		for _, one := range records {
			if one.Timestamp != got.Time {
				t.Fatalf("round %d: record of %d, want %d", i, one.Timestamp, got.Time)
			}
		}
		r.Close()
		h.restart()
		p = h.partition("t", bus.TopicConfig{})
	}
}

func TestACompactedTopicTakesNoRecordWithoutAKey(t *testing.T) {
	h := open(t, nil)
	for _, policy := range []string{"compact", "compact,delete"} {
		c, err := bus.TopicConfig{}.With(bus.SettingCleanup, policy)
		if err != nil {
			t.Fatal(err)
		}
		p := h.partition(policy[:7]+policy[min(8, len(policy)):], c)
		if _, err := p.Append(context.Background(), batch("a")); !errors.Is(err, bus.ErrNoKey) {
			t.Fatalf("%s: %v", policy, err)
		}
		h.append(p, record.Encode([]record.Record{{Key: []byte{}, Value: []byte("a")}}))
	}
}

// TestABatchThatIsSurveyedIsReadNoMore: to unpack it again would take memory that nobody counts.
func TestABatchThatIsSurveyedIsReadNoMore(t *testing.T) {
	h := open(t, nil)
	b := record.Encode([]record.Record{{Timestamp: 1, Key: []byte("k"), Value: []byte(record.HeaderPos)}})
	const attributesAt, zstd = 22, 4
	b[attributesAt] |= zstd // what follows is not: who reads it fails
	b.SetMaxTimestamp(1)    // writes the checksum
	if _, err := b.Survey(); !errors.Is(err, record.ErrCorrupt) {
		t.Fatal(err)
	}
	compacts, err := bus.TopicConfig{}.With(bus.SettingCleanup, "compact")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]bus.TopicConfig{"deletes": {}, "compacts": compacts} {
		wait, err := h.partition(name, c).Enqueue(t.Context(), b, record.Survey{Newest: 1, Oldest: 1})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := wait(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := h.partition("compacts", compacts).Enqueue(t.Context(), b, record.Survey{Keyless: true}); !errors.Is(err, bus.ErrNoKey) {
		t.Fatalf("%v", err)
	}
}
