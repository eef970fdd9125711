package sampledata

import (
	"fmt"
	"strings"
	"time"
)

const (
	manifestHour = 12 // of each day
	manifestRows = 60
)

// manifest is what a shipping line expects the port to handle on the next day.
type manifest struct {
	day    time.Time
	rows   []manifestRow
	broken string // a row that is none
}

type manifestRow struct {
	vessel    int64
	container string
	teu       int64
	weightKg  int64
	dangerous bool
}

const manifestHead = "day,vessel_imo,container,teu,weight_kg,dangerous"

func (m *manifest) name() string { return "manifest-" + m.day.Format(time.DateOnly) + ".csv" }

func (m *manifest) String() string {
	var out strings.Builder
	out.WriteString(manifestHead + "\n")
	for i, r := range m.rows {
		if i == len(m.rows)/2 {
			out.WriteString(m.broken)
		}
		_, _ = fmt.Fprintf(&out, "%s,%d,%s,%d,%d,%t\n", m.day.Format(time.DateOnly), r.vessel, r.container, r.teu, r.weightKg, r.dangerous)
	}
	return out.String()
}

// announce sends the manifest at noon.
func (w *world) announce() {
	if noon := time.Date(w.now.Year(), w.now.Month(), w.now.Day(), manifestHour, 0, 0, 0, time.UTC); !w.now.Equal(noon) {
		return
	}
	m := &manifest{day: w.now.Truncate(24*time.Hour).AddDate(0, 0, 1)}
	for range manifestRows {
		v := w.vessels.rows[w.rng.IntN(len(w.vessels.rows))]
		m.rows = append(m.rows, manifestRow{v.imo, w.draw(), int64(1 + w.rng.IntN(2)), int64(2200 + w.rng.IntN(28300)), w.chance(0.07)})
	}
	if w.faults.has(PoisonRows) {
		m.broken = fmt.Sprintf("%s,%d,%s,2,heavy,false\n", m.day.Format(time.DateOnly), m.rows[0].vessel, m.rows[0].container)
	}
	w.out.manifest = m
}
