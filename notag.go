//go:build !duckdb_arrow

package main

import (
	"fmt"
	"os"
)

// main without DuckDB's Arrow interface: the build tag is missing.
func main() {
	fmt.Fprintln(os.Stderr, "tarn: built without a tag that it needs; type: go run -tags duckdb_arrow . up --sample   (or: make run)")
	os.Exit(2)
}
