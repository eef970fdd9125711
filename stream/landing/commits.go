package landing

import (
	"time"

	"tarn/lake/table"
)

// tellCommit makes a commit of the lake a record of tarn.commits. Those of the namespace system are
// left out, or it would never end. What a crash loses of them, their snapshots tell as well.
func (l *Landing) tellCommit(one table.Committed) {
	if one.System || one.Table.Namespace == table.SystemNamespace {
		return
	}
	l.commits.Add(one.At, struct {
		At          string `json:"at"`
		Table       string `json:"table"`
		TableID     string `json:"table_id"`
		SnapshotID  int64  `json:"snapshot_id"`
		Operation   string `json:"operation"`
		AddedRows   int64  `json:"added_rows"`
		DeletedRows int64  `json:"deleted_rows"`
		AddedFiles  int    `json:"added_files"`
		Millis      int64  `json:"ms"`
	}{
		one.At.UTC().Format(time.RFC3339Nano), one.Table.String(), one.ID, one.SnapshotID, one.Operation,
		one.AddedRows, one.DeletedRows, one.AddedFiles, one.Millis,
	})
}
