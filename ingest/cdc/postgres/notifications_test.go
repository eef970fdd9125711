package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// notes are the notifications in a topic, each as its sort, its type and its data; their ids are those of their keys, and the same for
// all of a signal.
func (r *rig) notes() (out []string) {
	r.t.Helper()
	for _, e := range r.log.Events(r.t, "notes") {
		var key struct{ ID string }
		var n struct {
			ID, Type       string
			AggregateType  string            `json:"aggregate_type"`
			AdditionalData map[string]string `json:"additional_data"`
			Timestamp      int64
		}
		if err := json.Unmarshal(e.Key, &key); err != nil {
			r.t.Fatal(err)
		}
		if err := json.Unmarshal(e.Value, &n); err != nil || n.ID != key.ID || n.Timestamp == 0 || n.AdditionalData["connector_name"] != "p" {
			r.t.Fatalf("%s %s: %v", e.Key, e.Value, err)
		}
		text := strings.TrimSuffix(n.AggregateType, " Snapshot") + " " + n.Type
		if len(key.ID) < 30 { // not one of chance
			text += " " + key.ID
		}
		delete(n.AdditionalData, "connector_name")
		for _, name := range slices.Sorted(maps.Keys(n.AdditionalData)) {
			text += fmt.Sprintf(" %s=%s", name, n.AdditionalData[name])
		}
		out = append(out, text)
	}
	return out
}

// told waits for notifications behind the first of them.
func (r *rig) told(behind int, want ...string) {
	r.t.Helper()
	var got []string
	r.until("notifications", func() bool { got = r.notes(); return len(got) >= behind+len(want) })
	if got = got[behind:]; !slices.Equal(got, want) {
		r.t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestNotifications are Debezium's, each once wherever Tarn dies, and say what becomes of first snapshots and of those of signals.
func TestNotifications(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "CREATE TABLE empty (id bigint PRIMARY KEY, v text)", "INSERT INTO calls SELECT i, repeat('x', 30000), 'a' FROM generate_series(1, 100) i",
		"CREATE TABLE signals (id text PRIMARY KEY, type text, data text)")
	r := newRig(t, d, "notification.enabled.channels", "sink,jmx", "notification.sink.topic.name", "notes", "signal.data.collection", "public.signals", "table.exclude.list", "public.signals")
	n := 0
	r.log.Refuse = func(string) (bool, error) { // every other append is in the log and its position is not saved, or it is not there
		if n++; n%3 == 0 {
			return n%2 == 0, context.Canceled
		}
		return false, nil
	}
	r.start()
	table := func(name string) string {
		return "Initial TABLE_SCAN_COMPLETED data_collections=public.calls,public.empty scanned_collection=public." + name + " status=SUCCEEDED"
	}
	r.until("notifications", func() bool { // a number of rows that a crash has lost is left out
		return r.marks("empty") == 1 && slices.Contains(r.notes(), "Initial COMPLETED")
	})
	got := r.notes()
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], " total_rows_scanned")
	}
	if !slices.Equal(got, []string{
		"Initial STARTED", "Initial IN_PROGRESS current_collection_in_progress=public.calls data_collections=public.calls,public.empty", table("calls"),
		"Initial IN_PROGRESS current_collection_in_progress=public.empty data_collections=public.calls,public.empty", table("empty"), "Initial COMPLETED",
	}) {
		t.Fatalf("got\n%s", strings.Join(got, "\n"))
	}
	r.until("jmx is told not to be there", func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool { return strings.Contains(f.Message, "jmx") && f.Hint != "" })
	})
	r.stop()
	r.log.Refuse = nil
	behind := len(r.notes())
	r.start()
	r.told(behind, "Initial SKIPPED")
	r.until("streaming", r.streams)
	signal := func(id, kind string) {
		d.Exec(fmt.Sprintf(`INSERT INTO signals VALUES ('%s', '%s', '{"data-collections": ["public.calls", "public.empty"]}')`, id, kind))
	}
	behind = len(r.notes())
	signal("s1", "execute-snapshot")
	r.told(behind, "Incremental STARTED s1 data_collections=public.calls,public.empty",
		"Incremental IN_PROGRESS s1 current_collection_in_progress=public.calls data_collections=public.calls,public.empty",
		"Incremental TABLE_SCAN_COMPLETED s1 data_collections=public.calls,public.empty scanned_collection=public.calls status=SUCCEEDED total_rows_scanned=100",
		"Incremental IN_PROGRESS s1 current_collection_in_progress=public.empty data_collections=public.calls,public.empty",
		"Incremental TABLE_SCAN_COMPLETED s1 data_collections=public.calls,public.empty scanned_collection=public.empty status=EMPTY total_rows_scanned=0", "Incremental COMPLETED s1")
	behind = len(r.notes())
	signal("s2", "pause-snapshot")
	signal("s3", "execute-snapshot")
	r.told(behind, "Incremental STARTED s3 data_collections=public.calls,public.empty", "Incremental PAUSED s3 data_collections=public.calls,public.empty")
	signal("s4", "stop-snapshot")
	r.told(behind+2, "Incremental ABORTED s3 data_collections=public.calls,public.empty")
}

// TestNotificationsOfSignalsAreToldOnce, and that there is no first snapshot too, although no append of them is known to have come through
// before the source is opened anew.
func TestNotificationsOfSignalsAreToldOnce(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls SELECT i, 'a', 'a' FROM generate_series(1, 10) i", "CREATE TABLE signals (id text PRIMARY KEY, type text, data text)")
	r := newRig(t, d, "notification.enabled.channels", "sink", "notification.sink.topic.name", "notes", "signal.data.collection", "public.signals", "table.exclude.list", "public.signals")
	r.start()
	r.until("the snapshot", func() bool { return slices.Contains(r.notes(), "Initial COMPLETED") && r.streams() })
	behind := len(r.notes())
	r.stop()
	r.log.Refuse = func(topic string) (bool, error) {
		if topic == "notes" {
			return true, context.Canceled
		}
		return false, nil
	}
	d.Exec(`INSERT INTO signals VALUES ('s1', 'execute-snapshot', '{"data-collections": ["public.calls"]}')`)
	r.start()
	r.until("the end, or a second beginning", func() bool {
		list := r.notes()[behind:]
		return slices.Contains(list, "Incremental COMPLETED s1") || len(list) > 50
	})
	r.stop()
	got := slices.DeleteFunc(r.notes()[behind:], func(n string) bool { return n == "Initial SKIPPED" }) // at each opening
	if want := []string{
		"Incremental STARTED s1 data_collections=public.calls", "Incremental IN_PROGRESS s1 current_collection_in_progress=public.calls data_collections=public.calls",
		"Incremental TABLE_SCAN_COMPLETED s1 data_collections=public.calls scanned_collection=public.calls status=SUCCEEDED", "Incremental COMPLETED s1",
	}; !slices.Equal(clipped(got), want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// clipped are notifications without numbers of rows, which a crash may have lost.
func clipped(list []string) []string {
	for i := range list {
		list[i], _, _ = strings.Cut(list[i], " total_rows_scanned")
	}
	return list
}
