//go:build duckdb_arrow

package postgres_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// recorded are what stands behind SELECT, with PostgreSQL 15's own answers, a line each: what it answers and, where that is something else, what
// Tarn does. An answer is its columns' names with the OIDs of their types, and its rows, or the code of an error.
const recorded = "testdata/differential.txt"

// TestAnswersAreThoseThatPostgresGave asks what PostgreSQL was asked. A difference that is new is red, and so is one that is gone: the third
// column only gets shorter. TARN_POSTGRES_ORACLE=postgres://… asks a PostgreSQL again, TARN_UPDATE=1 writes what both answered.
func TestAnswersAreThoseThatPostgresGave(t *testing.T) {
	text, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	ours, update := connect(t, open(t), ""), os.Getenv("TARN_UPDATE") != ""
	var theirs *pgx.Conn
	if oracle := os.Getenv("TARN_POSTGRES_ORACLE"); oracle != "" {
		if theirs, err = pgx.Connect(t.Context(), oracle); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = theirs.Close(context.WithoutCancel(t.Context())) }()
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		expression, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		want, otherwise, _ := strings.Cut(rest, "\t")
		got := answeredInLine(t, ours, expression)
		if got != cmp.Or(otherwise, want) && !update {
			t.Errorf("%s: got %s, want %s; PostgreSQL answers %s", expression, got, cmp.Or(otherwise, want), want)
		}
		if theirs != nil {
			want = answeredInLine(t, theirs, expression)
		}
		out.WriteString(expression + "\t" + want)
		if got != want {
			out.WriteString("\t" + got)
		}
		out.WriteString("\n")
	}
	if update {
		if err := os.WriteFile(recorded, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// answeredInLine is the answer in one line.
func answeredInLine(t *testing.T, c *pgx.Conn, expression string) string {
	t.Helper()
	r := c.PgConn().ExecParams(t.Context(), "SELECT "+expression, nil, nil, nil, nil)
	var b strings.Builder
	for i := 0; r.NextRow(); i++ {
		b.WriteString([]string{": ", " / "}[min(i, 1)])
		for j, cell := range r.Values() {
			if j > 0 {
				b.WriteString(" | ")
			}
			if cell == nil {
				b.WriteString("<null>")
			} else {
				b.Write(cell)
			}
		}
	}
	var columns []string
	for _, f := range r.FieldDescriptions() {
		columns = append(columns, fmt.Sprintf("%s %d", f.Name, f.DataTypeOID))
	}
	_, err := r.Close()
	if told := (*pgconn.PgError)(nil); errors.As(err, &told) {
		return "ERROR " + told.Code
	} else if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(strings.Join(columns, ", ") + b.String())
}
