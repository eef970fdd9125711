//go:build duckdb_arrow

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	proof "tarn/.ci/proof"
)

// How often the folders are walked, and system.health is asked: both are dear.
const (
	walkEvery   = time.Minute
	healthEvery = 5 * time.Minute
)

// meter reads the program's gauges from outside.
type meter struct {
	live           *proof.Process
	house          *proof.House
	began          time.Time
	at             time.Time
	before         map[string]float64 // the numbers of /metrics at the last sample
	walked, healed time.Time          // the last time
	timeouts       float64            // of system.health
}

func newMeter(live *proof.Process, house *proof.House) *meter {
	now := time.Now()
	return &meter{live: live, house: house, began: now, at: now, before: map[string]float64{}}
}

// sample is what was read at a moment, by name.
type sample struct {
	second int
	values map[string]float64
}

func (s *sample) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "second=%d", s.second)
	for _, g := range gauges {
		if v, ok := s.values[g.name]; ok {
			_, _ = fmt.Fprintf(&b, " %s=%s", g.name, short(v))
		}
	}
	return b.String()
}

func short(v float64) string {
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func (m *meter) read(ctx context.Context) (*sample, error) {
	now, took := time.Now(), time.Since(m.at).Seconds()
	v := map[string]float64{"yardstick_ms": yardstick(filepath.Dir(m.house.Data))}
	numbers, err := m.scrape(ctx)
	if err != nil {
		return nil, err
	}
	grew := func(name string) float64 { return numbers[name] - m.before[name] }
	if len(m.before) > 0 {
		v["commit_p50_ms"] = 1000 * m.quantile(numbers, "tarn_lake_commit_seconds", 0.5)
		v["commit_p99_ms"] = 1000 * m.quantile(numbers, "tarn_lake_commit_seconds", 0.99)
		v["commits_s"] = grew("tarn_lake_commit_seconds_count") / took
		v["cpu_cores"] = grew("process_cpu_seconds_total") / took
		v["upkeep_share"] = grew("tarn_lake_upkeep_seconds_sum") / took
		if n := grew("tarn_lake_commit_seconds_count"); n > 0 {
			v["cpu_ms_a_commit"] = 1000 * grew("process_cpu_seconds_total") / n
		}
	}
	v["goroutines"], v["heap_mb"] = numbers["go_goroutines"], numbers["go_memstats_heap_inuse_bytes"]/1e6
	v["rss_mb"], v["peak_mb"] = m.live.Status("VmRSS"), m.live.Status("VmHWM")
	m.before, m.at = numbers, now
	if err := m.tables(ctx, v); err != nil {
		return nil, err
	}
	if now.Sub(m.walked) >= walkEvery {
		m.walked = now
		m.walk(v)
	}
	if now.Sub(m.healed) >= healthEvery {
		m.healed = now
		if err := m.health(ctx, v); err != nil {
			return nil, err
		}
	}
	return &sample{int(now.Sub(m.began).Seconds()), v}, nil
}

// scrape reads /metrics: name with labels -> number.
func (m *meter) scrape(ctx context.Context) (map[string]float64, error) {
	_, body, err := m.live.Get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for in := bufio.NewScanner(bytes.NewReader(body)); in.Scan(); {
		name, value, ok := strings.Cut(in.Text(), " ")
		if x, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(name, "#") {
			out[name] = x
		}
	}
	return out, nil
}

// quantile is of what a histogram has counted since the last sample, in seconds; within a
// bucket it goes by the logarithm, as the buckets do.
func (m *meter) quantile(now map[string]float64, name string, q float64) float64 {
	type bucket struct{ le, n float64 }
	var all []bucket
	for key, n := range now {
		if text, ok := strings.CutPrefix(key, name+`_bucket{le="`); ok {
			le, err := strconv.ParseFloat(strings.TrimSuffix(text, `"}`), 64)
			if err == nil {
				all = append(all, bucket{le, n - m.before[key]})
			}
		}
	}
	slices.SortFunc(all, func(a, b bucket) int { return int(math.Copysign(1, a.le-b.le)) })
	if len(all) == 0 {
		return 0
	}
	want, below := q*all[len(all)-1].n, bucket{all[0].le / 2, 0}
	for _, b := range all {
		if b.n >= want && b.n > below.n && !math.IsInf(b.le, 1) {
			return below.le * math.Pow(b.le/below.le, (want-below.n)/(b.n-below.n))
		}
		below = b
	}
	return below.le
}

// tables reads how many files the tables have, all together and the one with the most.
func (m *meter) tables(ctx context.Context, v map[string]float64) error {
	a, err := m.live.SQL(ctx, `SELECT sum(n), max(n), sum(t.files) - sum(n), max(t.files - n), sum(t.bytes) / 1e6
		FROM system.tables t JOIN (SELECT table_id, count(*) AS n FROM system.files WHERE content = 'data' GROUP BY 1) f ON f.table_id = t.id`)
	if err != nil {
		return err
	}
	for i, name := range []string{"files", "files_max", "delete_files", "delete_files_max", "live_mb"} {
		if v[name], err = strconv.ParseFloat(fmt.Sprint(a.Rows[0][i]), 64); err != nil {
			return err
		}
	}
	return nil
}

// walk measures the folders.
func (m *meter) walk(v map[string]float64) {
	newest := map[string]int64{} // folder -> size of its largest metadata
	inMetadata := map[string]float64{}
	_ = filepath.WalkDir(m.house.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // files go while we look
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		room, _, _ := strings.Cut(strings.TrimPrefix(path, m.house.Data+"/"), "/")
		v["disk_"+room+"_mb"] += float64(info.Size()) / 1e6
		if folder := filepath.Dir(path); filepath.Base(folder) == "metadata" {
			inMetadata[folder]++
			if strings.HasSuffix(path, ".metadata.json") {
				newest[folder] = max(newest[folder], info.Size())
			}
		} else if room == "lake" {
			v["files_on_disk"]++
		}
		return nil
	})
	for folder, size := range newest {
		v["metadata_kb_max"] = max(v["metadata_kb_max"], float64(size)/1e3)
		v["metadata_files_max"] = max(v["metadata_files_max"], inMetadata[folder])
		v["files_on_disk"] += inMetadata[folder]
	}
}

