package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"tarn/embedded/record/envelope"
	"tarn/ingest/source"
)

// Notifications tell what becomes of snapshots (Debezium's documentation, "Debezium notifications"). Which are out is in the position, so
// that each is in its topic once, also where a crash comes between: the next batch makes up for what the position says and nobody was told.

// The sorts of snapshots.
const (
	initialSnapshot     = "Initial Snapshot"
	incrementalSnapshot = "Incremental Snapshot"
)

// The channels that notifications go to, and one that there is not.
const (
	notifySink = "sink"
	notifyLog  = "log"
	notifyJMX  = "jmx"
)

// told is what was told of snapshots of one sort that are under way.
type told struct {
	ID     string      `json:"id,omitempty"` // of the signal that asked for them
	Tables []toldTable `json:"tables"`
	Paused bool        `json:"paused,omitempty"`
}

// toldTable is what was told of a table's.
type toldTable struct {
	Name  string `json:"name"`
	Begun bool   `json:"begun,omitempty"`
	Done  bool   `json:"done,omitempty"`
	Rows  int64  `json:"rows,omitempty"` // that were read; below 0 where a crash has lost count
	// End is how it ended where it was not read to its end: a status of a table, or aborted.
	End string `json:"end,omitempty"`
}

// The ends of a table's snapshot.
const (
	endSucceeded = "SUCCEEDED"
	endEmpty     = "EMPTY"
	endFailed    = "SQL_EXCEPTION"
	endAborted   = "ABORTED"
)

func (t *told) copied() *told {
	if t == nil {
		return nil
	}
	c := *t
	c.Tables = slices.Clone(t.Tables)
	return &c
}

// find is what was told of a table; nil for nothing.
func (t *told) find(name string) *toldTable {
	if t == nil {
		return nil
	}
	if i := slices.IndexFunc(t.Tables, func(one toldTable) bool { return one.Name == name }); i >= 0 {
		return &t.Tables[i]
	}
	return nil
}

// names are those of the tables.
func (t *told) names() string {
	list := make([]string, len(t.Tables))
	for i := range t.Tables {
		list[i] = t.Tables[i].Name
	}
	return strings.Join(list, ",")
}

// readNotifications reads the keys about notifications.
func (s *settings) readNotifications(c source.Config) error {
	for channel := range strings.SplitSeq(c.Keys[keyNotify], ",") {
		switch channel = strings.TrimSpace(channel); channel {
		case notifySink:
			if s.notifyTopic = c.Keys[keyNotifyTopic]; s.notifyTopic == "" {
				return source.NewMisset(c, keyNotifyTopic, "write the name of the topic", "is missing, and %s has sink", keyNotify)
			}
		case notifyLog:
			s.notifyLog = true
		case notifyJMX:
			s.notifyJMX = true
		case "":
		default:
			return source.NewMisset(c, keyNotify, "write sink, log or both", "has %q", channel)
		}
	}
	return nil
}

// notifies tells whether there are notifications.
func (s *settings) notifies() bool { return s.notifyTopic != "" || s.notifyLog }

// toldOf is what was told of a table's snapshot; nil for nothing.
func (r *reader) toldOf(name string, asked bool) *toldTable {
	if asked {
		return r.pos.Incremental.find(name)
	}
	return r.pos.Initial.find(name)
}

// scanned counts rows of a table's snapshot; first: they are its first.
func (r *reader) scanned(name string, asked, first bool, rows int) {
	one := r.toldOf(name, asked)
	switch {
	case one == nil:
	case first:
		one.Rows = int64(rows)
	case one.Rows >= 0:
		one.Rows += int64(rows)
	}
}

// uncounted notes that rows of a table's snapshot are in its topic that nobody has counted.
func (r *reader) uncounted(name string, asked bool) {
	if one := r.toldOf(name, asked); one != nil {
		one.Rows = -1
	}
}

// ended notes that a table's snapshot that a signal asked for is not read to its end.
func (r *reader) ended(name, end string) {
	if one := r.pos.Incremental.find(name); one != nil {
		one.End = end
	}
}

// notices are the notifications that are due, for the end of a batch.
func (r *reader) notices() []source.TopicBatch {
	if !r.s.notifies() {
		return nil
	}
	n := notifier{r: r}
	if !r.noticed {
		r.noticed = true
		r.unbegun = r.pos.Initial == nil && len(n.underWay(false)) == 0
		if place := r.place(r.s.notifyTopic); r.unbegun && place.Incarnation == r.pos.Incarnation {
			r.noted = place.Place
		}
	}
	r.pos.Initial = n.compare(r.pos.Initial, initialSnapshot, false)
	r.pos.Incremental = n.compare(r.pos.Incremental, incrementalSnapshot, true)
	if r.unbegun {
		n.tellSkipped()
	}
	return n.to.topics
}

// noteSkipped is the type of the notification that there is no first snapshot; skippedMark stands behind its place.
const (
	noteSkipped = "SKIPPED"
	skippedMark = "~"
)

