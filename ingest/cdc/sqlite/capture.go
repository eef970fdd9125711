package sqlite

import (
	"context"
	"crypto/rand"
	dbsql "database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarn/embedded/record"
)

// metaTable holds one line for each shadow table.
const metaTable = ownPrefix + "meta"

// capture is one shadow table with its triggers, made for one definition of a table. A
// table has several only while an older one is still to be drained.
type capture struct {
	Incarnation string
	Log         string // the shadow table's name
	Def         definition
	schemas     [2]*record.Schema // stored; [1] is the loose one
}

func newIncarnation() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// trigger is one of the database's triggers.
type trigger struct {
	name, table string
	place       int64 // the order of creation
}

// landscape is what one look at the database's schema found.
type landscape struct {
	version  int64 // PRAGMA schema_version
	tables   []tableInfo
	captures map[string][]*capture // of this source, by table, oldest first
	triggers []trigger
	known    bool // the table of captures is there
	others   []foreign
}

// foreign is a capture of another Tarn, or of another connector, in the same database.
type foreign struct {
	capture *capture
	owner   string
	oldest  float64 // the time of the oldest line that waits, behind the one that every log keeps; 0 when none does
}

// abandonedAfter is the age of a line at which its owner is taken for gone for good: its
// log would fill the user's disk. An owner that comes back finds its log gone and makes a
// new snapshot.
const abandonedAfter = 7 * 24 * time.Hour

func (f *foreign) abandoned(now time.Time) bool {
	return f.oldest > 0 && now.Sub(julian(f.oldest)) > abandonedAfter
}

// lookAround reads the landscape for one source.
func lookAround(ctx context.Context, q querier, s *settings, owner string) (l *landscape, err error) {
	l = &landscape{captures: map[string][]*capture{}}
	if l.version, err = number(ctx, q, "PRAGMA schema_version"); err != nil {
		return nil, err
	}
	if l.tables, err = listTables(ctx, q, s); err != nil {
		return nil, err
	}
	err = each(ctx, q, func(rows *dbsql.Rows) error {
		var t trigger
		if err := rows.Scan(&t.name, &t.table, &t.place); err != nil {
			return err
		}
		l.triggers = append(l.triggers, t)
		return nil
	}, `SELECT name, tbl_name, rowid FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	known, err := number(ctx, q, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?`, metaTable)
	if l.known = known > 0; err != nil || !l.known {
		return l, err
	}
	return l, l.readCaptures(ctx, q, owner)
}

func (l *landscape) readCaptures(ctx context.Context, q querier, owner string) error {
	err := each(ctx, q, func(rows *dbsql.Rows) error {
		c := &capture{}
		var def, whose string
		if err := rows.Scan(&c.Incarnation, &c.Log, &def, &whose); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(def), &c.Def); err != nil {
			return fmt.Errorf("read %s: %w", metaTable, err)
		}
		if whose != owner {
			l.others = append(l.others, foreign{capture: c, owner: whose})
			return nil
		}
		l.captures[c.Def.Table] = append(l.captures[c.Def.Table], c)
		return nil
	}, `SELECT incarnation, log, def, owner FROM "`+metaTable+`" WHERE log IN (SELECT name FROM sqlite_schema WHERE type = 'table') ORDER BY n`)
	for i := range l.others {
		f := &l.others[i]
		if err == nil {
			err = each(ctx, q, func(rows *dbsql.Rows) error { return rows.Scan(&f.oldest) },
				"SELECT ts FROM "+quote(f.capture.Log)+" ORDER BY seq LIMIT 1 OFFSET 1")
		}
	}
	return err
}

// captureAt is a table's capture of an incarnation, nil without one.
func (l *landscape) captureAt(table, incarnation string) *capture {
	for _, c := range l.captures[table] {
		if c.Incarnation == incarnation {
			return c
		}
	}
	return nil
}

// current is a table's newest capture, nil without one.
func (l *landscape) current(table string) *capture {
	if list := l.captures[table]; len(list) > 0 {
		return list[len(list)-1]
	}
	return nil
}

// triggersOf counts a capture's triggers on its own table, and tells whether a trigger of
// somebody else was made after them: SQLite runs the newest first, and ours must see a row
// before others change it again, be it by way of other tables.
func (l *landscape) triggersOf(c *capture) (n int, overtaken bool) {
	var last int64
	for _, t := range l.triggers {
		if strings.HasPrefix(t.name, ownPrefix+c.Incarnation+"_") {
			if t.table == c.Def.Table {
				n++
			}
			last = max(last, t.place)
		}
	}
	for _, t := range l.triggers {
		overtaken = overtaken || t.table == c.Def.Table && t.place > last && !strings.HasPrefix(t.name, ownPrefix)
	}
	return n, overtaken
}

// whole tells whether a capture still sees every change of a table as it is defined now.
func (l *landscape) whole(c *capture, now *definition) (ok bool, why string) {
	n, overtaken := l.triggersOf(c)
	switch {
	case !c.Def.equal(now):
		return false, "its definition changed"
	case n != len(c.triggerSQL()):
		return false, "its triggers were lost"
	case overtaken:
		return false, "a trigger was added to it"
	}
	return true, ""
}

func (d *definition) equal(o *definition) bool {
	a, errA := json.Marshal(d)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && string(a) == string(b)
}

// install makes a new shadow table for a table, of a new incarnation, in place of the
// triggers there were. Older shadow tables stay until they are drained.
func install(ctx context.Context, tx *dbsql.Tx, l *landscape, owner string, def definition, now time.Time) (*capture, error) {
	c := &capture{Incarnation: newIncarnation(), Def: def}
	c.Log = ownPrefix + "log_" + def.Table + "_" + c.Incarnation
	text, err := json.Marshal(def)
	if err != nil {
		return nil, err
	}
	for _, old := range l.captures[def.Table] {
		if err := dropTriggers(ctx, tx, old); err != nil {
			return nil, err
		}
	}
	statements := append([]string{
		`CREATE TABLE IF NOT EXISTS "` + metaTable + `" (n INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, tbl TEXT NOT NULL, incarnation TEXT NOT NULL UNIQUE, log TEXT NOT NULL, def TEXT NOT NULL, made_at TEXT NOT NULL)`,
		c.shadowSQL(),
	}, c.triggerSQL()...)
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return nil, fmt.Errorf("make the shadow table of %s: %w", def.Table, err)
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO "`+metaTable+`" (owner, tbl, incarnation, log, def, made_at) VALUES (?, ?, ?, ?, ?, ?)`,
		owner, def.Table, c.Incarnation, c.Log, string(text), now.UTC().Format(time.RFC3339))
	if err != nil {
		return nil, err
	}
	l.captures[def.Table] = append(l.captures[def.Table], c)
	return c, nil
}

func dropTriggers(ctx context.Context, tx *dbsql.Tx, c *capture) error {
	for _, kind := range triggerKinds {
		if _, err := tx.ExecContext(ctx, "DROP TRIGGER IF EXISTS "+quote(triggerName(c.Incarnation, kind))); err != nil {
			return err
		}
	}
	return nil
}

// uninstall removes a capture and what is in its shadow table.
func uninstall(ctx context.Context, tx *dbsql.Tx, l *landscape, c *capture) error {
	if err := dropTriggers(ctx, tx, c); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+quote(c.Log)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM "`+metaTable+`" WHERE incarnation = ?`, c.Incarnation)
	if l != nil {
		l.captures[c.Def.Table] = slices.DeleteFunc(l.captures[c.Def.Table], func(x *capture) bool { return x == c })
	}
	return err
}
