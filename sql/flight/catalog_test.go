//go:build duckdb_arrow

package flight_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestCatalog(t *testing.T) {
	c := connect(t, open(t).addr)
	ctx := t.Context()
	table, system, none := "po%", "system", "lak"
	name := flightsql.TableRef{DBSchema: &system, Table: "ports"}
	for what, q := range map[string]struct {
		info func() (*arrowflight.FlightInfo, error)
		want string
	}{
		"catalogs": {func() (*arrowflight.FlightInfo, error) { return c.GetCatalogs(ctx) }, `[["lake"]]`},
		"schemas": {func() (*arrowflight.FlightInfo, error) {
			return c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{DbSchemaFilterPattern: &system})
		}, `[["lake" "system"]]`},
		"types": {func() (*arrowflight.FlightInfo, error) { return c.GetTableTypes(ctx) }, `[["TABLE"] ["VIEW"]]`},
		"tables": {func() (*arrowflight.FlightInfo, error) {
			return c.GetTables(ctx, &flightsql.GetTablesOpts{TableNameFilterPattern: &table})
		}, `[["lake" "system" "ports" "TABLE"]]`},
		"views": {func() (*arrowflight.FlightInfo, error) {
			return c.GetTables(ctx, &flightsql.GetTablesOpts{TableNameFilterPattern: &table, TableTypes: []string{"VIEW"}})
		}, `[]`},
		"another catalog": {func() (*arrowflight.FlightInfo, error) {
			return c.GetTables(ctx, &flightsql.GetTablesOpts{Catalog: &none})
		}, `[]`},
		"keys":             {func() (*arrowflight.FlightInfo, error) { return c.GetPrimaryKeys(ctx, name) }, `[]`},
		"exported":         {func() (*arrowflight.FlightInfo, error) { return c.GetExportedKeys(ctx, name) }, `[]`},
		"imported":         {func() (*arrowflight.FlightInfo, error) { return c.GetImportedKeys(ctx, name) }, `[]`},
		"cross references": {func() (*arrowflight.FlightInfo, error) { return c.GetCrossReference(ctx, name, name) }, `[]`},
		"types of a number": {func() (*arrowflight.FlightInfo, error) {
			n := int32(92)
			return c.GetXdbcTypeInfo(ctx, &n)
		}, `[["TIME" 92 15 "'" "'" null 1 false 3 null false false "TIME" 0 6 9 2 null null]]`},
		"info": {func() (*arrowflight.FlightInfo, error) {
			return c.GetSqlInfo(ctx, []flightsql.SqlInfo{flightsql.SqlInfoFlightSqlServerName, 77777})
		}, `[[0 "Tarn"]]`},
	} {
		info, err := q.info()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		schema, rows, _, err := read(t, c, info)
		told, _ := arrowflight.DeserializeSchema(info.GetSchema(), memory.DefaultAllocator)
		if got := unquoted(rows); err != nil || got != q.want && fmt.Sprint(rows) != q.want || told.String() != schema.String() {
			t.Errorf("%s: %s %v, want %s; told %v, came %v", what, got, err, q.want, told, schema)
		}
	}
	info, err := c.GetPrimaryKeys(ctx, flightsql.TableRef{Table: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := read(t, c, info); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
}

func unquoted(rows [][]string) string {
	if rows == nil {
		return "[]"
	}
	return fmt.Sprint(rows)
}

// TestTablesWithSchemas reads the columns of all tables.
func TestTablesWithSchemas(t *testing.T) {
	c := connect(t, open(t).addr)
	info, err := c.GetTables(t.Context(), &flightsql.GetTablesOpts{IncludeSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	found := false
	for r.Next() {
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			schema, err := arrowflight.DeserializeSchema(b.Column(4).(*array.Binary).Value(i), memory.DefaultAllocator)
			if err != nil {
				t.Fatal(err)
			}
			if b.Column(2).(*array.String).Value(i) != "ports" {
				continue
			}
			found = true
			name, _ := schema.Field(1).Metadata.GetValue(flightsql.TypeNameKey)
			if schema.NumFields() != 2 || schema.Field(1).Name != "berths" || name != "BIGINT" {
				t.Error(schema)
			}
		}
	}
	if !found || r.Err() != nil {
		t.Error(found, r.Err())
	}
}
