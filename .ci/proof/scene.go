package proof

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Prefix is the topic.prefix of the proofs' connectors.
const Prefix = "src"

// Scene is a source database with its outside writer, and a house that captures it.
type Scene struct {
	House     *House
	Tables    []*Table
	Database  string // path
	ListPath  string
	Snapshots int // that each table has had; 1 but after a restored backup
	Every     time.Duration
	Age       string // above which its orders of upkeep let go; "" for a second

	writer *Outside
	next   int64 // token
	seed   uint64
}

// NewScene makes a database in a journal mode, a project that captures it and a data
// folder, which may lie elsewhere.
func NewScene(ctx context.Context, binary, dir, data, database, mode string) (*Scene, error) {
	s := &Scene{
		House: &House{
			Binary: binary, Data: data, Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "tarn.log"),
			Env: []string{"TARN_CRASH_LOG=" + filepath.Join(dir, "crash.log")},
		},
		Tables: Tables(), Database: database, ListPath: filepath.Join(dir, "acknowledged.jsonl"), Snapshots: 1, Every: 5 * time.Millisecond,
	}
	if err := WriteConnector(s.House.Project, "src", Connector(database)); err != nil {
		return nil, err
	}
	if err := writePipelines(s.House.Project, s.Tables); err != nil {
		return nil, err
	}
	list, err := NewList(s.ListPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = list.Close() }()
	s.next = 1
	if err := Setup(ctx, database, mode, s.Tables, list); err != nil {
		return nil, err
	}
	for _, t := range s.Tables {
		s.next += int64(t.Rows)
	}
	return s, nil
}

// Connector is the configuration that captures a database.
func Connector(database string) map[string]string {
	return map[string]string{
		"connector.class": "io.tarn.sqlite.SqliteConnector", "database.path": database,
		"topic.prefix": Prefix, "snapshot.mode": "initial", "poll.interval.ms": "20",
	}
}

// WriteConnector puts a connector into a project folder.
func WriteConnector(project, name string, config map[string]string) error {
	content, err := json.MarshalIndent(map[string]any{"name": name, "config": config}, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Join(project, "connectors")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+".json"), content, 0o600)
}

// Write starts the outside writer where the last one ended.
func (s *Scene) Write() (err error) {
	s.seed++
	s.writer, err = StartOutside(WriterConfig{Database: s.Database, List: s.ListPath, Seed: s.seed, Every: s.Every, From: s.next})
	return err
}

// StopWriting ends the outside writer.
func (s *Scene) StopWriting() (err error) {
	if s.writer == nil {
		return nil
	}
	s.next, err = s.writer.Stop()
	s.writer = nil
	return err
}

// Freeze stops the writer where it stands; Thaw lets it go on.
func (s *Scene) Freeze() { s.writer.Freeze() }

// Thaw ends Freeze.
func (s *Scene) Thaw() { s.writer.Thaw() }

// ListSize is how much of the list is written, in bytes.
func (s *Scene) ListSize() (int64, error) {
	info, err := os.Stat(s.ListPath)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Abandon kills the writer; for the end of a proof that has failed.
func (s *Scene) Abandon() {
	if s.writer != nil {
		s.writer.Kill()
		s.writer = nil
	}
}

// Settle pauses the writer, waits until the house has caught up, and holds all that it has
// against the database and the list. It returns what is wrong.
func (s *Scene) Settle(ctx context.Context, p *Process) error {
	if s.writer != nil {
		if err := s.writer.Pause(); err != nil {
			return err
		}
	}
	if err := s.Quiet(ctx, p, s.Database, -1); err != nil {
		return err
	}
	if s.writer != nil {
		return s.writer.Go()
	}
	return nil
}

// Quiet waits until what p has is what a database has, which nobody writes to, and what
// the first size bytes of the list promise. What is only missing may still come; anything
// else is told at once.
func (s *Scene) Quiet(ctx context.Context, p *Process, database string, size int64) error {
	txns, err := ReadList(s.ListPath, size)
	if err != nil {
		return err
	}
	db, err := OpenSource(database, "")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(ctx, QuietWithin)
	defer cancel()
	err = Until(ctx, func() (bool, error) {
		if p.Ended() {
			return true, fmt.Errorf("tarn ended: %w", p.err)
		}
		if behind, err := s.behind(ctx, p, db); behind || err != nil {
			if r := new(Refusal); errors.As(err, &r) && (r.missing || r.Status == http.StatusForbidden) {
				return true, err // waiting changes neither
			}
			return false, errors.Join(errors.New("not caught up"), err)
		}
		found, err := s.Check(ctx, p, db, txns)
		if err != nil {
			return false, err
		}
		final := slices.ContainsFunc(found, func(f string) bool { return !strings.Contains(f, "lost") && !strings.Contains(f, "more") })
		return len(found) == 0 || final, complaint(found)
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.House.Tail())
	}
	return nil
}

func complaint(found []string) error {
	if len(found) == 0 {
		return nil
	}
	return errors.New(strings.Join(found, "\n"))
}

// behind compares counts, which is cheap, until a check is worth its cost.
func (s *Scene) behind(ctx context.Context, p *Process, db *dbsql.DB) (bool, error) {
	for _, t := range s.Tables {
		if !t.Keyed() {
			continue
		}
		sums := "SELECT count(*), coalesce(sum(tok), 0) FROM "
		var n, sum int64
		if err := db.QueryRowContext(ctx, sums+t.Name).Scan(&n, &sum); err != nil {
			return true, err
		}
		got, err := p.Numbers(ctx, sums+"silver."+t.Name)
		if err != nil {
			return true, err
		}
		if got[0] != n || got[1] != sum {
			return true, fmt.Errorf("silver.%s has %d rows, the database %d", t.Name, got[0], n)
		}
	}
	return false, nil
}

// Check holds every table's bronze and silver against the list and the database.
func (s *Scene) Check(ctx context.Context, p *Process, db querier, txns []*Txn) (found []string, err error) {
	for _, t := range s.Tables {
		landed, err := p.Bronze(ctx, Prefix, t)
		if err != nil {
			return nil, err
		}
		found = append(found, CheckBronze(t, txns, landed, s.Snapshots)...)
		if !t.Keyed() {
			continue
		}
		database, err := DatabaseRows(ctx, db, t)
		if err != nil {
			return nil, err
		}
		silver, err := p.SilverRows(ctx, t)
		if err != nil {
			return nil, err
		}
		found = append(found, CheckSilver(t, database, silver)...)
	}
	if len(found) == 0 {
		return s.checkPipelines(ctx, p)
	}
	return found, nil
}

// CrashHits counts the named points at which a process of this scene killed itself.
func (s *Scene) CrashHits() (map[string]int, error) {
	hits := map[string]int{}
	content, err := os.ReadFile(strings.TrimPrefix(s.House.Env[0], "TARN_CRASH_LOG="))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for name := range strings.FieldsSeq(string(content)) {
		hits[name]++
	}
	return hits, nil
}

// Listed counts the transactions that the list holds.
func (s *Scene) Listed() int {
	txns, err := ReadList(s.ListPath, -1)
	if err != nil {
		return 0
	}
	return len(txns)
}

// CopyDatabase copies a database's files as they are, as people do who make and put back
// backups by hand; nobody may write to it meanwhile. It removes what lies at the target.
func CopyDatabase(from, to string) error {
	for _, part := range []string{"", "-wal", "-journal", "-shm"} {
		if err := os.Remove(to + part); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if part == "-shm" {
			continue // made anew by whoever opens the database
		}
		content, err := os.ReadFile(from + part)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := os.WriteFile(to+part, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
