package tables

import (
	"cmp"
	"slices"
	"strings"

	"tarn/ui/home"
)

// Values are the texts that move, by the names that the page gives them (data-v).
func (s State) Values() map[string]string {
	v := map[string]string{"u.cared": s.CaredText()}
	for _, f := range s.Figures {
		v["u."+f.Key], v["u."+f.Key+".note"] = f.Value, f.Note
	}
	for _, t := range s.Tables {
		for name, text := range t.Texts() {
			v["u."+t.Key+"."+name] = text
		}
	}
	return v
}

// CaredText is when upkeep's numbers were read.
func (s State) CaredText() string {
	if s.CaredAt == nil {
		return home.Unknown
	}
	return home.ClockText(*s.CaredAt)
}

// Texts are a table's moving cells.
func (t Table) Texts() map[string]string {
	return map[string]string{
		"rows": t.RowsText(), "files": t.FilesText(), "small": t.SmallText(), "bytes": t.BytesText(),
		"deleted": t.DeletedText(), "snapshots": t.SnapshotsText(), "orphans": t.OrphansText(), "why": t.WhyText(),
	}
}

// RowsText is the number of rows, as the page shows it; so are the texts below.
func (t Table) RowsText() string { return home.Optional(t.Rows, home.Count) }

// FilesText is the number of data files.
func (t Table) FilesText() string { return home.Optional(t.Files, home.Count) }

// SmallText is the number of small files.
func (t Table) SmallText() string { return home.Optional(t.SmallFiles, home.Count) }

// BytesText is the size of the data files.
func (t Table) BytesText() string { return home.Optional(t.Bytes, home.Bytes) }

// DeletedText is the share of deleted rows.
func (t Table) DeletedText() string { return home.Optional(t.DeleteRatio, home.Percent) }

// SnapshotsText is the number of snapshots.
func (t Table) SnapshotsText() string { return home.Optional(t.Snapshots, home.Count) }

// OrphansText is the size of the orphans.
func (t Table) OrphansText() string { return home.Optional(t.OrphanBytes, home.Bytes) }

// WhyText is the reason, with how long it has been one where that is too long.
func (t Table) WhyText() string {
	if t.Level == home.Warn && t.Due != nil {
		return strings.TrimPrefix(t.Why+", due for "+home.Millis(*t.Due), ", ")
	}
	return t.Why
}

// Facts are what the page shows of a chosen table beside its cells.
func (t Table) Facts() []home.Fact {
	committed := home.Unknown
	if t.CommittedAt != nil {
		committed = t.CommittedAt.UTC().Format("2006-01-02 15:04:05")
	}
	return []home.Fact{
		{Label: "Snapshot", Value: cmp.Or(t.SnapshotID, home.Unknown)},
		{Label: "Committed", Value: committed},
		{Label: "Written by", Value: cmp.Or(t.Owner, home.Unknown)},
		{Label: "Deleted rows", Value: home.Optional(t.Deleted, home.Count)},
		{Label: "Delete files", Value: home.Optional(t.DeleteFiles, home.Count)},
		{Label: "Orphan files", Value: home.Optional(t.OrphanFiles, home.Count)},
	}
}

// Shape is a short hash of all that Values does not carry.
func (s State) Shape() string {
	type one struct {
		Name, Word, Hint string
		Level            home.Level
		Pipeline         *Pipeline
	}
	shape := struct {
		Ready, Cared bool
		Error        string
		Levels       []home.Level
		Tables       []one
	}{Ready: s.Ready, Cared: s.CaredAt != nil, Error: s.Error}
	for _, f := range s.Figures {
		shape.Levels = append(shape.Levels, f.Level)
	}
	for _, t := range s.Tables {
		shape.Tables = append(shape.Tables, one{t.Name, t.Word, t.Hint, t.Level, t.Pipeline})
	}
	return home.Hash(shape)
}

// The orders of the list: by layer and name behind those in trouble, or by a number, the largest first.
const (
	ByName      = "name"
	ByRows      = "rows"
	ByFiles     = "files"
	BySmall     = "small"
	ByBytes     = "size"
	ByDeleted   = "deleted"
	BySnapshots = "snapshots"
	ByOrphans   = "orphans"
	ByCare      = "upkeep"
)

// List is the tables whose names hold a text, in an order; an unknown order is by name.
func (s State) List(find, by string) []Table {
	find = strings.ToLower(find)
	out := slices.DeleteFunc(slices.Clone(s.Tables), func(t Table) bool { return !strings.Contains(strings.ToLower(t.Name), find) })
	numbers := map[string]func(t Table) float64{
		ByRows:      func(t Table) float64 { return number(t.Rows) },
		ByFiles:     func(t Table) float64 { return number(t.Files) },
		BySmall:     func(t Table) float64 { return number(t.SmallFiles) },
		ByBytes:     func(t Table) float64 { return number(t.Bytes) },
		ByDeleted:   func(t Table) float64 { return number(t.DeleteRatio) },
		BySnapshots: func(t Table) float64 { return number(t.Snapshots) },
		ByOrphans:   func(t Table) float64 { return number(t.OrphanBytes) },
		ByCare: func(t Table) float64 {
			return float64(slices.Index([]home.Level{home.OK, home.Note, home.Warn, home.Bad}, t.Level))
		},
	}
	of := numbers[by]
	if of == nil {
		of = func(t Table) float64 { return float64(slices.Index([]home.Level{home.Warn, home.Bad}, t.Level)) }
	}
	slices.SortStableFunc(out, func(a, b Table) int { return cmp.Compare(of(b), of(a)) })
	return out
}

// number puts what is not known last.
func number[T int64 | float64](n *T) float64 {
	if n == nil {
		return -1
	}
	return float64(*n)
}
