//go:build duckdb_arrow

// Package tpch is TPC-H's tables and queries, for the bench and for the tests of the doors: the tables land in a lake by the
// lake's own committer, and a bare DuckDB reads the very files.
package tpch

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/disk"
	"tarn/embedded/duck"
	"tarn/embedded/life"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

//go:embed queries.sql
var text string

var query = regexp.MustCompile(`(?ms)^-- (q\d+)\n(.*?);$`)

// Query is one of the 22.
type Query struct{ Name, Text string }

// Queries are all of them, in order. They run in DuckDB and in Trino, and name their tables without a schema.
func Queries() (out []Query) {
	for _, m := range query.FindAllStringSubmatch(text, -1) {
		out = append(out, Query{m[1], m[2]})
	}
	return out
}

// Tables are TPC-H's.
var Tables = [...]string{"nation", "region", "supplier", "customer", "part", "partsupp", "orders", "lineitem"}

// Schema is where they land.
const Schema = "silver"

const commitRows = 1_000_000

// Generator is tpchgen-cli (of PyPI): TPCHGEN, or where .ci/run and .ci/bench/run install it. It need not be there.
func Generator() string {
	if program := os.Getenv("TPCHGEN"); program != "" {
		return program
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "tpchgen-cli"
	}
	return filepath.Join(cache, "tarn-ci", "tpch", "bin", "tpchgen-cli")
}

// Files are the Parquet files of each table.
type Files map[string][]string

// Fill makes the tables of a scale and lands them in the lake of a folder, in which nobody else works meanwhile. What is
// made on the way is in a folder of its own, raw.
func Fill(ctx context.Context, scale, dir, raw string) (files Files, err error) {
	made := exec.CommandContext(ctx, Generator(), "parquet", "--scale-factor", scale, "--output-dir", raw) //nolint:gosec // of who runs it
	if out, err := made.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make TPC-H's tables: %w: %s", err, out)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := lake.Open(ctx, lake.Options{
		Dir: dir, Disk: disk.Local, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler), MemoryBytes: 1 << 30, Threads: 2, TempDir: dir,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	in, err := duck.Open(ctx, duck.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	conn, err := in.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	files = Files{}
	for _, name := range Tables {
		if files[name], err = land(ctx, l, conn, name, filepath.Join(raw, name+".parquet")); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return files, nil
}

func land(ctx context.Context, l *lake.Lake, conn *duck.Conn, name, file string) (files []string, _ error) {
	id := table.Ident{Namespace: Schema, Name: name}
	columns, err := columnsOf(ctx, conn, file)
	if err != nil {
		return nil, err
	}
	t, err := l.Tables().Ensure(ctx, table.Spec{Ident: id, Columns: columns})
	if err != nil {
		return nil, err
	}
	if err := copyRows(ctx, t, conn, file); err != nil {
		return nil, err
	}
	scan, err := l.Catalog().Scan(ctx, id, catalog.At{})
	if err != nil {
		return nil, err
	}
	defer scan.Release()
	for _, f := range scan.Files {
		files = append(files, f.Path)
	}
	return files, nil
}

func columnsOf(ctx context.Context, conn *duck.Conn, file string) (out []table.Column, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet("+duck.Quote(file)+"))")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var column, typ string
		if err := rows.Scan(&column, &typ); err != nil {
			return nil, err
		}
		stored, _, ok := duck.Stored(typ)
		if !ok {
			return nil, fmt.Errorf("column %s has type %s", column, typ)
		}
		out = append(out, table.Column{Name: column, Type: stored})
	}
	return out, rows.Err()
}

// copyRows commits a file's rows in parts.
func copyRows(ctx context.Context, t table.Table, conn *duck.Conn, file string) error {
	reader, err := conn.Arrow(ctx, "SELECT * FROM read_parquet("+duck.Quote(file)+")")
	if err != nil {
		return err
	}
	defer reader.Release()
	var held []arrow.RecordBatch
	n := int64(0)
	commit := func() error {
		if n == 0 {
			return nil
		}
		_, err := t.Commit(ctx, table.Change{Rows: held})
		for _, b := range held {
			b.Release()
		}
		held, n = nil, 0
		return err
	}
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		held, n = append(held, batch), n+batch.NumRows()
		if n < commitRows {
			continue
		}
		if err := commit(); err != nil {
			return err
		}
	}
	return errors.Join(reader.Err(), commit())
}

// Of is a table as DuckDB alone reads it, in a FROM.
func (f Files) Of(name string) string {
	quoted := make([]string, len(f[name]))
	for i, path := range f[name] {
		quoted[i] = duck.Quote(path)
	}
	return "read_parquet([" + strings.Join(quoted, ", ") + "])"
}

// Views gives a connection of a DuckDB the tables under their names.
func (f Files) Views(ctx context.Context, conn *duck.Conn) error {
	for _, name := range Tables {
		if err := conn.Exec(ctx, "CREATE VIEW "+name+" AS SELECT * FROM "+f.Of(name)); err != nil {
			return err
		}
	}
	return nil
}
