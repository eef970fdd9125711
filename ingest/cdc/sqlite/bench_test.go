package sqlite_test

import (
	"testing"
	"time"

	"tarn/ingest/source"
)

// BenchmarkSource reads 100,000 rows by a snapshot, then as many changes, through the
// runner into a log in memory.
func BenchmarkSource(b *testing.B) {
	const rows = 100_000
	fill := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO moves SELECT i, 'TCLU' || i, 'VES123', 1, 12.5, '2026-11-23T12:00:00Z', 'note' FROM n`
	for b.Loop() {
		r := newRig(b, b.TempDir(), "wal", "CREATE TABLE moves (id INTEGER PRIMARY KEY, container TEXT, vessel TEXT, teu INT, weight REAL, moved_at TEXT, note TEXT)", fill)
		r.start()
		start := b.Elapsed()
		r.until("snapshot", func() bool { return r.runner.Status().Rows == rows })
		b.ReportMetric(rows/(b.Elapsed()-start).Seconds(), "snapshot-rows/s")
		r.stop()
		r.exec("UPDATE moves SET teu = teu + 1")
		start = b.Elapsed()
		r.start()
		r.until("changes", func() bool { s := r.runner.Status(); return s.Rows == rows && s.State == source.Streaming })
		b.ReportMetric(rows/(b.Elapsed()-start).Seconds(), "changes/s")
		r.close()
	}
}

// BenchmarkTriggers writes batches of 20,000 rows with and without Tarn's triggers, turn by turn, and tells how many times as
// long they take with them.
func BenchmarkTriggers(b *testing.B) {
	const table = "CREATE TABLE moves (id INTEGER PRIMARY KEY, container TEXT, vessel TEXT, teu INT, weight REAL, moved_at TEXT, note TEXT)"
	statements := map[string]string{
		"insert": `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO moves SELECT (SELECT coalesce(max(id), 0) FROM moves) + i, 'TCLU' || i, 'VES123', 1, 12.5, '2026-11-23T12:00:00Z', 'note' FROM n`,
		"update": "UPDATE moves SET teu = teu + 1 WHERE id <= 20000",
		"delete": "DELETE FROM moves WHERE id > 0",
	}
	for _, name := range []string{"insert", "update", "delete"} {
		b.Run(name, func(b *testing.B) {
			plain, captured := newRig(b, b.TempDir(), "wal", table), newRig(b, b.TempDir(), "wal", table)
			defer plain.close()
			defer captured.close()
			plain.exec("PRAGMA synchronous = NORMAL")
			captured.exec("PRAGMA synchronous = NORMAL")
			captured.start()
			captured.until("the capture", func() bool { return captured.runner.Status().State == source.Streaming })
			captured.stop()
			var took [2]time.Duration
			for b.Loop() {
				for i, r := range []*rig{plain, captured} {
					if name != "insert" {
						r.exec(statements["insert"])
					}
					began := time.Now()
					r.exec(statements[name])
					took[i] += time.Since(began)
				}
			}
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "times-as-long")
		})
	}
}
