package view

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/home"
	"tarn/ui/tables"
	"tarn/ui/words"
)

// The parts of a table's page.
const (
	ShowSchema    = "schema"
	ShowSnapshots = "snapshots"
	ShowFiles     = "files"
	ShowRows      = "rows"
	ShowUpkeep    = "upkeep"
)

// tableParts are they, the first one first.
var tableParts = []struct {
	show string
	name words.Text
}{
	{ShowSchema, words.Say("Schema")},
	{ShowSnapshots, words.Say("Snapshots")},
	{ShowFiles, words.Say("Files")},
	{ShowRows, words.Say("Rows")},
	{ShowUpkeep, words.Say("Upkeep")},
}

// TableQuery is what the address of a table's page holds.
type TableQuery struct {
	Name     string
	Show     string
	From, To string // snapshots that are compared
	At       string // the snapshot that rows are shown of
}

// inLake is the address of a table.
func inLake(name string) string { return lakeWindow.path + "/" + url.PathEscape(name) }

func (q TableQuery) path() string {
	values := url.Values{}
	for name, value := range map[string]string{"show": q.Show, "from": q.From, "to": q.To, "at": q.At} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return inLake(q.Name)
	}
	return inLake(q.Name) + "?" + values.Encode()
}

// compare is the address where two snapshots are compared.
func (q TableQuery) compare(from, to string) string {
	return TableQuery{Name: q.Name, Show: ShowSnapshots, From: from, To: to}.path() + "#diff"
}

// TablePage is what the templates of a table's page show.
type TablePage struct {
	Frame
	tables.Detail
	Query TableQuery
	Host  string
	Fault *fault.Error // why it is not all there
	Cared bool         // upkeep has counted
	view  bool
}

// NewTablePage shows a table, or the fault for which there is less of it.
func NewTablePage(f Frame, s tables.State, d tables.Detail, q TableQuery, host string, err *fault.Error) TablePage {
	if q.Show == "" {
		q.Show = ShowSchema
	}
	return TablePage{Frame: f, Detail: d, Query: q, Host: host, Fault: err, Cared: s.CaredAt != nil}
}

// NewViewPage shows a view, of which there are rows alone.
func NewViewPage(f Frame, q TableQuery, host string) TablePage {
	return TablePage{Frame: f, Detail: tables.Detail{Table: tables.Table{Name: q.Name}}, Query: TableQuery{Name: q.Name, Show: ShowRows}, Host: host, view: true}
}

func (p TablePage) window() window {
	w := lakeWindow
	w.script, w.sheets = "js/table.js", []string{"css/lake.css", "css/sql.css", "css/pipelines.css", "css/table.css"}
	if w.twin = "/api/lake/" + url.PathEscape(p.Query.Name); p.view {
		w.twin = homeWindow.twin // a view is a node of the flow, and nothing else
	}
	w.title = words.Join(" · ", words.Plain(p.Query.Name), w.title)
	return w
}

// missing tells that there is no such table.
func (p TablePage) missing() bool {
	return p.Fault != nil && p.Fault.Code == fault.NotFound && p.ID == ""
}

// told tells that the head of the page says already why there is no more.
func (p TablePage) told() bool {
	return p.Fault != nil && p.Level == home.Bad && p.Fault.Message == p.Why
}

func (p TablePage) part(show string) string {
	if show == ShowSchema {
		show = ""
	}
	return TableQuery{Name: p.Query.Name, Show: show}.path()
}

// figures are the numbers at the head of the page.
func (p TablePage) figures() []pipeFigure {
	key := "u." + p.Key
	list := []pipeFigure{
		{words.Say("Rows"), key + ".rows", p.RowsText(), "", words.Say("of the current snapshot"), home.OK},
		{words.Say("Size"), key + ".bytes", p.BytesText(), "", words.Say("of its data files"), home.OK},
		{words.Say("Files"), key + ".files", p.FilesText(), "", words.Optional(p.SmallFiles, func(n int64) words.Text { return words.Say("%s of them small", words.Count(n)) }), home.OK},
		{words.Say("Deleted"), key + ".deleted", p.DeletedText(), "", words.Say("of the rows in files"), home.OK},
		{words.Say("Snapshots"), key + ".snapshots", p.SnapshotsText(), "", words.Say("are kept"), home.OK},
		{words.Say("Committed"), key + ".commit", p.CommitText(), "", words.Say("in UTC"), home.OK},
	}
	return list
}

// The statements that the page tells of.
func (p TablePage) ofTable(from, order string) string {
	return fmt.Sprintf("SELECT *\nFROM system.%s\nWHERE layer = %s AND name = %s%s", from, sqltext.Literal(p.Layer), sqltext.Literal(p.Ident().Name), order)
}

func (p TablePage) schemaSQL() string { return p.ofTable("schemas", "\nORDER BY schema_id, field_id") }

