package ui

import (
	"cmp"
	"net/http"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/ui/view"
)

func (u *UI) sourcesPage(w http.ResponseWriter, r *http.Request) {
	now, q := u.seen.Load(), r.URL.Query()
	ask := view.SourcesQuery{Find: q.Get("find"), New: q.Get("new") == "1", Kind: q.Get("kind")}
	page := view.NewSourcesPage(u.frame(now), now.sources, ask, r.Host)
	page.Project, page.Writes = cmp.Or(u.o.Project, "."), u.o.Project != ""
	u.draw(w, r, view.Sources(page))
}

func (u *UI) sourcesTwin(w http.ResponseWriter, _ *http.Request) { u.twin(w, u.seen.Load().sources) }

func (u *UI) sourcePage(w http.ResponseWriter, r *http.Request) {
	now, name := u.seen.Load(), r.PathValue("name")
	s, ok := now.sources.Source(name)
	page := view.NewSourcePage(u.frame(now), s, r.Host)
	if !ok {
		page.Name, page.Missing = name, noSource(name)
	}
	u.draw(w, r, view.Source(page))
}

func (u *UI) sourceTwin(w http.ResponseWriter, r *http.Request) {
	s, ok := u.seen.Load().sources.Source(r.PathValue("name"))
	if !ok {
		door.Refuse(w, http.StatusNotFound, noSource(r.PathValue("name")))
		return
	}
	u.twin(w, s)
}

func noSource(name string) *fault.Error {
	return fault.Newf(fault.NotFound, "see /sources for those that there are; a source goes when its file leaves the folder connectors", "there is no source %s", name)
}
