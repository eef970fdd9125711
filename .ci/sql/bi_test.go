//go:build duckdb_arrow

package sql_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/peertest"
	"tarn/ingest/cdc/postgres/pgtest"
)

// ordersInPostgres makes in PostgreSQL what fixture.py makes in Tarn, and the same view.
const ordersInPostgres = `CREATE SCHEMA sales;
CREATE TABLE sales.orders (id bigint PRIMARY KEY, name text, amt numeric(10,2), ts timestamp, d date, b boolean, tags text[]);
COMMENT ON TABLE sales.orders IS 'orders of the shop';
INSERT INTO sales.orders VALUES (1, 'ann', 12.50, '2026-01-02 03:04:05.678901', '2026-01-02', true, '{a,b}'), (2, 'bob', -0.01, '1969-12-31 23:59:59', '0001-01-01', false, '{}'),
	(3, E'çä"''\\', 99999999.99, '9999-12-31 23:59:59.999999', '9999-12-31', NULL, NULL);
CREATE VIEW sales.v AS SELECT id, name FROM sales.orders`

// beside connects to Tarn's door and to a PostgreSQL that has the same table.
func beside(t *testing.T) (theirs, ours *pgx.Conn) {
	t.Helper()
	server := pgtest.Start(t)
	open := func(url string) *pgx.Conn {
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
		return c
	}
	theirs = open(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", server.Port))
	for text := range strings.SplitSeq(ordersInPostgres, ";\n") {
		if _, err := theirs.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	host, port := orders(t)
	return theirs, open("postgres://" + user + "@" + net.JoinHostPort(host, port) + "/lake?sslmode=disable")
}

// said is what a server answers: names and types of columns, and rows as texts; or the code of an error.
type said struct {
	columns, types []string
	rows           []string
	some           []bool // whether a column has a value
	state, message string
}

func ask(t *testing.T, c *pgx.Conn, text string) (out said) {
	t.Helper()
	r := c.PgConn().ExecParams(t.Context(), text, nil, nil, nil, nil).Read()
	if r.Err != nil {
		var told *pgconn.PgError
		if !errors.As(r.Err, &told) {
			t.Fatalf("%s: %v", text, r.Err)
		}
		return said{state: told.Code, message: told.Message}
	}
	for _, f := range r.FieldDescriptions {
		out.columns = append(out.columns, f.Name)
		name := fmt.Sprint(f.DataTypeOID)
		if known, ok := c.TypeMap().TypeForOID(f.DataTypeOID); ok {
			name = known.Name
		}
		out.types = append(out.types, name)
	}
	out.some = make([]bool, len(out.columns))
	for _, row := range r.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = "NULL"
			if cell != nil {
				cells[i], out.some[i] = fmt.Sprintf("%q", cell), true
			}
		}
		out.rows = append(out.rows, strings.Join(cells, ", "))
	}
	return out
}

// families are types that a program reads in one way: those of the catalog have texts and numbers for them here.
var families = map[string]string{
	"name": "text", "varchar": "text", "bpchar": "text", "char": "text", "24": "text", "regproc": "text", "194": "text", "pg_node_tree": "text", "unknown": "text", "xid": "number", "28": "number",
	"int2": "number", "int4": "number", "int8": "number", "oid": "number", "float4": "number", "float8": "number", "numeric": "number", "timestamptz": "time", "timestamp": "time",
}

func family(name string) string {
	if f, ok := families[name]; ok {
		return f
	}
	if strings.HasPrefix(name, "_") || name == "22" || name == "30" || name == "1034" || name == "2277" { // lists, vectors and anyarray
		return "list"
	}
	return name
}

// TestBI says each statement of bi.sql to PostgreSQL and to Tarn: the columns are the same, and the rows where it says so.
func TestBI(t *testing.T) {
	theirs, ours := beside(t)
	text, err := os.ReadFile(filepath.Join("testdata", "bi.sql"))
	if err != nil {
		t.Fatal(err)
	}
	what, statements := "", 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(line, "-- "); ok {
			what = comment
			continue
		}
		statement, ok := strings.CutSuffix(line, ";")
		if !ok {
			continue
		}
		statements++
		want, got := ask(t, theirs, statement), ask(t, ours, statement)
		if want.state != "" {
			t.Errorf("%s: PostgreSQL refuses it: %s %s\n%s", what, want.state, want.message, statement)
			continue
		}
		if got.state != "" {
			t.Errorf("%s: %s %s\n%s", what, got.state, got.message, statement)
			continue
		}
		if at := slices.Index(got.columns, "daticurules"); at >= 0 && !slices.Contains(want.columns, "daticurules") { // of PostgreSQL 16
			got.columns, got.types = slices.Delete(got.columns, at, at+1), slices.Delete(got.types, at, at+1)
		}
		if !slices.Equal(got.columns, want.columns) {
			t.Errorf("%s: the columns are %v, want %v\n%s", what, got.columns, want.columns, statement)
			continue
		}
		for i, typ := range want.types {
			if want.some[i] && family(got.types[i]) != family(typ) { // a bare NULL has no type of its own
				t.Errorf("%s: %s is %s, want %s\n%s", what, want.columns[i], got.types[i], typ, statement)
			}
		}
		if strings.HasSuffix(what, "; same") && !slices.Equal(got.rows, want.rows) {
			t.Errorf("%s: the rows are\n%s\nwant\n%s\n%s", what, strings.Join(got.rows, "\n"), strings.Join(want.rows, "\n"), statement)
		}
		if len(want.rows) > 0 && len(got.rows) == 0 {
			t.Errorf("%s: there are no rows\n%s", what, statement)
		}
	}
	if statements < 50 {
		t.Errorf("bi.sql has %d statements", statements)
	}
}

// TestDialectBesidePostgres says each line of dialect.sql to PostgreSQL and to Tarn: values, types and errors are the same.
func TestDialectBesidePostgres(t *testing.T) {
	theirs, ours := beside(t)
	text, err := os.ReadFile(filepath.Join("testdata", "dialect.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		statement := strings.TrimSpace(line)
		if statement == "" || strings.HasPrefix(statement, "--") {
			continue
		}
		want, got := ask(t, theirs, statement), ask(t, ours, statement)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\n  Tarn       %v\n  PostgreSQL %v", statement, got, want)
		}
	}
}

// TestSuperset drives Superset's engine specs for PostgreSQL and Trino, by Superset itself, which has an environment of its own.
func TestSuperset(t *testing.T) {
	interpreter := os.Getenv("SUPERSET_PYTHON")
	if interpreter == "" {
		peertest.Missing(t, "SUPERSET_PYTHON names no interpreter with apache-superset")
	}
	ports, data := lake(t)
	python(t, "pyiceberg", "fixture.py", filepath.Join(data, "lake"))
	host, port, err := net.SplitHostPort(ports["postgres"])
	if err != nil {
		t.Fatal(err)
	}
	if out, err := psql(t, host, port, "CREATE VIEW sales.v AS SELECT id, name FROM sales.orders"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, interpreter, filepath.Join("testdata", "superset_specs.py"),
		"postgresql://"+user+"@"+ports["postgres"]+"/lake", "trino://me@"+ports["trino"]+"/lake").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestADBCPostgres asks by ADBC's driver for PostgreSQL.
func TestADBCPostgres(t *testing.T) {
	host, port := orders(t)
	python(t, "adbc_driver_postgresql", "adbc_postgres.py", "postgresql://"+user+"@"+net.JoinHostPort(host, port)+"/lake")
}
