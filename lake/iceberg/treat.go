//go:build duckdb_arrow

package iceberg

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// A repair takes the first of these that is possible; regain.go has those for mirrors alone.
//
//  1. The current snapshot is whole: the table goes on, without old snapshots that are spoilt. If the
//     catalog's metadata was lost, the log brings again what it told of (goOn).
//  2. An older snapshot is whole and the log has all since then: back to it, and the log is landed
//     again (goBack).
//  3. A mirror starts over (startOver): of bronze, if that has every record that makes it (fromBronze);
//     else of its source (fromSource). It waits for a person while bronze is yet to land what the log
//     has (behind), and while nobody knows what the log has, for meta.db cannot be read.
//  4. Only data files are damaged: the table without them, and what they held is named as lost (drop).
//  5. An older snapshot is whole: back to it, and what the log has no more is named as lost.
//  6. Nothing is whole: out of the catalog, to be made anew (abandon).
//
// A mirror is emptied only for something that will fill it. One that nobody lands into (left) is
// treated as any other table, and for it the log has nothing.

// treatment is what a repair does to a table: words for the user, and the deed. Without a
// deed there is nothing that Tarn can do.
type treatment struct {
	action, loss, hint string
	do                 func(ctx context.Context) error
}

// mark is a whole snapshot that a table can go back to: the metadata that it is in, and the
// offsets that belong to it.
type mark struct {
	edition *edition
	snap    *icetable.Snapshot // nil: the table as it was before its first row
	offsets map[string]string  // tarn.offsets.…
}

// plan examines a table and chooses the treatment that loses least; nil for a whole table.
func (w *ward) plan(ctx context.Context, p *patient) (*treatment, error) {
	if p.base == nil {
		return w.abandon(p, "no metadata of the table is whole"), nil
	}
	x := w.examiner(w.o.Deep, columns(p.base.meta.CurrentSchema(), p.base.meta.Properties()))
	t, err := w.choose(ctx, p, x)
	if err == nil && t != nil && (x.others || !(&state{meta: p.base.meta}).ours()) {
		return &treatment{hint: "Tarn only reads tables of this kind, and does nothing to it: mend it with the program that writes it, or put its folder back from a backup"}, nil
	}
	return t, err
}

// choose is plan for a table that Tarn can write, which any edition of it can be read as.
func (w *ward) choose(ctx context.Context, p *patient, x *examiner) (*treatment, error) {
	now, err := x.snapshot(ctx, p.base.meta.CurrentSnapshot())
	if err != nil {
		return nil, err
	}
	spoiled, err := w.spoiled(ctx, p, x)
	if err != nil {
		return nil, err
	}
	props := p.base.meta.Properties()
	source, mirror := w.mirrored(p)
	if len(now.bad) == 0 {
		w.remember(p)
		return w.goOn(ctx, p, x, spoiled)
	}
	for _, bad := range now.bad {
		p.found(w, bad)
	}
	to, err := w.lastWhole(ctx, p, x)
	if err != nil {
		return nil, err
	}
	back := to != nil && !w.left(p) && w.covered(offsetsIn(props), to.offsets) && (p.named || w.reaches(to.offsets))
	if back && mirror {
		why, err := w.unfinished(ctx, to.offsets)
		if err != nil {
			return nil, err
		}
		back = why == ""
	}
	switch {
	case back:
		t := w.goBack(p, x, to)
		t.action += w.landsAgain(props, to.offsets)
		return t, nil
	case mirror:
		return w.startOver(ctx, p, x, source)
	case now.whole:
		t := w.drop(p, x, now.lost)
		t.hint = w.leftBy(p)
		return t, nil
	case to != nil:
		t := w.goBack(p, x, w.onLog(props, to))
		t.hint = w.leftBy(p)
		t.loss = strings.TrimSuffix("what was committed since then, and is not in the log any more, "+t.loss, ", ")
		return t, nil
	}
	const none = "no snapshot of the table is whole"
	if w.left(p) {
		return &treatment{hint: none + ": put its folder back from a backup; " + w.leftBy(p)}, nil
	}
	return w.abandon(p, none), nil
}

// spoiled lists the snapshots of the base, but for the current one, that are not whole.
func (w *ward) spoiled(ctx context.Context, p *patient, x *examiner) (ids []int64, err error) {
	current := p.base.meta.CurrentSnapshot()
	for _, snap := range p.base.meta.Snapshots() {
		if current != nil && snap.SnapshotID == current.SnapshotID {
			continue
		}
		h, err := x.snapshot(ctx, &snap)
		if err != nil {
			return nil, err
		}
		for _, bad := range h.bad {
			p.found(w, bad)
		}
		if len(h.bad) > 0 {
			ids = append(ids, snap.SnapshotID)
		}
	}
	return ids, nil
}

