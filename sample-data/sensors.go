package sampledata

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"strconv"
	"time"
)

const (
	windMax     = 72.0 // km/h: cranes stop
	windEvery   = 4    // steps between two readings of a mast
	reeferEvery = 20   // steps between two readings of a refrigerated container
	lateBy      = 40   // steps that a reading is late that is late
	againEvery  = 25   // steps between two posts that are sent twice
)

// reading is what a sensor tells the gateway, which posts what it has to Tarn.
type reading struct {
	Kind     string   `json:"kind"` // lift, wind, reefer
	Port     string   `json:"port"`
	ID       string   `json:"id"` // of the crane, mast or container
	At       string   `json:"read_at"`
	Value    float64  `json:"value"`              // kg, km/h, °C
	Lift     int64    `json:"lift,omitempty"`     // the number of the move
	Setpoint *float64 `json:"setpoint,omitempty"` // °C

	at time.Time
}

// heldReading waits for the network.
type heldReading struct {
	due uint32 // the step
	of  reading
}

// read takes a sensor's reading into the post of this step, or a later one.
func (w *world) read(r reading) {
	r.At = r.at.Format("2006-01-02T15:04:05.000Z")
	if w.faults.has(LateReadings) && w.chance(0.02) {
		w.held = append(w.held, heldReading{w.step + lateBy, r})
		return
	}
	if len(w.out.posts) == 0 {
		w.out.posts = [][]reading{nil}
	}
	w.out.posts[0] = append(w.out.posts[0], r)
}

// sense reads what reads by itself, and ends the step's post.
func (w *world) sense() {
	for i, t := range terminals {
		if w.step%windEvery == uint32(i) {
			w.read(reading{Kind: "wind", Port: t.port, ID: "mast-" + strconv.Itoa(i+1), at: w.now, Value: w.wind(t.port)})
		}
	}
	for _, c := range w.containers.rows {
		if c.outAt == "" && c.setpoint.is && chanceOf(c.no, 0)%reeferEvery == w.step%reeferEvery {
			setpoint := c.setpoint.celsius
			w.read(reading{Kind: "reefer", Port: c.port, ID: c.no, at: w.now, Value: w.temperature(c), Setpoint: &setpoint})
		}
	}
	for len(w.held) > 0 && w.held[0].due <= w.step {
		if len(w.out.posts) == 0 {
			w.out.posts = [][]reading{nil}
		}
		w.out.posts[0] = append(w.out.posts[0], w.held[0].of)
		w.held = w.held[1:]
	}
	if w.faults.has(Duplicates) && w.step%againEvery == 0 && len(w.out.posts) > 0 {
		w.out.posts = append(w.out.posts, w.out.posts[0])
	}
}

// wind at a port, km/h: it comes and goes in nine hours, and gusts.
func (w *world) wind(port string) float64 {
	gust := float64(chanceOf(port, w.step)%100) / 10
	if w.faults.has(WindStop) {
		return oneDigit(78 + gust)
	}
	hours := w.now.Sub(dayOne).Hours()
	return oneDigit(22 + 12*math.Sin(2*math.Pi*hours/9) + gust)
}

// temperature of a refrigerated container. One in seven warms for three hours, until somebody looks after it.
func (w *world) temperature(c *container) float64 {
	t := c.setpoint.celsius + float64(chanceOf(c.no, w.step)%17)/10 - 0.8
	if minutes := w.since(c.inAt).Minutes(); chanceOf(c.no, 1)%7 == 0 && minutes > 20 && minutes < 200 {
		t += min(9, 0.12*(minutes-20))
	}
	return oneDigit(t)
}

// chanceOf is chance of a thing's own, which nothing else that is drawn disturbs.
func chanceOf(name string, step uint32) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name + "/" + strconv.Itoa(int(step))))
	return h.Sum32() >> 3
}

func oneDigit(x float64) float64 { return math.Round(x*10) / 10 }

// body is a post as the gateway sends it.
func body(readings []reading) ([]byte, error) { return json.Marshal(readings) }
