package sqlite_test

import (
	"fmt"
	"testing"

	"tarn/embedded/disk/disktest"
	"tarn/ingest/cdc/sqlite"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, journal := range []string{"delete", "wal"} {
		t.Run(journal, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) sourcetest.Subject {
				r := newRig(t, disktest.Memory(t), journal, callsDDL,
					`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO calls SELECT i, printf('%.*c', 30000, 'x') || i, i FROM n`)
				t.Cleanup(r.close)
				n := 0
				return sourcetest.Subject{
					Kind: sqlite.Kind, Config: source.Config{Name: "port", Keys: r.config}, Table: "calls", Topic: "p.main.calls",
					Change: func() {
						n++
						r.exec(fmt.Sprintf("REPLACE INTO calls VALUES (%d, 'B', 1)", n), "UPDATE calls SET teu = teu + 1 WHERE id < 9", fmt.Sprintf("DELETE FROM calls WHERE id = %d", 50+n))
					},
					Truth: func() map[string]string { return r.truth("calls") },
				}
			})
		})
	}
}
