//go:build duckdb_arrow

// Package state is what a stateful pipeline remembers: one DuckDB file with the tables of its
// operators, an outbox of what its sink has not committed, and how far it has come. A tick
// is one transaction over all of them, so that a crash finds either all of a tick or nothing
// of it. It knows no topic and no table of the lake.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/disk"
	"tarn/embedded/duck"
	"tarn/stream/operator"
	"tarn/stream/plan"
)

// The tables beside those of operators.
const (
	progressTable = "tarn_progress"
	outboxTable   = "tarn_outbox"
	epochColumn   = "_epoch"
)

// lookMemoryBytes is what DuckDB may take to open a state whose columns alone are asked for.
const lookMemoryBytes = 64 << 20

// ErrUnusable is the cause of every fault for a state that cannot be gone on with: damaged, of another
// plan, of an engine that this one does not read. The log has all that is needed to make it again.
var ErrUnusable = errors.New("the state cannot be used")

var errOther = errors.New("it was made for another plan of the statement, or by another version")

// Progress is how far a pipeline has come, kept with its state.
type Progress struct {
	Epoch int64            `json:"epoch"` // of the last tick
	Plan  string           `json:"plan"`  // plan.Hash
	Parts map[string]*Part `json:"parts"` // by "scan/partition"
	// Loaded tells that all mirrors were read; until then nothing is committed.
	Loaded bool `json:"loaded,omitempty"`
	// Published is the last epoch that the table was known to have.
	Published int64 `json:"published"`
	// Closed is how far windows have been closed.
	Closed operator.Closing `json:"closed"`
}

// Part is one partition of a scan. Times are microseconds since 1970.
type Part struct {
	Topic   string `json:"topic"` // the topic's id
	Next    int64  `json:"next"`  // the offset to read next
	Seen    bool   `json:"seen,omitempty"`
	Highest int64  `json:"highest,omitempty"` // the highest time seen, where Seen
	Flushed int64  `json:"flushed"`           // None for never
	Idle    bool   `json:"idle,omitempty"`    // does not hold the watermark
	Told    bool   `json:"told,omitempty"`    // Mark was decided
	Mark    int64  `json:"mark,omitempty"`    // where Told, what ends at or before it is closed: of late_policy 'global'
}

// None is a time before all others.
const None = operator.None

// Key names a partition of a scan.
func Key(scan int, partition int32) string { return fmt.Sprintf("%d/%d", scan, partition) }

// Clone copies it.
func (p *Progress) Clone() Progress {
	out := *p
	out.Parts = make(map[string]*Part, len(p.Parts))
	for k, v := range p.Parts {
		one := *v
		out.Parts[k] = &one
	}
	return out
}

// Options of a state.
type Options struct {
	Name        string // of the pipeline
	Path        string // of the file; "" keeps all in memory
	TempDir     string
	MemoryBytes int64
}

// State is an open state. One goroutine uses it.
type State struct {
	o        Options
	plan     *plan.Plan
	instance *duck.Instance
	conn     *duck.Conn
	probe    *disk.Probe // nil for a state in memory
	Progress Progress
	filled   map[string]bool // relations that may have rows
	pruned   int64           // the outbox has no epochs up to this one
	waiting  []waiting       // the outbox, where it is no table
}

// Open opens a pipeline's state, or begins one. A fault with ErrUnusable where the file is of no use.
func Open(ctx context.Context, o Options, p *plan.Plan) (*State, error) {
	s := &State{o: o, plan: p, filled: map[string]bool{}}
	_, err := os.Stat(o.Path)
	fresh := o.Path == "" || errors.Is(err, os.ErrNotExist)
	if err := s.open(ctx, fresh); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *State) open(ctx context.Context, fresh bool) (err error) {
	s.instance, err = duck.Open(ctx, duck.Options{Path: s.o.Path, MemoryBytes: s.o.MemoryBytes, Threads: 1, TempDir: s.o.TempDir, Sandbox: true, Folders: s.folders()})
	if err != nil {
		return s.unusable(err, fresh)
	}
	if s.conn, err = s.instance.Conn(ctx); err != nil {
		return err
	}
	if s.o.Path != "" {
		if s.probe, err = disk.OpenProbe(filepath.Dir(s.o.Path)); err != nil {
			return err
		}
	}
	for _, scan := range s.plan.Scans {
		if err := s.exec(ctx, scan.Empty()); err != nil {
			return err
		}
	}
	if fresh {
		err = s.begin(ctx)
	} else {
		err = s.resume(ctx)
	}
	if err != nil {
		return err
	}
	for _, op := range s.plan.Operators {
		if err := s.exec(ctx, op.Empty()); err != nil {
			return s.unusable(err, fresh)
		}
	}
	return nil
}

// Columns are those that the state in a file has of an operator's rows; none where there is no file. Nobody may have it open.
func Columns(ctx context.Context, path string, op *operator.Keyed) ([]string, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	s := &State{o: Options{Path: path, MemoryBytes: lookMemoryBytes}}
	var err error
	if s.instance, err = duck.Open(ctx, duck.Options{Path: path, MemoryBytes: lookMemoryBytes, Threads: 1, Sandbox: true}); err == nil {
		s.conn, err = s.instance.Conn(ctx)
	}
	var out []string
	if err == nil {
		out, err = s.columnsOf(ctx, op.Held())
	}
	return out, errors.Join(err, s.Close())
}

