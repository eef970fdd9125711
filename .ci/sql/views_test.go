//go:build duckdb_arrow

package sql_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestViewsOfDoors: a view means to all what it means to the door that made it, moves to another name and goes with what it reads;
// and a ROLLBACK says that what was done stays.
func TestViewsOfDoors(t *testing.T) {
	ports := tarn(t)
	config, err := pgx.ParseConfig("postgres://me@" + ports["postgres"] + "/lake?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	var notices []string
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Severity+": "+n.Message) }
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	pg, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pg.Close(context.WithoutCancel(t.Context())) }()
	do := func(text string) {
		t.Helper()
		if _, err := pg.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	said := func(text, want string) {
		t.Helper()
		if got := overJSON(t, ports["http"], text); got.String() != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	do(`create schema if not exists sales`)
	do(`create view "lake"."gold"."half" as (select 7/2 as half, 'a_b' like 'a\_b' as escaped)`)
	said(`SELECT half, escaped, 'a_b' LIKE 'a\_b' FROM gold.half`, "[[3 true false]]")
	do("create table gold.t as (select 'gold' as place)")
	do("create table sales.t as (select 'sales' as place)")
	do("set search_path = sales")
	do("create view place as select place from t")
	do("set search_path = public")
	said("SELECT place FROM sales.place", `[["sales"]]`)
	do(`alter table "lake"."gold"."half" rename to "half__dbt_backup"`)
	do("create view gold.above as select half * 2 as twice from gold.half__dbt_backup")
	said("SELECT twice FROM gold.above", "[[6]]")
	do(`alter table gold.t rename to t2`)
	said("SELECT place FROM gold.t2", `[["gold"]]`)
	said("SELECT place FROM gold.t", "refused")
	do(`drop view if exists "lake"."gold"."half__dbt_backup" cascade`)
	said("SELECT twice FROM gold.above", "refused")

	do("begin")
	do("create table gold.stays as select 1 as n")
	do("rollback")
	if said := strings.Join(notices, "\n"); said != "WARNING: what was done in this transaction stays: CREATE TABLE" {
		t.Errorf("the client is told %q", said)
	}
	said("SELECT n FROM gold.stays", "[[1]]")
	do("create temp table few as select 1 as a, 'x' as b")
	var columns string
	const asked = "select string_agg(column_name || ' ' || data_type, ',' order by ordinal_position) from INFORMATION_SCHEMA.columns where table_name = 'few'"
	if err := pg.QueryRow(t.Context(), asked).Scan(&columns); err != nil || columns != "a integer,b text" {
		t.Errorf("a temporary table has the columns %q, %v", columns, err)
	}
}
