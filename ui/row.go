package ui

import (
	"net/http"

	"tarn/ui/view"
)

func (u *UI) rowPage(w http.ResponseWriter, r *http.Request) {
	u.draw(w, r, view.Row(u.frame(u.seen.Load()), view.NewRowPage(r.URL.Query())))
}

// rowTwin tells the statement that answers; the page asks it by POST /api/sql, as anybody else does.
func (u *UI) rowTwin(w http.ResponseWriter, r *http.Request) {
	u.twin(w, view.NewRowPage(r.URL.Query()))
}
