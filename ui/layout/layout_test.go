package layout_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/ui/layout"
)

func TestAChainIsLevel(t *testing.T) {
	d := layout.Place([]layout.Node{{"s", 0}, {"a", 1}, {"b", 1}, {"A", 2}, {"B", 2}}, []layout.Edge{{"s", "a"}, {"s", "b"}, {"a", "A"}, {"b", "B"}})
	if d.At["a"].Y != d.At["A"].Y || d.At["b"].Y != d.At["B"].Y {
		t.Errorf("not level: %v", d.At)
	}
	if mid := (d.At["a"].Y + d.At["b"].Y) / 2; math.Abs(d.At["s"].Y-mid) > 1 {
		t.Errorf("the source stands at %v, not at %v", d.At["s"].Y, mid)
	}
}

func TestWhatCannotBeDrawnIsLeftOut(t *testing.T) {
	d := layout.Place([]layout.Node{{"a", 1}, {"b", 1}, {"a", 3}}, []layout.Edge{{"a", "b"}, {"a", "none"}, {"b", "a"}, {"a", "a"}})
	if len(d.Paths) != 0 || len(d.At) != 2 {
		t.Errorf("%v", d)
	}
	if d := layout.Place(nil, nil); d.Height != 0 || d.Width < 0 {
		t.Errorf("nothing: %v", d)
	}
}

func TestPartsThatAreNotJoinedStandClose(t *testing.T) {
	d := layout.Place([]layout.Node{{"s", 0}, {"a", 1}, {"b", 1}, {"c", 1}, {"x", 1}, {"y", 2}}, []layout.Edge{{"s", "a"}, {"s", "b"}, {"s", "c"}, {"x", "y"}})
	if most := 4*layout.NodeHeight + 3*13; d.Height > most {
		t.Errorf("the picture is %v high, at most %v", d.Height, most)
	}
}

// TestEdgesOfANodePassTogether: a topic that feeds thirty tables beyond two lanes takes the room of one line there.
func TestEdgesOfANodePassTogether(t *testing.T) {
	nodes, edges := []layout.Node{{"topic", 0}, {"far", 3}, {"near", 1}}, []layout.Edge{{"topic", "near"}, {"near", "far"}}
	for i := range 30 {
		name := fmt.Sprint("t", i)
		nodes, edges = append(nodes, layout.Node{Key: name, Lane: 3}), append(edges, layout.Edge{From: "topic", To: name})
	}
	d := layout.Place(nodes, edges)
	first := d.Paths[layout.Edge{From: "topic", To: "t0"}]
	trunk := first[:strings.LastIndexByte(first, 'H')]
	for _, e := range edges[2:] {
		if !strings.HasPrefix(d.Paths[e], trunk) {
			t.Errorf("%v goes %s, another %s", e, d.Paths[e], trunk)
		}
	}
}

// TestAnyGraph: nodes stay in their lane, inside the picture and apart; each edge that goes
// forth has a path; the drawing is the same each time.
func TestAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.SliceOfN(rapid.IntRange(0, 6), 0, 40).Draw(t, "lanes")
		var nodes []layout.Node
		for i, lane := range lanes {
			nodes = append(nodes, layout.Node{Key: fmt.Sprint(i), Lane: lane})
		}
		var edges []layout.Edge
		for range rapid.IntRange(0, 80).Draw(t, "edges") {
			if len(nodes) > 0 {
				end := rapid.IntRange(0, len(nodes)-1)
				edges = append(edges, layout.Edge{From: fmt.Sprint(end.Draw(t, "from")), To: fmt.Sprint(end.Draw(t, "to"))})
			}
		}
		d := layout.Place(nodes, edges)
		for i, n := range nodes {
			at := d.At[n.Key]
			if at.X != float64(n.Lane)*layout.LaneStep || at.Y < -0.01 || at.Y+layout.NodeHeight > d.Height+0.01 || math.IsNaN(at.Y) {
				t.Fatalf("%v stands at %v of %v x %v", n, at, d.Width, d.Height)
			}
			for _, o := range nodes[:i] {
				if o.Lane == n.Lane && math.Abs(d.At[o.Key].Y-at.Y) < layout.NodeHeight {
					t.Fatalf("%v and %v overlap", n, o)
				}
			}
		}
		for _, e := range edges {
			var from, to int
			_, _ = fmt.Sscan(e.From, &from)
			_, _ = fmt.Sscan(e.To, &to)
			if forth := lanes[from] < lanes[to]; forth != (d.Paths[e] != "") {
				t.Fatalf("%v: path %q", e, d.Paths[e])
			}
		}
		if again := layout.Place(nodes, edges); fmt.Sprint(again) != fmt.Sprint(d) {
			t.Fatal("another drawing of the same graph")
		}
	})
}