// goOn goes on from the base, whose current snapshot is whole, less old snapshots that are
// spoilt. nil when there is nothing to do.
func (w *ward) goOn(ctx context.Context, p *patient, x *examiner, spoiled []int64) (*treatment, error) {
	meta := p.base.meta
	source, mirror := w.mirrored(p)
	if mirror {
		if t, err := w.goneOn(ctx, p, x, source); t != nil || err != nil {
			return t, err
		}
	}
	if len(p.damage) == 0 {
		return w.halfway(p), nil
	}
	var said []string
	if !p.named {
		said = append(said, "goes on from "+filepath.Base(p.base.path)+", the newest metadata that is whole")
	}
	if len(spoiled) > 0 {
		said = append(said, fmt.Sprintf("forgets %d old snapshots, which cannot be read; the table as it is now is whole", len(spoiled)))
	}
	t := &treatment{action: strings.Join(said, "; "), do: func(ctx context.Context) error {
		return w.update(ctx, p, x, p.base, forgetting(spoiled))
	}}
	if path, err := w.root.Path(p.location); p.named || err == nil && version(path) < version(p.base.path) {
		return t, nil
	}
	offsets := offsetsIn(meta.Properties())
	if w.reaches(offsets) && !w.left(p) {
		t.action += "; what was committed after it is landed again from the log"
		return t, nil
	}
	if mirror {
		return w.startOver(ctx, p, x, source)
	}
	on := w.goBack(p, x, w.onLog(meta.Properties(), &mark{p.base, meta.CurrentSnapshot(), offsets}))
	on.loss = "what was committed after " + filepath.Base(p.base.path) + ", and is not in the log any more"
	on.hint = w.leftBy(p)
	return on, nil
}

func forgetting(ids []int64) []icetable.Update {
	if len(ids) == 0 {
		return nil
	}
	return []icetable.Update{icetable.NewRemoveSnapshotsUpdate(ids, false)}
}

// update installs an edition's metadata with changes.
func (w *ward) update(ctx context.Context, p *patient, x *examiner, from *edition, updates []icetable.Update) error {
	meta, err := icetable.UpdateTableMetadata(from.meta, updates, w.root.URI(from.path))
	if err != nil {
		return err
	}
	return w.install(ctx, p, x, meta)
}

