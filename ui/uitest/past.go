package uitest

import (
	"context"
	"slices"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

func (l *lake) Histories(_ context.Context, only ...table.Ident) (out []catalog.History, _ error) {
	l.feed.Lock()
	defer l.feed.Unlock()
	for _, id := range only {
		stats, err := l.feed.table(id)
		if err != nil {
			return nil, err
		}
		if h, told := l.feed.PastNow[id.String()]; told {
			out = append(out, h)
			continue
		}
		out = append(out, past(stats))
	}
	return out, l.feed.PastErr
}

// table is what is known of one, or why nothing is; the lock is held.
func (f *Feed) table(id table.Ident) (catalog.Stats, error) {
	for _, p := range f.PartsNow {
		if p.Name == "table:"+id.String() {
			return catalog.Stats{}, fault.New(fault.Damaged, p.Error, p.Hint)
		}
	}
	i := slices.IndexFunc(f.StatsNow, func(s catalog.Stats) bool { return s.Ident == id })
	if i < 0 {
		return catalog.Stats{}, table.ErrNotFound
	}
	return f.StatsNow[i], nil
}

// past is a table's history: three schemas and some snapshots, with a gap and a compaction.
func past(t catalog.Stats) catalog.History {
	column := func(id int, name string, typ record.Type) table.Column {
		return table.Column{ID: id, Name: name, Type: typ}
	}
	key := column(1, "call_id", record.Long)
	key.Key, key.Required = true, true
	if t.Namespace == "bronze" {
		key = column(1, "_offset", record.Long)
	}
	first := []table.Column{key, column(2, "berth", record.String), column(3, "state", record.String), column(4, "moves", record.Int)}
	first[1].Required = true
	second := append(slices.Clone(first), column(5, "reefers", record.Int))
	second[1].Required = false
	second[3].Type = record.Long
	third := slices.Clone(second)
	third[2].Name = "status"
	if strings.Contains(t.Name, "onerror") {
		third[1].Name = Hostile
		third[4].Doc, third[4].Name = Hostile, Hostile+"2"
	}
	third = append(third[:4], column(6, "reefers_on", "decimal(6,2)"), third[4])
	day := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	h := catalog.History{
		Ident: t.Ident, ID: "2f1c8a52-0c1f-4d9b-9f6e-" + "7d5f3c1a9b20", Owner: t.Owner, Topic: t.Topic, SchemaID: 2,
		Schemas: []catalog.Schema{{ID: 0, Columns: first}, {ID: 1, At: day.Add(9 * time.Hour), Columns: second}, {ID: 2, At: day.Add(11 * time.Hour), Columns: third}},
	}
	if t.SnapshotID == 0 {
		return h
	}
	rows := int64(100)
	for i := range 12 {
		s := catalog.Snapshot{
			ID: t.SnapshotID - int64(11-i), ParentID: t.SnapshotID - int64(12-i), CommittedAt: day.Add(time.Duration(i) * time.Hour), Operation: "overwrite", By: t.Owner,
			SchemaID: min(i/5, 2), AddedRows: int64(i*i*3 + 1), DeletedRows: int64(i % 4), AddedFiles: 2, Files: int64(i + 1), DeleteFiles: int64(i), Bytes: int64(i+1) * 41_000, Current: i == 11,
		}
		switch i {
		case 0:
			s.Operation, s.AddedRows, s.DeletedRows, s.ParentID = "append", 4800, 0, 0
		case 4:
			s.Thinned = 37
		case 8:
			s.Operation, s.By, s.AddedRows, s.DeletedRows, s.AddedFiles, s.RemovedFiles = "replace", catalog.ByUpkeep, 0, 0, 1, 17
			s.Tags = []string{"before-the-storm"}
		case 2:
			s.Rows = -1
		}
		if strings.HasPrefix(t.Owner, "id of ") && s.By == t.Owner {
			s.Epoch = int64(1200 + i)
		}
		rows += s.AddedRows - s.DeletedRows
		if i != 2 {
			s.Rows = rows
		}
		h.Snapshots = append(h.Snapshots, s)
	}
	return h
}

func (l *lake) Files(_ context.Context, only ...table.Ident) (out []catalog.FileStats, _ error) {
	l.feed.Lock()
	defer l.feed.Unlock()
	for _, id := range only {
		stats, err := l.feed.table(id)
		if err != nil {
			return nil, err
		}
		for i := range min(stats.Files, 12) {
			f := catalog.FileStats{TableID: stats.ID, Deleted: i % 3 * 11, File: catalog.File{Path: "/srv/lake/0000" + string(rune('0'+i%10)) + "-" + id.Name + ".parquet", Rows: 1000 / (i + 1), Bytes: 48_000_000 / (i*i + 1)}}
			if i%4 == 3 {
				f.Deletes, f.Deleted, f.Bytes, f.Rows = true, 0, 1_204+i, 12
			}
			out = append(out, f)
		}
	}
	return out, l.feed.PastErr
}
