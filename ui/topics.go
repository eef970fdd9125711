package ui

import (
	"context"
	"net/http"
	"strconv"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/ui/topics"
	"tarn/ui/view"
)

// readersMax is how many requests read records of topics at once; each holds some 20 MB at most.
const readersMax = 4

func (u *UI) topicsPage(w http.ResponseWriter, r *http.Request) {
	now, q := u.seen.Load(), r.URL.Query()
	ask := view.TopicsQuery{Find: q.Get("find"), Topic: q.Get("topic"), Partition: q.Get("partition"), From: q.Get("from"), Raw: q.Get("raw") == "1"}
	if ask.Topic == "" {
		u.draw(w, r, view.Topics(view.NewTopicsPage(u.frame(now), now.topics, ask)))
		return
	}
	a, err := u.records(r.Context(), topics.Ask{Topic: ask.Topic, Partition: ask.Partition, From: ask.From, Find: ask.Find})
	page := view.NewTopicPage(u.frame(now), now.topics, ask, r.Host, a, err)
	if u.o.Topic != nil {
		if t, err := u.o.Topic(ask.Topic); err == nil {
			page = page.With(t)
		}
	}
	u.draw(w, r, view.Records(page))
}

func (u *UI) topicsTwin(w http.ResponseWriter, _ *http.Request) { u.twin(w, u.seen.Load().topics) }

func (u *UI) recordsTwin(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ask := topics.Ask{Topic: r.PathValue("topic"), Partition: q.Get("partition"), From: q.Get("from"), Find: q.Get("find")}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > topics.LimitMax {
			door.Refuse(w, http.StatusBadRequest, fault.Newf(fault.Invalid, "leave it out for "+strconv.Itoa(topics.LimitDefault), "limit %q is no number from 1 to %d", text, topics.LimitMax))
			return
		}
		ask.Limit = n
	}
	a, err := u.records(r.Context(), ask)
	if err != nil {
		door.Refuse(w, statusOf(err), err)
		return
	}
	u.twin(w, a)
}

func statusOf(err *fault.Error) int {
	switch err.Code {
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Invalid:
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

// records reads, when it is the request's turn.
func (u *UI) records(ctx context.Context, ask topics.Ask) (topics.Answer, *fault.Error) {
	if u.o.Topic == nil {
		return topics.Answer{}, fault.New(fault.Unavailable, "records cannot be read: there is no log", "start Tarn with its log")
	}
	select {
	case u.readers <- struct{}{}:
		defer func() { <-u.readers }()
	case <-ctx.Done():
		return topics.Answer{}, fault.Wrap(ctx.Err(), fault.Unavailable, "read topic "+ask.Topic, "try again: others read too")
	}
	a, err := topics.Read(ctx, u.o.Topic, ask)
	if err != nil {
		return topics.Answer{}, &fault.Error{Code: fault.CodeOf(err), Message: err.Error(), Hint: fault.HintOf(err)}
	}
	return a, nil
}
