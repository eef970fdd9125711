package sampledata

import (
	"math"
	"slices"
	"strings"
	"time"
)

// turnTimes is how long trucks were inside, by gate and purpose.
func (w *world) turnTimes() []string {
	seconds := map[string][]int64{}
	for _, v := range w.visits.rows {
		if v.outAt != "" {
			key := Line(v.gate, v.purpose)
			seconds[key] = append(seconds[key], secondsBetween(v.inAt, string(v.outAt)))
		}
	}
	return stays(seconds, time.Minute, 1)
}

// dwellTimes is how long containers stayed, by port and way.
func (w *world) dwellTimes() []string {
	seconds := map[string][]int64{}
	for _, c := range w.containers.rows {
		if c.outAt != "" {
			key := Line(c.port, c.way)
			seconds[key] = append(seconds[key], secondsBetween(c.inAt, string(c.outAt)))
		}
	}
	return stays(seconds, time.Hour, 2)
}

// stays are number, mean, median and most of each group, in a unit and with digits.
func stays(groups map[string][]int64, unit time.Duration, digits int) (rows []string) {
	for key, seconds := range groups {
		slices.Sort(seconds)
		n, sum := len(seconds), int64(0)
		for _, s := range seconds {
			sum += s
		}
		median := float64(seconds[(n-1)/2]+seconds[n/2]) / 2
		in := func(s float64) float64 { return rounded(s/unit.Seconds(), digits) }
		rows = append(rows, key+"|"+Line(n, in(float64(sum)/float64(n)), in(median), in(float64(seconds[n-1]))))
	}
	return rows
}

// heldContainers are those that customs hold.
func (w *world) heldContainers() (rows []string) {
	for _, h := range w.holds.rows {
		if h.releasedAt != "" {
			continue
		}
		since, _, _ := strings.Cut(strings.Replace(h.placedAt, " ", "T", 1), ".") // on the second
		var port, isoType text
		if c := w.containers.find(func(c *container) bool { return c.no == h.container }); c != nil {
			port, isoType = text(c.port), text(c.isoType)
		}
		rows = append(rows, Line(h.container, h.reason, since, port, isoType))
	}
	return rows
}

// berthProductivity is what terminals compare themselves by: containers moved per hour alongside.
func (w *world) berthProductivity() (rows []string) {
	type work struct {
		calls, alongside, moves int64
		timed, seconds          int64 // moves of the calls that have a time, and that time
	}
	done, last := map[int64]int64{}, map[int64]string{}
	for _, m := range w.moves.rows {
		done[m.callID]++
		last[m.callID] = max(last[m.callID], m.movedAt)
	}
	berths := map[string]*work{}
	for _, c := range w.calls.rows {
		if c.berth == "" {
			continue
		}
		p := w.ports.find(func(p *port) bool { return p.locode == c.port })
		key := Line(p.name, c.berth)
		if berths[key] == nil {
			berths[key] = &work{}
		}
		b := berths[key]
		b.calls++
		b.moves += done[c.id]
		until := string(c.departedAt)
		if c.status == berthed {
			b.alongside++
			until = last[c.id]
		}
		if until == "" {
			continue
		}
		if s := secondsBetween(string(c.berthedAt), until); s > 0 {
			b.timed += done[c.id]
			b.seconds += s
		}
	}
	for key, b := range berths {
		perHour := "null"
		if b.seconds > 0 {
			perHour = Line(rounded(float64(b.timed)*3600/float64(b.seconds), 1))
		}
		rows = append(rows, key+"|"+Line(b.calls, b.alongside, b.moves)+"|"+perHour)
	}
	return rows
}

// secondsBetween counts boundaries of seconds, as SQL's date_diff does.
func secondsBetween(from, to string) int64 {
	a, _ := time.Parse(timeLayout, from)
	b, _ := time.Parse(timeLayout, to)
	return b.Unix() - a.Unix()
}

func rounded(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}
