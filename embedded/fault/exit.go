package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"tarn/embedded/terminal"
)

// ErrInterrupted is the cause of a stop by Ctrl-C.
var ErrInterrupted = errors.New("interrupted")

// ErrFindings is in the error of a look that found something to mend.
var ErrFindings = errors.New("see the findings")

// The exit codes are a promise (STYLE.md section 5).
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitPortTaken   = 3
	ExitLocked      = 4
	ExitFindings    = 5
	ExitInterrupted = 130
)

// Tell writes an error for a person, with its hint, and returns the exit code. cause is what
// ended the process's context, nil while it lives.
func Tell(w io.Writer, err, cause error) int {
	if err == nil || errors.Is(err, context.Canceled) {
		if errors.Is(cause, ErrInterrupted) {
			return ExitInterrupted
		}
		return ExitOK
	}
	paint := terminal.PaintOn(w)
	_, _ = fmt.Fprintf(w, "%s %v\n", paint.Red("tarn:"), err)
	if hint := HintOf(err); hint != "" {
		_, _ = fmt.Fprintf(w, "%s %s\n", paint.Yellow("hint:"), hint)
	}
	if errors.Is(err, ErrFindings) {
		return ExitFindings
	}
	switch CodeOf(err) {
	case PortTaken:
		return ExitPortTaken
	case Locked:
		return ExitLocked
	}
	return ExitFailed
}

// OnSignals returns a context that ends at the first signal, with ErrInterrupted as cause
// when that was Ctrl-C. A second signal ends the process at once.
func OnSignals(parent context.Context, signals <-chan os.Signal) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		s := <-signals
		if s == os.Interrupt {
			cancel(ErrInterrupted)
		} else {
			cancel(context.Canceled)
		}
		<-signals
		os.Exit(ExitInterrupted)
	}()
	return ctx
}