func (s *State) columnsOf(ctx context.Context, of string) (out []string, err error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT column_name FROM (DESCRIBE "+duck.Ident(of)+")")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if name != operator.Generation {
			out = append(out, name)
		}
	}
	return out, rows.Err()
}

func (s *State) folders() []string {
	if s.o.TempDir == "" {
		return nil
	}
	return []string{s.o.TempDir}
}

// begin makes the tables, all in one transaction.
func (s *State) begin(ctx context.Context) error {
	s.Progress = Progress{Plan: s.plan.Hash, Parts: map[string]*Part{}, Closed: operator.Closing{Mark: None, Flushed: None}}
	if err := s.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	// Later operators read the relations of earlier ones, so these are made in order.
	for _, op := range s.plan.Operators {
		for _, set := range append(op.Setup(), op.Empty()) {
			if err := s.exec(ctx, set); err != nil {
				return err
			}
		}
	}
	for _, set := range []string{
		fmt.Sprintf("CREATE TABLE %s AS SELECT 0::BIGINT AS %s, * FROM (%s) LIMIT 0", outboxTable, epochColumn, s.plan.Output),
		fmt.Sprintf("CREATE TABLE %s (doc VARCHAR)", progressTable),
		fmt.Sprintf("INSERT INTO %s VALUES ('{}')", progressTable),
	} {
		if err := s.exec(ctx, set); err != nil {
			return err
		}
	}
	if err := s.save(ctx); err != nil {
		return err
	}
	return s.commit(ctx)
}

// commit ends a transaction. The disk is asked first whether it takes writes, while all can be taken back. A commit that fails is not
// known to be undone: the state has to be closed, and tells when it is opened how far it has come.
func (s *State) commit(ctx context.Context) error {
	if s.probe != nil {
		if err := s.probe.Ask(); err != nil {
			return fmt.Errorf("the disk of %s takes no writes: %w", filepath.Dir(s.o.Path), err)
		}
	}
	return s.always(ctx, "COMMIT")
}

// resume reads how far the state has come.
func (s *State) resume(ctx context.Context) error {
	var doc string
	if err := s.conn.QueryRowContext(ctx, "SELECT doc FROM "+progressTable).Scan(&doc); err != nil {
		return s.unusable(err, false)
	}
	if json.Unmarshal([]byte(doc), &s.Progress) != nil {
		return s.unusable(errOther, false)
	}
	if s.Progress.Plan != s.plan.Hash {
		return s.unusable(errOther, false)
	}
	return nil
}

func (s *State) unusable(err error, fresh bool) error {
	if fresh || !errors.Is(err, errOther) && !duck.Unreadable(err) {
		return fmt.Errorf("open the state %s: %w", s.o.Path, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnusable, s.o.Path, err)
}

// Close closes the file.
func (s *State) Close() error {
	s.forget(func(int64) bool { return true })
	var errs []error
	if s.probe != nil {
		errs = append(errs, s.probe.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.instance != nil {
		errs = append(errs, s.instance.Close())
	}
	return errors.Join(errs...)
}

// SetAside renames a state's file, so that a new one is begun and the old one can be looked at.
func SetAside(path string, now time.Time) error {
	aside := strings.TrimSuffix(path, ".duckdb") + ".unusable-" + now.UTC().Format("20060102-150405")
	for _, suffix := range []string{"", ".wal"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Remove deletes a state's file for good.
func Remove(path string) error {
	for _, suffix := range []string{"", ".wal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(strings.TrimSuffix(path, ".duckdb") + ".tmp")
}

func (s *State) exec(ctx context.Context, text string, args ...any) error {
	if err := s.conn.Exec(ctx, text, args...); err != nil {
		return fmt.Errorf("%w (in %.200s)", err, text)
	}
	return nil
}

// always is exec for a text that a tick has again and again.
func (s *State) always(ctx context.Context, text string, args ...any) error {
	if _, err := s.conn.Always(ctx, text, args...); err != nil {
		return fmt.Errorf("%w (in %.200s)", err, text)
	}
	return nil
}

func (s *State) save(ctx context.Context) error {
	doc, err := json.Marshal(s.Progress)
	if err != nil {
		return err
	}
	return s.always(ctx, "UPDATE "+progressTable+" SET doc = ?", string(doc))
}

// Rows is one tick's rows of a scan.
type Rows struct {
	Schema  *arrow.Schema
	Batches []arrow.RecordBatch
}

// query runs a query and hands its batches on, which are the reader's.
func (s *State) query(ctx context.Context, text string, each func(arrow.RecordBatch) error) error {
	reader, err := s.conn.Arrow(ctx, text)
	if err != nil {
		return err
	}
	defer reader.Release()
	for reader.Next() {
		if err := each(reader.RecordBatch()); err != nil {
			return err
		}
	}
	return reader.Err()
}

// columnOf reads a column of whole numbers.
func columnOf(b arrow.RecordBatch, i int) func(row int) (int64, bool) {
	switch c := b.Column(i).(type) {
	case *array.Int64:
		return func(row int) (int64, bool) { return c.Value(row), c.IsValid(row) }
	case *array.Int32:
		return func(row int) (int64, bool) { return int64(c.Value(row)), c.IsValid(row) }
	}
	return func(int) (int64, bool) { return 0, false }
}
