//go:build duckdb_arrow

package flight

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
	"tarn/lake/catalog"
)

// tableKinds are Flight SQL's words for information_schema's.
var tableKinds = []struct{ kind, told string }{{"BASE TABLE", "TABLE"}, {"VIEW", "VIEW"}}

// direct is the info of a command that is its own ticket.
func direct(of *arrowflight.FlightDescriptor, schema *arrow.Schema) (*arrowflight.FlightInfo, error) {
	return &arrowflight.FlightInfo{
		Schema: serialized(schema), FlightDescriptor: of, TotalRecords: -1, TotalBytes: -1,
		Endpoint: []*arrowflight.FlightEndpoint{{Ticket: &arrowflight.Ticket{Ticket: of.GetCmd()}}},
	}, nil
}

// rows answers with rows of texts, nil for null; a column of bytes takes its text's.
func rows(schema *arrow.Schema, of [][]any) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, row := range of {
		for i, v := range row {
			switch to := b.Field(i).(type) {
			case *array.StringBuilder:
				if v == nil {
					to.AppendNull()
				} else {
					to.Append(v.(string))
				}
			case *array.BinaryBuilder:
				to.Append(v.([]byte))
			case *array.Int32Builder:
				to.Append(v.(int32))
			}
		}
	}
	out := make(chan arrowflight.StreamChunk, 1)
	out <- arrowflight.StreamChunk{Data: b.NewRecordBatch()}
	close(out)
	return schema, out, nil
}

// where is a condition of patterns; nil leaves one out.
func where(conditions ...string) string {
	var b strings.Builder
	for _, c := range conditions {
		if c == "" {
			continue
		}
		if b.Len() == 0 {
			b.WriteString(" WHERE ")
		} else {
			b.WriteString(" AND ")
		}
		b.WriteString(c)
	}
	return b.String()
}

func like(column string, pattern *string) string {
	if pattern == nil {
		return ""
	}
	return column + " LIKE " + duck.Quote(*pattern) + ` ESCAPE '\'`
}

func equal(column string, value *string) string {
	if value == nil {
		return ""
	}
	return column + " = " + duck.Quote(*value)
}

// GetFlightInfoCatalogs and what follows answer what a client asks of the catalog, as its principal.
func (s *service) GetFlightInfoCatalogs(_ context.Context, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.Catalogs)
}

// DoGetCatalogs lists the one catalog.
func (s *service) DoGetCatalogs(context.Context) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	return rows(schema_ref.Catalogs, [][]any{{catalog.Name}})
}

// GetFlightInfoSchemas is of DoGetDBSchemas.
func (s *service) GetFlightInfoSchemas(_ context.Context, _ flightsql.GetDBSchemas, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.DBSchemas)
}

// DoGetDBSchemas lists schemas.
func (s *service) DoGetDBSchemas(ctx context.Context, c flightsql.GetDBSchemas) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	found, _, err := s.door.o.Gate.Whole(ctx, whoOf(ctx), "SELECT catalog_name, schema_name FROM information_schema.schemata"+
		where(equal("catalog_name", c.GetCatalog()), like("schema_name", c.GetDBSchemaFilterPattern()))+" ORDER BY schema_name")
	if err != nil {
		return nil, nil, err
	}
	return rows(schema_ref.DBSchemas, found)
}

// GetFlightInfoTableTypes is of DoGetTableTypes.
func (s *service) GetFlightInfoTableTypes(_ context.Context, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.TableTypes)
}

// DoGetTableTypes lists kinds of tables.
func (s *service) DoGetTableTypes(context.Context) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	var out [][]any
	for _, k := range tableKinds {
		out = append(out, []any{k.told})
	}
	return rows(schema_ref.TableTypes, out)
}

// GetFlightInfoTables is of DoGetTables.
func (s *service) GetFlightInfoTables(_ context.Context, c flightsql.GetTables, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	if c.GetIncludeSchema() {
		return direct(of, schema_ref.TablesWithIncludedSchema)
	}
	return direct(of, schema_ref.Tables)
}

