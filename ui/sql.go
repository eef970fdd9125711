package ui

import (
	"net/http"

	"tarn/embedded/sqltext"
	"tarn/ui/view"
)

func (u *UI) sqlPage(w http.ResponseWriter, r *http.Request) {
	now := u.seen.Load()
	u.draw(w, r, view.SQL(u.frame(now), now.home))
}

// sqlTwin tells what a statement may call, for who completes it; a statement itself is sent by POST.
func (u *UI) sqlTwin(w http.ResponseWriter, _ *http.Request) {
	u.twin(w, struct {
		Functions []string `json:"functions"`
	}{sqltext.Functions()})
}
