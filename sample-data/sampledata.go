// Package sampledata is a small port at work, for the first minutes with Tarn, for workshops and
// for tests. Four systems write as such systems do: the harbour's database, the access log of
// the gates, the manifests that shipping lines drop in a folder, and sensors whose gateway posts. The
// port knows nothing of Tarn: what works with it works with yours. It is no
// part of the platform, and nothing in the platform depends on it.
//
// world is the port; quay, yard, gate, sensors and manifest are what happens there; faults is what may go
// wrong. database, files and gateway are how it is written, run is the pace, and truth is the book that
// tests hold Tarn against.
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
	"os"
	"path/filepath"
	"strings"
)

// Names under the folder that Prepare fills.
const (
	DatabaseName = "port.db"
	ProjectName  = "project"
)

// DefaultSeed is what the sample begins with unless something else is said.
const DefaultSeed = 42

// warmUpSteps is the history in a fresh folder: six hours of port life, some
// thirty calls and three thousand moves.
const warmUpSteps = 1440

//go:embed schema.sql ports.csv vessels.csv services.csv project
var files embed.FS

// Prepare fills dir with what the port's systems have after their first six hours, port.db last, where
// that is absent, and with project/ and the file of faults, each only where it is absent. What
// appears is whole. It makes dir where it does not exist. What happens depends on the seed alone.
func Prepare(dir string, seed uint64) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the sample's folder: %w", err)
	}
	if err := prepareSystems(dir, seed); err != nil {
		return fmt.Errorf("make the sample's systems: %w", err)
	}
	if err := appear(filepath.Join(dir, FaultsName), func(draft string) error {
		return os.WriteFile(draft, []byte(faultsText(nil)), 0o640) // the user edits it
	}); err != nil {
		return fmt.Errorf("make the sample's switches: %w", err)
	}
	if err := appear(filepath.Join(dir, ProjectName), copyProject); err != nil {
		return fmt.Errorf("make the sample's project: %w", err)
	}
	return nil
}

// prepareSystems makes the files and then the database: with the database all is there.
func prepareSystems(dir string, seed uint64) error {
	target := filepath.Join(dir, DatabaseName)
	if _, err := os.Lstat(target); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := found(seed)
	if err != nil {
		return err
	}
	for _, name := range []string{GateFolder, ManifestFolder} {
		folder := filepath.Join(dir, name)
		if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o750)); err != nil {
			return err
		}
	}
	for range warmUpSteps {
		if err := w.advance().write(dir); err != nil {
			return err
		}
	}
	return appear(target, func(draft string) error { return makeDatabase(draft, w) })
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

func makeDatabase(draft string, w *world) error {
	if err := fillDatabase(context.Background(), draft, w); err != nil {
		return errors.Join(err, os.Remove(draft+"-wal"), os.Remove(draft+"-shm"))
	}
	return syncPath(draft)
}

// fillDatabase closes the database before it returns, which folds the write-ahead
// log into the one file that is renamed.
func fillDatabase(ctx context.Context, path string, w *world) (err error) {
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
		if err := w.snapshot().record(ctx, tx); err != nil {
			return err
		}
		for _, t := range w.tables() { // the last rows may be gone again
			name, last := t.numbered()
			if _, err := tx.ExecContext(ctx, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", last, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func readCSV(name string) ([][]string, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return csv.NewReader(bytes.NewReader(text)).ReadAll()
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
