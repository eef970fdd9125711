// Package sampledata is a small port's database and an ordinary application that
// writes to it, for the first minutes with Tarn, for workshops and for tests. The
// application knows nothing of Tarn: what works with it works with yours. It is no
// part of the platform, and nothing in the platform depends on it.
package sampledata

import (
	"bytes"
	"context"
	dbsql "database/sql"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the application's own driver
)

// Names under the folder that Prepare fills.
const (
	DatabaseName = "port.db"
	ProjectName  = "project"
)

// DefaultSeed is the seed of the prepared history and of Run where none is given.
const DefaultSeed = 42

// warmUpSteps is the history in a fresh database: six hours of port life, some
// thirty calls and three thousand moves.
const warmUpSteps = 1440

//go:embed schema.sql ports.csv vessels.csv services.csv project
var files embed.FS

// Prepare fills dir with port.db and project/, each only where it is absent, and
// each whole or not at all. It makes dir where it does not exist.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the sample's folder: %w", err)
	}
	if err := appear(filepath.Join(dir, DatabaseName), makeDatabase); err != nil {
		return fmt.Errorf("make the sample's database: %w", err)
	}
	if err := appear(filepath.Join(dir, ProjectName), copyProject); err != nil {
		return fmt.Errorf("make the sample's project: %w", err)
	}
	return nil
}

// appear lets write fill a path of its own beside target and renames it when it is
// complete and synced, so that a crash leaves target absent or whole.
func appear(target string, write func(path string) error) error {
	if _, err := os.Lstat(target); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	draft := target + ".new" // one name, so that a crash leaves one draft at most
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	if err := write(draft); err != nil {
		return errors.Join(err, os.RemoveAll(draft))
	}
	if err := os.Rename(draft, target); err != nil {
		return err
	}
	return syncPath(filepath.Dir(target))
}

func copyProject(draft string) error {
	return fs.WalkDir(files, ProjectName, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(draft, strings.TrimPrefix(name, ProjectName))
		if entry.IsDir() {
			return os.MkdirAll(path, 0o750)
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		// The user owns these files and edits them.
		if err := os.WriteFile(path, text, 0o640); err != nil {
			return err
		}
		return errors.Join(syncPath(path), syncPath(filepath.Dir(path)))
	})
}

func makeDatabase(draft string) error {
	ctx := context.Background()
	if err := fillDatabase(ctx, draft); err != nil {
		return errors.Join(err, os.Remove(draft+"-wal"), os.Remove(draft+"-shm"))
	}
	return syncPath(draft)
}

// fillDatabase closes the database before it returns, which folds the write-ahead
// log into the one file that is renamed.
func fillDatabase(ctx context.Context, path string) (err error) {
	db, err := open(path, "rwc")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	schema, err := files.ReadFile("schema.sql")
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, string(schema)); err != nil {
		return fmt.Errorf("schema.sql: %w", err)
	}
	return inTx(ctx, db, func(tx *dbsql.Tx) error {
		for _, table := range []string{"ports", "vessels"} {
			if err := loadCSV(ctx, tx, table); err != nil {
				return fmt.Errorf("%s.csv: %w", table, err)
			}
		}
		for range warmUpSteps {
			if err := step(ctx, tx, DefaultSeed); err != nil {
				return err
			}
		}
		return nil
	})
}

// loadCSV inserts a file whose first line names the columns. An empty field is null.
func loadCSV(ctx context.Context, tx *dbsql.Tx, table string) error {
	lines, err := readCSV(table + ".csv")
	if err != nil {
		return err
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(lines[0])), ",")
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+table+" ("+strings.Join(lines[0], ",")+") VALUES ("+marks+")")
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, line := range lines[1:] {
		values := make([]any, len(line))
		for i, field := range line {
			if field != "" {
				values[i] = field // the column's affinity makes numbers of it
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

func readCSV(name string) ([][]string, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return csv.NewReader(bytes.NewReader(text)).ReadAll()
}

// busyMillis is how long SQLite itself waits for another writer before it says busy.
const busyMillis = 2000

// open opens the database as any program would. Mode is SQLite's: "rw" never makes a file.
func open(path, mode string) (*dbsql.DB, error) {
	// The path is escaped, for SQLite reads it as a URI.
	uri := fmt.Sprintf("file:%s?mode=%s&_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=foreign_keys(1)",
		(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), mode, busyMillis)
	db, err := dbsql.Open("sqlite", uri)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func inTx(ctx context.Context, db *dbsql.DB, work func(tx *dbsql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone drops the error of rolling back what ended with its context.
func ignoreDone(err error) error {
	if errors.Is(err, dbsql.ErrTxDone) {
		return nil
	}
	return err
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
