//go:build duckdb_arrow

// Package kafka_test holds Tarn's Kafka door against clients that know nothing of Tarn: franz-go's own tests,
// librdkafka, Kafka's Java clients with a Streams application, and kcat.
package kafka_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// patience bounds a client's whole run: not a claim of speed, but the end of a hang.
const patience = 10 * time.Minute

func TestMain(m *testing.M) { os.Exit(run(m)) }

// buildDir holds the program for the life of the test process.
var buildDir string

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tarn-kafka-")
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	buildDir = dir
	defer func() { _ = os.RemoveAll(dir) }()
	return m.Run()
}

var build = sync.OnceValues(func() (string, error) { return proof.Build(context.Background(), buildDir) })

// tarn starts the program on a folder of its own, and returns the address of its Kafka door.
func tarn(t *testing.T) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	_, ports := proof.Alone(t, binary)
	if ports["kafka"] == "" {
		t.Fatalf("no Kafka door in ports.json: %v", ports)
	}
	return ports["kafka"]
}

// command is one that ends with the test, or after patience, and shows all that it said if it fails.
func command(t *testing.T, env []string, name string, args ...string) []byte {
	t.Helper()
	out, err := try(t, env, "", name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, env []string, dir, name string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}

// find is a program's path; without it the test is skipped, or fails where peers are required.
func find(t *testing.T, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		peertest.Missing(t, name+" is missing: install "+install)
	}
	return path
}

// brokerTests are the files of franz-go's client whose tests talk to a broker.
var brokerTests = []string{"client", "consumer", "group", "produce_request", "share", "txn"}

// TestFranzGo runs the tests of franz-go's own client that talk to a broker. testdata/kgo.txt names each of them, and
// for those that do not pass the reason: who passes and has a reason, or the other way round, wants its line mended.
func TestFranzGo(t *testing.T) {
	source := franzGo(t)
	binary := filepath.Join(t.TempDir(), "kgo.test")
	if out, err := try(t, nil, source, "go", "test", "-c", "-o", binary, "./pkg/kgo"); err != nil {
		t.Fatalf("build franz-go's tests: %v\n%s", err, out)
	}
	listed := reasons(t, filepath.Join("testdata", "kgo.txt"))
	for _, name := range testsOf(t, filepath.Join(source, "pkg", "kgo")) {
		if _, ok := listed[name]; !ok {
			t.Errorf("%s is not in testdata/kgo.txt", name)
		}
	}
	run := "^(" + strings.Join(slices.Sorted(maps.Keys(listed)), "|") + ")$"
	env := []string{"KGO_SEEDS=" + tarn(t), "KGO_TEST_RF=1", "KGO_TEST_RECORDS=20000", "KGO_LOG_LEVEL=none"}
	out, err := try(t, env, filepath.Join(source, "pkg", "kgo"), binary, "-test.v", "-test.run", run, "-test.timeout", patience.String())
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	passed := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "--- PASS: "); ok {
			passed[strings.Fields(name)[0]] = true
		}
	}
	for name, why := range listed {
		if passed[name] != (why == "") {
			t.Errorf("%s: passes %v, and testdata/kgo.txt says %q", name, passed[name], why)
		}
	}
	if t.Failed() {
		t.Logf("franz-go's tests said:\n%s", failures(out))
	}
}

// testsOf are the tests in the files of a folder that talk to a broker.
func testsOf(t *testing.T, dir string) (out []string) {
	t.Helper()
	for _, file := range brokerTests {
		text, err := os.ReadFile(filepath.Join(dir, file+"_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "func Test"); ok {
				name, _, _ = strings.Cut(name, "(")
				out = append(out, "Test"+name)
			}
		}
	}
	return out
}

// franzGo is a copy of the source of the franz-go that Tarn is built with, where its tests can be built.
func franzGo(t *testing.T) string {
	t.Helper()
	var module struct{ Dir string }
	out := command(t, nil, "go", "list", "-m", "-json", "github.com/twmb/franz-go")
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if module.Dir == "" {
		command(t, nil, "go", "mod", "download", "github.com/twmb/franz-go")
		if err := json.Unmarshal(command(t, nil, "go", "list", "-m", "-json", "github.com/twmb/franz-go"), &module); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "franz-go")
	if err := os.CopyFS(dir, os.DirFS(module.Dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// reasons reads a list of names, each with what follows its #.
func reasons(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, why, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name != "" {
			out[name] = strings.TrimSpace(why)
		}
	}
	return out
}

// saidBytesMax is how much of what a client said is shown.
const saidBytesMax = 16 << 10

func tail(out []byte) []byte { return out[max(0, len(out)-saidBytesMax):] }

// failures is what go test -v said of the tests that failed.
func failures(out []byte) []byte {
	var said, of bytes.Buffer
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		line := s.Text()
		switch {
		case strings.HasPrefix(line, "=== RUN"):
			of.Reset()
		case strings.HasPrefix(line, "--- FAIL"):
			said.Write(of.Bytes())
			of.Reset()
			fallthrough
		default:
			of.WriteString(line + "\n")
			if strings.HasPrefix(line, "--- FAIL") {
				said.WriteString(line + "\n")
			}
		}
	}
	return tail(said.Bytes())
}

// TestLibrdkafka drives the C client through its Python face.
func TestLibrdkafka(t *testing.T) {
	python := os.Getenv("TARN_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := try(t, nil, "", python, "-c", "import confluent_kafka"); err != nil {
		peertest.Missing(t, fmt.Sprintf("no confluent-kafka in %s, set TARN_PYTHON: %s", python, tail(out)))
	}
	t.Logf("%s", command(t, nil, python, filepath.Join("testdata", "librdkafka.py"), tarn(t)))
}

// TestKcat does what a person at a terminal would.
func TestKcat(t *testing.T) {
	kcat := find(t, "kcat", "kcat")
	at := tarn(t)
	file := filepath.Join(t.TempDir(), "records")
	if err := os.WriteFile(file, []byte("a:1\nb:2\na:3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, nil, kcat, "-b", at, "-t", "kcat", "-P", "-K:", "-l", file)
	if got := command(t, nil, kcat, "-b", at, "-t", "kcat", "-C", "-q", "-e", "-o", "beginning", "-f", "%o %k %s\n"); string(got) != "0 a 1\n1 b 2\n2 a 3\n" {
		t.Errorf("read back:\n%s", got)
	}
	if got := command(t, nil, kcat, "-b", at, "-L"); !bytes.Contains(got, []byte(`topic "kcat" with 1 partitions`)) {
		t.Errorf("listed:\n%s", got)
	}
}

// TestJava drives Kafka's own clients: producer, consumer, transactions, admin, and a Streams word count.
func TestJava(t *testing.T) {
	java, javac, mvn := find(t, "java", "openjdk-17-jdk-headless"), find(t, "javac", "openjdk-17-jdk-headless"), find(t, "mvn", "maven")
	source := filepath.Join("testdata", "java")
	jars, err := proof.Jars(t.Context(), mvn, filepath.Join(source, "pom.xml"))
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	command(t, nil, javac, "-d", classes, "-cp", jars, filepath.Join(source, "Clients.java"))
	t.Logf("%s", command(t, nil, java, "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", jars+":"+classes, "Clients", tarn(t), t.TempDir()))
}
