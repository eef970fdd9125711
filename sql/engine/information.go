//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"slices"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// information is information_schema for one principal: what it may read and nothing else.
func (s *session) information() map[string]SystemTable {
	columns := append(texts("table_catalog", "table_schema", "table_name", "column_name"), SystemColumn{"ordinal_position", record.Int})
	columns = append(columns, texts("column_default", "is_nullable", "data_type", "column_comment")...)
	return map[string]SystemTable{
		"schemata": liveTable("schemata", texts("catalog_name", "schema_name", "schema_owner", "default_character_set_name"), s.schemata),
		"tables":   liveTable("tables", texts("table_catalog", "table_schema", "table_name", "table_type"), s.tables),
		"columns":  liveTable("columns", columns, s.allColumns),
		"views":    liveTable("views", texts("table_catalog", "table_schema", "table_name", "view_definition"), s.viewTexts),
	}
}

// informationTables are the names in information_schema.
var informationTables = []string{"columns", "schemata", "tables", "views"}

// schemas lists the schemas in which the principal sees anything, and the layers.
func (s *session) schemas(ctx context.Context) ([]string, error) {
	entries, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{informationSchema}
	for _, e := range entries {
		names = append(names, e.Namespace)
	}
	namespaces, err := s.gate.o.Catalog.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range namespaces {
		if slices.Contains(s.gate.o.Schemas, name) || s.gate.o.Guard.Decide(s.who, guard.Read, guard.Resource{Kind: guard.Schema, Path: []string{name}}).Allow {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (s *session) schemata(ctx context.Context) (rows [][]any, _ error) {
	names, err := s.schemas(ctx)
	for _, n := range names {
		rows = append(rows, []any{catalog.Name, n, "tarn", nil})
	}
	return rows, err
}

func (s *session) tables(ctx context.Context) (rows [][]any, _ error) {
	entries, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		rows = append(rows, []any{catalog.Name, e.Namespace, e.Name, e.kind})
	}
	for _, name := range informationTables {
		rows = append(rows, []any{catalog.Name, informationSchema, name, "VIEW"})
	}
	return rows, nil
}

func (s *session) allColumns(ctx context.Context) (rows [][]any, _ error) {
	entries, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		columns, err := s.columns(ctx, e)
		if errors.Is(err, table.ErrNotFound) {
			continue // dropped a moment ago
		}
		if err != nil {
			return nil, err
		}
		for i, c := range columns {
			var doc any
			if c.doc != "" {
				doc = c.doc
			}
			rows = append(rows, []any{catalog.Name, e.Namespace, e.Name, c.name, int64(i + 1), nil, c.null(), c.typ, doc})
		}
	}
	return rows, nil
}

func (s *session) viewTexts(ctx context.Context) (rows [][]any, _ error) {
	entries, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.kind != "VIEW" {
			continue
		}
		v, err := s.gate.o.Catalog.View(ctx, e.Ident)
		if errors.Is(err, table.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, []any{catalog.Name, e.Namespace, e.Name, v.Text})
	}
	return rows, nil
}
