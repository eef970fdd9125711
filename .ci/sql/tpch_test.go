//go:build duckdb_arrow

package sql_test

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	proof "tarn/.ci/proof"
	"tarn/.ci/sql/tpch"
	"tarn/.ci/sql/trino"
	"tarn/embedded/duck"
	"tarn/embedded/peertest"
)

// tpchScale has 60,000 lines of orders.
const tpchScale = "0.01"

// The words of two doors for DuckDB's types, as far as TPC-H's answers have them. PostgreSQL's extract is numeric.
var (
	inTrino = map[string]string{
		"BIGINT": "bigint", "HUGEINT": "bigint", "INTEGER": "integer", "VARCHAR": "varchar", "DATE": "date", "DOUBLE": "double",
		// These are doubles in DuckDB alone: in Trino an average has the type of its decimals, and a quotient the larger of two scales.
		"avg_qty": "decimal(15, 2)", "avg_price": "decimal(15, 2)", "avg_disc": "decimal(15, 2)", "mkt_share": "decimal(38, 4)", "promo_revenue": "decimal(38, 6)", "avg_yearly": "decimal(38, 2)",
	}
	inPostgres = map[string]string{"BIGINT": "int8", "HUGEINT": "int8", "INTEGER": "int4", "VARCHAR": "text", "DATE": "date", "DOUBLE": "numeric", "l_year": "numeric", "o_year": "numeric"}
)

// TestTPCH asks TPC-H's 22 queries at every door: names and types of their columns and every digit of their rows are as a bare DuckDB
// has them, which reads the same files.
func TestTPCH(t *testing.T) {
	if _, err := exec.LookPath(tpch.Generator()); err != nil {
		peertest.Missing(t, "tpchgen-cli is missing: set TPCHGEN, or install it from PyPI as .ci/run does")
	}
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	h := proof.Empty(t, binary)
	files, err := tpch.Fill(t.Context(), tpchScale, filepath.Join(h.Data, "lake"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bare := openBare(t, files)
	ports := h.Serve(t)
	flight, pg := flightAt(t, ports["flight"]), postgresAt(t, ports["postgres"])
	tr := trino.Client{Address: ports["trino"], User: "me", Catalog: "lake", Schema: tpch.Schema}
	queries := tpch.Queries()
	if len(queries) != 22 {
		t.Fatalf("there are %d queries", len(queries))
	}
	for _, q := range queries {
		t.Run(q.Name, func(t *testing.T) {
			want := overBare(t, bare, q.Text)
			if want.refused {
				t.Fatal("a bare DuckDB refuses it")
			}
			for door, got := range map[string]answer{
				"JSON": overJSON(t, ports["http"], q.Text), "Arrow over HTTP": overArrow(t, ports["http"], q.Text), "Flight SQL": overFlight(t, flight, q.Text),
			} {
				same(t, door, got, want)
			}
			same(t, "Trino", overTrino(t, tr, q.Text), told(want, inTrino, "decimal(%s, %s)", func(typ, word, cell string) string {
				if typ == "HUGEINT" {
					return strings.Trim(cell, `"`)
				}
				if _, scale, is := strings.Cut(word, ", "); is && typ == "DOUBLE" {
					return rounded(cell, strings.TrimSuffix(scale, ")"))
				}
				return cell
			}))
			same(t, "PostgreSQL", overPostgresText(t, pg, q.Text), told(want, inPostgres, "numeric", func(typ, _, cell string) string {
				if typ == "DOUBLE" { // what divides is a numeric there
					return significant(cell)
				}
				return strings.Trim(cell, `"`)
			}))
		})
	}
}

func same(t *testing.T, door string, got, want answer) {
	t.Helper()
	if !slices.Equal(got.columns, want.columns) {
		t.Errorf("%s: the columns are %q, not %q", door, got.columns, want.columns)
	}
	if got.String() != want.String() {
		t.Errorf("%s: %.400s\nDuckDB: %.400s", door, got, want)
	}
}

// told is an answer of DuckDB as a door tells it: types by its words, and cells.
func told(a answer, words map[string]string, decimal string, cell func(typ, word, cell string) string) answer {
	out := answer{refused: a.refused}
	types, known := make([]string, len(a.columns)), make([]string, len(a.columns))
	for i, c := range a.columns {
		at := strings.LastIndexByte(c, ' ')
		types[i] = c[at+1:]
		word := cmp.Or(words[c[:at]], words[types[i]])
		if of, is := strings.CutPrefix(types[i], "DECIMAL("); is {
			precision, scale, _ := strings.Cut(strings.TrimSuffix(of, ")"), ",")
			if word = decimal; strings.Contains(decimal, "%s") {
				word = fmt.Sprintf(decimal, precision, scale)
			}
		}
		known[i] = word
		out.columns = append(out.columns, c[:at+1]+word)
	}
	for _, row := range a.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = cell(types[i], known[i], c)
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

// shortest is a number in the fewest digits that are it.
func shortest(number string) string {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// quotientDigits are those of a number of which a double and a numeric are the same.
const quotientDigits = 14

// longFraction is that of such a number: those that are summed have six digits at most.
var longFraction = regexp.MustCompile(`\.[0-9]{8}`)

// significant is a number in so many digits.
func significant(number string) string {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	return strconv.FormatFloat(f, 'g', quotientDigits, 64)
}

// rounded is a number with so many digits behind the point, as JSON has a decimal.
func rounded(number, scale string) string {
	f, err := strconv.ParseFloat(number, 64)
	digits, err2 := strconv.Atoi(scale)
	if err != nil || err2 != nil {
		return number
	}
	return strconv.Quote(strconv.FormatFloat(f, 'f', digits, 64))
}

// openBare is a DuckDB, set up as Tarn's, that has the files as tables.
func openBare(t *testing.T, files tpch.Files) *duck.Conn {
	t.Helper()
	in, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), in.Close() })
	if err := files.Views(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

func overBare(t *testing.T, conn *duck.Conn, text string) answer {
	t.Helper()
	r, err := conn.Arrow(t.Context(), text)
	if err != nil {
		return answer{refused: true}
	}
	defer r.Release()
	return batches(r)
}

// overPostgresText reads rows as the texts that the door sends, but numbers that divisions gave, which have more digits than a double.
func overPostgresText(t *testing.T, c *pgx.Conn, text string) (out answer) {
	t.Helper()
	r := c.PgConn().ExecParams(t.Context(), text, nil, nil, nil, nil).Read()
	if r.Err != nil {
		return answer{refused: true}
	}
	for _, f := range r.FieldDescriptions {
		kind, ok := c.TypeMap().TypeForOID(f.DataTypeOID)
		if !ok {
			t.Fatalf("%s: pgx knows no type %d", text, f.DataTypeOID)
		}
		out.columns = append(out.columns, f.Name+" "+kind.Name)
	}
	for _, row := range r.Rows {
		cells := make([]string, len(row))
		for i, raw := range row {
			switch {
			case raw == nil:
				cells[i] = "null"
			case strings.HasSuffix(out.columns[i], " numeric") && longFraction.Match(raw):
				cells[i] = significant(string(raw))
			default:
				cells[i] = string(raw)
			}
		}
		out.rows = append(out.rows, cells)
	}
	return out
}
