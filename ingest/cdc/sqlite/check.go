package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tarn/embedded/fault"
	"tarn/ingest/source"
)

// findingsOf says what a person should know of the tables before or while they are read.
func findingsOf(tables []tableInfo, s *settings) []source.Finding {
	var out []source.Finding
	var names []string
	captured := 0
	for i := range tables {
		names = append(names, tables[i].name)
		if tables[i].finding.Message != "" {
			out = append(out, tables[i].finding)
		}
		if !tables[i].refused {
			captured++
		}
	}
	for i, re := range s.include {
		if !slices.ContainsFunc(names, func(n string) bool { return re.MatchString(n) || re.MatchString("main."+n) }) {
			out = append(out, source.Finding{
				Message: fmt.Sprintf("%s: no table matches %q", keyInclude, s.includeText[i]),
				Hint:    "check the spelling; the table is picked up when it is made",
			})
		}
	}
	if captured == 0 && len(s.include) == 0 {
		out = append(out, source.Finding{Message: "the database has no table to capture yet", Hint: "tables are picked up when they are made"})
	}
	return out
}

// dropColumn is what to know before a column is dropped.
var dropColumn = source.Finding{
	Message: "ALTER TABLE … DROP COLUMN is refused by SQLite on a captured table, because Tarn's triggers name its columns",
	Hint:    "rebuild the table instead (create, copy, drop, rename), or say PAUSE CONNECTOR … RELEASE TABLES while you alter it, and RESUME CONNECTOR …; either way it is snapshotted anew",
}

// check looks before starting. It writes nothing.
func check(ctx context.Context, c source.Config) []source.Finding {
	s, tables, err := look(ctx, c)
	if err != nil {
		return []source.Finding{source.FindingOf(err, fault.CodeOf(err) == fault.Invalid, keyPath)}
	}
	return append(findingsOf(tables, &s), dropColumn)
}

// discover lists the tables that would be captured.
func discover(ctx context.Context, c source.Config) ([]source.Table, error) {
	s, tables, err := look(ctx, c)
	if err != nil {
		return nil, err
	}
	var out []source.Table
	for i := range tables {
		if tables[i].refused {
			continue
		}
		schema := tables[i].def.schema("", &s, false)
		out = append(out, source.Table{Schema: &schema, Topic: s.topic(tables[i].name), Rows: -1})
	}
	return out, nil
}

func look(ctx context.Context, c source.Config) (s settings, tables []tableInfo, err error) {
	if s, err = readSettings(c); err != nil {
		return s, nil, err
	}
	db, err := openDatabase(ctx, s.path)
	if err != nil {
		return s, nil, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	err = db.reading(ctx, func() (err error) {
		tables, err = listTables(ctx, db.conn, &s)
		return err
	})
	return s, tables, db.fault(err, "look at database")
}
