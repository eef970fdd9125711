package ui

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/ui/assets"
	"tarn/ui/home"
	"tarn/ui/view"
	"tarn/ui/words"
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
		next.ServeHTTP(w, r.WithContext(words.With(r.Context(), words.Choose(r))))
	})
}

// frame is what all pages have around them.
func (u *UI) frame(now *seen) view.Frame {
	return view.Frame{
		Build: u.files.Hash(), URL: u.files.URL, Shape: now.shape,
		Version: u.o.Version, Sample: u.o.Sample, Health: now.home.Health, At: now.home.AtText(),
	}
}

func (u *UI) homePage(w http.ResponseWriter, r *http.Request) {
	now := u.seen.Load()
	u.draw(w, r, view.Home(view.NewPage(u.frame(now), now.home)))
}

func (u *UI) homeTwin(w http.ResponseWriter, _ *http.Request) { u.twin(w, u.seen.Load().home) }

// factsPart is the part of Home that shows what is known of a node, which is told by its key or its name.
func (u *UI) factsPart(w http.ResponseWriter, r *http.Request) {
	key, name := r.URL.Query().Get("node"), r.URL.Query().Get("name")
	nodes := u.seen.Load().home.Nodes
	i := slices.IndexFunc(nodes, func(n home.Node) bool { return n.Key == key || key == "" && n.Name == name })
	if i < 0 {
		u.draw(w, r, view.Facts(nil))
		return
	}
	u.draw(w, r, view.Facts(&nodes[i]))
}

// missing is why an address is none.
func missing(r *http.Request) *fault.Error {
	return fault.Newf(fault.NotFound, "the page / leads to all others", "there is no page %s", r.URL.EscapedPath())
}

func (u *UI) missingPage(w http.ResponseWriter, r *http.Request) {
	page := view.MissingPage{Frame: u.frame(u.seen.Load()), Path: r.URL.EscapedPath(), Fault: missing(r)}
	u.drawAs(w, r, http.StatusNotFound, view.Missing(page))
}

func (u *UI) missingTwin(w http.ResponseWriter, r *http.Request) {
	door.Refuse(w, http.StatusNotFound, missing(r))
}

func (u *UI) draw(w http.ResponseWriter, r *http.Request, page templ.Component) {
	u.drawAs(w, r, http.StatusOK, page)
}

func (u *UI) drawAs(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	words.Keep(w, r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept-Encoding")
	var out io.Writer = w
	if assets.TakesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := u.packers.Get().(*gzip.Writer)
		packed.Reset(w)
		defer func() {
			_ = packed.Close() // an error is told by Render, or the client has gone
			u.packers.Put(packed)
		}()
		out = packed
	}
	w.WriteHeader(status)
	if err := page.Render(r.Context(), out); err != nil {
		u.o.Log.Debug("page not sent", "error", err)
	}
}

func (u *UI) twin(w http.ResponseWriter, state any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(state); err != nil {
		u.o.Log.Debug("state not sent", "error", err)
	}
}

func (u *UI) stream(w http.ResponseWriter, r *http.Request) {
	l := words.From(r.Context())
	u.publish(u.seen.Load(), l) // nobody may have listened in this language
	if f := u.hubs[l].Stream(w, r); f != nil {
		w.Header().Set("Retry-After", "5")
		door.Refuse(w, http.StatusServiceUnavailable, f)
	}
}
