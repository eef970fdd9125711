//go:build duckdb_arrow

package trino

import (
	"context"

	"tarn/lake/catalog"
	"tarn/sql/engine"
)

// jdbcTables are what DatabaseMetaData of Trino's JDBC driver reads.
func jdbcTables() map[string]engine.DialectTable {
	return map[string]engine.DialectTable{
		"catalogs": {Columns: named("table_cat"), Rows: rowsOf([]any{catalog.Name}, []any{systemCatalog})},
		"schemas":  {Columns: named("table_schem table_catalog"), Rows: jdbcSchemas},
		"tables": {
			Columns: named("table_cat table_schem table_name table_type remarks type_cat type_schem type_name self_referencing_col_name ref_generation"), Rows: jdbcEntries,
		},
		"columns": {
			Columns: named("table_cat table_schem table_name column_name data_type:BIGINT type_name column_size:BIGINT buffer_length:BIGINT decimal_digits:BIGINT num_prec_radix:BIGINT nullable:BIGINT " +
				"remarks column_def sql_data_type:BIGINT sql_datetime_sub:BIGINT char_octet_length:BIGINT ordinal_position:BIGINT is_nullable scope_catalog scope_schema scope_table source_data_type:BIGINT is_autoincrement is_generatedcolumn"),
			Rows: jdbcColumns,
		},
		"table_types": {Columns: named("table_type"), Rows: rowsOf([]any{"TABLE"}, []any{"VIEW"})},
		"types": {
			Columns: named("type_name data_type:BIGINT precision:BIGINT literal_prefix literal_suffix create_params nullable:BIGINT case_sensitive:BOOLEAN searchable:BIGINT unsigned_attribute:BOOLEAN " +
				"fixed_prec_scale:BOOLEAN auto_increment:BOOLEAN local_type_name minimum_scale:BIGINT maximum_scale:BIGINT sql_data_type:BIGINT sql_datetime_sub:BIGINT num_prec_radix:BIGINT"),
			Rows: jdbcTypes,
		},
		"procedures": {Columns: named("procedure_cat procedure_schem procedure_name remarks procedure_type:BIGINT specific_name")},
		"procedure_columns": {Columns: named("procedure_cat procedure_schem procedure_name column_name column_type:BIGINT data_type:BIGINT type_name precision:BIGINT length:BIGINT scale:BIGINT radix:BIGINT " +
			"nullable:BIGINT remarks column_def sql_data_type:BIGINT sql_datetime_sub:BIGINT char_octet_length:BIGINT ordinal_position:BIGINT is_nullable specific_name")},
		"udts": {Columns: named("type_cat type_schem type_name class_name data_type:BIGINT remarks base_type:BIGINT")},
		"attributes": {Columns: named("type_cat type_schem type_name attr_name data_type:BIGINT attr_type_name attr_size:BIGINT decimal_digits:BIGINT num_prec_radix:BIGINT nullable:BIGINT remarks attr_def " +
			"sql_data_type:BIGINT sql_datetime_sub:BIGINT char_octet_length:BIGINT ordinal_position:BIGINT is_nullable scope_catalog scope_schema scope_table source_data_type:BIGINT")},
		"super_tables":   {Columns: named("table_cat table_schem table_name supertable_name")},
		"super_types":    {Columns: named("type_cat type_schem type_name supertype_cat supertype_schem supertype_name")},
		"pseudo_columns": {Columns: named("table_cat table_schem table_name column_name data_type:BIGINT column_size:BIGINT decimal_digits:BIGINT num_prec_radix:BIGINT column_usage remarks char_octet_length:BIGINT is_nullable")},
	}
}

func rowsOf(rows ...[]any) func(context.Context, *engine.Listing) ([][]any, error) {
	return func(context.Context, *engine.Listing) ([][]any, error) { return rows, nil }
}

func jdbcSchemas(ctx context.Context, l *engine.Listing) (rows [][]any, _ error) {
	names, err := l.Schemas(ctx)
	for _, n := range names {
		rows = append(rows, []any{n, catalog.Name})
	}
	return rows, err
}

func jdbcEntries(ctx context.Context, l *engine.Listing) ([][]any, error) {
	return each(ctx, l, func(e engine.Entry) []any {
		return []any{catalog.Name, e.Namespace, e.Name, kindOf(e, "TABLE"), nil, nil, nil, nil, nil, nil}
	})
}

// jdbcKind is a type in java.sql.Types' numbers, with its size, digits behind the point and radix, as far as it has them.
type jdbcKind struct {
	number              int64
	size, digits, radix any
}

var jdbcKinds = map[string]jdbcKind{
	"boolean": {16, int64(1), nil, nil}, "tinyint": {-6, int64(3), nil, int64(10)}, "smallint": {5, int64(5), nil, int64(10)}, "integer": {4, int64(10), nil, int64(10)},
	"bigint": {-5, int64(19), nil, int64(10)}, "real": {7, int64(24), nil, int64(2)}, "double": {8, int64(53), nil, int64(2)}, "varchar": {12, int64(varcharMax), nil, nil},
	"varbinary": {-3, int64(varcharMax), nil, nil}, "date": {91, int64(14), nil, nil}, "time": {92, int64(15), nil, nil}, "timestamp": {93, int64(26), nil, nil},
	"timestamp with time zone": {2014, int64(32), nil, nil}, "decimal": {3, nil, nil, int64(10)}, "array": {2003, nil, nil, nil},
}

// jdbc is the type as JDBC has it; what it has no number for is a JAVA_OBJECT.
func (t typ) jdbc() jdbcKind {
	k, ok := jdbcKinds[t.raw]
	if !ok {
		return jdbcKind{number: 2000}
	}
	if t.raw == "decimal" && len(t.numbers) == 2 {
		k.size, k.digits = int64(t.numbers[0]), int64(t.numbers[1])
	}
	return k
}

func jdbcColumns(ctx context.Context, l *engine.Listing) (rows [][]any, _ error) {
	entries, err := l.Entries(ctx)
	for _, e := range entries {
		for i, c := range e.Columns {
			t := typeNamed(c.Type)
			k, nullable, answer := t.jdbc(), int64(0), "NO"
			if c.Nullable {
				nullable, answer = 1, "YES"
			}
			var octets any
			if t.raw == "varchar" || t.raw == "varbinary" {
				octets = int64(varcharMax)
			}
			rows = append(rows, []any{
				catalog.Name, e.Namespace, e.Name, c.Name, k.number, t.String(), k.size, nil, k.digits, k.radix, nullable,
				orNull(c.Doc), nil, nil, nil, octets, int64(i + 1), answer, nil, nil, nil, nil, nil, nil,
			})
		}
	}
	return rows, err
}

func jdbcTypes(context.Context, *engine.Listing) (rows [][]any, _ error) {
	for _, name := range []string{
		"boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal", "varchar", "varbinary", "date", "time", "timestamp", "timestamp with time zone",
		"interval year to month", "interval day to second", "uuid", "json", "array", "map", "row", "unknown",
	} {
		k := typ{raw: name}.jdbc()
		var most any
		if name == "decimal" {
			k.size, most = int64(38), int64(38)
		}
		rows = append(rows, []any{name, k.number, k.size, nil, nil, nil, int64(1), name == "varchar", int64(3), nil, false, nil, nil, int64(0), most, nil, nil, k.radix})
	}
	return rows, nil
}
