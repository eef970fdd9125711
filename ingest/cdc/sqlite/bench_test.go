package sqlite_test

import (
	"testing"

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
