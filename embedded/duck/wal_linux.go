//go:build duckdb_arrow

package duck

/*
#cgo LDFLAGS: -Wl,--wrap=ftruncate
*/
import "C"
