package proof_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// The exit codes that STYLE.md promises.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPortTaken   = 3
	exitLocked      = 4
	exitInterrupted = 130
)

// stopWithin is the promise of Ctrl-C, which is five seconds, with some for a machine that is slow and busy: package life holds
// the five by a clock of its own.
const stopWithin = 15 * time.Second

// plain is a house without a source.
func plain(t *testing.T) *proof.House {
	t.Helper()
	dir := t.TempDir()
	h := &proof.House{Binary: binary(t), Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "tarn.log")}
	must(t, os.MkdirAll(h.Project, 0o755))
	return h
}

// up starts a house for a test's length.
func up(t *testing.T, h *proof.House, env ...string) *proof.Process {
	t.Helper()
	p, err := h.Up(t.Context(), env...)
	must(t, err)
	t.Cleanup(p.Kill)
	return p
}

// refused runs a house that must not start, and holds its exit code and what it says
// against what is wanted. No user is shown a stack.
func refused(t *testing.T, h *proof.House, code int, says ...string) {
	t.Helper()
	must(t, os.RemoveAll(h.Log))
	p, err := h.Start()
	must(t, err)
	got, err := p.Exit(proof.ReadyWithin)
	must(t, err)
	content, err := os.ReadFile(h.Log)
	must(t, err)
	if got != code {
		t.Errorf("exit code %d, want %d\n%s", got, code, h.Tail())
	}
	for _, want := range append(says, "hint: ") {
		if !strings.Contains(string(content), want) {
			t.Errorf("it does not say %q\n%s", want, h.Tail())
		}
	}
	if strings.Contains(string(content), "goroutine ") {
		t.Errorf("it shows a stack\n%s", h.Tail())
	}
}

func TestLifeShapes(t *testing.T) {
	h := plain(t)
	p := up(t, h)
	ports, err := h.Ports()
	must(t, err)
	for name, address := range ports {
		host, _, err := net.SplitHostPort(address)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("ports.json: %s is %q, %v", name, address, err)
		}
	}
	if ports["http"] == "" {
		t.Errorf("ports.json has no http: %v", ports)
	}
	status, body, err := p.Get(t.Context(), "/health")
	must(t, err)
	var health struct {
		Status, Version string
		Parts           []map[string]any
	}
	must(t, json.Unmarshal(body, &health))
	if status != 200 || health.Status != "ok" || health.Version == "" || len(health.Parts) == 0 {
		t.Errorf("/health is %d %s", status, body)
	}
	for _, part := range health.Parts {
		for _, key := range []string{"name", "state", "since", "lag_ms"} {
			if _, ok := part[key]; !ok {
				t.Errorf("/health: part %v has no %s", part["name"], key)
			}
		}
		if part["state"] != "ready" {
			t.Errorf("/health: part %v is %v", part["name"], part["state"])
		}
	}
	a, err := p.SQL(t.Context(), "SELECT 9223372036854775807 AS n, 1.5::DECIMAL(5,2) AS d, 'nan'::DOUBLE AS x, 'é' AS t, NULL AS nothing")
	must(t, err)
	got, err := json.Marshal(a.Rows)
	must(t, err)
	if string(got) != `[[9223372036854775807,"1.50","NaN","é",null]]` {
		t.Errorf("/api/sql says %s", got)
	}
}

func TestLifeInterrupt(t *testing.T) {
	for name, c := range map[string]struct {
		signals []os.Signal
		code    int
		within  time.Duration
	}{
		"Ctrl-C":       {[]os.Signal{os.Interrupt}, exitInterrupted, stopWithin},
		"terminate":    {[]os.Signal{syscall.SIGTERM}, exitOK, stopWithin},
		"Ctrl-C twice": {[]os.Signal{os.Interrupt, os.Interrupt}, exitInterrupted, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := proof.NewScene(t.Context(), binary(t), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), "DELETE")
			must(t, err)
			t.Cleanup(s.Abandon)
			p := up(t, s.House)
			must(t, s.Write())
			must(t, proof.Until(t.Context(), func() (bool, error) { return s.Listed() > 100, nil }))
			for _, signal := range c.signals {
				p.Signal(signal)
			}
			code, err := p.Exit(c.within)
			must(t, err)
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, s.House.Tail())
			}
			if _, err := s.House.Ports(); len(c.signals) == 1 && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("ports.json is still there: %v", err)
			}
			settle(t, s)
		})
	}
}

