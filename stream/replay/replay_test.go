package replay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/stream/own"
	"tarn/stream/pipeline"
	"tarn/stream/replay"
)

// childFolder and childSays tell a child process what it sends, until it is killed at a point of a replay.
const (
	childFolder = "TARN_REPLAY_TEST_CHILD"
	childSays   = "TARN_REPLAY_TEST_SAYS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		r, err := openRig(context.Background(), dir)
		if err == nil {
			_, err = r.command.Run(context.Background(), guard.Principal{User: "tarn"}, os.Getenv(childSays))
		}
		_, _ = fmt.Fprintln(os.Stderr, "not killed:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// rig is a log with dead letters, and the replays of it.
type rig struct {
	meta    *meta.Store
	bus     *bus.Bus
	own     own.Topics
	replays *replay.Replays
	command pipeline.Command
}

func openRig(ctx context.Context, dir string) (r *rig, err error) {
	r = &rig{}
	if r.meta, err = meta.Open(ctx, filepath.Join(dir, "meta.db")); err != nil {
		return nil, err
	}
	r.bus, err = bus.Open(ctx, bus.Options{
		Dir: filepath.Join(dir, "bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 8 << 20,
		Meta: r.meta, Disk: disk.Local, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	if r.own, err = own.Create(ctx, r.bus, schemas.New(r.meta)); err != nil {
		return nil, err
	}
	r.replays = replay.New(replay.Options{Bus: r.bus, Meta: r.meta, Clock: life.SystemClock{}})
	r.command = r.replays.Command()
	return r, nil
}

func (r *rig) close(t *testing.T) {
	t.Helper()
	if err := r.bus.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if err := r.meta.Close(); err != nil {
		t.Error(err)
	}
}

func newRig(t *testing.T, dir string) *rig {
	t.Helper()
	r, err := openRig(context.WithoutCancel(t.Context()), dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// put appends a record to a topic, which it makes, and buries it: its number is that of the letter.
func (r *rig) put(t *testing.T, topic string, c bus.TopicConfig, one record.Record) *bus.Partition {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	top, err := r.bus.CreateTopic(ctx, topic, c)
	if err != nil {
		t.Fatal(err)
	}
	p := top.Partitions()[0]
	got, err := p.Append(ctx, record.Encode([]record.Record{one}))
	if err != nil {
		t.Fatal(err)
	}
	one.Offset = got.Base
	if err := r.own.Letters(ctx, topic, "r", "pipeline gold.x", top.Config().ID, []own.Letter{{Record: &one, Why: "planted"}}, time.UnixMilli(1)); err != nil {
		t.Fatal(err)
	}
	return p
}

// values are what a partition holds, each with its key, the letter that it was sent for and its other headers.
func values(t *testing.T, p *bus.Partition) (out []string) {
	t.Helper()
	reader := p.Reader(0)
	defer reader.Close()
	for at := int64(0); at < p.Next(); {
		got, err := reader.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range got.Batches {
			list, err := b.Records()
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range list {
				text := string(one.Key) + "=" + string(one.Value)
				for _, h := range one.Headers {
					if h.Key != record.HeaderPos {
						text += " " + h.Key + "=" + string(h.Value)
					}
				}
				out = append(out, text)
			}
		}
		at = got.Next
	}
	return out
}

func (r *rig) say(t *testing.T, statement string) (string, error) {
	t.Helper()
	answer, err := r.command.Run(t.Context(), guard.Principal{User: "tarn"}, statement)
	if err != nil {
		return "", err
	}
	return strings.Trim(fmt.Sprint(answer.Rows), "[]"), nil
}

func (r *rig) says(t *testing.T, statement, want string) {
	t.Helper()
	if got, err := r.say(t, statement); err != nil || got != want {
		t.Errorf("%s: %s, %v; want %s", statement, got, err, want)
	}
}

func (r *rig) refused(t *testing.T, statement, message, hint string, column int) {
	t.Helper()
	_, err := r.say(t, statement)
	if err == nil || !strings.Contains(err.Error(), message) || !strings.Contains(fault.HintOf(err), hint) {
		t.Errorf("%s: %v, hint %q; want %q, %q", statement, err, fault.HintOf(err), message, hint)
		return
	}
	f, ok := err.(*fault.Error) //nolint:errorlint // as it is told
	if column > 0 && (!ok || f.Column != column) {
		t.Errorf("%s: at %+v", statement, err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestALetterIsSentOnce: as it was, with its key and the headers that are not Tarn's, or mended; said again it is told where it is.
func TestALetterIsSentOnce(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	plain := bus.TopicConfig{Partitions: 1, Land: true}
	p := r.put(t, "bid", plain, record.Record{Key: []byte("k"), Value: []byte("\xffjunk"), Headers: []record.Header{{Key: "trace", Value: []byte("7")}, {Key: record.HeaderRequest, Value: []byte("x")}}})
	r.put(t, "bid", plain, record.Record{Value: []byte(`{"price":"x"}`)})
	r.says(t, "REPLAY DEAD LETTER 1 AS '{\"price\": 2, \"who\": \"it''s\"}';", "1 bid 0 2 false")
	r.says(t, "replay dead letter 0", "0 bid 0 3 false")
	r.says(t, "REPLAY DEAD LETTER 0", "0 bid 0 3 true")
	r.says(t, "REPLAY DEAD LETTER 1 AS '{\"price\": 2, \"who\": \"it''s\"}'", "1 bid 0 2 true")
	r.refused(t, "REPLAY DEAD LETTER 1", "letter 1 was sent again already, with another value, to topic bid partition 0 offset 2", "a letter of its own", 20)
	r.refused(t, "REPLAY DEAD LETTER 1 AS '{}'", "with another value", "", 25)
	want := []string{"k=\xffjunk trace=7 " + record.HeaderRequest + "=x", `={"price":"x"}`, `={"price": 2, "who": "it's"} tarn.letter=1`, "k=\xffjunk tarn.letter=0 trace=7"}
	same(t, "the topic", values(t, p), want)
	r.close(t)
	r = newRig(t, dir) // what is marked stays so
	defer r.close(t)
	r.says(t, "REPLAY DEAD LETTER 0", "0 bid 0 3 true")
	rows, err := r.replays.Rows(t.Context())
	if err != nil || len(rows) != 2 || fmt.Sprint(rows[1][2:]) != "[tarn true bid 0 2]" || rows[0][0] != int64(0) {
		t.Errorf("the marks: %v, %v", rows, err)
	}
}

// TestPressedByManyAtOnce, a letter is sent once.
func TestPressedByManyAtOnce(t *testing.T) {
	r := newRig(t, t.TempDir())
	defer r.close(t)
	var p *bus.Partition
	const letters, presses = 3, 4
	for i := range letters {
		p = r.put(t, "bid", bus.TopicConfig{Partitions: 1}, record.Record{Value: fmt.Appendf(nil, "%d", i)})
	}
	done := make(chan error)
	for i := range letters * presses {
		go func() {
			_, err := r.command.Run(context.WithoutCancel(t.Context()), guard.Principal{}, fmt.Sprintf("REPLAY DEAD LETTER %d", i%letters))
			done <- err
		}()
	}
	for range letters * presses {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	same(t, "records", len(values(t, p)), 2*letters)
}

// TestWhatIsNotSent: what is no letter, or would make a mirror differ from its source.
func TestWhatIsNotSent(t *testing.T) {
	r := newRig(t, t.TempDir())
	defer r.close(t)
	ctx := context.WithoutCancel(t.Context())
	r.put(t, "port.main.calls", bus.TopicConfig{Partitions: 1, Source: "s", Keyed: true}, record.Record{Value: []byte("{}")})
	p := r.put(t, "gate", bus.TopicConfig{Partitions: 1, Source: "s", Plain: true}, record.Record{Value: []byte("{}")})
	finds := []own.Find{{Place: "1", Where: []byte("gate.log:7"), Value: []byte(`"GET /`), Why: "the line does not match"}}
	if err := r.own.Found(ctx, "gate", "s", "gate", "i", finds, time.UnixMilli(1)); err != nil {
		t.Fatal(err)
	}
	r.put(t, "gone", bus.TopicConfig{Partitions: 1}, record.Record{Value: []byte("{}")})
	if err := r.bus.DeleteTopic(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	r.refused(t, "REPLAY DEAD LETTER 0 AS '{}'", "topic port.main.calls has the changes of a database alone", "mend the row in the source", 25)
	r.refused(t, "REPLAY DEAD LETTER 2", "the value is no JSON object", "REPLAY DEAD LETTER 2 AS '{…}'", 20)
	r.refused(t, "REPLAY DEAD LETTER 2 AS '[1]'", "it does not begin with {", "", 25)
	r.refused(t, "REPLAY DEAD LETTER 2 AS '{\"a\":}'", "invalid character", "", 25)
	r.refused(t, "REPLAY DEAD LETTER 3", "the topic gone of dead letter 3 is no longer there", "/ingest/gone", 20)
	r.refused(t, "REPLAY DEAD LETTER 4", "there is no dead letter 4", "system.dead_letter", 20)
	r.refused(t, "REPLAY DEAD LETTER x", "x follows", "number of a letter", 20)
	r.refused(t, "REPLAY DEAD LETTER 2 AS 3", "3 follows", "'{", 25)
	r.refused(t, "REPLAY DEAD LETTER 2 now", "does not go on with now", "", 22)
	r.says(t, `REPLAY DEAD LETTER 2 AS '{"gate": 1}'`, "2 gate 0 1 false")
	same(t, "the topic", values(t, p), []string{"={}", `={"gate": 1} tarn.letter=2`})
}

// TestKilledBetween: before the record is in the log, and after; whoever says it again, or another letter, gets each once.
func TestKilledBetween(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range []string{"replay.noted", "replay.sent"} {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			r := newRig(t, dir)
			for i := range 2 {
				r.put(t, "bid", bus.TopicConfig{Partitions: 1, Land: true}, record.Record{Value: fmt.Appendf(nil, `{"n":%d}`, i)})
			}
			r.close(t)
			cmd := exec.CommandContext(t.Context(), exe)
			log := filepath.Join(dir, "crashes")
			cmd.Env = append(os.Environ(), childFolder+"="+dir, childSays+"=REPLAY DEAD LETTER 0", "TARN_CRASH="+point, "TARN_CRASH_LOG="+log)
			out, err := cmd.CombinedOutput()
			if hit, _ := os.ReadFile(log); err == nil || !strings.Contains(string(hit), point) {
				t.Fatalf("not killed at %s: %v\n%s", point, err, out)
			}
			r = newRig(t, dir)
			defer r.close(t)
			in := point == "replay.sent"
			rows, err := r.replays.Rows(t.Context())
			if err != nil || len(rows) != map[bool]int{false: 0, true: 1}[in] {
				t.Errorf("after the crash the marks are %v, %v", rows, err)
			}
			next := map[bool]int{false: 2, true: 3}[in]
			r.says(t, "REPLAY DEAD LETTER 1", "1 bid 0 "+strconv.Itoa(next)+" false")
			if in {
				r.says(t, "REPLAY DEAD LETTER 0", "0 bid 0 2 true")
			} else {
				r.says(t, "REPLAY DEAD LETTER 0", "0 bid 0 3 false")
			}
			topic, err := r.bus.Topic("bid")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, v := range values(t, topic.Partitions()[0]) {
				got[v]++
			}
			same(t, "the topic", got, map[string]int{`={"n":0}`: 1, `={"n":1}`: 1, `={"n":0} tarn.letter=0`: 1, `={"n":1} tarn.letter=1`: 1})
		})
	}
}

// TestALetterOfAVersionBefore, which does not say who refused it, is sent as any other.
func TestALetterOfAVersionBefore(t *testing.T) {
	r := newRig(t, t.TempDir())
	defer r.close(t)
	ctx := context.WithoutCancel(t.Context())
	top, err := r.bus.CreateTopic(ctx, "bid", bus.TopicConfig{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	value, err := json.Marshal(map[string]any{"topic": "bid", "partition": 0, "offset": 9, "at": "2026-01-01T00:00:00Z", "error": "x", "key": nil, "value": `\x7b22ff227d`, "headers": `[{"key":"a","value":null}]`})
	if err != nil {
		t.Fatal(err)
	}
	list := []own.Out{{Place: "1", Record: record.Record{Value: value}}}
	if err := r.own[own.DeadLetter].Append(ctx, "dead:bid:0:r", "another", list); err != nil {
		t.Fatal(err)
	}
	r.says(t, "REPLAY DEAD LETTER 0", "0 bid 0 0 false")
	same(t, "the topic", values(t, top.Partitions()[0]), []string{"={\"\xff\"} tarn.letter=0 a="})
}

// TestARecordThatSeveralRefusedIsSentOnce: each has a letter of it, and both may be asked for.
func TestARecordThatSeveralRefusedIsSentOnce(t *testing.T) {
	r := newRig(t, t.TempDir())
	defer r.close(t)
	plain := bus.TopicConfig{Partitions: 1, Land: true}
	one := record.Record{Value: []byte("junk")}
	p := r.put(t, "bid", plain, one)
	if err := r.own.Letters(t.Context(), "bid", "other", "pipeline gold.y", p.Topic().Config().ID, []own.Letter{{Record: &one, Why: "planted"}}, time.UnixMilli(1)); err != nil {
		t.Fatal(err)
	}
	r.put(t, "bid", plain, record.Record{Value: []byte("junk")})
	r.says(t, "REPLAY DEAD LETTER 1 AS '{}'", "1 bid 0 2 false")
	r.says(t, "REPLAY DEAD LETTER 0 AS '{}'", "0 bid 0 2 true")
	r.refused(t, "REPLAY DEAD LETTER 0", "with another value", "", 0)
	r.says(t, "REPLAY DEAD LETTER 2 AS '{}'", "2 bid 0 3 false")
	same(t, "the topic", values(t, p), []string{"=junk", "=junk", "={} tarn.letter=1", "={} tarn.letter=2"})
}

// TestNotesAreBounded: there are no more notes than a bound; the oldest go, of letters that are no longer in their log, and no others.
func TestNotesAreBounded(t *testing.T) {
	const most = 20_000
	dir := t.TempDir()
	r := newRig(t, dir)
	ctx := t.Context()
	var notes []meta.Entry
	for i := range int64(most) {
		value, err := json.Marshal(map[string]any{"letter": i, "topic": "shop.orders", "topic_id": "x", "origin": fmt.Sprint("x/0/", i), "offset": i, "done": true, "at": time.UnixMilli(i)})
		if err != nil {
			t.Fatal(err)
		}
		notes = append(notes, meta.Entry{Bucket: meta.Replays, Key: record.Hex16(i), Value: value})
	}
	if err := r.meta.Put(ctx, notes...); err != nil {
		t.Fatal(err)
	}
	top, err := r.bus.Topic(own.DeadLetter)
	if err != nil {
		t.Fatal(err)
	}
	dead := top.Partitions()[0]
	var letters []record.Record
	for range most {
		letters = append(letters, record.Record{Value: []byte("{}")})
	}
	if _, err := dead.Append(ctx, record.Encode(letters)); err != nil {
		t.Fatal(err)
	}
	r.put(t, "shop.orders", bus.TopicConfig{Partitions: 1, Land: true}, record.Record{Value: []byte(`{"id":1}`)})
	r.refused(t, fmt.Sprint("REPLAY DEAD LETTER ", most), "the log has them all still", "post the values", 0)
	dead.Hold("bronze", dead.Next())
	if err := dead.Trim(ctx, 500); err != nil {
		t.Fatal(err)
	}
	r.says(t, fmt.Sprint("REPLAY DEAD LETTER ", most), fmt.Sprint(most, " shop.orders 0 1 false"))
	rows, err := r.replays.Rows(ctx)
	if err != nil || len(rows) != most-500+1 || rows[0][0] != int64(500) {
		t.Errorf("%d notes %v, the first %v", len(rows), err, rows[0])
	}
	left, err := r.meta.List(ctx, meta.Replays)
	same(t, "kept in meta", len(left), len(rows))
	if err != nil {
		t.Error(err)
	}
	r.close(t)
}
