package proof_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// answers are what commands of README.md have to answer, by a text in them; the first that fits counts. A command
// that none fits has to end well. Gold fills within a minute, so each is said until its answer is right.
var answers = []struct{ in, want string }{
	{"SELECT name FROM silver.ports", `(?m)^ *Tanger *$`},
	{"sqlite3", ``},            // which says nothing
	{"system.dead_letter", ``}, // nothing has gone wrong
	{"system.late", ``},
	{"CREATE MATERIALIZED VIEW", ``},
	{"Accept: text/csv", `^[a-z_,]+\r?\n.+,.+`},
	{"/api/sql -d", `"rows":\[\[[1-9]`},
	{"tarn sql", `(?m)^\(?[1-9][0-9]* rows?`},
	{". sql", `(?m)^\(?[1-9][0-9]* rows?`},
	{"from pyiceberg", `pyarrow.Table`},
	{"psql", `(?m)^\([1-9][0-9]* rows?\)`},
	{"kcat", `"op":"`},
	{"/connectors", `port 5432|database|password`}, // whatever server this machine has, it is not the reader's
}

// TestReadme does what README.md says, step by step, as it stands there: every block of code is run, in the order of the
// page, with the programs of this machine. What is changed is the address, for a port may be taken, and the path of the
// reader's own database.
func TestReadme(t *testing.T) {
	for program, from := range map[string]string{"sqlite3": "sqlite3", "curl": "curl", "make": "make", "psql": "postgresql-client", "kcat": "kcat"} {
		if _, err := exec.LookPath(program); err != nil {
			peertest.Missing(t, program+" is not installed: apt install "+from)
		}
	}
	r := newNewcomer(t)
	text, err := os.ReadFile(filepath.Join(r.root, "README.md"))
	must(t, err)
	blocks := codeBlocks(string(text))
	if len(blocks) < 7 {
		t.Fatalf("README.md has %d blocks of code: are they read as they should be?", len(blocks))
	}
	for _, b := range blocks {
		r.block(b)
	}

	// "kill -9 loses nothing."
	port := r.servers[0]
	port.kill()
	r.say(`sqlite3 -cmd ".timeout 2000" tarn-data/sample/port.db "UPDATE ports SET name = 'Tanger Med' WHERE locode = 'MAPTM'"`, "")
	r.serve("tarn up --sample", r.work, r.work)
	r.say(`tarn sql "SELECT name FROM silver.ports WHERE locode = 'MAPTM'"`, `Tanger Med`)
}

// buildWithin is how long make run may link on a busy machine.
const buildWithin = 3 * time.Minute

// newcomer is somebody who follows the page.
type newcomer struct {
	*testing.T
	root, work string // of the module; where tarn-data is
	shop       string // a database of their own
	env        []string
	ports      map[string]string // of the Tarn of the tour
	servers    []*server
}

func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	root, err := filepath.Abs("../..")
	must(t, err)
	dir := t.TempDir()
	r := &newcomer{T: t, root: root, work: filepath.Join(dir, "work"), shop: filepath.Join(dir, "shop.db")}
	must(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	must(t, os.MkdirAll(r.work, 0o755))
	must(t, os.Symlink(binary(t), filepath.Join(dir, "bin", "tarn")))
	if out, err := exec.CommandContext(t.Context(), "sqlite3", r.shop, "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL); INSERT INTO orders VALUES (1, 12.5)").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The flags of the make that runs this test are not for the make of the page.
	r.env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "MAKE") || strings.HasPrefix(e, "MFLAGS") })
	r.env = append(r.env, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	return r
}

// block does one of the page.
func (r *newcomer) block(b codeBlock) {
	r.Helper()
	if b.language == "python" {
		python := os.Getenv("TARN_PYTHON")
		if python == "" {
			if os.Getenv("TARN_REQUIRE_PEERS") == "1" {
				r.Fatal("TARN_REQUIRE_PEERS=1, but TARN_PYTHON names no Python with PyIceberg")
			}
			return
		}
		must(r.T, os.WriteFile(filepath.Join(r.work, "block.py"), []byte(b.text), 0o600))
		r.say(python+" block.py", wanted(b.text))
		return
	}
	if strings.HasPrefix(b.text, "$ ") {
		for command := range strings.SplitSeq("\n"+b.text, "\n$ ") {
			if command != "" {
				r.say(command, wanted(command+"\n"))
			}
		}
		return
	}
	var before []string
	for line := range strings.SplitSeq(b.text, "\n") {
		switch command, _, _ := strings.Cut(line, " #"); strings.TrimSpace(command) {
		case "make run":
			r.serve(command, r.root, r.work)
		case "tarn":
			r.serve(strings.Join(append(before, command), "\n"), r.work, filepath.Join(r.work, "shop"))
			r.say("cd shop && tarn sql 'SELECT amount FROM silver.orders'", `12\.5`)
			r.servers[len(r.servers)-1].kill()
			before = nil
		default:
			before = append(before, line)
		}
	}
	if len(before) > 0 {
		text := strings.Join(before, "\n")
		r.say("cd "+r.root+" && export TARN_DATA="+r.work+"/tarn-data\n"+text, wanted(text))
	}
}

