//go:build duckdb_arrow

// Package rest is the HTTP door of SQL: POST /api/sql takes a statement as text and answers
// as JSON, NDJSON, CSV, an Arrow stream or a Parquet file, as Accept says; with Prefer: respond-async it is answered later,
// in pages. openapi.json tells it all. It checks no Host and no Origin; whoever mounts it does.
package rest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

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

//go:embed openapi.json
var openAPI []byte

// Door is the door. Close it before its Gate.
type Door struct {
	gate  *engine.Gate
	guard guard.Guard
	log   *slog.Logger
	jobs  *jobs
}

// New makes a door.
func New(gate *engine.Gate, g guard.Guard, log *slog.Logger) *Door {
	return &Door{gate, g, log, newJobs(gate, log)}
}

// Mount puts what the door answers at its paths, which are patterns of http.ServeMux.
func (d *Door) Mount(mount func(pattern string, h http.Handler)) {
	mount("POST /api/sql", http.HandlerFunc(d.serveStatement))
	mount("GET /api/sql/{id}", http.HandlerFunc(d.serveJob))
	mount("DELETE /api/sql/{id}", http.HandlerFunc(d.serveJob))
	mount("GET /api/sql/{id}/pages/{page}", http.HandlerFunc(d.servePage))
	mount("GET /api/openapi.json", http.HandlerFunc(serveOpenAPI))
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", typeJSON)
	_, _ = w.Write(openAPI)
}

// Close ends the statements that are answered later.
func (d *Door) Close() { d.jobs.close() }

func (d *Door) who(r *http.Request) (guard.Principal, error) {
	return d.guard.Authenticate(r.Context(), doors.Credential(r, door))
}

func (d *Door) serveStatement(w http.ResponseWriter, r *http.Request) {
	format, ok := accepted(r.Header.Values("Accept"))
	if !ok {
		notAcceptable(w)
		return
	}
	who, err := d.who(r)
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
	if later(r.Header.Values("Prefer")) {
		j, err := d.jobs.start(who, string(text))
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Location", "/api/sql/"+j.id)
		w.Header().Set("Preference-Applied", respondAsync)
		d.tell(w, http.StatusAccepted, j)
		return
	}
	began := d.gate.Now()
	result, err := d.gate.Run(r.Context(), engine.Request{Text: string(text), Principal: who})
	if err != nil {
		refuse(w, err)
		return
	}
	defer result.Close()
	d.send(w, result, format, began)
}

func (d *Door) send(w http.ResponseWriter, result *engine.Result, format string, began time.Time) {
	out := &answer{w: w, contentType: format}
	body := bodies[format](out, result, func() float64 {
		return float64(d.gate.Now().Sub(began).Microseconds()) / 1000
	})
	out.end(body.write())
}

func notAcceptable(w http.ResponseWriter) {
	writeFault(w, http.StatusNotAcceptable, fault.New(fault.Invalid, "no format that you accept can be answered", "accept "+strings.Join(types, ", ")))
}

// respondAsync asks for an answer later (RFC 7240).
const respondAsync = "respond-async"

func later(headers []string) bool {
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			if name, _, _ := strings.Cut(one, ";"); strings.EqualFold(strings.TrimSpace(name), respondAsync) {
				return true
			}
		}
	}
	return false
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
