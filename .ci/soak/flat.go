//go:build duckdb_arrow

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// gauge is one thing that is sampled. What has a bound is to be flat: its median in the last
// quarter is at most bound times that in the second quarter, and some more, for small numbers
// go up and down. What has none grows with the data, or with the time that files are kept.
type gauge struct {
	name        string
	bound, more float64
	least       float64 // up to which it is well in any case
	paced       bool    // it takes longer on a machine that is busy with others' work
	timed       bool    // of a run that is not warm it is only told
}

var gauges = []gauge{
	{name: "commit_p50_ms", bound: 2, more: 2, paced: true, timed: true},
	{name: "commit_p99_ms"},
	{name: "commits_s"},
	{name: "cpu_ms_a_commit", bound: 2, more: 2, timed: true},
	{name: "cpu_cores"},
	{name: "upkeep_share", bound: 2, more: 0.1, paced: true, timed: true},
	{name: "files", bound: 1.3, more: 100, least: 3000},
	{name: "files_max", bound: 1.3, more: 20, least: 150},
	{name: "delete_files", bound: 1.3, more: 100, least: 1500},
	{name: "delete_files_max", bound: 1.3, more: 10, least: 120},
	{name: "metadata_kb_max", bound: 1.6, more: 10},
	{name: "snapshots_max", bound: 1.6, more: 16},
	{name: "rss_mb", bound: 1.4, more: 64},
	{name: "peak_mb", bound: 1.5, more: 128},
	{name: "heap_mb", bound: 1.5, more: 64},
	{name: "goroutines", bound: 1.25, more: 40},
	{name: "yardstick_ms"},
	{name: "health_ms"},
	{name: "health_timeouts"},
	{name: "delete_ratio_max"},
	{name: "live_mb"},
	{name: "disk_lake_mb"},
	{name: "disk_bus_mb"},
	{name: "disk_meta.db_mb"},
	{name: "files_on_disk"},
	{name: "metadata_files_max"},
	{name: "orphan_files"},
	{name: "orphan_mb"},
}

// warm is how long a run has to be for its second quarter to be as busy as the rest: until some ten minutes
// have gone the caches still fill, and upkeep has little to do, so that a commit gets dearer in any case.
const warm = 30 * time.Minute

// series is all samples of a run.
type series struct {
	began, ended time.Time
	samples      []*sample
}

func (s *series) add(now *sample) { s.samples = append(s.samples, now) }

// quarter is the median of a gauge in a quarter of the run, from 0; false where it was not read.
func (s *series) quarter(name string, q int) (float64, bool) {
	length := s.ended.Sub(s.began).Seconds()
	var v []float64
	for _, x := range s.samples {
		if at := float64(x.second) / length * 4; at < float64(q) || at >= float64(q+1) {
			continue
		}
		if y, ok := x.values[name]; ok {
			v = append(v, y)
		}
	}
	return median(v), len(v) > 0
}

// tell prints each gauge's medians of the four quarters, and is an error that names what is
// not flat.
func (s *series) tell(out io.Writer) error {
	_, _ = fmt.Fprintf(out, "soak_minutes=%.1f\nsoak_samples=%d\n", s.ended.Sub(s.began).Minutes(), len(s.samples))
	slow := 1.0 // by how much the machine itself was slower in the last quarter than in the second
	if then, ok := s.quarter("yardstick_ms", 1); ok && then > 0 {
		now, _ := s.quarter("yardstick_ms", 3)
		slow = max(1, now/then)
	}
	isWarm := s.ended.Sub(s.began) >= warm
	var grown []error
	for _, g := range gauges {
		var line strings.Builder
		line.WriteString("soak_" + g.name)
		for q := range 4 {
			if v, ok := s.quarter(g.name, q); ok {
				_, _ = fmt.Fprintf(&line, " q%d=%s", q+1, short(v))
			}
		}
		then, ok := s.quarter(g.name, 1)
		now, ok2 := s.quarter(g.name, 3)
		if g.bound > 0 && ok && ok2 && (isWarm || !g.timed) {
			most := g.bound*then + g.more
			if g.paced {
				most *= slow
			}
			most = max(most, g.least)
			line.WriteString(" bound=" + short(most))
			if now > most {
				line.WriteString(" GROWN")
				grown = append(grown, fmt.Errorf("%s is not flat: %s in the second quarter, %s in the last, bound %s", g.name, short(then), short(now), short(most)))
			}
		}
		_, _ = fmt.Fprintln(out, line.String())
	}
	return errors.Join(grown...)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}
