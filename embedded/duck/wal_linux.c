//go:build duckdb_arrow

// Where a commit cannot be written, DuckDB cuts off again what its log (PATH.wal) has of it. Up to 1.5 it ends the process where the disk
// refuses that too, as one does that a kernel has made read-only: the error is thrown in a function that throws none. This function is
// asked first (the linker is told so in wal_linux.go), and says of a log that it was cut off where it was not. The commit fails all the
// same. What the log has of it is left out when it is opened again, for it has no end; or it is found there whole, as behind a crash that
// came between a commit and its answer. Until then the database must take no commit more: it is to be closed.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int __real_ftruncate(int fd, off_t size);

// is_log tells whether a file's name ends in .wal.
static int is_log(int fd) {
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path);
	return n >= 4 && memcmp(path + n - 4, ".wal", 4) == 0;
}

int __wrap_ftruncate(int fd, off_t size) {
	int said = __real_ftruncate(fd, size);
	int why = errno;
	if (said != 0 && is_log(fd)) {
		return 0;
	}
	errno = why;
	return said;
}
