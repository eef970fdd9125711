//go:build duckdb_arrow && !linux

package duck

// Limit is for Linux alone.
func Limit(int64) {}

func fits(int64) bool { return true }

// Pressed is never so where there is no Limit.
func Pressed() bool { return false }
