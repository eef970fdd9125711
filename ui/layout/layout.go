// Package layout places a layered graph: each node stands in a lane that is given, and
// within it where its edges cross least. It knows nothing of what the nodes mean.
package layout

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Sizes of the picture, in its own units (CSS pixels at scale 1).
const (
	NodeWidth  = 176.0
	NodeHeight = 44.0
	LaneStep   = 252.0 // from one lane's left edge to the next
	gap        = 12.0  // between nodes of a lane
	throughGap = 8.0   // the room of a node's edges that pass a lane
	sweeps     = 8     // more change nothing on graphs that a person can read
)

// Node is a node of a lane, counted from 0.
type Node struct {
	Key  string
	Lane int
}

// Edge goes from a lower lane to a higher one; others are left out.
type Edge struct{ From, To string }

// Point is a place in the picture.
type Point struct{ X, Y float64 }

// Drawing is the answer: the upper left corner of each node, and the path of each edge
// that can be drawn.
type Drawing struct {
	Width, Height float64
	At            map[string]Point
	Paths         map[Edge]string
}

// spot is a node, or a place that a node's edges pass through.
type spot struct {
	key     string // "" for passing edges
	height  float64
	y       float64 // of the middle
	pos     int
	in, out []*spot
}

// Place draws the graph. The same input gives the same drawing.
func Place(nodes []Node, edges []Edge) Drawing {
	byKey := map[string]*spot{}
	laneOf := map[string]int{}
	var lanes [][]*spot
	put := func(lane int, s *spot) *spot {
		for len(lanes) <= lane {
			lanes = append(lanes, nil)
		}
		lanes[lane] = append(lanes[lane], s)
		return s
	}
	for _, n := range nodes {
		if byKey[n.Key] == nil {
			byKey[n.Key], laneOf[n.Key] = put(n.Lane, &spot{key: n.Key, height: NodeHeight}), n.Lane
		}
	}
	// Edges of one node pass a lane together: thirty that fan out behind it are one line until then.
	type passing struct {
		from string
		lane int
	}
	through := map[passing]*spot{}
	ways := map[Edge][]*spot{}
	for _, e := range edges {
		from, to := byKey[e.From], byKey[e.To]
		if from == nil || to == nil || laneOf[e.From] >= laneOf[e.To] || ways[e] != nil {
			continue
		}
		way := []*spot{from}
		for lane := laneOf[e.From] + 1; lane < laneOf[e.To]; lane++ {
			at := passing{e.From, lane}
			if through[at] == nil {
				through[at] = put(lane, &spot{height: throughGap})
			}
			way = append(way, through[at])
		}
		way = append(way, to)
		for i := range len(way) - 1 {
			if !slices.Contains(way[i].out, way[i+1]) {
				way[i].out, way[i+1].in = append(way[i].out, way[i+1]), append(way[i+1].in, way[i])
			}
		}
		ways[e] = way
	}
	order(lanes)
	d := Drawing{Width: max(0, float64(len(lanes)-1)*LaneStep+NodeWidth), Height: stack(lanes), At: map[string]Point{}, Paths: map[Edge]string{}}
	for key, s := range byKey {
		d.At[key] = Point{X: float64(laneOf[key]) * LaneStep, Y: s.y - NodeHeight/2}
	}
	for e, way := range ways {
		d.Paths[e] = path(way, laneOf[e.From])
	}
	return d
}

// order moves each spot towards the middle of what it is joined to, sweeping forth and back.
func order(lanes [][]*spot) {
	number := func(lane []*spot) {
		for i, s := range lane {
			s.pos = i
		}
	}
	for _, lane := range lanes {
		number(lane)
	}
	for sweep := range sweeps {
		for i := range lanes {
			lane, joined := lanes[i], func(s *spot) []*spot { return s.in }
			if sweep%2 == 1 {
				lane, joined = lanes[len(lanes)-1-i], func(s *spot) []*spot { return s.out }
			}
			want := make(map[*spot]float64, len(lane))
			for _, s := range lane {
				want[s] = middle(s, joined(s))
			}
			slices.SortStableFunc(lane, func(a, b *spot) int { return cmp.Compare(want[a], want[b]) })
			number(lane)
		}
	}
}