func (p TablePage) snapshotsSQL() string {
	return p.ofTable("snapshots", "\nORDER BY committed_at DESC")
}

func (p TablePage) upkeepSQL() string { return p.ofTable("health", "") }

func (p TablePage) filesSQL() string {
	return "SELECT path, content, rows, deleted, bytes\nFROM system.files\nWHERE table_id = " + sqltext.Literal(p.ID) + "\nORDER BY bytes DESC"
}

// rowsSQL shows rows, of a snapshot or of the newest.
func (p TablePage) rowsSQL() string {
	return tables.Sample(p.Ident(), p.Query.At)
}

// rowsOf names the table whose rows have the way to where they come from: those of another moment, and Tarn's own, have none.
func (p TablePage) rowsOf() string {
	id := p.Ident()
	if p.Query.At != "" || id.Namespace == table.SystemNamespace {
		return ""
	}
	return sqltext.Name(id.Namespace, id.Name)
}

// inSQL is the address of the page SQL with a statement.
func inSQL(statement string) string {
	return sqlWindow.path + "#" + url.Values{"q": {statement}}.Encode()
}

// changeText says what a schema did to a column.
func changeText(c tables.Change) words.Text {
	switch c.Change {
	case catalog.ColumnAdded:
		return words.Say("added %s, %s", c.Column, string(c.Type))
	case catalog.ColumnDropped:
		return words.Say("dropped %s, %s", c.Column, string(c.Type))
	case catalog.ColumnRenamed:
		return words.Say("renamed %s to %s", c.Before, c.Column)
	case catalog.ColumnWidened:
		return words.Say("widened %s from %s to %s", c.Column, c.Before, string(c.Type))
	case catalog.ColumnRelaxed:
		return words.Say("%s may be null", c.Column)
	}
	return words.Say("%s is required", c.Column)
}

func (p TablePage) first(s tables.Schema) bool { return s.ID == p.Schemas[len(p.Schemas)-1].ID }

// The picture of snapshots.
const (
	barsMin   = 40  // places in it
	barsMax   = 128 // and at most; the newest snapshots have one
	barStep   = 8.0
	barHeight = 32.0 // up for rows that came, and as much down for those that went
)

// bar is a snapshot in the picture.
type bar struct {
	X, Up, Down float64
	Upkeep      bool
}

// places is how many snapshots the picture has room for.
func (p TablePage) places() int { return min(max(len(p.Past), barsMin), barsMax) }

// bars are as tall as the digits of their rows: a first load beside changes leaves these visible.
func (p TablePage) bars() []bar {
	shown := p.Past[:min(len(p.Past), barsMax)]
	most := 1.0
	tall := func(n *int64) float64 {
		if n == nil || *n <= 0 {
			return 0
		}
		return math.Log10(float64(*n) + 1)
	}
	for _, s := range shown {
		most = max(most, tall(s.Added), tall(s.Deleted))
	}
	out := make([]bar, len(shown))
	for i, s := range shown {
		out[i] = bar{
			X: float64(p.places()-1-i) * barStep, Up: tall(s.Added) / most * (barHeight - 2), Down: tall(s.Deleted) / most * (barHeight - 2),
			Upkeep: s.By == catalog.ByUpkeep || s.By == catalog.ByRepair,
		}
	}
	return out
}

// signed is a number of rows that came or went; nothing is said of none.
func signed(sign string, n *int64) words.Text {
	if n == nil {
		return words.Plain(home.Unknown)
	}
	if *n == 0 {
		return words.Text{}
	}
	return words.Join("", words.Plain(sign), words.Count(*n))
}

// filesOf tells of a snapshot how many files came and went.
func filesOf(s tables.Snapshot) words.Text {
	return words.Join(" ", signed("+", &s.FilesAdded), signed("−", &s.FilesGone))
}

// shareOf is a size as a part of the largest, in percent.
func shareOf(f tables.File, all []tables.File) string {
	if len(all) == 0 || all[0].Bytes == 0 {
		return "0"
	}
	return num(100 * float64(f.Bytes) / float64(all[0].Bytes))
}

// smallOf counts the small ones.
func smallOf(all []tables.File) (n int64) {
	for _, f := range all {
		if f.Small {
			n++
		}
	}
	return n
}

// names are texts as a script reads them.
func names(list []string) string {
	out, _ := json.Marshal(list) // plain strings: it cannot fail
	return string(out)
}

// chosen are the two snapshots that are compared, or those that would be: the newest two.
func (p TablePage) chosen() (from, to string) {
	if d := p.Diff; d != nil {
		return d.From.ID, d.To.ID
	}
	if len(p.Past) < 2 {
		return "", ""
	}
	return p.Past[1].ID, p.Past[0].ID
}

func joined(list []string) string { return strings.Join(list, ", ") }

// ownerText says who writes a table.
func ownerText(owner string) words.Text { return words.State(cmp.Or(owner, home.Unknown)) }
