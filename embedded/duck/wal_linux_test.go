//go:build duckdb_arrow

package duck_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"tarn/embedded/duck"
)

const noDiskEnv = "TARN_TEST_NO_DISK" // the database of a process whose disk goes

// TestCommitWithoutDisk: where the disk refuses what is left of a commit in its midst, and to take back what it has of it, the commit fails
// and the process goes on; and the database has all of the commit when it is opened again, or nothing of it.
func TestCommitWithoutDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.duckdb")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestWithoutDisk$", "-test.v") //nolint:gosec // this test itself
	cmd.Env = append(os.Environ(), noDiskEnv+"="+path)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	_, conn := opened(t, duck.Options{Path: path})
	var n, sum, epochs int64
	if err := conn.QueryRowContext(t.Context(), "SELECT count(*), coalesce(sum(i), 0)::BIGINT, (SELECT max(n) FROM epoch) FROM rows").Scan(&n, &sum, &epochs); err != nil {
		t.Fatal(err)
	}
	if epochs < 3 || n != epochs*rowsEach || sum != epochs*rowsEach*(rowsEach-1)/2 {
		t.Errorf("%d rows, whose sum is %d, of %d commits", n, sum, epochs)
	}
}

const rowsEach = 5000

// TestWithoutDisk is what TestCommitWithoutDisk has another process do.
func TestWithoutDisk(t *testing.T) {
	path := os.Getenv(noDiskEnv)
	if path == "" {
		t.Skip("for TestCommitWithoutDisk")
	}
	_, conn := opened(t, duck.Options{Path: path})
	must(t, conn.Exec(t.Context(), "CREATE TABLE rows (i BIGINT)"), conn.Exec(t.Context(), "CREATE TABLE epoch (n BIGINT)"))
	commit := func(epoch int) error {
		must(t, conn.Exec(t.Context(), "BEGIN"), conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO rows SELECT * FROM range(%d)", rowsEach)),
			conn.Exec(t.Context(), "INSERT INTO epoch VALUES (?)", epoch))
		return conn.Exec(context.WithoutCancel(t.Context()), "COMMIT")
	}
	must(t, commit(1), commit(2), commit(3))
	refuse(t, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC)
	if err := commit(4); err == nil {
		t.Error("a commit that was not synced is one")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// refuse has the kernel refuse calls of the process from now on, as those of a disk that is read-only.
func refuse(t *testing.T, calls ...uint32) {
	t.Helper()
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number
	for _, call := range calls {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: call},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EROFS)})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	must(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // a few
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		t.Fatal(errno)
	}
}
