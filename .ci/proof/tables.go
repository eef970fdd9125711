package proof

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // the driver of the outside connections
)

// Token is the column that each table of a proof has: a number that no other version of
// any row has, so that a version can be found again wherever it went.
const Token = "tok"

// Column of a table; Key is its place in the primary key, from 1, or 0.
type Column struct {
	Name, Declared string
	Key            int
}

// Affinity is what SQLite makes of the column.
func (c Column) Affinity() Affinity { return AffinityOf(c.Declared) }

// Table is a table of the source database.
type Table struct {
	Name    string
	Columns []Column
	Tail    string // after the closing bracket of CREATE TABLE
	Unique  string // a column with a UNIQUE index, or ""
	Rows    int    // that Setup puts in
	Mess    bool   // its cells may be of any storage class
	BigText int    // the largest text, bytes; 0 for small ones
}

func (t *Table) keys() []int {
	var at []int
	for n := 1; n <= len(t.Columns); n++ {
		for i, c := range t.Columns {
			if c.Key == n {
				at = append(at, i)
			}
		}
	}
	return at
}

// Keyed tells whether the table has a mirror.
func (t *Table) Keyed() bool { return len(t.keys()) > 0 }

// list is the columns for a SELECT. The plus sign hides their declared types from the
// driver, which would make times and booleans of the cells.
func (t *Table) list() string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = `+"` + c.Name + `"`
	}
	return strings.Join(names, ", ")
}

// names is the columns as SQL names them.
func (t *Table) names() string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = `"` + c.Name + `"`
	}
	return strings.Join(names, ", ")
}

func (t *Table) tokenAt() int {
	for i, c := range t.Columns {
		if c.Name == Token {
			return i
		}
	}
	panic("proof: table " + t.Name + " has no token")
}

// Tables is the database that the proofs run on: each kind of key, and every mess that
// SQLite lets into a column.
func Tables() []*Table {
	tok := Column{Token, "INTEGER", 0}
	return []*Table{
		{Name: "ints", Unique: "name", Rows: 300, Columns: []Column{
			{"id", "INTEGER", 1}, tok, {"name", "TEXT", 0}, {"n", "INTEGER", 0}, {"x", "REAL", 0}, {"price", "DECIMAL(10,2)", 0},
		}},
		{Name: "texts", Rows: 300, Columns: []Column{{"code", "TEXT", 1}, tok, {"note", "VARCHAR(20)", 0}, {"b", "BLOB", 0}}},
		{Name: "pairs", Rows: 300, Tail: "WITHOUT ROWID", Columns: []Column{{"a", "INTEGER", 1}, {"v", "TEXT", 0}, tok, {"b", "TEXT", 2}}},
		{Name: "keyless", Rows: 300, Columns: []Column{tok, {"note", "TEXT", 0}, {"x", "DOUBLE", 0}}},
		{Name: "mess", Rows: 300, Mess: true, Columns: []Column{
			{"id", "INTEGER", 1},
			tok,
			{"i", "BIGINT", 0},
			{"r", "REAL", 0},
			{"t", "TEXT", 0},
			{"b", "BLOB", 0},
			{"dec", "DECIMAL(12,3)", 0},
			{"at", "DATETIME", 0},
			{"yes", "BOOLEAN", 0},
			{"num", "NUMERIC", 0},
		}},
		{Name: "big", Rows: 20_000, BigText: 200_000, Columns: []Column{{"id", "INTEGER", 1}, tok, {"body", "TEXT", 0}}},
	}
}

// OpenSource is an outside connection to a source database: its own, one at a time, that
// waits for others' locks. What it has committed is on the disk, the folder's entry of the
// journal included, which synchronous=FULL leaves to chance. mode is its journal mode, "" to leave that as it is.
func OpenSource(path, mode string) (*dbsql.DB, error) {
	q := url.Values{"_pragma": {"busy_timeout(20000)", "synchronous(EXTRA)"}}
	if mode != "" {
		q.Add("_pragma", "journal_mode("+mode+")")
	}
	db, err := dbsql.Open("sqlite", "file:"+path+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// Setup makes the tables with their first rows and writes these into the list, as
// changes from before there was a Tarn.
func Setup(ctx context.Context, path, mode string, tables []*Table, l *List) error {
	db, err := OpenSource(path, mode)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	w := &Writer{conn: conn, tables: tables, list: l, rnd: rand.New(rand.NewPCG(1, 1)), next: 1}
	for _, t := range tables {
		if _, err := conn.ExecContext(ctx, t.ddl()); err != nil {
			return fmt.Errorf("make %s: %w", t.Name, err)
		}
		if err := w.transact(ctx, func() error { return w.fill(ctx, t) }); err != nil {
			return fmt.Errorf("fill %s: %w", t.Name, err)
		}
	}
	return nil
}

func (t *Table) ddl() string {
	var cols, keys []string
	for _, c := range t.Columns {
		cols = append(cols, fmt.Sprintf("%q %s", c.Name, c.Declared))
	}
	for _, i := range t.keys() {
		keys = append(keys, t.Columns[i].Name)
	}
	if len(keys) > 0 {
		cols = append(cols, "PRIMARY KEY ("+strings.Join(keys, ", ")+")")
	}
	if t.Unique != "" {
		cols = append(cols, "UNIQUE ("+t.Unique+")")
	}
	return fmt.Sprintf("CREATE TABLE %s (%s) %s; CREATE INDEX %s_tok ON %s(tok)", t.Name, strings.Join(cols, ", "), t.Tail, t.Name, t.Name)
}

// querier is a connection, a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*dbsql.Rows, error)
}

// read calls each with every row of a table that a clause selects.
func (t *Table) read(ctx context.Context, q querier, clause string, args []any, each func(row []Cell) error) (err error) {
	rows, err := q.QueryContext(ctx, "SELECT "+t.list()+" FROM "+t.Name+" "+clause, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	defer func() { _ = rows.Close() }()
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range into {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := make([]Cell, len(values))
		for i, v := range values {
			if row[i], err = sqliteCell(v); err != nil {
				return fmt.Errorf("%s.%s: %w", t.Name, t.Columns[i].Name, err)
			}
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}
