package source_test

import (
	"path/filepath"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

// TestATopicThatAClientAskedForBeforeItsSourceIsTheSources: as long as nobody has written to it.
func TestATopicThatAClientAskedForBeforeItsSourceIsTheSources(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	b, err := bus.Open(ctx, bus.Options{Dir: filepath.Join(dir, "bus"), Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(ctx) }()
	log := source.OnBus(b)
	config := bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "s"}
	for _, name := range []string{"port.asked", "port.written"} {
		made, err := b.CreateTopic(ctx, name, bus.TopicConfig{Partitions: 1})
		if err != nil {
			t.Fatal(err)
		}
		batch := record.Encode([]record.Record{{Timestamp: 1, Value: []byte("a")}})
		if name == "port.written" {
			if _, err := made.Partitions()[0].Append(ctx, batch); err != nil {
				t.Fatal(err)
			}
			if _, err := log.Open(ctx, name, config); fault.CodeOf(err) != fault.Conflict {
				t.Fatalf("%s is opened: %v", name, err)
			}
			continue
		}
		p, err := log.Open(ctx, name, config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Append(ctx, batch); err != nil || log.Owners()[name] != "s" {
			t.Fatalf("filled by %q, %v", log.Owners()[name], err)
		}
		if _, err := log.Open(ctx, name, bus.TopicConfig{Partitions: 1, Source: "other"}); fault.CodeOf(err) != fault.Conflict {
			t.Fatalf("another source opens it: %v", err)
		}
	}
}
