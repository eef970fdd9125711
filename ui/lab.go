package ui

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/sql/engine"
	"tarn/ui/lab"
	"tarn/ui/view"
)

// The bounds of a check.
const (
	checkersMax  = 4 // at once
	checkTimeout = 10 * time.Second
	checkRowsMax = 1000
	switchBytes  = 16 // of a body that is on or off
)

// Lab is what the page Lab needs beyond the others. Nil functions have nothing of their kind.
type Lab struct {
	Gate    func(context.Context, engine.Request) (*engine.Result, error) // runs the statements of its checks
	Guard   guard.Guard                                                   // says as whom
	Started time.Time                                                     // this Tarn
	// Of the sample, where it runs.
	Database string
	Faults   func() (on map[string]bool, err error)
	Switch   func(name string, on bool) error
}

// tour is what the page Lab holds.
type tour struct {
	checks    atomic.Int64 // that run now
	switching sync.Mutex   // of the sample's faults, which are in one file
}

func (u *UI) mountLab(mux *http.ServeMux) {
	mux.HandleFunc("GET /lab", u.labPage)
	mux.HandleFunc("GET /lab/check", u.labCheck)
	mux.HandleFunc("GET /api/lab", u.labTwin)
	mux.HandleFunc("GET /api/lab/{step}", u.labStep)
	mux.HandleFunc("POST /api/lab/faults/{name}", u.labFault)
}

// look is the tour of a house, over what the reader has named.
func (u *UI) look(r *http.Request) lab.State {
	q := r.URL.Query()
	in := lab.Input{
		Sources: call(u.o.Sources), Landings: call(u.o.Landings), Pipelines: call(u.o.Pipelines), Database: u.o.Lab.Database,
		Process: os.Getpid(), Started: u.o.Lab.Started, Topic: q.Get("topic"), Pipeline: q.Get("pipeline"),
	}
	if u.o.Lab.Faults != nil {
		on, err := u.o.Lab.Faults()
		if err != nil {
			u.o.Log.Warn("read the sample's faults", "error", err)
		}
		in.Faults = on
	}
	s := lab.Look(in)
	if s.Subject.Topic == "" || s.Subject.Silver != "" {
		return s
	}
	in.Columns = u.columns(r, strings.TrimPrefix(s.Subject.Bronze, "bronze."))
	return lab.Look(in)
}

// columns are those of a table of bronze that are no system columns; none while it is not there.
func (u *UI) columns(r *http.Request, table string) (out []lab.Column) {
	rows, err := u.asker(r)(r.Context(), lab.ColumnsOf(table))
	if err != nil {
		return nil
	}
	for _, row := range rows {
		out = append(out, lab.Column{Name: row[0], Type: row[1]})
	}
	return out
}

// asker asks the Gate as the reader of a request.
func (u *UI) asker(r *http.Request) lab.Ask {
	return func(ctx context.Context, statement string) (lab.Rows, error) {
		if u.o.Lab.Gate == nil || u.o.Lab.Guard == nil {
			return nil, fault.New(fault.Unavailable, "nothing answers statements here", "wait until /ready answers 200")
		}
		who, err := u.o.Lab.Guard.Authenticate(r.Context(), door.Credential(r, "http"))
		if err != nil {
			return nil, err
		}
		answer, err := u.o.Lab.Gate(ctx, engine.Request{Text: statement, Principal: who, RowsMax: checkRowsMax, Timeout: checkTimeout})
		if err != nil {
			return nil, err
		}
		defer answer.Close()
		rows := lab.Rows{}
		for answer.Reader.Next() {
			batch := answer.Reader.RecordBatch()
			for i := range int(batch.NumRows()) {
				row := make([]string, batch.NumCols())
				for j, column := range batch.Columns() {
					if !column.IsNull(i) {
						row[j] = strings.Clone(column.ValueStr(i)) // the batch is gone with the next
					}
				}
				rows = append(rows, row)
			}
		}
		return rows, answer.Reader.Err()
	}
}

func (u *UI) labPage(w http.ResponseWriter, r *http.Request) {
	s, name := u.look(r), cmp.Or(r.URL.Query().Get("step"), "1")
	step, ok := s.Step(name)
	if !ok {
		step = s.Steps[0]
	}
	q := r.URL.Query()
	u.draw(w, r, view.Lab(view.LabPage{
		Frame: u.frame(u.seen.Load()), State: s, Step: step, Host: r.Host, Query: view.LabQuery{Topic: q.Get("topic"), Pipeline: q.Get("pipeline")},
	}))
}

func (u *UI) labTwin(w http.ResponseWriter, r *http.Request) { u.twin(w, u.look(r)) }

// labCheck is the part of the page that says what a check has found, in the reader's language.
func (u *UI) labCheck(w http.ResponseWriter, r *http.Request) {
	step, ok := u.look(r).Step(r.URL.Query().Get("step"))
	if !ok {
		door.Refuse(w, http.StatusNotFound, noStep(r.URL.Query().Get("step")))
		return
	}
	found, err := u.check(r, step)
	u.draw(w, r, view.LabFound(step, found, err))
}

// labStep is a step with what its check has found.
func (u *UI) labStep(w http.ResponseWriter, r *http.Request) {
	step, ok := u.look(r).Step(r.PathValue("step"))
	if !ok {
		door.Refuse(w, http.StatusNotFound, noStep(r.PathValue("step")))
		return
	}
	found, f := u.check(r, step)
	if f != nil {
		w.Header().Set("Retry-After", "1")
		door.Refuse(w, http.StatusServiceUnavailable, f)
		return
	}
	u.twin(w, struct {
		lab.Step
		lab.Found
	}{step, found})
}

func noStep(name string) *fault.Error {
	return fault.Newf(fault.NotFound, "see /api/lab for the nine", "the tour has no step %s", name)
}

// check asks what a step asks, when it is its turn.
func (u *UI) check(r *http.Request, step lab.Step) (lab.Found, *fault.Error) {
	defer u.tour.checks.Add(-1)
	if u.tour.checks.Add(1) > checkersMax {
		return lab.Found{}, fault.Newf(fault.Unavailable, "try again in a second", "%d checks run already", checkersMax)
	}
	found, err := step.Check(r.Context(), u.asker(r))
	if err == nil {
		return found, nil
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return found, f
	}
	return found, fault.Wrap(err, fault.Internal, "ask what the step asks", "see Tarn's log")
}

// labFault switches a fault of the sample on or off.
func (u *UI) labFault(w http.ResponseWriter, r *http.Request) {
	if u.o.Lab.Switch == nil {
		door.Refuse(w, http.StatusNotFound, fault.New(fault.NotFound, "the sample port does not run here", "start it with tarn up --sample"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, switchBytes))
	wish := strings.TrimSpace(string(body))
	if err != nil || wish != "on" && wish != "off" {
		door.Refuse(w, http.StatusBadRequest, fault.New(fault.Invalid, "a fault is on or off", "send on, or off, as the body"))
		return
	}
	u.tour.switching.Lock()
	err = u.o.Lab.Switch(r.PathValue("name"), wish == "on")
	u.tour.switching.Unlock()
	if err != nil {
		door.Refuse(w, http.StatusBadRequest, fault.Newf(fault.Invalid, "see /api/lab for the switches", "switch %s %s: %v", r.PathValue("name"), wish, err))
		return
	}
	u.twin(w, struct {
		Faults []lab.Fault `json:"faults"`
	}{u.look(r).Faults})
}
