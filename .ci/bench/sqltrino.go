//go:build duckdb_arrow

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"tarn/.ci/sql/tpch"
	"tarn/.ci/sql/trino"
)

const (
	trinoWithin = 10 * time.Minute // until Trino is ready: to start, and the first time to be fetched
	trinoWarm   = 2                // times that each query is asked before it is timed
	// trinoDigits is by how much Trino's answers may differ: its averages and quotients of decimals are rounded to their scale.
	trinoDigits = 0.005
)

// trino times each query by Trino's protocol at Tarn's door and at a Trino server that reads the very files, in turns.
func (b *bench) trino(ctx context.Context, d *doors) error {
	if setting("TARN_BENCH_PEER", "yes") == "no" {
		return nil
	}
	if err := d.up(ctx); err != nil {
		return err
	}
	ports, err := d.house.Ports()
	if err != nil {
		return err
	}
	peer, err := b.trinoPeer(ctx)
	if err != nil {
		return fmt.Errorf("the peer: %w", err)
	}
	defer func() { _ = peer.end() }()
	theirs := trino.Client{Address: peer.address, User: "bench", Catalog: "iceberg", Schema: tpch.Schema}
	ours := trino.Client{Address: ports["trino"], User: "bench", Catalog: "lake", Schema: tpch.Schema}
	if err := d.register(ctx, theirs); err != nil {
		return fmt.Errorf("register the tables: %w", err)
	}
	var logs, ourCPU, theirCPU float64
	all := tpch.Queries()
	for _, q := range all {
		before, _ := d.p.Cost()
		spent := peer.cpu()
		our, their, err := beside(ctx, ours, theirs, q)
		if err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
		after, _ := d.p.Cost()
		ourCPU, theirCPU = ourCPU+(after-before).Seconds(), theirCPU+peer.cpu()-spent
		b.print("sql_trino_"+q.Name+"_ms", "%.1f", their)
		b.print("sql_trino_"+q.Name+"_tarn_ms", "%.1f", our)
		b.print("sql_trino_"+q.Name+"_ratio", "%.2f", their/our)
		logs += math.Log(their / our)
	}
	b.print("sql_trino_version", "%s", peer.name)
	b.print("sql_trino_ratio_geomean", "%.2f", math.Exp(logs/float64(len(all))))
	b.print("sql_trino_cpu_s", "%.1f", theirCPU)
	b.print("sql_trino_tarn_cpu_s", "%.1f", ourCPU)
	b.print("sql_trino_cpu_ratio", "%.2f", theirCPU/ourCPU)
	b.print("sql_trino_rss_mb", "%.0f", peer.rss())
	return nil
}

// beside are the fastest times of a query at both, in ms, after those that warm them.
func beside(ctx context.Context, ours, theirs trino.Client, q tpch.Query) (our, their float64, err error) {
	timed := func(c trino.Client) (rows [][]string, took float64, err error) {
		began := time.Now()
		a, err := c.Ask(ctx, q.Text)
		took = millis(time.Since(began))
		for _, row := range a.Rows {
			cells := make([]string, len(row))
			for i, raw := range row {
				if json.Unmarshal(raw, &cells[i]) != nil { // no text
					cells[i] = string(raw)
				}
			}
			rows = append(rows, cells)
		}
		return rows, took, err
	}
	var all [2][]float64
	for i := range trinoWarm + tpchTimes {
		got, our, err := timed(ours)
		want, their, failed := timed(theirs)
		if err = errors.Join(err, failed); err != nil {
			return 0, 0, err
		}
		if at := unlike(got, want, trinoDigits); at != "" {
			return 0, 0, errors.New("the two answer in other ways: " + at)
		}
		if i >= trinoWarm {
			all[0], all[1] = append(all[0], our), append(all[1], their)
		}
	}
	return slices.Min(all[0]), slices.Min(all[1]), nil
}

// register makes Trino know the tables as they are.
func (d *doors) register(ctx context.Context, c trino.Client) error {
	if _, err := c.Ask(ctx, "CREATE SCHEMA iceberg."+tpch.Schema); err != nil {
		return err
	}
	for _, name := range tpch.Tables {
		home := filepath.Dir(filepath.Dir(d.files[name][0]))
		all, err := filepath.Glob(filepath.Join(home, "metadata", "*.metadata.json"))
		if err != nil || len(all) == 0 {
			return fmt.Errorf("%s has no metadata, %w", home, err)
		}
		newest := filepath.Base(slices.Max(all)) // they are numbered
		if _, err := c.Ask(ctx, fmt.Sprintf("CALL iceberg.system.register_table('%s', '%s', 'file://%s', '%s')", tpch.Schema, name, home, newest)); err != nil {
			return err
		}
	}
	return awake(ctx, c)
}

// awake waits until the server has a node that reads the tables: it learns of its own some time behind saying that it has started.
func awake(ctx context.Context, c trino.Client) error {
	for until := time.Now().Add(trinoWithin); ; {
		_, err := c.Ask(ctx, "SELECT count(*) FROM "+tpch.Tables[0])
		var refusal *trino.Refusal
		if !errors.As(err, &refusal) || refusal.ErrorName != "NO_NODES_AVAILABLE" || time.Now().After(until) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// trinoPeer is Trino, named by its version.
func (b *bench) trinoPeer(ctx context.Context) (*broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &broker{address: l.Addr().String()}
	_, port, err := net.SplitHostPort(k.address)
	if err = errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, "trino.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("./.ci/bench/trino/server", filepath.Join(b.dir, "trino"), port)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	k.pid = func() int { return cmd.Process.Pid }
	k.end = func() error {
		_ = cmd.Process.Kill()
		<-ended
		return nil
	}
	for until := time.Now().Add(trinoWithin); time.Now().Before(until); {
		if k.name = trinoReady(ctx, k.address); k.name != "" {
			return k, nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(path)
			return nil, fmt.Errorf("it has ended:\n%s", text[max(0, len(text)-4096):])
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, errors.Join(errors.New("it does not start"), k.end())
}

// trinoReady is the version of a server that takes statements; "" for none.
func trinoReady(ctx context.Context, address string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/info", nil)
	if err != nil {
		return ""
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	var info struct {
		NodeVersion struct{ Version string }
		Starting    bool
	}
	if json.NewDecoder(resp.Body).Decode(&info) != nil || info.Starting {
		return ""
	}
	return info.NodeVersion.Version
}
