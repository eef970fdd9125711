//go:build duckdb_arrow

package iceberg

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// bronzeNamespace is where the tables are that hold all records of a topic.
const bronzeNamespace = "bronze"

// standing is how far a mirror has come: of one topic, which has one partition.
type standing struct {
	key, topic, part string
	record.PartitionOffsets
}

// standingOf reads offsets of a mirror; false where they are of more than one partition.
func standingOf(offsets map[string]string) (s standing, ok bool) {
	if len(offsets) != 1 {
		return s, false
	}
	for key, text := range offsets {
		var o record.Offsets
		if json.Unmarshal([]byte(text), &o) != nil || len(o) != 1 {
			return s, false
		}
		for topic, parts := range o {
			for part, at := range parts {
				s, ok = standing{key, topic, part, at}, len(parts) == 1
			}
		}
	}
	return s, ok
}

// offsets is the property of a standing.
func (s standing) offsets() (map[string]string, error) {
	text, err := json.Marshal(record.Offsets{s.topic: {s.part: s.PartitionOffsets}})
	return map[string]string{s.key: string(text)}, err
}

// remember keeps in mind a bronze table that is whole, for the mirrors, which come after it.
func (w *ward) remember(p *patient) {
	if topic := p.base.meta.Properties()[table.PropTopic]; p.id.Namespace == bronzeNamespace && topic != "" && p.named {
		w.bronze[topic] = append(w.bronze[topic], p)
	}
}

// mirrored tells whether a table is a mirror that landing fills, and of what.
func (w *ward) mirrored(p *patient) (source string, mirror bool) {
	source, mirror = p.base.meta.Properties()[table.PropSource]
	return source, mirror && !w.left(p)
}

// left tells of a mirror that nobody lands into any more: its topic lands in another mirror, or in
// none, or is gone. Neither the log nor bronze nor the source would ever fill it again.
func (w *ward) left(p *patient) bool {
	props := p.base.meta.Properties()
	_, mirror := props[table.PropSource]
	return mirror && w.o.Lands != nil && !w.o.Lands(props[table.PropTopic], p.id.Name)
}

// leftBy is the hint at a mirror that is left; "" at other tables.
func (w *ward) leftBy(p *patient) string {
	if !w.left(p) {
		return ""
	}
	return fmt.Sprintf("nothing is landed into it any more, for topic %s lands in another mirror or in none, or is gone: so nothing brings its rows again", p.base.meta.Properties()[table.PropTopic])
}

// halfway tells of a mirror that is left in the midst of being made again; nil for others.
func (w *ward) halfway(p *patient) *treatment {
	at, ok := standingOf(offsetsIn(p.base.meta.Properties()))
	if !w.left(p) || !ok || at.Past == nil || at.Past.Again == nil {
		return nil
	}
	p.found(w, &spoilt{p.dir, fmt.Sprintf("its rebuild from bronze stands at offset %d of %d, and does not go on", at.Past.Again.Next, at.Next)})
	return &treatment{hint: w.leftBy(p) + ": let the topic land in it again, or drop it"}
}

// fromBronze empties a mirror and has it made again of bronze when Tarn starts. Where that
// cannot be, why tells what is in the way.
func (w *ward) fromBronze(ctx context.Context, p *patient, x *examiner) (t *treatment, why string, err error) {
	offsets := offsetsIn(p.base.meta.Properties())
	at, ok := standingOf(offsets)
	if !ok || at.Past.Empty() || at.Past.Whole == nil {
		return nil, "it is not known which records make the mirror", nil
	}
	if w.o.Lands == nil {
		return nil, "it is not known whether topic " + at.topic + " lands in it", nil
	}
	if !w.reaches(offsets) {
		return nil, fmt.Sprintf("the log does not go on at offset %d, where the mirror ends", at.Next), nil
	}
	from, why, err := w.source(ctx, at)
	if behind := w.behind(p, at); err == nil && why != "" && behind != "" {
		return &treatment{hint: fmt.Sprintf("nothing is done to it now, for %s is behind it, and what it lacks is in the log: start Tarn until that has landed, then stop it and say `tarn repair` again", behind)}, "", nil
	}
	if err != nil || why != "" {
		return nil, why, err
	}
	at.PartitionOffsets, _ = at.Restart(from)
	props, err := at.offsets()
	if err != nil {
		return nil, "", err
	}
	whole := at.Past.Whole
	return &treatment{
		action: fmt.Sprintf("rebuilds the mirror from bronze: empties it, and when Tarn starts lands the %d records from offset %d to %d of topic %s again out of %s, which has them all; until then the mirror lacks rows",
			whole.Records, whole.Offset, at.Next-1, at.topic, from),
		do: func(ctx context.Context) error { return w.empty(ctx, p, x, props) },
	}, "", nil
}

