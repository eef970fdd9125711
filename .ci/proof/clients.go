package proof

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tarn/embedded/fault"
)

// Alone starts the program on a folder of its own, for a test's clients, with further variables: the addresses of its doors by name. It is
// ended with the test, which fails where it does not end well.
func Alone(t testing.TB, binary string, more ...string) (h *House, ports map[string]string) {
	t.Helper()
	h = Empty(t, binary)
	return h, h.Serve(t, more...)
}

// Empty is a house of a test, on which the program has not been started yet.
func Empty(t testing.TB, binary string) *House {
	t.Helper()
	dir := t.TempDir()
	h := &House{Binary: binary, Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "log")}
	if err := os.Mkdir(h.Project, 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

// Serve is Alone on a house that there is.
func (h *House) Serve(t testing.TB, more ...string) (ports map[string]string) {
	t.Helper()
	p, err := h.Up(t.Context(), more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if code, err := p.Stop(time.Minute); code != fault.ExitInterrupted || err != nil {
			t.Errorf("tarn ended with %d: %v\n%s", code, err, h.Tail())
		}
	})
	if ports, err = h.Ports(); err != nil {
		t.Fatal(err)
	}
	return ports
}

// Jars is a class path with what a pom.xml names, copied by Maven once and kept in the cache.
func Jars(ctx context.Context, mvn, pom string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(pom)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "tarn-ci", fmt.Sprintf("jars-%x", sha256.Sum256(text))[:21])
	whole := filepath.Join(dir, "whole") // is there once all is
	if _, err := os.Stat(whole); err != nil {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
		if out, err := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+dir).CombinedOutput(); err != nil {
			return "", fmt.Errorf("copy what %s names: %w\n%s", pom, err, out)
		}
		if err := os.WriteFile(whole, nil, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "*"), nil
}
