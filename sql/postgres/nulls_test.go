//go:build duckdb_arrow

package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestSettingsOfPrepared: what a prepared statement says of the session is what that says when it is run.
func TestSettingsOfPrepared(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	if _, err := c.Exec(t.Context(), "SET app.name = 'one'"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Prepare(t.Context(), "asks", "SELECT current_setting('app.name') || $1::text"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if _, err := c.Exec(t.Context(), "SET app.name = '"+name+"'"); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := c.QueryRow(t.Context(), "asks", "!").Scan(&got); err != nil || got != name+"!" {
			t.Errorf("the setting %s is told as %s: %v", name, got, err)
		}
	}
}

// TestNullsByThemselves: a null parameter in ANY, and in rows, is unknown; a null that nothing gives a type is a text.
func TestNullsByThemselves(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for _, expression := range []string{"1 = ANY($1::int[])", "1 <> ALL($1::int[])", "(1, $1::int[]) = (1, ARRAY[1])", "(1, 2) < (1, cardinality($1::int[]))"} {
		var got *bool
		if err := c.QueryRow(t.Context(), "SELECT "+expression, []int32(nil)).Scan(&got); err != nil || got != nil {
			t.Errorf("%s is %v: %v", expression, got, err)
		}
	}
	d, err := c.Prepare(t.Context(), "null", "SELECT NULL AS x, CASE WHEN true THEN NULL END AS y, coalesce(NULL, NULL) AS z")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Fields {
		if f.DataTypeOID != pgtype.TextOID {
			t.Errorf("%s is told as %d", f.Name, f.DataTypeOID)
		}
	}
}
