package tables

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/home"
	"tarn/ui/words"
)

// SmallBytes is below what a data file is small.
const SmallBytes = 16 << 20

// filesMax bounds the files of one table that are told one by one.
const filesMax = 500

// Detail is what is known of one table: the page of it, and its JSON twin. It has what the list has, what the
// table's metadata keeps of its past, and its files.
type Detail struct {
	Table
	ID        string     `json:"id"`
	Topic     string     `json:"topic,omitempty"` // that fills it
	SchemaID  int        `json:"schema_id"`
	Columns   []Column   `json:"columns"`
	Schemas   []Schema   `json:"schemas"`        // the newest first
	Past      []Snapshot `json:"past"`           // snapshots that are kept, the newest first
	Data      []File     `json:"data"`           // files of rows, the largest first
	Deletes   []File     `json:"deletes"`        // files of deleted positions
	FilesLeft int        `json:"more,omitempty"` // files beyond those
	Diff      *Diff      `json:"diff,omitempty"`
	Sample    string     `json:"sample"` // the statement that shows some rows
}

// Column is one of the table as it is.
type Column struct {
	FieldID  int         `json:"field_id"`
	Name     string      `json:"name"`
	Type     record.Type `json:"type"`
	Required bool        `json:"required"`
	Key      bool        `json:"key"`
	Doc      string      `json:"doc,omitempty"`
	SchemaID int         `json:"since_schema_id"` // with which it came
}

// Schema is one of the table's schemas: what it changed, and when.
type Schema struct {
	ID      int        `json:"id"`
	At      *time.Time `json:"at,omitempty"` // absent where nobody knows
	Columns int        `json:"columns"`
	Changes []Change   `json:"changes"`
}

// Change is one thing that a schema changed.
type Change struct {
	Change string      `json:"change"`
	Column string      `json:"column"`
	Type   record.Type `json:"type"`
	Before string      `json:"before,omitempty"`
}

// Snapshot is one that is kept. Ids are texts, and numbers that nobody knows are absent.
type Snapshot struct {
	ID          string    `json:"snapshot_id"`
	CommittedAt time.Time `json:"committed_at"`
	Operation   string    `json:"operation"`
	By          string    `json:"made_by,omitempty"` // landing, upkeep, repair, or a pipeline's name
	Epoch       int64     `json:"epoch,omitempty"`
	SchemaID    int       `json:"schema_id"`
	NewSchema   bool      `json:"new_schema,omitempty"` // the one before had another
	Added       *int64    `json:"added_rows,omitempty"`
	Deleted     *int64    `json:"deleted_rows,omitempty"`
	Rows        *int64    `json:"rows,omitempty"`
	FilesAdded  int64     `json:"added_files"`
	FilesGone   int64     `json:"removed_files"`
	Files       *int64    `json:"files,omitempty"`
	Bytes       *int64    `json:"bytes,omitempty"`
	Thinned     int64     `json:"thinned,omitempty"`
	Current     bool      `json:"current,omitempty"`
	Tags        []string  `json:"tags,omitempty"`
	Before      string    `json:"-"` // the one before it of those that are kept
}

// File is one file of the current snapshot. Small ones are below SmallBytes.
type File struct {
	Name    string `json:"name"`
	Rows    int64  `json:"rows"`
	Deleted *int64 `json:"deleted_rows,omitempty"`
	Bytes   int64  `json:"bytes"`
	Small   bool   `json:"small,omitempty"`
}

// Find is a table by its name, or one of which nothing is known yet.
func (s State) Find(name string) (Table, bool) {
	i := slices.IndexFunc(s.Tables, func(t Table) bool { return t.Name == name })
	if i < 0 {
		t := newTable(catalog.Stats{Ident: table.ParseIdent(name)})
		t.Rows, t.Files, t.Bytes = nil, nil, nil
		return t, false
	}
	return s.Tables[i], true
}

