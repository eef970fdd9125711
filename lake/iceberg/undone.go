//go:build duckdb_arrow

package iceberg

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	icetable "github.com/apache/iceberg-go/table"
)

// inHistory tells whether a snapshot can be one that a table's current state came from: it
// is not above the current one, nor between one and its parent, where what was rolled back lies.
// Beyond a parent that is kept no more nothing is known, and any may be.
func inHistory(meta icetable.Metadata, snap *icetable.Snapshot) bool {
	at := meta.CurrentSnapshot()
	if snap == nil || at == nil {
		return snap == nil
	}
	for at.SequenceNumber > snap.SequenceNumber {
		if at.ParentSnapshotID == nil {
			return false
		}
		if at = meta.SnapshotByID(*at.ParentSnapshotID); at == nil {
			return true
		}
	}
	return at.SnapshotID == snap.SnapshotID
}

// committed keeps the base and the editions that it came from; the others are of commits that
// another was faster than.
func (w *ward) committed(p *patient) []*edition {
	came := map[string]bool{p.base.path: true}
	for _, uri := range previous(p.base.meta) {
		if path, err := w.root.Path(uri); err == nil {
			came[path] = true
		}
	}
	var out []*edition
	for i := range p.editions {
		if came[p.editions[i].path] {
			out = append(out, &p.editions[i])
		}
	}
	return out
}

// undone tells what going back to a mark takes away that landing does not bring again: what
// others have committed since, and names of snapshots.
func undone(p *patient, to *mark) string {
	var said []string
	for _, snap := range p.base.meta.Snapshots() {
		if snap.SequenceNumber <= sequence(to.snap) || !inHistory(p.base.meta, &snap) {
			continue
		}
		if s := snap.Summary; (s == nil || s.Operation != icetable.OpReplace) && !fromLog(p, &snap) {
			said = append(said, fmt.Sprintf("version %d, which is not landing's", snap.SnapshotID))
		}
	}
	for name, ref := range p.base.meta.Refs() {
		if name == icetable.MainBranch || keepsRef(to, name, ref.SnapshotID) {
			continue
		}
		said = append(said, fmt.Sprintf("the %s %s of version %d", ref.SnapshotRefType, name, ref.SnapshotID))
	}
	slices.Sort(said)
	return strings.Join(said, ", ")
}

// fromLog tells whether a snapshot came with other offsets than its parent had, as what landing
// commits does. Where the metadata of either is kept no more, nobody knows, and it is taken to.
func fromLog(p *patient, snap *icetable.Snapshot) bool {
	var own, before *edition
	for i := range p.editions { // the newest first
		e := &p.editions[i]
		switch id := number(e.meta.CurrentSnapshot()); {
		case id == snap.SnapshotID:
			own = e
		case snap.ParentSnapshotID != nil && id == *snap.ParentSnapshotID && before == nil:
			before = e
		}
	}
	if own == nil || before == nil {
		return true
	}
	return !maps.Equal(offsetsIn(own.meta.Properties()), offsetsIn(before.meta.Properties()))
}

// keepsRef tells whether a tag or branch is there in the edition that a mark is in.
func keepsRef(to *mark, name string, id int64) bool {
	for n, ref := range to.edition.meta.Refs() {
		if n == name && ref.SnapshotID == id {
			return true
		}
	}
	return false
}

// referred are the snapshots that tags and branches name, which going back keeps.
func referred(meta icetable.Metadata) map[int64]bool {
	out := map[int64]bool{}
	for name, ref := range meta.Refs() {
		if name != icetable.MainBranch {
			out[ref.SnapshotID] = true
		}
	}
	return out
}
