package proof_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	proof "tarn/.ci/proof"
)

// good is a scene with a house that is up and has caught up: what must go on whatever
// else is wrong.
func good(t *testing.T, mode string, env ...string) (*proof.Scene, *proof.Process) {
	t.Helper()
	dir := t.TempDir()
	s, err := proof.NewScene(t.Context(), binary(t), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), mode)
	must(t, err)
	t.Cleanup(s.Abandon)
	p := up(t, s.House, env...)
	must(t, s.Quiet(t.Context(), p, s.Database, -1))
	return s, p
}

// goesOn writes some and checks that it arrives.
func goesOn(t *testing.T, s *proof.Scene, p *proof.Process) {
	t.Helper()
	before := s.Listed()
	must(t, s.Write())
	must(t, proof.Until(t.Context(), func() (bool, error) { return s.Listed() > before+50, nil }))
	must(t, s.Settle(t.Context(), p))
	must(t, s.StopWriting())
}

// tells waits until /health or system.sources says all of the words, and a hint.
func tells(t *testing.T, p *proof.Process, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), proof.QuietWithin)
	defer cancel()
	said := ""
	err := proof.Until(ctx, func() (bool, error) {
		_, health, err := p.Get(ctx, "/health")
		if err != nil {
			return false, err
		}
		sources, err := p.SQL(ctx, "SELECT * FROM system.sources")
		if err != nil {
			return false, err
		}
		said = string(health) + fmt.Sprint(sources.Rows)
		for _, w := range words {
			if !strings.Contains(said, w) {
				return false, fmt.Errorf("nothing says %q", w)
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, p.House.Tail())
	}
}

// TestBadInputDatabases gives a project connectors that cannot work, beside one that does.
func TestBadInputDatabases(t *testing.T) {
	dir := t.TempDir()
	s, err := proof.NewScene(t.Context(), binary(t), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), "WAL")
	must(t, err)
	t.Cleanup(s.Abandon)
	garbage, late := filepath.Join(dir, "garbage.db"), filepath.Join(dir, "late.db")
	must(t, os.WriteFile(garbage, []byte(strings.Repeat("this is no database\n", 500)), 0o600))
	for name, path := range map[string]string{"wrong": garbage, "missing": late} {
		c := proof.Connector(path)
		c["topic.prefix"] = name
		must(t, proof.WriteConnector(s.House.Project, name, c))
	}
	unknown := proof.Connector(garbage)
	unknown["connector.class"], unknown["topic.prefix"] = "io.tarn.oracle.NoSuch", "unknown"
	must(t, proof.WriteConnector(s.House.Project, "unknown", unknown))
	must(t, os.WriteFile(filepath.Join(s.House.Project, "connectors", "torn.json"), []byte(`{"name":"torn","config":{`), 0o600))
	p := up(t, s.House)
	must(t, s.Quiet(t.Context(), p, s.Database, -1))
	tells(t, p, "garbage.db", "late.db", "io.tarn.oracle.NoSuch", "torn.json", "keyless")
	goesOn(t, s, p)

	db, err := proof.OpenSource(late, "WAL")
	must(t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), "CREATE TABLE late (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO late VALUES (1, 'at last')")
	must(t, err)
	wants(t, p, "SELECT id, v FROM silver.late", "[[1 at last]]")
}

// wants waits until a query answers as wanted.
func wants(t *testing.T, p *proof.Process, query, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), proof.QuietWithin)
	defer cancel()
	err := proof.Until(ctx, func() (bool, error) {
		a, err := p.SQL(ctx, query)
		if err != nil {
			return false, err
		}
		if got := fmt.Sprint(a.Rows); got != want {
			return false, fmt.Errorf("%s: %s, want %s", query, got, want)
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.House.Tail())
	}
}

// TestBadInputLocked has somebody hold the database for some seconds.
func TestBadInputLocked(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			s, p := good(t, mode)
			p.Kill()
			release, err := proof.LockDatabase(s.Database)
			must(t, err)
			p = up(t, s.House)
			tells(t, p, "lock")
			if _, err := p.SQL(t.Context(), "SELECT count(*) FROM silver.ints"); err != nil {
				t.Errorf("queries do not go on: %v", err)
			}
			must(t, release())
			goesOn(t, s, p)
		})
	}
}

