//go:build duckdb_arrow

package sql_test

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	proof "tarn/.ci/proof"
)

// TestColumnsKeepTheirDefaultAndLength: what CREATE TABLE says of a column is heeded by all that writes rows, at every door, also after a restart and another name.
func TestColumnsKeepTheirDefaultAndLength(t *testing.T) {
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	h := proof.Empty(t, binary)
	p, err := h.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	ports, err := h.Ports()
	if err != nil {
		t.Fatal(err)
	}
	c := postgresAt(t, ports["postgres"])
	must(t, c, `CREATE TABLE gold.made (id int PRIMARY KEY, state varchar(5) NOT NULL DEFAULT 'new', n bigint DEFAULT -3, price numeric(10,2) DEFAULT 1.50, ok boolean DEFAULT true,
		day date DEFAULT '2026-02-28'::date, note text DEFAULT 'it''s', plain text, at timestamp DEFAULT TIMESTAMP '2026-01-02 03:04:05')`)
	const rest = "|it's|<null>|2026-01-02 03:04:05"
	want := []string{}
	for _, of := range []struct{ statement, row string }{
		{`INSERT INTO gold.made (id) VALUES (1)`, "1|new|-3|1.50|t|2026-02-28" + rest},
		{`INSERT INTO gold.made VALUES (2)`, "2|new|-3|1.50|t|2026-02-28" + rest},
		{`INSERT INTO gold.made (id, n, state) VALUES (3, NULL, 'old')`, "3|old|<null>|1.50|t|2026-02-28" + rest},
		{`INSERT INTO gold.made (id, n, state) VALUES (4, DEFAULT, DEFAULT)`, "4|new|-3|1.50|t|2026-02-28" + rest},
		{`INSERT INTO gold.made (id, n) SELECT 5, 7`, "5|new|7|1.50|t|2026-02-28" + rest},
		{`INSERT INTO gold.made (id) VALUES (6) ON CONFLICT (id) DO NOTHING`, "6|new|-3|1.50|t|2026-02-28" + rest},
		{`MERGE INTO gold.made m USING (SELECT 7 AS id) s ON m.id = s.id WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, DEFAULT)`, "7|new|-3|1.50|t|2026-02-28" + rest},
		{`INSERT INTO gold.made (id, n, ok) VALUES (8, 9, false)`, "8|new|9|1.50|f|2026-02-28" + rest},
	} {
		must(t, c, of.statement)
		want = append(want, of.row)
	}
	must(t, c, `UPDATE gold.made SET n = DEFAULT WHERE id = 8`)
	want[7] = "8|new|-3|1.50|f|2026-02-28" + rest
	if _, err := c.CopyFrom(t.Context(), pgx.Identifier{"gold", "made"}, []string{"id"}, pgx.CopyFromRows([][]any{{int32(9)}})); err != nil {
		t.Error(err)
	}
	if _, err := c.Exec(t.Context(), `INSERT INTO gold.made (id, plain) VALUES ($1, $2)`, 10, "p"); err != nil {
		t.Error(err)
	}
	want = append(want, "9|new|-3|1.50|t|2026-02-28"+rest, "10|new|-3|1.50|t|2026-02-28|it's|p|2026-01-02 03:04:05")
	if status, body := post(t, ports["http"], "application/json", "INSERT INTO gold.made (id) VALUES (11)"); status != 200 {
		t.Errorf("%d: %s", status, body)
	}
	if _, err := flightAt(t, ports["flight"]).ExecuteUpdate(t.Context(), "INSERT INTO gold.made (id) VALUES (12)"); err != nil {
		t.Error(err)
	}
	want = append(want, "11|new|-3|1.50|t|2026-02-28"+rest, "12|new|-3|1.50|t|2026-02-28"+rest)
	rowsAre(t, c, want)
	for _, statement := range []string{`INSERT INTO gold.made (id, state) VALUES (20, 'longer')`, `UPDATE gold.made SET state = 'longer' WHERE id = 1`, `INSERT INTO gold.made (id, state) VALUES (1, 'longer') ON CONFLICT (id) DO UPDATE SET state = excluded.state`} {
		refusedWith(t, c, statement, "22001", "value too long for type character varying(5)")
	}
	if _, err := c.CopyFrom(t.Context(), pgx.Identifier{"gold", "made"}, []string{"id", "state"}, pgx.CopyFromRows([][]any{{int32(21), "longer"}})); err == nil {
		t.Error("COPY takes a text that is too long")
	}
	if status, _ := post(t, ports["http"], "application/json", "INSERT INTO gold.made (id, state) VALUES (22, 'longer')"); status == 200 {
		t.Error("/api/sql takes a text that is too long")
	}
	rowsAre(t, c, want)
	must(t, c, `INSERT INTO gold.made (id, state) VALUES (13, 'häßl€')`) // characters, not bytes
	must(t, c, `DELETE FROM gold.made WHERE id = 13`)
	catalogTells(t, c, ports["postgres"])
	must(t, c, `ALTER TABLE gold.made RENAME COLUMN n TO many`)
	must(t, c, `ALTER TABLE gold.made DROP COLUMN price`)
	must(t, c, `ALTER TABLE gold.made ALTER COLUMN state TYPE varchar(6)`)
	p.Kill() // what was answered is on the disk
	ports = h.Serve(t)
	c = postgresAt(t, ports["postgres"])
	must(t, c, `INSERT INTO gold.made (id, state) VALUES (14, 'longer')`)
	if got := all(t, c, `SELECT * FROM gold.made WHERE id = 14`); !slices.Equal(got, []string{"14|longer|-3|t|2026-02-28" + rest}) {
		t.Error(got)
	}
	refusedWith(t, c, `INSERT INTO gold.made (id, state) VALUES (23, 'longest')`, "22001", "value too long for type character varying(6)")
}

