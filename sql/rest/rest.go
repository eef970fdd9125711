//go:build duckdb_arrow

// Package rest is the HTTP door of SQL: POST /api/sql takes a statement as text and answers
// as JSON, NDJSON, CSV, an Arrow stream or a Parquet file, as Accept says. It checks no Host and no Origin;
// whoever mounts it does.
package rest

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	doors "tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// door is the name of this door, as in ports.json.
const door = "http"

// The media types of answers.
const (
	typeJSON    = "application/json"
	typeNDJSON  = "application/x-ndjson"
	typeCSV     = "text/csv"
	typeRows    = "application/vnd.tarn.rows+ndjson"
	typeArrow   = "application/vnd.apache.arrow.stream"
	typeParquet = "application/vnd.apache.parquet"
)

// types are all of them.
var types = []string{typeJSON, typeNDJSON, typeCSV, typeRows, typeArrow, typeParquet}

// Handler answers POST /api/sql.
func Handler(gate *engine.Gate, g guard.Guard, log *slog.Logger) http.Handler {
	return &handler{gate, g, log}
}

type handler struct {
	gate  *engine.Gate
	guard guard.Guard
	log   *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeFault(w, http.StatusMethodNotAllowed, fault.New(fault.Invalid, "send the statement by POST", "the body is the statement as text"))
		return
	}
	format, ok := accepted(r.Header.Values("Accept"))
	if !ok {
		writeFault(w, http.StatusNotAcceptable, fault.New(fault.Invalid, "no format that you accept can be answered",
			"accept "+strings.Join(types, ", ")))
		return
	}
	who, err := h.guard.Authenticate(r.Context(), doors.Credential(r, door))
	if err != nil {
		refuse(w, err)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, sqltext.TextBytesMax))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		err = fault.Newf(fault.TooLarge, "send it in parts", "the statement has more than %d bytes", sqltext.TextBytesMax)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	began := h.gate.Now()
	result, err := h.gate.Run(r.Context(), engine.Request{Text: string(text), Principal: who})
	if err != nil {
		refuse(w, err)
		return
	}
	defer result.Close()
	out := &answer{w: w, contentType: format}
	body := bodies[format](out, result, func() float64 {
		return float64(h.gate.Now().Sub(began).Microseconds()) / 1000
	})
	out.end(body.write())
}

// accepted picks the first format of the Accept header that there is; JSON for none.
func accepted(headers []string) (string, bool) {
	named := false
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			kind, _, err := mime.ParseMediaType(strings.TrimSpace(one))
			if err != nil {
				continue
			}
			named = true
			if slices.Contains(types, kind) {
				return kind, true
			}
			switch kind {
			case "*/*", "application/*":
				return typeJSON, true
			case "text/*":
				return typeCSV, true
			}
		}
	}
	return typeJSON, !named
}

// status is a fault's HTTP status.
func status(code fault.Code) int {
	switch code {
	case fault.Syntax, fault.Invalid, fault.NotFound, fault.Exists, fault.Conflict:
		return http.StatusBadRequest
	case fault.Denied:
		return http.StatusForbidden
	case fault.Timeout, fault.Canceled:
		return http.StatusRequestTimeout
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.NoSpace:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

func refuse(w http.ResponseWriter, err error) {
	f := shown(err)
	writeFault(w, status(f.Code), f)
}

// shown is the fault in err; any other error is not for the asker's eyes.
func shown(err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return fault.New(fault.Internal, "the statement could not be run", "see Tarn's log for the cause")
}

func writeFault(w http.ResponseWriter, code int, f *fault.Error) {
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(code)
	_, _ = w.Write(append(errorJSON(f), '\n'))
}

// errorJSON is {"error":{…}}.
func errorJSON(f *fault.Error) []byte {
	type body struct {
		Code    fault.Code `json:"code"`
		Message string     `json:"message"`
		Hint    string     `json:"hint"`
		Line    int        `json:"line"`
		Column  int        `json:"column"`
	}
	b, err := json.Marshal(map[string]body{"error": {f.Code, f.Message, f.Hint, f.Line, f.Column}})
	if err != nil { // never for texts and numbers
		return []byte(`{"error":{"code":"internal","message":"","hint":"","line":0,"column":0}}`)
	}
	return b
}
