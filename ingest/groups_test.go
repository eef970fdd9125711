package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/ingest"
)

// TestOffsetsOfGroupsAreSet: to what a statement means, of what it means, while nobody reads.
func TestOffsetsOfGroupsAreSet(t *testing.T) {
	ctx := t.Context()
	m, err := meta.Open(ctx, filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(ctx, bus.Options{Dir: t.TempDir(), Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	g, err := group.Open(ctx, group.Options{Meta: m, Topic: group.Topics(b)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // ctx has ended
		_ = errors.Join(g.Close(context.Background()), b.Close(context.Background()), m.Close())
	})
	day := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{"orders", "port.calls"} {
		topic, err := b.CreateTopic(ctx, name, bus.TopicConfig{Partitions: 2})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if _, err := topic.Partitions()[0].Append(ctx, record.Encode([]record.Record{{Timestamp: day.Add(time.Duration(i) * time.Minute).UnixMilli(), Value: []byte("v")}})); err != nil {
				t.Fatal(err)
			}
		}
	}
	room := ingest.New(ingest.Options{Bus: b, Groups: g, Meta: m, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	say := func(statement string) error {
		for _, c := range room.Commands() {
			for _, verb := range c.Verbs {
				if strings.HasPrefix(strings.ToUpper(statement), verb) {
					_, err := c.Run(ctx, guard.Principal{}, statement)
					return err
				}
			}
		}
		return errors.New("nobody runs " + statement)
	}
	offsets := func(name string) (out []string) {
		got, err := g.Fetch(name, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got {
			out = append(out, fmt.Sprintf("%s/%d=%d", f.Topic, f.Number, f.Offset))
		}
		return out
	}
	for _, c := range []struct{ statement, want string }{
		{"ALTER GROUP billing SET OFFSETS TO LATEST ON orders", "[orders/0=10 orders/1=0]"},
		{"alter group billing set offsets to 4 on orders partition 0;", "[orders/0=4 orders/1=0]"},
		{"ALTER GROUP billing SET OFFSETS TO 99", "[orders/0=10 orders/1=0]"},
		{"ALTER GROUP billing SET OFFSETS TO TIMESTAMP '2026-07-01 12:03'", "[orders/0=3 orders/1=0]"},
		{"ALTER GROUP billing SET OFFSETS TO TIMESTAMP '2026-07-01T14:02:30+02:00'", "[orders/0=3 orders/1=0]"},
		{"ALTER GROUP billing SET OFFSETS TO TIMESTAMP '2027-01-01'", "[orders/0=10 orders/1=0]"},
		{"ALTER GROUP billing SET OFFSETS TO EARLIEST ON port.calls PARTITION 0", "[orders/0=10 orders/1=0 port.calls/0=0]"},
		{"ALTER GROUP \"billing\" SET OFFSETS TO EARLIEST", "[orders/0=0 orders/1=0 port.calls/0=0]"},
	} {
		if err := say(c.statement); err != nil {
			t.Fatalf("%s: %v", c.statement, err)
		}
		if got := fmt.Sprint(offsets("billing")); got != c.want {
			t.Errorf("%s: %s, want %s", c.statement, got, c.want)
		}
	}
	for statement, code := range map[string]fault.Code{
		"ALTER GROUP biling SET OFFSETS TO LATEST":                           fault.NotFound,
		"ALTER GROUP billing SET OFFSETS TO LATEST ON nothing":               fault.NotFound,
		"ALTER GROUP billing SET OFFSETS TO LATEST ON orders PARTITION 7":    fault.NotFound,
		"ALTER GROUP billing SET OFFSETS TO YESTERDAY":                       fault.Syntax,
		"ALTER GROUP billing SET OFFSETS TO TIMESTAMP 'yesterday'":           fault.Syntax,
		"ALTER GROUP billing SET OFFSETS TO LATEST ON orders PARTITION many": fault.Syntax,
		"ALTER GROUP billing RENAME TO x":                                    fault.Syntax,
		"ALTER GROUP billing SET OFFSETS TO LATEST NOW":                      fault.Syntax,
		"DROP GROUP biling": fault.NotFound,
	} {
		if err := say(statement); fault.CodeOf(err) != code || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, %q", statement, err, fault.HintOf(err))
		}
	}
	// A group that somebody reads in is left alone.
	if _, err := g.Join(ctx, group.Joining{Group: "busy", Session: time.Minute, ProtocolType: "consumer", Protocols: []group.Protocol{{Name: "range"}}}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"ALTER GROUP busy SET OFFSETS TO LATEST ON orders", "DROP GROUP busy"} {
		if err := say(statement); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if err := say("DROP GROUP billing"); err != nil || len(offsets("billing")) != 0 {
		t.Error(err)
	}
	lines := g.Lines(group.NextOffset(b))
	if len(lines) != 1 || lines[0].Group != "busy" || lines[0].Members != 1 {
		t.Errorf("%+v", lines)
	}
}
