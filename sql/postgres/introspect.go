//go:build duckdb_arrow

package postgres

import (
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"

	"tarn/sql/engine"
)

// asyncpg asks what a type is that it does not know by a statement of its own (asyncpg/introspection.py), whose answer it reads only where it
// knows each type in that already: of lists those of oid and text alone. DuckDB has an oid as a BIGINT and a name as a text, so of such a
// statement, which is one that asks for these two, the door tells the types that its columns have in PostgreSQL.
var introspects = []*regexp.Regexp{regexp.MustCompile(`(?i)\btyptype\s+AS\s+kind\b`), regexp.MustCompile(`(?i)\btypelem\s+AS\s+elemtype\b`)}

// introspected are the door's words for those types, by the names of the columns.
var introspected = map[string]string{
	"oid": "OID", "basetype": "OID", "elemtype": "OID", "range_subtype": "OID", "attrtypoids": "OID[]", "ns": "NAME", "name": "NAME", "kind": `"CHAR"`, "elemdelim": `"CHAR"`,
}

// tellIntrospected tells the types of the columns of such a statement.
func tellIntrospected(text string, s *engine.Shape) {
	for _, asks := range introspects {
		if !asks.MatchString(text) {
			return
		}
	}
	for i, column := range s.Columns {
		if told, ok := introspected[column.Name]; ok && kindOf(told).takes(kindOf(column.Type)) {
			s.Columns[i].Type = told
		}
	}
}

// oidList is a parameter that is cast to a list of oid.
var oidList = regexp.MustCompile(`(?i)\$([0-9]+)\s*::\s*oid\s*\[\s*\]`)

// tellOIDLists tells of parameters that are lists of oid, where their client leaves the type open.
func tellOIDLists(text string, oids []uint32) {
	for _, m := range oidList.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && n >= 1 && n <= len(oids) && oids[n-1] == 0 {
			oids[n-1] = pgtype.OIDArrayOID
		}
	}
}
