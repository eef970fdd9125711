package view

import (
	"net/url"
	"strings"

	"tarn/ui/home"
	"tarn/ui/tables"
	"tarn/ui/words"
)

// LakeQuery is what the address of the page of tables holds.
type LakeQuery struct {
	Find string // a part of names
	Sort string
}

// path is the page's address with a query.
func (q LakeQuery) path() string {
	values := url.Values{}
	for name, value := range map[string]string{"find": q.Find, "sort": q.Sort} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return lakeWindow.path
	}
	return lakeWindow.path + "?" + values.Encode()
}

func (q LakeQuery) sorted(by string) string {
	if q.Sort = by; by == tables.ByName {
		q.Sort = ""
	}
	return q.path()
}

// LakePage is what the templates of the page of tables show.
type LakePage struct {
	Frame
	State tables.State
	Query LakeQuery
	Rows  []tables.Table // what of Found the page has room for
	Found int
	Host  string
}

// NewLakePage finds and orders the tables of a state.
func NewLakePage(f Frame, s tables.State, q LakeQuery, host string) LakePage {
	found := s.List(q.Find, q.Sort)
	return LakePage{Frame: f, State: s, Query: q, Rows: found[:min(len(found), tableRowsMax)], Found: len(found), Host: host}
}

// columnHead is the head of a column of numbers.
type columnHead struct {
	by           string
	label, title words.Text
}

var columnHeads = []columnHead{
	{tables.ByRows, words.Say("Rows"), words.Say("rows of the current snapshot")},
	{tables.ByBytes, words.Say("Size"), words.Say("of its data files")},
	{tables.ByCommit, words.Say("Committed"), words.Say("the time of its last commit, in UTC; its day where that is not today")},
	{tables.ByFiles, words.Say("Files"), words.Say("data files of the current snapshot")},
	{tables.BySmall, words.Say("Small"), words.Say("data files below 16 MiB, as of upkeep's last look")},
	{tables.ByDeleted, words.Say("Deleted"), words.Say("share of the rows in files that deletes take out, as of upkeep's last look")},
	{tables.BySnapshots, words.Say("Snapshots"), words.Say("that are kept")},
	{tables.ByOrphans, words.Say("Orphans"), words.Say("files that no kept snapshot names, as of upkeep's last look")},
}

func (l LakePage) sort(by string) string {
	switch {
	case l.Query.Sort == by || l.Query.Sort == "" && by == tables.ByName:
		if by == tables.ByName {
			return "ascending"
		}
		return "descending"
	}
	return "none"
}

// cells are a table's numbers, in the order of columnHeads.
func cells(t tables.Table) []cell {
	key := "u." + t.Key + "."
	return []cell{
		{key + "rows", t.RowsText()},
		{key + "bytes", t.BytesText()},
		{key + "commit", t.CommitText()},
		{key + "files", t.FilesText()},
		{key + "small", t.SmallText()},
		{key + "deleted", t.DeletedText()},
		{key + "snapshots", t.SnapshotsText()},
		{key + "orphans", t.OrphansText()},
	}
}

type cell struct {
	value string
	text  words.Text
}

// layerClass colours a row by its layer.
func layerClass(layer string) string {
	switch layer {
	case "bronze", "silver", "gold":
		return "k-" + layer
	}
	return "k-other"
}

func expanded(open bool) string {
	if open {
		return "true"
	}
	return "false"
}

// upkeepClass is the pill of a table's word; a table that is well has none.
func upkeepClass(t tables.Table) string {
	if t.Level == home.OK {
		return "dim"
	}
	return badge(t.Level)
}

// onCLI is a statement as a shell takes it.
func onCLI(sql string) string {
	return "tarn sql '" + strings.ReplaceAll(sql, "'", `'\''`) + "'"
}

// inFlow is the address of a table on Home.
func inFlow(name string) string { return "/#show=" + url.QueryEscape(name) }

const healthQuery = "SELECT * FROM system.health"
