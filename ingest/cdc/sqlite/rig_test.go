package sqlite_test

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/ingest/cdc/sqlite"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

// patience bounds every wait for a condition.
const patience = 3 * time.Minute

// rig is a database with an application's connection to it, and a runner that captures it.
type rig struct {
	t      sourcetest.TB
	path   string
	app    *dbsql.DB
	log    *sourcetest.Log
	meta   *meta.Store
	config map[string]string
	name   string // the connector's

	ackDelay time.Duration
	clock    life.Clock
	kind     source.Kind
	runner   *source.Runner
	cancel   context.CancelFunc
	done     chan struct{}
}

func newRig(t sourcetest.TB, dir, journal string, ddl ...string) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(dir, "port.db"), log: sourcetest.NewLog(), clock: life.SystemClock{}, kind: sqlite.Kind, name: "port"}
	r.app = openApp(t, r.path, true)
	r.exec("PRAGMA journal_mode = " + journal)
	r.exec(ddl...)
	m, err := meta.Open(context.Background(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	r.meta = m
	r.config = map[string]string{"database.path": r.path, "topic.prefix": "p", "poll.interval.ms": "1"}
	return r
}

func openApp(t sourcetest.TB, path string, create bool) *dbsql.DB {
	t.Helper()
	mode := "rw"
	if create {
		mode = "rwc"
	}
	db, err := dbsql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode="+mode+"&_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func (r *rig) close() {
	r.stop()
	_ = r.app.Close()
	_ = r.meta.Close()
}

// exec runs statements that must succeed.
func (r *rig) exec(statements ...string) {
	r.t.Helper()
	for _, s := range statements {
		if _, err := r.app.Exec(s); err != nil {
			r.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (r *rig) start() {
	r.t.Helper()
	runner := source.NewRunner(source.Options{
		Kind: r.kind, Config: source.Config{Name: r.name, Keys: r.config}, Log: r.log, Meta: r.meta,
		Schemas: schemas.New(r.meta), Logger: slog.New(slog.DiscardHandler),
		Metrics: source.NewMetrics(nil), Clock: r.clock, Version: "test", AckDelay: r.ackDelay,
	})
	ctx, cancel := context.WithCancel(context.Background())
	r.runner, r.cancel, r.done = runner, cancel, make(chan struct{})
	go func() { defer close(r.done); runner.Run(ctx) }()
}

func (r *rig) stop() {
	if r.cancel != nil {
		r.cancel()
		<-r.done
		r.cancel = nil
	}
}

// until waits for a condition.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	s := r.runner.Status()
	r.t.Fatalf("not in time: %s; source is %s, %s, position %s", what, s.State, s.Error, s.Position)
}

// equal waits until the fold of every topic equals its table. A table is read again when its topic has grown,
// which it does after every change that is to be waited for.
func (r *rig) equal(tables ...string) {
	r.t.Helper()
	var diff string
	truths, grown := map[string]map[string]string{}, map[string]int{}
	ok := func() bool {
		diff = ""
		for _, name := range tables {
			events := r.log.Events(r.t, "p.main."+name)
			if truths[name] == nil || grown[name] != len(events) {
				truths[name], grown[name] = r.truth(name), len(events)
			}
			got, want := sourcetest.Fold(r.t, events), truths[name]
			if !reflect.DeepEqual(got, want) {
				diff = fmt.Sprintf("table %s:\n got %v\nwant %v", name, got, want)
				return false
			}
			if !r.ended("p.main." + name) {
				diff = name + ": no end of a snapshot"
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	s := r.runner.Status()
	for _, name := range tables {
		for _, e := range r.log.Events(r.t, "p.main."+name) {
			r.t.Logf("%s %d %s gen %d %s = %.300s %v", name, e.Offset, e.Pos, e.Gen, e.Key, e.Value, e.Mark)
		}
	}
	r.t.Fatalf("%s\nsource is %s, %s, position %s", diff, s.State, s.Error, s.Position)
}

// ended tells whether the newest generation's snapshot has ended.
func (r *rig) ended(topic string) bool {
	var begun, ended int64
	for _, e := range r.log.Events(r.t, topic) {
		if e.Mark != nil && e.Mark.Kind == record.SnapshotBegin {
			begun = e.Gen
		} else if e.Mark != nil {
			ended = e.Gen
		}
	}
	return ended > 0 && ended == begun
}

// truth reads a table as the application sees it and renders it by the schema that
// Discover tells, with the rowid beside null keys.
func (r *rig) truth(table string) map[string]string {
	r.t.Helper()
	schema := r.schema(table)
	var list []string
	for _, c := range schema.Columns {
		q := `"` + strings.ReplaceAll(c.Name, `"`, `""`) + `"`
		list = append(list, "typeof("+q+")", "+"+q)
	}
	rowid := "rowid"
	if _, err := r.app.Exec("SELECT rowid FROM \"" + table + "\" LIMIT 0"); err != nil {
		rowid = "0"
	}
	rows, err := r.app.Query("SELECT " + rowid + ", " + strings.Join(list, ", ") + ` FROM "` + table + `"`)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]string{}
	for rows.Next() {
		var id int64
		kinds, cells := make([]string, len(schema.Columns)), make([]any, len(schema.Columns))
		dest := []any{&id}
		for i := range cells {
			dest = append(dest, &kinds[i], &cells[i])
		}
		if err := rows.Scan(dest...); err != nil {
			r.t.Fatal(err)
		}
		row := make(record.Row, len(cells))
		for i := range cells {
			row[i] = cell(&schema.Columns[i], kinds[i], cells[i])
		}
		value := envelope.Append(nil, schema, &envelope.Source{}, 'c', nil, row, 0)
		e, err := envelope.Split(value)
		if err != nil {
			r.t.Fatal(err)
		}
		key := string(envelope.AppendKeyRow(nil, schema, row, id))
		if _, twice := out[key]; twice {
			r.t.Fatalf("two rows of %s have the key %s", table, key)
		}
		out[key] = string(e.After)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// shadow is the name of a table's shadow table.
func (r *rig) shadow(table string) (name string) {
	r.t.Helper()
	if err := r.app.QueryRow("SELECT log FROM _tarn_meta WHERE tbl = ?", table).Scan(&name); err != nil {
		r.t.Fatal(err)
	}
	return name
}

// pruned waits until only the last line of a table's shadow table is there, whose name it returns.
func (r *rig) pruned(table string) string {
	r.t.Helper()
	log := r.shadow(table)
	r.until("all but the last line pruned", func() bool { return r.number(`SELECT count(*) FROM "`+log+`"`) == 1 })
	return log
}

func (r *rig) schema(table string) *record.Schema {
	r.t.Helper()
	tables, err := sqlite.Kind.Discover(context.Background(), source.Config{Keys: r.config})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, t := range tables {
		if t.Schema.Table == table {
			return t.Schema
		}
	}
	r.t.Fatalf("table %s is not captured", table)
	return nil
}

// cell is what a value of SQLite should become, written down once more and more simply.
func cell(c *record.Column, kind string, v any) record.Value {
	numeric := c.Type == record.String && c.Declared != "" && c.Declared != "ANY" && !strings.Contains(c.Declared, "TEXT") && !strings.Contains(c.Declared, "CHAR")
	switch kind {
	case "integer":
		if numeric {
			return record.Value{Kind: record.TextKind, B: []byte(strconv.FormatInt(v.(int64), 10))}
		}
		return record.Value{Kind: record.IntKind, I: v.(int64)}
	case "real":
		if numeric {
			return record.Value{Kind: record.TextKind, B: []byte(strings.Replace(strconv.FormatFloat(v.(float64), 'f', -1, 64), "Inf", "Infinity", 1))}
		}
		return record.Value{Kind: record.FloatKind, F: v.(float64)}
	case "text":
		return record.Value{Kind: record.TextKind, B: []byte(v.(string))}
	case "blob":
		return record.Value{Kind: record.BytesKind, B: v.([]byte)}
	}
	return record.Value{}
}

var errCrash = errors.New("the process is gone")
