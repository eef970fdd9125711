//go:build duckdb_arrow

package duck

/*
#cgo CFLAGS: -fexceptions
#cgo LDFLAGS: -Wl,--wrap=duckdb_je_malloc -Wl,--wrap=duckdb_je_realloc
#include "limit.h"
*/
import "C"

// Limit has DuckDB fail statements, as out of memory, that ask for a large piece of memory which would take the whole process beyond so
// many bytes: an instance's own limit does not count the values that vectors, lists and aggregates hold. It is of all instances; 0 = none.
func Limit(bytes int64) { C.tarn_memory_limit(C.longlong(bytes)) }

// fits tells whether so many bytes more are within Limit.
func fits(bytes int64) bool { return C.tarn_memory_fits(C.size_t(bytes)) != 0 }

// Pressed tells whether the process has more memory than Limit, also when the allocators have given back what they keep: it is made of
// pieces that are too small to be refused.
func Pressed() bool { return C.tarn_memory_over() != 0 }
