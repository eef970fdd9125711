package sampledata_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	sampledata "tarn/sample-data"
)

// heard is a log that tells of its first line.
type heard chan struct{}

func (heard) Enabled(context.Context, slog.Level) bool { return true }
func (h heard) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h heard) WithGroup(string) slog.Handler          { return h }
func (h heard) Handle(context.Context, slog.Record) error {
	select {
	case h <- struct{}{}:
	default:
	}
	return nil
}

func TestRunWaitsForABusyDatabase(t *testing.T) {
	dir, dbPath := prepare(t)
	other, err := openDB(t, escape(dbPath)).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	busy := make(heard, 1)
	done := make(chan error, 1)
	go func() {
		done <- sampledata.Run(t.Context(), dir, sampledata.Options{Steps: 1, Speed: 1e12, Log: slog.New(busy)})
	}()
	select {
	case err := <-done:
		t.Fatalf("Run ended while another held the database: %v", err)
	case <-busy:
	}
	if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Run after the other let go: %v", err)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	dir, _ := prepare(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sampledata.Run(ctx, dir, sampledata.Options{Speed: 15000}) }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run at its end: %v", err)
	}
}

func TestRunNeverMakesADatabase(t *testing.T) {
	dir := t.TempDir()
	err := sampledata.Run(t.Context(), dir, sampledata.Options{Steps: 1})
	if err == nil {
		t.Error("Run wrote to a database that was not there")
	}
}

// TestRunGoesOnWhenRowsAreChanged: the database is everybody's. What somebody inserts or deletes is taken as it is.
func TestRunGoesOnWhenRowsAreChanged(t *testing.T) {
	dir, dbPath := prepare(t)
	db := openDB(t, escape(dbPath))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sampledata.Run(ctx, dir, sampledata.Options{Speed: 15000}) }()
	// goesOn waits for fifty steps more.
	goesOn := func() {
		t.Helper()
		for begun := number(t, db, "PRAGMA user_version"); number(t, db, "PRAGMA user_version") < begun+50; {
			select {
			case err := <-done:
				t.Fatalf("Run ended: %v", err)
			case <-time.After(time.Millisecond):
			}
		}
	}
	goesOn()
	for _, change := range []string{
		"INSERT INTO moves (call_id, container, kind, crane, weight_kg, moved_at) SELECT id, 'TRNU0000000', 'shift', 'A', 1, eta FROM calls LIMIT 1",
		"DELETE FROM calls WHERE status = 'berthed'", // this connection does not ask for foreign keys
		"DELETE FROM truck_visits",
		"UPDATE containers SET in_at = 'yesterday'",
	} {
		if _, err := db.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		goesOn()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRunTellsOfADatabaseThatIsNotItsOwn: it says what to do, and writes nothing.
func TestRunTellsOfADatabaseThatIsNotItsOwn(t *testing.T) {
	dir, dbPath := prepare(t)
	if _, err := openDB(t, escape(dbPath)).ExecContext(t.Context(), "DROP TABLE customs_holds"); err != nil {
		t.Fatal(err)
	}
	if err := sampledata.Run(t.Context(), dir, sampledata.Options{Steps: 1}); err == nil || !strings.Contains(err.Error(), "move "+dir+" away") {
		t.Errorf("Run says %v", err)
	}
}
