package ui

import (
	"errors"
	"io"
	"net/http"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/ui/pipelines"
	"tarn/ui/view"
)

func (u *UI) pipelinesPage(w http.ResponseWriter, r *http.Request) {
	now, q := u.seen.Load(), r.URL.Query()
	ask := view.PipelinesQuery{Find: q.Get("find"), New: q.Get("new") == "1"}
	u.draw(w, r, view.Pipelines(view.NewPipelinesPage(u.frame(now), now.pipelines, ask, r.Host)))
}

func (u *UI) pipelinesTwin(w http.ResponseWriter, _ *http.Request) {
	u.twin(w, u.seen.Load().pipelines)
}

func (u *UI) pipelinePage(w http.ResponseWriter, r *http.Request) {
	now, name := u.seen.Load(), r.PathValue("name")
	p, ok := now.pipelines.Pipeline(name)
	page := view.NewPipelinePage(u.frame(now), p, r.Host)
	page.Edit = r.URL.Query().Get("edit") == "1"
	if !ok {
		page.Name, page.Missing = name, noPipeline(name)
	}
	u.draw(w, r, view.Pipeline(page))
}

func (u *UI) pipelineTwin(w http.ResponseWriter, r *http.Request) {
	p, ok := u.seen.Load().pipelines.Pipeline(r.PathValue("name"))
	if !ok {
		door.Refuse(w, http.StatusNotFound, noPipeline(r.PathValue("name")))
		return
	}
	u.twin(w, p)
}

func noPipeline(name string) *fault.Error {
	return fault.Newf(fault.NotFound, "see /pipelines for those that there are; it may have been dropped", "there is no pipeline %s", name)
}

// takersMax is how many scripts are taken apart at once.
const takersMax = 4

// statements takes a script apart for its writer; it runs nothing.
func (u *UI) statements(w http.ResponseWriter, r *http.Request) {
	select {
	case u.takers <- struct{}{}:
		defer func() { <-u.takers }()
	default:
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close") // or the answer waits for the end of a script that nobody reads
		door.Refuse(w, http.StatusServiceUnavailable, fault.Newf(fault.Unavailable, "try again in a second", "%d scripts are being taken apart already", takersMax))
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, pipelines.ScriptBytesMax))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		door.Refuse(w, http.StatusRequestEntityTooLarge, fault.Newf(fault.TooLarge, "write it in parts", "the script has more than %d bytes", pipelines.ScriptBytesMax))
		return
	}
	if err != nil {
		return // who asked has gone
	}
	list, f := u.seen.Load().pipelines.Read(string(text))
	u.twin(w, struct {
		Statements []pipelines.Statement `json:"statements"`
		Fault      *pipelines.Fault      `json:"fault,omitempty"`
	}{list, f})
}
