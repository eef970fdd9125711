//go:build duckdb_arrow

package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestAny: a parameter of ANY and ALL is a list of what it is compared with, where its client leaves that open.
func TestAny(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for _, of := range []struct {
		text string
		list any
		want int
	}{
		{"SELECT count(*) FROM system.ports WHERE name = ANY($1)", []string{"Rotterdam", "Algeciras"}, 1},
		{"SELECT count(*) FROM system.ports WHERE name <> ALL ( $1 )", []string{"Rotterdam", "Algeciras"}, 1},
		{"SELECT count(*) FROM system.ports WHERE berths = ANY($1)", []int64{7, 8}, 1},
		{"SELECT count(*) FROM system.ports WHERE berths = SOME($1) OR name = 'ANY(none)'", []int32{8}, 1},
		{"SELECT count(*) FROM system.ports WHERE berths = ANY($1)", []int64{}, 0},
		{"SELECT count(*) FROM system.ports WHERE berths = ANY($1::int[])", []int64{8}, 1},
		{"SELECT count(*) FROM (VALUES (DATE '2026-01-02')) t(d) WHERE d = ANY($1)", []string{"2026-01-02"}, 1},
	} {
		var got int
		if err := c.QueryRow(t.Context(), of.text, of.list).Scan(&got); err != nil || got != of.want {
			t.Errorf("%s of %v is %d, want %d: %v", of.text, of.list, got, of.want, err)
		}
	}
	for text, want := range map[string]uint32{"SELECT 1 FROM system.ports WHERE berths = ANY($1)": pgtype.Int8ArrayOID, "SELECT 1 FROM system.ports WHERE name = ANY($1)": pgtype.TextArrayOID} {
		if s, err := c.Prepare(t.Context(), "", text); err != nil || s.ParamOIDs[0] != want {
			t.Errorf("%s takes %v: %v", text, s, err)
		}
	}
	// As node-postgres sends a list: a text.
	r := c.PgConn().ExecParams(t.Context(), "SELECT count(*) FROM system.ports WHERE name = ANY($1)", [][]byte{[]byte(`{"Rotterdam"}`)}, nil, nil, nil).Read()
	if r.Err != nil || string(r.Rows[0][0]) != "1" {
		t.Errorf("%v", r)
	}
}
