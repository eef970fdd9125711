package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// ArrowStream is the media type of an answer as an Arrow IPC stream.
const ArrowStream = "application/vnd.apache.arrow.stream"

// Answer is a JSON answer of /api/sql; numbers keep their digits.
type Answer struct {
	Columns []struct{ Name, Type string }
	Rows    [][]any
	Stats   map[string]any
	Error   *Refusal // that came when rows had been sent already
}

// Refusal is the error object of /api/sql.
type Refusal struct {
	Status              int `json:"-"`
	Code, Message, Hint string
	Line, Column        int
	whole               []byte
	missing             bool // the answer was no error object
}

func (r *Refusal) Error() string {
	if r.missing {
		return fmt.Sprintf("HTTP %d: %.300s", r.Status, r.whole)
	}
	return fmt.Sprintf("HTTP %d: %s: %s (hint: %s)", r.Status, r.Code, r.Message, r.Hint)
}

// post sends a statement; the caller closes the body. Any status but 200 is a Refusal.
func (p *Process) post(ctx context.Context, accept, text string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/api/sql", strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	body, err := io.ReadAll(resp.Body)
	return nil, errors.Join(refusal(resp.StatusCode, body), err, resp.Body.Close())
}

func refusal(status int, body []byte) *Refusal {
	var said struct{ Error *Refusal }
	if json.Unmarshal(body, &said) != nil || said.Error == nil {
		return &Refusal{Status: status, whole: body, missing: true}
	}
	said.Error.Status, said.Error.whole = status, body
	return said.Error
}

// SQL asks for JSON.
func (p *Process) SQL(ctx context.Context, text string) (*Answer, error) {
	return p.within(ctx, SQLWithin, text)
}

func (p *Process) within(ctx context.Context, limit time.Duration, text string) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	body, err := p.post(ctx, "application/json", text)
	if err != nil {
		return nil, fmt.Errorf("%.200s: %w", text, err)
	}
	defer func() { _ = body.Close() }()
	in := json.NewDecoder(body)
	in.UseNumber()
	var a Answer
	if err := in.Decode(&a); err != nil {
		return nil, fmt.Errorf("%.200s: answer is not whole: %w", text, err)
	}
	if a.Error != nil {
		a.Error.Status = http.StatusRequestEntityTooLarge // what the status line would have said
		return nil, fmt.Errorf("%.200s: %w", text, a.Error)
	}
	return &a, nil
}

// Numbers asks a query of one row for its values as whole numbers; null is 0.
func (p *Process) Numbers(ctx context.Context, text string) ([]int64, error) {
	a, err := p.SQL(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(a.Rows) != 1 {
		return nil, fmt.Errorf("%.200s: %d rows, want 1", text, len(a.Rows))
	}
	out := make([]int64, len(a.Rows[0]))
	for i, v := range a.Rows[0] {
		if v == nil {
			continue
		}
		// HUGEINT, which sums are, comes as a string.
		if _, err := fmt.Sscan(fmt.Sprint(v), &out[i]); err != nil {
			return nil, fmt.Errorf("%.200s: column %d: %w", text, i+1, err)
		}
	}
	return out, nil
}

// Arrow asks for Arrow and calls each for every batch, which it may not keep.
func (p *Process) Arrow(ctx context.Context, text string, each func(arrow.RecordBatch) error) error {
	ctx, cancel := context.WithTimeout(ctx, SQLWithin)
	defer cancel()
	body, err := p.post(ctx, ArrowStream, text)
	if err != nil {
		return fmt.Errorf("%.200s: %w", text, err)
	}
	defer func() { _ = body.Close() }()
	// Read whole first: an answer cut short must not be taken for a short table.
	whole, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("%.200s: %w", text, err)
	}
	in, err := ipc.NewReader(bytes.NewReader(whole))
	if err != nil {
		return fmt.Errorf("%.200s: read Arrow: %w", text, err)
	}
	defer in.Release()
	for in.Next() {
		if err := each(in.RecordBatch()); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%.200s: read Arrow: %w", text, err)
	}
	return nil
}
