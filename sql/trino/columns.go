//go:build duckdb_arrow

package trino

import (
	"strings"

	"tarn/embedded/record"
	"tarn/sql/engine"
)

// columnsOf are those of an answer that is made here: texts, but for those with a type behind the name.
func columnsOf(names ...string) (out []engine.SystemColumn) {
	for _, name := range names {
		kind := record.String
		if bare, ok := strings.CutSuffix(name, " bigint"); ok {
			name, kind = bare, record.Long
		} else if bare, ok := strings.CutSuffix(name, " boolean"); ok {
			name, kind = bare, record.Boolean
		}
		out = append(out, engine.SystemColumn{Name: name, Type: kind})
	}
	return out
}
