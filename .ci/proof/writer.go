package proof

import (
	"bufio"
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// WriterConfig is what an outside writer is told.
type WriterConfig struct {
	Database string        `json:"database"`
	List     string        `json:"list"`
	Seed     uint64        `json:"seed"`
	Every    time.Duration `json:"every"` // from one transaction to the next
	From     int64         `json:"from"`  // the first token that nobody has used
	Only     []string      `json:"only"`  // tables to write to; all where empty
}

// Writer is an outside application: it knows nothing of Tarn.
type Writer struct {
	conn   *dbsql.Conn
	tables []*Table
	list   *List
	rnd    *rand.Rand

	next     int64 // the next token
	txn      int64
	captured map[string]bool // of the open transaction
	events   []Event         // of the open transaction
}

// RunWriter writes until it is told to stop. Commands come one a line: "pause" and "stop"
// are answered, when no transaction is open, with the next token; "go" goes on.
func RunWriter(ctx context.Context, c WriterConfig, commands io.Reader, answers io.Writer) error {
	db, err := OpenSource(c.Database, "")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	list, err := NewList(c.List)
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }()
	w := &Writer{conn: conn, list: list, rnd: rand.New(rand.NewPCG(c.Seed, 7)), next: c.From, txn: c.From}
	for _, t := range Tables() {
		if len(c.Only) == 0 || strings.Contains(" "+strings.Join(c.Only, " ")+" ", " "+t.Name+" ") {
			w.tables = append(w.tables, t)
		}
	}
	return w.run(ctx, c.Every, lines(commands), answers)
}

func lines(r io.Reader) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		for in := bufio.NewScanner(r); in.Scan(); {
			out <- in.Text()
		}
	}()
	return out
}

func (w *Writer) run(ctx context.Context, every time.Duration, commands <-chan string, answers io.Writer) error {
	pace := time.NewTicker(every)
	defer pace.Stop()
	paused := false
	for {
		select {
		case c, open := <-commands:
			if !open {
				return nil // the proof is gone
			}
			paused = c == "pause"
			if c == "go" {
				continue
			}
			if _, err := fmt.Fprintf(answers, "%d\n", w.next); err != nil || c == "stop" {
				return err
			}
		case <-pace.C:
			if paused {
				continue
			}
			if err := w.transact(ctx, func() error { return w.some(ctx) }); err != nil {
				return err
			}
		}
	}
}

// errRollBack makes transact roll back what was done.
var errRollBack = errors.New("rolled back on purpose")

// transact runs one transaction and keeps the list.
func (w *Writer) transact(ctx context.Context, do func() error) error {
	if err := w.patiently(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	w.txn++
	w.events, w.captured = nil, map[string]bool{}
	err := w.look(ctx)
	if err == nil {
		err = do()
	}
	if errors.Is(err, errRollBack) {
		_, err := w.conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
	if err != nil {
		return fmt.Errorf("transaction %d: %w", w.txn, err)
	}
	if err := w.list.put(entry{Txn: w.txn, Events: w.events}); err != nil {
		return err
	}
	if err := w.patiently(ctx, "COMMIT"); err != nil {
		return err
	}
	return w.list.put(entry{Txn: w.txn, Settled: "committed"})
}

// look finds which tables have Tarn's triggers now.
func (w *Writer) look(ctx context.Context) error {
	rows, err := w.conn.QueryContext(ctx, `SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '\_tarn\_%' ESCAPE '\'`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		w.captured[name] = true
	}
	return rows.Err()
}

// busyWithin is how long somebody else may keep the database from a writer.
const busyWithin = 3 * time.Minute

// patiently repeats a statement while others hold the database.
func (w *Writer) patiently(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, busyWithin)
	defer cancel()
	return Until(ctx, func() (bool, error) {
		_, err := w.conn.ExecContext(ctx, statement)
		var e *sqlite.Error
		if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY {
			return false, fmt.Errorf("%s: %w", statement, err)
		}
		return true, err
	})
}

// apply runs one statement that may touch the rows of where and makes rows with tokens
// from the writer's next on, fresh of them at most; it writes down what became of them.
func (w *Writer) apply(ctx context.Context, t *Table, where string, args []any, fresh int64, statement string, with ...any) error {
	touched := map[int64]string{}
	var order []int64
	if where != "" {
		err := t.read(ctx, w.conn, "WHERE "+where, args, func(row []Cell) error {
			v := tokenOf(t, row)
			touched[v], order = t.Key(row), append(order, v)
			return nil
		})
		if err != nil {
			return err
		}
	}
	from := w.next
	w.next += fresh
	if _, err := w.conn.ExecContext(ctx, statement, with...); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	for _, v := range order {
		there := false
		if err := t.read(ctx, w.conn, "WHERE tok = ?", []any{v}, func([]Cell) error { there = true; return nil }); err != nil {
			return err
		}
		if !there {
			w.events = append(w.events, Event{Table: t.Name, Key: touched[v], Token: v, Captured: w.captured[t.Name]})
		}
	}
	return t.read(ctx, w.conn, "WHERE tok >= ? AND tok < ? ORDER BY tok", []any{from, w.next}, func(row []Cell) error {
		w.events = append(w.events, Event{
			Table: t.Name, Key: t.Key(row), Token: tokenOf(t, row), Born: true, Sum: t.Sum(row), Captured: w.captured[t.Name],
		})
		return nil
	})
}

func tokenOf(t *Table, row []Cell) int64 {
	var v int64
	if _, err := fmt.Sscanf(string(row[t.tokenAt()]), "i:%d", &v); err != nil {
		return 0
	}
	return v
}