// health asks for the tables' health. That it takes too long is counted, not failed.
func (m *meter) health(ctx context.Context, v map[string]float64) error {
	began := time.Now()
	a, err := m.live.SQL(ctx, "SELECT max(snapshots), sum(orphan_files), sum(orphan_bytes) / 1e6, max(delete_ratio) FROM system.health")
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		m.timeouts++
		v["health_timeouts"] = m.timeouts
		return nil
	}
	if err != nil {
		return err
	}
	v["health_ms"] = float64(time.Since(began).Milliseconds())
	for i, name := range []string{"snapshots_max", "orphan_files", "orphan_mb", "delete_ratio_max"} {
		if v[name], err = strconv.ParseFloat(fmt.Sprint(a.Rows[0][i]), 64); err != nil {
			return err
		}
	}
	return nil
}

// yardstick times a piece of work that is always the same, in ms: how slow the machine is
// just now for somebody who computes a little and syncs a small file. The median of a few.
func yardstick(dir string) float64 {
	const times = 9
	var took []float64
	block := make([]byte, 256<<10)
	for range times {
		began := time.Now()
		sum := sha256.Sum256(block)
		copy(block, sum[:])
		path := filepath.Join(dir, "yardstick")
		f, err := os.Create(path)
		if err != nil {
			return 0
		}
		_, _ = f.Write(block[:16<<10])
		_ = f.Sync()
		_ = f.Close()
		_ = os.Remove(path)
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	return median(took)
}
