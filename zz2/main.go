//go:build duckdb_arrow

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

func main() {
	dir, _ := os.MkdirTemp("/tmp/tarn/pf", "zz")
	c, err := duckdb.NewConnector(dir+"/s.duckdb", nil)
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(c)
	ctx := context.Background()
	for _, s := range []string{"ATTACH ':memory:' AS tarn_arrow", "SET allowed_directories=[]", "SET enable_external_access=false", "SET lock_configuration=true"} {
		_, err := db.Exec(s)
		fmt.Println(s, err)
	}
	conn, _ := db.Conn(ctx)
	for _, s := range []string{"CREATE TABLE s0(a INT)", "USE tarn_arrow", "CREATE VIEW v AS SELECT 1 AS a", "USE s", "BEGIN", "INSERT INTO s0 SELECT * FROM tarn_arrow.v", "CREATE OR REPLACE TEMP TABLE tt AS SELECT * FROM tarn_arrow.v", "COMMIT", "ATTACH ':memory:' AS two", "USE temp", "CREATE VIEW v2 AS SELECT 1 AS a", "USE s", "SELECT * FROM temp.v2"} {
		_, err := conn.ExecContext(ctx, s)
		fmt.Println(s, err)
	}
	var x string
	fmt.Println(conn.QueryRowContext(ctx, "SELECT string_agg(database_name||'.'||view_name||temporary,',') FROM duckdb_views() WHERE NOT internal").Scan(&x), x)
}
