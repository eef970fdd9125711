//go:build race

package lake_test

// raced tells that the race detector is on.
const raced = true
