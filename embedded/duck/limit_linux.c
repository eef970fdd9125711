//go:build duckdb_arrow

// DuckDB's memory_limit counts what its buffer manager hands out, and not the values that vectors, lists and aggregates hold: those come
// straight from its allocator, or from C++. These functions are asked first (the linker is told so in limit_linux.go). They refuse a large
// piece of memory that would take the process beyond its limit, and the statement fails as where the system has none left.

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "limit.h"

// Smaller pieces are not looked at: to look takes some microseconds, and who is refused one is less likely to bear it. DuckDB's C functions
// take texts and lists by operator new where nothing catches its exception, which would end the process: a list of 65,536 file names needs 4 MB.
#define LOOK_BYTES ((size_t)4 << 20)
#define LOOK_NEW_BYTES ((size_t)64 << 20)

static _Atomic long long limit; // bytes of the process; 0 = none
static pthread_mutex_t granting = PTHREAD_MUTEX_INITIALIZER;

// malloc keeps the end of each thread's heap, which malloc_trim does not give back: with its own settings up to 64 MB of each, and there are
// eight heaps a core. So pieces that are looked at come from the system, each by itself, and of a heap's end no more than this is kept.
#define KEEP_BYTES (1 << 20)

void tarn_memory_limit(long long bytes) {
	mallopt(M_MMAP_THRESHOLD, (int)LOOK_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	atomic_store(&limit, bytes);
}

// resident is what the process has in memory; 0 where the system does not tell.
static long long resident(void) {
	char text[128];
	long long size, pages;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0) {
		return 0;
	}
	text[n] = 0;
	return sscanf(text, "%lld %lld", &size, &pages) == 2 ? pages * sysconf(_SC_PAGESIZE) : 0;
}

int duckdb_je_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size);

// give_back returns to the system what the allocators keep for the next one who asks.
static void give_back(void) {
	duckdb_je_mallctl("arena.4096.purge", NULL, NULL, NULL, 0); // of all arenas
	malloc_trim(0);
}

static int fits(size_t size, long long most) { return size <= (size_t)most && resident() + (long long)size <= most; }

int tarn_memory_fits(size_t size) {
	long long most = atomic_load(&limit);
	if (most == 0 || fits(size, most)) {
		return 1;
	}
	if (size > (size_t)most) {
		return 0;
	}
	give_back();
	return fits(size, most);
}

int tarn_memory_over(void) { return !tarn_memory_fits(0); }

// touch makes memory resident.
static void touch(volatile char *p, size_t size) {
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t at = 0; at < size; at += page) {
		p[at] = p[at];
	}
}

// granted asks for memory by make, unless it is of look bytes or more and takes the process beyond its limit: then, as without any, it is
// NULL. In the second half of the limit one is served at a time, and its memory is touched, so that the next one sees it.
static void *granted(void *(*make)(void *, size_t), void *of, size_t size, size_t look) {
	long long most = size < look ? 0 : atomic_load(&limit);
	if (most == 0 || fits(size, most / 2)) {
		return make(of, size);
	}
	void *p = NULL;
	pthread_mutex_lock(&granting);
	if (tarn_memory_fits(size) && (p = make(of, size)) != NULL) {
		touch(p, size);
	}
	pthread_mutex_unlock(&granting);
	return p;
}

// DuckDB's allocator looks for NULL.

void *__real_duckdb_je_malloc(size_t size);
void *__real_duckdb_je_realloc(void *of, size_t size);

static void *je_malloc(void *of, size_t size) {
	(void)of;
	return __real_duckdb_je_malloc(size);
}

void *__wrap_duckdb_je_malloc(size_t size) { return granted(je_malloc, NULL, size, LOOK_BYTES); }
void *__wrap_duckdb_je_realloc(void *of, size_t size) { return granted(__real_duckdb_je_realloc, of, size, LOOK_BYTES); }

// C++ looks for std::bad_alloc of operator new and new[], which it lets a program replace, for libstdc++ too.

void _ZSt17__throw_bad_allocv(void);

static void *plain_malloc(void *of, size_t size) {
	(void)of;
	return malloc(size);
}

void *_Znwm(size_t size) {
	void *p = granted(plain_malloc, NULL, size == 0 ? 1 : size, LOOK_NEW_BYTES);
	if (p == NULL) {
		_ZSt17__throw_bad_allocv();
	}
	return p;
}

void *_Znam(size_t size) { return _Znwm(size); }
