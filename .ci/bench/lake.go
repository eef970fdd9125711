//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// The mirror of the measurements: nine columns and a whole number for a key.
var (
	boxes       = table.Ident{Namespace: "silver", Name: "boxes"}
	boxColumns  = columnsOf("id", record.Long, "container", record.String, "owner", record.String, "weight", record.Double, "teu", record.Int, "moved_at", record.Timestamp, "hold", record.Boolean, "_offset", record.Long, "_generation", record.Long)
	notesColumn = columnsOf("id", record.Long, "note", record.String)
)

func columnsOf(pairs ...any) (out []table.Column) {
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		typ, _ := pairs[i+1].(record.Type)
		out = append(out, table.Column{Name: name, Type: typ, Key: i == 0, Required: i == 0})
	}
	return out
}

// openLake opens a lake as tarn up does, with upkeep or without.
func openLake(ctx context.Context, dir string, upkeep bool) (*lake.Lake, error) {
	if err := disk.Local.MkdirAll(dir); err != nil {
		return nil, err
	}
	return lake.Open(ctx, lake.Options{
		Dir: dir, Disk: disk.Local, Clock: life.SystemClock{}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		MemoryBytes: 1 << 30, Threads: 2, TempDir: dir, Upkeep: upkeep,
	})
}

func (b *bench) with(ctx context.Context, name string, upkeep bool, do func(*lake.Lake) error) (err error) {
	l, err := openLake(ctx, filepath.Join(b.dir, name), upkeep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return do(l)
}

// manyCommits compares the last hundred of so many commits to a table with the first hundred to a new one,
// in turns, so that what else the machine does is in both.
func (b *bench) manyCommits(ctx context.Context) error {
	commits, err := number("TARN_BENCH_COMMITS", 10_000)
	if err != nil {
		return err
	}
	return b.with(ctx, "many", true, func(l *lake.Lake) error {
		commit := func(name string, from, n int, took *[]float64) error {
			t, err := l.Tables().Ensure(ctx, table.Spec{Ident: table.Ident{Namespace: "silver", Name: name}, Columns: boxColumns})
			if err != nil {
				return err
			}
			for i := from; i < from+n; i++ {
				rows := boxRows(i*10, 10, func(j int) int { return j })
				began := time.Now()
				if _, err := t.Commit(ctx, table.Change{Rows: []arrow.RecordBatch{rows}, Properties: map[string]string{"tarn.offsets.landing": fmt.Sprint(i)}}); err != nil {
					return err
				}
				*took = append(*took, millis(time.Since(began)))
			}
			return nil
		}
		var before, first, last []float64
		n := min(100, commits/2)
		if err := commit("many", 0, commits-n, &before); err != nil {
			return err
		}
		for i := range n {
			if err := errors.Join(commit("many", commits-n+i, 1, &last), commit("few", i, 1, &first)); err != nil {
				return err
			}
		}
		b.print("commit_p50_first_ms", "%.1f", quantile(first, 0.5))
		b.print("commit_p50_last_ms", "%.1f", quantile(last, 0.5))
		b.print("commit_p50_ratio", "%.2f", quantile(last, 0.5)/quantile(first, 0.5))
		return nil
	})
}

// boxRows builds n rows whose ids are given by their number.
func boxRows(from, n int, id func(int) int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(boxColumns))
	defer b.Release()
	for i := from; i < from+n; i++ {
		key := id(i)
		b.Field(0).(*array.Int64Builder).Append(int64(key))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("TARN%07d", key*104729%9_999_991))
		b.Field(2).(*array.StringBuilder).Append(fmt.Sprint("owner ", key%977))
		b.Field(3).(*array.Float64Builder).Append(float64(i*31%30_000) / 10)
		b.Field(4).(*array.Int32Builder).Append(int32(key%3 + 1))
		b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(1_800_000_000_000_000 + int64(i)*1_000_000))
		b.Field(6).(*array.BooleanBuilder).Append(i%17 == 0)
		b.Field(7).(*array.Int64Builder).Append(int64(i))
		b.Field(8).(*array.Int64Builder).Append(1)
	}
	return b.NewRecordBatch()
}

