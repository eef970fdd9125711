//go:build duckdb_arrow

package sql_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestPostgresWrites: clients write as they do at PostgreSQL, with RETURNING, ON CONFLICT and temporary tables.
func TestPostgresWrites(t *testing.T) {
	host, port, err := net.SplitHostPort(tarn(t)["postgres"])
	if err != nil {
		t.Fatal(err)
	}
	python(t, "psycopg, psycopg2, sqlalchemy", "postgres_writes.py", fmt.Sprintf("host=%s port=%s user=%s dbname=lake", host, port, user))
	out, err := psql(t, host, port, `\pset format unaligned
\unset QUIET
CREATE TABLE gold.t (id int PRIMARY KEY, n int);
INSERT INTO gold.t VALUES (1, 2), (3) RETURNING *;
`)
	if err == nil || !strings.Contains(out, "VALUES lists must all be the same length") {
		t.Errorf("rows of two lengths: %v\n%s", err, out)
	}
	out, err = psql(t, host, port, `\pset format unaligned
\unset QUIET
INSERT INTO gold.t VALUES (1, 2), (3, DEFAULT) RETURNING *;
INSERT INTO gold.t VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING n;
DELETE FROM gold.t RETURNING id;
CREATE TEMP TABLE x (id int PRIMARY KEY, name text NOT NULL);
COPY x FROM STDIN;
1	a
\.
UPDATE x SET name = 'b' RETURNING x;
\d x
`)
	want := "INSERT 0 2\nn\n5\n(1 row)\nINSERT 0 1\nid\n"
	if err != nil || !strings.Contains(out, want) || !strings.Contains(out, "id|n\n1|2\n3|\n(2 rows)\n") || !strings.Contains(out, "DELETE 2\nCREATE TABLE\nCOPY 1\n") || !strings.Contains(out, "UPDATE 1\n") || !strings.Contains(out, "name|text||not null|") {
		t.Errorf("psql: %v\n%s", err, out)
	}
}
