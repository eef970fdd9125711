package bus_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/meta"
)

// childFolder names the folder that a child process of the kill test works in.
const childFolder = "TARN_BUS_TEST_CHILD"

// childMain turns this process into the kill test's child, if it is one: it appends and
// writes down each acknowledgment until it is killed.
func childMain() {
	dir := os.Getenv(childFolder)
	if dir == "" {
		return
	}
	life := appendUntilKilled
	if os.Getenv(childCompacts) != "" {
		life = compactUntilKilled
	} else if os.Getenv(childClaims) != "" {
		life = claimUntilKilled
	}
	if err := life(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func appendUntilKilled(ctx context.Context, dir string) error {
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return err
	}
	b, err := bus.Open(ctx, bus.Options{Dir: filepath.Join(dir, "bus"), Meta: m, CacheBytes: 1 << 20})
	if err != nil {
		return err
	}
	topic, err := b.CreateTopic(ctx, "t", bus.TopicConfig{})
	if err != nil {
		return err
	}
	p := topic.Partitions()[0]
	acks, err := os.OpenFile(filepath.Join(dir, "acks"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	known, err := os.ReadFile(filepath.Join(dir, "acks"))
	if err != nil {
		return err
	}
	errs := make(chan error)
	for n := range int64(killProducers) {
		go func() {
			// As a client does that has no answer: the batch after the last acknowledged one is sent again.
			for i := strings.Count(string(known), fmt.Sprintf(" %d-", n)); ; i++ {
				v := fmt.Sprintf("%d-%d", n, i)
				a, err := p.Append(ctx, produced(n, 0, int32(2*i), false, v, v+"+")) //nolint:gosec // few
				if err == nil {
					_, err = fmt.Fprintf(acks, "%d %s\n", a.Base, v)
				}
				if err != nil {
					errs <- err
				}
			}
		}()
	}
	return <-errs
}

// killProducers is how many idempotent producers the child has, with a batch each on its way.
const killProducers = 8

// runChild starts a child and waits until it is dead: killed after some acknowledgments,
// or by itself at its crash point.
func runChild(t *testing.T, dir, crash string, after int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childFolder+"="+dir, "TARN_CRASH="+crash, "TARN_CRASH_LOG="+filepath.Join(dir, "crashes"))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	var waiting sync.WaitGroup
	waiting.Go(func() { ended <- cmd.Wait() })
	defer waiting.Wait()
	deadline := time.Now().Add(waitLimit)
	for crash == "" && len(readAcks(t, dir)) < after && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if crash == "" {
		_ = cmd.Process.Kill()
	}
	err = <-ended
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v\n%s", err, out.String())
	}
}

// readAcks reads the acknowledgments written down so far: value -> offset.
func readAcks(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	f, err := os.Open(filepath.Join(dir, "acks"))
	if errors.Is(err, os.ErrNotExist) {
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var offset int64
		var v string
		if n, _ := fmt.Sscanf(lines.Text(), "%d %s", &offset, &v); n == 2 {
			out[v] = offset
		}
	}
	return out
}

func TestKilledWithoutWarningTheLogHasEachAcknowledgedRecordOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	h := open(t, nil)
	h.close()
	const rounds = 5
	for round := range rounds {
		if round%2 == 0 {
			runChild(t, h.dir, "", len(readAcks(t, h.dir))+rand.IntN(2000))
		} else {
			runChild(t, h.dir, fmt.Sprintf("bus.published:%d", 1+rand.IntN(200)), 0)
		}
		h.open()
		p := h.partition("t", bus.TopicConfig{})
		at := map[string]int64{}
		next := make([]int, killProducers)
		for i, line := range h.read(p, 0, 1<<20) {
			var offset int64
			var v string
			if _, err := fmt.Sscanf(line, "%d:%s", &offset, &v); err != nil || offset != int64(i) {
				t.Fatalf("round %d: line %d is %q", round, i, line)
			}
			if other, twice := at[v]; twice {
				t.Fatalf("round %d: %s is at %d and at %d", round, v, other, offset)
			}
			at[v] = offset
			var n, number int
			if got, _ := fmt.Sscanf(v, "%d-%d", &n, &number); got != 2 || number != next[n] {
				t.Fatalf("round %d: %s is at %d, after %d of its producer", round, v, offset, next[n])
			}
			if strings.HasSuffix(v, "+") {
				next[n]++
			}
		}
		acks := readAcks(t, h.dir)
		for v, offset := range acks {
			if got, ok := at[v]; !ok || got != offset || at[v+"+"] != offset+1 {
				t.Fatalf("round %d: %s was acknowledged at %d and is at %d, %t", round, v, offset, got, ok)
			}
		}
		t.Logf("round %d: %d acknowledged, %d in the log", round, len(acks), len(at)/2)
		h.close()
	}
	hits, err := os.ReadFile(filepath.Join(h.dir, "crashes"))
	if err != nil || strings.Count(string(hits), "bus.published") != rounds/2 {
		t.Fatalf("the crash point was hit %q, %v", hits, err)
	}
}