// TestColumnsThatCannotBeKept: what is not kept is refused, with what to do.
func TestColumnsThatCannotBeKept(t *testing.T) {
	c := postgresAt(t, tarn(t)["postgres"])
	for column, hint := range map[string]string{
		"int DEFAULT 1 + 1": "", "int DEFAULT 'x'": "what is computed is given with each row", "timestamp DEFAULT now()": "what is computed is given with each row", "int DEFAULT 99999999999": "INTEGER",
		"int DEFAULT 1.5": "INTEGER", "date DEFAULT 'today'": "DATE", "bytea DEFAULT 'x'": "BLOB", "numeric(4,2) DEFAULT 123": "DECIMAL", "numeric(4,2) DEFAULT 1.234": "DECIMAL", "boolean DEFAULT 1": "BOOLEAN", "int DEFAULT '1'::text": "take the cast off",
		"varchar(0)": "greater", "int CHECK (a > 0)": "WHERE condition", "int UNIQUE": "PRIMARY KEY", "int REFERENCES b (c)": "ANTI JOIN", "numeric": "DECIMAL(18, 3)", "numeric(50, 2)": "38 digits", "int GENERATED ALWAYS AS IDENTITY": "leave it out",
	} {
		_, err := c.Exec(t.Context(), "CREATE TABLE gold.refused (a "+column+")")
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || !strings.Contains(pg.Hint, hint) {
			t.Errorf("%s: %v", column, err)
		} else if ok && !strings.Contains(pg.Hint, hint) {
			t.Errorf("%s: %s", column, pg.Hint)
		}
	}
	must(t, c, "CREATE TABLE gold.some (a int, b int DEFAULT 2)")
	refusedWith(t, c, "ALTER TABLE gold.some ADD COLUMN c int DEFAULT 3", "42000", "a column that is added has no DEFAULT: name it when the table is made")
	refusedWith(t, c, "INSERT INTO gold.some VALUES (1, DEFAULT), (2, 3)", "42000", "column b has DEFAULT in some of the rows alone")
	refusedWith(t, c, "CREATE TEMP TABLE x (a int DEFAULT 1)", "42000", "a column of a temporary table cannot have a DEFAULT")
	must(t, c, "INSERT INTO gold.some DEFAULT VALUES")
	must(t, c, "INSERT INTO gold.some VALUES (5, DEFAULT), (DEFAULT, DEFAULT)")
	if got := all(t, c, "SELECT * FROM gold.some ORDER BY a"); !slices.Equal(got, []string{"5|2", "<null>|2", "<null>|2"}) {
		t.Error(got)
	}
}

// catalogTells holds what the catalog says of gold.made's columns against what PostgreSQL would.
func catalogTells(t *testing.T, c *pgx.Conn, addr string) {
	t.Helper()
	shown := all(t, c, `SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = 'gold.made'::regclass AND a.attnum > 0 ORDER BY a.attnum`)
	if !slices.Equal(shown, []string{"id|integer|<null>", "state|character varying(5)|'new'::character varying", "n|bigint|-3", "price|numeric(10,2)|1.50", "ok|boolean|true", "day|date|'2026-02-28'::date", "note|text|'it''s'::text", "plain|text|<null>", "at|timestamp without time zone|'2026-01-02 03:04:05'::timestamp without time zone"}) {
		t.Error(strings.Join(shown, "\n"))
	}
	if got := all(t, c, `SELECT column_name, data_type, character_maximum_length, column_default FROM information_schema.columns WHERE table_name = 'made' AND column_name IN ('state', 'n') ORDER BY 1`); !slices.Equal(got, []string{"n|bigint|<null>|-3", "state|character varying|5|'new'::character varying"}) {
		t.Error(got)
	}
	host, port, _ := net.SplitHostPort(addr)
	if out, err := psql(t, host, port, `\d gold.made`); err != nil || !strings.Contains(out, "character varying(5)") || !strings.Contains(out, "'new'::character varying") {
		t.Errorf("%v\n%s", err, out)
	}
}

func rowsAre(t *testing.T, c *pgx.Conn, want []string) {
	t.Helper()
	if got := all(t, c, "SELECT * FROM gold.made ORDER BY id"); !slices.Equal(got, want) {
		t.Errorf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func refusedWith(t *testing.T, c *pgx.Conn, statement, state, message string) {
	t.Helper()
	_, err := c.Exec(t.Context(), statement)
	if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != state || pg.Message != message {
		t.Errorf("%s: %v, want %s %s", statement, err, state, message)
	}
}
