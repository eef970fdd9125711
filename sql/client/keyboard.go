package client

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"tarn/embedded/terminal"
)

const (
	ctrlC       = 3       // as a terminal in raw mode sends it
	listenMS    = 20      // how long one wait for a key is
	aheadMax    = 4 << 10 // bytes typed while a statement runs; more are dropped
	keyBytesMax = 256     // of one read
)

// keyboard is a terminal in raw mode: Ctrl-C is a key there and no signal, so somebody must
// listen for it while a statement runs. One goroutine uses it.
type keyboard struct {
	in    *os.File
	paint terminal.Paint // of what is shown beside answers
	ahead []byte         // typed while a statement ran
	gone  bool           // Ctrl-C while a line was edited: what stands there is not wanted
}

// Read reads keys for the line that is being edited.
func (k *keyboard) Read(p []byte) (int, error) {
	if len(k.ahead) > 0 {
		n := copy(p, k.ahead)
		k.ahead = k.ahead[n:]
		return n, nil
	}
	n, err := k.in.Read(p)
	if at := bytes.IndexByte(p[:n], ctrlC); at >= 0 {
		k.gone, k.ahead = true, bytes.Clone(p[at+1:n])
		n = copy(p, "\x05\x15\r") // to the line's end, all of it away, and on
	}
	return n, err
}

// during runs work; Ctrl-C ends its context, and the answer is true then.
func (k *keyboard) during(ctx context.Context, work func(context.Context) error) (stopped bool, err error) {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		if k.listen(done) {
			stopped = true
			cancel()
		}
	})
	err = work(within)
	close(done)
	listening.Wait()
	return stopped, err
}

// listen keeps what is typed until done; it is true when Ctrl-C was, or nobody types any more.
func (k *keyboard) listen(done <-chan struct{}) bool {
	var keys [keyBytesMax]byte
	wait := []unix.PollFd{{Fd: int32(k.in.Fd()), Events: unix.POLLIN}} //nolint:gosec // a descriptor fits
	for {
		select {
		case <-done:
			return false
		default:
		}
		n, err := unix.Poll(wait, listenMS)
		if n == 0 || errors.Is(err, unix.EINTR) {
			continue
		}
		if n, err = k.in.Read(keys[:]); err != nil {
			return true
		}
		if at := bytes.IndexByte(keys[:n], ctrlC); at >= 0 {
			k.ahead = nil
			return true
		}
		if len(k.ahead)+n <= aheadMax {
			k.ahead = append(k.ahead, keys[:n]...)
		}
	}
}