// lastWhole finds the newest snapshot to go back to: nil when none is whole. Metadata whose
// current snapshot it is knows everything that belongs to it; of the others the summary
// tells the offsets.
func (w *ward) lastWhole(ctx context.Context, p *patient, x *examiner) (*mark, error) {
	marks := map[int64]mark{}
	for _, s := range slices.Backward(w.committed(p)) { // the highest version is the one that stays
		snap := s.meta.CurrentSnapshot()
		if !inHistory(p.base.meta, snap) {
			continue
		}
		marks[number(snap)] = mark{s, snap, offsetsIn(s.meta.Properties())}
	}
	for _, snap := range p.base.meta.Snapshots() {
		if _, known := marks[snap.SnapshotID]; known || !inHistory(p.base.meta, &snap) {
			continue
		}
		offsets := map[string]string{}
		if snap.Summary != nil {
			offsets = offsetsIn(snap.Summary.Properties)
		}
		if len(offsets) == len(offsetsIn(p.base.meta.Properties())) {
			marks[snap.SnapshotID] = mark{p.base, &snap, offsets}
		}
	}
	order := slices.SortedFunc(maps.Values(marks), func(a, b mark) int { return int(sequence(b.snap) - sequence(a.snap)) })
	for _, m := range order {
		h, err := x.snapshot(ctx, m.snap)
		if err != nil {
			return nil, err
		}
		if len(h.bad) == 0 {
			return &m, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

func number(snap *icetable.Snapshot) int64 {
	if snap == nil {
		return 0
	}
	return snap.SnapshotID
}

func sequence(snap *icetable.Snapshot) int64 {
	if snap == nil {
		return -1
	}
	return snap.SequenceNumber
}

func offsetsIn(props map[string]string) map[string]string {
	out := maps.Clone(props)
	maps.DeleteFunc(out, func(key, _ string) bool { return !strings.HasPrefix(key, table.PropOffsets) })
	return out
}

// goBack makes a snapshot the current one, with the offsets that belong to it, and forgets
// those that are spoilt, and those after it that no tag names.
func (w *ward) goBack(p *patient, x *examiner, to *mark) *treatment {
	said := "goes back to before its first row"
	if to.snap != nil {
		said = fmt.Sprintf("goes back to version %d of %s", to.snap.SnapshotID, time.UnixMilli(to.snap.TimestampMs).UTC().Format(time.RFC3339))
	}
	return &treatment{action: said, loss: undone(p, to), do: func(ctx context.Context) error {
		var updates []icetable.Update
		props := iceberg.Properties{}
		for key, value := range to.offsets {
			if to.edition.meta.Properties()[key] != value {
				props[key] = value
			}
		}
		if len(props) > 0 {
			updates = append(updates, icetable.NewSetPropertiesUpdate(props))
		}
		if to.snap != nil && number(to.edition.meta.CurrentSnapshot()) != to.snap.SnapshotID {
			updates = append(updates, icetable.NewSetSnapshotRefUpdate(icetable.MainBranch, to.snap.SnapshotID, icetable.BranchRef, 0, 0, 0))
		}
		ids, err := x.spoilt(ctx, to.edition.meta.Snapshots())
		if err != nil {
			return err
		}
		tagged := referred(to.edition.meta)
		for _, snap := range to.edition.meta.Snapshots() {
			if snap.SequenceNumber > sequence(to.snap) && !tagged[snap.SnapshotID] && !slices.Contains(ids, snap.SnapshotID) {
				ids = append(ids, snap.SnapshotID)
			}
		}
		return w.update(ctx, p, x, to.edition, append(updates, forgetting(ids)...))
	}}
}

// covered tells whether going back from one set of offsets to another loses nothing: the log
// still has the records from there on, or nothing was landed since.
func (w *ward) covered(from, to map[string]string) bool {
	if len(from) == 0 && len(to) == 0 {
		return false // not of the log's
	}
	for key, text := range from {
		var now, then record.Offsets
		if json.Unmarshal([]byte(text), &now) != nil {
			return false
		}
		if err := json.Unmarshal([]byte(to[key]), &then); err != nil && to[key] != "" {
			return false
		}
		for topic, parts := range now {
			for part, at := range parts {
				next := then[topic][part].Next
				if next >= at.Next {
					continue
				}
				start, lost, known := w.logStart(topic, part)
				if !known || start > next || slices.ContainsFunc(lost, func(hole [2]int64) bool { return hole[0] < at.Next && hole[1] > next }) {
					return false
				}
			}
		}
	}
	return true
}

// reaches tells whether landing can go on from these offsets: the log has what comes there.
func (w *ward) reaches(offsets map[string]string) bool {
	for _, text := range offsets {
		var then record.Offsets
		if json.Unmarshal([]byte(text), &then) != nil {
			return false
		}
		for topic, parts := range then {
			for part, at := range parts {
				start, lost, known := w.logStart(topic, part)
				if !known || start > at.Next || slices.ContainsFunc(lost, func(hole [2]int64) bool { return hole[0] <= at.Next && hole[1] > at.Next }) {
					return false
				}
			}
		}
	}
	return len(offsets) > 0
}

func (w *ward) logStart(topic, part string) (start int64, lost [][2]int64, known bool) {
	var n int32
	if _, err := fmt.Sscan(part, &n); err != nil || w.o.LogStart == nil {
		return 0, nil, false
	}
	return w.o.LogStart(topic, n)
}

// landsAgain says from where the log is landed again.
func (w *ward) landsAgain(from, to map[string]string) string {
	var said []string
	for key, text := range offsetsIn(from) {
		var now, then record.Offsets
		_ = json.Unmarshal([]byte(text), &now) // covered has read both
		_ = json.Unmarshal([]byte(to[key]), &then)
		for topic, parts := range now {
			for part, at := range parts {
				if next := then[topic][part].Next; next < at.Next {
					said = append(said, fmt.Sprintf("; offsets %d to %d of topic %s are landed again from the log", next, at.Next-1, topic))
				}
			}
		}
	}
	slices.Sort(said)
	return strings.Join(said, "")
}

// onLog is a mark whose offsets the log has: where it begins later, landing goes on there. It
// stops before a hole: what lies before that is landed first. Which records the rows come from is
// not known any more.
func (w *ward) onLog(from map[string]string, m *mark) *mark {
	out := *m
	out.offsets = maps.Clone(m.offsets)
	for key := range offsetsIn(from) {
		then := record.Offsets{}
		_ = json.Unmarshal([]byte(m.offsets[key]), &then)
		for topic, parts := range then {
			for part, at := range parts {
				if start, _, known := w.logStart(topic, part); known && start > at.Next {
					at.Next, at.Places = start, nil
				}
				at.Past = nil
				parts[part] = at
			}
		}
		if text, err := json.Marshal(then); err == nil {
			out.offsets[key] = string(text)
		}
	}
	return &out
}

// abandon takes a table out of the catalog, with its folder put aside. What fills it makes a
// new one.
func (w *ward) abandon(p *patient, why string) *treatment {
	if p.id.Namespace != "bronze" && p.id.Namespace != "silver" && p.id.Namespace != table.SystemNamespace {
		return &treatment{hint: why + ": put its folder back from a backup"}
	}
	return &treatment{
		action: "takes the table out of the catalog and puts its folder aside, for " + why + "; landing makes a new one of what the log has",
		loss:   "what the log has no more",
		hint:   "take a new snapshot of its source: set snapshot.mode to always once",
		do: func(ctx context.Context) error {
			if err := w.putAside(p.dir); err != nil {
				return err
			}
			if err := w.opened(ctx); err != nil {
				return err
			}
			return w.pointer.remove(ctx, p.id)
		},
	}
}
