// Package tables is what the page of tables knows: each table with what the catalog says of it
// from moment to moment, and what upkeep counts in it, which is read seldom, for it costs the
// reading of all manifests. It draws nothing and reads nothing; its State is also the page's
// JSON twin.
package tables

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/life"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/stream/pipeline"
	"tarn/ui/home"
	"tarn/ui/words"
)

// Input is one look.
type Input struct {
	Now       time.Time
	Lake      home.Lake
	Care      home.Care
	Parts     []life.Status
	Pipelines []pipeline.Status
}

// State is the whole page at one moment. A number that is not known is absent.
type State struct {
	Ready   bool          `json:"ready"` // false until the catalog has answered
	At      time.Time     `json:"at"`
	CaredAt *time.Time    `json:"upkeep_at,omitempty"` // when upkeep's numbers were read
	Error   words.Text    `json:"error,omitzero"`      // why they, or all, are older
	Figures []home.Figure `json:"figures"`
	Tables  []Table       `json:"tables"` // in order of layer, then name
}

// Table is one table.
type Table struct {
	Key   string     `json:"-"` // its name on the page
	Layer string     `json:"layer"`
	Name  string     `json:"name"`
	Level home.Level `json:"level"`
	Word  string     `json:"state"` // what upkeep would do next, damaged, …
	Why   string     `json:"reason,omitempty"`
	Hint  string     `json:"hint,omitempty"`
	Due   *int64     `json:"due_ms,omitempty"` // for how long it has been due, as seen

	Rows        *int64     `json:"rows,omitempty"`
	Files       *int64     `json:"files,omitempty"`
	Bytes       *int64     `json:"bytes,omitempty"`
	SnapshotID  string     `json:"snapshot_id,omitempty"` // text: above what a JSON number keeps
	CommittedAt *time.Time `json:"committed_at,omitempty"`
	Owner       string     `json:"owner,omitempty"`

	SmallFiles  *int64   `json:"small_files,omitempty"`
	DeleteFiles *int64   `json:"delete_files,omitempty"`
	Deleted     *int64   `json:"deleted_rows,omitempty"`
	DeleteRatio *float64 `json:"delete_ratio,omitempty"`
	Snapshots   *int64   `json:"snapshots,omitempty"`
	OrphanFiles *int64   `json:"orphan_files,omitempty"`
	OrphanBytes *int64   `json:"orphan_bytes,omitempty"`

	Pipeline   *Pipeline   `json:"pipeline,omitempty"` // that fills it
	Action     string      `json:"action,omitempty"`
	Statements []Statement `json:"statements"`

	at time.Time // the moment that it is of
}

// Pipeline is what fills a table.
type Pipeline struct {
	Name      string     `json:"name"`
	Level     home.Level `json:"level"`
	Word      string     `json:"state"`
	Reads     string     `json:"reads"`
	Error     string     `json:"error,omitempty"`
	Hint      string     `json:"hint,omitempty"`
	Statement string     `json:"statement"`
}

// Statement is one that does an action of upkeep.
type Statement struct {
	Action string `json:"action"`
	SQL    string `json:"sql"`
}

// damagedPrefix begins the names of the parts that tell of a table that cannot be read.
const damagedPrefix = "table:"

// Look makes a state of what is known.
func Look(in Input) State {
	s := State{Ready: in.Lake.Known, At: in.Now, Figures: []home.Figure{}, Tables: []Table{}}
	if !in.Care.At.IsZero() {
		s.CaredAt = new(in.Care.At)
	}
	switch {
	case in.Lake.Err != nil:
		s.Error = words.Say("The catalog did not answer: %s", in.Lake.Err.Error())
	case in.Care.Err != nil:
		s.Error = words.Say("The manifests could not be read: %s", in.Care.Err.Error())
	}
	damaged := map[string]life.Status{}
	for _, p := range in.Parts {
		if name, ok := strings.CutPrefix(p.Name, damagedPrefix); ok {
			damaged[name] = p
		}
	}
	fills := map[string]*Pipeline{}
	for _, p := range in.Pipelines {
		level, word := home.PipelineLevel(p)
		fills[p.Into.String()] = &Pipeline{p.Name, level, word, strings.Join(home.Reads(p), ", "), p.Error, p.Hint, p.Statement}
	}
	for _, t := range in.Lake.Stats {
		one := newTable(t)
		if one.Pipeline = fills[one.Name]; one.Pipeline != nil {
			one.Owner = "pipeline " + one.Pipeline.Name
		}
		one.cared(in.Care)
		if p, ok := damaged[one.Name]; ok {
			one.damaged(p)
			delete(damaged, one.Name)
		}
		s.Tables = append(s.Tables, one)
	}
	for name, p := range damaged {
		one := newTable(catalog.Stats{Ident: table.ParseIdent(name)})
		one.Rows, one.Files, one.Bytes = nil, nil, nil
		one.damaged(p)
		s.Tables = append(s.Tables, one)
	}
	for i := range s.Tables {
		s.Tables[i].at = in.Now
	}
	slices.SortFunc(s.Tables, func(a, b Table) int {
		return cmp.Or(cmp.Compare(rank(a.Layer), rank(b.Layer)), cmp.Compare(a.Name, b.Name))
	})
	s.Figures = figures(s, in.Care)
	return s
}