// empty takes all snapshots out of a table.
func (w *ward) empty(ctx context.Context, p *patient, x *examiner, props iceberg.Properties) error {
	var ids []int64
	for _, snap := range p.base.meta.Snapshots() {
		ids = append(ids, snap.SnapshotID)
	}
	var updates []icetable.Update
	if len(props) > 0 {
		updates = append(updates, icetable.NewSetPropertiesUpdate(props))
	}
	if p.base.meta.CurrentSnapshot() != nil {
		updates = append(updates, icetable.NewRemoveSnapshotRefUpdate(icetable.MainBranch))
	}
	return w.update(ctx, p, x, p.base, append(updates, forgetting(ids)...))
}

// unfinished tells why a mirror that is being made again cannot be; "" where it can, or is not.
func (w *ward) unfinished(ctx context.Context, offsets map[string]string) (why string, err error) {
	at, ok := standingOf(offsets)
	if !ok || at.Past == nil || at.Past.Again == nil {
		return "", nil
	}
	if at.Past.Whole == nil {
		return "it is not known which records make the mirror", nil
	}
	from, why, err := w.source(ctx, at)
	if err == nil && why == "" && from != at.Past.Again.Table {
		why = from + " has the records, and the mirror is made again of " + at.Past.Again.Table
	}
	return why, err
}

// source finds the bronze table that has all the records that make a mirror.
func (w *ward) source(ctx context.Context, at standing) (name, why string, err error) {
	why = "no table of bronze is whole that has the records of topic " + at.topic
	for _, p := range w.bronze[at.topic] {
		if why, err = w.lacks(ctx, p, at); err != nil || why == "" {
			return p.id.String(), why, err
		}
	}
	return "", why, nil
}

// behind names the bronze table that is yet to land records that a mirror has, and that the log
// still has; "" where one has come as far as the mirror.
func (w *ward) behind(p *patient, at standing) (name string) {
	for _, bronze := range w.bronze[at.topic] {
		offsets := offsetsIn(bronze.base.meta.Properties())
		own, ok := standingOf(offsets)
		if ok && own.Next >= at.Next {
			return ""
		}
		if ok && w.covered(offsetsIn(p.base.meta.Properties()), offsets) {
			name = bronze.id.String()
		}
	}
	return name
}

// lacks tells what a bronze table does not have of a mirror's records; "" when it has them
// all. It decodes the files that they are in: they are about to be all that there is.
func (w *ward) lacks(ctx context.Context, p *patient, at standing) (why string, err error) {
	all := columns(p.base.meta.CurrentSchema(), p.base.meta.Properties())
	var cols []table.Column
	for _, name := range []string{"_partition", "_offset", "_schema", "_generation"} {
		c, ok := find(all, name)
		if !ok {
			return fmt.Sprintf("%s is of an older Tarn, which did not keep the schemas of records", p.id), nil
		}
		cols = append(cols, c)
	}
	paths, why, err := w.decoded(ctx, p, all, cols[1], table.Span{From: at.Past.Whole.Offset, To: at.Next})
	if err != nil || why != "" {
		return why, err
	}
	return w.counted(ctx, p, at, paths, cols)
}

