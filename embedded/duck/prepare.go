//go:build duckdb_arrow

package duck

import (
	"context"
	"database/sql/driver"
	"errors"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// typeNames are the types of parameters that DuckDB finds out, in SQL's words.
var typeNames = map[duckdb.Type]string{
	duckdb.TYPE_BOOLEAN: "BOOLEAN", duckdb.TYPE_TINYINT: "TINYINT", duckdb.TYPE_SMALLINT: "SMALLINT", duckdb.TYPE_INTEGER: "INTEGER",
	duckdb.TYPE_BIGINT: "BIGINT", duckdb.TYPE_UTINYINT: "UTINYINT", duckdb.TYPE_USMALLINT: "USMALLINT", duckdb.TYPE_UINTEGER: "UINTEGER",
	duckdb.TYPE_UBIGINT: "UBIGINT", duckdb.TYPE_HUGEINT: "HUGEINT", duckdb.TYPE_FLOAT: "FLOAT", duckdb.TYPE_DOUBLE: "DOUBLE",
	duckdb.TYPE_TIMESTAMP: "TIMESTAMP", duckdb.TYPE_TIMESTAMP_TZ: "TIMESTAMP WITH TIME ZONE", duckdb.TYPE_DATE: "DATE", duckdb.TYPE_TIME: "TIME",
	duckdb.TYPE_INTERVAL: "INTERVAL", duckdb.TYPE_VARCHAR: "VARCHAR", duckdb.TYPE_BLOB: "BLOB", duckdb.TYPE_UUID: "UUID", duckdb.TYPE_DECIMAL: "DECIMAL",
}

// ParameterTypes are the types that a statement wants of its parameters $1, $2 …, in SQL's words; "" where
// DuckDB cannot tell. The statement is not run.
func (c *Conn) ParameterTypes(ctx context.Context, query string) (types []string, err error) {
	err = c.Raw(func(dc any) (err error) {
		preparer, ok := dc.(driver.ConnPrepareContext)
		if !ok {
			return errors.New("not a DuckDB connection")
		}
		prepared, err := preparer.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, prepared.Close()) }()
		s, ok := prepared.(*duckdb.Stmt)
		if !ok {
			return errors.New("not a statement of DuckDB")
		}
		for n := range s.NumInput() {
			t, err := s.ParamType(n + 1)
			if err != nil {
				return err
			}
			types = append(types, typeNames[t])
		}
		return nil
	})
	return types, err
}
