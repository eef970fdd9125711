//go:build duckdb_arrow

package rest_test

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// harbour is a house with the tables of testdata/select.sql, which its own DuckDB has too.
func harbour(t testing.TB, g guard.Guard) *house {
	h := newHouse(t, g)
	for name, of := range map[string]struct {
		rows    string
		columns []table.Column
	}{
		"calls": {
			`SELECT i::INT AS id, ['A1', 'A1', 'B1', 'C1', NULL][i % 5 + 1] AS berth, ['Mermaid', 'Nautilus', 'Maria Celeste', 'Pequod'][i % 4 + 1] AS ship,
				TIMESTAMP '2026-01-01 06:00:00' + to_hours(i::INT * 7) AS arrived, CASE WHEN i % 6 = 5 THEN NULL ELSE i * 37.5 END::DOUBLE AS tons FROM range(1, 13) t(i)`,
			[]table.Column{column("id", record.Int), column("berth", record.String), column("ship", record.String), column("arrived", record.Timestamp), column("tons", record.Double)},
		},
		"ships": {
			"SELECT * FROM (VALUES ('Mermaid', 1999, 'MT'), ('Nautilus', 2005, 'FR'), ('Pequod', 2011, 'US'), ('Rachel', 2001, 'US')) t(ship, built, flag)",
			[]table.Column{column("ship", record.String), column("built", record.Int), column("flag", record.String)},
		},
		"tides": {
			"SELECT TIMESTAMP '2026-01-01 12:00:00' + to_hours(i::INT * 12) AS at, (i % 3)::DOUBLE AS height FROM range(8) t(i)",
			[]table.Column{column("at", record.Timestamp), column("height", record.Double)},
		},
	} {
		h.table(table.Ident{Namespace: "silver", Name: name}, of.rows, of.columns...)
		for _, make := range []string{"ATTACH IF NOT EXISTS ':memory:' AS lake", "CREATE SCHEMA IF NOT EXISTS lake.silver", "CREATE TABLE lake.silver." + name + " AS " + of.rows, "USE lake.silver"} {
			if err := h.write.Exec(t.Context(), make); err != nil {
				t.Fatal(err)
			}
		}
	}
	return h
}

// TestSelect sends what SELECT can say, and compares with what DuckDB answers by itself.
func TestSelect(t *testing.T) {
	h := harbour(t, guard.Open{})
	list, err := os.ReadFile("testdata/select.sql")
	if err != nil {
		t.Fatal(err)
	}
	refusal, sent := "", 0
	for statement := range strings.Lines(string(list)) {
		statement = strings.TrimSpace(statement)
		if group, ok := strings.CutPrefix(statement, "--"); ok {
			_, refusal, _ = strings.Cut(group, "refused: ")
			continue
		}
		if statement == "" {
			continue
		}
		sent++
		status, body := h.post(statement, "application/vnd.apache.arrow.stream")
		if refusal != "" {
			if status < 400 || status > 499 || !strings.Contains(body, refusal) {
				t.Errorf("%s: %d %s, want %s", statement, status, body, refusal)
			}
			continue
		}
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", statement, status, body)
			continue
		}
		got, err := ipc.NewReader(bytes.NewReader([]byte(body)))
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		want, err := h.write.Arrow(t.Context(), statement)
		if err != nil {
			t.Errorf("%s: DuckDB itself says %v", statement, err)
			continue
		}
		ordered := strings.Contains(statement, "ORDER BY")
		if is, should := shown(got, ordered), shown(want, ordered); is != should {
			t.Errorf("%s\n%s\nDuckDB itself answers\n%s", statement, is, should)
		}
		want.Release()
	}
	if sent < 220 {
		t.Errorf("only %d statements were sent", sent)
	}
}

// shown is an answer as text: its columns with their types, and a line a row.
func shown(r array.RecordReader, ordered bool) string {
	var rows []string
	for r.Next() {
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			row := ""
			for _, c := range b.Columns() {
				row += c.ValueStr(i) + "|"
			}
			rows = append(rows, row)
		}
	}
	if !ordered {
		slices.Sort(rows)
	}
	var head []string
	for _, f := range r.Schema().Fields() {
		head = append(head, columnName.Replace(f.Name)+" "+f.Type.String())
	}
	return strings.Join(append([]string{strings.Join(head, "|")}, rows...), "\n")
}

// columnName passes over what DuckDB writes in several ways where a column is named after its expression: quotes, parentheses, lambdas.
var columnName = strings.NewReplacer(`"`, "", "main.row(", "", "row(", "", "lake.silver.", "", "(", "", ")", "", "lambda ", "", ": ", " -> ")
