//go:build duckdb_arrow

// Soak runs the program for a long time under an even load and tells whether anything of it
// grows that should not: commits each second to many tables, as a site's day has them. It
// prints key=value, and ends with code 1 when something is not flat or not right.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	proof "tarn/.ci/proof"
)

// soak is one run.
type soak struct {
	out    io.Writer // of figures
	length time.Duration
	every  time.Duration // from one sample to the next
	source *source
	house  *proof.House
	live   *proof.Process
}

func main() {
	length := flag.Duration("for", 10*time.Minute, "how long")
	every := flag.Duration("sample", 10*time.Second, "from one sample to the next")
	tables := flag.Int("tables", 20, "tables of the source; each has a bronze and a silver one")
	rows := flag.Int64("rows", 5000, "rows of each table")
	memory := flag.String("memory", "1GB", "setting memory of the program")
	flag.Parse()
	if flag.NArg() != 2 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: soak [flags] TARN FOLDER")
		os.Exit(2)
	}
	s := &soak{
		out:    os.Stdout,
		length: *length, every: *every,
		source: &source{path: filepath.Join(flag.Arg(1), "source.db"), tables: *tables, rows: *rows},
		house: &proof.House{
			Binary: flag.Arg(0), Data: filepath.Join(flag.Arg(1), "data"), Project: filepath.Join(flag.Arg(1), "project"),
			Log: filepath.Join(flag.Arg(1), "tarn.log"), Args: []string{"--listen", "auto", "--set", "memory=" + *memory},
		},
	}
	if err := s.run(context.Background()); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func (s *soak) run(ctx context.Context) error {
	if err := s.source.open(ctx); err != nil {
		return err
	}
	defer s.source.close()
	config := proof.Connector(s.source.path)
	delete(config, "poll.interval.ms") // as people have it
	if err := proof.WriteConnector(s.house.Project, "src", config); err != nil {
		return err
	}
	var err error
	if s.live, err = s.house.Up(ctx); err != nil {
		return err
	}
	defer func() { s.live.Kill() }()
	if err := s.equal(ctx); err != nil { // the first snapshot is no part of the soak
		return err
	}
	series, err := s.load(ctx)
	if err != nil {
		return err
	}
	if err := s.equal(ctx); err != nil {
		return err
	}
	if err := s.tellCommits(ctx, series); err != nil {
		return err
	}
	s.tellLog()
	return series.tell(s.out)
}

// load writes and samples until the time is up.
func (s *soak) load(ctx context.Context) (*series, error) {
	ctx, stop := context.WithTimeout(ctx, s.length)
	defer stop()
	wrote := make(chan error, 1)
	go func() { wrote <- s.source.write(ctx) }()
	m := newMeter(s.live, s.house)
	out := &series{began: time.Now()}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case err := <-wrote: // at the end of ctx it is nil
			out.ended = time.Now()
			return out, err
		case <-s.live.Done():
			return nil, fmt.Errorf("tarn ended\n%s", s.house.Tail())
		case <-tick.C:
			now, err := m.read(ctx)
			if ctx.Err() != nil {
				continue // the last one, cut short
			}
			if err != nil {
				return nil, errors.Join(err, errors.New(s.house.Tail()))
			}
			out.add(now)
			_, _ = fmt.Fprintln(s.out, now)
		}
	}
}

// equal waits until the lake has what the source has: each mirror its rows, each bronze table
// every change once.
func (s *soak) equal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proof.QuietWithin)
	defer cancel()
	for i := range s.source.tables {
		want, err := s.source.sums(ctx, i)
		if err != nil {
			return err
		}
		name := tableName(i)
		err = proof.Until(ctx, func() (bool, error) {
			got, err := s.live.Numbers(ctx, fmt.Sprintf(`SELECT count(*), sum(id), sum(n),
				(SELECT count(*) FROM bronze.%s_main_%s WHERE _op <> 'r') FROM silver.%s`, proof.Prefix, name, name))
			if err != nil {
				return false, err
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				return false, fmt.Errorf("%s has %v (rows, sums, changes), the source %v", name, got, want)
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellCommits prints the commits' times by the record that Tarn itself keeps of them.
func (s *soak) tellCommits(ctx context.Context, out *series) error {
	quarter := out.ended.Sub(out.began) / 4
	for q := range 4 {
		from := out.began.Add(time.Duration(q) * quarter)
		at := func(t time.Time) string { return t.UTC().Format("'2006-01-02 15:04:05.000+00'") }
		a, err := s.live.SQL(ctx, fmt.Sprintf(`SELECT operation, count(*), quantile_disc(ms, 0.5), quantile_disc(ms, 0.99), max(ms)
			FROM system.commits WHERE "at" >= TIMESTAMPTZ %s AND "at" < TIMESTAMPTZ %s GROUP BY ALL ORDER BY ALL`, at(from), at(from.Add(quarter))))
		if err != nil {
			return err
		}
		for _, r := range a.Rows {
			_, _ = fmt.Fprintf(s.out, "soak_commits_q%d operation=%v commits=%v p50_ms=%v p99_ms=%v max_ms=%v\n", q+1, r[0], r[1], r[2], r[3], r[4])
		}
	}
	return nil
}

// tellLog prints how often the program warned, and its first warnings.
func (s *soak) tellLog() {
	content, err := os.ReadFile(s.house.Log)
	if err != nil {
		return
	}
	const shown = 5
	n := 0
	for line := range strings.Lines(string(content)) {
		if !strings.Contains(line, "level=WARN") && !strings.Contains(line, "level=ERROR") {
			continue
		}
		if n++; n <= shown {
			_, _ = fmt.Fprint(s.out, "said: ", line)
		}
	}
	_, _ = fmt.Fprintf(s.out, "soak_warnings=%d\n", n)
}
