package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// House is one data folder with its project, and the program that runs on it.
type House struct {
	Binary  string
	Data    string
	Seen    string // where this process finds the data folder, when that is not Data
	Project string
	Log     string   // the file that gets stdout and stderr of every run
	Env     []string // beyond this process's own
	Args    []string // after `up --data … --project …`; nil means --listen auto
	Within  []string // a command that runs the program, such as unshare; nil for none
}

// Process is one run of the program.
type Process struct {
	House *House
	cmd   *exec.Cmd
	log   *os.File
	done  chan struct{} // closed when the process has ended and been waited for
	err   error         // of Wait; read after done

	base string // http://host:port; set by Ready
}

// Start runs the program; more are variables of this run alone.
func (h *House) Start(more ...string) (*Process, error) {
	// A killed Tarn leaves its ports.json; without it here, the one that appears is this run's.
	if err := os.Remove(h.portsFile()); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.EROFS) {
		return nil, err
	}
	log, err := os.OpenFile(h.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	args := append([]string{"up", "--data", h.Data, "--project", h.Project}, h.Args...)
	if h.Args == nil {
		args = append(args, "--listen", "auto")
	}
	line := append(append(append([]string{}, h.Within...), h.Binary), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(append(os.Environ(), h.Env...), more...)
	// If the proof itself is killed, nothing of it may go on writing.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	p := &Process{House: h, cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

func (h *House) portsFile() string {
	if h.Seen != "" {
		return filepath.Join(h.Seen, "ports.json")
	}
	return filepath.Join(h.Data, "ports.json")
}

// Ports reads the ports.json of a house.
func (h *House) Ports() (map[string]string, error) {
	content, err := os.ReadFile(h.portsFile())
	if err != nil {
		return nil, err
	}
	var ports map[string]string
	if err := json.Unmarshal(content, &ports); err != nil {
		return nil, fmt.Errorf("ports.json is not whole: %w: %q", err, content)
	}
	return ports, nil
}

// Up starts the program and waits until it is ready.
func (h *House) Up(ctx context.Context, more ...string) (*Process, error) {
	p, err := h.Start(more...)
	if err != nil {
		return nil, err
	}
	if err := p.Ready(ctx); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Ready waits until /ready answers 200. It ends early when the process does.
func (p *Process) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ReadyWithin)
	defer cancel()
	err := Until(ctx, func() (bool, error) {
		if p.Ended() {
			return true, fmt.Errorf("tarn ended before it was ready: %w", p.err)
		}
		ports, err := p.House.Ports()
		if errors.Is(err, os.ErrNotExist) {
			return false, errors.New("no ports.json yet")
		} else if err != nil {
			return true, err
		}
		p.base = "http://" + ports["http"]
		status, _, err := p.Get(ctx, "/ready")
		return err == nil && status == http.StatusOK, err
	})
	if err != nil {
		return fmt.Errorf("wait until ready: %w\n%s", err, p.House.Tail())
	}
	return nil
}

// Get asks the HTTP door.
func (p *Process) Get(ctx context.Context, path string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.Bytes(), err
}

// URL is the address of a path of the HTTP door, once it is ready.
func (p *Process) URL(path string) string { return p.base + path }

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended tells whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Stopped tells whether every thread of the process stands still, as SIGSTOP has it.
func (p *Process) Stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if _, state, _ := strings.Cut(string(stat), ") "); err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// Killed tells whether a process that has ended did so by kill -9, its own or another's.
func (p *Process) Killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Signal sends one; to a process that has ended it does nothing.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends the process as kill -9 does and waits for it.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
	_ = p.log.Close()
}

// Stop ends the process as Ctrl-C does and returns its exit code.
func (p *Process) Stop(within time.Duration) (code int, err error) {
	p.Signal(os.Interrupt)
	return p.Exit(within)
}

// Exit waits for the end of the process and returns its exit code.
func (p *Process) Exit(within time.Duration) (code int, err error) {
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-p.done:
		_ = p.log.Close()
		return p.cmd.ProcessState.ExitCode(), nil
	case <-late.C:
		p.Kill()
		return -1, fmt.Errorf("tarn runs on after %s\n%s", within, p.House.Tail())
	}
}

// Tail is the end of what the program said, for a failure's message; of a crash it is the
// beginning, which tells more.
func (h *House) Tail() string {
	const lines, crashLines, crashBefore = 25, 60, 8 // what a library written in C++ ends for stands before the signal
	content, err := os.ReadFile(h.Log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	for i, line := range all {
		if strings.HasPrefix(line, "SIG") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return "--- tarn crashed:\n" + strings.Join(all[max(0, i-crashBefore):min(len(all), i+crashLines)], "\n")
		}
	}
	return "--- tarn said:\n" + strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Status is a line of the process's /proc/PID/status in MB, such as VmHWM; 0 when it has ended.
func (p *Process) Status(line string) float64 {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	_, after, _ := strings.Cut(string(content), line+":")
	var kb float64
	_, _ = fmt.Sscan(after, &kb)
	return kb / 1024
}

// Cost is what the process has spent of CPU so far, and the memory that it holds now, bytes.
func (p *Process) Cost() (cpu time.Duration, rss int64) {
	const ticks = 100 // a second, on every Linux
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, 0
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after) // from field 3, the state, on
	if len(fields) < 22 {
		return 0, 0
	}
	var user, system, pages int64
	_, _ = fmt.Sscan(fields[11]+" "+fields[12]+" "+fields[21], &user, &system, &pages)
	return time.Duration(user+system) * time.Second / ticks, pages * int64(os.Getpagesize())
}
