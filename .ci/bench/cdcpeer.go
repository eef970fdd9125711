//go:build duckdb_arrow

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// debezium runs the peer, with what its documentation has for defaults, until so many events have come.
func (c *capture) debezium(ctx context.Context, want int) (p pass, err error) {
	var text strings.Builder
	for k, v := range c.keys("bench_debezium") {
		fmt.Fprintf(&text, "%s=%s\n", k, v)
	}
	fmt.Fprintf(&text, "name=moves\noffset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore\noffset.storage.file.filename=%s\n"+
		"offset.flush.interval.ms=1000\nkey.converter.schemas.enable=false\nvalue.converter.schemas.enable=false\n", filepath.Join(c.dir, "debezium.offsets"))
	path := filepath.Join(c.dir, "debezium.properties")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, cdcWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "./.ci/bench/cdc/debezium", path, fmt.Sprint(want))
	var said bytes.Buffer
	cmd.Stderr, cmd.SysProcAttr = &said, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return p, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return p, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return p, err
	}
	p, err = c.follow(out, cmd.Process.Pid, began)
	if err = errors.Join(err, in.Close(), cmd.Wait()); err != nil {
		return p, fmt.Errorf("%w\n%s", err, said.String())
	}
	return p, nil
}

// follow reads when the peer says that its events come.
func (c *capture) follow(out io.Reader, pid int, began time.Time) (p pass, err error) {
	proc := &broker{pid: func() int { return pid }}
	var first time.Time
	var spent float64
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch lines.Text() {
		case "first":
			first, spent = time.Now(), proc.cpu()
			p.first = first.Sub(began)
		case "last":
			p.span, p.cpu = time.Since(first), time.Duration((proc.cpu()-spent)*1e9)
			p.rss = peak(pid)
			return p, nil
		}
	}
	return p, errors.New("it has ended early")
}

// peak is the most memory that a process took so far, in MB.
func peak(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kb float64
	_, _ = fmt.Sscan(after, &kb)
	return kb / 1024
}
