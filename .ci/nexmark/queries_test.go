//go:build duckdb_arrow

package nexmark_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	nexmark "tarn/.ci/nexmark"
	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
)

// The bags of 200,000 events of seed 42: those of what Flink 1.20 has written of its own query.
// TARN_FLINK names a folder with its output, <query>/result, to be compared anew.
// The sums are of DuckDB's hash, which another version of it may have differently.
var bags = map[string][2]int64{
	"q0":      {184_000, 92_071_770_029_269},
	"q1":      {184_000, 91_972_476_763_433},
	"q2":      {1518, 754_943_116_478},
	"q5":      {70_303, 35_272_910_304_913},
	"q7":      {2, 1_477_694_152},
	"tumble":  {13_472, 6_740_925_058_802},
	"q5-join": {14, 5_880_475_657},
	"q7-join": {2, 1_740_392_199},
}

func TestTruthEqualsFlink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	if err := nexmark.WriteFiles(dir, 200_000, 42); err != nil {
		t.Fatal(err)
	}
	in, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(t.Context(), nexmark.OfFiles(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(slices.Clone(nexmark.Queries), "q5-join", "q7-join") {
		q, err := nexmark.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := bag(t, c, q.Bag("("+q.Truth+")")); got != bags[name] {
			t.Errorf("%s: rows and sum %v, Flink's are %v", name, got, bags[name])
		}
		if flink := os.Getenv("TARN_FLINK"); flink != "" {
			if got := bag(t, c, q.Bag(q.OfFlink(filepath.Join(flink, name)))); got != bags[name] {
				t.Errorf("%s: rows and sum %v of Flink, once %v", name, got, bags[name])
			}
		}
	}
}

// What Tarn is given is read by its parser, and so is Flink's spelling of the same.
func TestStatementsAreRead(t *testing.T) {
	sources, err := nexmark.Sources()
	if err != nil {
		t.Fatal(err)
	}
	source, err := sqltext.ParseStream(sources)
	if err != nil || len(source.Columns) != 7 || source.Watermark == nil || source.Watermark.Delay != 4*time.Second {
		t.Fatalf("%+v: %v", source, err)
	}
	p, err := sqltext.NewParser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, name := range nexmark.Queries {
		q, err := nexmark.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		statement, err := sqltext.ParseContinuous(q.Tarn)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, flink, _ := strings.Cut(q.Flink, "\n")
		for _, body := range []string{statement.Body, flink} {
			if _, err := p.Query(t.Context(), body); err != nil {
				t.Errorf("%s: %s: %v", name, body, err)
			}
		}
		if want := "gold." + name; statement.Into.String() != want {
			t.Errorf("%s fills %s", name, statement.Into)
		}
	}
}

func bag(t *testing.T, c *duck.Conn, query string) (out [2]int64) {
	t.Helper()
	r, err := c.Arrow(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		for i := range out {
			column, ok := r.RecordBatch().Column(i).(*array.Int64)
			if !ok {
				t.Fatal(fmt.Errorf("%s: column %d is no BIGINT", query, i))
			}
			out[i] = column.Value(0)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
