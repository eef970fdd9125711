//go:build duckdb_arrow

package rest_test

import (
	"strings"
	"testing"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// masking masks one column.
type masking struct {
	guard.Open
	column string
}

func (m masking) Decide(p guard.Principal, a guard.Action, r guard.Resource) guard.Decision {
	d := m.Open.Decide(p, a, r)
	d.Masks = map[string]string{m.column: "NULL::VARCHAR"}
	return d
}

func keyed(h *house) {
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT 1 AS id, 'a' AS berth, 'b' AS status",
		table.Column{Name: "id", Type: record.Int, Required: true, Key: true}, table.Column{Name: "berth", Type: record.String, Key: true},
		column("status", record.String))
}

// TestDescribe: a table's key and its required columns are told in each way to ask for columns.
func TestDescribe(t *testing.T) {
	h := newHouse(t, guard.Open{})
	keyed(h)
	h.want("CREATE VIEW gold.ids AS SELECT id FROM calls", "CREATE VIEW")
	want := []string{"id,INTEGER,NO,PRI,,", "berth,VARCHAR,YES,PRI,,", "status,VARCHAR,YES,,,"}
	for _, statement := range []string{
		"DESCRIBE silver.calls", "describe Calls", "DESC lake.silver.calls;", `DESCRIBE "silver"."calls"`, "SHOW calls",
		"DESCRIBE TABLE calls",
	} {
		h.want(statement, want...)
	}
	h.want("DESCRIBE gold.ids", "id,INTEGER,YES,,,")
	h.want("DESCRIBE SELECT id AS n FROM calls", "n,INTEGER,YES,,,")
	h.want("DESCRIBE VALUES (1)", "col0,INTEGER,YES,,,")
	h.want("SELECT column_name FROM (DESCRIBE calls)", "id", "berth", "status")
	h.want("SHOW COLUMNS FROM calls", "silver,calls,id,INTEGER,NO,PRI", "silver,calls,berth,VARCHAR,YES,PRI", "silver,calls,status,VARCHAR,YES,")
	h.want("SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = 'calls'", "id,NO", "berth,YES", "status,YES")
	h.refused("DESCRIBE cals", "not_found")
	h.refused("DESCRIBE calls nonsense", "syntax")
}

// TestDescribeMasked: what stands behind a mask is another value, and no key.
func TestDescribeMasked(t *testing.T) {
	h := newHouse(t, masking{column: "id"})
	keyed(h)
	h.want("DESCRIBE silver.calls", "id,VARCHAR,YES,,,", "berth,VARCHAR,YES,PRI,,", "status,VARCHAR,YES,,,")
}

func TestShowTablesLike(t *testing.T) {
	h := newHouse(t, guard.Open{})
	keyed(h)
	h.want("SHOW TABLES LIKE 'CA%'", "silver,calls,table")
	h.want("SHOW TABLES FROM silver LIKE '_alls'", "silver,calls,table")
	h.want("SHOW TABLES LIKE 'call'")
	h.want("SHOW TABLES FROM information_schema LIKE '%s'", "information_schema,columns,view", "information_schema,tables,view", "information_schema,views,view")
	h.refused("SHOW TABLES LIKE calls", "syntax")
}

// TestPlacesOfCommands: a command's error has its place in the whole text.
func TestPlacesOfCommands(t *testing.T) {
	h := newHouse(t, guard.Open{})
	keyed(h)
	for statement, want := range map[string]string{
		"-- what is it\n  DESCRIBE cals":                           `"line":2,"column":12`,
		"\n\nDESCRIBE SELECT nothing FROM calls":                   `"line":3,"column":17`,
		"/* a */ CREATE VIEW gold.x AS\nSELECT nothing FROM calls": `"line":2,"column":8`,
		"/* a */ SHOW TABLES FROM silver calls":                    `"line":1,"column":33`,
	} {
		if _, body := h.post(statement, ""); !strings.Contains(body, want) {
			t.Errorf("%s: %s", statement, body)
		}
	}
}