func TestLifeRefusals(t *testing.T) {
	t.Run("unknown flag", func(t *testing.T) {
		h := plain(t)
		h.Args = []string{"--nope"}
		refused(t, h, exitUsage, "--nope")
	})
	t.Run("unknown setting", func(t *testing.T) {
		h := plain(t)
		h.Args = []string{"--set", "memroy=1GB"}
		refused(t, h, exitFailed, "did you mean memory?")
	})
	t.Run("a port that the user set is taken", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer func() { _ = l.Close() }()
		h := plain(t)
		h.Args = []string{"--set", "http.listen=" + l.Addr().String()}
		refused(t, h, exitPortTaken, "http.listen", l.Addr().String())
	})
	t.Run("beyond loopback", func(t *testing.T) {
		h := plain(t)
		h.Args = []string{"--set", "http.listen=0.0.0.0:0"}
		refused(t, h, exitFailed, "http.listen")
	})
	t.Run("a newer data folder", func(t *testing.T) {
		h := plain(t)
		must(t, os.MkdirAll(h.Data, 0o755))
		must(t, os.WriteFile(filepath.Join(h.Data, "VERSION"), []byte("99\n"), 0o600))
		refused(t, h, exitFailed, "newer")
	})
	t.Run("a second Tarn", func(t *testing.T) {
		h := plain(t)
		p := up(t, h)
		again := *h
		again.Log, again.Seen = h.Log+"2", t.TempDir() // keeps the first one's ports.json
		refused(t, &again, exitLocked, "--data")
		if _, err := p.SQL(t.Context(), "SELECT 1"); err != nil {
			t.Errorf("the first one: %v", err)
		}
	})
}

func TestLifeDefaultPortMoves(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:7700")
	if err == nil {
		defer func() { _ = l.Close() }()
	} // otherwise somebody else has it, which does as well
	h := plain(t)
	h.Args = []string{}
	up(t, h)
	ports, err := h.Ports()
	must(t, err)
	if ports["http"] == "127.0.0.1:7700" {
		t.Errorf("ports.json names a port of somebody else: %v", ports)
	}
	if tail := h.Tail(); !strings.Contains(tail, "7700") {
		t.Errorf("it does not say that the port moved\n%s", tail)
	}
}

func TestLifeCommands(t *testing.T) {
	h := plain(t)
	up(t, h)
	run := func(args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), h.Binary, args...)
		out, err := cmd.CombinedOutput()
		if e := new(exec.ExitError); err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	const statement = "SELECT 1 AS a, 'x,\"y' AS b UNION ALL SELECT 2, NULL ORDER BY a"
	for format, want := range map[string]string{
		"csv":   "a,b\n1,\"x,\"\"y\"\n2,\n",
		"json":  "{\"a\":1,\"b\":\"x,\\\"y\"}\n{\"a\":2,\"b\":null}\n",
		"table": "NULL",
	} {
		out, code := run("sql", "--data", h.Data, "--format", format, statement)
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("tarn sql --format %s: code %d\n%s\nwant\n%s", format, code, out, want)
		}
	}
	if out, code := run("sql", "--data", h.Data, "SELECT * FORM t"); code != exitFailed || !strings.Contains(out, "line 1") {
		t.Errorf("a wrong statement: code %d\n%s", code, out)
	}
	if out, code := run("sql", "--data", t.TempDir(), "SELECT 1"); code != exitFailed || !strings.Contains(out, "hint: ") {
		t.Errorf("no Tarn there: code %d\n%s", code, out)
	}
	if out, code := run("config", "--data", h.Data); code != exitOK || !strings.Contains(out, "bus.fsync") {
		t.Errorf("tarn config: code %d\n%s", code, out)
	}
	if out, code := run("version"); code != exitOK || !strings.HasPrefix(out, "tarn ") {
		t.Errorf("tarn version: code %d\n%s", code, out)
	}
}
