//go:build duckdb_arrow

package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait of a script: not a claim of speed, but the end of a hang.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tarn": main})
}

// TestScripts runs what docs show, command by command, with the real program.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("docs", "scripts"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			docs, err := filepath.Abs("docs")
			e.Setenv("DOCS", docs)
			return err
		},
		Condition: func(name string) (bool, error) {
			if name == "sqlite3" {
				_, err := exec.LookPath("sqlite3")
				if err != nil && os.Getenv("TARN_REQUIRE_PEERS") == "1" {
					t.Error("TARN_REQUIRE_PEERS=1, but sqlite3 is not installed: apt install sqlite3")
				}
				return err == nil, nil
			}
			return false, errors.New("unknown condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready, "until": until, "get": get, "post": post},
	})
}

// ready DATA waits until the Tarn of a data folder answers /ready.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready DATA")
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		content, err := os.ReadFile(ts.MkAbs(filepath.Join(args[0], "ports.json")))
		var ports map[string]string
		if err != nil || json.Unmarshal(content, &ports) != nil {
			continue
		}
		resp, err := http.Get("http://" + ports["http"] + "/ready")
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("%s is not ready after %s", args[0], patience)
}

// get DATA PATH takes a page of the Tarn of a data folder.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get DATA PATH")
	}
	var ports map[string]string
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], "ports.json"))), &ports))
	resp, err := http.Get("http://" + ports["http"] + args[1])
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}

// post DATA PATH TYPE FILE [KEY] posts a file to the Tarn of a data folder, with an Idempotency-Key.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 || len(args) > 5 {
		ts.Fatalf("usage: post DATA PATH TYPE FILE [KEY]")
	}
	var ports map[string]string
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], "ports.json"))), &ports))
	r, err := http.NewRequest(http.MethodPost, "http://"+ports["http"]+args[1], strings.NewReader(ts.ReadFile(args[3])))
	ts.Check(err)
	r.Header.Set("Content-Type", args[2])
	if len(args) == 5 {
		r.Header.Set("Idempotency-Key", args[4])
	}
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}

// until PATTERN COMMAND ARG... runs a command again and again until its output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND ARG...")
	}
	pattern, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	said := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...)
		said = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if pattern.MatchString(said) {
			return
		}
	}
	ts.Fatalf("no %q after %s; last:\n%s", args[0], patience, said)
}
