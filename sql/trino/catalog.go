//go:build duckdb_arrow

package trino

import (
	"context"
	"strings"

	"tarn/lake/catalog"
	"tarn/sql/engine"
)

// The schemas of Trino's catalog system, as the Gate knows them: it has a schema system of its own.
const (
	jdbcSchema     = "system_jdbc"
	metadataSchema = "system_metadata"
	runtimeSchema  = "system_runtime"
)

// tables are those that Trino's clients ask what there is.
func (d *Door) tables() map[string]map[string]engine.DialectTable {
	out := map[string]map[string]engine.DialectTable{
		"information_schema": {
			"schemata":         {Columns: named("catalog_name schema_name"), Rows: schemata},
			"tables":           {Columns: named("table_catalog table_schema table_name table_type"), Rows: tables},
			"columns":          {Columns: named("table_catalog table_schema table_name column_name ordinal_position:BIGINT column_default is_nullable data_type comment"), Rows: columns},
			"views":            {Columns: named("table_catalog table_schema table_name view_definition"), Rows: views},
			"table_privileges": {Columns: named("grantor grantor_type grantee grantee_type table_catalog table_schema table_name privilege_type is_grantable with_hierarchy")},
			"enabled_roles":    {Columns: named("role_name")},
			"applicable_roles": {Columns: named("grantee grantee_type role_name is_grantable")},
			"roles":            {Columns: named("role_name")},
		},
		metadataSchema: {
			"catalogs":           {Columns: named("catalog_name connector_id connector_name state"), Rows: catalogs},
			"table_comments":     {Columns: named("catalog_name schema_name table_name comment"), Rows: comments},
			"materialized_views": {Columns: named("catalog_name schema_name name storage_catalog storage_schema storage_table freshness comment definition")},
		},
		runtimeSchema: {
			"nodes":   {Columns: named("node_id http_uri node_version coordinator:BOOLEAN state"), Rows: d.nodes},
			"queries": {Columns: named("query_id state user source query created:TIMESTAMP end:TIMESTAMP error_type error_code"), Rows: d.queries},
		},
		jdbcSchema: jdbcTables(),
	}
	for _, kind := range []string{"table", "schema", "column", "analyze", "materialized_view"} {
		out[metadataSchema][kind+"_properties"] = engine.DialectTable{Columns: named("catalog_name property_name default_value type description")}
	}
	return out
}

// named are columns of texts, but for those with a type behind a colon.
func named(names string) (out []engine.DialectColumn) {
	for name := range strings.FieldsSeq(names) {
		name, kind, ok := strings.Cut(name, ":")
		if !ok {
			kind = "VARCHAR"
		}
		out = append(out, engine.DialectColumn{Name: name, Type: kind})
	}
	return out
}

func schemata(ctx context.Context, l *engine.Listing) (rows [][]any, _ error) {
	names, err := l.Schemas(ctx)
	for _, n := range names {
		rows = append(rows, []any{catalog.Name, n})
	}
	return rows, err
}

// each makes a row, or none, of every table and view.
func each(ctx context.Context, l *engine.Listing, row func(e engine.Entry) []any) (rows [][]any, _ error) {
	entries, err := l.Entries(ctx)
	for _, e := range entries {
		if r := row(e); r != nil {
			rows = append(rows, r)
		}
	}
	return rows, err
}

func kindOf(e engine.Entry, table string) string {
	if e.View {
		return "VIEW"
	}
	return table
}

func tables(ctx context.Context, l *engine.Listing) ([][]any, error) {
	return each(ctx, l, func(e engine.Entry) []any {
		return []any{catalog.Name, e.Namespace, e.Name, kindOf(e, "BASE TABLE")}
	})
}

func views(ctx context.Context, l *engine.Listing) ([][]any, error) {
	return each(ctx, l, func(e engine.Entry) []any {
		if !e.View {
			return nil
		}
		return []any{catalog.Name, e.Namespace, e.Name, e.Text}
	})
}

func columns(ctx context.Context, l *engine.Listing) (rows [][]any, _ error) {
	entries, err := l.Entries(ctx)
	for _, e := range entries {
		for i, c := range e.Columns {
			nullable := "NO"
			if c.Nullable {
				nullable = "YES"
			}
			rows = append(rows, []any{catalog.Name, e.Namespace, e.Name, c.Name, int64(i + 1), nil, nullable, typeNamed(c.Type).String(), orNull(c.Doc)})
		}
	}
	return rows, err
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func comments(ctx context.Context, l *engine.Listing) ([][]any, error) {
	return each(ctx, l, func(e engine.Entry) []any { return []any{catalog.Name, e.Namespace, e.Name, orNull(e.Comment)} })
}

func catalogs(context.Context, *engine.Listing) ([][]any, error) {
	return [][]any{{catalog.Name, catalog.Name, "iceberg", "LOADED"}, {systemCatalog, systemCatalog, systemCatalog, "LOADED"}}, nil
}

func (d *Door) nodes(context.Context, *engine.Listing) ([][]any, error) {
	return [][]any{{"tarn", "http://" + d.o.Listener.Addr().String(), serverVersion, true, "active"}}, nil
}

// queries are this door's of the principal's user, as far as they are kept.
func (d *Door) queries(_ context.Context, l *engine.Listing) (rows [][]any, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, known := range []map[string]*query{d.ended, d.live} {
		for id, q := range known {
			if q.who.User == l.Who().User {
				state, ended := q.state()
				var end any
				if !ended.IsZero() {
					end = ended
				}
				rows = append(rows, []any{id, state, q.who.User, orNull(q.session.source), q.shown, q.began, end, nil, nil})
			}
		}
	}
	return rows, nil
}
