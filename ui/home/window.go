package home

import "time"

// windowLength is over how long rates are measured and the worst lag is kept, so that
// figures do not jump with every commit.
const windowLength = 5 * time.Second

// window holds the last looks at one number.
type window struct {
	at    []time.Time
	value []int64
	round uint64
}

func (w *window) add(now time.Time, v int64) {
	w.at, w.value = append(w.at, now), append(w.value, v)
	keep := 0
	for keep < len(w.at)-2 && now.Sub(w.at[keep]) > windowLength {
		keep++
	}
	w.at, w.value = w.at[keep:], w.value[keep:]
}

// windows are all numbers that are followed. One goroutine uses them.
type windows struct {
	round uint64
	byKey map[string]*window
}

func (ws *windows) look(key string) *window {
	w := ws.byKey[key]
	if w == nil {
		w = &window{}
		ws.byKey[key] = w
	}
	w.round = ws.round
	return w
}

// rate is how fast a counter grows, nil at its first look and when it began anew.
func (ws *windows) rate(key string, now time.Time, v int64) *float64 {
	w := ws.look(key)
	if n := len(w.value); n > 0 && v < w.value[n-1] {
		w.at, w.value = nil, nil
	}
	w.add(now, v)
	first, last := 0, len(w.at)-1
	passed := w.at[last].Sub(w.at[first]).Seconds()
	if passed <= 0 {
		return nil
	}
	return new(float64(w.value[last]-w.value[first]) / passed)
}

// worst is the highest value in the window.
func (ws *windows) worst(key string, now time.Time, v int64) int64 {
	w := ws.look(key)
	w.add(now, v)
	most := v
	for i, seen := range w.value {
		if now.Sub(w.at[i]) <= windowLength {
			most = max(most, seen)
		}
	}
	return most
}

// sweep forgets what this round did not look at.
func (ws *windows) sweep() {
	for key, w := range ws.byKey {
		if w.round != ws.round {
			delete(ws.byKey, key)
		}
	}
	ws.round++
}
