package httpdoor

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
)

// answer is what 202 says.
type answer struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`      // of the first record
	Next      int64  `json:"next_offset"` // after the last
	Records   int64  `json:"records"`
	Repeated  bool   `json:"repeated"` // an earlier try of this Idempotency-Key had stored them
}

// status is an error with an HTTP status that its code alone does not tell.
type status struct {
	code int
	err  *fault.Error
}

func (s status) Error() string { return s.err.Error() }
func (s status) Unwrap() error { return s.err }

// statusOf is the HTTP status of an error.
func statusOf(err error) int {
	if s, ok := errors.AsType[status](err); ok {
		return s.code
	}
	switch fault.CodeOf(err) {
	case fault.Syntax, fault.Invalid, fault.NotFound:
		return http.StatusBadRequest
	case fault.Exists, fault.Conflict:
		return http.StatusConflict
	case fault.Denied:
		return http.StatusForbidden
	case fault.Timeout, fault.Canceled:
		return http.StatusRequestTimeout
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable, fault.NoSpace, fault.Damaged:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// refuse answers with a fault, as every door of HTTP: {"error":{…}}. Line and column are those of
// a bad record, from 1; 0 for none.
func refuse(w http.ResponseWriter, err error) int {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case ok:
	case errors.Is(err, bus.ErrRetry), errors.Is(err, bus.ErrNoTopic):
		f = fault.Wrap(err, fault.Unavailable, "append to the log", "send it again")
	default:
		f = fault.New(fault.Internal, "the request could not be taken", "see Tarn's log for the cause")
	}
	code := statusOf(f)
	if _, ok := errors.AsType[status](err); ok {
		code = statusOf(err)
	}
	switch {
	case f.Code == fault.NoSpace:
		w.Header().Set("Retry-After", retryLater)
	case code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retrySoon)
	}
	type body struct {
		Code    fault.Code `json:"code"`
		Message string     `json:"message"`
		Hint    string     `json:"hint"`
		Line    int        `json:"line"`
		Column  int        `json:"column"`
	}
	return writeAnswer(w, code, map[string]body{"error": {f.Code, f.Error(), fault.HintOf(f), f.Line, f.Column}})
}

func writeAnswer(w http.ResponseWriter, code int, v any) int {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who has gone hears nothing
	return code
}

func (d *Door) count(code int) { d.answers.WithLabelValues(strconv.Itoa(code)).Inc() }
