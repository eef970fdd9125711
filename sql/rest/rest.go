// Package rest is the HTTP door of SQL, POST /api/sql: a statement as text comes in, and
// its rows go out as JSON, JSON lines, CSV or Arrow, by Accept. Who may call at all (Host,
// Origin) is checked outside; what a principal may read, by the Gate.
package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/sql/engine"
)

const (
	statementBytesMax = 1 << 20
	// holdBytes of an answer are held back, so that an error among the first rows still gets
	// its own status.
	holdBytes = 256 << 10
)

// Runner is the Gate as this door needs it.
type Runner interface {
	Run(ctx context.Context, r engine.Request) (*engine.Result, error)
}

// Handler serves POST /api/sql.
func Handler(run Runner, g guard.Guard, log *slog.Logger) http.Handler {
	return &door{run, g, log}
}

type door struct {
	run   Runner
	guard guard.Guard
	log   *slog.Logger
}

// encoder writes an answer in one format. After rows have been flushed an error can only be
// told as the format can; fail does that.
type encoder interface {
	begin(r *engine.Result) error
	batch(b rows) error
	end(stats stats) error
	// fail ends an answer whose first bytes have gone; it returns false where the format has
	// no words for it, and the connection is cut instead.
	fail(e *failure) bool
}

type stats struct {
	Rows      int64            `json:"rows"`
	MS        float64          `json:"ms"`
	Snapshots map[string]int64 `json:"snapshots"`
}

var formats = []struct {
	accept string
	make   func(w io.Writer) encoder
}{
	{"application/json", func(w io.Writer) encoder { return &jsonEncoder{w: w} }},
	{"application/x-ndjson", func(w io.Writer) encoder { return &linesEncoder{w: w} }},
	{"text/csv", func(w io.Writer) encoder { return &csvEncoder{w} }},
	{"application/vnd.apache.arrow.stream", func(w io.Writer) encoder { return &arrowEncoder{w: w} }},
}

// choose picks the first format that Accept names, JSON where it names none.
func choose(accept string) (string, func(io.Writer) encoder) {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		for _, f := range formats {
			if media == f.accept {
				return f.accept, f.make
			}
		}
	}
	return formats[0].accept, formats[0].make
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, statementBytesMax))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			err = fault.New(fault.TooLarge, "the statement is larger than 1 MB", "send its parts one by one")
		}
		d.refuse(w, err)
		return
	}
	user, password, _ := r.BasicAuth()
	who, err := d.guard.Authenticate(r.Context(), guard.Credential{User: user, Password: password, Door: "http", Remote: r.RemoteAddr})
	if err != nil {
		d.refuse(w, err)
		return
	}
	result, err := d.run.Run(r.Context(), engine.Request{Text: string(text), Principal: who})
	if err != nil {
		d.refuse(w, err)
		return
	}
	defer result.Close()
	d.answer(w, r, result, start)
}

func (d *door) answer(w http.ResponseWriter, r *http.Request, result *engine.Result, start time.Time) {
	media, make := choose(r.Header.Get("Accept"))
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	hold := &held{w: w}
	buffer := bufio.NewWriterSize(hold, holdBytes)
	enc := make(buffer)
	err := encode(enc, result, start)
	if err == nil {
		err = buffer.Flush()
	}
	if err == nil {
		return
	}
	if !hold.sent {
		w.Header().Del("Cache-Control")
		d.refuse(w, err)
		return
	}
	if hold.err == nil && enc.fail(failureOf(err, d.log)) && buffer.Flush() == nil {
		return
	}
	panic(http.ErrAbortHandler) // a cut connection says that the answer is not whole
}

// held tells whether anything of an answer has gone to the client.
type held struct {
	w    io.Writer
	sent bool
	err  error // of the client's connection
}

func (h *held) Write(p []byte) (int, error) {
	h.sent = true
	n, err := h.w.Write(p)
	if err != nil {
		h.err = err
	}
	return n, err
}

func encode(enc encoder, result *engine.Result, start time.Time) error {
	if err := enc.begin(result); err != nil {
		return err
	}
	s := stats{Snapshots: result.Snapshots}
	if s.Snapshots == nil {
		s.Snapshots = map[string]int64{}
	}
	for result.Reader.Next() {
		b := result.Reader.RecordBatch()
		s.Rows += b.NumRows()
		if err := enc.batch(rows{b}); err != nil {
			return err
		}
	}
	if err := result.Reader.Err(); err != nil {
		return err
	}
	s.MS = float64(time.Since(start).Microseconds()) / 1000
	return enc.end(s)
}

// failure is the error object of /api/sql.
type failure struct {
	Error struct {
		Code    fault.Code `json:"code"`
		Message string     `json:"message"`
		Hint    string     `json:"hint,omitempty"`
		Line    int        `json:"line,omitempty"`
		Column  int        `json:"column,omitempty"`
	} `json:"error"`
}

// failureOf renders an error for a client. What is no fault is a defect: the log has it, the
// client does not.
func failureOf(err error, log *slog.Logger) *failure {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case ok:
	case errors.Is(err, context.DeadlineExceeded):
		f = fault.New(fault.Timeout, "the statement took too long", "ask for less, or raise sql.timeout")
	case errors.Is(err, context.Canceled):
		f = fault.New(fault.Canceled, "the statement was cancelled", "")
	default:
		log.Error("statement failed", "error", err)
		f = fault.New(fault.Internal, "the statement failed inside Tarn", "this is a defect of Tarn: please report it with its log")
	}
	var out failure
	out.Error.Code, out.Error.Message, out.Error.Hint = f.Code, f.Message, fault.HintOf(err)
	out.Error.Line, out.Error.Column = f.Line, f.Column
	if out.Error.Hint == "" {
		out.Error.Hint = f.Hint
	}
	return &out
}

func (d *door) refuse(w http.ResponseWriter, err error) {
	f := failureOf(err, d.log)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status(f.Error.Code))
	_ = json.NewEncoder(w).Encode(f) // the client may have gone
}

// status maps a fault to HTTP.
func status(c fault.Code) int {
	switch c {
	case fault.Denied:
		return http.StatusForbidden
	case fault.Timeout:
		return http.StatusRequestTimeout
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable, fault.NoSpace:
		return http.StatusServiceUnavailable
	case fault.Internal, fault.Damaged:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}
