package life

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"tarn/embedded/fault"
)

// Guarded runs a piece of work whose panic must stop nothing else: it becomes a fault with
// code Internal. The stack goes to the log, for a user never sees one.
func Guarded(log *slog.Logger, run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("panic", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fault.Wrap(fmt.Errorf("panic: %v", v), fault.Internal, "an internal error", "this is a defect of Tarn: please report it with the log")
		}
	}()
	return run()
}