// DoGetTables lists tables and views, with their columns when asked for.
func (s *service) DoGetTables(ctx context.Context, c flightsql.GetTables) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	kind, wanted := "CASE table_type", ""
	var kinds []string
	for _, k := range tableKinds {
		kind += " WHEN " + duck.Quote(k.kind) + " THEN " + duck.Quote(k.told)
		for _, t := range c.GetTableTypes() {
			if t == k.told || t == k.kind {
				kinds = append(kinds, duck.Quote(k.kind))
			}
		}
	}
	if len(c.GetTableTypes()) > 0 {
		wanted = "table_type IN (" + strings.Join(append(kinds, "''"), ", ") + ")"
	}
	if c.GetCatalog() != nil && *c.GetCatalog() != catalog.Name {
		wanted = "FALSE"
	}
	condition := where(like("table_schema", c.GetDBSchemaFilterPattern()), like("table_name", c.GetTableNameFilterPattern()))
	text := "SELECT table_catalog, table_schema, table_name, " + kind + " ELSE table_type END FROM information_schema.tables" +
		where(strings.TrimPrefix(condition, " WHERE "), wanted) + " ORDER BY 4, 1, 2, 3"
	found, _, err := s.door.o.Gate.Whole(ctx, whoOf(ctx), text)
	if err != nil {
		return nil, nil, err
	}
	if !c.GetIncludeSchema() {
		return rows(schema_ref.Tables, found)
	}
	columns, _, err := s.door.o.Gate.Whole(ctx, whoOf(ctx), "SELECT table_schema, table_name, column_name, data_type, is_nullable, column_comment "+
		"FROM information_schema.columns"+condition+" ORDER BY table_schema, table_name, ordinal_position")
	if err != nil {
		return nil, nil, err
	}
	schemas, err := s.door.tableSchemas(ctx, columns)
	if err != nil {
		return nil, nil, err
	}
	for i, row := range found {
		schema := schemas[[2]any{row[1], row[2]}]
		if schema == nil { // one of information_schema, or dropped a moment ago
			schema = arrow.NewSchema(nil, nil)
		}
		found[i] = append(row, serialized(schema))
	}
	return rows(schema_ref.TablesWithIncludedSchema, found)
}

// tableSchemas makes schemas by schema and table of rows with schema, table, column, type, whether it may be null, and comment.
func (d *Door) tableSchemas(ctx context.Context, columns [][]any) (map[[2]any]*arrow.Schema, error) {
	names, types := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], types[i] = c[2].(string), c[3].(string)
	}
	all, err := d.schema(ctx, names, types)
	if err != nil {
		return nil, err
	}
	fields := map[[2]any][]arrow.Field{}
	for i, c := range columns {
		f, key := all.Field(i), [2]any{c[0], c[1]}
		f.Nullable = c[4] != "NO"
		keys := append(append([]string{}, f.Metadata.Keys()...), flightsql.CatalogNameKey, flightsql.SchemaNameKey, flightsql.TableNameKey)
		values := append(append([]string{}, f.Metadata.Values()...), catalog.Name, c[0].(string), c[1].(string))
		if doc, ok := c[5].(string); ok {
			keys, values = append(keys, flightsql.RemarksKey), append(values, doc)
		}
		f.Metadata = arrow.NewMetadata(keys, values)
		fields[key] = append(fields[key], f)
	}
	out := make(map[[2]any]*arrow.Schema, len(fields))
	for key, f := range fields {
		out[key] = arrow.NewSchema(f, nil)
	}
	return out, nil
}

// GetFlightInfoPrimaryKeys is of DoGetPrimaryKeys.
func (s *service) GetFlightInfoPrimaryKeys(_ context.Context, _ flightsql.TableRef, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.PrimaryKeys)
}

// DoGetPrimaryKeys lists the columns of a table's key.
func (s *service) DoGetPrimaryKeys(ctx context.Context, t flightsql.TableRef) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	name := duck.Ident(t.Table)
	if t.DBSchema != nil && *t.DBSchema != "" {
		name = duck.Ident(*t.DBSchema) + "." + name
	}
	found, _, err := s.door.o.Gate.Whole(ctx, whoOf(ctx), "SHOW COLUMNS FROM "+name)
	if err != nil {
		return nil, nil, err
	}
	var keys [][]any
	for _, c := range found { // schema, table, column, type, null, key
		if c[5] == "PRI" {
			keys = append(keys, []any{catalog.Name, c[0], c[1], c[2], int32(len(keys) + 1), nil}) //nolint:gosec // of columns
		}
	}
	return rows(schema_ref.PrimaryKeys, keys)
}

// GetFlightInfoExportedKeys and what follows answer that there are no foreign keys.
func (s *service) GetFlightInfoExportedKeys(_ context.Context, _ flightsql.TableRef, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.ExportedKeys)
}

// DoGetExportedKeys lists nothing.
func (s *service) DoGetExportedKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	return rows(schema_ref.ExportedKeys, nil)
}

// GetFlightInfoImportedKeys is of DoGetImportedKeys.
func (s *service) GetFlightInfoImportedKeys(_ context.Context, _ flightsql.TableRef, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.ImportedKeys)
}

// DoGetImportedKeys lists nothing.
func (s *service) DoGetImportedKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	return rows(schema_ref.ImportedKeys, nil)
}

// GetFlightInfoCrossReference is of DoGetCrossReference.
func (s *service) GetFlightInfoCrossReference(_ context.Context, _ flightsql.CrossTableRef, of *arrowflight.FlightDescriptor) (*arrowflight.FlightInfo, error) {
	return direct(of, schema_ref.CrossReference)
}

// DoGetCrossReference lists nothing.
func (s *service) DoGetCrossReference(context.Context, flightsql.CrossTableRef) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	return rows(schema_ref.CrossReference, nil)
}
