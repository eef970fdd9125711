package bus_test

import (
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
)

func TestPartitionsAreAdded(t *testing.T) {
	h := open(t, nil)
	old := h.partition("t", bus.TopicConfig{}).Topic()
	h.append(old.Partitions()[0], batch("a"))
	changed := h.bus.Changed()
	if err := h.bus.AddPartitions(t.Context(), "t", 3); err != nil {
		t.Fatal(err)
	}
	<-changed
	if len(old.Partitions()) != 1 {
		t.Fatal("who reads the topic has other partitions in his hand")
	}
	for round := range 2 {
		top, err := h.bus.Topic("t")
		if err != nil || len(top.Partitions()) != 3 || top.Config().Partitions != 3 {
			t.Fatalf("%v, %v", top, err)
		}
		if got := h.append(top.Partitions()[2], batch("b")); got.Base != int64(round) {
			t.Fatalf("appended at %d", got.Base)
		}
		if next := top.Partitions()[0].Next(); next != 1 {
			t.Fatalf("the first ends at %d", next)
		}
		h.restart()
	}
	for _, count := range []int32{0, 2, 3, 100_000} {
		if err := h.bus.AddPartitions(t.Context(), "t", count); fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("%d: %v", count, err)
		}
	}
	if err := h.bus.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	p := h.partition("t", bus.TopicConfig{Partitions: 3})
	if next := p.Topic().Partitions()[2].Next(); next != 2 {
		t.Fatalf("the third of the next topic begins at %d", next)
	}
}

// TestAddedPartitionsOutliveALostMetaDatabase, and a crash before the first stream knew of them.
func TestAddedPartitionsOutliveALostMetaDatabase(t *testing.T) {
	h := open(t, nil)
	h.append(h.partition("t", bus.TopicConfig{}), batch("a"))
	if err := h.bus.AddPartitions(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	h.close()
	lose(t, h.dir, "meta.db*")
	h.open()
	if top, err := h.bus.Topic("t"); err != nil || len(top.Partitions()) != 2 {
		t.Fatalf("%v, %v", top, err)
	}
}
