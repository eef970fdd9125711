//go:build duckdb_arrow

package sqltext_test

import (
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// To look for the ends of PIVOTs takes their number times the length of the statement, so their number is bounded.
func TestPivotsAreBounded(t *testing.T) {
	t.Parallel()
	for _, one := range []string{"(PIVOT ", "(WITH a AS (FROM t) PIVOT_WIDER "} {
		statement := strings.Repeat(one, sqltext.TextBytesMax/len(one))
		if _, _, err := sqltext.Pivots(statement); fault.CodeOf(err) != fault.TooLarge {
			t.Errorf("%s…: %v", one, err)
		}
		if _, found, err := sqltext.Pivots(strings.Repeat(one, 3)); found || err != nil {
			t.Errorf("three times %s: %t, %v", one, found, err)
		}
	}
}
