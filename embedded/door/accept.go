package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// acceptGap is the wait after a connection could not be accepted, such as for too many open files: others may close some.
const acceptGap = 50 * time.Millisecond

// Accept hands each connection of a listener to serve, in a goroutine of its own, until ctx ends, which closes the
// listener; it returns when all have returned. whose names the clients in errors, such as "Kafka's clients".
func Accept(ctx context.Context, l net.Listener, whose string, log *slog.Logger, serve func(net.Conn)) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections of %s: %w", whose, err)
		case err != nil:
			log.Warn("connection is not accepted", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptGap):
			}
		default:
			conns.Go(func() { serve(nc) })
		}
	}
}
