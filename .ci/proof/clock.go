package proof

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// LogKeeps is how long a program that BuildClocked has made keeps what has landed in its log: less than a
// jump of its clock, and more than a proof takes.
const LogKeeps = 30 * time.Minute

// BuildClocked makes the program with one file more, by which a Clock sets the time of day that it sees,
// and one constant changed: what has landed stays in the log for LogKeeps, and not for a day.
// TARN_PROOF_CLOCKED names one that is there already.
func BuildClocked(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("TARN_PROOF_CLOCKED"); path != "" {
		return filepath.Abs(path)
	}
	log, err := changed(ctx, Change{
		"embedded/bus/retention.go", "landedRetention      = 24 * time.Hour\n", fmt.Sprintf("landedRetention = %d * time.Minute\n", int(LogKeeps.Minutes())),
	})
	if err != nil {
		return "", err
	}
	path, err := inModule(ctx, "clock.go")
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile("testdata/clock/clock.go")
	if err != nil {
		return "", err
	}
	return buildWith(ctx, dir, "clocked", append(log, piece{path, content})...)
}

// Clock is a wall clock that can be set, of programs that BuildClocked has made and that have its Env.
type Clock struct {
	Ahead time.Duration // of this machine's clock
	path  string
}

// NewClock is a clock that is right; its setting is in a file.
func NewClock(path string) (*Clock, error) {
	c := &Clock{path: path}
	return c, c.Set(0)
}

// Env is what a program needs to go by the clock.
func (c *Clock) Env() string { return "TARN_PROOF_CLOCK=" + c.path }

// Set sets the clock, in the midst of whatever its programs do. It counts in whole seconds.
func (c *Clock) Set(ahead time.Duration) error {
	f, err := os.OpenFile(c.path, os.O_CREATE|os.O_WRONLY, 0o600) // never cut: it is mapped
	if err != nil {
		return err
	}
	c.Ahead = ahead
	seconds := binary.NativeEndian.AppendUint64(nil, uint64(ahead/time.Second)) //nolint:gosec // two's complement
	if _, err := f.WriteAt(seconds, 0); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return f.Close()
}

// Now is what the clock says.
func (c *Clock) Now() time.Time { return time.Now().Add(c.Ahead) }
