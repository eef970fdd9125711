package ui

import (
	"encoding/json"
	"net/http"

	"tarn/embedded/door"
	"tarn/ui/view"
)

// csp lets the page run its own scripts and nothing else: no inline script or style, no
// eval, no other origin. Trusted Types turn each way from text to HTML into an error; the
// one policy, tarn, names the worker's address.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types tarn"

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		next.ServeHTTP(w, r)
	})
}

func (u *UI) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	p := view.NewPage(*u.state.Load(), u.files.Hash(), u.files.URL)
	if err := view.Home(p).Render(r.Context(), w); err != nil {
		u.o.Log.Debug("page not sent", "error", err)
	}
}

func (u *UI) twin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(u.state.Load()); err != nil {
		u.o.Log.Debug("state not sent", "error", err)
	}
}

func (u *UI) stream(w http.ResponseWriter, r *http.Request) {
	if f := u.hub.Stream(w, r); f != nil {
		w.Header().Set("Retry-After", "5")
		door.Refuse(w, http.StatusServiceUnavailable, f)
	}
}
