package ui

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/tables"
	"tarn/ui/view"
)

// lookersMax is how many requests look at one table at once: the files of one that is cold are read from its manifests.
const lookersMax = 4

func (u *UI) lakePage(w http.ResponseWriter, r *http.Request) {
	u.asked.Store(time.Now().UnixNano())
	now, q := u.seen.Load(), r.URL.Query()
	u.draw(w, r, view.Lake(view.NewLakePage(u.frame(now), now.tables, view.LakeQuery{Find: q.Get("find"), Sort: q.Get("sort")}, r.Host)))
}

func (u *UI) lakeTwin(w http.ResponseWriter, _ *http.Request) {
	u.asked.Store(time.Now().UnixNano())
	u.twin(w, u.seen.Load().tables)
}

func (u *UI) tablePage(w http.ResponseWriter, r *http.Request) {
	u.asked.Store(time.Now().UnixNano())
	now, q := u.seen.Load(), r.URL.Query()
	ask := view.TableQuery{Name: r.PathValue("name"), Show: q.Get("show"), From: q.Get("from"), To: q.Get("to"), At: q.Get("at")}
	if now.home.HasView(ask.Name) {
		u.draw(w, r, view.View(view.NewViewPage(u.frame(now), ask, r.Host)))
		return
	}
	d, err := u.detail(r.Context(), now.tables, ask)
	u.draw(w, r, view.Table(view.NewTablePage(u.frame(now), now.tables, d, ask, r.Host, err)))
}

func (u *UI) tableTwin(w http.ResponseWriter, r *http.Request) {
	u.asked.Store(time.Now().UnixNano())
	q := r.URL.Query()
	d, err := u.detail(r.Context(), u.seen.Load().tables, view.TableQuery{Name: r.PathValue("name"), Show: view.ShowFiles, From: q.Get("from"), To: q.Get("to")})
	if err != nil {
		door.Refuse(w, statusOf(err), err)
		return
	}
	u.twin(w, d)
}

// detail looks at one table, when it is the request's turn. What the list knows of it is there in spite of an error.
func (u *UI) detail(ctx context.Context, s tables.State, ask view.TableQuery) (tables.Detail, *fault.Error) {
	known, listed := s.Find(ask.Name)
	nothing := tables.Detail{Table: known}
	for _, id := range []string{ask.From, ask.To, ask.At} {
		if _, err := strconv.ParseInt(id, 10, 64); id != "" && err != nil {
			return nothing, fault.Newf(fault.Invalid, "choose one of the table's snapshots", "%q is no snapshot's id", id)
		}
	}
	if u.o.Catalog == nil {
		return nothing, fault.New(fault.Unavailable, "the catalog cannot be read: there is none", "start Tarn with its lake")
	}
	ctx, cancel := context.WithTimeout(ctx, lakeTimeout)
	defer cancel()
	select {
	case u.lookers <- struct{}{}:
		defer func() { <-u.lookers }()
	case <-ctx.Done():
		return nothing, fault.Wrap(ctx.Err(), fault.Unavailable, "look at "+ask.Name, "try again: others look too")
	}
	id := table.ParseIdent(ask.Name)
	list, err := u.o.Catalog.Histories(ctx, id)
	var files []catalog.FileStats
	if err == nil && ask.Show == view.ShowFiles {
		files, err = u.o.Catalog.Files(ctx, id)
	}
	switch {
	case errors.Is(err, table.ErrNotFound) && !listed:
		return nothing, fault.Newf(fault.NotFound, "see /lake for those that there are; it may have been dropped", "there is no table %s", ask.Name)
	case err != nil:
		return nothing, &fault.Error{Code: fault.CodeOf(err), Message: err.Error(), Hint: fault.HintOf(err)}
	}
	return known.Detail(list[0], files, ask.From, ask.To), nil
}