func middle(s *spot, joined []*spot) float64 {
	if len(joined) == 0 {
		return float64(s.pos)
	}
	sum := 0.0
	for _, j := range joined {
		sum += float64(j.pos)
	}
	return sum / float64(len(joined))
}

// stack gives each spot its height in the picture: as level with what it is joined to as
// its neighbours allow.
func stack(lanes [][]*spot) float64 {
	for _, lane := range lanes {
		y := 0.0
		for _, s := range lane {
			s.y = y + s.height/2
			y += s.height + gap
		}
	}
	for sweep := range sweeps + 1 { // the last one goes forth
		for i := range lanes {
			if sweep%2 == 0 {
				level(lanes[i], func(s *spot) []*spot { return s.in })
			} else {
				level(lanes[len(lanes)-1-i], func(s *spot) []*spot { return s.out })
			}
		}
	}
	return compact(lanes)
}

// compact closes the bands that no spot of any lane stands in, and returns the height.
func compact(lanes [][]*spot) float64 {
	var all []*spot
	for _, lane := range lanes {
		all = append(all, lane...)
	}
	top := func(s *spot) float64 { return s.y - s.height/2 }
	slices.SortStableFunc(all, func(a, b *spot) int { return cmp.Compare(top(a), top(b)) })
	down, shift := math.Inf(-1), 0.0 // the lowest edge so far, before and after the closing
	for _, s := range all {
		switch {
		case math.IsInf(down, -1):
			shift = top(s)
		case top(s) > down+gap:
			shift += top(s) - down - gap
		}
		down = max(down, top(s)+s.height)
		s.y -= shift
	}
	return max(0, down-shift)
}

// level moves the spots of a lane as near as they come to the mean height of what they are
// joined to, in their order and without touching: least squares, by merging those that
// would overlap into one block that moves together.
func level(lane []*spot, joined func(*spot) []*spot) {
	type block struct {
		first, last int
		sum         float64 // of where its spots want its first one to be
		at          float64
	}
	offset := make([]float64, len(lane)) // from the lane's first spot when all stand close
	for i := 1; i < len(lane); i++ {
		offset[i] = offset[i-1] + (lane[i-1].height+lane[i].height)/2 + gap
	}
	var blocks []block
	for i, s := range lane {
		want := s.y
		if others := joined(s); len(others) > 0 {
			want = 0
			for _, o := range others {
				want += o.y / float64(len(others))
			}
		}
		b := block{first: i, last: i, sum: want - offset[i], at: want - offset[i]}
		for len(blocks) > 0 && blocks[len(blocks)-1].at > b.at {
			above := blocks[len(blocks)-1]
			blocks = blocks[:len(blocks)-1]
			b.first, b.sum = above.first, b.sum+above.sum
			b.at = b.sum / float64(b.last-b.first+1)
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for i := b.first; i <= b.last; i++ {
			lane[i].y = b.at + offset[i]
		}
	}
}

// path is a smooth line from a node's right edge to the other's left one; in the lanes
// between it runs level, behind the nodes' column.
func path(way []*spot, lane int) string {
	d := ""
	for i := range len(way) - 1 {
		x1, y1 := float64(lane+i)*LaneStep+NodeWidth, way[i].y
		x2, y2 := float64(lane+i+1)*LaneStep, way[i+1].y
		if i == 0 {
			d = fmt.Sprintf("M%.1f %.1f", x1, y1)
		} else {
			d += fmt.Sprintf("H%.1f", x1)
		}
		mid := (x1 + x2) / 2
		d += fmt.Sprintf("C%.1f %.1f %.1f %.1f %.1f %.1f", mid, y1, mid, y2, x2, y2)
	}
	return d
}