// tellSkipped tells that there is no first snapshot. That is told at each opening, not of what the position says. So where a crash has left more
// in the topic than the position knows of, all that it says of snapshots has its places again before; and this, if it is there too, its own.
func (n *notifier) tellSkipped() {
	pos := &n.r.pos
	if noted, there := strings.CutSuffix(n.r.noted, skippedMark); noted > notedPlace(pos.Notified) {
		if !there || noted != notedPlace(pos.Notified+1) {
			return
		}
		pos.Notified++
	} else {
		n.tell(initialSnapshot, "", noteSkipped)
	}
	n.r.unbegun = false
}

// notedPlace is the place of the nth notification.
func notedPlace(n int64) string { return string(appendHex(nil, uint64(n), 16)) } //nolint:gosec // not negative

// notifier makes notifications of what differs from what was told.
type notifier struct {
	r  *reader
	to gathering
}

// underWay are the tables that have a snapshot under way, or wait for it, by name; asked: of those that signals asked for.
func (n *notifier) underWay(asked bool) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(n.r.pos.Tables)) {
		if st := n.r.pos.Tables[name].Snapshot; st != nil && st.Asked == asked && !st.Owed && !n.r.skipped(name) {
			names = append(names, name)
		}
	}
	return names
}

// compare tells what has changed since t was told, and returns what is told now; nil when all is over.
func (n *notifier) compare(t *told, aggregate string, asked bool) *told {
	now := n.underWay(asked)
	if t == nil && len(now) == 0 {
		return nil
	}
	begins := t == nil
	if begins {
		t = &told{}
	}
	for _, name := range now {
		if id := n.r.pos.Tables[name].Snapshot.Signal; id != "" {
			t.ID = id
		}
		if one := t.find(name); one == nil {
			t.Tables = append(t.Tables, toldTable{Name: name})
		} else if one.Done {
			*one = toldTable{Name: name}
		}
	}
	collections := []string{"data_collections", t.names()}
	if begins && asked {
		n.tell(aggregate, t.ID, "STARTED", collections...)
	} else if begins {
		n.tell(aggregate, t.ID, "STARTED")
	}
	if held := asked && n.r.pos.Held; held != t.Paused {
		t.Paused = held
		n.tell(aggregate, t.ID, map[bool]string{true: "PAUSED", false: "RESUMED"}[held], collections...)
	}
	var aborted []string
	over := true
	for i := range t.Tables {
		one := &t.Tables[i]
		if !one.Done {
			n.table(t, one, aggregate, slices.Contains(now, one.Name), collections)
		}
		if over = over && one.Done; one.End == endAborted {
			aborted, one.End = append(aborted, one.Name), ""
		}
	}
	switch {
	case len(aborted) > 0:
		n.tell(aggregate, t.ID, "ABORTED", "data_collections", strings.Join(aborted, ","))
	case over:
		n.tell(aggregate, t.ID, "COMPLETED")
	}
	if over {
		return nil
	}
	return t
}

// table tells how far a table is.
func (n *notifier) table(t *told, one *toldTable, aggregate string, underWay bool, collections []string) {
	st := n.r.pos.Tables[one.Name]
	if one.Done = !underWay; one.Done && one.End == endAborted {
		return
	}
	if !one.Begun && (one.Done || st.Snapshot.Begun) {
		one.Begun = true
		n.tell(aggregate, t.ID, "IN_PROGRESS", append([]string{"current_collection_in_progress", one.Name}, collections...)...)
	}
	if !one.Done {
		return
	}
	switch {
	case one.End != "":
	case st.Topic == "" || n.r.skipped(one.Name): // it is gone, or quarantined
		one.End = endFailed
	case one.Rows == 0 && aggregate == incrementalSnapshot:
		one.End = endEmpty
	default:
		one.End = endSucceeded
	}
	data := append([]string{"scanned_collection", one.Name, "status", one.End}, collections...)
	if one.Rows >= 0 {
		data = append(data, "total_rows_scanned", fmt.Sprint(one.Rows))
	}
	n.tell(aggregate, t.ID, "TABLE_SCAN_COMPLETED", data...)
}

// tell makes a notification with pairs of data. id is that of a signal; "" for one of its own.
func (n *notifier) tell(aggregate, id, kind string, data ...string) {
	if id == "" {
		id = uuid.NewString()
	}
	more := map[string]string{"connector_name": n.r.s.prefix}
	for i := 0; i+1 < len(data); i += 2 {
		more[data[i]] = data[i+1]
	}
	note := envelope.Notification{ID: id, Aggregate: aggregate, Type: kind, Data: more, TSMillis: n.r.env.Now().UnixMilli()}
	value := envelope.AppendNotification(nil, &note)
	if n.r.s.notifyLog && n.r.env.Log != nil {
		n.r.env.Log.Info("notification", "notification", string(value))
	}
	if n.r.s.notifyTopic == "" {
		return
	}
	n.r.pos.Notified++
	place := notedPlace(n.r.pos.Notified)
	if kind == noteSkipped {
		place += skippedMark
	}
	n.r.plain(&n.to, n.r.s.notifyTopic, envelope.NotificationFrame(), envelope.AppendNotificationKey(nil, &note), value, place)
}