// fillBoxes appends rows in commits of a million.
func fillBoxes(ctx context.Context, l *lake.Lake, rows int) (table.Table, error) {
	t, err := l.Tables().Ensure(ctx, table.Spec{Ident: boxes, Columns: boxColumns})
	if err != nil {
		return nil, err
	}
	const commit = 1_000_000
	for from := 0; from < rows; from += commit {
		batch := boxRows(from, min(commit, rows-from), func(i int) int { return i })
		if _, err := t.Commit(ctx, table.Change{Rows: []arrow.RecordBatch{batch}}); err != nil {
			return nil, err
		}
		batch.Release()
	}
	return t, nil
}

// boxChange is n changes of random rows, eight in ten of them updates, one an insert and one a delete.
func boxChange(r *rand.Rand, n, rows int, offset *int) table.Change {
	ids := make([]int, 0, n)
	seen := map[int]bool{}
	for len(ids) < n {
		id := r.IntN(rows)
		if len(ids)%10 == 9 {
			id = rows + *offset + len(ids)
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	keys := array.NewInt64Builder(memory.DefaultAllocator)
	defer keys.Release()
	puts := make([]int, 0, n)
	for i, id := range ids {
		keys.Append(int64(id))
		if i%10 != 8 {
			puts = append(puts, id)
		}
	}
	column := keys.NewArray()
	c := table.Change{
		Rows: []arrow.RecordBatch{boxRows(0, len(puts), func(i int) int { return puts[i] })},
		Keys: []arrow.RecordBatch{array.NewRecordBatch(table.ArrowSchema(boxColumns[:1]), []arrow.Array{column}, int64(n))},
	}
	*offset += n
	return c
}

// upserts measures the CPU of keyed changes at 40,000 a second into a mirror, with all of its upkeep,
// in commits of ten seconds and of one.
func (b *bench) upserts(ctx context.Context) error {
	rows, err := number("TARN_BENCH_ROWS", 5_000_000)
	if err != nil {
		return err
	}
	changes, err := number("TARN_BENCH_UPSERTS", 2_000_000)
	if err != nil {
		return err
	}
	for _, each := range []int{400_000, 40_000} {
		name := fmt.Sprintf("upsert_%ds", each/40_000)
		err := b.with(ctx, name, true, func(l *lake.Lake) error {
			t, err := fillBoxes(ctx, l, rows)
			if err != nil {
				return err
			}
			r := rand.New(rand.NewPCG(1, uint64(each))) //nolint:gosec // a benchmark's
			offset, made := 0, time.Duration(0)
			before := ownCPU()
			for done := 0; done < changes; done += each {
				c, cost := boxChangeCost(r, each, rows, &offset)
				made += cost
				if _, err := t.Commit(ctx, c); err != nil {
					return err
				}
				c.Rows[0].Release()
				c.Keys[0].Release()
			}
			if err := b.quiet(ctx, l); err != nil {
				return err
			}
			spent := ownCPU() - before - made
			b.print(name+"_cpu_s_per_100k", "%.2f", spent.Seconds()/float64(changes)*100_000)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// boxChangeCost tells also what the making of the change cost, which is no part of the measurement.
func boxChangeCost(r *rand.Rand, n, rows int, offset *int) (table.Change, time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadCPU()
	c := boxChange(r, n, rows, offset)
	return c, threadCPU() - before
}

// quiet waits until upkeep finds nothing to do: the files have been the same for a while.
func (b *bench) quiet(ctx context.Context, l *lake.Lake) error {
	var last int64
	for same := 0; same < 8; same++ {
		stats, err := l.Catalog().Stats(ctx)
		if err != nil {
			return err
		}
		if id := stats[0].SnapshotID; id != last {
			last, same = id, 0
		}
		time.Sleep(time.Second)
	}
	return nil
}

// compactRSS is what compacting 2 GB of small files adds to the memory of this process.
func (b *bench) compactRSS(ctx context.Context) error {
	mb, err := number("TARN_BENCH_COMPACT_MB", 2000)
	if err != nil {
		return err
	}
	return b.with(ctx, "large", false, func(l *lake.Lake) error {
		t, err := l.Tables().Ensure(ctx, table.Spec{Ident: boxes, Columns: notesColumn})
		if err != nil {
			return err
		}
		const each = 10 // MB a file
		for i := range mb / each {
			batch := noise(i, each*1000)
			if _, err := t.Commit(ctx, table.Change{Rows: []arrow.RecordBatch{batch}}); err != nil {
				return err
			}
			batch.Release()
		}
		runtime.GC()
		before, _, err := memoryMB(true)
		if err != nil {
			return err
		}
		cpu, began := ownCPU(), time.Now()
		done, err := l.Upkeep().Execute(ctx, boxes, catalog.Order{Action: catalog.Compact})
		if err != nil {
			return err
		}
		_, peak, err := memoryMB(false)
		if err != nil {
			return err
		}
		b.print("compact_mb", "%.0f", float64(done.BytesRemoved)/1e6)
		b.print("compact_files", "%s", fmt.Sprintf("%d->%d", done.FilesRemoved, done.FilesAdded))
		b.print("compact_wall_s", "%.1f", time.Since(began).Seconds())
		b.print("compact_cpu_s", "%.1f", (ownCPU() - cpu).Seconds())
		b.print("compact_rss_added_mb", "%.0f", peak-before)
		return nil
	})
}

// noise is n rows of a thousand bytes that nobody can pack.
func noise(seed, n int) arrow.RecordBatch {
	r := rand.New(rand.NewPCG(uint64(seed), 2)) //nolint:gosec // a benchmark's
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(notesColumn))
	defer b.Release()
	text := make([]byte, 1200)
	for i := range n {
		for j := range text {
			text[j] = byte('!' + r.IntN(90))
		}
		b.Field(0).(*array.Int64Builder).Append(int64(seed*n + i))
		b.Field(1).(*array.StringBuilder).Append(string(text))
	}
	return b.NewRecordBatch()
}

// memoryMB reads this process's resident memory now and at its peak, which reset sets back first.
func memoryMB(reset bool) (now, peak float64, err error) {
	if reset {
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			return 0, 0, err
		}
	}
	content, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(content)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			now = kb / 1000
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			peak = kb / 1000
		}
	}
	return now, peak, nil
}

// upkeepShare is the CPU that upkeep adds to twenty tables with a commit each second.
func (b *bench) upkeepShare(ctx context.Context) error {
	length, err := time.ParseDuration(setting("TARN_BENCH_UPKEEP", "150s"))
	if err != nil {
		return err
	}
	var spent [2]time.Duration
	for i, upkeep := range []bool{false, true} {
		err := b.with(ctx, fmt.Sprint("share", i), upkeep, func(l *lake.Lake) error {
			before := ownCPU()
			defer func() { spent[i] = ownCPU() - before }()
			return twenty(ctx, l, length)
		})
		if err != nil {
			return err
		}
	}
	b.print("commits20_cpu_share", "%.3f", spent[0].Seconds()/length.Seconds())
	b.print("commits20_with_upkeep_cpu_share", "%.3f", spent[1].Seconds()/length.Seconds())
	b.print("upkeep_cpu_share", "%.3f", (spent[1]-spent[0]).Seconds()/length.Seconds())
	return nil
}

func twenty(ctx context.Context, l *lake.Lake, length time.Duration) error {
	const tables, perSecond = 20, 20
	var all []table.Table
	for i := range tables {
		t, err := l.Tables().Ensure(ctx, table.Spec{Ident: table.Ident{Namespace: "silver", Name: fmt.Sprint("t", i)}, Columns: boxColumns})
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	r, offset := rand.New(rand.NewPCG(3, 4)), 0 //nolint:gosec // a benchmark's
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for i := range int(length.Seconds() * perSecond) {
		if _, err := all[i%tables].Commit(ctx, boxChange(r, 10, 1000, &offset)); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}
