// Package sqlite captures the changes that any program makes to an SQLite database:
// triggers write each changed row into a typed shadow table in the same transaction, and
// the source drains these tables when PRAGMA data_version says that somebody committed.
//
// It reads the database in any journal mode and never changes that mode. It cannot see
// what a program does with triggers switched off or to the file behind SQLite's back; a
// file that was put back from a backup is noticed and snapshotted anew.
//
// It resumes by the sequence number of each shadow table (the place), whose random
// incarnation is made anew with the table. A first snapshot goes in chunks in the order of
// the key, each one short read transaction, and resumes behind the last one.
package sqlite

import (
	"context"

	"tarn/ingest/source"
)

// Class is the connector.class of this connector.
const Class = "io.tarn.sqlite.SqliteConnector"

// The configuration's keys.
const (
	keyPath     = "database.path"
	keyPrefix   = "topic.prefix"
	keyInclude  = "table.include.list"
	keyExclude  = "table.exclude.list"
	keySnapshot = "snapshot.mode"
	keyPoll     = "poll.interval.ms"
)

// Kind is the entry for ingest/kinds.go.
var Kind = source.Kind{
	Class: Class,
	Name:  "sqlite",
	Title: "SQLite, any journal mode, by triggers",
	Fields: []source.Field{
		{Key: keyPath, Required: true, Doc: "the database file; a relative path starts at the project folder"},
		{Key: keyPrefix, Required: true, Doc: "topics are named <prefix>.main.<table>"},
		{Key: keyInclude, Doc: "the tables to capture: anchored regular expressions, separated by commas, with or without main. before the name; all tables by default"},
		{Key: keyExclude, Doc: "the tables to leave out, written in the same way"},
		{Key: keySnapshot, Default: modeInitial, Doc: "initial (a table's first time), always (at every start), when_needed (as initial), no_data (only changes from now on)"},
		{Key: keyPoll, Default: "50", Doc: "milliseconds between two looks at the database"},
	},
	Check:    check,
	Discover: discover,
	Open:     opener(drainRowsMax),
	Forget:   forget,
	Release:  release,
}

// opener is Kind's Open with drains of so many lines at most.
func opener(drainRows int) func(context.Context, source.Config, source.Env, source.Position) (source.Source, error) {
	return func(ctx context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		s, err := open(ctx, c, env, at, drainRows)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}
