package topics_test

import (
	"slices"
	"testing"
	"time"

	"tarn/ui/topics"
	"tarn/ui/uitest"
	"tarn/ui/words"
)

func TestGroupsAreSummedUp(t *testing.T) {
	feed := uitest.Port(time.Now())
	s := topics.Look(topics.Input{Groups: feed.Groups()})
	if len(s.Groups) != 2 {
		t.Fatalf("%+v", s.Groups)
	}
	idle, busy := s.Groups[0], s.Groups[1]
	if idle.Lag != 100 || !slices.Equal(idle.Topics, []string{"port.main.calls", "port.main.moves"}) || !idle.Idle() {
		t.Errorf("%+v", idle)
	}
	if busy.Members != 2 || busy.Idle() || busy.Reset("LATEST") != `ALTER GROUP "yard-planner" SET OFFSETS TO LATEST` {
		t.Errorf("%+v", busy)
	}
	if got := s.Values(words.English)["g.billing.lag"]; got != "100" {
		t.Errorf("lag %q", got)
	}
	moved := feed.Groups()
	moved[0].Lag++
	if later := topics.Look(topics.Input{Groups: moved}); later.Shape() != s.Shape() {
		t.Error("a lag that moves draws the page anew")
	}
}