// TestBadInputDataFolder starts a Tarn on a folder that it may not write to.
func TestBadInputDataFolder(t *testing.T) {
	h := plain(t)
	must(t, os.MkdirAll(h.Data, 0o755))
	must(t, os.Chmod(h.Data, 0o555))
	if os.Geteuid() == 0 {
		for at := h.Project; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
			must(t, os.Chmod(at, 0o755))
		}
		must(t, os.Chmod(filepath.Dir(h.Binary), 0o755))
		h.Within = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}
	}
	refused(t, h, exitFailed, h.Data, "--data")
}

// TestBadInputDamage spoils what Tarn keeps, byte by byte where it hurts; put back, all
// goes on.
func TestBadInputDamage(t *testing.T) {
	s, p := good(t, "WAL")
	_, err := p.Stop(stopWithin)
	must(t, err)
	for _, file := range []string{"meta.db", filepath.Join("lake", "catalog.db")} {
		path := filepath.Join(s.House.Data, file)
		whole, err := os.ReadFile(path)
		must(t, err)
		for name, spoil := range map[string]func([]byte) []byte{
			"no database": func(b []byte) []byte { return []byte(strings.Repeat("spoilt ", len(b)/7)) },
			"cut short":   func(b []byte) []byte { return b[:len(b)/2] },
			"a page":      func(b []byte) []byte { copy(b[4096:], strings.Repeat("spoilt ", 580)); return b },
		} {
			t.Run(file+" "+name, func(t *testing.T) {
				must(t, os.WriteFile(path, spoil(append([]byte{}, whole...)), 0o600))
				refused(t, s.House, exitFailed, filepath.Base(file))
			})
		}
		must(t, os.WriteFile(path, whole, 0o600))
	}
	goesOn(t, s, up(t, s.House))
}

// TestBadInputSQL sends what a stranger might.
func TestBadInputSQL(t *testing.T) {
	s, p := good(t, "WAL", "TARN_MEMORY=1GB") // so that much memory is soon too much
	for name, text := range map[string]string{
		"file":            "SELECT * FROM read_csv('/etc/passwd')",
		"file by name":    "SELECT * FROM '/etc/passwd'",
		"copy":            "COPY (SELECT 1) TO '" + filepath.Join(s.House.Data, "out.csv") + "'",
		"attach":          "ATTACH '" + filepath.Join(s.House.Data, "meta.db") + "' AS m (TYPE sqlite)",
		"install":         "INSTALL httpfs",
		"load":            "LOAD 'x.so'",
		"two statements":  "SELECT 1; SELECT 2",
		"environment":     "SELECT getenv('HOME')",
		"settings":        "SELECT * FROM duckdb_settings()",
		"glob":            "SELECT * FROM glob('/**')",
		"nothing":         "",
		"noise":           "\x00\xff\xfe",
		"deep":            strings.Repeat("(", 100_000) + "SELECT 1" + strings.Repeat(")", 100_000),
		"deep expression": "SELECT " + strings.Repeat("1+(", 50_000) + "1" + strings.Repeat(")", 50_000),
		"long":            "SELECT '" + strings.Repeat("x", 2<<20) + "'",
		"many rows":       "SELECT * FROM range(3000000000)",
		"much memory":     "SELECT list(a.range) FROM range(100000000) a, range(100) b",
		"drop a mirror":   "DROP TABLE silver.ints",
		"unknown table":   "SELECT * FROM silver.nope",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), proof.SQLWithin)
			defer cancel()
			_, err := p.SQL(ctx, text)
			r := new(proof.Refusal)
			if !errors.As(err, &r) {
				t.Fatalf("it is not refused: %v", err)
			}
			if r.Status < 400 || r.Status > 499 || r.Code == "" || r.Message == "" || r.Hint == "" {
				t.Errorf("status %d, code %q, message %q, hint %q", r.Status, r.Code, r.Message, r.Hint)
			}
		})
	}
	if p.Ended() {
		t.Fatalf("tarn ended\n%s", s.House.Tail())
	}
	goesOn(t, s, p)
}

// TestBadInputSignalsMidSnapshot stops a Tarn in the snapshot, which goes on later.
func TestBadInputSignalsMidSnapshot(t *testing.T) {
	dir := t.TempDir()
	s, err := proof.NewScene(t.Context(), binary(t), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), "DELETE")
	must(t, err)
	t.Cleanup(s.Abandon)
	p, err := s.House.Up(t.Context())
	must(t, err)
	p.Signal(syscall.SIGTERM)
	if code, err := p.Exit(stopWithin); code != exitOK || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	goesOn(t, s, up(t, s.House))
}
