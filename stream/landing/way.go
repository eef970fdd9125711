package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// The names by which retention knows the two readers of a topic.
const (
	bronzeReader = "bronze"
	silverReader = "silver"
)

type wayKey struct{ topic, reader string }

// way is one topic's road into one table. Its goroutine is the only writer of that
// table's rows.
type way struct {
	key      wayKey
	l        *Landing
	topic    *bus.Topic
	config   bus.TopicConfig
	interval time.Duration
	sink     func() sink
	log      *slog.Logger
	progress progress
	asksMax  int // of how many rows of a mirror one commit may keep values: as many as were found to fit

	cancel context.CancelFunc
	done   chan struct{}
}

// sink turns what one collection read into one change of one table.
type sink interface {
	// open finds or makes the table; nil where the first record will tell its columns.
	open(ctx context.Context) (table.Table, error)
	// add takes a record of a feed. A refusal sends it to the dead letters, errSkip
	// passes it over, errCut ends the collection before it; another error ends the session.
	add(ctx context.Context, f *feed, r *record.Record) error
	// mark takes a snapshot's mark, which is at an offset of a feed.
	mark(ctx context.Context, f *feed, at int64, m record.Mark) error
	// change builds what was added, for the table, which is nil when there is none yet.
	change(ctx context.Context) (table.Table, table.Change, error)
	// committed forgets what was added.
	committed()
}

var (
	errSkip = errors.New("not for this table")
	errCut  = errors.New("commit before this record")
)

// refusal is why a record goes to the dead letters.
type refusal string

func (r refusal) Error() string { return string(r) }

// quarantine is an error that trying again cannot mend.
type quarantine struct{ err error }

func (q quarantine) Error() string { return q.err.Error() }
func (q quarantine) Unwrap() error { return q.err }

func (l *Landing) newWay(t *bus.Topic, reader string) *way {
	w := &way{
		key: wayKey{t.Name(), reader}, l: l, topic: t, config: t.Config(), interval: l.o.CommitInterval,
		done: make(chan struct{}), asksMax: commitRowsMax,
		log: l.o.Log.With("topic", t.Name(), "reader", reader),
	}
	w.progress.state = stateLanding
	return w
}

// same tells whether two ways land the same topic in the same manner.
func (w *way) same(o *way) bool {
	a, b := w.config, o.config
	return w.topic == o.topic && a.ID == b.ID && a.Land == b.Land && a.Keyed == b.Keyed && a.Source == b.Source &&
		a.Plain == b.Plain && a.Columns == b.Columns && a.Table == b.Table && a.Mirror == b.Mirror
}

// run lands until stop ends and what is in flight is committed, or work ends.
func (w *way) run(stop, work context.Context) {
	wait := backoffMin
	for {
		before := w.progress.commitCount()
		err := life.Guarded(w.l.o.Log, func() error { return w.session(stop, work) })
		if err == nil || work.Err() != nil {
			return
		}
		if errors.Is(err, errReopen) {
			continue
		}
		if w.progress.commitCount() > before {
			wait = backoffMin
		}
		pause := wait
		if _, stuck := errors.AsType[quarantine](err); stuck {
			pause = quarantineRecheck
		}
		w.progress.failed(err, w.l.o.Clock.Now())
		w.log.Warn("landing waits", "error", err.Error(), "retry_ms", pause.Milliseconds())
		select {
		case <-stop.Done():
			return
		case <-time.After(pause):
		}
		wait = min(2*wait, backoffMax)
	}
}

// session opens the table, goes on from its offsets and commits until stop.
func (w *way) session(stop, work context.Context) error {
	s := w.sink()
	t, err := s.open(work)
	if err != nil {
		return err
	}
	offsets, fresh, err := readOffsets(t, w.key.topic)
	if err != nil {
		return err
	}
	f, err := w.openFeeds(work, t, offsets, fresh)
	if err != nil {
		return err
	}
	defer f.close()
	c := &collection{w: w, feeds: f, sink: s}
	if done, err := c.rebuild(stop, work); !done || err != nil {
		return err
	}
	if f.aim(); !f.behind() { // no commit will tell that all is well again
		w.progress.idle()
	}
	var last time.Time
	for {
		if !f.wait(stop) {
			return w.finish(work, c)
		}
		w.progress.waiting(f.oldest())
		if !c.full() {
			_ = life.Wait(stop, w.due(last))
		}
		last = time.Now()
		if err := c.land(work); err != nil {
			return err
		}
	}
}

// due is how long the next commit waits, unless the last one left records for another: the interval since that one
// began, or a tenth of it after a rest.
func (w *way) due(last time.Time) time.Duration {
	return max(w.interval-time.Since(last), w.interval/10)
}

// finish commits what was durable when the stop came.
func (w *way) finish(work context.Context, c *collection) error {
	c.feeds.aim()
	for c.feeds.behind() {
		if err := c.land(work); err != nil {
			return err
		}
	}
	return nil
}

// readOffsets reads how far a table has come; fresh is a table that never landed.
func readOffsets(t table.Table, topic string) (o record.Offsets, fresh bool, err error) {
	o = record.Offsets{}
	if t == nil {
		return o, true, nil
	}
	text, ok := t.Property(table.PropOffsets + Reader)
	if !ok {
		return o, true, nil
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, false, quarantine{fault.Wrap(err, fault.Damaged, fmt.Sprintf("read the offsets of %s", t.Ident()),
			"the table property "+table.PropOffsets+Reader+" was changed by hand: put back its old value")}
	}
	for name := range o {
		if name != topic {
			delete(o, name) // entries of dropped topics go at the next commit
		}
	}
	return o, false, nil
}
