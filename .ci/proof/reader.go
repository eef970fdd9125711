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
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// ReadsFor is how long a slow reader takes over one snapshot.
const ReadsFor = time.Minute

// Reader is another program that reads one snapshot of a table with PyIceberg, slowly. It knows the
// catalog and the files, and nothing of a Tarn that may still want them gone.
type Reader struct {
	Table, How, Snapshot string
	Files                int // that it has planned to read

	cmd   *exec.Cmd
	stdin io.Closer
	said  strings.Builder // stderr
	done  chan struct{}
	err   error // of Wait; read after done
	out   string
	want  *Digest
	began time.Time
	took  time.Duration
}

// Read starts a reader of a table's current snapshot in p, and learns from p which rows that has.
// how is "files" or "scans". Nobody may expire the snapshot meanwhile.
func (p *Process) Read(ctx context.Context, python, table, how, out string) (*Reader, error) {
	r := &Reader{Table: table, How: how, out: filepath.Join(out, fmt.Sprintf("%s-%d.arrow", table, time.Now().UnixNano())), done: make(chan struct{})}
	lake := filepath.Join(p.House.Data, "lake")
	r.cmd = exec.Command(python, "testdata/read_slowly.py", filepath.Join(lake, "catalog.db"), filepath.Join(lake, "warehouse"),
		table, how, fmt.Sprint(ReadsFor.Seconds()), r.out)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.cmd.Stderr = &r.said
	stdin, err := r.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.stdin = stdin
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	r.began = time.Now()
	go func() {
		defer close(r.done)
		r.err = r.cmd.Wait()
		r.took = time.Since(r.began)
	}()
	if err == nil {
		err = json.Unmarshal(line, r)
	}
	if err == nil {
		r.want, err = p.Digest(ctx, fmt.Sprintf("SELECT * FROM %s AT (VERSION => %s)", table, r.Snapshot))
	}
	if err != nil {
		r.Kill()
		return nil, fmt.Errorf("start a reader of %s: %w\n%s", table, err, r.said.String())
	}
	return r, nil
}

// Done tells whether the reader has ended.
func (r *Reader) Done() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Hurry makes the reader go on without pauses.
func (r *Reader) Hurry() { _ = r.stdin.Close() }

// Kill ends a reader whose proof has failed.
func (r *Reader) Kill() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

// Finish waits for the end of the reader and tells how long it has read. It is an error that a
// file was missing, or that the rows are not those that the snapshot had.
func (r *Reader) Finish() (took time.Duration, err error) {
	<-r.done
	about := fmt.Sprintf("a reader of %s, snapshot %s, %d files, %s", r.Table, r.Snapshot, r.Files, r.How)
	if r.err != nil {
		return r.took, fmt.Errorf("%s: %w\n%s", about, r.err, r.said.String())
	}
	content, err := os.ReadFile(r.out)
	if err != nil {
		return r.took, err
	}
	got, err := DigestStream(content)
	if err != nil {
		return r.took, fmt.Errorf("%s: %w", about, err)
	}
	if d := r.want.Differ(got); d != "" {
		return r.took, fmt.Errorf("%s: %s", about, d)
	}
	return r.took, os.Remove(r.out)
}

// ReadArms asks for the rows of one snapshot of a table many times in one statement and takes its
// time over the answer, so that Tarn needs the snapshot for a minute. It calls begun when the answer has
// begun, and returns each arm's rows.
func (p *Process) ReadArms(ctx context.Context, table, snapshot string, arms int, begun func()) ([]*Digest, error) {
	text := make([]string, arms)
	for i := range text {
		text[i] = fmt.Sprintf("SELECT %d AS arm, * FROM %s AT (VERSION => %s)", i, table, snapshot)
	}
	body, err := p.post(ctx, ArrowStream, strings.Join(text, " UNION ALL "))
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	in, err := ipc.NewReader(body)
	if err != nil {
		return nil, err
	}
	defer in.Release()
	begun()
	began, n := time.Now(), 0
	out := make([]*Digest, arms)
	for i := range out {
		out[i] = newDigest()
	}
	for in.Next() {
		arm, err := addArm(out, in.RecordBatch())
		if err != nil {
			return nil, err
		}
		n = max(n, arm+1)
		time.Sleep(time.Until(began.Add(ReadsFor * time.Duration(n) / time.Duration(arms)))) // a slow program's own pace
	}
	if err := in.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s, snapshot %s, slowly: %w", table, snapshot, err)
	}
	return out, nil
}

// addArm adds a batch's rows to the digests of their arms, which its first column names, and tells the last of them. A large
// batch has rows of several.
func addArm(arms []*Digest, b arrow.RecordBatch) (last int, err error) {
	rest := array.NewRecordBatch(arrow.NewSchema(b.Schema().Fields()[1:], nil), b.Columns()[1:], b.NumRows())
	defer rest.Release()
	rows := int(b.NumRows())
	for from := 0; from < rows; {
		arm, to := b.Column(0).ValueStr(from), from+1
		for to < rows && b.Column(0).ValueStr(to) == arm {
			to++
		}
		n, err := strconv.Atoi(arm)
		if err != nil {
			return 0, err
		}
		part := rest.NewSlice(int64(from), int64(to))
		err = arms[n].add(part)
		part.Release()
		if err != nil {
			return 0, err
		}
		last, from = max(last, n), to
	}
	return last, nil
}