// rank puts the layers in the order in which data walks, Tarn's own last.
func rank(layer string) int {
	known := []string{"bronze", "silver", "gold"}
	if i := slices.Index(known, layer); i >= 0 {
		return i
	}
	if layer == table.SystemNamespace {
		return len(known) + 1
	}
	return len(known)
}

func newTable(t catalog.Stats) Table {
	out := Table{
		Key: home.TableKey(t.Ident), Layer: t.Namespace, Name: t.String(), Level: home.OK, Word: home.Unknown, Owner: t.Owner,
		Rows: new(t.Rows), Files: new(t.Files), Bytes: new(t.Bytes),
	}
	if t.SnapshotID != 0 {
		out.SnapshotID = strconv.FormatInt(t.SnapshotID, 10)
	}
	if !t.CommittedAt.IsZero() {
		out.CommittedAt = new(t.CommittedAt)
	}
	for _, a := range []catalog.Action{catalog.Compact, catalog.ExpireSnapshots, catalog.RemoveOrphanFiles} {
		out.Statements = append(out.Statements, Statement{string(a), home.Execute(t.Ident, a)})
	}
	return out
}

// Ident is the table's name in its two parts.
func (t Table) Ident() table.Ident { return table.ParseIdent(t.Name) }

// cared adds what upkeep counts, if it has looked.
func (t *Table) cared(c home.Care) {
	h, ok := c.Tables[t.Name]
	if !ok {
		return
	}
	if t.Files != nil { // of now, what upkeep counts of up to a minute ago
		h.SmallFiles = min(h.SmallFiles, *t.Files)
	}
	t.SmallFiles, t.DeleteFiles, t.Deleted, t.DeleteRatio = new(h.SmallFiles), new(h.DeleteFiles), new(h.Deleted), new(h.DeleteRatio())
	t.Snapshots, t.OrphanFiles, t.OrphanBytes = new(h.Snapshots), new(h.OrphanFiles), new(h.OrphanBytes)
	t.Action, t.Why, t.Word = string(h.Action), h.Reason, "nothing to do"
	long, overdue := c.Due(t.Name)
	switch {
	case overdue:
		t.Level, t.Word, t.Due = home.Warn, t.Action, new(long.Milliseconds())
	case t.Action != "":
		t.Level, t.Word, t.Due = home.Note, t.Action, new(long.Milliseconds())
	case t.Why != "":
		t.Level, t.Word = home.Note, "waits"
	}
}

func (t *Table) damaged(p life.Status) {
	t.Level, t.Word, t.Why, t.Hint, t.Action, t.Due = home.Bad, "damaged", p.Error, p.Hint, "", nil
	t.Statements = []Statement{} // there is nothing that they could do
}

// Wanted counts the tables that upkeep would do something to, or that are damaged.
func (s State) Wanted() (n int) {
	for _, t := range s.Tables {
		if t.Level != home.OK {
			n++
		}
	}
	return n
}

func figures(s State, c home.Care) []home.Figure {
	var files, bytes, small, deleted, inFiles, orphans, orphanBytes int64
	for _, t := range s.Tables {
		files, bytes = files+known(t.Files), bytes+known(t.Bytes)
		small, deleted = small+known(t.SmallFiles), deleted+known(t.Deleted)
		orphans, orphanBytes = orphans+known(t.OrphanFiles), orphanBytes+known(t.OrphanBytes)
	}
	for _, h := range c.Tables {
		inFiles += h.Rows
	}
	figure := func(key string, label words.Text, sure bool, value, note words.Text) home.Figure {
		if !sure {
			value = words.Plain(home.Unknown)
		}
		return home.Figure{Key: key, Label: label, Value: value, Note: note, Level: home.OK}
	}
	cared := s.CaredAt != nil
	share, unnamed := words.Say("of the rows in files"), words.Say("files that no snapshot names")
	if cared {
		share = words.Say("%s of the rows in files", words.Percent(float64(deleted)/float64(max(inFiles, 1))))
		unnamed = words.Many(orphans, "%s file that no snapshot names", "%s files that no snapshot names")
	}
	note := words.Say("tables need something")
	if s.Wanted() == 1 {
		note = words.Say("table needs something")
	}
	wanted := figure("care", words.Say("Upkeep"), cared || s.Wanted() > 0, words.Count(int64(s.Wanted())), note)
	if slices.ContainsFunc(s.Tables, func(t Table) bool { return t.Level == home.Warn || t.Level == home.Bad }) {
		wanted.Level = home.Warn
	}
	return []home.Figure{
		figure("tables", words.Say("Tables"), s.Ready, words.Count(int64(len(s.Tables))), words.Say("Tarn's own among them")),
		figure("bytes", words.Say("Size"), s.Ready, words.Bytes(bytes), words.Many(files, "%s data file", "%s data files")),
		figure("small", words.Say("Small files"), cared, words.Count(small), words.Say("below 16\u202fMiB each")),
		figure("deleted", words.Say("Deleted rows"), cared, words.Count(deleted), share),
		figure("orphans", words.Say("Orphans"), cared, words.Bytes(orphanBytes), unnamed),
		wanted,
	}
}

func known(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