// counted compares the rows that bronze has in these files with those that make a mirror.
func (w *ward) counted(ctx context.Context, p *patient, at standing, paths []string, cols []table.Column) (why string, err error) {
	var have, different, schemas, generations int64
	var unknown *int64
	if len(paths) > 0 {
		conn, err := w.duck.Conn(ctx)
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }()
		rows := fmt.Sprintf(" FROM (%s) WHERE k0 = %s AND k1 >= %d AND k1 < %d", scan(paths, cols), at.part, at.Past.Whole.Offset, at.Next)
		query := "SELECT count(*), count(DISTINCT k1), count(k2), count(k3)" + rows
		if err := conn.QueryRowContext(ctx, query).Scan(&have, &different, &schemas, &generations); err != nil {
			return "", err
		}
		query = "SELECT min(k2)" + rows + " AND k2 NOT IN (-1" // which no schema is
		for id := range w.o.Schemas {
			query += fmt.Sprintf(",%d", id)
		}
		if err := conn.QueryRowContext(ctx, query+")").Scan(&unknown); err != nil {
			return "", err
		}
	}
	if want := at.Past.Whole.Records; have != want || different != want || schemas != want || generations != want {
		return fmt.Sprintf("%s has %d of the %d records from offset %d to %d", p.id, min(have, different, schemas, generations), want, at.Past.Whole.Offset, at.Next-1), nil
	}
	if unknown != nil {
		return fmt.Sprintf("schema %d, of which %s has records, is not in meta.db", *unknown, p.id), nil
	}
	return "", nil
}

// decoded lists the files that may hold rows of a span, each of which can be read to its end.
func (w *ward) decoded(ctx context.Context, p *patient, all []table.Column, by table.Column, s table.Span) (paths []string, why string, err error) {
	snap := p.base.meta.CurrentSnapshot()
	if snap == nil {
		return nil, "", nil
	}
	x := w.examiner(true, all)
	manifests, err := w.manifestsOf(w.io(), snap)
	if err != nil {
		return nil, "", err
	}
	for _, m := range manifests {
		one, err := x.manifest(m)
		if err != nil {
			return nil, "", err
		}
		for _, df := range one.files {
			if df.ContentType() != iceberg.EntryContentData {
				return nil, p.id.String() + " has lost rows, which another program has deleted", nil
			}
			low, ok := wholeNumber(df.LowerBoundValues()[by.ID])
			high, ok2 := wholeNumber(df.UpperBoundValues()[by.ID])
			if ok && ok2 && (low >= s.To || high < s.From) {
				continue
			}
			bad, err := x.file(ctx, df)
			if err != nil {
				return nil, "", err
			}
			if bad != nil {
				return nil, fmt.Sprintf("%s: %s: %s", p.id, w.told(bad.path), bad.what), nil //nolint:nilerr // damage is the answer
			}
			path, err := w.root.Path(df.FilePath())
			if err != nil {
				return nil, "", err
			}
			paths = append(paths, path)
		}
	}
	return paths, "", nil
}

// fromSource empties a mirror, whose offsets stay where the log has them, and asks its source
// for a new snapshot. Why tells why nothing nearer can be done.
func (w *ward) fromSource(p *patient, x *examiner, source, why string) *treatment {
	hint := "with snapshot.mode no_data there is no such snapshot: set it to always once"
	if why != "" {
		hint = "it cannot be rebuilt from bronze: " + why + "; " + hint
	}
	return &treatment{
		action: "empties the mirror and takes a new snapshot of " + source + " when Tarn starts; until its end the mirror lacks rows",
		hint:   hint,
		do: func(ctx context.Context) error {
			if w.o.Resnapshot != nil {
				if err := w.o.Resnapshot(ctx, source, "its mirror "+p.id.String()+" was damaged"); err != nil {
					return err
				}
			}
			props := p.base.meta.Properties()
			return w.empty(ctx, p, x, w.onLog(props, &mark{offsets: offsetsIn(props)}).offsets)
		},
	}
}

// startOver makes a mirror anew: of bronze where that has all its records, else of its source.
func (w *ward) startOver(ctx context.Context, p *patient, x *examiner, source string) (*treatment, error) {
	if w.o.LogStart == nil {
		return &treatment{hint: "nothing is done to it, for without meta.db it is not known what the log has: put meta.db back, and say `tarn repair` again"}, nil
	}
	t, why, err := w.fromBronze(ctx, p, x)
	if err != nil || t != nil {
		return t, err
	}
	return w.fromSource(p, x, source, why), nil
}

// goneOn is for a mirror that is whole, but was being made again of what is not there any more.
func (w *ward) goneOn(ctx context.Context, p *patient, x *examiner, source string) (*treatment, error) {
	why, err := w.unfinished(ctx, offsetsIn(p.base.meta.Properties()))
	if err != nil || why == "" {
		return nil, err
	}
	p.found(w, &spoilt{p.dir, "it is being rebuilt from bronze, and cannot be: " + why})
	return w.startOver(ctx, p, x, source)
}
