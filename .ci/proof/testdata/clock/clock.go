// The program under proof gets this file beside its main.go, and its own wall clock by it: a number of
// seconds in a file is added whenever Go asks for the time of day, as if somebody set the machine's
// clock. What counts on evenly, by which sleeps and timeouts go, is left alone, as it is then.
package main

/*
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static int (*usual)(clockid_t, struct timespec *);
static volatile int64_t *ahead;

static int moved(clockid_t clock, struct timespec *now) {
	int failed = usual(clock, now);
	if (clock == CLOCK_REALTIME)
		now->tv_sec += *ahead;
	return failed;
}

static uintptr_t move(uintptr_t clock) {
	const char *path = getenv("TARN_PROOF_CLOCK");
	if (path == NULL)
		return clock;
	int file = open(path, O_RDONLY);
	void *at = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
	if (clock == 0 || file < 0 || at == MAP_FAILED) {
		perror("move the clock");
		abort();
	}
	ahead = at;
	usual = (int (*)(clockid_t, struct timespec *))clock;
	return (uintptr_t)moved;
}
*/
import "C"

import _ "unsafe" // for linkname

// kernelClock is where Go finds the kernel's clock_gettime, which it calls as C does.
//
//go:linkname kernelClock runtime.vdsoClockgettimeSym
var kernelClock uintptr

func init() { kernelClock = uintptr(C.move(C.uintptr_t(kernelClock))) }
