package sampledata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
)

const (
	postsMax   = 256 // that wait for a Tarn that is down: then the port waits too
	answerMax  = 10 * time.Second
	retryAfter = 100 * time.Millisecond
)

// gateway posts readings, one post after the other, each again until Tarn has taken it.
type gateway struct {
	url   func() string // where Tarn's HTTP door is now; "" while there is none
	log   *slog.Logger
	queue chan []byte
}

func newGateway(url func() string, log *slog.Logger) *gateway {
	return &gateway{url: url, log: log, queue: make(chan []byte, postsMax)}
}

// put hands a post over.
func (g *gateway) put(ctx context.Context, readings []reading) error {
	post, err := body(readings)
	if err != nil {
		return err
	}
	select {
	case g.queue <- post:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run posts until the queue is closed or ctx ends.
func (g *gateway) run(ctx context.Context) {
	for post := range g.queue {
		// The key lets Tarn know a post that comes again because its answer was lost.
		if err := g.send(ctx, post, uuid.NewString()); err != nil {
			if ctx.Err() != nil {
				return
			}
			g.log.Warn("sensor readings were refused", "error", err)
		}
	}
}

func (g *gateway) send(ctx context.Context, post []byte, key string) error {
	for {
		again, err := g.try(ctx, post, key)
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryAfter):
		}
	}
}

// try posts once, and tells whether another try may do.
func (g *gateway) try(ctx context.Context, post []byte, key string) (again bool, err error) {
	url := g.url()
	if url == "" {
		return true, errors.New("no address")
	}
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/ingest/sensors", bytes.NewReader(post))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return true, err
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	switch code := answer.StatusCode; {
	case code == http.StatusAccepted:
		return false, nil
	case code == http.StatusTooManyRequests || code >= http.StatusInternalServerError || err != nil:
		return true, fmt.Errorf("HTTP %d", code)
	default:
		return false, fmt.Errorf("HTTP %d: %.300s", code, said)
	}
}
