package tables

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tarn/ui/home"
	"tarn/ui/words"
)

// Values are the texts that move, in a language, by the names that the page gives them (data-v).
func (s State) Values(l words.Language) map[string]string {
	v := map[string]string{"u.cared": s.CaredText()}
	for _, f := range s.Figures {
		v["u."+f.Key], v["u."+f.Key+".note"] = f.Value.In(l), f.Note.In(l)
	}
	for _, t := range s.Tables {
		for name, text := range t.Texts() {
			v["u."+t.Key+"."+name] = text.In(l)
		}
	}
	return v
}

// CaredText is when upkeep's numbers were read.
func (s State) CaredText() string {
	if s.CaredAt == nil {
		return home.Unknown
	}
	return words.Clock(*s.CaredAt).String()
}

// Texts are a table's moving cells.
func (t Table) Texts() map[string]words.Text {
	return map[string]words.Text{
		"rows": t.RowsText(), "files": t.FilesText(), "small": t.SmallText(), "bytes": t.BytesText(),
		"deleted": t.DeletedText(), "snapshots": t.SnapshotsText(), "orphans": t.OrphansText(), "why": t.WhyText(), "commit": t.CommitText(),
	}
}

// RowsText is the number of rows, as the page shows it; so are the texts below.
func (t Table) RowsText() words.Text { return words.Optional(t.Rows, words.Count) }

// CommitText is when the last commit was: the time of today's, the day of others. It moves with commits alone.
func (t Table) CommitText() words.Text {
	return words.Optional(t.CommittedAt, func(at time.Time) words.Text {
		if at.UTC().Format(time.DateOnly) == t.at.UTC().Format(time.DateOnly) {
			return words.Clock(at)
		}
		return words.Plain(at.UTC().Format(time.DateOnly))
	})
}

// FilesText is the number of data files.
func (t Table) FilesText() words.Text { return words.Optional(t.Files, words.Count) }

// SmallText is the number of small files.
func (t Table) SmallText() words.Text { return words.Optional(t.SmallFiles, words.Count) }

// BytesText is the size of the data files.
func (t Table) BytesText() words.Text { return words.Optional(t.Bytes, words.Bytes) }

// DeletedText is the share of deleted rows.
func (t Table) DeletedText() words.Text { return words.Optional(t.DeleteRatio, words.Percent) }

// SnapshotsText is the number of snapshots.
func (t Table) SnapshotsText() words.Text { return words.Optional(t.Snapshots, words.Count) }

// OrphansText is the size of the orphans.
func (t Table) OrphansText() words.Text { return words.Optional(t.OrphanBytes, words.Bytes) }

// WhyText is the reason, with how long it has been one where that is too long.
func (t Table) WhyText() words.Text {
	if t.Level == home.Warn && t.Due != nil {
		return words.Join(", ", words.Plain(t.Why), words.Say("due for %s", words.Millis(*t.Due)))
	}
	return words.Plain(t.Why)
}

// Facts are what the page shows of a chosen table beside its cells.
func (t Table) Facts() []home.Fact {
	return []home.Fact{
		{Label: words.Say("Deleted rows"), Value: words.Optional(t.Deleted, words.Count)},
		{Label: words.Say("Delete files"), Value: words.Optional(t.DeleteFiles, words.Count)},
		{Label: words.Say("Orphan files"), Value: words.Optional(t.OrphanFiles, words.Count)},
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
		Error        words.Text
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
	ByCommit    = "committed"
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
		ByCommit: func(t Table) float64 {
			if t.CommittedAt == nil {
				return -1
			}
			return float64(t.CommittedAt.UnixMilli())
		},
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
