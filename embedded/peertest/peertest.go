// Package peertest says what becomes of a test that a machine has not all the things for.
// It is for tests alone.
package peertest

import (
	"os"
	"testing"
)

// Missing ends a test for want of something. A developer's machine need not have it, so the
// test is skipped; with TARN_REQUIRE_PEERS=1, as .ci/run sets it, it fails. The text names
// what is missing and how to get it.
func Missing(t testing.TB, text string) {
	t.Helper()
	if os.Getenv("TARN_REQUIRE_PEERS") == "1" {
		t.Fatalf("TARN_REQUIRE_PEERS=1, but %s", text)
	}
	t.Skip(text)
}
