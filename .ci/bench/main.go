//go:build duckdb_arrow

// Bench measures the program as its users meet it and prints key=value: from start to
// ready, memory, size, how soon a change can be seen, and what a query costs beside the
// same query without Tarn.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	proof "tarn/.ci/proof"
)

// bench is one run: the program, a folder to work in, and where figures go.
type bench struct {
	binary, dir string
	out         io.Writer
}

func main() {
	proof.BecomeWriter()
	if len(os.Args) < 3 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: bench TARN FOLDER [lake|commits|upserts|scan|compact|upkeep|stream|stream-PART|page|page-PART|kafka|kafka-scale|cdc|cdc-PART|sql|sql-PART]")
		os.Exit(2)
	}
	b := &bench{os.Args[1], os.Args[2], os.Stdout}
	all := map[string][]func(context.Context) error{
		"all":  {b.size, b.start, b.sample, b.visible, b.query},
		"lake": {b.manyCommits, b.upserts, b.lakeScan, b.compactRSS, b.upkeepShare},
		// the parts of lake alone
		"commits": {b.manyCommits}, "upserts": {b.upserts}, "scan": {b.lakeScan}, "compact": {b.compactRSS}, "upkeep": {b.upkeepShare},
	}
	maps.Copy(all, b.streamParts())
	maps.Copy(all, b.pageParts())
	maps.Copy(all, b.kafkaParts())
	maps.Copy(all, b.cdcParts())
	maps.Copy(all, b.sqlParts())
	part := append(os.Args, "all")[3]
	if all[part] == nil {
		_, _ = fmt.Fprintf(os.Stderr, "bench: no part %s; there are %s\n", part, strings.Join(slices.Sorted(maps.Keys(all)), " "))
		os.Exit(2)
	}
	for _, measure := range all[part] {
		if err := measure(context.Background()); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

func (b *bench) print(key, format string, value any) {
	_, _ = fmt.Fprintf(b.out, "%s="+format+"\n", key, value)
}

// house is an empty one of a name.
func (b *bench) house(name string) (*proof.House, error) {
	dir := filepath.Join(b.dir, name)
	h := &proof.House{Binary: b.binary, Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "tarn.log")}
	return h, os.MkdirAll(h.Project, 0o755)
}

func (b *bench) size(context.Context) error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.print("binary_mb", "%.1f", float64(info.Size())/1e6)
	return nil
}

// start times an empty folder's way to /ready, several times, each in a new folder.
func (b *bench) start(ctx context.Context) error {
	const times = 5
	var took, cpu []float64
	for i := range times {
		h, err := b.house(fmt.Sprint("start", i))
		if err != nil {
			return err
		}
		began := time.Now()
		p, err := h.Up(ctx)
		if err != nil {
			return err
		}
		took = append(took, millis(time.Since(began)))
		spent, _ := p.Cost()
		cpu = append(cpu, spent.Seconds())
		p.Kill()
	}
	b.print("start_ready_ms", "%.0f", quantile(took, 0.5))
	b.print("start_ready_worst_ms", "%.0f", quantile(took, 1))
	b.print("start_ready_cpu_s", "%.2f", quantile(cpu, 0.5))
	return nil
}

// sample runs the sample as a newcomer does and reads what it holds.
func (b *bench) sample(ctx context.Context) error {
	length, err := time.ParseDuration(setting("TARN_BENCH_SAMPLE", "300s"))
	if err != nil {
		return err
	}
	h, err := b.house("sample")
	if err != nil {
		return err
	}
	h.Project, h.Args = "", []string{"--sample", "--listen", "auto"}
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	select {
	case <-time.After(length): // memory after a while is what is measured
	case <-p.Done():
		return fmt.Errorf("the sample ended\n%s", h.Tail())
	}
	cpu, rss := p.Cost()
	b.print("rss_mb_after_sample", "%.0f", float64(rss)/1e6)
	b.print("sample_wall_s", "%.0f", length.Seconds())
	b.print("sample_cpu_s", "%.1f", cpu.Seconds())
	began := time.Now()
	if _, err := p.Stop(10 * time.Second); err != nil {
		return err
	}
	b.print("stop_ms", "%.0f", millis(time.Since(began)))
	return nil
}

func setting(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func number(name string, fallback int) (int, error) {
	return strconv.Atoi(setting(name, strconv.Itoa(fallback)))
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantile sorts what it is given.
func quantile(v []float64, q float64) float64 {
	slices.Sort(v)
	return v[min(len(v)-1, int(float64(len(v))*q))]
}

// ownCPU is what this process has spent.
func ownCPU() time.Duration {
	return cpuOf(syscall.RUSAGE_SELF)
}

// threadCPU is what the calling thread has spent.
func threadCPU() time.Duration { return cpuOf(unix.RUSAGE_THREAD) }

func cpuOf(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
