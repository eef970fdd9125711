package group_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarn/embedded/bus/group"
	"tarn/embedded/meta"
)

// childFolder names the folder that a child process of the kill test works in.
const childFolder = "TARN_GROUP_TEST_CHILD"

// killWriters is how many groups the child commits for, by plain commits and by transactions.
const killWriters = 4

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		fmt.Fprintln(os.Stderr, commitUntilKilled(context.Background(), dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func place(topic string) []group.Partition { return []group.Partition{{Topic: topic}} }

// commitUntilKilled commits the next offset of each group again and again, and writes down what was acknowledged.
// A transaction's own record holds the offset that it commits.
func commitUntilKilled(ctx context.Context, dir string) error {
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return err
	}
	c, err := group.Open(ctx, group.Options{Meta: m})
	if err != nil {
		return err
	}
	acks, err := os.OpenFile(filepath.Join(dir, "acks"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	errs := make(chan error)
	each := func(topic string, n int, commit func(of group.Commit, i int64) error) {
		name := strconv.Itoa(n)
		had, err := c.Fetch(name, place(topic), false)
		if err != nil {
			errs <- err
			return
		}
		for i := had[0].Offset + 1; ; i++ {
			of := group.Commit{Beat: group.Beat{Group: name, Generation: -1}, Offsets: []group.Offset{{Partition: place(topic)[0], At: i}}}
			err := commit(of, i)
			if err == nil {
				_, err = fmt.Fprintf(acks, "%s %d %d\n", topic, n, i)
			}
			if err != nil {
				errs <- err
				return
			}
		}
	}
	for n := range killWriters {
		go each("plain", n, func(of group.Commit, _ int64) error {
			_, err := c.Commit(ctx, of)
			return err
		})
		go each("transaction", n, func(of group.Commit, i int64) error {
			if _, err := c.CommitPending(ctx, int64(n), of); err != nil {
				return err
			}
			return c.Finish(ctx, int64(n), true, meta.Entry{Bucket: meta.Kafka, Key: strconv.Itoa(n), Value: []byte(strconv.FormatInt(i, 10))})
		})
	}
	return <-errs
}

// acked are the last acknowledged offsets, by topic and group, and how many there are.
func acked(t *testing.T, dir string) (last map[string]int64, lines int) {
	t.Helper()
	last = map[string]int64{}
	f, err := os.Open(filepath.Join(dir, "acks"))
	if errors.Is(err, os.ErrNotExist) {
		return last, 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for scan := bufio.NewScanner(f); scan.Scan(); lines++ {
		var topic string
		var n int
		var offset int64
		if got, _ := fmt.Sscanf(scan.Text(), "%s %d %d", &topic, &n, &offset); got == 3 {
			last[fmt.Sprint(topic, n)] = offset
		}
	}
	return last, lines
}

// kill runs a child until it is killed: after some acknowledgments, or by itself at its crash point.
func kill(t *testing.T, dir, crash string, after int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childFolder+"="+dir, "TARN_CRASH="+crash)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if crash == "" {
		_, before := acked(t, dir)
		for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if _, n := acked(t, dir); n >= before+after {
				break
			}
		}
		_ = cmd.Process.Kill()
	}
	err = cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v\n%s", err, out.String())
	}
}

func TestKilledWithoutWarningEachAcknowledgedOffsetIsThere(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	dir := t.TempDir()
	before := map[string]int64{} // what the last round has found: a commit that was stored and not acknowledged is there to stay
	for round := range 6 {
		if round%2 == 0 {
			kill(t, dir, "", 1+rand.IntN(500))
		} else {
			kill(t, dir, fmt.Sprintf("group.stored:%d", 1+rand.IntN(100)), 0)
		}
		last, _ := acked(t, dir)
		m, err := meta.Open(t.Context(), filepath.Join(dir, "meta.db"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := group.Open(t.Context(), group.Options{Meta: m})
		if err != nil {
			t.Fatal(err)
		}
		for n := range killWriters {
			for _, topic := range []string{"plain", "transaction"} {
				got, err := c.Fetch(strconv.Itoa(n), place(topic), false)
				key := fmt.Sprint(topic, n)
				want, ok := last[key]
				if !ok {
					want = -1
				}
				if had, ok := before[key]; ok {
					want = max(want, had)
				}
				if err != nil || got[0].Offset != want && got[0].Offset != want+1 { // one more was under way
					t.Fatalf("round %d: %s of group %d is at %d, acknowledged %d, %v", round, topic, n, got[0].Offset, want, err)
				}
				before[key] = got[0].Offset
				if topic == "plain" {
					continue
				}
				record, err := m.Get(t.Context(), meta.Kafka, strconv.Itoa(n))
				if errors.Is(err, meta.ErrNotFound) {
					record = []byte("-1")
				}
				if string(record) != strconv.FormatInt(got[0].Offset, 10) {
					t.Fatalf("round %d: the record of group %d says %s, its offset is %d", round, n, record, got[0].Offset)
				}
			}
		}
		for _, producer := range c.Pending() { // what a recovery does
			if err := c.Finish(t.Context(), producer, false); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(c.Close(t.Context()), m.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
