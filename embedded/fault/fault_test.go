package fault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"tarn/embedded/fault"
)

func TestTellGivesCauseHintAndCode(t *testing.T) {
	taken := fault.New(fault.PortTaken, "port 7700 is taken", "change http.listen")
	for name, c := range map[string]struct {
		err, cause error
		code       int
		text       string
	}{
		"well":           {nil, nil, 0, ""},
		"terminated":     {nil, context.Canceled, 0, ""},
		"interrupted":    {context.Canceled, fault.ErrInterrupted, 130, ""},
		"plain":          {errors.New("no"), nil, 1, "tarn: no\n"},
		"port, wrapped":  {fmt.Errorf("up: %w", taken), nil, 3, "tarn: up: port 7700 is taken\nhint: change http.listen\n"},
		"locked, joined": {errors.Join(fault.New(fault.Locked, "in use", "wait"), errors.New("more")), nil, 4, "tarn: in use\nmore\nhint: wait\n"},
		"failed at stop": {errors.New("late"), fault.ErrInterrupted, 1, "tarn: late\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if got := fault.Tell(&out, c.err, c.cause); got != c.code || out.String() != c.text {
				t.Fatalf("got %d %q, want %d %q", got, out.String(), c.code, c.text)
			}
		})
	}
}

func TestHintOfLooksThroughWraps(t *testing.T) {
	inner := fault.New(fault.Invalid, "inner", "do this")
	outer := fault.Wrap(fmt.Errorf("mid: %w", inner), fault.Denied, "outer", "")
	if got := fault.HintOf(outer); got != "do this" {
		t.Errorf("hint is %q", got)
	}
	if got := fault.CodeOf(fmt.Errorf("x: %w", outer)); got != fault.Denied {
		t.Errorf("code is %q", got)
	}
	if got := fault.CodeOf(errors.New("x")); got != fault.Internal {
		t.Errorf("code is %q", got)
	}
}

func TestTheFirstSignalEndsTheContext(t *testing.T) {
	signals := make(chan os.Signal, 1)
	ctx := fault.OnSignals(t.Context(), signals)
	signals <- os.Interrupt
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), fault.ErrInterrupted) {
		t.Fatalf("cause is %v", context.Cause(ctx))
	}
}
