package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// The actions of a plan.
const (
	Create    = "create"
	Alter     = "alter"
	Drop      = "drop"
	Run       = "run" // a statement that declares nothing
	Unchanged = "unchanged"
	Leave     = "leave" // it is there and not in the folder
	Refuse    = "error" // it cannot be done; Error says why
)

// Step is what becomes of one thing.
type Step struct {
	Action string `json:"action"`
	Kind   string `json:"kind,omitempty"`
	Name   string `json:"name,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Note   string `json:"note,omitempty"` // what comes of it, or why nothing does
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
	SQL    string `json:"sql,omitempty"` // what is run

	from  *declaration
	added int // runes of SQL before the part that stands in the file
	at    int // where that part begins in the statement
}

// Planned is what would be done to a running Tarn, in order.
type Planned []Step

// Plan compares a project's files with what there is. Nothing is dropped but what a DROP of a file or drop names.
func Plan(dir string, files []File, facts Facts, drop []string) Planned {
	p := &planner{facts: facts, seen: map[string]*declaration{}}
	for _, c := range connectorFiles(dir) {
		p.connector(c)
	}
	for i := range files {
		p.file(&files[i])
	}
	p.drops(drop)
	return p.steps
}

// Work counts the steps that change something.
func (p Planned) Work() (n int) {
	for _, s := range p {
		switch s.Action {
		case Create, Alter, Drop, Run:
			n++
		}
	}
	return n
}

// Refused is the error of a plan that cannot be done.
func (p Planned) Refused() error {
	n := 0
	for _, s := range p {
		if s.Action == Refuse {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fault.Newf(fault.Invalid, "the lines above say what to write", "nothing was applied: %s cannot be done", count(n, "step"))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

type planner struct {
	facts Facts
	steps Planned
	seen  map[string]*declaration // of the project, by kind and name
}

func (p *planner) connector(c connectorFile) {
	s := Step{Action: Create, Kind: kindConnector, Name: c.name, File: c.path, Note: "Tarn reads its project folder by itself"}
	if state, there := p.facts.Connectors[c.name]; there {
		s.Action, s.Note = Unchanged, state
	}
	p.steps = append(p.steps, s)
	p.seen[kindConnector+" "+c.name] = nil
}

func (p *planner) file(f *File) {
	if f.Err != nil {
		s := Step{Action: Refuse, File: f.Path}
		s.fail(f.Err)
		p.steps = append(p.steps, s)
	}
	for _, one := range f.Statements {
		d, err := declared(f, one)
		s := Step{Action: Run, Kind: d.kind, Name: d.name, File: f.Path, SQL: one.Text, from: &d}
		s.Line, s.Column = d.place(0)
		if err == nil {
			err = p.step(&s, &d)
		}
		if err != nil {
			s.Action, s.SQL = Refuse, ""
			s.fail(sqltext.Shifted(err, f.Text, one.Offset))
		}
		if s.Action == Unchanged {
			s.SQL = ""
		}
		p.steps = append(p.steps, s)
	}
}

// fail notes an error, with its place in the file.
func (s *Step) fail(err error) {
	s.Error, s.Hint = err.Error(), fault.HintOf(err)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Line > 0 {
		s.Line, s.Column = f.Line, f.Column
	}
}

// step decides what becomes of a statement.
func (p *planner) step(s *Step, d *declaration) error {
	if d.kind == "" {
		words := sqltext.Verbs(d.Text, 2)
		s.Name = strings.Join(words, " ")
		return nil
	}
	if _, there := p.facts.Pipelines[d.bare]; there && d.bare != "" {
		d.name, s.Name = d.bare, d.bare
	}
	if d.drop {
		p.drop(s, d)
		return nil
	}
	key := d.kind + " " + d.name
	if other := p.seen[key]; other != nil && d.made.Verb != "ALTER PIPELINE" {
		line, column := other.place(0)
		return fault.Newf(fault.Exists, "take one of them out", "the %s %s is declared twice: also at %s:%d:%d", d.kind, d.name, other.file.Path, line, column)
	}
	p.seen[key] = d
	switch d.kind {
	case kindSource:
		return p.source(s, d)
	case kindView:
		return p.view(s, d)
	}
	return p.pipeline(s, d)
}

// drop decides about a DROP of a file; what follows sees that it is gone.
func (p *planner) drop(s *Step, d *declaration) {
	there := false
	switch d.kind {
	case kindSource:
		_, there = p.facts.Sources[d.name]
		delete(p.facts.Sources, d.name)
	case kindView:
		_, there = p.facts.Views[d.name]
		delete(p.facts.Views, d.name)
	case kindPipeline:
		var old PipelineFact
		old, there = p.facts.Pipelines[d.name]
		delete(p.facts.Pipelines, d.name)
		if d.withTable {
			delete(p.facts.Tables, old.Into)
			s.Note = "with its table"
		}
	}
	if s.Action = Drop; !there {
		s.Action, s.Note = Unchanged, "it is not there"
	}
}

func (p *planner) source(s *Step, d *declaration) error {
	old, there := p.facts.Sources[d.name]
	switch {
	case !there:
		s.Action = Create
	case sqltext.Same(old, d.Text):
		s.Action = Unchanged
	case d.quiet:
		s.Action, s.Note = Unchanged, "it is declared otherwise, and the statement says IF NOT EXISTS"
	default:
		return fault.Newf(fault.Exists, "tarn sql 'DROP SOURCE "+d.name+"' first, and the pipelines that read it, or give this one another name", "there is a source %s already, declared otherwise", d.name)
	}
	return nil
}

func (p *planner) view(s *Step, d *declaration) error {
	old, there := p.facts.Views[d.name]
	switch {
	case !there && p.facts.Tables[d.name]:
		return fault.Newf(fault.Exists, "give the view another name", "there is a table %s already", d.name)
	case !there:
		s.Action = Create
	case sqltext.Same(old, d.body):
		s.Action = Unchanged
	case d.replace:
		s.Action = Alter
	case d.quiet:
		s.Action, s.Note = Unchanged, "it reads otherwise, and the statement says IF NOT EXISTS"
	default:
		return fault.Newf(fault.Exists, "write CREATE OR REPLACE VIEW", "there is a view %s already, which reads otherwise", d.name)
	}
	return nil
}

func (p *planner) pipeline(s *Step, d *declaration) error {
	old, there := p.facts.Pipelines[d.name]
	if !there {
		return p.newPipeline(s, d)
	}
	have, err := old.said()
	if err != nil {
		return fmt.Errorf("read the statement of pipeline %s: %w", d.name, err)
	}
	want := d.made
	if want.Verb == "ALTER PIPELINE" {
		want.Verb, want.Key, want.Options, want.Columns = have.Verb, have.Key, have.Options, have.Columns
	}
	if next, being := p.facts.building(old.ID); being {
		if c, err := next.said(); err == nil && c.Meaning() == want.Meaning() {
			s.Action, s.Note = Unchanged, "it is being made anew, "+count(int(next.Lag), "record")+" behind"
			return nil
		}
		return fault.Newf(fault.Conflict, "wait until it has taken the old one's place, or end that by: tarn sql 'DROP PIPELINE "+sqltext.Dotted(next.Name)+"'", "pipeline %s is being made anew with another statement", d.name)
	}
	switch {
	case have.Meaning() == want.Meaning() && old.Into == intoOf(d, old):
		s.Action = Unchanged
	case d.quiet:
		s.Action, s.Note = Unchanged, "it does something else, and the statement says IF NOT EXISTS"
	case have.Frame() != want.Frame() || old.Into != intoOf(d, old):
		return fault.Newf(fault.Exists, "drop it first by: tarn sql 'DROP PIPELINE "+sqltext.Dotted(d.name)+"', and its table; or give this one another name",
			"pipeline %s is there with another form, table, key, columns or options, which ALTER PIPELINE cannot change", d.name)
	default:
		s.Action, s.Note = Alter, "it is made anew beside the old one, of its history; the old table stays as "+old.Into+"__old"
		if d.made.Verb != "ALTER PIPELINE" {
			head := "ALTER PIPELINE " + sqltext.Dotted(d.name) + " AS "
			s.SQL, s.added, s.at = head+d.Text[d.bodyAt:], len([]rune(head)), d.bodyAt
		}
	}
	return nil
}

// intoOf is the table that a statement fills.
func intoOf(d *declaration, old PipelineFact) string {
	if d.made.Verb == "ALTER PIPELINE" {
		return old.Into
	}
	return full(d.made.Into)
}

func (p *planner) newPipeline(s *Step, d *declaration) error {
	s.Action = Create
	into := full(d.made.Into)
	if d.made.Verb == "ALTER PIPELINE" {
		return fault.Newf(fault.NotFound, "see SHOW PIPELINES", "there is no pipeline %s", d.name)
	}
	if other, taken := p.facts.fills(into); taken {
		return fault.Newf(fault.Exists, "fill another table, and read both with UNION ALL", "pipeline %s fills %s already", other.Name, into)
	}
	if p.facts.Tables[into] {
		return fault.Newf(fault.Exists, "fill another table, or drop that one by: tarn sql 'DROP TABLE "+sqltext.Dotted(into)+"'", "there is a table %s already", into)
	}
	return nil
}

// drops tells what is there and not in the folder, and drops what was told by name: views first, then what
// they may read.
func (p *planner) drops(names []string) {
	told := map[string]bool{}
	for _, name := range names {
		told[strings.ToLower(name)] = true
	}
	for _, kind := range []struct {
		kind, note string
		names      []string
	}{
		{kindView, "", slices.Sorted(maps.Keys(p.facts.Views))},
		{kindPipeline, "its table stays, and belongs to nobody", slices.Sorted(maps.Keys(p.facts.Pipelines))},
		{kindSource, "", slices.Sorted(maps.Keys(p.facts.Sources))},
		{kindConnector, "", slices.Sorted(maps.Keys(p.facts.Connectors))},
	} {
		for _, name := range kind.names {
			_, ours := p.seen[kind.kind+" "+name]
			asked := told[name] && kind.kind != kindConnector
			s := Step{Action: Leave, Kind: kind.kind, Name: name}
			switch {
			case kind.kind == kindPipeline && p.facts.Pipelines[name].Replaces != "" || strings.HasPrefix(name, "information_schema."):
				continue
			case asked && ours:
				s.Action, s.Error, s.Hint = Refuse, fmt.Sprintf("the %s %s is to be dropped, and the folder declares it", kind.kind, name), "take it out of its file first"
			case ours:
				continue
			case asked:
				s.Action, s.SQL, s.Note = Drop, "DROP "+strings.ToUpper(kind.kind)+" "+sqltext.Dotted(name), kind.note
			}
			if asked {
				delete(told, name)
			}
			p.steps = append(p.steps, s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		p.steps = append(p.steps, Step{Action: Refuse, Name: name, Error: "there is no view, pipeline or source " + name + " to drop", Hint: "see the lines of what is left alone"})
	}
}

// placed puts an error of the step's statement at its place in the file.
func (s *Step) placed(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Line == 0 || s.from == nil {
		return err
	}
	told := *f
	if told.Line == 1 && s.added > 0 {
		told.Column = max(1, told.Column-s.added)
	}
	return sqltext.Shifted(&told, s.from.file.Text, s.from.Offset+s.at)
}

// Place is file:line:column, as far as it is known.
func (s *Step) Place() string { return place(s.File, s.Line, s.Column) }

func place(file string, line, column int) string {
	switch {
	case file == "" || line == 0:
		return file
	case column == 0:
		return fmt.Sprintf("%s:%d", file, line)
	}
	return fmt.Sprintf("%s:%d:%d", file, line, column)
}
