//go:build !race

package lake_test

// raced tells that the race detector is on, which it is not here.
const raced = false
