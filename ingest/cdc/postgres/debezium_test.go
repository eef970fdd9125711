//go:build debezium

package postgres_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/ingest/cdc/postgres/pgtest"
)

// TestAgainstDebezium runs Debezium 3.5.0.Final and Tarn beside each other, each with a slot of its own, over the log of one server, and
// compares their events: of what is streamed also the places in the log and the numbers of transactions. It needs a JDK 17 and Maven,
// and is run by `make oracle-debezium`.
func TestAgainstDebezium(t *testing.T) {
	classes := buildOracle(t)
	server := pgtest.Start(t)
	for name, c := range workloads(t) {
		t.Run(name, func(t *testing.T) {
			d := server.Database(name, c.schema...)
			r := newRig(t, d)
			maps.Copy(r.keys, c.keys)
			theirs := maps.Clone(r.keys)
			theirs["slot.name"] = "dbz_" + name
			out := debezium(t, classes, theirs)
			r.until("Debezium's snapshot", func() bool { return bytes.Contains(out.read(), []byte(`"snapshot":"last"`)) })
			r.start()
			r.until("the snapshot", r.streams)
			d.Exec(c.changes...)
			text := out.ended()
			keep(t, name, text)
			golden := readEvents(t, bytes.NewReader(text))
			ends := len(golden["tmsa.transaction"])
			if ends == 0 {
				t.Fatalf("Debezium wrote no transactions: %d topics", len(golden))
			}
			r.until("the last event", func() bool { return len(r.log.Events(t, "tmsa.transaction")) >= ends })
			compare(t, r.events(golden), golden, func(e *recorded) bool {
				return strings.Contains(fmt.Sprint(e.Value), " snapshot:") && !strings.Contains(fmt.Sprint(e.Value), " snapshot:false ")
			})
		})
	}
}

// keep keeps what Debezium wrote for TestRecordedWorkload, in the folder that TARN_RECORD names.
func keep(t *testing.T, name string, text []byte) {
	t.Helper()
	dir := os.Getenv("TARN_RECORD")
	if dir == "" {
		return
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".jsonl.gz"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// buildOracle fetches Debezium, 47 MB, and compiles .ci/debezium/Oracle.java, each once; it returns the class path.
func buildOracle(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("TARN_DEBEZIUM")
	if cache == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, "tarn-ci", "debezium")
	}
	libs := filepath.Join(cache, "lib")
	from, err := filepath.Abs("../../../.ci/debezium")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(libs, ".done")); err != nil {
		command(t, "mvn", "-q", "-B", "-f", filepath.Join(from, "..", "bench", "cdc", "pom.xml"), "dependency:copy-dependencies", "-DoutputDirectory="+libs)
		if err := os.WriteFile(filepath.Join(libs, ".done"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "javac", "-d", cache, "-cp", filepath.Join(libs, "*"), filepath.Join(from, "Oracle.java"))
	return filepath.Join(libs, "*") + ":" + cache
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil { //nolint:gosec // the test's own
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// oracle is a Debezium that runs.
type oracle struct {
	t    *testing.T
	path string
	done chan error
}

// idleSeconds is how long Debezium has nothing to write before it ends.
const idleSeconds = "20"

func debezium(t *testing.T, classes string, keys map[string]string) *oracle {
	t.Helper()
	dir := t.TempDir()
	o := &oracle{t: t, path: filepath.Join(dir, "out.jsonl"), done: make(chan error, 1)}
	var text strings.Builder
	fmt.Fprintf(&text, "name=oracle\noffset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore\noffset.storage.file.filename=%s\noffset.flush.interval.ms=1000\n", filepath.Join(dir, "offsets"))
	for key, value := range keys {
		fmt.Fprintf(&text, "%s=%s\n", key, value)
	}
	properties := filepath.Join(dir, "oracle.properties")
	if err := os.WriteFile(properties, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, "java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, "Oracle", properties, o.path, "1000000", idleSeconds) //nolint:gosec // the test's own
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { o.done <- c.Wait() }()
	t.Cleanup(func() { cancel(); <-o.done })
	return o
}

func (o *oracle) read() []byte {
	text, _ := os.ReadFile(o.path)
	return text
}

// ended are its events when it has ended by itself.
func (o *oracle) ended() []byte {
	o.t.Helper()
	select {
	case err := <-o.done:
		o.done <- nil // for the end of the test
		if err != nil {
			o.t.Fatalf("Debezium: %v", err)
		}
	case <-time.After(patience):
		o.t.Fatal("Debezium does not end")
	}
	return o.read()
}
