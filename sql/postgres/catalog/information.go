//go:build duckdb_arrow

package catalog

import "github.com/jackc/pgx/v5/pgtype"

// informationMakers are those of the tables of information_schema.
func informationMakers() map[string]func(*model) []row {
	return map[string]func(*model) []row{
		"schemata": (*model).schemata, "tables": (*model).informationTables, "columns": (*model).informationColumns, "views": (*model).informationViews,
		"table_constraints": (*model).tableConstraints, "key_column_usage": (*model).keyColumns, "constraint_column_usage": (*model).constraintColumns,
		"table_privileges": (*model).privileges, "role_table_grants": (*model).privileges,
		"information_schema_catalog_name": func(m *model) []row { return []row{{"catalog_name": m.o.Database}} },
		"enabled_roles":                   func(m *model) []row { return []row{{"role_name": m.user}} },
	}
}

func (m *model) schemata() (rows []row) {
	for _, n := range m.namespaces {
		rows = append(rows, row{"catalog_name": m.o.Database, "schema_name": n.name, "schema_owner": m.user})
	}
	return rows
}

// the is a row with the three names of a relation, each column's name beginning with words.
func (m *model) the(r *relation, words string) row {
	return row{words + "_catalog": m.o.Database, words + "_schema": r.namespace.name, words + "_name": r.name}
}

func (m *model) informationTables() (rows []row) {
	for i := range m.relations {
		r := &m.relations[i]
		of := m.the(r, "table")
		of["table_type"], of["is_insertable_into"], of["is_typed"] = "BASE TABLE", "NO", "NO"
		if r.kind == "v" {
			of["table_type"] = "VIEW"
		}
		rows = append(rows, of)
	}
	return rows
}

func (m *model) informationViews() (rows []row) {
	for _, r := range m.of("v") {
		of := m.the(r, "table")
		of["view_definition"], of["check_option"], of["is_updatable"], of["is_insertable_into"] = r.text, "NONE", "NO", "NO"
		rows = append(rows, of)
	}
	return rows
}

func (m *model) informationColumns() (rows []row) {
	for i := range m.relations {
		r := &m.relations[i]
		for n := range r.columns {
			of := m.the(r, "table")
			m.tell(of, n, &r.columns[n])
			rows = append(rows, of)
		}
	}
	return rows
}

// precisions are those of numbers, in bits.
var precisions = map[uint32][2]int64{pgtype.Int2OID: {16, 0}, pgtype.Int4OID: {32, 0}, pgtype.Int8OID: {64, 0}, pgtype.Float4OID: {24, -1}, pgtype.Float8OID: {53, -1}}

// tell adds what information_schema.columns says of a column.
func (m *model) tell(of row, number int, a *attribute) {
	of["column_name"], of["ordinal_position"], of["is_nullable"] = a.name, int64(number+1), "YES"
	if a.required {
		of["is_nullable"] = "NO"
	}
	of["udt_catalog"], of["udt_schema"], of["dtd_identifier"] = m.o.Database, pgCatalog, "x"
	of["is_identity"], of["is_generated"], of["is_updatable"], of["is_self_referencing"] = "NO", "NEVER", "NO", "NO"
	for i := range m.types {
		if t := &m.types[i]; t.oid == int64(a.of.OID) {
			of["udt_name"], of["data_type"] = t.name, t.shown
			if t.category == "A" {
				of["data_type"] = "ARRAY"
			}
		}
	}
	if p, ok := precisions[a.of.OID]; ok {
		of["numeric_precision"], of["numeric_precision_radix"] = p[0], int64(2)
		if p[1] >= 0 {
			of["numeric_scale"] = p[1]
		}
	}
	if a.otherwise != "" {
		of["column_default"] = a.otherwise
	}
	switch a.of.OID {
	case pgtype.VarcharOID:
		of["character_maximum_length"] = int64(a.of.Mod - 4)
		of["character_octet_length"] = min(4*int64(a.of.Mod-4), 1<<30)
	case pgtype.NumericOID:
		of["numeric_precision_radix"] = int64(10)
		if a.of.Mod > 0 {
			of["numeric_precision"], of["numeric_scale"] = int64((a.of.Mod-4)>>16), int64((a.of.Mod-4)&0xffff)
		}
	case pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.TimeOID, pgtype.IntervalOID:
		of["datetime_precision"] = int64(6)
	case pgtype.DateOID:
		of["datetime_precision"] = int64(0)
	case pgtype.TextOID:
		of["character_octet_length"] = int64(1 << 30)
	}
}

func (m *model) tableConstraints() (rows []row) {
	for _, r := range m.keyed() {
		of := m.the(r, "table")
		of["constraint_catalog"], of["constraint_schema"], of["constraint_name"] = m.o.Database, r.namespace.name, r.keyName()
		of["constraint_type"], of["is_deferrable"], of["initially_deferred"], of["enforced"], of["nulls_distinct"] = "PRIMARY KEY", "NO", "NO", "YES", "YES"
		rows = append(rows, of)
	}
	return rows
}

func (m *model) keyColumns() (rows []row) {
	for _, r := range m.keyed() {
		for i, name := range r.keyColumns() {
			of := m.the(r, "table")
			of["constraint_catalog"], of["constraint_schema"], of["constraint_name"] = m.o.Database, r.namespace.name, r.keyName()
			of["column_name"], of["ordinal_position"] = name, int64(i+1)
			rows = append(rows, of)
		}
	}
	return rows
}

func (m *model) constraintColumns() (rows []row) {
	for _, of := range m.keyColumns() {
		delete(of, "ordinal_position")
		rows = append(rows, of)
	}
	return rows
}

func (m *model) privileges() (rows []row) {
	for i := range m.relations {
		of := m.the(&m.relations[i], "table")
		of["grantor"], of["grantee"], of["privilege_type"], of["is_grantable"], of["with_hierarchy"] = m.user, m.user, "SELECT", "NO", "YES"
		rows = append(rows, of)
	}
	return rows
}
