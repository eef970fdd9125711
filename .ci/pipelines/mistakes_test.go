//go:build duckdb_arrow

package pipelines_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
)

var flagUpdate = flag.Bool("update", false, "write the golden files anew")

// TestMistakes holds what newcomers from Flink, RisingWave, ksqlDB, Materialize and dbt write, and what they are told: where
// it is wrong, and what to write instead. testdata/mistakes.txt has a statement behind each line that begins with #, then
// the answer in lines that begin with =.
func TestMistakes(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"orders", "payments", "customers"} {
		_, err := s.bus.CreateTopic(s.ctx, name, bus.TopicConfig{Partitions: 1})
		s.must(err)
	}
	s.exec(
		`CREATE SOURCE orders (id BIGINT, customer_id BIGINT, amount DECIMAL(10, 2), status VARCHAR, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH (connector = 'kafka', topic = 'orders')`,
		`CREATE SOURCE payments (id BIGINT, order_id BIGINT, amount DECIMAL(10, 2), ts TIMESTAMP(3)) WITH (connector = 'kafka', topic = 'payments')`,
		`CREATE SOURCE customers (id BIGINT, name VARCHAR, PRIMARY KEY (id)) WITH (connector = 'kafka', topic = 'customers', format = 'debezium-json')`,
		`CREATE MATERIALIZED VIEW by_status AS SELECT status, count(*) AS n FROM orders GROUP BY status`,
	)
	s.until("SELECT count(*) FROM gold.by_status", "0") // the pipeline makes its table when it starts
	const path = "testdata/mistakes.txt"
	golden, err := os.ReadFile(path)
	s.must(err)
	var out bytes.Buffer
	for _, block := range strings.Split("\n"+string(golden), "\n#")[1:] {
		head, rest, _ := strings.Cut(block, "\n")
		statement, _, _ := strings.Cut(rest, "\n=")
		statement = strings.TrimSpace(statement)
		_, err := s.run(statement)
		fmt.Fprintf(&out, "#%s\n%s\n= %s\n\n", head, statement, strings.ReplaceAll(told(err), "\n", "\n= "))
		f, placed := errors.AsType[*fault.Error](err)
		if err != nil && (!placed || f.Line == 0 || f.Column == 0 || fault.HintOf(err) == "") {
			t.Errorf("%s: it is not told where, and what to write: %s", statement, told(err))
		}
	}
	if *flagUpdate {
		s.must(os.WriteFile(path, out.Bytes(), 0o600))
	} else if out.String() != string(golden) {
		t.Errorf("the answers have changed; go test -run TestMistakes -update . shows how")
	}
}

// told is an error as tarn sql prints it.
func told(err error) string {
	if err == nil {
		return "done"
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d %s\n%s", f.Line, f.Column, err, fault.HintOf(err))
}