func wanted(command string) string {
	for _, a := range answers {
		if strings.Contains(command, a.in) {
			return a.want
		}
	}
	return ""
}

// say runs a script in the newcomer's folder until it ends well and its answer is right.
func (r *newcomer) say(script, want string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), proof.QuietWithin)
	defer cancel()
	script = r.theirs(script)
	pattern := regexp.MustCompile(want)
	err := proof.Until(ctx, func() (bool, error) {
		cmd := exec.CommandContext(ctx, "bash", "-ec", script)
		cmd.Dir, cmd.Env = r.work, r.env
		out, err := cmd.CombinedOutput()
		if err == nil && pattern.Match(out) {
			return true, nil
		}
		return false, fmt.Errorf("want %q: %w\n%s", want, err, out)
	})
	if err != nil {
		r.Fatalf("README.md says\n%s\n%v", script, err)
	}
}

// theirs is a script with this machine's address and path.
func (r *newcomer) theirs(script string) string {
	_, postgres, _ := strings.Cut(r.ports["postgres"], ":")
	return strings.NewReplacer("127.0.0.1:7700", r.ports["http"], "127.0.0.1:9092", r.ports["kafka"], "127.0.0.1:8083", r.ports["connect"],
		"-p 5433", "-p "+postgres, "/path/to/shop.db", r.shop).Replace(script)
}

// server is a Tarn that runs until it is killed.
type server struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *server) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
}

// serve runs a script whose last command is a Tarn, and waits until that is ready. Its data is in the folder data.
func (r *newcomer) serve(script, dir, data string) {
	r.Helper()
	h := &proof.House{Data: filepath.Join(data, "tarn-data"), Log: filepath.Join(r.work, fmt.Sprintf("server%d.log", len(r.servers)))}
	_ = os.Remove(filepath.Join(h.Data, "ports.json")) // of one that was killed
	log, err := os.Create(h.Log)
	must(r.T, err)
	s := &server{cmd: exec.Command("bash", "-ec", r.theirs(script)), done: make(chan struct{})}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, log, log
	s.cmd.Env = append(slices.Clone(r.env), "TARN_LISTEN=auto")
	if dir == r.root {
		s.cmd.Env = append(s.cmd.Env, "TARN_DATA="+h.Data)
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(r.T, s.cmd.Start())
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait()
		_ = log.Close()
	}()
	r.Cleanup(s.kill)
	r.servers = append(r.servers, s)
	ctx, cancel := context.WithTimeout(r.Context(), buildWithin+proof.ReadyWithin)
	defer cancel()
	err = proof.Until(ctx, func() (bool, error) {
		select {
		case <-s.done:
			return true, errors.New("it ended")
		default:
		}
		ports, err := h.Ports()
		if err != nil {
			return false, err
		}
		resp, err := http.Get("http://" + ports["http"] + "/ready")
		if err != nil {
			return false, err
		}
		_ = resp.Body.Close()
		if data == r.work {
			r.ports = ports
		}
		if resp.StatusCode == http.StatusOK {
			return true, nil
		}
		return false, fmt.Errorf("/ready answers %s", resp.Status)
	})
	if err != nil {
		r.Fatalf("README.md says\n%s\n%v\n%s", script, err, h.Tail())
	}
}

// codeBlock is a piece of a page that a reader types.
type codeBlock struct{ language, text string }

// codeBlocks are those of a page in Markdown, fenced or indented by four spaces.
func codeBlocks(page string) (out []codeBlock) {
	var text []string
	language, fenced, last := "", false, ""
	end := func() {
		if len(text) > 0 {
			out = append(out, codeBlock{language, dedented(text)})
		}
		text, language = nil, ""
	}
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch indented, ok := strings.CutPrefix(line, "    "); {
		case strings.HasPrefix(line, "```"):
			end()
			fenced = !fenced
			language = strings.TrimPrefix(line, "```")
		case fenced:
			text = append(text, line)
		case ok && (len(text) > 0 || last == ""):
			text = append(text, indented)
		default:
			end()
		}
		last = line
	}
	end()
	return out
}

// dedented is a block without what all its lines are indented by, as those of a list are.
func dedented(lines []string) string {
	spaces := len(lines[0]) - len(strings.TrimLeft(lines[0], " "))
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, strings.Repeat(" ", spaces))
	}
	return strings.Join(lines, "\n")
}