// Detail is the table with its past and its files; from and to are snapshots to compare, or empty.
func (t Table) Detail(h catalog.History, files []catalog.FileStats, from, to string) Detail {
	d := Detail{Table: t, ID: h.ID, Topic: h.Topic, SchemaID: h.SchemaID, Columns: []Column{}, Schemas: []Schema{}, Past: []Snapshot{}, Sample: Sample(h.Ident, "")}
	d.schemas(h)
	d.past(h)
	d.files(files)
	if d.Pipeline == nil && d.Owner == "" {
		d.Owner = h.Owner
	}
	if d.Rows == nil && len(d.Past) > 0 { // the list has not seen it yet
		now := d.Past[0]
		d.SnapshotID, d.CommittedAt, d.Rows, d.Files, d.Bytes = now.ID, &now.CommittedAt, now.Rows, now.Files, now.Bytes
	}
	if from != "" || to != "" {
		d.Diff = compare(h, d.Past, from, to)
	}
	return d
}

func (d *Detail) schemas(h catalog.History) {
	came := map[int]int{} // field id -> schema id
	var before []table.Column
	for _, sc := range h.Schemas {
		one := Schema{ID: sc.ID, Columns: len(sc.Columns), Changes: changes(before, sc.Columns)}
		if !sc.At.IsZero() {
			one.At = new(sc.At)
		}
		for _, c := range sc.Columns {
			if _, known := came[c.ID]; !known {
				came[c.ID] = sc.ID
			}
		}
		before = sc.Columns
		d.Schemas = append(d.Schemas, one)
	}
	slices.Reverse(d.Schemas)
	now, _ := h.Schema(h.SchemaID)
	for _, c := range now.Columns {
		d.Columns = append(d.Columns, Column{c.ID, c.Name, c.Type, c.Required, c.Key, c.Doc, came[c.ID]})
	}
}

func changes(before, after []table.Column) []Change {
	out := []Change{}
	for _, c := range catalog.Changes(before, after) {
		out = append(out, Change{c.Change, c.Column, c.Type, c.Before})
	}
	return out
}

func (d *Detail) past(h catalog.History) {
	for i, s := range h.Snapshots {
		one := Snapshot{
			ID: strconv.FormatInt(s.ID, 10), CommittedAt: s.CommittedAt, Operation: s.Operation, By: s.By, Epoch: s.Epoch, SchemaID: s.SchemaID,
			Added: some(s.AddedRows), Deleted: some(s.DeletedRows), Rows: some(s.Rows), FilesAdded: s.AddedFiles, FilesGone: s.RemovedFiles,
			Files: some(s.Files), Bytes: some(s.Bytes), Thinned: s.Thinned, Current: s.Current, Tags: s.Tags,
		}
		if one.By == h.Owner && d.Pipeline != nil {
			one.By = d.Pipeline.Name
		}
		if i > 0 {
			one.Before = d.Past[i-1].ID
			one.NewSchema = h.Snapshots[i-1].SchemaID != s.SchemaID
		}
		d.Past = append(d.Past, one)
	}
	slices.Reverse(d.Past)
}

func some(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

func (d *Detail) files(files []catalog.FileStats) {
	d.Data, d.Deletes = []File{}, []File{}
	for _, f := range files {
		one := File{Name: f.Path[strings.LastIndexByte(f.Path, '/')+1:], Rows: f.Rows, Bytes: f.Bytes}
		if f.Deletes {
			d.Deletes = append(d.Deletes, one)
			continue
		}
		one.Small, one.Deleted = f.Bytes < SmallBytes, some(f.Deleted)
		d.Data = append(d.Data, one)
	}
	largest := func(a, b File) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name)) }
	for _, list := range []*[]File{&d.Data, &d.Deletes} {
		slices.SortFunc(*list, largest)
		if left := len(*list) - filesMax; left > 0 {
			d.FilesLeft += left
			*list = (*list)[:filesMax]
		}
	}
}

// Sample is the statement that shows some rows of a table, of a snapshot or of the newest.
func Sample(id table.Ident, snapshot string) string {
	return "SELECT *\nFROM " + at(id, snapshot) + "\nLIMIT 50"
}

// at names a table in a FROM, as it was at a snapshot.
func at(id table.Ident, snapshot string) string {
	name := sqltext.Name(id.Namespace, id.Name)
	if snapshot == "" {
		return name
	}
	return name + " AT (VERSION => " + snapshot + ")"
}

// ByText says who made a snapshot.
func (s Snapshot) ByText() words.Text {
	switch {
	case s.Epoch > 0:
		return words.Say("%s, epoch %s", s.By, words.Count(s.Epoch))
	case s.By == "":
		return words.Plain(home.Unknown)
	}
	return words.State(s.By)
}
