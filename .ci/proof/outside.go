package proof

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// writerVariable makes a run of this package's test program an outside writer.
const writerVariable = "TARN_PROOF_WRITER"

// BecomeWriter runs this process as an outside writer and ends it, if that is what it was
// started for. TestMain calls it first.
func BecomeWriter() {
	text, ok := os.LookupEnv(writerVariable)
	if !ok {
		return
	}
	var c WriterConfig
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		err = RunWriter(context.Background(), c, os.Stdin, os.Stdout)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "outside writer:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Outside is a writer in a process of its own.
type Outside struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said strings.Builder // stderr
}

// StartOutside starts a writer.
func StartOutside(c WriterConfig) (*Outside, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	o := &Outside{cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(os.Environ(), writerVariable+"="+string(text))
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	o.cmd.Stderr = &o.said
	in, err := o.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.in, o.out = in, bufio.NewReader(out)
	return o, o.cmd.Start()
}

// tell sends a command and, for those that have one, reads the answer.
func (o *Outside) tell(command string) (next int64, err error) {
	if _, err := fmt.Fprintln(o.in, command); err != nil {
		return 0, o.fault(err)
	}
	if command == "go" {
		return 0, nil
	}
	line, err := o.out.ReadString('\n')
	if err != nil {
		return 0, o.fault(err)
	}
	return strconv.ParseInt(strings.TrimSpace(line), 10, 64)
}

func (o *Outside) fault(err error) error {
	return errors.Join(fmt.Errorf("outside writer: %w", err), o.cmd.Wait(), errors.New(o.said.String()))
}

// Pause returns when the writer's transaction has ended; it opens no other.
func (o *Outside) Pause() error {
	_, err := o.tell("pause")
	return err
}

// Go goes on after Pause.
func (o *Outside) Go() error {
	_, err := o.tell("go")
	return err
}

// Stop ends the writer and returns the first token that it has not used.
func (o *Outside) Stop() (next int64, err error) {
	next, err = o.tell("stop")
	if err != nil {
		return 0, err
	}
	return next, o.cmd.Wait()
}

// Freeze stops the process where it stands, in mid-transaction or not; Thaw goes on.
func (o *Outside) Freeze() { Freeze(o.cmd.Process.Pid) }

// Thaw ends Freeze.
func (o *Outside) Thaw() { Thaw(o.cmd.Process.Pid) }

// Kill ends the writer as kill -9 does. Its last transaction may be in the database or not.
func (o *Outside) Kill() {
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
}

// Thaw lets a frozen process go on.
func Thaw(pid int) { _ = syscall.Kill(pid, syscall.SIGCONT) }

// Freeze stops a process and returns when the kernel shows every thread of it stopped.
func Freeze(pid int) {
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(context.Background(), ReadyWithin)
	defer cancel()
	_ = Until(ctx, func() (bool, error) {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)) // none when it has ended
		for _, t := range tasks {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, t.Name()))
			if err != nil {
				continue
			}
			_, after, _ := strings.Cut(string(stat), ") ")
			if !strings.HasPrefix(after, "T") && !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X") {
				return false, errors.New("a thread still runs")
			}
		}
		return true, nil
	})
}
